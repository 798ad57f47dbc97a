"""`recio status`: in ten entries what the page says, or what the rows say where no daemon answers; it only reads."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio
import asyncpg

from recio.commands.event_loop import to_the_end
from recio.commands.halt_proof import live_trades
from recio.commands.installation import Installation, add_installation, find_installation, pool_of, rows_in
from recio.commands.options import port_number
from recio.commands.own_page import ANSWERS_WITHIN, page_of
from recio.daemon.database import daemon_runs, refuse_unmarked
from recio.db import halts
from recio.db.connection import transaction
from recio.db.identity import bound_to
from recio.errors import ExitCode, Fatal
from recio.messages.controls import halt_reason
from recio.texts import counted

WIDTH, NAMED = 80, 8
UNKNOWN = "-"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument(
        "--port", type=port_number, metavar="P", help="where its page is, if not at status.port of its config"
    )
    parser.add_argument("--json", action="store_true", help="everything that GET /status says, or the rows")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    if options.port is not None:
        place = replace(place, port=options.port)
    return to_the_end(lambda: show(place, as_json=options.json), lambda: "nothing was changed")


async def show(place: Installation, *, as_json: bool) -> ExitCode:
    """75 where no daemon of this installation answers. Raises BadConfig where there is no installation."""
    if not place.dsn:
        refuse_unmarked(place.data_dir)
    said = await page_of(place.port)
    if said is None or await _of_another(place, said.get("account", "")):
        return await _show_rows(place, said, as_json=as_json)
    print(json.dumps(said) if as_json else "\n".join(fitted(lines_of(said, place.port))))
    return ExitCode.OK


async def _of_another(place: Installation, account: str) -> bool:
    """Whether what answers at the port trades another account than these rows: two daemons of one machine share no figure.

    Rows that cannot be read now keep nobody from what the page says.
    """
    try:
        with anyio.fail_after(ANSWERS_WITHIN):
            async with rows_in(place, "recio status") as connection:
                return not (await bound_to(connection)).account.startswith(account)
    except (OSError, Fatal, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(
            f"recio: note: whether port {place.port} is that of {place.name} is not known:"
            f" its rows cannot be read ({type(error).__name__})",
            file=sys.stderr,
        )
        return False


def lines_of(said: dict[str, Any], port: int) -> Iterator[str]:
    """Ten entries of GET /status, and one more after a restore; what is unknown is a dash."""
    now = said["now"]
    host_seconds = _between(said["started_at"], now) / said["clock_speed"]
    yield _line(
        "recio",
        f"{said['version']}, {said['mode']} on {said['environment']}, account {said['account']},"
        f" port {port}, up {_lasted(host_seconds)}",
    )
    reasons = said["reasons"]
    more = f" (and {len(reasons) - 1} more)" if reasons[1:] else ""
    yield _line("ready", "yes" if not reasons else f"NO{more}: {reasons[0]}")
    halted = (f"{each['level']}: {halt_reason(each['cause'], each['by'])}" for each in said["halts"])
    yield _line("halts", "; ".join(halted) or "none")
    held = said["positions"]
    yield _line(
        "held",
        UNKNOWN
        if held is None
        else f"{held['count']}, worth {_dollars(held['value'])}, at worst {_dollars(held['worst'])},"
        f" {held['unguarded']} without a stop",
    )
    pnl = said["pnl"]
    yield _line(
        "today",
        f"{_dollars(pnl['realised_today'])} after {_dollars(pnl['fees_today'])} fees,"
        f" {_of(pnl['wins'])} won, {_of(pnl['losses'])} lost; balance {_dollars(pnl['balance'])}",
    )
    states = [each["state"] for each in said["orders"]]
    yield _line("orders", f"{states.count('unknown')} unknown, {states.count('pending')} on their way")
    yield _line("prices", "; ".join(map(_price, said["prices"])) or UNKNOWN)
    venue = said["venue"]
    offset = venue["clock_offset_seconds"]
    clock = "how far its clock is off ours is not known" if offset is None else f"clock {_apart(offset)} ours"
    yield _line("venue", f"{_of(venue['phase'])}; {venue['read']}; {clock}")
    tasks = said["tasks"]
    down = [name for name, each in tasks.items() if each["state"] != "running"]
    restarts = sum(each["restarts"] for each in tasks.values())
    yield _line(
        "tasks", f"{len(tasks)}, {restarts} restarts" + (f"; not running: {', '.join(down)}" if down else "")
    )
    yield _line("alerts", _alerts(said.get("alerts") or {}))
    backups: dict[str, Any] = said.get("backups") or {}
    if restored := backups.get("restored"):
        yield _line("restore", f"{restored['at']}: {restored['sentence']}")


def _apart(offset: float) -> str:
    return f"{abs(offset)} s {'behind' if offset < 0 else 'ahead of'}"


def _alerts(said: dict[str, Any]) -> str:
    channels, on = said.get("channels", []), said.get("open", [])
    whom = (
        counted(len(channels), "channel", "channels")
        if channels
        else "nobody is called (alerts.channels_path)"
    )
    ping = f"; ping {said['ping']}" if said.get("ping") else ""
    return f"{'; '.join(each['cause'] for each in on) or 'none on'}; {whom}{ping}"


def _price(row: dict[str, Any]) -> str:
    return f"{row['symbol']} {_of(row['price'])}" + (f" ({row['unreliable']})" if row["unreliable"] else "")


async def _show_rows(place: Installation, other: dict[str, Any] | None, *, as_json: bool) -> ExitCode:
    """What is true while nobody turns the loop, or somebody else's page is at the port."""
    async with pool_of(place, "recio status") as pool:
        async with transaction(pool) as connection:
            active, runs = await halts.active(connection), await daemon_runs(connection)
        held = [each for each in (await live_trades(pool)).values() if each.held > 0]
    if as_json:
        rows = {
            "running": runs,
            "page": False,
            "halts": [{"level": each.level.value, "cause": each.cause, "by": each.by} for each in active],
            "held": [each.ticker for each in held],
        }
        print(json.dumps(rows))
        return ExitCode.TEMPORARY
    lines = [
        _line("recio", "a daemon runs, and its page does not answer" if runs else "no daemon runs"),
        _line("halts", "; ".join(f"{each.level}: {each.cause}" for each in active) or "none"),
        _line(
            "held",
            f"{counted(len(held), 'position', 'positions')}, by the rows; no stop looks after them"
            if held
            else "nothing, by the rows",
        ),
    ]
    print("\n".join(fitted(lines)))
    if other is not None:
        raise Fatal(
            f"port {place.port} is the page of another recio (account {other['account']}), not of {place.name}:"
            " say recio status --port P with the port of its own page, if a daemon of it runs",
            ExitCode.TEMPORARY,
        )
    raise Fatal(
        f"nothing of recio answers at port {place.port}: start recio demo or recio run, or say --port P if its page"
        " is elsewhere; on a droplet systemctl status recio, journalctl -u recio",
        ExitCode.TEMPORARY,
    )


def fitted(lines: Iterator[str] | list[str]) -> Iterator[str]:
    """No line is wider than a terminal, and nothing is cut: what is longer goes on below, under its beginning."""
    for each in lines:
        yield from textwrap.wrap(
            each, WIDTH, subsequent_indent=" " * NAMED, break_on_hyphens=False, drop_whitespace=True
        )


def _line(name: str, says: str) -> str:
    return f"{name:<{NAMED}}{says}"


def _of(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def _dollars(text: str | None) -> str:
    if text is None:
        return UNKNOWN
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def _between(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


def _lasted(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes} min"
