"""Strategies keep apart what they may spend; a shadow gets what stood there and not a contract more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace as replace_in

from recio.messages.controls import LowerLimit, Switch, SwitchedOff, TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.orders import OpenTrades, OrderPurpose, OrderState
from recio.paper.rows import PaperTrade, account_of
from recio.rules.account import risk
from recio.rules.account.exposure import cost_of
from recio.rules.decision.cycles import EntryLook, inputs_of, of_entry
from recio.rules.decision.entry import EntryInputs, Waits
from recio.rules.decision.strategy import Strategy, named
from recio.settings.risk import RiskSection
from recio.settings.strategies import DEFAULT, Stage
from recio.settings.trading import EntrySection, ExitSection
from recio.units import Money, Price, Quantity, Side, Ticker, TradeId, money
from tests.builders import (
    EVENT,
    NOW,
    TICKER,
    account,
    board,
    book,
    open_trades,
    order,
    price,
    prices,
    section,
    trade,
    view,
)

OTHER = Ticker("KXBTC15M-26NOV230730-30")
CALM = Strategy(name="calm", entry=EntrySection(enabled=True), budget=money("12"))


def intent(**changes: object) -> OpenIntent:
    usual = OpenIntent(
        strategy="calm",
        ticker=OTHER,
        event_ticker=EVENT,
        exchange_index=2,
        side=Side.YES,
        quantity=Quantity(1_000),
        limit=Price(5_300),
        probability=0.58,
        fee_estimate=Money(180_000),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="a test",
        inputs={},
    )
    return replace(usual, **changes)


def test_a_trade_is_sold_by_the_rules_of_its_strategy_and_an_unknown_one_by_the_common_ones():
    common = Strategy(stage=Stage.OFF)
    assert named((common, CALM), "calm") is CALM
    assert named((common, CALM), "gone") is common


def test_a_budget_counts_what_its_own_strategy_has_open_and_on_its_way_and_nothing_else():
    trades = open_trades(
        trades=(
            trade(
                trade_id=TradeId(1),
                strategy="calm",
                entry_cost=Money(5_000_000),
                exit_proceeds=Money(1_000_000),
            ),
            trade(trade_id=TradeId(2), strategy="bold", entry_cost=Money(9_000_000), exit_proceeds=Money(0)),
        ),
        orders=(
            order(
                trade_id=TradeId(1),
                purpose=OrderPurpose.ENTRY,
                state=OrderState.UNKNOWN,
                reserved=Money(700_000),
            ),
            order(
                trade_id=TradeId(2),
                purpose=OrderPurpose.ENTRY,
                state=OrderState.UNKNOWN,
                reserved=Money(900_000),
            ),
        ),
    )
    assert cost_of("calm", trades) == 4_874_800
    assert cost_of("bold", trades) == 10_074_800
    assert cost_of("new", trades) == 0


def test_a_strategy_buys_nothing_that_its_own_exit_would_sell_whatever_the_common_one_says():
    touchy = Strategy(
        name="touchy",
        entry=EntrySection(enabled=True),
        exit=section(ExitSection, stop_probability=0.99),
    )
    seen = EntryInputs(
        board=board(view(levels=book(2_800, 3_000))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    _, said = of_entry(seen, touchy, RiskSection(), NOW)
    assert isinstance(said, Waits)
    assert said.gate == "own exit"
    off = SwitchedOff(switch=Switch.EXIT, since=NOW, by="me", why="")
    unsold = replace_in(seen, controls=TradingControls(switched_off=(off,)))
    assert isinstance(of_entry(unsold, touchy, RiskSection(), NOW)[1], OpenIntent)


@pytest.mark.parametrize(("budget", "fits"), [("5.48", True), ("5.47", False), (None, True)])
def test_an_entry_beyond_its_strategys_budget_is_refused_and_none_is_no_bound(budget: str | None, fits: bool):
    exposure = risk.Exposure(trades=open_trades(), account=account(), ask=Price(5_200))
    answer = risk.approve(intent(), exposure, RiskSection(), NOW, None if budget is None else money(budget))
    if fits:
        assert isinstance(answer, risk.Approved)
    else:
        assert answer == risk.Denied(
            limit="budget_dollars", reason="strategy calm would have $5.48 open, its budget is $5.47"
        )


def seen(trades: OpenTrades | None = None) -> EntryInputs:
    return EntryInputs(
        board=board(view(levels=book(4_000, 4_200))),
        prices=prices(price()),
        trades=open_trades() if trades is None else trades,
        account=account(),
        controls=TradingControls(),
    )


def test_a_strategy_that_is_off_wants_nothing_and_says_so():
    off = replace(CALM, stage=Stage.OFF)
    decided, outcome = of_entry(seen(), off, RiskSection(), NOW)
    assert outcome == Waits(gate="switch", sentence="strategy calm is off")
    assert decided.assessments.strikes


def test_an_intent_bears_the_name_of_its_strategy_and_its_budget_is_asked_beforehand():
    _, outcome = of_entry(seen(), CALM, RiskSection(), NOW)
    assert isinstance(outcome, OpenIntent)
    assert outcome.strategy == "calm"
    _, outcome = of_entry(seen(), replace(CALM, budget=money("1")), RiskSection(), NOW)
    assert isinstance(outcome, Waits)
    assert outcome.gate == "risk budget_dollars"


def test_the_one_strategy_of_a_config_without_names_is_live_and_unbounded():
    assert (Strategy().name, Strategy().stage, Strategy().budget) == (DEFAULT, Stage.LIVE, None)


# --- shadows -----------------------------------------------------------------------------------------


def shadow_trade(number: int, **changes: object) -> PaperTrade:
    usual = PaperTrade(
        paper_trade_id=number,
        strategy="bold",
        ticker=Ticker(f"KXBTC15M-26NOV230715-{number}"),
        event_ticker=EVENT,
        side=Side.YES,
        quantity=Quantity(1_000),
        cost=Money(4_000_000),
        fees=Money(168_000),
        probability=0.5,
        why="a test",
        decided_at=NOW - timedelta(minutes=20 - number),
        closes_at=NOW - timedelta(minutes=5),
        result=Side.NO,
        value=Price(0),
        settled_at=NOW - timedelta(minutes=4),
        sold=Quantity(0),
        proceeds=Money(0),
        sold_at=None,
        exit_orders_at=(),
    )
    return replace(usual, **changes)


def test_a_shadows_gates_count_its_own_trades_as_those_of_a_live_strategy_count_rows():
    live = shadow_trade(5, result=None, settled_at=None, closes_at=NOW + timedelta(minutes=5), ticker=TICKER)
    nothing = shadow_trade(
        6, quantity=Quantity(0), cost=Money(0), fees=Money(0), result=None, settled_at=None
    )
    won = shadow_trade(1, result=Side.YES, settled_at=NOW - timedelta(hours=1))
    found = account_of([won, shadow_trade(2), shadow_trade(3), live, nothing], NOW).open_trades(NOW)
    assert [each.ticker for each in found.trades] == [TICKER]
    assert found.entries_by_market[TICKER] == 1
    assert nothing.ticker not in found.entries_by_market
    assert found.last_entry_at[nothing.ticker] == nothing.decided_at
    assert (found.wins_today, found.losses_today, found.losses_in_a_row) == (1, 2, 2)
    assert found.realised_today == won.pnl + 2 * shadow_trade(2).pnl
    assert won.pnl == 10_000_000 - 4_168_000


def test_a_paper_trade_that_made_nothing_neither_counts_as_a_loss_nor_ends_the_run_of_losses():
    even = shadow_trade(3, result=Side.YES, cost=Money(9_832_000))
    assert even.pnl == 0
    found = account_of([shadow_trade(2), even, shadow_trade(4)], NOW).open_trades(NOW)
    assert found.losses_in_a_row == 2


def test_exits_of_a_shadow_count_as_orders_of_the_last_minute_as_rows_do():
    seconds_ago = [NOW - timedelta(seconds=each) for each in (61, 40, 20)]
    held = shadow_trade(5, exit_orders_at=tuple(seconds_ago), result=None, settled_at=None)
    just_bought = shadow_trade(6, decided_at=NOW - timedelta(seconds=10))
    assert account_of([held, just_bought], NOW).open_trades(NOW).orders_last_minute == 3


def test_a_shadow_that_sold_everything_has_ended_before_its_market_has():
    sold = shadow_trade(
        5,
        result=None,
        settled_at=None,
        closes_at=NOW + timedelta(minutes=5),
        sold=Quantity(1_000),
        proceeds=Money(5_000_000),
        sold_at=NOW - timedelta(minutes=1),
    )
    found = account_of([sold], NOW).open_trades(NOW)
    assert found.trades == ()
    assert (found.realised_today, found.wins_today) == (5_000_000 - 4_168_000, 1)
    assert sold.awaits_result
    # What its market did afterwards is nothing that it is paid for.
    assert replace(sold, result=Side.YES, settled_at=NOW).pnl == sold.pnl
    assert replace(sold, result=Side.YES, settled_at=NOW).ended_at == sold.sold_at


def test_a_shadow_that_sold_a_part_is_paid_for_both_parts():
    part = shadow_trade(5, sold=Quantity(400), proceeds=Money(2_000_000), result=Side.YES)
    assert part.pnl == 2_000_000 + 6_000_000 - 4_168_000
    (held,) = account_of([replace(part, result=None, settled_at=None)], NOW).open_trades(NOW).trades
    assert held.held == 600


def test_a_shadow_that_holds_a_market_does_not_want_it_again():
    held = account_of(
        [shadow_trade(5, result=None, settled_at=None, closes_at=NOW + timedelta(minutes=5), ticker=TICKER)],
        NOW,
    ).open_trades(NOW)
    _, outcome = of_entry(seen(held), replace(CALM, stage=Stage.SHADOW, budget=None), RiskSection(), NOW)
    assert isinstance(outcome, Waits)
    assert outcome.gate == "already in"


def test_a_strategy_that_a_person_switched_off_buys_nothing_and_leaves_the_others_alone():
    off = SwitchedOff(switch=Switch.ENTRY, since=NOW, by="ann", why="", strategy="calm")
    world = replace_in(seen(), controls=TradingControls(switched_off=(off,)))
    answers = {
        name: of_entry(inputs_of(look_at(world), world.board, strategy), strategy, RiskSection(), NOW)[1]
        for name in ("calm", "bold")
        if (strategy := Strategy(name=name, entry=EntrySection(enabled=True)))
    }
    assert answers["calm"] == Waits(gate="switch", sentence="entry was switched off by ann for strategy calm")
    assert isinstance(answers["bold"], OpenIntent)


def test_an_entry_is_decided_under_the_limits_that_a_person_lowered():
    strategy = Strategy(entry=EntrySection(enabled=True))
    lowered = TradingControls(lowered=(LowerLimit(name="max_open_trades", amount=Decimal(0)),))
    assert isinstance(of_entry(seen(), strategy, RiskSection(), NOW)[1], OpenIntent)
    said = of_entry(replace_in(seen(), controls=lowered), strategy, RiskSection(), NOW)[1]
    assert isinstance(said, Waits)
    assert said.gate.endswith("max_open_trades")


def test_a_recording_keeps_whose_switch_it_was_and_what_was_lowered():
    off = SwitchedOff(switch=Switch.ENTRY, since=NOW, by="ann", why="", strategy="calm")
    kept = TradingControls(
        switched_off=(off,), lowered=(LowerLimit(name="max_open_trades", amount=Decimal("2.5")),)
    )
    assert msgspec.json.decode(msgspec.json.encode(kept), type=TradingControls) == kept


def look_at(world: EntryInputs) -> EntryLook:
    return EntryLook(
        at=NOW, tickers=None, board=None, prices=world.prices, trades=world.trades, paper={},
        account=world.account, controls=world.controls,
    )  # fmt: skip
