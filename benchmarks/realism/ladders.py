"""The strikes of an hourly ladder whose price is open, simulated and as the tickers of August 2025 showed them; it keeps nothing."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median

import msgspec

from benchmarks.realism import figures
from benchmarks.realism.figures import Figures
from benchmarks.realism.tapes import Change, Tape
from recio.exchange_sim.engine.events import BookChanged
from recio.exchange_sim.simulation import Simulation

TICKERS = "kalshi_btcd_20250803/ticker_ws_20250803.json.gz"
OPEN_CENTS = (10.0, 90.0)
"""A strike between these prices is open; the rest of a ladder is nearly decided."""
WIDEST_CENTS = 20
"""A wider market is none."""
HOUR_MS = 3_600_000
START_MS = 1_779_000_300_000 // HOUR_MS * HOUR_MS
FILLED = "ladder, open strikes: 1 lot at the displayed ask after {} ms"
UNCHANGED = "ladder, open strikes: mid unchanged over a second"
SPREAD = "ladder, open strikes: spread, cents, mean"
GAP = "ladder: ms between moments of change of any strike, median"


class _Ticker(msgspec.Struct):
    market_ticker: str
    ts: int
    yes_bid: int
    yes_ask: int


class _Row(msgspec.Struct):
    data: _Ticker


class _File(msgspec.Struct):
    tickers: list[_Row]


def recorded(data: Path) -> list[tuple[str, float, int]]:
    """What tickers can tell, which came about once a second: by name the figure and its decimals."""
    found: dict[str, list[_Ticker]] = {}
    for row in msgspec.json.decode(gzip.decompress((data / TICKERS).read_bytes()), type=_File).tickers:
        found.setdefault(row.data.market_ticker, []).append(row.data)
    pairs = [
        (earlier, later)
        for rows in found.values()
        for earlier, later in itertools.pairwise(rows)
        if _is_open(earlier) and later.ts - earlier.ts <= 2
    ]
    spreads = [each.yes_ask - each.yes_bid for rows in found.values() for each in rows if _is_open(each)]
    unchanged = sum(a.yes_bid + a.yes_ask == b.yes_bid + b.yes_ask for a, b in pairs)
    return [(UNCHANGED, unchanged / len(pairs), 2), (SPREAD, fmean(spreads), 1)]


def simulated(*, seed: int, minutes: int) -> list[tuple[str, float, int]]:
    """So many minutes in the middle of an hourly ladder, from ten minutes after its opening."""
    sim = Simulation(
        seed=seed,
        instance=f"ladder {seed}",
        now_ms=START_MS,
        series=("KXBTCD",),
        balance=0,
        user_id="nobody",
        traders=True,
    )
    end_ms = START_MS + (10 + minutes) * 60_000
    assert sim.advance(end_ms, most_steps=10_000_000)
    changes = [each for each in sim.venue.collect() if isinstance(each, BookChanged)]
    measured = Figures(least_middle=round(100 * OPEN_CENTS[0]))
    for tape in _tapes(changes, end_ms):
        figures.add(measured, tape)
    late = sorted({each.now_ms for each in changes if each.now_ms > START_MS + 600_000})
    gaps = [later - earlier for earlier, later in itertools.pairwise(late)]
    shown = [(FILLED.format(delay), measured.fill_share(1, delay), 2) for delay in figures.DELAYS_MS]
    return [
        *shown,
        (UNCHANGED, measured.unchanged / max(1, measured.seconds), 2),
        (SPREAD, fmean(measured.spreads or [0.0]), 1),
        (GAP, median(gaps or [0]), 0),
    ]


def _tapes(changes: list[BookChanged], end_ms: int) -> Iterator[Tape]:
    """One for each strike; where it lay while the ladder filled is left out with the rest of a tape's beginning."""
    found: dict[str, list[Change]] = {}
    for each in changes:
        rows = found.setdefault(each.market.ticker, [])
        rows.append(Change(each.now_ms, each.bid, each.price, each.delta))
    for ticker, rows in found.items():
        yield Tape(ticker=ticker, close_ms=end_ms + HOUR_MS, strike=0.0, yes=None, changes=rows)


def _is_open(ticker: _Ticker) -> bool:
    middle = (ticker.yes_bid + ticker.yes_ask) / 2
    low, high = OPEN_CENTS
    return low <= middle <= high and ticker.yes_bid > 0 and ticker.yes_ask - ticker.yes_bid < WIDEST_CENTS
