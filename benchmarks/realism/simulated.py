"""Tapes of simulated windows, run in this process without wires, as fast as they go; nobody trades in them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.realism.tapes import Change, Spot, Take, Tape
from recio.exchange_sim.engine.book import Book, Resting
from recio.exchange_sim.engine.events import BookChanged, Event, Trade
from recio.exchange_sim.market.events import MarketDetermined
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.spot.spot_market import Listing, SpotMarket

WINDOW_MS = 900_000
START_MS = 1_779_000_300_000 // WINDOW_MS * WINDOW_MS
SPOT_STEP_MS = 50
SPOT = Listing(name="BTC-USD", index_id="BRTI", decimals=2, trades_per_second=6.0)


def tapes(*, seed: int, windows: int) -> Iterator[Tape]:
    """So many windows one after another, each from three seconds after its opening."""
    sim = Simulation(
        seed=seed,
        instance=f"realism {seed}",
        now_ms=START_MS,
        series=("KXBTC15M",),
        balance=0,
        user_id="nobody",
        traders=True,
    )
    index = sim.listings.indices["BRTI"]
    spot = SpotMarket(SPOT, f"{seed}:coinbase", level=index.value_e8, now_ms=START_MS)
    for number in range(windows):
        yield _window(sim, spot, START_MS + number * WINDOW_MS)


def _window(sim: Simulation, spot: SpotMarket, open_ms: int) -> Tape:
    index = sim.listings.indices["BRTI"]
    events: list[Event] = []
    prints: list[Spot] = []
    ahead: list[float] = []
    market: Market | None = None
    for now_ms in range(open_ms + SPOT_STEP_MS, open_ms + WINDOW_MS + SPOT_STEP_MS, SPOT_STEP_MS):
        sim.advance(now_ms, most_steps=1_000_000)
        events += sim.venue.collect()
        if market is None:
            market = sim.calendar.open_market()
            ahead = [] if market is None else _places_of_cancelled(market)
        spot.level = index.value_e8
        step = spot.step(now_ms, with_book=False)
        prints += [Spot(trade.now_ms, trade.price / 100) for trade in step.trades]
    assert market is not None
    assert market.strike is not None
    sim.advance(open_ms + WINDOW_MS + 2_000, most_steps=1_000_000)
    after = sim.venue.collect()
    determined = [each for each in after if isinstance(each, MarketDetermined) and each.market is market]
    assert determined
    return Tape(
        ticker=market.ticker,
        close_ms=market.close_ms,
        strike=market.strike / 100,
        yes=market.result == "yes",
        changes=[
            Change(each.now_ms, each.bid, each.price, each.delta)
            for each in events
            if isinstance(each, BookChanged) and each.market is market
        ],
        spot=prints,
        takes=[
            Take(each.now_ms, each.price, each.quantity, each.taker_bid)
            for each in events
            if isinstance(each, Trade) and each.market is market
        ],
        cancelled_ahead=ahead,
    )


def _places_of_cancelled(market: Market) -> list[float]:
    """Fills while the market lives: of each order cancelled among several, which part of the others was before it."""
    places: list[float] = []
    book = market.book
    assert isinstance(book, Book)
    cancel = book.cancel

    def observed(order: Resting) -> int:
        keys = list(book.side(bid=order.bid).levels[order.price])
        if len(keys) > 1:
            places.append(keys.index(order.key) / (len(keys) - 1))
        return cancel(order)

    book.cancel = observed
    return places
