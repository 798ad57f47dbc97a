"""An account on paper pays what it buys and what that costs, is paid what it sells and wins, and counts as rows do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from recio.messages.controls import LowerLimit, TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.orders import PlaceOrder, TradeState
from recio.paper.account import Account
from recio.paper.engine import Engine, on_paper
from recio.paper.matching import Answer, Taking
from recio.rules.account.risk import Approved, Collar
from recio.rules.decision.strategy import Strategy
from recio.rules.pricing.fees import taker_fee
from recio.settings.risk import RiskSection
from recio.units import (
    ONE_DOLLAR,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    money,
    price,
    quantity,
)
from tests.builders import NOW, account, board, book, market, view

DEADLINE = timedelta(seconds=2)
TICKER = Ticker("KX-A-1")


def intent(side: Side) -> Approved:
    intent = OpenIntent(
        strategy="average",
        ticker=TICKER,
        event_ticker=EventTicker("KX-A"),
        exchange_index=2,
        side=side,
        quantity=quantity("10.00"),
        limit=price("0.3000"),
        probability=0.55,
        fee_estimate=money("0.147000"),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="a test",
        inputs={"probability": "0.5"},
    )
    return Approved(
        intent=intent,
        reserved=money("3.147000"),
        collar=Collar(ask=price("0.3000"), model_value=Decimal("0.55")),
    )


def part(yes_price: str, of: str) -> Taking:
    at, many = price(yes_price), quantity(of)
    return Taking(price=at, quantity=many, fee=taker_fee(at, many, Decimal(1)))


def bought(account: Account, side: Side, *parts: Taking) -> PlaceOrder:
    order = account.record_entry(TradeId(1), intent(side), NOW, DEADLINE)
    account.answer(order, Answer(got=parts), NOW)
    return order


def test_buying_no_in_two_parts_costs_their_no_prices_and_a_fee_for_each():
    account = Account()

    bought(account, Side.NO, part("0.7500", "4.00"), part("0.7000", "3.00"))

    (trade,) = account.open_trades(NOW).trades
    assert (trade.state, trade.held) == (TradeState.OPEN, quantity("7.00"))
    assert trade.entry_cost == money("1.900000")
    assert trade.fees == money("0.052500") + money("0.044100")


def test_an_order_under_way_reserves_its_worst_case_and_stops_at_its_answer():
    account = Account()
    order = account.record_entry(TradeId(1), intent(Side.YES), NOW, DEADLINE)

    assert [each.reserved for each in account.open_trades(NOW).orders] == [money("3.147000")]

    account.answer(order, Answer(note="nothing was there"), NOW)

    seen = account.open_trades(NOW)
    assert (seen.orders, seen.trades, dict(seen.entries_by_event)) == ((), (), {})
    assert seen.last_entry_at == {TICKER: NOW}


def leave() -> CloseIntent:
    return CloseIntent(
        trade_id=TradeId(1),
        exchange_index=2,
        quantity=Quantity(1_000),
        floor=Price(2_000),
        decided_at=NOW,
        why="stop",
    )


def test_an_exit_in_two_steps_and_a_settlement_add_up():
    account = Account()
    bought(account, Side.YES, part("0.3000", "10.00"))

    first = account.record_exit(leave(), NOW, DEADLINE)
    assert first is not None
    assert account.record_exit(leave(), NOW, DEADLINE) is None
    account.answer(first, Answer(got=(part("0.2000", "4.00"),)), NOW)
    (trade,) = account.settle(TICKER, ONE_DOLLAR, NOW + timedelta(minutes=10))

    assert (trade.state, trade.ended_by) == (TradeState.CLOSED, "settlement")
    assert (trade.exit_proceeds, trade.payout) == (money("0.800000"), money("6.000000"))
    assert trade.pnl == Money(800_000 + 6_000_000 - 3_000_000 - 147_000 - 44_800)
    seen = account.open_trades(NOW + timedelta(minutes=10))
    assert (seen.realised_today, seen.wins_today, seen.losses_in_a_row) == (trade.pnl, 1, 0)
    assert account.open_trades(NOW + timedelta(days=1)).realised_today == 0


def test_the_losing_side_is_paid_nothing_and_is_a_loss():
    account = Account()
    bought(account, Side.YES, part("0.3000", "10.00"))

    (trade,) = account.settle(TICKER, Price(0), NOW)

    assert trade.pnl == Money(-3_147_000)
    assert account.open_trades(NOW).losses_in_a_row == 1


@pytest.mark.parametrize(("side", "payout"), [(Side.YES, "3.275000"), (Side.NO, "6.725000")])
def test_where_neither_side_won_each_contract_is_paid_its_value(side: Side, payout: str):
    account = Account()
    bought(account, side, part("0.3000" if side is Side.YES else "0.7000", "10.00"))

    (trade,) = account.settle(TICKER, price("0.3275"), NOW)

    assert (trade.state, trade.payout) == (TradeState.CLOSED, money(payout))
    assert account.held.trades == {}


def test_what_the_gates_look_at_is_the_same_object_for_as_long_as_it_says_the_same():
    account = Account()
    bought(account, Side.YES, part("0.3000", "10.00"))
    first = account.open_trades(NOW)
    assert account.open_trades(NOW + timedelta(seconds=59)) is first
    # Its order is no longer one of the last minute, and nobody had to say so.
    after = account.open_trades(NOW + timedelta(seconds=60))
    assert (first.orders_last_minute, after.orders_last_minute) == (1, 0)
    assert account.open_trades(NOW + timedelta(minutes=5)) is after


def test_what_no_gate_counts_any_more_is_not_kept():
    account = Account()
    for number in range(1, 300):
        at = NOW + timedelta(hours=number)
        approved = intent(Side.YES)
        one = replace(
            approved.intent,
            ticker=Ticker(f"KX-{number}-1"),
            event_ticker=EventTicker(f"KX-{number}"),
            decided_at=at,
            closes_at=at + timedelta(minutes=10),
        )
        order = account.record_entry(TradeId(number), replace(approved, intent=one), at, DEADLINE)
        account.answer(order, Answer(got=(part("0.3000", "1.00"),)), at)
        account.settle(one.ticker, ONE_DOLLAR, one.closes_at)
    held = account.held
    kept = (held.trades, held.orders, held.recent_trades, held.recent_orders, held.days, held.events)
    assert max(len(each) for each in (*kept, held.markets, held.sent)) <= 3


def test_only_an_exit_that_met_a_book_counts_as_one_whatever_it_got():
    account = Account()
    bought(account, Side.YES, part("0.3000", "10.00"))
    for answer, met in (
        (Answer(is_refused=True), 0),
        (Answer(note="nobody there"), 1),
        (Answer(got=(part("0.2000", "1.00"),)), 2),
    ):
        intended = CloseIntent(
            trade_id=TradeId(1),
            exchange_index=2,
            quantity=quantity("10.00"),
            floor=price("0.1000"),
            decided_at=NOW,
            why="a test",
        )
        order = account.record_exit(intended, NOW, DEADLINE)
        assert order is not None
        assert account.answer(order, answer, NOW).exits_met == met


@pytest.mark.parametrize(("closes_after_ms", "bought"), [(90, 0), (150, 1_000)])
def test_an_order_that_was_there_before_the_close_is_filled_though_that_is_heard_of_after_it(
    closes_after_ms: int, bought: int
):
    """100 ms to the venue, 80 more until the book of that moment is seen here."""
    closes = NOW + timedelta(milliseconds=closes_after_ms)
    offered = market(ticker=TICKER, event_ticker="KX-A", close_time=closes)
    engine = Engine(
        strategies=(on_paper(Strategy(name="average")),),
        limits=RiskSection(),
        board=board(view(offered, book(bid=2_000, ask=3_000))),
    )
    wanted = replace(intent(Side.YES).intent, closes_at=closes)
    assert engine.want(wanted, account(), NOW) == ""
    engine.arrive(NOW + timedelta(milliseconds=179))
    assert engine.happened == []
    engine.arrive(NOW + timedelta(milliseconds=180))
    (done,) = engine.happened
    assert done.trade.entry_quantity == bought


@pytest.mark.parametrize(
    ("cuts", "second"),
    [((), ""), ((LowerLimit(name="max_open_trades", amount=Decimal(1)),), "1 trade is open")],
)
def test_an_order_on_paper_is_held_by_a_limit_that_was_lowered_as_a_row_of_the_database_is(
    cuts: tuple[LowerLimit, ...], second: str
):
    first = intent(Side.YES).intent
    other = replace(first, ticker=Ticker("KX-B-1"), event_ticker=EventTicker("KX-B"))
    offered = [market(ticker=each.ticker, event_ticker=each.event_ticker) for each in (first, other)]
    engine = Engine(
        strategies=(on_paper(Strategy(name="average")),),
        limits=RiskSection(),
        board=board(*(view(each, book(bid=2_000, ask=3_000)) for each in offered)),
    )
    controls = TradingControls(lowered=cuts)
    assert engine.want(first, account(), NOW, controls) == ""
    assert engine.want(other, account(), NOW, controls) == second
