"""The catalogue of series as data: symbols, their indices, and what each series lists; it creates nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from recio.exchange_sim.engine.fees import WHOLE, FeeTerms
from recio.exchange_sim.engine.price_grids import LINEAR_CENT, TAPERED_DECI_CENT, Grid

SHARD = 2
FIFTEEN_MINUTES = 900
HOUR = 3_600
DEFAULT_STRIKES = 186
MOST_STRIKES = 290
KEPT_MARKETS = 6_000
"""More than a day of a ladder and its windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A symbol and the index that its contracts settle on. Prints are integers of 10**-digits dollars."""

    symbol: str
    name: str
    index_id: str
    index_words: str
    """What the rules texts call the index."""
    level: float
    """Where the simulated path begins, in dollars."""
    yearly_volatility: float
    digits: int
    spacing: int
    """Distance of neighbouring strikes, in units of 10**-digits dollars."""

    @property
    def scale(self) -> int:
        return 10**self.digits


BITCOIN = Asset(
    symbol="BTC",
    name="Bitcoin",
    index_id="BRTI",
    index_words="Bitcoin Real-Time Index (BRTI)",
    level=84_000.0,
    yearly_volatility=0.40,
    digits=2,
    spacing=100_00,
)
ETHEREUM = Asset(
    symbol="ETH",
    name="Ethereum",
    index_id="ETHUSD_RTI",
    index_words="Ethereum Real-Time Index (ERTI)",
    level=2_430.0,
    yearly_volatility=0.60,
    digits=2,
    spacing=20_00,
)
SOLANA = Asset(
    symbol="SOL",
    name="Solana",
    index_id="SOLUSD_RTI",
    index_words="Solana-Dollar Real-Time Index (SOLUSD_RTI)",
    level=76.0,
    yearly_volatility=0.70,
    digits=4,
    spacing=2_500,
)
RIPPLE = Asset(
    symbol="XRP",
    name="Ripple",
    index_id="XRPUSD_RTI",
    index_words="Ripple-Dollar Real-Time Index (XRPUSD_RTI)",
    level=1.36,
    yearly_volatility=0.70,
    digits=4,
    spacing=200,
)
DOGECOIN = Asset(
    symbol="DOGE",
    name="Dogecoin",
    index_id="DOGEUSD_RTI",
    index_words="Dogecoin-Dollar Real-Time Index (DOGEUSD_RTI)",
    level=0.0715,
    yearly_volatility=0.80,
    digits=7,
    spacing=20_000,
)
SHIBA_INU = Asset(
    symbol="SHIB",
    name="Shiba Inu",
    index_id="SHIBUSD_RTI",
    index_words="Shiba Inu-Dollar Spot Rate (SHIBUSD_RTI)",
    level=0.0000135,
    yearly_volatility=0.90,
    digits=9,
    spacing=500,
)
ASSETS = (BITCOIN, ETHEREUM, SOLANA, RIPPLE, DOGECOIN, SHIBA_INU)
CHEAP = (DOGECOIN, SHIBA_INU)
"""Their ladders' strikes have more decimals than the venue's own fields carry."""


class Kind(StrEnum):
    """What an event of a series asks."""

    WINDOW = "window"
    """One market: is the price at least what the window before settled at."""
    LADDER = "ladder"
    """Many markets: is the price above each strike."""
    RANGE = "range"
    """Many markets of which one wins: in which range is the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Venue time from a market's close to what follows, in milliseconds."""

    book_cleared_ms: int = 200
    determined_ms: int
    settled_ms: int

    def stretched(self, factor: float) -> Delays:
        return Delays(
            book_cleared_ms=self.book_cleared_ms,
            determined_ms=max(self.book_cleared_ms, round(self.determined_ms * factor)),
            settled_ms=max(self.book_cleared_ms, round(self.settled_ms * factor)),
        )


WINDOW_DELAYS = Delays(determined_ms=1_000, settled_ms=7_000)
HOURLY_DELAYS = Delays(determined_ms=90_000, settled_ms=153_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSpec:
    """One series: what it lists, how often, and by which rules."""

    ticker: str
    kind: Kind
    asset: Asset
    period_seconds: int
    strikes: int
    """Markets of one event."""
    grid: Grid
    delays: Delays
    listed_ahead: int
    """Events that wait, created, behind the one that is open."""
    settlement_timer_seconds: int
    fee_type: str = "quadratic"
    fee_multiplier: float = 1.0
    shard: int = SHARD
    strike_delay_ms: int = 500
    """From a window's opening to the strike that it gets."""
    strike_jitter_ms: int = 0
    """The most that a window's strike comes later than that; every window draws its own."""
    custom_strikes: bool = False
    """Whether strikes are told as the venue tells those of small coins."""

    @property
    def fees(self) -> FeeTerms:
        return _fee_terms(self.fee_type, self.fee_multiplier)

    @property
    def mutually_exclusive(self) -> bool:
        return self.kind is Kind.RANGE

    @property
    def collateral_return(self) -> str:
        return {Kind.WINDOW: "", Kind.LADDER: "DIRECNET", Kind.RANGE: "MECNET"}[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """What one exchange changes of the catalogue."""

    window_seconds: int = FIFTEEN_MINUTES
    ladder_seconds: int = HOUR
    ladder_strikes: int = DEFAULT_STRIKES
    settlement_factor: float = 1.0
    """Stretches the time from close to settlement; below 1 for tests in a hurry."""
    history_seconds: int = 86_400
    """Settled markets leave the live endpoints so long after their settlement."""
    kept_markets: int = KEPT_MARKETS
    """Settled markets that can still be asked for."""
    strike_delay_seconds: float = 0.5
    """From a window's opening to the strike that it gets."""
    strike_jitter_seconds: float = 0.0
    """The most that a window's strike comes later than that."""
    plain_strikes: bool = False
    """Ladders of small coins tell their strikes as all others do, and not as `custom`."""
    weekly_pause: bool = False
    """No trading on Thursdays from 03:00 to 05:00 New York time."""

    def __post_init__(self) -> None:
        if not 3 <= self.ladder_strikes <= MOST_STRIKES:
            raise ValueError(f"ladder_strikes must be 3 to {MOST_STRIKES}, not {self.ladder_strikes}")


class UnknownSeries(ValueError):
    """A series that the catalogue does not have."""


_RANGE_TICKERS = {"SOL": "KXSOLE"}


def _window(asset: Asset) -> SeriesSpec:
    return SeriesSpec(
        ticker=f"KX{asset.symbol}15M",
        kind=Kind.WINDOW,
        asset=asset,
        period_seconds=FIFTEEN_MINUTES,
        strikes=1,
        grid=TAPERED_DECI_CENT,
        delays=WINDOW_DELAYS,
        listed_ahead=8,
        settlement_timer_seconds=1,
    )


def _hourly(ticker: str, kind: Kind, asset: Asset, *, custom: bool) -> SeriesSpec:
    return SeriesSpec(
        ticker=ticker,
        kind=kind,
        asset=asset,
        period_seconds=HOUR,
        strikes=DEFAULT_STRIKES,
        grid=LINEAR_CENT,
        delays=HOURLY_DELAYS,
        listed_ahead=1,
        settlement_timer_seconds=1_800 if custom else 60,
        custom_strikes=custom,
    )


def _all_of(asset: Asset) -> tuple[SeriesSpec, ...]:
    symbol, custom = asset.symbol, asset in CHEAP
    # Of Shiba Inu there are no windows.
    windows = () if asset is SHIBA_INU else (_window(asset),)
    return (
        *windows,
        _hourly(f"KX{symbol}D", Kind.LADDER, asset, custom=custom),
        _hourly(_RANGE_TICKERS.get(symbol, f"KX{symbol}"), Kind.RANGE, asset, custom=custom),
    )


CATALOGUE: dict[str, SeriesSpec] = {spec.ticker: spec for asset in ASSETS for spec in _all_of(asset)}
DEFAULT_SERIES = CATALOGUE["KXBTC15M"]


def spec_of(ticker: str) -> SeriesSpec:
    """What the catalogue says of a series. Raises UnknownSeries."""
    if ticker not in CATALOGUE:
        raise UnknownSeries(f"no series {ticker}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[ticker]


def chosen(tickers: tuple[str, ...], table: Timetable) -> tuple[SeriesSpec, ...]:
    """The named series by this timetable, each once. Raises UnknownSeries."""
    return tuple(_by_timetable(spec_of(ticker), table) for ticker in dict.fromkeys(tickers))


@lru_cache(maxsize=64)
def _fee_terms(fee_type: str, multiplier: float) -> FeeTerms:
    return FeeTerms(fee_type=fee_type, multiplier=round(multiplier * WHOLE))


def _by_timetable(spec: SeriesSpec, table: Timetable) -> SeriesSpec:
    delays = spec.delays.stretched(table.settlement_factor)
    if spec.kind is Kind.WINDOW:
        return replace(
            spec,
            period_seconds=table.window_seconds,
            delays=delays,
            strike_delay_ms=round(table.strike_delay_seconds * 1000),
            strike_jitter_ms=round(table.strike_jitter_seconds * 1000),
        )
    return replace(
        spec,
        period_seconds=table.ladder_seconds,
        strikes=table.ladder_strikes,
        delays=delays,
        custom_strikes=spec.custom_strikes and not table.plain_strikes,
    )
