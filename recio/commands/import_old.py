"""`recio import`: brings the data of the system before recio along; it trades nothing, and reads no key and no password."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from recio.commands.options import add_config, config_of
from recio.daemon import data_dir
from recio.daemon.database import dsn_of
from recio.db import imported, old_server
from recio.db.connection import transaction
from recio.db.embedded import DATABASE, EmbeddedServer
from recio.db.pool import open_pool, starting_faults
from recio.db.schema import ensure_schema, migrations, version_of
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.old_data import folders
from recio.old_data.harvest import Harvest, merge_into, without_other_mode
from recio.old_data.price_log import PriceSpool
from recio.old_data.reading import Reader, Say, Seen
from recio.old_data.report import Report, as_json, as_text, nothing_as_json, rebuilt_with_disagreements
from recio.old_data.tables import BrokenSource
from recio.settings.config import Config
from recio.supervisor import leading_fault

NAME = "recio import"
MODES = ("prod", "demo")


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
            print(_failed(options, leading_fault(error)))
        raise


def _failed(options: argparse.Namespace, fault: BaseException) -> str:
    """One object whatever happens: whoever reads it need not look at the exit code first."""
    said = (
        str(fault)
        if isinstance(fault, Fatal | Transient)
        else f"a fault of recio itself ({type(fault).__name__})"
    )
    paths = [old_server.shown(each) if folders.is_server(each) else each for each in options.paths]
    return nothing_as_json(str(options.mode), [(each, said) for each in paths or [""]])


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
    report = anyio.run(
        imported_from,
        options.paths,
        options.mode,
        None if options.dry_run else config,
        _sayer(),
        options.user,
    )
    print(as_json(report) if options.json else as_text(report))
    return ExitCode.DATA if report.is_empty else ExitCode.OK


def _sayer() -> Say:
    """Progress, for a person who watches."""

    def say(words: str) -> None:
        if sys.stderr.isatty():
            print(f"recio: {words}", file=sys.stderr, flush=True)

    return say


async def imported_from(
    paths: Sequence[str], mode: str, config: Config | None, say: Say, user: str | None = None
) -> Report:
    """Without a config nothing is kept. Raises BadConfig, Fatal."""
    with tempfile.TemporaryDirectory(prefix="recio-import-") as name:
        folder = Path(name)
        if config is None:
            return _dry(await _read(paths, mode, folder, {}, say, user))
        if _has_database(config):
            async with dsn_of(config) as dsn:
                seen = await _seen(dsn, mode)
                return await _keep(dsn, await _read(paths, mode, folder, seen, say, user), say)
        # A database is made only for something to put into it.
        reader = await _read(paths, mode, folder, {}, say, user)
        if reader.harvest.is_empty() and not reader.spool.count:
            return _dry(reader)
        async with _new_database(config) as dsn:
            return await _keep(dsn, reader, say)


def _has_database(config: Config) -> bool:
    return (
        bool(config.database.dsn.get_secret_value()) or (data_dir.place_of(config) / data_dir.MARKER).exists()
    )


@asynccontextmanager
async def _new_database(config: Config) -> AsyncGenerator[str]:
    async def prepare(server: EmbeddedServer) -> None:
        await server.ensure_database(DATABASE)

    async with dsn_of(config, DATABASE, prepare) as dsn:
        yield dsn


async def _read(
    paths: Sequence[str],
    mode: str,
    folder: Path,
    seen: dict[tuple[str, str], Seen],
    say: Say,
    user: str | None,
) -> Reader:
    reader = Reader(mode=mode, spool=PriceSpool(folder / "prices"), seen=seen, say=say)
    for number, path in enumerate(paths):
        if not folders.is_server(path):
            await anyio.to_thread.run_sync(reader.read, path)
            continue
        say(f"reading {old_server.shown(path)}")
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
    reader.settle_on(user)
    without_other_mode(reader.harvest)
    return reader


def _dry(reader: Reader) -> Report:
    harvest = reader.harvest
    told = list(rebuilt_with_disagreements(harvest))
    counts = {
        "fills": len(harvest.fills),
        "orders": len(harvest.orders),
        "settlements": len(harvest.settlements),
    }
    counts["trades"] = len(told)
    return Report(
        mode=reader.mode,
        kept=False,
        harvest=harvest,
        imported=counts | {"prices": reader.spool.count},
        totals=counts,
        trades=told,
        prices_seen=reader.spool.count,
    )


async def _seen(dsn: str, mode: str) -> dict[tuple[str, str], Seen]:
    async with open_pool(dsn, application_name=NAME) as pool:
        with starting_faults():
            async with transaction(pool) as connection:
                version = await version_of(connection)
                if version != len(migrations()):
                    return {}
                return await imported.seen_before(connection, mode)


async def _keep(dsn: str, reader: Reader, say: Say) -> Report:
    """One transaction: a kill at any point leaves what was there before."""
    harvest, mode = reader.harvest, reader.mode
    async with open_pool(dsn, application_name=NAME) as pool:
        with starting_faults():
            async with transaction(pool) as connection:
                await ensure_schema(connection)
                await imported.alone(connection)
                before = await imported.known(connection, mode)
                whole = Harvest(sources=harvest.sources, refused=harvest.refused, settings=harvest.settings)
                merge_into(whole, before)
                merge_into(whole, harvest)
                say(f"writing {reader.spool.count:,} prices")
                counts = await imported.keep(connection, mode, whole, before)
                counts["prices"] = await imported.keep_prices(connection, reader.spool)
                told = list(rebuilt_with_disagreements(whole))
                counts["trades"] = await imported.keep_trades(connection, mode, told)
                await imported.keep_sources(connection, mode, harvest.sources)
    totals = {
        "fills": len(whole.fills),
        "orders": len(whole.orders),
        "settlements": len(whole.settlements),
        "trades": len(told),
    }
    return Report(
        mode=mode,
        kept=True,
        harvest=whole,
        imported=counts,
        totals=totals,
        trades=told,
        prices_seen=reader.spool.count,
    )
