"""The model that the config names decides, in entry and in exit, and what it does not know is a reason and no number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.prices import Momentum, PriceView
from recio.rules.decision.entry import EntryDecision, EntryInputs, decide
from recio.rules.decision.exit import NOTHING, Holds
from recio.rules.decision.exit import decide as decide_exit
from recio.rules.pricing.empirical import BUCKETS, COLUMNS, HORIZONS, Bucket, EmpiricalTable
from recio.rules.pricing.model import AVERAGE, Model, Reader
from recio.settings.trading import EntrySection, ExitSection, ModelKind
from recio.units import Side
from tests.builders import NOW, account, board, book, market, open_trades, price, prices, trade, view

WHOLE = Momentum(bp=0.0, whole=True)
AT_THE_STRIKE = replace(price(), momentum=WHOLE)


def leaning(up: float) -> Model:
    """A table by which the price ends above where it is with this probability, whatever the distance."""
    rows = tuple(tuple([up] * COLUMNS) for _ in range(HORIZONS))
    other = tuple(tuple([1 - up] * COLUMNS) for _ in range(HORIZONS))
    each = Bucket(samples=1_000, worth=(1_000.0,) * HORIZONS, up=rows, down=other)
    table = EmpiricalTable(
        digest="0123456789abcdef", symbol="BTC", buckets=dict.fromkeys(range(-BUCKETS, BUCKETS + 1), each)
    )
    return Model(kind=ModelKind.EMPIRICAL, tables={"BTC": table})


def decided(model: Model, spot: PriceView = AT_THE_STRIKE) -> EntryDecision:
    seen = EntryInputs(
        board=board(view(levels=book(4900, 5100))),
        prices=prices(spot),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    return decide(seen, EntrySection(enabled=True), NOW, model)


@pytest.mark.parametrize(("up", "side"), [(0.8, Side.YES), (0.2, Side.NO)])
def test_entry_buys_the_side_that_the_configured_tables_favour_and_says_by_which(up: float, side: Side):
    outcome = decided(leaning(up)).outcome
    assert isinstance(outcome, OpenIntent)
    assert (outcome.side, outcome.inputs["model"]) == (side, "empirical 0123456789ab")
    assert outcome.probability == pytest.approx(0.8)


def test_the_settlement_average_asks_for_no_momentum():
    unknown = replace(AT_THE_STRIKE, momentum=None)
    assert decided(AVERAGE, unknown).assessments.strikes[0].probability is not None


@pytest.mark.parametrize(
    ("model", "momentum", "word"),
    [
        (leaning(0.8), None, "momentum is not known yet"),
        (leaning(0.8), Momentum(bp=1.0, whole=False), "momentum is not known yet"),
        (Model(kind=ModelKind.EMPIRICAL), WHOLE, "no empirical model of BTC"),
    ],
)
def test_what_the_tables_cannot_say_is_a_reason_and_no_trade(
    model: Model, momentum: Momentum | None, word: str
):
    found = decided(model, replace(AT_THE_STRIKE, momentum=momentum))
    assert found.assessments.strikes[0].probability is None
    assert word in found.assessments.verdict
    assert not isinstance(found.outcome, OpenIntent)


@pytest.mark.parametrize(("up", "sells"), [(0.1, True), (0.8, False)])
def test_the_stop_is_judged_by_the_same_model(up: float, sells: bool):
    held = trade(side=Side.YES)
    outcome = decide_exit(
        held,
        board(),
        prices(AT_THE_STRIKE),
        NOTHING,
        ExitSection(stop_probability=0.25),
        NOW,
        model=leaning(up),
    )
    assert isinstance(outcome.outcome, CloseIntent if sells else Holds)


def test_a_ladder_reads_its_table_once():
    reader = Reader(leaning(0.8))
    for _ in range(3):
        reader.probability(market(), AT_THE_STRIKE, NOW)
    assert len(reader.slices) == 1


def test_an_entry_on_a_stretched_table_is_recorded_with_what_was_stretched():
    ran = replace(price(), momentum=Momentum(bp=44.0, whole=True))
    stretched, plain = decided(leaning(0.8), ran).outcome, decided(leaning(0.8)).outcome
    assert isinstance(stretched, OpenIntent)
    assert isinstance(plain, OpenIntent)
    assert (stretched.inputs["stretched"], plain.inputs["stretched"]) == ("momentum +44.0 counts as +30", "")
