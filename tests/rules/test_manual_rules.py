"""A trade that a person asks for follows halts, the venue and the limits; the model and the entry switch do not hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace as changed

from recio.db.trades import guard_of
from recio.messages.controls import Block, CloseRequest, Halt, Switch, SwitchedOff, TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketStatus
from recio.messages.orders import Guard
from recio.messages.prices import Momentum, Prices
from recio.rules.decision import cycles, manual
from recio.rules.decision.entry import EntryInputs, Waits
from recio.rules.decision.exit import NOTHING, Holds, decide
from recio.rules.decision.manual import TradeRequest
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection, ExitSection
from recio.units import Price, Quantity, Side, Ticker, TradeId
from tests.builders import (
    NOW,
    TICKER,
    account,
    board,
    book,
    market,
    open_trades,
    price,
    prices,
    section,
    trade,
    view,
)

REQUEST = TradeRequest(
    request_id=7,
    ticker=TICKER,
    side=Side.YES,
    quantity=Quantity(1000),
    limit=Price(5300),
    by="ann",
    why="a feeling",
    is_late=False,
)
OFF = (SwitchedOff(switch=Switch.ENTRY, since=NOW, by="me", why=""),)
STRICT = Strategy(
    entry=section(
        EntrySection,
        enabled=False,
        min_edge_dollars=Decimal("0.5"),
        max_seconds_to_close=100,
        max_entries_per_market=1,
        cooldown_seconds=3600,
        max_spread_dollars=Decimal("0.01"),
    )
)
"""Whose program would buy nothing here."""
SEEN = EntryInputs(
    board=board(),
    prices=prices(),
    trades=open_trades(entries_by_market={TICKER: 3}, last_entry_at={TICKER: NOW}),
    account=account(),
    controls=TradingControls(),
)


def asked(
    seen: Mapping[str, object] | None = None, by: Strategy = STRICT, **changes: object
) -> OpenIntent | Waits:
    return manual.decide(replace(REQUEST, **changes), changed(SEEN, **(seen or {})), by, NOW)


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"controls": TradingControls(switched_off=OFF)},
        {"prices": None},
        {"prices": Prices()},
        {"prices": prices(price(age=3600))},
        {"prices": prices(price(volatility=None))},
    ],
    ids=[
        "gates of a strategy",
        "entry switched off",
        "no prices",
        "no price",
        "an old price",
        "no volatility",
    ],
)
def test_neither_the_model_nor_the_entry_switch_nor_a_strategys_gates_hold_a_person(seen: dict[str, object]):
    wanted = asked(seen, guard=Guard())
    assert isinstance(wanted, OpenIntent), wanted
    assert (wanted.strategy, wanted.quantity, wanted.limit) == ("manual", 1000, 5300)
    assert wanted.why == "asked for by ann: a feeling"


@pytest.mark.parametrize(
    ("seen", "gate", "words"),
    [
        (
            {"controls": TradingControls(halts=(Halt(cause="a flood", since=NOW, by="x", resolution="y"),))},
            "halt",
            "a flood",
        ),
        (
            {
                "controls": TradingControls(
                    blocks=(Block(condition="disk full", detail="0 MB", clears="", since=NOW),)
                )
            },
            "block",
            "disk full",
        ),
        ({"controls": None}, "starting", "has not reported yet"),
        ({"account": None}, "starting", "not been compared"),
        ({"board": board(view(market(status=MarketStatus.CLOSED)))}, "market status", "closed"),
        (
            {"board": board(view(market(untradable="its rules are not understood")))},
            "market untradable",
            "rules",
        ),
        ({"board": board(view(market(close_time=NOW - timedelta(seconds=1))))}, "too late", "to the close"),
        ({"board": board(heard_at=NOW - timedelta(seconds=60))}, "book age", "limit 5 s"),
        ({"trades": open_trades(trades=(trade(),))}, "already in", "trade 1 is open on this market"),
        ({"board": board(view(levels=book(5300, 5400)))}, "depth", "the ask is 0.5400"),
    ],
)
def test_halts_the_venue_and_the_book_hold_a_person_and_are_named(
    seen: dict[str, object], gate: str, words: str
):
    refused = asked(seen)
    assert isinstance(refused, Waits)
    assert (refused.gate, words in refused.sentence) == (gate, True), refused


@pytest.mark.parametrize(
    ("limits", "changes", "named"),
    [
        ({"max_contracts_per_order": 9}, {}, "max_contracts_per_order"),
        ({"max_event_cost_dollars": 5}, {}, "max_event_cost_dollars"),
        ({"max_daily_loss_dollars": 5}, {}, "max_daily_loss_dollars"),
        ({"price_collar_dollars": Decimal("0.05")}, {"limit": Price(5800)}, "price_collar_dollars"),
    ],
)
def test_the_limit_that_binds_is_named(limits: dict[str, object], changes: dict[str, object], named: str):
    wanted = asked(None, STRICT, guard=Guard(), **changes)
    refused = cycles.within_limits(wanted, SEEN, section(RiskSection, **limits), NOW)
    assert isinstance(refused, Waits)
    assert refused.sentence.startswith(f"{named}: ")


def test_the_collar_holds_a_person_against_the_ask_and_not_against_the_model():
    """The model thinks nothing of YES here, and the ask is all that there is to hold the limit against."""
    seen = EntryInputs(
        board=board(),
        prices=prices(price("83000.00")),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    at_the_edge = replace(REQUEST, guard=Guard(), limit=Price(5700))
    wanted = manual.decide(at_the_edge, seen, STRICT, NOW)
    assert cycles.within_limits(wanted, seen, RiskSection(), NOW) is wanted
    beyond = manual.decide(replace(at_the_edge, limit=Price(5800)), seen, STRICT, NOW)
    assert isinstance(cycles.within_limits(beyond, seen, RiskSection(), NOW), Waits)


@pytest.mark.parametrize(
    ("guard", "at", "told"),
    [
        (None, "83000.00", "the common exit would sell it at once (stop: model gives yes 0.1%, below 25%)"),
        (
            Guard(stop_price=Price(5000)),
            "84000.00",
            "its own guard would sell it at once: price stop: bid 0.5000 is not above 0.5000",
        ),
        (
            Guard(take_profit=Price(5000)),
            "84000.00",
            "its own guard would sell it at once: take profit: bid 0.5000 has reached 0.5000",
        ),
    ],
)
def test_what_its_guard_would_sell_on_the_same_sight_is_not_bought(guard: Guard | None, at: str, told: str):
    refused = asked({"prices": prices(price(at))}, guard=guard)
    assert isinstance(refused, Waits)
    assert told in refused.sentence


@pytest.mark.parametrize(
    "guard",
    [
        None,
        Guard(),
        Guard(stop_price=Price(4000)),
        Guard(take_profit=Price(9000)),
        Guard(stop_price=Price(1), take_profit=Price(5100)),
    ],
)
def test_what_a_trade_was_opened_from_says_its_guard_again(guard: Guard | None):
    wanted = asked(guard=guard)
    assert isinstance(wanted, OpenIntent), wanted
    assert guard_of(wanted.inputs) == guard


NOBODY = TradingControls()
LOSING = prices(price("83700.00"))
"""The model gives YES next to nothing."""


def look(
    guard: Guard | None, bid: int, controls: TradingControls = NOBODY, **settings: object
) -> CloseIntent | Holds:
    seen = board(view(levels=book(bid=bid, ask=9900)))
    rules = section(ExitSection, **({"stop_probability": 0.25} | settings))
    return decide(trade(guard=guard), seen, LOSING, NOTHING, rules, NOW, controls).outcome


@pytest.mark.parametrize(
    ("guard", "bid", "sells"),
    [
        (None, 3000, True),
        (Guard(), 100, False),
        (Guard(stop_price=Price(3000)), 3100, False),
        (Guard(stop_price=Price(3000)), 3000, True),
        (Guard(take_profit=Price(8000)), 100, False),
        (Guard(take_profit=Price(8000)), 8000, True),
    ],
)
def test_a_guarded_trade_is_sold_by_its_own_stops_and_by_no_other(guard: Guard | None, bid: int, sells: bool):
    every = {
        "stop_price_dollars": Decimal("0.5"),
        "hard_stop_probability": 0.2,
        "time_stop_seconds_to_close": 700,
        "momentum_stop_bp": 1,
    }
    assert isinstance(look(guard, bid, **every), CloseIntent) is sells
    assert isinstance(look(guard, bid, **every, enabled=guard is None), CloseIntent) is sells


def test_a_close_that_a_person_asks_for_sells_one_trade_whatever_its_guard_and_the_switches_say():
    def wish(of: int, floor: int | None = None) -> TradingControls:
        one = CloseRequest(
            trade_id=TradeId(of), floor=None if floor is None else Price(floor), by="ann", why="enough"
        )
        return TradingControls(closes=(one,), switched_off=(replace(OFF[0], switch=Switch.EXIT),))

    sale = look(Guard(), 3000, wish(1), min_seconds_to_close=900)
    assert isinstance(sale, CloseIntent)
    assert sale.why == "close asked for by ann: enough; bid 0.3000"
    assert (sale.quantity, sale.floor) == (1000, 2500)
    assert isinstance(look(Guard(), 3000, wish(2)), Holds)
    bounded = look(Guard(), 3000, wish(1, floor=2900), min_floor_dollars=Decimal("0.5"))
    assert isinstance(bounded, CloseIntent)
    assert bounded.floor == 2900


def test_a_request_that_came_too_late_buys_nothing():
    assert isinstance(asked(is_late=True), Waits)
    assert isinstance(asked(ticker=Ticker("KXDOGE15M-NONE")), Waits)


RUNS = replace(price(), momentum=Momentum(bp=-30.0, whole=True))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stop_price_dollars": Decimal("0.50")}, "price stop"),
        ({"take_profit_dollars": Decimal("0.45")}, "take profit"),
        ({"momentum_stop_bp": 20}, "momentum stop"),
        ({"time_stop_seconds_to_close": 900}, "time stop"),
        ({"stop_probability": 0.6, "stop_confirm_seconds": 60}, "below the stop for 0.0 of 60 s"),
        ({"stop_probability": 0.9, "hard_stop_probability": 0.8}, "below the hard stop"),
    ],
)
def test_what_any_stop_of_the_common_exit_would_sell_on_the_same_sight_is_not_bought(
    settings: dict[str, object], told: str
):
    strict = replace(STRICT, exit=section(ExitSection, **settings))
    refused = asked({"prices": prices(RUNS)}, strict)
    assert isinstance(refused, Waits)
    assert (refused.gate, told in refused.sentence) == ("stop", True), refused.sentence
    assert "--no-stop" in refused.sentence
    assert isinstance(asked({"prices": prices(RUNS)}, strict, guard=Guard()), OpenIntent)


def test_what_the_common_exit_cannot_sell_now_holds_nobody():
    doomed = {"prices": prices(price("83000.00"))}
    exits_off = TradingControls(switched_off=(SwitchedOff(switch=Switch.EXIT, since=NOW, by="me", why=""),))
    last_seconds = board(view(market(close_time=NOW + timedelta(seconds=14))))
    assert isinstance(asked(doomed), Waits)
    assert isinstance(asked(doomed | {"controls": exits_off}), OpenIntent)
    assert isinstance(asked(doomed, replace(STRICT, exit=ExitSection(enabled=False))), OpenIntent)
    assert isinstance(asked({"prices": prices(price("83000.00", age=11.0))}), OpenIntent)
    assert isinstance(asked(doomed | {"board": last_seconds}), OpenIntent)


def test_the_models_word_that_is_noted_is_that_of_the_side_asked_for():
    """YES is worth next to nothing here."""
    doomed = {"prices": prices(price("83700.00")), "board": board(view(levels=book(bid=5000, ask=5200)))}
    for side, likely in ((Side.YES, False), (Side.NO, True)):
        wanted = asked(doomed, side=side, guard=Guard())
        assert isinstance(wanted, OpenIntent), wanted
        assert (float(wanted.inputs["model"]) > 0.5) is likely
