"""What a market becomes when the venue's socket speaks of it, and how long that stands against a list; it guesses nothing.

A list may be read from a store that is older than the message, so for a while the message wins; after that the list is
the venue's word like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from recio.messages.markets import FROM_ABOVE, FROM_BELOW, Market, MarketSays, MarketStatus, StrikeType
from recio.rules.market.contract_terms import why_untradable
from recio.units import Ticker

LISTS_LAG = 30.0
"""Host seconds by which a list may lag behind the socket: it may be cached for 15 s, and status lags as long again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """All that the socket said of one market, the newest word on each point."""

    says: MarketSays
    at: float
    """Of the newest word, in host seconds that only grow."""
    earlier: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    """The points of which the newest word said nothing, and when something was said of each."""

    def after(self, says: MarketSays, at: float) -> Heard:
        newer = _told(says)
        known = dict.fromkeys(_told(self.says), self.at) | dict(self.earlier)
        earlier = tuple((name, when) for name, when in known.items() if name not in newer)
        return Heard(replace(self.says, **newer), at, earlier)

    def without_result(self) -> Heard:
        """The market was determined anew, and neither side won: what was said of a winner before counts no longer."""
        return replace(self, says=replace(self.says, result=None))

    def after_silence(self) -> Heard:
        """A result may have been corrected since, and a market that had stopped may go on: lists have the word."""
        stopped = self.says.status is MarketStatus.INACTIVE
        return replace(
            self, says=replace(self.says, result=None, status=None if stopped else self.says.status)
        )

    def against_a_list(self, read_at: float) -> MarketSays:
        """What stands against a list whose read began then: a word that is older than lists may lag stands no longer,
        whatever else was said since."""
        if read_at - self.at > LISTS_LAG:
            return MarketSays()
        old: dict[str, Any] = {name: None for name, when in self.earlier if read_at - when > LISTS_LAG}
        return replace(self.says, **old)


def _told(says: MarketSays) -> dict[str, Any]:
    return {each.name: said for each in fields(says) if (said := getattr(says, each.name)) is not None}


def with_news(market: Market, says: MarketSays, index_id: str) -> Market:
    """The market as the venue's message has it. Terms that were understood are read again where they moved; a strike
    that could not be read is a doubt about this market until a list or another message says otherwise."""
    floor, cap = says.strikes or (market.floor_strike, market.cap_strike)
    moved = replace(
        market,
        status=says.status or market.status,
        close_time=says.close_time or market.close_time,
        strike_type=says.strike_type or market.strike_type,
        floor_strike=floor,
        cap_strike=cap,
        price_ranges=says.price_ranges or market.price_ranges,
    )
    if says.unread:
        return replace(moved, untradable=says.unread)
    if market.untradable or _terms(moved) == _terms(market):
        return moved
    return replace(moved, untradable=terms_fault(moved, index_id))


def as_listed(
    listed: Market,
    known: Mapping[Ticker, Market],
    heard: Mapping[Ticker, Heard],
    read_at: float,
    index_id: str,
) -> Market:
    """The market of a list whose read began at `read_at`, with what the list may not know yet."""
    market, news = _with_strike(listed, known.get(listed.ticker)), heard.get(listed.ticker)
    return market if news is None else with_news(market, news.against_a_list(read_at), index_id)


def _with_strike(market: Market, before: Market | None) -> Market:
    """A strike is set once: where none is said, a cache kept that since before, and the terms that were known stand.

    What the socket said of it does not outlive a restart, and the stop of a position needs it."""
    if before is None or before.strike_type is StrikeType.UNSET or before.open_time != market.open_time:
        return market
    if market.strike_type is not StrikeType.UNSET or market.untradable:
        return market
    return replace(
        market,
        strike_type=before.strike_type,
        floor_strike=before.floor_strike,
        cap_strike=before.cap_strike,
        rules_primary=before.rules_primary,
        rules_secondary=before.rules_secondary,
        untradable=before.untradable,
    )


def after_silence(market: Market) -> Market:
    """The market once a message about it may have been missed: whether one that had stopped goes on is unknown."""
    return replace(market, status=MarketStatus.UNKNOWN) if market.status is MarketStatus.INACTIVE else market


def terms_fault(market: Market, index_id: str) -> str:
    """Why the text does not say what we price. A market whose strike is not set cannot be traded anyway, and its text
    may not name it yet."""
    kind, floor, cap = market.strike_type, market.floor_strike, market.cap_strike
    if (
        kind is StrikeType.UNSET
        or (floor is None and kind in FROM_ABOVE)
        or (cap is None and kind in FROM_BELOW)
    ):
        return ""
    return why_untradable(
        market.rules_primary,
        index_id=index_id,
        strike_type=kind,
        floor=floor,
        cap=cap,
        open_time=market.open_time,
        close_time=market.close_time,
    )


def _terms(market: Market) -> tuple[object, ...]:
    return market.strike_type, market.floor_strike, market.cap_strike, market.close_time
