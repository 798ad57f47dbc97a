"""The lists of the past: which there are, of which kinds, and what each column holds in which unit; it reads no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from recio.report.past_trades import Kind

EVERY = frozenset(Kind)
REAL = frozenset({Kind.REAL})
SHADOW = frozenset({Kind.SHADOW})
IMPORTED = frozenset({Kind.IMPORTED})
NONE = frozenset[Kind]()
OWN = REAL | SHADOW


class Of(StrEnum):
    """What a column holds: unit and shape."""

    ID = "id"
    WORD = "word"
    """One of a few words."""
    NOTE = "note"
    """Words of somebody."""
    TIME = "time"
    """UTC."""
    DOLLARS = "dollars"
    PRICE = "price"
    """Dollars for one contract, of the side held unless the title says YES."""
    CONTRACTS = "contracts"
    COUNT = "count"
    PROBABILITY = "probability"
    """0 to 1."""
    TRADE = "trade"
    """Number of a trade, which has a story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    title: str
    of: Of
    kinds: frozenset[Kind] = EVERY
    """Of which kinds anything is known of it."""
    shown: frozenset[Kind] = EVERY
    """Of which kinds the page has it in its table; files and JSON have every column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastList:
    name: str
    title: str
    kinds: frozenset[Kind]
    time: str
    """The column that since and until bound, and that it is sorted by unless something else is asked for."""
    columns: tuple[Column, ...]
    picks: Mapping[str, tuple[str, ...]]
    """Columns that a word chooses by, each with its words."""
    searched: tuple[str, ...]
    """Columns that text is looked for in."""
    reserved: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Words of a column whose rows are for operators alone."""

    def columns_of(self, kind: Kind) -> tuple[Column, ...]:
        return tuple(each for each in self.columns if kind in each.kinds)

    def has(self, name: str) -> bool:
        return any(each.name == name for each in self.columns)


def _column(
    name: str, title: str, of: Of, kinds: frozenset[Kind] = EVERY, *, shown: frozenset[Kind] = EVERY
) -> Column:
    return Column(name=name, title=title, of=of, kinds=kinds, shown=shown)


_TRADES = PastList(
    name="trades",
    title="Trades",
    kinds=EVERY,
    time="closed_at",
    columns=(
        _column("kind", "Kind", Of.WORD, shown=NONE),
        _column("number", "Trade", Of.TRADE),
        _column("strategy", "Strategy", Of.WORD),
        _column("ticker", "Market", Of.ID),
        _column("side", "Side", Of.WORD),
        _column("quantity", "Contracts", Of.CONTRACTS),
        _column("entry_price", "Paid each", Of.PRICE),
        _column("entry_cost", "Paid", Of.DOLLARS),
        _column("exit_proceeds", "Received", Of.DOLLARS, shown=NONE),
        _column("payout", "Paid out", Of.DOLLARS, shown=NONE),
        _column("fees", "Fees", Of.DOLLARS),
        _column("net_pnl", "Net", Of.DOLLARS),
        _column("opened_at", "Opened (UTC)", Of.TIME, shown=NONE),
        _column("closed_at", "Ended (UTC)", Of.TIME),
        _column("ended_by", "Ended by", Of.WORD),
        _column("exit_reason", "Exit", Of.WORD),
        _column("probability", "Model", Of.PROBABILITY, OWN, shown=NONE),
        _column("why", "Why bought", Of.NOTE, OWN),
        _column("outcome", "Outcome", Of.WORD, shown=NONE),
    ),
    picks={"outcome": ("won", "lost", "even", "held", "unknown"), "side": ("yes", "no")},
    searched=("number", "ticker", "strategy", "why"),
)
_ORDERS = PastList(
    name="orders",
    title="Orders",
    kinds=REAL | IMPORTED,
    time="written_at",
    columns=(
        _column("written_at", "Written (UTC)", Of.TIME),
        _column("ticker", "Market", Of.ID),
        _column("trade", "Trade", Of.TRADE, REAL),
        _column("strategy", "Strategy", Of.WORD, REAL),
        _column("purpose", "Purpose", Of.WORD, REAL),
        _column("action", "Action", Of.WORD, IMPORTED),
        _column("side", "Side", Of.WORD),
        _column("limit", "Limit", Of.PRICE, REAL),
        _column("quantity", "Contracts", Of.CONTRACTS, REAL),
        _column("filled", "Filled contracts", Of.CONTRACTS),
        _column("state", "State", Of.WORD),
        _column("cost", "Cost", Of.DOLLARS, IMPORTED),
        _column("fees", "Fees", Of.DOLLARS),
        _column("ended_at", "Ended (UTC)", Of.TIME, REAL, shown=NONE),
        _column("ask", "Best ask", Of.PRICE, REAL, shown=NONE),
        _column("model_value", "Model value", Of.PROBABILITY, REAL, shown=NONE),
        _column("note", "What was said", Of.NOTE, REAL),
        _column("client_order_id", "Our id", Of.ID, REAL),
        _column("venue_order_id", "Venue's id", Of.ID, shown=IMPORTED),
    ),
    picks={
        "state": (
            "pending", "unknown", "resting", "filled", "cancelled", "rejected", "not_found", "executed", "canceled",
        ),
        "purpose": ("entry", "exit"),
        "side": ("yes", "no"),
    },
    searched=("ticker", "client_order_id", "venue_order_id", "note"),
)  # fmt: skip
_FILLS = PastList(
    name="fills",
    title="Fills",
    kinds=REAL | IMPORTED,
    time="at",
    columns=(
        _column("at", "At (UTC)", Of.TIME),
        _column("ticker", "Market", Of.ID),
        _column("trade", "Trade", Of.TRADE, REAL),
        _column("strategy", "Strategy", Of.WORD, REAL),
        _column("purpose", "Purpose", Of.WORD, REAL),
        _column("action", "Action", Of.WORD, IMPORTED),
        _column("side", "Side", Of.WORD),
        _column("quantity", "Contracts", Of.CONTRACTS),
        _column("price", "Price", Of.PRICE),
        _column("amount", "Amount", Of.DOLLARS),
        _column("fee", "Fee", Of.DOLLARS),
        _column("liquidity", "Liquidity", Of.WORD, REAL),
        _column("book_side", "Book side", Of.WORD, REAL, shown=NONE),
        _column("yes_price", "YES price", Of.PRICE, REAL, shown=NONE),
        _column("doubtful", "Time in doubt", Of.WORD, IMPORTED, shown=NONE),
        _column("fill_id", "Fill", Of.ID),
        _column("client_order_id", "Our order", Of.ID, REAL, shown=NONE),
        _column("venue_order_id", "Venue's order", Of.ID, shown=NONE),
    ),
    picks={"purpose": ("entry", "exit"), "side": ("yes", "no"), "liquidity": ("taken", "made")},
    searched=("ticker", "fill_id", "client_order_id", "venue_order_id"),
)
_SETTLEMENTS = PastList(
    name="settlements",
    title="Settlements",
    kinds=EVERY,
    time="settled_at",
    columns=(
        _column("settled_at", "Settled (UTC)", Of.TIME),
        _column("ticker", "Market", Of.ID),
        _column("result", "Result", Of.WORD),
        _column("value", "YES paid", Of.PRICE),
        _column("trade", "Trade", Of.TRADE, OWN),
        _column("strategy", "Strategy", Of.WORD, OWN),
        _column("side", "Held", Of.WORD, OWN),
        _column("payout", "Paid out", Of.DOLLARS, OWN),
        _column("net_pnl", "Net of the trade", Of.DOLLARS, OWN),
        _column("yes_quantity", "YES contracts", Of.CONTRACTS, IMPORTED),
        _column("yes_cost", "YES cost", Of.DOLLARS, IMPORTED),
        _column("no_quantity", "NO contracts", Of.CONTRACTS, IMPORTED),
        _column("no_cost", "NO cost", Of.DOLLARS, IMPORTED),
        _column("revenue", "Venue paid", Of.DOLLARS, REAL | IMPORTED),
        _column("fees", "Fees", Of.DOLLARS, IMPORTED),
        _column("settled_by", "Settled by", Of.WORD, REAL),
        _column("revision", "Word of the venue", Of.COUNT, REAL, shown=NONE),
    ),
    picks={"result": ("yes", "no", "scalar")},
    searched=("ticker",),
)
_ALERTS = PastList(
    name="alerts",
    title="Alerts",
    kinds=REAL,
    time="began_at",
    columns=(
        _column("began_at", "Began (UTC)", Of.TIME),
        _column("severity", "Severity", Of.WORD),
        _column("state", "State", Of.WORD),
        _column("cause", "Cause", Of.NOTE),
        _column("sentence", "What was told", Of.NOTE),
        _column("resolution", "What to do", Of.NOTE, shown=NONE),
        _column("told", "Told, times", Of.COUNT),
        _column("told_at", "Told last (UTC)", Of.TIME, shown=NONE),
        _column("ended_at", "Ended (UTC)", Of.TIME),
        _column("acknowledged_by", "Looked after by", Of.WORD),
        _column("messages", "Messages with these words", Of.NOTE),
        _column("alert_id", "Alert", Of.ID, shown=NONE),
    ),
    picks={"severity": ("critical", "warning", "info"), "state": ("on", "looked after", "over")},
    searched=("cause", "sentence", "acknowledged_by", "alert_id"),
)
_MESSAGES = PastList(
    name="messages",
    title="Messages",
    kinds=REAL,
    time="at",
    columns=(
        _column("at", "Due (UTC)", Of.TIME),
        _column("channel", "Channel", Of.WORD),
        _column("severity", "Severity", Of.WORD),
        _column("state", "State", Of.WORD),
        _column("attempts", "Attempts", Of.COUNT),
        _column("done_at", "Done (UTC)", Of.TIME),
        _column("text", "Text", Of.NOTE),
        _column("why", "Why not, or not yet", Of.NOTE),
        _column("delivery_id", "Message", Of.ID, shown=NONE),
    ),
    picks={"severity": ("critical", "warning", "info"), "state": ("waiting", "sent", "failed")},
    searched=("channel", "text", "why", "delivery_id"),
)
_ACTIONS = PastList(
    name="actions",
    title="Actions",
    kinds=REAL,
    time="at",
    columns=(
        _column("at", "At (UTC)", Of.TIME),
        _column("by", "Who", Of.WORD),
        _column("what", "What", Of.WORD),
        _column("subject", "Of what", Of.NOTE),
        _column("from", "From", Of.WORD),
        _column("to", "To", Of.WORD),
        _column("why", "Why", Of.NOTE),
        _column("trade", "Trade", Of.TRADE),
        _column("ticker", "Market", Of.ID),
        _column("run", "Run", Of.COUNT, shown=NONE),
        _column("detail", "Whole row", Of.NOTE, shown=NONE),
        _column("seq", "Row", Of.COUNT, shown=NONE),
    ),
    picks={
        "what": (
            "halt set", "halt cleared", "switch turned", "limit granted", "limit changed", "limit lowered", "trade asked for",
            "close asked for", "settled by hand", "settings changed", "asked on the page", "logged in", "session ended",
            "passkey made", "passkey removed", "push subscribed", "push ended",
        )
    },
    searched=("by", "what", "ticker", "detail"),
    # Who comes in from where is no reader's business, as in the list of sessions.
    reserved={
        "what": ("logged in", "session ended", "passkey made", "passkey removed", "push subscribed", "push ended")
    },
)  # fmt: skip
LISTS: Mapping[str, PastList] = {
    each.name: each for each in (_TRADES, _ORDERS, _FILLS, _SETTLEMENTS, _ALERTS, _MESSAGES, _ACTIONS)
}
