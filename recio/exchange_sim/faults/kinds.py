"""Every kind of fault by name, and which of them requests, sockets or spot feeds meet; it arms nothing."""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """What can go wrong. Host seconds where `seconds` is named; market time never moves for a fault."""

    LOSE_REQUEST = "lose_request"
    """The connection ends before the request is carried out."""
    LOSE_REPLY = "lose_reply"
    """The request is carried out and the connection ends without an answer."""
    DELAY_REPLY = "delay_reply"
    """The request is carried out and answered `seconds` late."""
    DUPLICATE_REPLY = "duplicate_reply"
    """The answer's bytes are sent twice on the connection."""
    TOO_MANY_REQUESTS = "too_many_requests"
    """429, not carried out."""
    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_503 = "error_503"
    ERROR_504 = "error_504"
    """Answered with that status and not carried out; 502 and 504 as a proxy's page of text."""
    RETIRED = "retired"
    """410: this way of asking is no more, not carried out."""
    ERROR_IN_2XX = "error_in_2xx"
    """An error body under a success status, not carried out."""
    TRUNCATED_JSON = "truncated_json"
    """Carried out; the answer's body is cut in the middle although complete by its length."""
    UNKNOWN_FIELD = "unknown_field"
    """Carried out; the answer has a field and a word that nobody has seen before."""
    RESET = "reset"
    """The connection is reset (RST) after the request was read and before it is carried out."""
    FILL_FIRST = "fill_first"
    """An order's fill reaches the sockets `seconds` before its answer."""
    DELAY_REQUEST = "delay_request"
    """The request travels for `seconds`, and is carried out and answered then, whether or not anybody still waits."""
    LATE_REQUEST = "late_request"
    """The connection ends without an answer, and the request is carried out `seconds` later all the same."""
    FAIL_READS = "fail_reads"
    """Every read whose path begins with `path` gets `status`, until disarmed: 0 never answers, 200 answers in the
    `manner` named: no_json, cut, null, nulls, strange, stale or turned."""
    LAG_READS = "lag_reads"
    """For `seconds`, account reads show the state of `lag_seconds` ago, and user_data_timestamp says so."""

    LAG_SINGLE_READS = "lag_single_reads"
    """For `seconds`, reads of single orders show the state of `lag_seconds` ago while lists show the present."""
    LATENCY = "latency"
    """For `seconds`, every request, answer and frame is under way for about `lag_seconds`, each as long as is drawn."""

    DROP_SOCKETS = "drop_sockets"
    """Every open WebSocket is cut now."""
    SILENCE = "silence"
    """For `seconds` the sockets carry pings and nothing else; what was due is lost."""
    SKIP_SEQ = "skip_seq"
    """The next book messages are numbered and never sent."""
    DUPLICATE_FRAME = "duplicate_frame"
    """The next sequenced frames are sent twice."""
    SWAP_FRAMES = "swap_frames"
    """The next two sequenced frames of a subscription change places."""
    PHANTOM_LEVEL = "phantom_level"
    """The next changes of a book are neither sent nor numbered: a level stays that is not there, without a gap."""
    EMPTY_SNAPSHOT = "empty_snapshot"
    """The next snapshots have no levels."""
    DROP_FILLS = "drop_fills"
    """The next fill messages are never sent."""
    HOLD_FILLS = "hold_fills"
    """Private messages wait `seconds`."""
    SHUFFLE_PRIVATE = "shuffle_private"
    """For `seconds`, each private message waits by itself for up to `lag_seconds`, so that they come in any order."""
    LATE_BOOKS = "late_books"
    """For `seconds`, messages of the books come `lag_seconds` late, whole and in order; all others come in time."""
    CHANNEL_SILENT = "channel_silent"
    """For `seconds` nothing comes on `channel`, and everything on the others; what was due is numbered and lost."""
    STRANGE_FRAME = "strange_frame"
    """The next frames carry an unknown field; one frame of an unknown type is sent before them."""
    CHANNEL_ERROR = "channel_error"
    """The book subscriptions end with error 10."""
    BUFFER_OVERFLOW = "buffer_overflow"
    """The book subscriptions end with error 25."""
    REFUSE_SUBSCRIBE = "refuse_subscribe"
    """The next subscribe commands are answered with error 18."""

    FEED_SILENT = "feed_silent"
    """For `seconds` the spot feed named by `ticker` sends heartbeats and nothing else."""
    FEED_DEAD = "feed_dead"
    """For `seconds` the spot feed named by `ticker` stays connected and sends nothing at all."""
    FEED_FROZEN = "feed_frozen"
    """For `seconds` the spot feed named by `ticker` talks and its prices do not move."""
    FEED_OFF = "feed_off"
    """For `seconds` the prices of the spot feed named by `ticker` are off by `percent`."""

    TRADING_PAUSE = "trading_pause"
    """For `seconds`: no placing or amending, cancels work."""
    EXCHANGE_PAUSE = "exchange_pause"
    """For `seconds`: cancels are refused too."""
    SHARD_OUTAGE = "shard_outage"
    """For `seconds` the crypto shard is down: its requests get 503, its frames stop."""
    DEACTIVATE = "deactivate"
    """The market `ticker` is inactive for `seconds`, then active again, which cancels what rests."""
    EARLY_CLOSE = "early_close"
    """The market `ticker` closes now."""
    MOVE_CLOSE = "move_close"
    """The market `ticker` closes `seconds` later than it would."""
    DELAY_SETTLEMENT = "delay_settlement"
    """Markets that close from now on are determined `seconds` later than usual; `count` events."""
    CORRECT_SETTLEMENT = "correct_settlement"
    """The next determination is wrong, disputed and amended before it is final; `count` events."""
    REVISE_SETTLEMENT = "revise_settlement"
    """The next determination is wrong and paid; `seconds` later it is taken back and paid anew; `count` events."""
    SCALAR_SETTLEMENT = "scalar_settlement"
    """The next determination has no winner: YES is paid `percent` of a dollar, 50 unless given; `count` events."""
    DELAY_STRIKE = "delay_strike"
    """The next windows to open get their strikes `seconds` later than usual; `count` windows."""
    WITHHOLD_STRIKE = "withhold_strike"
    """The next windows to open never get a strike and settle at no; `count` windows."""
    CHANGE_GRID = "change_grid"
    """The market `ticker` changes its price structure while it is open."""


REQUEST_KINDS = frozenset(
    {
        FaultKind.LOSE_REQUEST,
        FaultKind.LOSE_REPLY,
        FaultKind.DELAY_REPLY,
        FaultKind.DUPLICATE_REPLY,
        FaultKind.TOO_MANY_REQUESTS,
        FaultKind.ERROR_500,
        FaultKind.ERROR_502,
        FaultKind.ERROR_503,
        FaultKind.ERROR_504,
        FaultKind.RETIRED,
        FaultKind.ERROR_IN_2XX,
        FaultKind.TRUNCATED_JSON,
        FaultKind.UNKNOWN_FIELD,
        FaultKind.RESET,
        FaultKind.FILL_FIRST,
        FaultKind.DELAY_REQUEST,
        FaultKind.LATE_REQUEST,
    }
)
"""Kinds that one request meets; they are used up in the order they were armed."""

LATE_KINDS = frozenset({FaultKind.DELAY_REQUEST, FaultKind.LATE_REQUEST})
ONLY_IF_ASKED_FOR = LATE_KINDS | {FaultKind.RETIRED}
"""Request kinds that a random stream does not draw by itself."""

PASSING_KINDS = frozenset(
    {
        FaultKind.DROP_SOCKETS,
        FaultKind.SKIP_SEQ,
        FaultKind.PHANTOM_LEVEL,
        FaultKind.DUPLICATE_FRAME,
        FaultKind.SWAP_FRAMES,
        FaultKind.EMPTY_SNAPSHOT,
        FaultKind.DROP_FILLS,
        FaultKind.STRANGE_FRAME,
        FaultKind.CHANNEL_ERROR,
        FaultKind.BUFFER_OVERFLOW,
        FaultKind.REFUSE_SUBSCRIBE,
    }
)
"""Socket kinds that are over once they have happened, so that a random stream may ask for them too."""

FEED_KINDS = frozenset(
    {FaultKind.FEED_SILENT, FaultKind.FEED_DEAD, FaultKind.FEED_FROZEN, FaultKind.FEED_OFF}
)
"""Kinds that last for one spot feed."""


LAGGING_KINDS = frozenset(
    {FaultKind.LAG_READS, FaultKind.LAG_SINGLE_READS, FaultKind.LATE_BOOKS, FaultKind.SHUFFLE_PRIVATE}
)
"""Kinds that make things `lag_seconds` late and are nothing without it."""

LASTING_KINDS = (
    FEED_KINDS
    | LAGGING_KINDS
    | {
        FaultKind.LATENCY,
        FaultKind.SILENCE,
        FaultKind.HOLD_FILLS,
        FaultKind.CHANNEL_SILENT,
        FaultKind.TRADING_PAUSE,
        FaultKind.EXCHANGE_PAUSE,
        FaultKind.SHARD_OUTAGE,
        FaultKind.DEACTIVATE,
        FaultKind.MOVE_CLOSE,
        FaultKind.DELAY_SETTLEMENT,
        FaultKind.DELAY_STRIKE,
    }
)
"""Kinds that last for, or move something by, `seconds` and are nothing without them."""


class RequestKind(StrEnum):
    """Which requests a request fault waits for."""

    ORDERS = "orders"
    """Whatever changes something, order groups aside."""
    GROUPS = "order_groups"
    """Changes of order groups: a client may keep one all the time, and its orders are to meet the fault."""
    READS = "reads"
    ALL = "all"
