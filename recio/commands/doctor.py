"""`recio doctor`: looks at everything that money needs, one line for each, with what to do; it trades nothing and changes nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from recio.commands import examine_host, examine_machine, examine_venue
from recio.commands.event_loop import to_the_end
from recio.commands.finding import Finding, Grade, tell
from recio.commands.installation import OF_THE_UNIT
from recio.commands.market_clock import DEMO_EXCHANGE
from recio.commands.options import DEFAULT_CONFIG
from recio.daemon import data_dir
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.settings.config import Config, load
from recio.settings.venue import Environment

Examine = Callable[[Config], AsyncIterator[Finding]]
EXAMINATIONS: tuple[tuple[str, Examine], ...] = (
    ("files", examine_machine.files),
    ("machine", examine_machine.machine),
    ("host", examine_host.host),
    ("alerts", examine_machine.channels),
    ("database", examine_machine.database),
    ("venue", examine_venue.venue),
    ("prices", examine_venue.price_sources),
)


OF_A_VENUE = frozenset({"venue", "prices"})
"""What needs somebody to ask."""
NO_EXCHANGE = (
    "no exchange is named (kalshi.credentials_dir), and no demo has one in data_dir: no venue was asked"
)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_CONFIG} here, or {OF_THE_UNIT}"
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    path = options.config or next(
        (each for each in (Path(DEFAULT_CONFIG), OF_THE_UNIT) if each.exists()), None
    )
    if path is None:
        raise BadConfig(f"there is neither {DEFAULT_CONFIG} here nor {OF_THE_UNIT}: say --config FILE")
    config = beside_a_demo(load(path))
    return to_the_end(lambda: examine(config, as_json=options.json), lambda: "nothing was changed")


def beside_a_demo(config: Config) -> Config:
    """A demo's config names no exchange, for it brings its own: the one that it left in data_dir."""
    folder = data_dir.place_of(config) / DEMO_EXCHANGE
    if _has_venue(config) or not (folder / "credentials.json").exists():
        return config
    kalshi = config.kalshi.model_copy(update={"credentials_dir": str(folder)})
    return config.model_copy(update={"kalshi": kalshi})


def _has_venue(config: Config) -> bool:
    return config.kalshi.environment is not Environment.SIM or config.kalshi.credentials_dir != ""


async def _no_exchange(_config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """One finding in place of one from each look that would have asked it."""
    do = "recio demo, or recio exchange --credentials DIR and kalshi.credentials_dir = that folder"
    yield Finding(name="exchange", grade=Grade.NOTE, says=NO_EXCHANGE, do=do)


def _looks(config: Config) -> tuple[tuple[str, Examine], ...]:
    if _has_venue(config):
        return EXAMINATIONS
    asked = tuple((name, look) for name, look in EXAMINATIONS if name not in OF_A_VENUE)
    return (*asked, ("exchange", _no_exchange))


async def examine(config: Config, *, as_json: bool) -> ExitCode:
    """78 where something is wrong that costs money; 0 where there is at most something to note."""
    found: list[Finding] = []
    for name, look in _looks(config):
        async for each in _guarded(name, look, config):
            found.append(each)
            if not as_json:
                tell(each)
    bad = [each for each in found if each.grade is Grade.BAD]
    if as_json:
        print(json.dumps([each.row() for each in found]))
    else:
        print(
            f"{len(found)} looked at, {len(bad)} bad"
            + (": " + ", ".join(each.name for each in bad) if bad else "")
        )
    return ExitCode.CONFIG if bad else ExitCode.OK


async def _guarded(name: str, look: Examine, config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """What one look breaks on is a finding, and the others go on."""
    try:
        async for each in look(config):
            yield each
    except (Fatal, Transient, OSError) as error:
        yield Finding(name=name, grade=Grade.BAD, says=str(error), do="mend that, then look again")
