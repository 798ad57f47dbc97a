"""`recio import`: brings the data of the system before recio along; it trades nothing, and reads no key and no password."""

from __future__ import annotations

import argparse
import errno
import sqlite3
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from recio.commands.options import add_config, config_of
from recio.daemon import data_dir
from recio.daemon.database import dsn_of
from recio.db import imported, imported_found, old_server
from recio.db.connection import Connection, transaction
from recio.db.pool import open_pool, starting_faults
from recio.db.schema import ensure_schema, migrations, version_of
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.old_data import folders
from recio.old_data.layouts import user_of
from recio.old_data.parts import Seen
from recio.old_data.price_log import PriceSpool
from recio.old_data.reading import Reader, Say
from recio.old_data.report import Found, Report, as_text, nothing_of, print_json, trades_of
from recio.old_data.staging import Shelf, Staging
from recio.old_data.tables import BrokenSource
from recio.scratch import scratch_folder
from recio.settings.config import Config
from recio.supervisor import leading_fault

NAME = "recio import"
MODES = ("prod", "demo")
FULL = (errno.ENOSPC, errno.EDQUOT)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="REC.IO folders, .db files, plain SQL dumps, CSV exports, postgresql:// addresses",
    )
    parser.add_argument("--mode", metavar="MODE", help="prod or demo: the Kalshi account that the data is of")
    parser.add_argument(
        "--user", metavar="NUMBER", help="of several users of the old system: 0001 (default: the lowest)"
    )
    parser.add_argument("--dry-run", action="store_true", help="read and compare, touch no database of recio")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    try:
        return _run(options)
    except Exception as error:
        if options.json:
            print_json(_failed(options, leading_fault(error)), sys.stdout.write)
        raise


def _failed(options: argparse.Namespace, fault: BaseException) -> Report:
    """One object whatever happens: whoever reads it need not look at the exit code first."""
    said = (
        str(fault)
        if isinstance(fault, Fatal | Transient)
        else f"a fault of recio itself ({type(fault).__name__})"
    )
    paths = [old_server.shown(each) if folders.is_server(each) else each for each in options.paths]
    return nothing_of(str(options.mode), [(each, said) for each in paths or [""]])


def _run(options: argparse.Namespace) -> ExitCode:
    if not options.paths:
        raise BadConfig(
            "recio import needs at least one PATH: a REC.IO folder, a .db file, a dump or a CSV export"
        )
    if options.mode not in MODES:
        raise BadConfig(
            f"--mode {options.mode or '(not given)'} is refused: say prod or demo, the Kalshi account that the data is of;"
            " the old trades table mixes both"
        )
    config = None if options.dry_run and options.config is None else config_of(options.config)
    asked = Asked(
        paths=options.paths, mode=options.mode, user=options.user, say=_sayer(), is_dry=options.dry_run
    )
    with closing(Found(lists=options.json)) as found:
        report = anyio.run(imported_from, asked, config, found)
        if options.json:
            print_json(report, sys.stdout.write)
        else:
            print(as_text(report))
    return ExitCode.DATA if report.is_empty else ExitCode.OK


def _sayer() -> Say:
    """Progress, for a person who watches."""

    def say(words: str) -> None:
        if sys.stderr.isatty():
            print(f"recio: {words}", file=sys.stderr, flush=True)

    return say


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    paths: Sequence[str]
    mode: str
    user: str | None
    say: Say
    is_dry: bool


async def imported_from(asked: Asked, config: Config | None, found: Found) -> Report:
    """Without a config nothing is compared and nothing kept. Raises BadConfig, Fatal."""
    with (
        scratch_folder("recio-import-") as folder,
        _room_for(folder),
        closing(Staging(folder / "records")) as staging,
    ):
        return await _imported(asked, config, folder, staging, found)


@contextmanager
def _room_for(folder: Path) -> Generator[None]:
    """A full disk of ours is no fault of a source. Raises Fatal."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "errno", None) not in FULL and "full" not in str(error):
            raise
        raise Fatal(
            f"no room is left in {folder.parent} for the import's own files, about as large as the old data:"
            " make room, or set TMPDIR to a folder on another disk; nothing was imported"
        ) from error


async def _imported(
    asked: Asked, config: Config | None, folder: Path, staging: Staging, found: Found
) -> Report:
    new = partial(
        Reader, mode=asked.mode, spool=PriceSpool(folder / "prices"), staging=staging, say=asked.say
    )
    if config is not None and _has_database(config):
        async with dsn_of(config) as dsn:
            seen = await _seen(dsn, asked.mode)
            reader = await _read(asked, folder, new(seen=seen, earlier_user=_one_user(asked, seen)))
            return await _keep(dsn, reader, asked, found)
    # A database is made only for something to put into it.
    reader = await _read(asked, folder, new(seen={}))
    if config is None or asked.is_dry or not reader.has_something():
        return await anyio.to_thread.run_sync(rebuilt_of_sources, reader, found)
    async with dsn_of(config) as dsn:
        return await _keep(dsn, reader, asked, found)


def _one_user(asked: Asked, seen: dict[tuple[str, str], Seen]) -> str:
    """Whose history this recio has already; empty: nobody's. Raises BadConfig where it is to get another's as well."""
    earlier = min({user_of(table, path) for path, table in seen} - {""}, default="")
    if earlier and asked.user not in (None, earlier):
        raise BadConfig(
            f"--user {asked.user} is refused: this recio has the history of user {earlier} of the old system, and two accounts"
            f" on one market would pay for each other's contracts: import user {asked.user} into a recio of its own, with its"
            " own config and database"
        )
    return earlier


def _has_database(config: Config) -> bool:
    return (
        bool(config.database.dsn.get_secret_value()) or (data_dir.place_of(config) / data_dir.MARKER).exists()
    )


async def _read(asked: Asked, folder: Path, reader: Reader) -> Reader:
    for number, path in enumerate(asked.paths):
        if not folders.is_server(path):
            await anyio.to_thread.run_sync(reader.read, path)
            continue
        asked.say(f"reading {old_server.shown(path)}")
        place = folder / str(number)
        place.mkdir()
        try:
            tables, refused = await old_server.fetched(path, place)
        except BrokenSource as broken:
            reader.refuse(old_server.shown(path), str(broken))
            continue
        for shown, why in refused:
            reader.refuse(shown, why)
        if not tables and not refused:
            reader.refuse(
                old_server.shown(path), "it holds no table of the old system: give its database rec_io_db"
            )
        for table in tables:
            await anyio.to_thread.run_sync(reader.read_table, table)
    reader.settle_on(asked.user)
    return reader


def rebuilt_of_sources(reader: Reader, found: Found) -> Report:
    reader.decide()
    for of in reader.staging.by_ticker():
        for told in trades_of(of, found.add_disagreement):
            found.add_told(told)
    for each in reader.staging.lasting():
        found.add_disagreement(each)
    counts = reader.staging.counts
    totals = {
        "fills": counts[Shelf.FILLS],
        "orders": counts[Shelf.ORDERS],
        "settlements": counts[Shelf.SETTLEMENTS],
        "trades": found.trades,
    }
    imported_now = totals | {"prices": reader.spool.count}
    return _reported(reader, found, imported_now, totals, kept=False, compared=False)


def _reported(
    reader: Reader,
    found: Found,
    imported: dict[str, int],
    totals: dict[str, int],
    *,
    kept: bool,
    compared: bool,
) -> Report:
    for each in reader.staging.bad(reader.user):
        found.add_disagreement(each)
    return Report(
        mode=reader.mode,
        kept=kept,
        compared=compared,
        harvest=reader.harvest,
        imported=imported,
        totals=totals,
        found=found,
    )


async def _seen(dsn: str, mode: str) -> dict[tuple[str, str], Seen]:
    async with open_pool(dsn, application_name=NAME) as pool:
        with starting_faults():
            async with transaction(pool) as connection:
                version = await version_of(connection)
                if version != len(migrations()):
                    return {}
                return await imported.seen_before(connection, mode)


async def _keep(dsn: str, reader: Reader, asked: Asked, found: Found) -> Report:
    """One transaction: a kill at any point leaves what was there before. A dry run takes everything back."""
    async with open_pool(dsn, application_name=NAME) as pool:
        with starting_faults():
            async with transaction(pool) as connection:
                await ensure_schema(connection)
                kept = connection.transaction()
                await kept.start()
                counts = await _written(connection, reader, asked)
                totals = await imported_found.counted(connection, asked.mode)
                await imported_found.tell(connection, asked.mode, found)
                await (kept.rollback() if asked.is_dry else kept.commit())
    return _reported(reader, found, counts, totals, kept=not asked.is_dry, compared=True)


async def _written(connection: Connection, reader: Reader, asked: Asked) -> dict[str, int]:
    staging, mode = reader.staging, asked.mode
    await imported.alone(connection)
    await _unchanged(connection, reader)
    asked.say("comparing with what was imported before")
    await imported.touch(connection, mode, reader)
    await imported.known(connection, mode, staging)
    prices = 0

    async def keep_prices() -> None:
        nonlocal prices
        prices = await imported.keep_prices(connection, reader.spool)

    asked.say(f"writing {reader.spool.count:,} prices")
    # The server takes the prices in while we sort the records.
    async with anyio.create_task_group() as group:
        group.start_soon(keep_prices)
        await anyio.to_thread.run_sync(reader.decide)
    counts = await imported.keep(connection, mode, staging)
    asked.say("rebuilding trades")
    told = (each for of in staging.by_ticker() for each in trades_of(of, staging.add_lasting))
    counts["trades"] = await imported.keep_trades(connection, mode, told, staging)
    await imported.keep_lasting(connection, mode, staging)
    await imported.keep_settings(connection, mode, reader.harvest.settings)
    await imported.keep_sources(connection, mode, reader.harvest.sources)
    return counts | {"prices": prices}


async def _unchanged(connection: Connection, reader: Reader) -> None:
    """What was passed by must be there still. Raises Transient."""
    now = await imported.seen_before(connection, reader.mode)
    if any(now.get(each) != seen for each, seen in reader.seen.items()):
        raise Transient("another import wrote while this one read, and nothing was imported: import again")
