"""Probabilities and the decision made of them: one cycle, a ladder by the settlement average, a ladder from a table."""

from __future__ import annotations

import heapq
import math
from decimal import Decimal

from benchmarks.figures import Figure
from benchmarks.in_process.timing import against, best_of
from recio.messages.controls import TradingControls
from recio.messages.prices import Momentum
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.pricing.average_fit import FITTED
from recio.rules.pricing.empirical import (
    COLUMNS,
    HORIZONS,
    STEP,
    Bucket,
    EmpiricalTable,
    ends_above,
    slice_at,
)
from recio.rules.pricing.model import AVERAGE, Reader
from recio.rules.pricing.settlement_average import forecast
from recio.settings.trading import EntrySection
from recio.units import Ticker
from tests.builders import NOW, account, board, book, market, minute, open_trades, price, prices, view


def measure() -> list[Figure]:
    return [average_against_normals(), decision_against_model(), tables_against_search()]


def decision_against_model() -> Figure:
    seen = EntryInputs(
        board=board(view(levels=book(4900, 5100))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    settings, cycles = EntrySection(enabled=True), 2_000
    ours = best_of(lambda: [decide(seen, settings, NOW) for _ in range(cycles)]) / cycles
    floor = best_of(lambda: [one_probability() for _ in range(cycles)]) / cycles
    return against("one cycle of entry, one strike", ours, floor, "its probability alone")


def one_probability() -> float:
    return forecast(minute(84_010.0, 600.0), 0.00007, 600.0, FITTED).above(84_000.0)


def average_against_normals() -> Figure:
    """A ladder of 200 strikes by the settlement average as a cycle asks for it, against as many calls of a normal."""
    ladder = [
        market(
            ticker=Ticker(f"KXBTCD-26NOV2312-T{84_000 + 10 * each}"), floor_strike=Decimal(84_000 + 10 * each)
        )
        for each in range(-100, 100)
    ]
    seen = price()

    def probabilities() -> None:
        reader = Reader(AVERAGE)
        for each in ladder:
            reader.probability(each, seen, NOW)

    def normals() -> None:
        for each in range(-200, 200):
            math.erfc(each / 100)

    rounds = 50
    ours = best_of(lambda: [probabilities() for _ in range(rounds)]) / rounds
    floor = best_of(lambda: [normals() for _ in range(rounds)]) / rounds
    return against("settlement-average ladder of 200", ours, floor, "400 calls of erfc")


def tables_against_search() -> Figure:
    """A ladder of 200 strikes from a table, against searching its cells for the nearest four of each strike."""
    rows = tuple(
        tuple(0.5 * (1 - column / COLUMNS) ** (1 + 3 / minute) for column in range(COLUMNS))
        for minute in range(1, HORIZONS + 1)
    )
    table = EmpiricalTable(
        digest="bench",
        symbol="BTC",
        buckets={0: Bucket(worth=(1_000.0,) * HORIZONS, samples=1_000, up=rows, down=rows)},
    )
    calm, strikes = Momentum(bp=0.0, whole=True), [84_000 + 10 * each for each in range(-100, 100)]
    cells = [
        (60 * minute, column * STEP, rows[minute - 1][column])
        for minute in range(1, 61)
        for column in range(COLUMNS)
    ]

    def ladder() -> None:
        at = slice_at(table, calm, 754.0)
        assert at is not None
        for strike in strikes:
            ends_above(at, 84_000.0, strike)

    def search() -> None:
        for strike in strikes[::40]:
            move = abs(strike / 84_000 - 1)
            near = heapq.nsmallest(
                4, cells, key=lambda cell: abs(cell[0] - 754) / 60 + abs(cell[1] - move) / STEP
            )
            sum(share for _, _, share in near)

    rounds = 50
    ours = best_of(lambda: [ladder() for _ in range(rounds)]) / rounds
    return against(
        "empirical ladder of 200 strikes", ours, best_of(search) * 40, "searching all cells for each strike"
    )
