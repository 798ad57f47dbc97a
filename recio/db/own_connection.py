"""One task's own connection with its statements prepared: each is one round trip and, outside a transaction, its own commit.

It never sends a statement twice that may have been carried out.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio
import asyncpg

from recio.db.connection import ACQUIRE_LIMIT, Connection
from recio.db.pool import CLOSE_LIMIT, is_behind_pooler, transient_faults
from recio.errors import Transient

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.prepared_stmt import PreparedStatement

    Statement = PreparedStatement[Record]
else:  # asyncpg's classes are generic in their type stubs only
    Record = Statement = object


BY_INDEX, AS_BEFORE = "SET enable_seqscan = off; SET jit = off", "RESET enable_seqscan; RESET jit"
"""A plan that was made while a table was empty reads all of it for as long as its statistics say so, row after row that comes.

Without it costs of statements would depend on when the tables were last analysed. Behind a pooler the session is another's too.
"""
_numbers = itertools.count(1)
"""Without a name of its own a statement is parsed anew at each use; the server keeps names as long as the connection."""


class Asks(Protocol):
    """Whoever answers a statement with its first row."""

    async def fetchrow(self, query: str, /, *values: object) -> Record | None: ...


@dataclass(frozen=True, slots=True)
class OwnConnection:
    connection: Connection
    is_pooled: bool = False
    _prepared: dict[str, Statement] = field(default_factory=dict[str, Statement])

    async def prepare(self, *queries: str) -> None:
        """So that not even the first use of these costs more than one round trip.

        Behind a pooler each costs two: the next transaction may be on a session that never heard of the statement, or knows
        another by its name.
        """
        if self.is_pooled:
            return
        with transient_faults():
            for query in queries:
                self._prepared[query] = await self.connection.prepare(query, name=f"recio_{next(_numbers)}")

    async def fetchrow(self, query: str, /, *values: object) -> Record | None:
        """The first row; finished even while its task is being cancelled, as a transaction is.

        Raises Transient for faults of the connection: then nobody knows whether it was committed.
        """
        with transient_faults(), anyio.CancelScope(shield=True):
            statement = self._prepared.get(query)
            if statement is not None:
                return await statement.fetchrow(*values)
            return await self.connection.fetchrow(query, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """The same promises as those of recio.db.connection.transaction."""
        with transient_faults(), anyio.CancelScope(shield=True):
            async with self.connection.transaction():
                yield self.connection


@asynccontextmanager
async def own_connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncGenerator[OwnConnection]:
    """One connection of the pool for as long as the block lasts. Raises Transient if none can be had."""
    with transient_faults():
        connection = await pool.acquire(timeout=ACQUIRE_LIMIT)
    try:
        if not is_behind_pooler(pool):
            with transient_faults():
                await connection.execute(BY_INDEX)
        yield OwnConnection(connection, is_behind_pooler(pool))
    finally:
        # A connection that is lost cannot be given back in order, which is no fault of whoever is ending here.
        with suppress(Transient), anyio.move_on_after(CLOSE_LIMIT, shield=True), transient_faults():
            if not is_behind_pooler(pool):
                await connection.execute(AS_BEFORE)
            await pool.release(connection)
