"""The paper account pays what it buys and what that costs, and is paid what it sells and wins."""

from datetime import timedelta
from decimal import Decimal

from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.orders import TradeState
from recio.replay.paper import START_BALANCE, Paper
from recio.replay.playback import utc
from recio.replay.taking import Taking
from recio.rules.account.risk import Approved, Collar
from recio.units import EventTicker, Money, Price, Quantity, Side, Ticker, TradeId, money, price, quantity

NOW = utc(1_767_614_400_000_000_000)
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
    return Taking(price=price(yes_price), quantity=quantity(of))


def test_buying_no_in_two_parts_costs_their_no_prices_and_a_fee_for_each():
    paper = Paper(deadline=timedelta(seconds=2))
    order = paper.record_entry(intent(Side.NO), NOW)

    paper.answer(order, [part("0.7500", "4.00"), part("0.7000", "3.00")], "", NOW)

    (trade,) = paper.live()
    assert (trade.state, trade.held) == (TradeState.OPEN, quantity("7.00"))
    assert trade.entry_cost == money("1.900000")
    assert trade.fees == money("0.052500") + money("0.044100")
    assert paper.balance == START_BALANCE - trade.entry_cost - trade.fees
    assert paper.account(NOW).positions == {TICKER: quantity("-7.00")}


def test_an_order_under_way_reserves_its_worst_case_and_stops_at_its_answer():
    paper = Paper(deadline=timedelta(seconds=2))
    order = paper.record_entry(intent(Side.YES), NOW)

    assert [each.reserved for each in paper.open_trades(NOW).orders] == [money("3.147000")]

    paper.answer(order, [], "", NOW)

    seen = paper.open_trades(NOW)
    assert (seen.orders, seen.trades, dict(seen.entries_by_event)) == ((), (), {})
    assert seen.last_entry_at == {TICKER: NOW}
    assert paper.balance == START_BALANCE


def test_an_exit_in_two_steps_and_a_settlement_add_up_to_the_balance():
    paper = Paper(deadline=timedelta(seconds=2))
    entry = paper.record_entry(intent(Side.YES), NOW)
    paper.answer(entry, [part("0.3000", "10.00")], "", NOW)
    leave = CloseIntent(
        trade_id=TradeId(1),
        exchange_index=2,
        quantity=Quantity(1_000),
        floor=Price(2_000),
        decided_at=NOW,
        why="stop",
    )

    first = paper.record_exit(leave, NOW)
    assert first is not None
    assert paper.record_exit(leave, NOW) is None
    paper.answer(first, [part("0.2000", "4.00")], "", NOW)
    paper.settle(TICKER, Side.YES, NOW + timedelta(minutes=10))

    trade = paper.trades[TradeId(1)]
    assert (trade.state, trade.ended_by) == (TradeState.CLOSED, "settlement")
    assert (trade.exit_proceeds, trade.payout) == (money("0.800000"), money("6.000000"))
    assert trade.pnl == Money(800_000 + 6_000_000 - 3_000_000 - 147_000 - 44_800)
    assert paper.balance == START_BALANCE + trade.pnl
    assert paper.open_trades(NOW).realised_today == trade.pnl
    assert paper.open_trades(NOW + timedelta(days=1)).realised_today == 0


def test_the_losing_side_is_paid_nothing():
    paper = Paper(deadline=timedelta(seconds=2))
    paper.answer(paper.record_entry(intent(Side.YES), NOW), [part("0.3000", "10.00")], "", NOW)

    paper.settle(TICKER, Side.NO, NOW)

    assert paper.trades[TradeId(1)].pnl == Money(-3_147_000)
