"""Candles over REST, live and past: exact, whole, and refused with the field's name when they cannot be."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from recio.daemon.venue import read_credentials, simulated
from recio.errors import Transient
from recio.exchange_sim.credentials import Credentials
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.kalshi import candles, historical, markets
from recio.kalshi.candles import Candle, Ohlc, Span
from recio.kalshi.fees import read_fees
from recio.kalshi.markets import Listing
from recio.kalshi.rest import KalshiRest, VenueRefused
from recio.units import Ticker
from tests.kalshi.local_venue import answers, local_venue

T = Ticker("KX-1")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SPAN = Span(begins=NOW, ends=NOW + timedelta(minutes=5))
QUOTE = {
    name: f"0.5{n}00"
    for n, name in enumerate(("open_dollars", "low_dollars", "high_dollars", "close_dollars"))
}
CANDLE: dict[str, Any] = {
    "end_period_ts": 1_790_000_040,
    "yes_bid": QUOTE,
    "yes_ask": QUOTE,
    "price": QUOTE | {"mean_dollars": "0.512345"},
    "volume_fp": "12.50",
    "open_interest_fp": "3.00",
}


def bare(value: Any) -> Any:
    """The same in the historical tier's names."""
    if not isinstance(value, dict):
        return value
    pairs: dict[str, Any] = value
    return {name.removesuffix("_dollars").removesuffix("_fp"): bare(each) for name, each in pairs.items()}


async def read(*found: dict[str, Any], past: bool = False) -> tuple[Candle, ...]:
    rows = [bare(each) if past else each for each in found]
    async with local_venue(answers(200, json.dumps({"ticker": T, "candlesticks": rows}))) as venue:
        if past:
            return await candles.of_past_market(venue.rest(), T, SPAN)
        return await candles.of_market(venue.rest(), "KX", T, SPAN)


@pytest.mark.parametrize("past", [False, True])
async def test_a_candle_is_read_exactly_and_in_order(past: bool):
    later = CANDLE | {"end_period_ts": CANDLE["end_period_ts"] + 60}
    first, second = await read(later, CANDLE, past=past)
    assert first.price == Ohlc(open=5000, low=5100, high=5200, close=5300)  # type: ignore[arg-type]
    assert (first.volume, first.open_interest) == (1250, 300)
    assert first.ends_at == datetime.fromtimestamp(1_790_000_040, UTC)
    assert second.ends_at - first.ends_at == timedelta(minutes=1)


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("price", [{}, dict.fromkeys(QUOTE), {"previous_dollars": "0.5000"}])
async def test_a_period_without_a_trade_has_no_price(price: dict[str, Any], past: bool):
    (found,) = await read(CANDLE | {"price": price}, past=past)
    assert found.price is None


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"price": {"open_dollars": "0.5000"}}, "price: high and low and close missing"),
        ({"yes_bid": {"open_dollars": "0.5000"}}, "yes_bid"),
        ({"yes_ask": {}}, "yes_ask"),
        ({"yes_ask": QUOTE | {"high_dollars": "0.50001"}}, "yes_ask.high"),
        ({"volume_fp": 12}, "volume"),
        ({"end_period_ts": 10**18}, "end_period_ts"),
    ],
)
async def test_a_candle_that_cannot_be_is_named(changes: dict[str, Any], named: str, past: bool):
    with pytest.raises(Transient, match=named):
        await read(CANDLE | changes, past=past)


async def test_many_markets_are_asked_for_no_more_at_once_than_the_venue_answers():
    body = {"markets": [{"market_ticker": "KX-0", "candlesticks": [CANDLE]}]}
    tickers = [Ticker(f"KX-{n}") for n in range(7)]
    async with local_venue(answers(200, json.dumps(body))) as venue:
        wide = Span(begins=NOW, ends=NOW + timedelta(minutes=3_332))
        found = await candles.of_markets(venue.rest(), tickers, wide)
        asked = [path.partition("market_tickers=")[2].partition("&")[0] for _, path, *_ in venue.requests]
    assert [each.replace("%2C", ",").count(",") + 1 for each in asked] == [3, 3, 1]
    assert list(found) == ["KX-0"]
    with pytest.raises(ValueError, match="10001 candles"):
        too_wide = Span(begins=NOW, ends=NOW + timedelta(minutes=10_000))
        await candles.of_markets(venue.rest(), tickers, too_wide)


async def test_one_market_many_markets_and_the_past_tell_the_same_of_the_same_minutes(tmp_path: Path):
    ready: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()
    settings = ExchangeSettings(
        credentials_dir=tmp_path,
        speed=60.0,
        window_seconds=120,
        align=True,
        timetable=Timetable(history_seconds=300),
    )
    task = asyncio.create_task(serve(settings, started=ready.set_result))
    try:
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        ready.result()
        venue = simulated(read_credentials(tmp_path))
        async with aiohttp.ClientSession() as session:
            rest = KalshiRest(
                session=session,
                base_url=venue.rest_url,
                signer=venue.signer,
                clock=venue.clock,
                timeout_seconds=5,
            )
            with anyio.fail_after(40):
                await _compare(rest)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _compare(rest: KalshiRest) -> None:
    listing = Listing(
        series="KXBTC15M", symbol="BTC", index_id="BRTI", fees=await read_fees(rest, "KXBTC15M")
    )
    market = (await markets.event_markets(rest, listing, rest.clock.utc())).markets[0]
    span = Span(begins=market.open_time, ends=market.close_time)
    while rest.clock.utc() < market.close_time + timedelta(minutes=1):
        await markets.event_markets(rest, listing, rest.clock.utc())
    live = await candles.of_market(rest, "KXBTC15M", market.ticker, span)
    assert len(live) == 2
    assert any(each.price for each in live)
    assert await candles.of_markets(rest, [market.ticker], span) == {market.ticker: live}
    while True:
        border = await historical.cutoff(rest)
        assert border is not None
        if border.markets > market.close_time + timedelta(minutes=1):
            break
    assert await candles.of_past_market(rest, market.ticker, span) == live
    with pytest.raises(VenueRefused):
        await candles.of_market(rest, "KXBTC15M", market.ticker, span)
