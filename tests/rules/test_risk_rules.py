"""Risk: every limit refuses by name, and what is unknown counts at its worst."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from recio.messages import OpenIntent, OpenTrades, OrderState, Restraints
from recio.rules.entry import Seen, decide
from recio.rules.risk import Approved, Refused, approve, open_cost, worst_case
from recio.sections import EntrySection, RiskSection
from recio.units import EventTicker, Money, Quantity, Ticker
from tests.builders import EVENT, NOW, account, board, book, open_trades, order, prices, trade, view

LIMITS = RiskSection()
RICH = Money(1_000_000_000)


def intent() -> OpenIntent:
    world = Seen(
        board=board(view(levels=book(2800, 3000))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        restraints=Restraints(),
    )
    outcome = decide(world, EntrySection(enabled=True), NOW).outcome
    assert isinstance(outcome, OpenIntent)
    return outcome


def refusal(
    wish: OpenIntent, trades: OpenTrades, balance: Money | None = RICH, limits: RiskSection = LIMITS
) -> str:
    answer = approve(wish, trades, balance, limits, NOW)
    assert isinstance(answer, Refused)
    return answer.limit


def test_reserves_the_worst_the_order_can_cost():
    wish = intent()
    answer = approve(wish, open_trades(), RICH, LIMITS, NOW)
    assert isinstance(answer, Approved)
    assert answer.reserved == worst_case(wish) == 3_200_000 + wish.fee_estimate


OTHER = Ticker("KXBTC15M-OTHER-00")
THREE = tuple(trade(ticker=Ticker(f"KX-{n}"), event_ticker=EventTicker(f"E{n}")) for n in range(3))


@pytest.mark.parametrize(
    ("limit", "trades"),
    [
        ("one trade per market", open_trades(trades=(trade(),))),
        ("max_entries_per_event", open_trades(entries_by_event={EVENT: 2})),
        ("max_open_trades", open_trades(trades=THREE)),
        ("max_open_cost_dollars", open_trades(trades=(trade(ticker=OTHER, entry_cost=Money(98_000_000)),))),
        ("max_daily_loss_dollars", open_trades(realised_today=Money(-50_000_000))),
    ],
)
def test_each_limit_refuses_by_its_name(limit: str, trades: OpenTrades):
    assert refusal(intent(), trades) == limit


def test_an_order_that_is_too_large_is_refused():
    limits = RiskSection(max_contracts_per_order=Decimal("9.99"))
    assert refusal(intent(), open_trades(), limits=limits) == "max_contracts_per_order"


def test_an_old_decision_is_refused():
    old = replace(intent(), decided_at=NOW - timedelta(seconds=3))
    assert refusal(old, open_trades()) == "order_deadline_seconds"


@pytest.mark.parametrize("balance", [None, Money(3_200_000)])
def test_without_the_money_for_order_and_fee_nothing_is_sent(balance: Money | None):
    assert refusal(intent(), open_trades(), balance) == "balance"


@pytest.mark.parametrize("state", [OrderState.INTENDED, OrderState.UNKNOWN, OrderState.RESTING])
def test_an_order_without_a_proven_end_counts_with_all_it_may_cost(state: OrderState):
    doubtful = order(state=state, ticker=OTHER, reserved=Money(99_000_000), quantity=Quantity(1))
    trades = open_trades(orders=(doubtful,))
    assert open_cost(trades) == 99_000_000
    assert refusal(intent(), trades) == "max_open_cost_dollars"
