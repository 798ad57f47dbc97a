"""Sets up the spot venues beside the exchange for the indices it runs; it serves nobody itself."""

from __future__ import annotations

from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.spot import coinbase_frames, kraken_frames
from recio.exchange_sim.spot.coinbase import coinbase_feed
from recio.exchange_sim.spot.feeds import Feeds
from recio.exchange_sim.spot.kraken import kraken_feed
from recio.exchange_sim.wire.ws.index_frames import levels


def spot_feeds(venue: Venue, faults: Faults, seed: int) -> Feeds:
    """Both venues, each with a market for every index of the exchange."""
    coinbase, kraken = coinbase_feed(faults), kraken_feed(faults)
    known = levels(venue)
    for feed, listings in ((coinbase, coinbase_frames.LISTINGS), (kraken, kraken_frames.LISTINGS)):
        for listing in listings:
            if listing.index_id in known:
                feed.add(listing, seed, level=known[listing.index_id], now_ms=venue.now_ms)
    return Feeds([coinbase, kraken])
