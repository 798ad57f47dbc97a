"""`python -m benchmarks.realism`: prints how like the recordings in RECIO_DATA the simulated market is; it writes nothing.

The recordings stay where they are; where there are none, their column is empty and the table says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.realism import figures, ladders, naive_taker, recorded, simulated
from benchmarks.realism.naive_taker import Takings
from benchmarks.realism.tapes import Tape

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RECIO_DATA", ROOT.parent / "shared" / "data"))
Column = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realism")
    parser.add_argument("--windows", type=int, default=24, help="simulated windows of 15 minutes")
    parser.add_argument("--ladder-minutes", type=int, default=20, help="of a simulated hourly ladder")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    here = _column(simulated.tapes(seed=options.seed, windows=options.windows), [])
    here |= _texts(ladders.simulated(seed=options.seed, minutes=options.ladder_minutes))
    there: Column = {}
    if (DATA / recorded.SESSIONS).is_dir():
        there = _column(recorded.tapes(DATA), list(recorded.public_takes(DATA)))
        there |= _texts(ladders.recorded(DATA))
    else:
        sys.stderr.write(f"no recordings in {DATA}: set RECIO_DATA for the column beside\n")
    sys.stdout.write(_table(here, there))


def _column(tapes: Iterator[Tape], trades: list[Tape]) -> Column:
    """Every figure as text. `trades` are markets of which nothing but trades is known."""
    measured, takings = figures.Figures(), Takings()
    for tape in tapes:
        figures.add(measured, tape)
        naive_taker.add(takings, tape)
    for tape in trades:
        figures.add_orders(measured, tape)
    shown = _texts(figures.summary(measured))
    for name, groups in (
        ("naive taker, cents a contract held to the result", takings.by_window),
        ("naive taker, cents against the mid 10 s later", takings.marked),
    ):
        found = naive_taker.interval(groups)
        shown[name] = f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"
    shown["naive taker, trades in windows"] = f"{takings.trades()} in {len(takings.windows)}"
    return shown


def _texts(rows: list[tuple[str, float, int]]) -> Column:
    return {name: f"{value:.{digits}f}" for name, value, digits in rows}


def _table(here: Column, there: Column) -> str:
    rows = [("", "recorded", "simulated")]
    rows += [(name, there.get(name, "-"), value) for name, value in here.items()]
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
