"""Whatever price, book and settings are: no loss beyond the day's limit, nothing bought that is sold at once, no floor below its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import BookView, MarketView
from recio.messages.orders import TradeView
from recio.messages.prices import Momentum, PriceView
from recio.rules.account.risk import Approved, Exposure, approve
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.decision.exit import NOTHING, ExitMemory
from recio.rules.market.quotes import bid_of
from recio.rules.pricing.fees import max_fee, taker_fee
from recio.settings.trading import EntrySection, ExitSection
from recio.units import (
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    notional,
    price_decimal,
)
from tests.builders import NOW, account, board, market, open_trades, price, prices, section, trade
from tests.rules.laws import LIMITS, takes_no_less_than_justified

CENTS = st.integers(1, 99).map(lambda cents: Price(cents * 100))
PART = st.one_of(st.just("off"), st.floats(0.01, 1))
QUIETLY = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def perhaps(values: st.SearchStrategy[Price]) -> st.SearchStrategy[Decimal | str]:
    return st.one_of(st.just("off"), values.map(price_decimal))


EXITS = st.builds(
    lambda **written: section(ExitSection, **written),
    stop_probability=st.floats(0.01, 0.99),
    stop_confirm_seconds=st.sampled_from([0.0, 20.0]),
    min_hold_seconds=st.sampled_from([0.0, 60.0]),
    momentum_stop_bp=st.one_of(st.just("off"), st.floats(1, 50)),
    time_stop_seconds_to_close=st.one_of(st.just("off"), st.floats(100, 800)),
    stop_price_dollars=perhaps(st.integers(1, 40).map(lambda cents: Price(cents * 100))),
    take_profit_dollars=perhaps(st.integers(4_010, 9_990).map(Price)),
    min_value_fraction=PART,
    blind_stop_fraction=PART,
    max_slippage_dollars=CENTS.map(price_decimal),
    floor_step_dollars=CENTS.map(price_decimal),
    min_floor_dollars=perhaps(st.integers(1, 9_990).map(Price)),
)
SPOTS = st.builds(
    lambda cents, momentum: replace(
        price(f"{cents / 100:.2f}"), momentum=None if momentum is None else Momentum(bp=momentum, whole=True)
    ),
    st.integers(8_370_000, 8_430_000),
    st.one_of(st.none(), st.floats(-60, 60)),
)


@st.composite
def views(draw: st.DrawFn) -> MarketView:
    bid = draw(st.integers(1, 97))
    ask = draw(st.integers(bid + 1, 99))
    sizes = st.integers(1, 5_000).map(Quantity)
    levels = BookView(
        bids=((Price(bid * 100), draw(sizes)),) if draw(st.booleans()) else (),
        asks=((Price(ask * 100), draw(sizes)),),
    )
    return MarketView(market=market(), book=levels)


@given(views(), SPOTS, EXITS)
@QUIETLY
def test_nothing_is_bought_that_its_own_exit_would_sell_on_the_same_sight(
    view: MarketView, spot: PriceView, exits: ExitSection
):
    wanted = decide(
        EntryInputs(
            board=board(view),
            prices=prices(spot),
            trades=open_trades(),
            account=account(),
            controls=TradingControls(),
        ),
        EntrySection(enabled=True),
        NOW,
        exits=exits,
    ).outcome
    assume(isinstance(wanted, OpenIntent))
    assert isinstance(wanted, OpenIntent)
    assert wanted.quantity >= 100
    bought = trade(
        side=wanted.side,
        opened_at=NOW - timedelta(days=1),
        entry_quantity=wanted.quantity,
        entry_cost=notional(wanted.limit, wanted.quantity),
    )
    below = ExitMemory(falling_since=NOW - timedelta(days=1))
    for before in (NOTHING, below):
        said = exit_rule.decide(bought, board(view), prices(spot), before, exits, NOW).outcome
        assert not isinstance(said, CloseIntent)
        assert "to be sold" not in said.sentence


@given(views(), st.one_of(st.none(), SPOTS), EXITS, st.sampled_from(list(Side)), st.integers(0, 50))
@QUIETLY
def test_no_sale_takes_less_than_its_reason_justifies_or_the_settings_allow(
    view: MarketView, spot: PriceView | None, exits: ExitSection, side: Side, met: int
):
    blind = ExitMemory(blind_since=NOW - timedelta(days=1), falling_since=NOW - timedelta(days=1))
    held = trade(side=side, exits_met=met, opened_at=NOW - timedelta(days=1))
    seen = None if spot is None else prices(spot)
    for before in (blind, *(replace_reason(blind, name) for name in ("stop", "take profit", "time stop"))):
        sale = exit_rule.decide(held, board(view), seen, before, exits, NOW).outcome
        if not isinstance(sale, CloseIntent):
            continue
        bid = bid_of(view, side)
        assert bid is not None
        assert 0 < sale.floor <= bid[0]
        takes_no_less_than_justified(sale, exits)


def replace_reason(before: ExitMemory, reason: str) -> ExitMemory:
    return ExitMemory(reason=reason, blind_since=before.blind_since, falling_since=before.falling_since)


# --- the worst case ---------------------------------------------------------------------------------------------------

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "sell", "settle", "night"]),
        st.integers(1, 99),
        st.integers(0, 30),
        st.integers(0, 10),
    ),
    max_size=25,
)


@dataclass
class Days:
    """Trades that fill at any price that they allow and end in any way, and what each day came to."""

    open: list[TradeView] = field(default_factory=list[TradeView])
    realised: int = 0
    worst: int = 0
    made: int = 0

    def enter(self, limit: Price, better_by: int) -> None:
        """As much as is allowed, at any price up to the limit."""
        fits, beyond = 0, 100_000
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            fits, beyond = (middle, beyond) if self.is_allowed(limit, Quantity(middle)) else (fits, middle)
        if not fits:
            return
        quantity, paid = Quantity(fits), Price(max(100, limit - better_by * 100))
        self.made += 1
        self.open.append(
            trade(
                trade_id=TradeId(self.made),
                ticker=Ticker(f"KX-{self.made}"),
                event_ticker=EventTicker(f"E-{self.made}"),
                entry_quantity=quantity,
                entry_cost=notional(paid, quantity),
                fees=taker_fee(paid, quantity, Decimal(1)),
            )
        )

    def is_allowed(self, limit: Price, quantity: Quantity) -> bool:
        trades = open_trades(trades=tuple(self.open), realised_today=Money(self.realised))
        wanted, seen = intent(limit, quantity), Exposure(trades=trades, account=account(), ask=limit)
        said = approve(wanted, seen, LIMITS, NOW)
        assert isinstance(said, Approved) or said.limit == "max_daily_loss_dollars"
        return isinstance(said, Approved)

    def sell(self, at: Price, part: int) -> None:
        """A part of the oldest trade, at any price at all; the whole of it ends it."""
        held = self.open[0]
        sold = Quantity(max(1, held.held * part // 10))
        self.open[0] = replace(
            held,
            exit_quantity=Quantity(held.exit_quantity + sold),
            exit_proceeds=Money(held.exit_proceeds + notional(at, sold)),
            fees=Money(held.fees + taker_fee(at, sold, Decimal(1))),
        )
        if self.open[0].held <= 0:
            self.end(Money(0))

    def end(self, payout: Money) -> None:
        ended = replace(self.open.pop(0), payout=payout)
        self.realised += ended.pnl
        self.worst = min(self.worst, self.realised)


def intent(limit: Price, quantity: Quantity) -> OpenIntent:
    return OpenIntent(
        strategy="average",
        ticker=Ticker("KX-NEW"),
        event_ticker=EventTicker("E-NEW"),
        exchange_index=2,
        side=Side.YES,
        quantity=quantity,
        limit=limit,
        probability=0.999,
        fee_estimate=max_fee(Price(100), limit, quantity, Decimal(1)),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="test",
        inputs={},
    )


@given(MOVES)
@QUIETLY
def test_no_day_loses_more_than_its_limit_however_what_is_open_ends_and_on_whichever_day(
    moves: list[tuple[str, int, int, int]],
):
    days = Days()
    for move, cents, better_by, part in moves:
        match move:
            case "enter":
                days.enter(Price(cents * 100), better_by)
            case "night":
                days.realised = 0
            case "sell" if days.open:
                days.sell(Price(cents * 100), part)
            case "settle" if days.open:
                wins = cents > 60
                days.end(Money(days.open[0].held * 10_000 if wins else 0))
            case _:
                pass
        assert days.worst >= -LIMITS.max_daily_loss_dollars
    while days.open:
        days.end(Money(0))
    assert days.worst >= -LIMITS.max_daily_loss_dollars


@pytest.mark.parametrize("keeps", [True, False])
def test_the_shipped_settings_buy_nothing_that_they_stop_and_only_who_says_so_does(keeps: bool):
    """At 16 % a contract for 15 cents has an edge, and stands below the stop of 25 %."""
    cheap = MarketView(
        market=market(),
        book=BookView(bids=((Price(1000), Quantity(9000)),), asks=((Price(1100), Quantity(9000)),)),
    )
    seen = EntryInputs(
        board=board(cheap),
        prices=prices(price("83855.00")),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    settings = EntrySection(enabled=True, only_what_exit_keeps=keeps)
    said = decide(seen, settings, NOW, exits=ExitSection()).outcome
    if keeps:
        assert not isinstance(said, OpenIntent)
        assert (said.gate, "below 25%" in said.sentence) == ("own exit", True)
    else:
        assert isinstance(said, OpenIntent)


def test_what_is_left_on_a_level_does_not_use_up_a_markets_only_entry():
    crumb = MarketView(
        market=market(),
        book=BookView(
            bids=((Price(4000), Quantity(9000)),),
            asks=((Price(4200), Quantity(99)), (Price(9900), Quantity(9000))),
        ),
    )
    seen = EntryInputs(
        board=board(crumb),
        prices=prices(price("84050.00")),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    said = decide(seen, EntrySection(enabled=True), NOW).outcome
    assert not isinstance(said, OpenIntent)
    assert (said.gate, said.sentence.startswith("0.99 contracts could be had")) == ("size", True)
