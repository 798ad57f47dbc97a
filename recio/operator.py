"""What an operator does from the command line to a daemon's rows: pull a brake, clear them, turn a switch, grant a limit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
import anyio

from recio.db import brakes, halts, limits, switches
from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.errors import BadConfig
from recio.messages import Brake, BrakeCheck, Halt, Switch
from recio.own_database import database_dsn, rows_of
from recio.rules.limits import wanted
from recio.settings.config import Config

WAY_OUT = "recio resume --by NAME"
STOPPED = "the daemon stopped new orders"
DONE = {Brake.HALT: "halted", Brake.FLATTEN: "flattened", Brake.STOP: "stopped"}
SEEN_WITHIN = 3.0
"""Host seconds that a running daemon gets to show the halt before it is called unseen."""
LOOK_EVERY = 0.1


async def resume(config: Config, by: str) -> list[str]:
    """Clear every halt of the daemon's database; returns their causes. Works while the daemon runs."""
    async with database_dsn(config) as dsn:
        return await _clear(dsn, by)


async def pull(config: Config, brake: Brake, why: str, by: str) -> str:
    """Commit a brake, then say what a daemon shows of it; the row holds either way."""
    cause = f"{DONE[brake]} by hand" + (f": {why}" if why else "")
    async with database_dsn(config) as dsn:
        halt = Halt(brake=brake, cause=cause, since=datetime.now(UTC), by=by, way_out=WAY_OUT)
        is_new = await _set(dsn, halt)
        said = await _what_the_daemon_did(dsn, config.status.port, halt)
    return f"{cause if is_new else f'{cause} (already)'}\n{said}\nway out: {WAY_OUT}"


async def turn_switch(config: Config, switch: Switch, is_on: bool, why: str, by: str) -> str:
    """Record a switch's new position; a running daemon follows within a second."""
    position = "on" if is_on else "off"
    async with (
        database_dsn(config) as dsn,
        rows_of(dsn, "recio switch") as connection,
    ):
        changed = await switches.turn(connection, switch, is_on, datetime.now(UTC), by, why)
    return f"{switch} is switched {position}" if changed else f"{switch} was {position} already"


async def show_limits(config: Config) -> str:
    """Each limit in force beside the one that the config asks for."""
    async with database_dsn(config) as dsn, rows_of(dsn, "recio limits") as connection:
        now = await limits.newest(connection)
    lines = [f"{'limit':<28}{'in force':>14}{'config':>14}"]
    for name, amount in wanted(config.risk).items():
        stands = f"{now[name].normalize():f}" if name in now else "-"
        lines.append(f"{name:<28}{stands:>14}{amount.normalize():>14f}")
    return "\n".join(lines)


async def grant_limits(config: Config, by: str) -> str:
    """Let the next start raise the limits to what the config asks for; says which ones that are."""
    async with database_dsn(config) as dsn, rows_of(dsn, "recio limits") as connection:
        now = await limits.newest(connection)
        if not now:
            raise BadConfig(
                "no daemon has started on this database: its first start takes the config's limits"
            )
        higher = [
            (name, amount) for name, amount in wanted(config.risk).items() if amount > now.get(name, amount)
        ]
        await limits.grant(connection, higher, by)
    told = [f"{name}: {now[name].normalize():f} may become {amount.normalize():f}" for name, amount in higher]
    return (
        "\n".join([*told, "in force from the next start on"])
        if told
        else "no limit of the config is above the one in force"
    )


async def _what_the_daemon_did(dsn: str, port: int, halt: Halt) -> str:
    """Follow the status page until the halt is shown, and then the rows until it is verified at the venue."""
    seen = await _seen_by_the_daemon(port, halt.cause)
    if not seen.startswith(STOPPED):
        return seen
    proof = await _proof(dsn, halt.cause)
    if proof is None:
        return f"{seen}\nNOT verified at the venue within {SEEN_WITHIN:g} s: look at the page and the log"
    return (
        f"{seen}\nverified at the venue: nothing of ours rests ({proof.verified_after:.2f} s after the halt,"
        f" {proof.cancelled} orders cancelled)"
    )


async def _seen_by_the_daemon(port: int, cause: str) -> str:
    began = anyio.current_time()
    url = f"http://127.0.0.1:{port}/status"
    timeout = aiohttp.ClientTimeout(total=SEEN_WITHIN)
    answered = False
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while (passed := anyio.current_time() - began) < SEEN_WITHIN:
            causes = await _halts_shown(session, url)
            if causes is not None and cause in causes:
                return f"{STOPPED} (seen after {passed:.2f} s)"
            if causes is None and not answered:
                break
            answered = True
            await anyio.sleep(LOOK_EVERY)
    if answered:
        return f"the daemon at {url} does not show the halt after {SEEN_WITHIN:g} s: look at its log"
    return f"no daemon answers at {url}: the halt is in the database and holds when one starts on it"


async def _proof(dsn: str, cause: str) -> BrakeCheck | None:
    """What the daemon recorded of its proof; read from the rows, because a stop ends the page with the daemon."""
    async with open_pool(dsn, application_name="recio brake") as pool:
        with anyio.move_on_after(SEEN_WITHIN):
            while True:
                async with transaction(pool) as connection:
                    rows = {each.halt_id for each in await halts.active(connection) if each.cause == cause}
                    found = [each for each in await brakes.checks(connection) if each.halt_id in rows]
                if found and found[0].verified_after is not None:
                    return found[0]
                await anyio.sleep(LOOK_EVERY)
    return None


async def _halts_shown(session: aiohttp.ClientSession, url: str) -> list[str] | None:
    """The causes on the status page; None if nothing of ours answers there."""
    try:
        async with session.get(url) as answer:
            shown: dict[str, Any] = await answer.json()
            return [each["cause"] for each in shown["halts"]]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def _clear(dsn: str, by: str) -> list[str]:
    async with rows_of(dsn, "recio resume") as connection:
        return await halts.clear_all(connection, datetime.now(UTC), by)


async def _set(dsn: str, row: Halt) -> bool:
    async with rows_of(dsn, f"recio {row.brake}") as connection:
        return await halts.set_halt(connection, row)
