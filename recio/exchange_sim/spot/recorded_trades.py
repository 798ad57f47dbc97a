"""The spot feeds beside a recorded session: its trades on the Coinbase feed, and nothing that was not recorded.

The recording has no size and no side of a trade: every match is shown as 0.01 with the resting order on the
buy side. Without recorded trades the feed is held silent by the fault that does so, visible like any other:
heartbeats only. Level channels are empty, and the Kraken feed has no product.
"""

from __future__ import annotations

import time
from decimal import Decimal

from recio.exchange_sim.faults.faults import Fault, Faults
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.recorded.inspection import Recording
from recio.exchange_sim.recorded.spot_rows import SpotRow
from recio.exchange_sim.spot import coinbase_frames
from recio.exchange_sim.spot.feeds import Feed, Feeds
from recio.exchange_sim.spot.kraken import kraken_feed
from recio.exchange_sim.spot.spot_market import Listing, SpotMarket, SpotTrade

SHOWN_SIZE = 1_000_000
"""0.01 of the coin."""
_FOR_EVER = 1e9
_PRICE_DECIMALS = 8


class RecordedSpot:
    """The one product whose trades were recorded."""

    def __init__(self, recording: Recording, faults: Faults, *, now_ms: int) -> None:
        first = recording.first_spot
        index_id = recording.windows[0].spec.asset.index_id
        self._listing = next(each for each in coinbase_frames.LISTINGS if each.index_id == index_id)
        level = 10**_PRICE_DECIMALS if first is None else int(first.price.scaleb(_PRICE_DECIMALS))
        self._feed = Feed(
            coinbase_frames.NAME,
            faults,
            publish=coinbase_frames.publish,
            heartbeat=coinbase_frames.heartbeat,
            books=frozenset(),
        )
        self._feed.add(self._listing, 0, level=level, now_ms=now_ms)
        self._market.recorded = True
        self.feeds = Feeds([self._feed, kraken_feed(faults)])
        if first is None:
            silent = Fault(kind=FaultKind.FEED_SILENT, seconds=_FOR_EVER, ticker=self._feed.name)
            faults.arm(silent, time.time())
            self._feed.quiet = True
        else:
            self._market.repeat(self._trade(first), now_ms)

    @property
    def _market(self) -> SpotMarket:
        return self._feed.markets[self._listing.name]

    def repeat(self, row: SpotRow, now_ms: int) -> None:
        """A recorded trade takes place: what was due before it goes out first."""
        self._feed.run_to(now_ms)
        self._feed.repeat(self._listing.name, self._trade(row), now_ms)

    def _trade(self, row: SpotRow) -> SpotTrade:
        return SpotTrade(
            trade_id=row.trade_id,
            sequence=self._market.sequence + 1,
            price=_in_units(row.price, self._listing),
            size=SHOWN_SIZE,
            buyer_is_maker=True,
            now_ms=int(row.at.timestamp() * 1000),
            kind=row.kind,
            stamp=row.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        )


def _in_units(price: Decimal, listing: Listing) -> int:
    return int(price.scaleb(listing.decimals).to_integral_value())
