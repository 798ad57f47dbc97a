"""Turns messages about the life of markets and events into what they say; what is not understood is left to the lists.

A message that names its market is never refused for the rest: a word that nobody has seen before is a doubt about that
market alone, and the books of all others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from recio import units
from recio.kalshi.amounts import from_unix_ms
from recio.kalshi.frame_bodies import Envelope
from recio.kalshi.frame_kinds import LifecycleSeen
from recio.kalshi.market_bodies import RangeBody, ranges_from_bodies
from recio.kalshi.responses import NOT_DECODABLE
from recio.kalshi.strikes import NONE, Strike, read_strike
from recio.messages.markets import MarketSays, MarketStatus, StrikeType
from recio.units import Side, Ticker

STATUS: Mapping[str, MarketStatus] = {
    "activated": MarketStatus.ACTIVE,
    "deactivated": MarketStatus.INACTIVE,
    "determined": MarketStatus.DETERMINED,
    "settled": MarketStatus.FINALIZED,
}
"""What the venue's word for a move makes of the market. It says nothing of the moves that its clock makes."""
SIDES = {side.value: side for side in Side}


class _Market(msgspec.Struct):
    market_ticker: str
    event_type: str
    result: object = None
    """Anything but yes and no is no result that a trade could end by, and no reason to refuse the message."""


class _Says(msgspec.Struct):
    close_ts: int | None = None
    settled_ts: int | None = None
    strike_type: str | None = None
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    custom_strike: msgspec.Raw = NONE
    price_ranges: list[RangeBody] | None = None


class _Event(msgspec.Struct):
    event_ticker: str


_market = msgspec.json.Decoder(_Market)
_says = msgspec.json.Decoder(_Says)
_event = msgspec.json.Decoder(_Event)


def lifecycle_seen(envelope: Envelope) -> LifecycleSeen:
    """Raises what decoding raises where it does not name its market and what happened."""
    body = _market.decode(envelope.msg)
    result = SIDES.get(body.result) if isinstance(body.result, str) else None
    return LifecycleSeen(
        sid=envelope.sid,
        seq=envelope.seq,
        ticker=Ticker(body.market_ticker),
        kind=body.event_type,
        says=_what_it_says(envelope.msg, body.event_type, result),
    )


def event_seen(envelope: Envelope, kind: str) -> LifecycleSeen:
    """About a whole event: whatever it says must be read again over REST."""
    body = _event.decode(envelope.msg)
    return LifecycleSeen(sid=envelope.sid, seq=envelope.seq, ticker=Ticker(body.event_ticker), kind=kind)


def _what_it_says(raw: msgspec.Raw, kind: str, result: Side | None) -> MarketSays:
    status = STATUS.get(kind)
    try:
        said = _says.decode(raw)
        strike = read_strike(said.strike_type, said.floor_strike, said.cap_strike, said.custom_strike)
        return MarketSays(
            status=status,
            close_time=_time(said.close_ts),
            strike_type=None if strike.kind is StrikeType.UNSET else strike.kind,
            strikes=_strikes(strike),
            unread=strike.why_unread if said.strike_type else None,
            price_ranges=ranges_from_bodies(said.price_ranges) if said.price_ranges else None,
            result=result,
            settled_at=_time(said.settled_ts),
        )
    except (*NOT_DECODABLE, units.UnitError):
        return MarketSays(status=status, result=result)


def _strikes(strike: Strike) -> tuple[Decimal | None, Decimal | None] | None:
    return None if strike.floor is None and strike.cap is None else (strike.floor, strike.cap)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_unix_ms(seconds * 1000)
