"""`python -m tests.recording.every_session`: the daemon lives through each recorded session, and its decisions are made again.

Real processes: the exchange plays the session, the daemon trades it, is killed with -9 in the middle and started again.
What the daemon recorded is decided again and must come out the same to the last bit. The sessions lie in RECIO_DATA.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio

from recio.replay.decisions import as_json, decide_again
from tests.faults.proof_reports import PROOF, commit, write
from tests.stories.world import World, a_world, until

SESSIONS = "kalshi_btc15m_ws_dev"
SPEED = 15.0
ENDS_WITHIN = 300.0
"""Host seconds for the longest session, its last settlement included."""
SETTLED_OR_HELD = (0, 75)
"""An exchange that has ended is a passing fault for the daemon that is asked to stop."""


@dataclass(slots=True, kw_only=True)
class Lived:
    """What came of one session."""

    session: str
    entry_cycles: int = 0
    exit_cycles: int = 0
    intents: int = 0
    different: int = 0
    lost: int = 0
    orders: int = 0
    trades: int = 0
    killed_after_seconds: float = 0.0
    differences: list[Any] = field(default_factory=list[Any])
    faults: list[str] = field(default_factory=list[str])


async def lived_through(folder: Path) -> Lived:
    lived = Lived(session=folder.name, killed_after_seconds=round(_minutes(folder) * 30 / SPEED, 1))
    with a_world() as world:
        world.speed = SPEED
        await world.start_exchange("--recording", str(folder), "--exit-at-end", align=False)
        world.start_daemon()
        await anyio.sleep(lived.killed_after_seconds)
        world.kill()
        world.start_daemon()
        await until(lambda: world.exchange is not None and world.exchange.poll() is not None, ENDS_WITHIN)
        ended = world.stop()
        if ended not in SETTLED_OR_HELD:
            lived.faults.append(f"asked to stop it ended with {ended}: {world.log()[-400:]!r}")
        await _compare(world, lived)
    return lived


async def _compare(world: World, lived: Lived) -> None:
    found = as_json(decide_again([world.root / "data" / "recording"], None))
    for name in ("entry_cycles", "exit_cycles", "intents", "different", "lost", "differences"):
        setattr(lived, name, found[name])
    [counted] = await world.rows(
        "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM trades) AS trades"
    )
    lived.orders, lived.trades = counted["orders"], counted["trades"]
    if lived.different:
        lived.faults.append(f"{lived.different} decisions come out otherwise")
    if not lived.entry_cycles:
        lived.faults.append("nothing was decided")


def _minutes(folder: Path) -> float:
    with gzip.open(folder / "kalshi_ws.jsonl.gz", "rt", encoding="utf-8") as lines:
        received = [json.loads(line)["recv_ns"] for line in lines]
    return (received[-1] - received[0]) / 60e9


def _has_prices(folder: Path) -> bool:
    """Without the prices of its minutes a session is a market in which nothing can be decided but to wait."""
    path = folder / "coinbase_matches.csv.gz"
    if not path.exists():
        return False
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return next(csv.DictReader(rows), None) is not None


async def live_through_all(folders: list[Path]) -> list[Lived]:
    every: list[Lived] = []
    for folder in folders:
        lived = await lived_through(folder)
        every.append(lived)
        sys.stdout.write(json.dumps({**asdict(lived), "differences": lived.differences[:1]}) + "\n")
        sys.stdout.flush()
    return every


def report(every: list[Lived], with_prices: int, seconds: float) -> dict[str, Any]:
    names = ("entry_cycles", "exit_cycles", "intents", "orders", "trades", "different", "lost")
    return {
        "commit": commit(),
        "seconds": round(seconds),
        "sessions": len(every),
        "with_prices": with_prices,
        **{name: sum(getattr(each, name) for each in every) for name in names},
        "faults": [f"{each.session}: {fault}" for each in every for fault in each.faults],
        "by_session": [asdict(each) for each in every],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="sessions whose name has this text")
    parser.add_argument("--report", type=Path, default=PROOF / "every-session.json")
    options = parser.parse_args()
    root = Path(os.environ.get("RECIO_DATA", "")) / SESSIONS
    folders = sorted(each for each in root.glob("*/") if options.only in each.name)
    if not folders:
        sys.exit(f"no recorded session in {root}: set RECIO_DATA to the folder that holds {SESSIONS}")
    began = time.monotonic()
    every = anyio.run(live_through_all, folders)
    found = report(every, sum(_has_prices(each) for each in folders), time.monotonic() - began)
    write(options.report, found)
    sys.exit(1 if found["faults"] else 0)


if __name__ == "__main__":
    main()
