"""Plain values for rule tests: a market, a book, a price, an account, each with sane defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from recio.messages.account import AccountView
from recio.messages.markets import (
    BookView,
    Market,
    MarketBoard,
    MarketStatus,
    MarketView,
    PriceRange,
    StrikeType,
    VenuePhase,
    VenueState,
)
from recio.messages.orders import OpenTrades, OrderPurpose, OrderState, OrderView, TradeState, TradeView
from recio.messages.prices import Prices, PriceTick, PriceView
from recio.rules.market.settlement import PRINTS
from recio.rules.pricing.average_fit import Fit, Tails
from recio.rules.pricing.closing_minute import ClosingMinute, walk_variance
from recio.settings.config import Config
from recio.settings.prices import PricesSection
from recio.settings.section import Section
from recio.settings.trading import EntrySection
from recio.units import (
    BookSide,
    ClientOrderId,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
)
from recio.wires import WritesBoard

QUICK = PricesSection(warmup_seconds=60)
"""Volatility after a minute, for recordings and worlds that last only a few."""
DOUBTED_LATER = {"BTC": Config().symbols["BTC"].model_copy(update={"max_price_error_bp": 2.5})}
"""For recordings of one source whose price stands for ten seconds at a time."""
AGAIN_AND_AGAIN = Config(prices=QUICK, entry=EntrySection(max_entries_per_market=None), symbols=DOUBTED_LATER)
"""For recordings of one market: entered as often as the rule wants."""
NORMAL = Fit(tails=(Tails(seconds=60, scale=1.0),), time_of_day=None, is_fat=False, volatility_error=0.08)
"""Thin tails at any hour: what is left is a random walk."""
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TICKER = Ticker("KXBTC15M-26NOV230715-15")
EVENT = EventTicker("KXBTC15M-26NOV230715")
TAPERED = (
    PriceRange(start=Price(0), end=Price(1000), step=Price(10)),
    PriceRange(start=Price(1000), end=Price(9000), step=Price(100)),
    PriceRange(start=Price(9000), end=Price(10000), step=Price(10)),
)


SectionType = TypeVar("SectionType", bound=Section)


def section(kind: type[SectionType], **written: object) -> SectionType:
    """A table of recio.toml from what is written in it: dollars and contracts, not the exact units that it keeps."""
    return kind.model_validate(written)


def market(**changes: object) -> Market:
    usual = Market(
        ticker=TICKER,
        event_ticker=EVENT,
        series_ticker="KXBTC15M",
        symbol="BTC",
        exchange_index=2,
        strike_type=StrikeType.GREATER_OR_EQUAL,
        floor_strike=Decimal("84000.00"),
        cap_strike=None,
        open_time=NOW - timedelta(minutes=5),
        close_time=NOW + timedelta(minutes=10),
        status=MarketStatus.ACTIVE,
        price_ranges=TAPERED,
        fee_multiplier=Decimal(1),
        rules_primary="mean of sixty prints",
        rules_secondary="",
        untradable="",
    )
    return replace(usual, **changes)


TRADING = VenueState(phase=VenuePhase.TRADING)


def book(bid: int = 5000, ask: int = 5200, size: int = 10_000) -> BookView:
    return BookView(bids=((Price(bid), Quantity(size)),), asks=((Price(ask), Quantity(size)),))


def view(of: Market | None = None, levels: BookView | None = None) -> MarketView:
    return MarketView(market=of or market(), book=levels or book())


def board(*views: MarketView, heard_at: datetime = NOW) -> MarketBoard:
    by_ticker = {each.market.ticker: each for each in views or (view(),)}
    return MarketBoard(by_ticker=by_ticker, venue=TRADING, heard_at=heard_at)


def show(wire: WritesBoard, *views: MarketView, heard_at: datetime = NOW) -> None:
    """Exactly these on the board."""
    wire.lay_out(views)
    wire.publish(venue=TRADING, heard_at=heard_at, clock_offset=None)


def price(at: str = "84000.00", volatility: float | None = 0.00007, age: float = 0.2) -> PriceView:
    when = NOW - timedelta(seconds=age)
    tick = PriceTick(symbol="BTC", source="coinbase", price=Decimal(at), at=when, received_at=when)
    return PriceView(
        tick=tick, volatility=volatility, last_minute=(), error=0.0001, basis_error=0.0001, heard_at=when
    )


def minute(level: float, seconds_to_close: float, made: Sequence[float] = ()) -> ClosingMinute:
    """A closing minute of which every second so far was seen, by the index itself."""
    to_come = PRINTS - len(made)
    return ClosingMinute(
        level=level,
        expected=(math.fsum(made) + level * to_come) / PRINTS,
        to_come=walk_variance(to_come, max(1.0, seconds_to_close - PRINTS + 1)) / PRINTS**2,
    )


def prices(view: PriceView | None = None, symbol: str = "BTC") -> Prices:
    return Prices(by_symbol={symbol: view or price()})


def trade(**changes: object) -> TradeView:
    usual = TradeView(
        trade_id=TradeId(1),
        strategy="average",
        ticker=TICKER,
        event_ticker=EVENT,
        side=Side.YES,
        state=TradeState.OPEN,
        opened_at=NOW - timedelta(minutes=2),
        closes_at=NOW + timedelta(minutes=10),
        closed_at=None,
        exchange_index=2,
        entry_quantity=Quantity(1000),
        entry_cost=Money(5_200_000),
        exit_quantity=Quantity(0),
        exit_proceeds=Money(0),
        fees=Money(174_800),
        payout=Money(0),
        why="test",
        ended_by=None,
    )
    return replace(usual, **changes)


def order(**changes: object) -> OrderView:
    usual = OrderView(
        client_order_id=ClientOrderId("recio-0000000a-1-entry-1"),
        trade_id=TradeId(1),
        venue_order_id=None,
        ticker=TICKER,
        purpose=OrderPurpose.ENTRY,
        book_side=BookSide.BID,
        state=OrderState.PENDING,
        quantity=Quantity(1000),
        filled=Quantity(0),
        price=Price(5200),
        reserved=Money(5_374_800),
        created_at=NOW,
        note="",
    )
    return replace(usual, **changes)


def open_trades(**changes: object) -> OpenTrades:
    usual = OpenTrades(
        trades=(),
        orders=(),
        recent_trades=(),
        recent_orders=(),
        entries_by_event={},
        last_entry_at={},
        realised_today=Money(0),
        fees_today=Money(0),
        wins_today=0,
        losses_today=0,
    )
    return replace(usual, **changes)


def account(balance: int = 1_000_000_000, **changes: object) -> AccountView:
    usual = AccountView(
        balance=Money(balance),
        positions={},
        differences=(),
        external=(),
        reconciled_at=NOW,
    )
    return replace(usual, **changes)
