"""One threshold contract and how an event of them comes to be; it moves no money and sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from uuid import NAMESPACE_URL, uuid5

from recio.exchange_sim.engine.book import Book, OrderBook
from recio.exchange_sim.engine.fees import FeeTerms
from recio.exchange_sim.engine.price_grids import TAPERED_DECI_CENT, Grid
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.candles import Candles
from recio.exchange_sim.market.naming import event_ticker, market_suffix
from recio.exchange_sim.market.series import DEFAULT_SERIES, Kind, SeriesSpec
from recio.exchange_sim.market.strikes import Strike, StrikeType, ladder, ranges

CREATED_BEFORE_MS = 86_400_000


@dataclass(slots=True, eq=False)
class Market:
    """One threshold contract. Strikes and settlement value are integers of its index's own unit."""

    ticker: str
    event_ticker: str
    series: str
    market_id: str
    open_ms: int
    close_ms: int
    created_ms: int
    updated_ms: int
    spec: SeriesSpec = DEFAULT_SERIES
    status: Status = Status.INITIALIZED
    book: OrderBook = field(default_factory=Book)
    grid: Grid = TAPERED_DECI_CENT
    strike_type: StrikeType = StrikeType.GREATER_OR_EQUAL
    strike: int | None = None
    """The floor: what the value is compared with, and the lower end of a range."""
    cap: int | None = None
    result: str = ""
    payout: int = 0
    value: int | None = None
    determined_ms: int = 0
    settled_ms: int = 0
    cleared: bool = False
    volume: int = 0
    open_interest: int = 0
    last_price: int = 0
    last_size: int = 0
    quotes_changed: bool = False
    clock: int = 0
    holdings: dict[int, int] = field(default_factory=dict[int, int])
    """Signed position of every participant, for the open interest."""
    candles: Candles = field(default_factory=Candles)
    number: int = field(default_factory=count(1).__next__)
    """Its place among all markets that were ever listed."""

    @property
    def shard(self) -> int:
        return self.spec.shard

    @property
    def fees(self) -> FeeTerms:
        return self.spec.fees

    @property
    def close_second(self) -> int:
        return self.close_ms // 1000

    @property
    def edges(self) -> tuple[int | None, int | None]:
        """The least value for which Yes is paid, and the least above it for which it is not."""
        return self._threshold().edges

    def wins(self, value: int) -> bool:
        """Whether Yes is paid for this settlement value."""
        return self._threshold().holds(value)

    def _threshold(self) -> Strike:
        return Strike(kind=self.strike_type, floor=self.strike, cap=self.cap)


def new_event(spec: SeriesSpec, open_ms: int, now_ms: int, level: int) -> list[Market]:
    """The markets of the event that opens at `open_ms`, lowest strike first; strikes lie round the level."""
    close_ms = open_ms + spec.period_seconds * 1000
    event = event_ticker(spec, open_ms, close_ms)
    return [_new_market(spec, event, strike, open_ms, close_ms, now_ms) for strike in _strikes(spec, level)]


def _strikes(spec: SeriesSpec, level: int) -> list[Strike]:
    match spec.kind:
        case Kind.WINDOW:
            return [Strike(kind=StrikeType.GREATER_OR_EQUAL)]
        case Kind.LADDER:
            return ladder(level, spec.strikes, spec.asset.spacing)
        case Kind.RANGE:
            return ranges(level, spec.strikes, spec.asset.spacing)


def _new_market(
    spec: SeriesSpec, event: str, strike: Strike, open_ms: int, close_ms: int, now_ms: int
) -> Market:
    ticker = f"{event}-{market_suffix(event, strike, spec.asset.digits)}"
    created = min(open_ms - CREATED_BEFORE_MS, now_ms)
    return Market(
        ticker=ticker,
        event_ticker=event,
        series=spec.ticker,
        market_id=str(uuid5(NAMESPACE_URL, ticker)),
        open_ms=open_ms,
        close_ms=close_ms,
        created_ms=created,
        updated_ms=created,
        spec=spec,
        grid=spec.grid,
        strike_type=strike.kind,
        strike=strike.floor,
        cap=strike.cap,
    )
