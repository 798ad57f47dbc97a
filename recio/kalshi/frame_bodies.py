"""The fields that are needed of each kind of WebSocket frame, in the venue's own names; it never reads bytes."""

from __future__ import annotations

import msgspec

from recio.units import BookSide, Side


class Snapshot(msgspec.Struct):
    market_ticker: str
    yes_dollars_fp: list[tuple[str, str]] | None = None
    no_dollars_fp: list[tuple[str, str]] | None = None
    """Of a side on which nobody bids it has nothing, or null."""


class Delta(msgspec.Struct, gc=False):
    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: Side
    ts_ms: int | None = None


class TopOfBook(msgspec.Struct, gc=False):
    market_ticker: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    ts_ms: int


class Fill(msgspec.Struct):
    trade_id: str
    order_id: str
    market_ticker: str
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    is_taker: bool
    ts_ms: int
    client_order_id: str | None = None
    post_position_fp: str | None = None
    subaccount: int | None = None


class UserOrder(msgspec.Struct):
    order_id: str
    ticker: str
    status: str
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None
    last_update_reason: str | None = None


class Average(msgspec.Struct):
    value: msgspec.Raw
    window_size: msgspec.Raw = msgspec.Raw(b"null")


class Index(msgspec.Struct):
    index_id: str
    data: str
    last_60s_windowed_average_15min: msgspec.Raw = msgspec.Raw(b"null")
    """An Average, or its value alone."""


class FastIndex(msgspec.Struct):
    index_id: str
    value_usd: msgspec.Raw
    source_ts_ms: int


class IndexPrint(msgspec.Struct):
    """What `data` of an index message holds: the index's own message, as text."""

    id: str
    time: int
    value: msgspec.Raw


class About(msgspec.Struct):
    """What a frame is about, if nothing else of it is understood."""

    market_ticker: str | None = None


class SubscribedTo(msgspec.Struct):
    channel: str
    sid: int


class ErrorBody(msgspec.Struct):
    """Why the venue refused a command, or ended a subscription; of any kind each, for an error that is odd is one all the same."""

    code: msgspec.Raw = msgspec.Raw(b"null")
    msg: msgspec.Raw = msgspec.Raw(b"null")


class DeltaFrame(msgspec.Struct, tag_field="type", tag="orderbook_delta", gc=False):
    """A whole frame of the most frequent kind, decoded at once; what does not fit is read as an Envelope."""

    sid: int
    seq: int
    msg: Delta
    id: int | None = None


class TickerFrame(msgspec.Struct, tag_field="type", tag="ticker", gc=False):
    """The next most frequent."""

    msg: TopOfBook
    id: int | None = None
    sid: int | None = None
    seq: int | None = None


class Envelope(msgspec.Struct):
    type: str
    id: int | None = None
    sid: int | None = None
    seq: int | None = None
    msg: msgspec.Raw = msgspec.Raw(b"{}")
    sending_ts_ms: object = None
    """When the venue sent it; of any kind, for it decides nothing."""
