"""Which installation of recio a command is about: its data directory or database, found without a key and without a good config.

It reads, and makes nothing: whoever halts in an emergency must not be held up by a slip in a setting that a halt never uses,
nor halt something empty that was made for the occasion.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg

from recio.commands.database import said_of_rows
from recio.commands.options import DEFAULT_CONFIG
from recio.daemon.database import dsn_in_use
from recio.db.connection import Connection, transaction
from recio.db.pool import open_pool
from recio.errors import BadConfig
from recio.settings.addresses import checked_dsn
from recio.settings.config import Config, load, parse
from recio.settings.files import MARKER, data_dir_of, read_toml
from recio.settings.risk import RiskSection
from recio.settings.strategies import DEFAULT

OF_THE_UNIT = Path("/etc/recio/recio.toml")
"""Where systemd/recio.service has its config."""
DEFAULT_DATA_DIR = ".recio"
DEFAULT_PORT = 8710


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a command needs of an installation. `dsn` is empty where the embedded database is used."""

    data_dir: Path
    dsn: str = ""
    direct_dsn: str = ""
    """Around the pooler of `dsn`, where there is one."""
    port: int = DEFAULT_PORT
    found_by: str = "--data-dir"
    config: Path | None = None

    @property
    def name(self) -> str:
        return "the database of database.dsn" if self.dsn else str(self.data_dir)

    @property
    def straight_dsn(self) -> str:
        """For what needs one session of the server itself; empty where the embedded database is used."""
        return self.direct_dsn or self.dsn

    def series(self) -> dict[str, str]:
        """The coin of each series that its config trades. Raises BadConfig where that config is not good."""
        return (Config() if self.config is None else load(self.config)).series

    def strategies(self) -> tuple[str, ...]:
        """The names that its config gives them. Raises BadConfig where that config is not good."""
        return tuple((Config() if self.config is None else load(self.config)).strategies) or (DEFAULT,)

    def risk(self) -> RiskSection:
        """The limits that its config asks for. Raises BadConfig where that config is not good."""
        return (Config() if self.config is None else load(self.config)).risk


def add_installation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"default: {DEFAULT_CONFIG} here, a data directory {DEFAULT_DATA_DIR} here, or {OF_THE_UNIT}",
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="the data directory, whatever a config says"
    )


def find_installation(options: argparse.Namespace) -> Installation:
    """Raises BadConfig with what was looked for. Says on standard error which one was found."""
    found = _found(options.config, options.data_dir)
    print(f"recio: about {found.name} (found by {found.found_by})", file=sys.stderr)
    return found


@asynccontextmanager
async def rows_in(place: Installation, name: str) -> AsyncGenerator[Connection]:
    """A transaction on the installation's database, for what is done in one."""
    with said_of_rows():
        async with pool_of(place, name) as pool, transaction(pool) as connection:
            yield connection


@asynccontextmanager
async def pool_of(place: Installation, name: str) -> AsyncGenerator[asyncpg.Pool[asyncpg.Record]]:
    """Connections to the installation's database, one of them open all the time: so its server stays when a daemon ends."""
    async with dsn_in_use(place.data_dir, place.dsn) as dsn, open_pool(dsn, application_name=name) as pool:
        yield pool


def _found(config: Path | None, data_dir: Path | None) -> Installation:
    here = Path(DEFAULT_CONFIG)
    if config is None and data_dir is not None and not here.exists():
        return Installation(data_dir=data_dir.expanduser().absolute())
    if config is None and not here.exists() and (Path(DEFAULT_DATA_DIR) / MARKER).exists():
        return Installation(data_dir=Path(DEFAULT_DATA_DIR).absolute(), found_by="this folder")
    path = config or next((each for each in (here, OF_THE_UNIT) if each.exists()), None)
    if path is None:
        raise BadConfig(
            f"found no installation of recio: {Path.cwd()} has neither {DEFAULT_CONFIG} nor a data directory"
            f" {DEFAULT_DATA_DIR}, and there is no {OF_THE_UNIT}; say --config FILE or --data-dir DIR"
        )
    return _of_config(path, data_dir, named=config is not None)


def _of_config(path: Path, data_dir: Path | None, *, named: bool) -> Installation:
    """What the config says of the installation, whatever else may be wrong in it.

    A config that nobody named does not lead away from the data directory that somebody did.
    """
    try:
        table = read_toml(path)
    except BadConfig:
        if data_dir is None:
            raise
        table = {}
    _tell_faults(table, path)
    written = table.get("data_dir", DEFAULT_DATA_DIR)
    if not isinstance(written, str) or not written:
        raise BadConfig(f"{path}: data_dir must be a text in quotes; or say --data-dir DIR")
    where = str(data_dir.expanduser().absolute()) if data_dir else data_dir_of(written, path)
    return Installation(
        data_dir=Path(where),
        dsn="" if data_dir and not named else _dsn(table, path, "dsn"),
        direct_dsn="" if data_dir and not named else _dsn(table, path, "direct_dsn"),
        port=_port(table),
        found_by=str(path.absolute()),
        config=path,
    )


def _tell_faults(table: dict[str, Any], path: Path) -> None:
    try:
        parse(table, str(path))
    except BadConfig as error:
        print(f"recio: note: recio run would refuse this config: {error}", file=sys.stderr)


def _dsn(table: dict[str, Any], path: Path, name: str) -> str:
    dsn = _of(table, "database", name)
    try:
        return checked_dsn(dsn if isinstance(dsn, str) else "")
    except ValueError as error:
        raise BadConfig(f"{path}: database.{name} = (hidden) is refused: {error}") from None


def _port(table: dict[str, Any]) -> int:
    port = _of(table, "status", "port")
    return port if isinstance(port, int) and 0 < port < 65_536 else DEFAULT_PORT


def _of(table: dict[str, Any], section: str, key: str) -> Any:
    found = table.get(section)
    return cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
