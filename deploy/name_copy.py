#!/usr/bin/env python3
"""Gives the one database of a restored copy the name by which a data directory knows it; run by a release's own Python.

  bin/python deploy/name_copy.py DATA-DIR

A dump keeps the name that its database had on its server, recio-two for instance, and the commands of a data directory look for recio.
Only for a copy that is thrown away: it refuses a directory with more than one database.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import asyncpg

from recio.db.embedded import embedded_server

NAME = "recio"
_THERE = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1"


async def main(root: Path) -> None:
    async with embedded_server(root, make=False) as server:
        connection = await asyncpg.connect(server.dsn("postgres"))
        try:
            names = [row["datname"] for row in await connection.fetch(_THERE)]
            if NAME in names:
                return
            if len(names) != 1:
                sys.exit(
                    f"{root} has the databases {', '.join(names) or 'none'}, and not one that could be meant"
                )
            quoted = await connection.fetchval("SELECT quote_ident($1)", names[0])
            await connection.execute(f"ALTER DATABASE {quoted} RENAME TO {NAME}")
        finally:
            await connection.close()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
