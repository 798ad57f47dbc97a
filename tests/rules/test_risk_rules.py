"""Risk: every limit refuses by name, and what is unknown counts at its worst."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.orders import OpenTrades, OrderPurpose, OrderState
from recio.rules.account.lifecycle import RECENT
from recio.rules.account.risk import Approved, Denied, Exposure, approve, open_cost, worst_case
from recio.rules.decision.entry import EntryInputs, decide
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection
from recio.units import ClientOrderId, EventTicker, Money, Price, Quantity, Ticker, TradeId
from tests.builders import EVENT, NOW, account, board, book, open_trades, order, prices, trade, view

LIMITS = RiskSection()


def intent() -> OpenIntent:
    world = EntryInputs(
        board=board(view(levels=book(2800, 3000))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    outcome = decide(world, EntrySection(enabled=True), NOW).outcome
    assert isinstance(outcome, OpenIntent)
    return outcome


ASK = Price(3000)


def exposure(trades: OpenTrades, of: AccountView | None = None, ask: Price | None = ASK) -> Exposure:
    return Exposure(trades=trades, account=of or account(), ask=ask)


def refusal(wanted: OpenIntent, seen: Exposure, limits: RiskSection = LIMITS) -> str:
    answer = approve(wanted, seen, limits, NOW)
    assert isinstance(answer, Denied)
    return answer.limit


def test_reserves_the_worst_the_order_can_cost():
    wanted = intent()
    answer = approve(wanted, exposure(open_trades()), LIMITS, NOW)
    assert isinstance(answer, Approved)
    assert answer.reserved == worst_case(wanted) == 3_200_000 + wanted.fee_estimate


OTHER = Ticker("KXBTC15M-OTHER-00")
SIBLING = Ticker(f"{EVENT}-30")
THREE = tuple(trade(ticker=Ticker(f"KX-{n}"), event_ticker=EventTicker(f"E{n}")) for n in range(3))
COSTLY = trade(ticker=OTHER, event_ticker=EventTicker("E"), entry_cost=Money(98_000_000))


@pytest.mark.parametrize(
    ("limit", "trades"),
    [
        ("one trade per market", open_trades(trades=(trade(),))),
        ("max_entries_per_event", open_trades(entries_by_event={EVENT: 2})),
        (
            "max_event_cost_dollars",
            open_trades(trades=(trade(ticker=SIBLING, entry_cost=Money(57_000_000)),)),
        ),
        ("max_open_trades", open_trades(trades=THREE)),
        ("max_open_cost_dollars", open_trades(trades=(COSTLY,))),
        ("max_daily_loss_dollars", open_trades(realised_today=Money(-50_000_000))),
        ("max_orders_per_minute", open_trades(orders_last_minute=30)),
        ("max_consecutive_losses", open_trades(losses_in_a_row=8)),
        (
            "refused by the venue",
            open_trades(recent_orders=(order(state=OrderState.REJECTED, note="rejected: invalid_order"),)),
        ),
    ],
)
def test_each_limit_refuses_by_its_name(limit: str, trades: OpenTrades):
    assert refusal(intent(), exposure(trades)) == limit


@pytest.mark.parametrize(
    ("name", "limit"), [("max_contracts_per_order", "9.99"), ("max_contracts_per_strike", "9.99")]
)
def test_an_order_that_is_too_large_is_refused(name: str, limit: str):
    limits = RiskSection.model_validate({name: Decimal(limit)})
    assert refusal(intent(), exposure(open_trades()), limits) == name


def test_a_market_in_which_a_person_holds_or_rests_something_is_left_alone():
    here = intent().ticker
    holds = account(positions={here: Quantity(-5)}, external=(here,), external_cost={here: Money(1)})
    rests = account(external_cost={here: Money(1)}, external_orders=1)
    for by_hand, said in ((holds, "a position of -0.05"), (rests, "an order at rest")):
        answer = approve(intent(), exposure(open_trades(), by_hand), LIMITS, NOW)
        assert isinstance(answer, Denied)
        assert (answer.limit, said in answer.reason) == ("made externally", True)
    elsewhere = account(positions={OTHER: Quantity(-5)}, external=(OTHER,), external_cost={OTHER: Money(1)})
    assert isinstance(approve(intent(), exposure(open_trades(), elsewhere), LIMITS, NOW), Approved)


@pytest.mark.parametrize(
    ("ticker", "cost", "limit"),
    [(SIBLING, 57, "max_event_cost_dollars"), (OTHER, 97, "max_open_cost_dollars")],
)
def test_what_was_made_externally_counts_against_its_event_and_the_whole(
    ticker: Ticker, cost: int, limit: str
):
    by_hand = account(external_cost={ticker: Money(cost * 1_000_000)})
    assert refusal(intent(), exposure(open_trades(), by_hand)) == limit


def test_nothing_is_opened_whose_loss_could_exceed_the_days_limit():
    reserved = worst_case(intent())
    held = trade(
        ticker=OTHER, event_ticker=EventTicker("E"), entry_cost=Money(20_000_000), fees=Money(500_000)
    )
    just_fits = -(50_000_000 - 20_500_000 - reserved)
    trades = open_trades(trades=(held,), realised_today=Money(just_fits - 1))
    assert refusal(intent(), exposure(trades)) == "max_daily_loss_dollars"
    fits = replace(trades, realised_today=Money(just_fits))
    assert isinstance(approve(intent(), exposure(fits), LIMITS, NOW), Approved)


def test_a_gain_of_today_allows_no_larger_loss_because_what_is_open_may_end_tomorrow():
    held = trade(ticker=OTHER, event_ticker=EventTicker("E"), entry_cost=Money(48_000_000))
    rich = open_trades(trades=(held,), realised_today=Money(40_000_000))
    assert refusal(intent(), exposure(rich)) == "max_daily_loss_dollars"


def test_an_old_decision_is_refused():
    old = replace(intent(), decided_at=NOW - timedelta(seconds=3))
    assert refusal(old, exposure(open_trades())) == "max_send_delay_seconds"


@pytest.mark.parametrize(
    ("ask", "probability", "approved"),
    [(3000, 0.34, True), (2699, 0.34, False), (2700, 0.34, True), (3000, 0.269, False), (None, 0.34, False)],
)
def test_a_price_is_held_against_the_ask_of_this_moment_and_the_models_worth(
    ask: int | None, probability: float, approved: bool
):
    wanted = replace(intent(), limit=Price(3200), probability=probability)
    answer = approve(wanted, exposure(open_trades(), ask=None if ask is None else Price(ask)), LIMITS, NOW)
    assert isinstance(answer, Approved) is approved
    assert approved or (isinstance(answer, Denied) and answer.limit == "price_collar_dollars")


@pytest.mark.parametrize(
    ("ask", "probability", "says"),
    [
        (3600, 0.99, "0.9900 is too far above the ask 0.3600"),
        (9800, 0.5, "0.9900 is too far above the model's 0.5000"),
    ],
)
def test_a_price_that_is_too_far_is_told_with_the_bound_that_binds(ask: int, probability: float, says: str):
    """A person's own limit stands where a model's probability would."""
    wanted = replace(intent(), limit=Price(9900), probability=probability)
    answer = approve(wanted, exposure(open_trades(), ask=Price(ask)), LIMITS, NOW)
    assert isinstance(answer, Denied)
    assert answer.reason == says


def test_without_the_money_for_order_and_fee_nothing_is_sent():
    assert refusal(intent(), exposure(open_trades(), account(3_200_000))) == "balance"
    nobody_asked = Exposure(trades=open_trades(), account=None, ask=ASK)
    assert refusal(intent(), nobody_asked) == "balance"


def test_money_that_the_venue_may_not_have_counted_yet_is_not_spent_twice():
    later = order(ticker=OTHER, state=OrderState.CANCELLED, created_at=NOW, reserved=Money(5_000_000))
    earlier = replace(later, created_at=NOW - timedelta(seconds=20))
    poor = account(8_000_000, reconciled_at=NOW - timedelta(seconds=10))
    assert refusal(intent(), exposure(open_trades(recent_orders=(later,)), poor)) == "balance"
    counted = approve(intent(), exposure(open_trades(recent_orders=(earlier,)), poor), LIMITS, NOW)
    assert isinstance(counted, Approved)


def test_an_entry_that_ended_after_the_balance_was_read_is_not_in_it_whenever_the_comparison_ended():
    read_at, made = NOW - timedelta(seconds=10), NOW - timedelta(seconds=11)
    bought = order(ticker=OTHER, state=OrderState.FILLED, created_at=made, reserved=Money(5_000_000))
    late = replace(bought, ended_at=read_at + timedelta(seconds=1))
    early = replace(bought, ended_at=read_at)
    poor = account(8_000_000, reconciled_at=NOW, balance_at=read_at)
    assert refusal(intent(), exposure(open_trades(recent_orders=(late,)), poor)) == "balance"
    counted = approve(intent(), exposure(open_trades(recent_orders=(early,)), poor), LIMITS, NOW)
    assert isinstance(counted, Approved)


def test_with_more_orders_since_the_balance_than_are_held_nothing_is_known_of_what_is_left():
    read_at = NOW - timedelta(seconds=10)
    exits = tuple(
        order(client_order_id=ClientOrderId(f"o-{nth}"), purpose=OrderPurpose.EXIT, state=OrderState.FILLED)
        for nth in range(RECENT)
    )
    rich = account(balance_at=read_at)
    assert refusal(intent(), exposure(open_trades(recent_orders=exits), rich)) == "balance"
    one_older = (*exits[1:], replace(exits[0], created_at=read_at))
    assert isinstance(
        approve(intent(), exposure(open_trades(recent_orders=one_older), rich), LIMITS, NOW), Approved
    )


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.UNKNOWN, OrderState.RESTING])
def test_an_order_without_a_proven_end_counts_with_all_it_may_cost(state: OrderState):
    unresolved = order(state=state, ticker=OTHER, reserved=Money(99_000_000), quantity=Quantity(1))
    seen = exposure(open_trades(orders=(unresolved,)))
    assert open_cost(seen) == 99_000_000
    assert refusal(intent(), seen) == "max_open_cost_dollars"


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.UNKNOWN, OrderState.RESTING])
def test_an_order_that_may_still_fill_is_spoken_for_however_long_before_the_balance_it_was_made(
    state: OrderState,
):
    """$7.00 at the venue, of which an order of the day before may still take $5.37."""
    old = order(state=state, ticker=OTHER, created_at=NOW - timedelta(hours=9))
    read_since = account(balance=7_000_000, balance_at=NOW - timedelta(seconds=2))
    wanted = intent()
    held = exposure(open_trades(orders=(old,)), of=read_since)
    assert refusal(wanted, held) == "balance"
    proven = replace(old, state=OrderState.CANCELLED, ended_at=NOW - timedelta(hours=9))
    assert isinstance(
        approve(wanted, exposure(open_trades(orders=(proven,)), of=read_since), LIMITS, NOW), Approved
    )


def test_an_order_counts_once_whether_it_is_held_as_recent_as_live_or_as_both():
    unknown = order(state=OrderState.UNKNOWN, ticker=OTHER)
    enough_for_both = account(balance=unknown.reserved + worst_case(intent()), balance_at=NOW)
    for trades in (
        open_trades(orders=(unknown,)),
        open_trades(recent_orders=(unknown,)),
        open_trades(orders=(unknown,), recent_orders=(unknown,)),
    ):
        assert isinstance(approve(intent(), exposure(trades, of=enough_for_both), LIMITS, NOW), Approved)
        less = replace(enough_for_both, balance=Money(enough_for_both.balance - 1))
        assert refusal(intent(), exposure(trades, of=less)) == "balance"


def test_what_a_part_sold_trade_still_costs_is_less_what_was_sold_for_good():
    part_sold = trade(
        ticker=OTHER, entry_cost=Money(6_300_000), fees=Money(100_000), exit_proceeds=Money(2_400_000)
    )
    assert open_cost(exposure(open_trades(trades=(part_sold,)))) == 4_000_000
    sold_with_a_gain = replace(part_sold, trade_id=TradeId(2), exit_proceeds=Money(9_000_000))
    assert open_cost(exposure(open_trades(trades=(part_sold, sold_with_a_gain)))) == 4_000_000
