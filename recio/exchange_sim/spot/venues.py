"""Sets up the spot venues beside the exchange for the indices it runs, and where they are served; it makes no price."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.spot import coinbase_frames, kraken_frames
from recio.exchange_sim.spot.coinbase import coinbase_feed, coinbase_socket
from recio.exchange_sim.spot.feeds import FEEDS, Feeds
from recio.exchange_sim.spot.kraken import kraken_feed, kraken_socket

COINBASE_PATH = "/coinbase"
KRAKEN_PATH = "/kraken"


def spot_feeds(indices: Mapping[str, IndexPath], faults: Faults, *, seed: int, now_ms: int) -> Feeds:
    """Both venues, each with a market for every index of the exchange."""
    coinbase, kraken = coinbase_feed(faults), kraken_feed(faults)
    for feed, listings in ((coinbase, coinbase_frames.LISTINGS), (kraken, kraken_frames.LISTINGS)):
        for listing in listings:
            if listing.index_id in indices:
                feed.add(listing, seed, level=indices[listing.index_id].exact_e8, now_ms=now_ms)
    return Feeds([coinbase, kraken])


def add_spot_feeds(application: web.Application, feeds: Feeds) -> None:
    """Serve them beside the trading interfaces."""
    application[FEEDS] = feeds
    application.router.add_get(COINBASE_PATH, coinbase_socket)
    application.router.add_get(KRAKEN_PATH, kraken_socket)
