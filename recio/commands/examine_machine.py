"""What `recio doctor` looks at on this machine: files, disk, port, unit, clock, alert channels and database; it changes nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import asyncpg

from recio.alerting.channels import DAEMON, NO_CHANNEL, read_channels
from recio.alerting.delivery import why_unknown
from recio.commands.finding import Finding, Grade, good, judged
from recio.daemon import data_dir
from recio.daemon.database import ACCOUNT_LOCK, dsn_in_use
from recio.daemon.venue import find_venue
from recio.db.connection import is_held, is_superuser, lock_is_really_held, transaction
from recio.db.connections_left import OF_A_DAEMON, OF_COMMANDS, ConnectionsLeft, connections_left
from recio.db.newer_tables import steps_to_run_on
from recio.db.placement import disks_of, least_free
from recio.db.pool import OLDEST_VERSION, is_behind_pooler, open_pool
from recio.db.schema import version_of
from recio.errors import BadConfig, DatabaseAway
from recio.settings.config import Config
from recio.settings.venue import Environment

UNIT = "recio.service"
NEEDS_A_PERSON, UNDER_WAY = Path("/opt/recio/needs-a-person"), Path("/opt/recio/under-way.json")
"""What an upgrade that failed leaves until somebody has looked, and what one has there while it changes anything."""
UPGRADE_LOCK = Path("/opt/recio/upgrade.lock")
SYSTEMD = "/run/systemd/system"
MOST_EXPOSED = 1.2
MEGABYTE = 1_000_000


async def files(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """The config is good, or nobody would be here."""
    yield good("config", f"good: {config.mode} on {config.kalshi.environment}, {', '.join(config.series)}")
    if config.kalshi.environment is not Environment.SIM or config.kalshi.credentials_dir:
        yield good("key", f"opens: {find_venue(config).signer.kind}")
    place = data_dir.place_of(config)
    is_there = data_dir.is_ours(config)
    data_dir.refuse_unwritable(config)
    yield good("data_dir", f"{place}, {'of this mode and environment' if is_there else 'will be made'}")


async def machine(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    here = data_dir.place_of(config)
    disk = next(each for each in (here, *here.parents) if each.exists())  # it is made by the first start
    free, least = least_free(disks_of(disk)), config.health.min_free_disk_megabytes
    megabytes = (free or 0) // MEGABYTE
    yield judged(
        "disk",
        f"{megabytes:,} MB free (health.min_free_disk_megabytes = {least:,})",
        is_good=megabytes >= 2 * least,
        do="free space under data_dir: PostgreSQL stops on a full disk",
        otherwise=Grade.BAD if megabytes < least else Grade.NOTE,
    )
    try:
        data_dir.refuse_taken_port(config.status.port)
        yield good("port", f"{config.status.port} is free: no daemon of this config runs")
    except BadConfig as error:
        yield Finding(
            name="port",
            grade=Grade.NOTE,
            says=f"taken, as while recio runs: {error}",
            do="recio status says who answers",
        )
    yield await _clock_service()
    yield await _unit()
    if upgrade := _unfinished_upgrade():
        yield upgrade
    zone = time.strftime("%Z")
    yield good(
        "time zone", f"{zone}: recio counts in UTC; only the restarts of the machine by upgrades go by it"
    )


def _unfinished_upgrade() -> Finding | None:
    said = NEEDS_A_PERSON.read_text(encoding="utf-8") if NEEDS_A_PERSON.exists() else ""
    says = " ".join(said.split())
    if UNDER_WAY.exists() and _is_locked(UPGRADE_LOCK):
        return Finding(
            name="upgrade", grade=Grade.NOTE, says="one is under way", do="wait until it says that it is done"
        )
    if UNDER_WAY.exists():
        says = says or "one was cut off, and entries may be off"
        do = "finish it: recio upgrade --go-on; or undo it: recio rollback (docs/operate/upgrade.md)"
        return Finding(name="upgrade", grade=Grade.BAD, says=says, do=do)
    if says:
        do = "find out why it failed, then: recio upgrade --seen (docs/operate/upgrade.md)"
        return Finding(name="upgrade", grade=Grade.BAD, says=says, do=do)
    return None


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _clock_service() -> Finding:
    if shutil.which("timedatectl") is None:
        return Finding(
            name="clock service",
            grade=Grade.NOTE,
            says="no timedatectl here",
            do="see that something keeps the clock, as chrony does",
        )
    said = await _output("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return judged(
        "clock service",
        "the clock is kept" if said == "yes" else "no clock service has set this machine's clock yet",
        is_good=said == "yes",
        do="chronyc tracking says why, where chrony is installed (deploy/install.sh does that); else apt-get install chrony",
        otherwise=Grade.NOTE,
    )


async def _unit() -> Finding:
    if not os.access(SYSTEMD, os.F_OK):
        return Finding(
            name="unit",
            grade=Grade.NOTE,
            says="no systemd runs here",
            do="see that something starts recio anew and calls somebody",
        )
    enabled, active = (
        await _output("systemctl", "is-enabled", UNIT),
        await _output("systemctl", "is-active", UNIT),
    )
    said = await _output("systemd-analyze", "security", "--no-pager", UNIT)
    level = next(
        (
            word
            for line in said.splitlines()
            if "exposure level" in line
            for word in line.split()
            if _is_number(word)
        ),
        "",
    )
    return judged(
        "unit",
        f"{enabled or 'not installed'}, {active or 'not active'}" + (f", exposure {level}" if level else ""),
        is_good=enabled == "enabled" and active == "active" and (not level or float(level) <= MOST_EXPOSED),
        do=f"systemctl enable --now recio; exposure is at most {MOST_EXPOSED} in systemd/recio.service",
        otherwise=Grade.NOTE,
    )


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdecimal()


async def _output(*command: str) -> str:
    try:
        with anyio.fail_after(10):
            done = await anyio.run_process(command, check=False, env={**os.environ, "LC_ALL": "C"})
    except (OSError, TimeoutError):
        return ""
    return done.stdout.decode(errors="replace").strip()


async def channels(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """Whether each could be used; nothing is sent."""
    known = read_channels(config.alerts.channels_path)
    if not known.channels:
        yield Finding(
            name="alerts",
            grade=Grade.NOTE,
            says=f"nobody is called: {NO_CHANNEL}",
            do="write a line into the file that it names (docs/operate/alerts.md), restart the daemon, then: recio alert test",
        )
    for each in known.channels:
        why = await why_unknown(each.url)
        yield judged(
            f"alert {each.name}",
            why or f"takes {each.least} and what is graver",
            is_good=not why,
            do="mend its line, then: recio alert test",
        )
    yield judged(
        "ping",
        "an outside service is pinged"
        if DAEMON in known.pings
        else "no outside service would notice a dead machine",
        is_good=DAEMON in known.pings,
        do=f"make a check at such a service, and add a line: {DAEMON} ping https://...",
        otherwise=Grade.NOTE,
    )


async def database(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """Beside the daemon, or without it; makes neither a cluster nor a database."""
    place, dsn = data_dir.place_of(config), config.database.dsn.get_secret_value()
    direct = config.database.direct_dsn.get_secret_value()
    try:
        data_dir.is_ours(config)
        async with dsn_in_use(place, dsn) as used, open_pool(used, application_name="recio doctor") as pool:
            async for each in _of_rows(pool, direct or used):
                yield each  # noqa: ASYNC119 - read to its end by whoever asks
    except BadConfig as error:
        is_new = not dsn and "yet" in str(error)
        yield Finding(
            name="database",
            grade=Grade.NOTE if is_new or not (place / "postgres").exists() else Grade.BAD,
            says=str(error),
            do="the first start makes it: recio run" if not dsn else "look at database.dsn",
        )
    except DatabaseAway as error:
        yield Finding(
            name="database",
            grade=Grade.BAD,
            says=str(error),
            do="see that it runs and its disk is not full (systemctl status postgresql, df -h), and that not all of its"
            " max_connections are taken",
        )


async def _of_rows(pool: asyncpg.Pool[asyncpg.Record], dsn: str) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    async with transaction(pool) as connection:
        server = connection.get_server_version()
        steps = await steps_to_run_on(connection)
        found, newest = await version_of(connection, steps), len(steps)
        may_do_all = await is_superuser(connection)
        runs = await is_held(connection, ACCOUNT_LOCK)
        left = await connections_left(connection, ACCOUNT_LOCK)
    yield judged(
        "database", f"PostgreSQL {server.major}", is_good=server.major >= OLDEST_VERSION, do="upgrade it"
    )
    yield judged(
        "schema",
        f"version {found or 'none yet'} (this recio: {newest})",
        is_good=found in (None, newest),
        do="stop the daemon, take a backup, then recio db migrate; a newer one needs the newer recio",
        otherwise=Grade.NOTE if found and found < newest else Grade.BAD,
    )
    yield judged(
        "role",
        "is a superuser" if may_do_all else "is no superuser",
        is_good=not may_do_all,
        do="fine for recio's own PostgreSQL; give a role of its own to one that others use",
        otherwise=Grade.NOTE,
    )
    if not is_behind_pooler(pool):  # else they are the pooler's, which has a daemon wait for its turn
        yield _connections(left)
    yield good("lock", "held by a daemon, seen from another connection") if runs else await _lock(pool, dsn)


def _connections(left: ConnectionsLeft) -> Finding:
    """A daemon that finds none when it wants to sell waits for its database as if that were away."""
    others = f", {left.others} are taken by others" if left.others else ""
    own = f", and this role or database may have {left.own}" if left.own is not None else ""
    return judged(
        "connections",
        f"the server has {left.of_server} for {left.daemons} daemon{'s' if left.daemons > 1 else ''}{others}{own};"
        f" each takes up to {OF_A_DAEMON}, its commands and timers {OF_COMMANDS}",
        is_good=left.least >= OF_A_DAEMON + OF_COMMANDS,
        do="raise max_connections of the server, or the limit of role or database, or give an account another server",
        otherwise=Grade.BAD if left.least < OF_A_DAEMON else Grade.NOTE,
    )


async def _lock(pool: asyncpg.Pool[asyncpg.Record], dsn: str) -> Finding:
    held = await lock_is_really_held(pool, dsn, ACCOUNT_LOCK)
    return judged(
        "lock",
        "a lock that is taken is really held" if held else "a lock that was taken is not held",
        is_good=held,
        do="the lock goes through a pooler of transactions: database.direct_dsn must be the server's own address",
    )
