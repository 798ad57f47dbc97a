"""What the interface takes and gives, as models: validation, the OpenAPI document and the page's own reading come from them alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from recio.report.past_trades import Kind
from recio.web.logins import LONGEST_PASSWORD, Role

DEEPEST = 100_000
NUMBER_AT_MOST = 2**53
DATED = re.compile(r"\d{4}-\d\d-\d\d([Tt ].+)?")
LINE = "^[^\\x00-\\x1f\\x7f]*$"
"""One line of text, without signs that no database takes."""


def _whole(value: Any) -> Any:
    """1.0 is a whole number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dated(value: Any) -> Any:
    if isinstance(value, str) and not DATED.fullmatch(value):
        raise ValueError("write 2026-11-01 or 2026-11-01T15:00:00Z")
    return value


Number = Annotated[int, Field(ge=1, le=NUMBER_AT_MOST), BeforeValidator(_whole)]
Moment = Annotated[datetime | date, BeforeValidator(_dated)]
TickerText = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]


class Taken(BaseModel):
    """What comes in: nothing that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(BaseModel):
    """What goes out. A key may be added within a version, and none taken away."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Nothing(Taken):
    """No query, no body, or no part of a path."""


class Fault(Given):
    error: str
    """What is wrong, naming the field, the value and the fix."""


class Credentials(Taken):
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]
    password: Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]


class Me(Given):
    """Who asks, and what may be asked."""

    name: str | None
    role: Role | None
    by: Literal["loopback", "session", "token"] | None
    is_local: bool
    """At this machine, where the token in the file halt-token makes an operator."""
    csrf: str | None
    """To be sent back as X-CSRF-Token with each act of this session."""
    ends_at: datetime | None


Encoded = Annotated[str, Field(min_length=1, max_length=16_384, pattern="^[A-Za-z0-9_-]+$")]
"""Bytes as base64url without padding."""


class Asking(Given):
    """What a browser's navigator.credentials takes, by its JSON."""

    options: dict[str, Any]


class NewPasskey(Taken):
    credential: Encoded
    client_data: Encoded
    attestation: Encoded
    label: Annotated[str, Field(max_length=64, pattern=LINE)] = ""


class PasskeyAnswer(Taken):
    credential: Encoded
    client_data: Encoded
    authenticator_data: Encoded
    signature: Encoded


class PasskeyRow(Given):
    passkey_id: int
    label: str
    made_at: datetime
    used_at: datetime | None


class Passkeys(Given):
    passkeys: list[PasskeyRow]


class PasskeyPath(Taken):
    passkey_id: Number


class SessionRow(Given):
    session_id: int
    login: str
    address: str
    began_at: datetime
    ends_at: datetime
    is_this: bool


class Sessions(Given):
    sessions: list[SessionRow]


class SessionPath(Taken):
    session_id: Number


class Ended(Given):
    ended: bool
    """False where it was over before."""


class StatusQuery(Taken):
    board: Literal["near", "all"] = "near"


class Status(Given):
    """All that recio shows; decimals are strings, times RFC 3339, and null is unknown."""

    mode: str
    environment: str
    account: str
    version: str
    now: datetime
    started_at: datetime
    clock_speed: float
    ready: bool
    reasons: list[str]
    halts: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    causes: list[dict[str, Any]]
    switches: dict[str, bool]
    tasks: dict[str, Any]
    queues: dict[str, Any]
    prices: list[dict[str, Any]]
    venue: dict[str, Any]
    board: list[dict[str, Any]]
    board_total: int
    strategies: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    positions: dict[str, Any] | None
    trades: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    pnl: dict[str, Any]
    account_read: dict[str, Any] | None = None
    """age_seconds since the venue was asked for cash and positions; null: not yet."""
    alerts: dict[str, Any]


class TradesQuery(Taken):
    kind: Kind = Kind.REAL
    mode: Literal["prod", "demo"] = "prod"
    """Of imported trades: the account mode that the old system ran in."""
    since: Moment | None = None
    """Of their end, in UTC where no zone is said."""
    until: Moment | None = None
    strategy: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    ticker: TickerText | None = None
    """What their tickers begin with."""
    offset: Annotated[int, Field(ge=0, le=DEEPEST)] = 0


class TradeRow(Given):
    kind: Kind
    number: str
    strategy: str
    ticker: str
    side: Literal["yes", "no"]
    quantity: DecimalText
    entry_price: DecimalText | None
    entry_cost: DecimalText | None
    exit_proceeds: DecimalText | None
    payout: DecimalText | None
    fees: DecimalText | None
    net_pnl: DecimalText | None
    opened_at: datetime | None
    closed_at: datetime | None
    ended_by: str | None
    exit_reason: str | None
    probability: DecimalText | None
    why: str


class Trades(Given):
    trades: list[TradeRow]
    offset: int
    more: bool


class StoryPath(Taken):
    kind: Literal["real", "shadow"]
    number: Number


class FillTold(Given):
    fill_id: str
    at: datetime
    price: DecimalText
    """Dollars for one contract of the side held."""
    quantity: DecimalText
    fee: DecimalText
    is_taker: bool


class OrderTold(Given):
    """Prices are dollars for one contract of the side held."""

    client_order_id: str
    venue_order_id: str | None
    purpose: Literal["entry", "exit"]
    state: str
    limit: DecimalText
    quantity: DecimalText
    filled: DecimalText
    ask: DecimalText | None
    """The best when it was decided; null for exits."""
    model_value: DecimalText | None
    why: str | None
    written_at: datetime
    """Before it was sent."""
    answered_at: datetime | None
    ended_at: datetime | None
    note: str
    fees: DecimalText
    fills: list[FillTold]
    run: int
    version: str


class Step(Given):
    """One row of the audit log."""

    at: datetime
    what: str
    client_order_id: str | None
    detail: dict[str, str]


class ReplayAt(Given):
    """Where the recording has the moment at which the trade was decided."""

    file: str
    began_at: datetime
    seconds_into: float
    command: str


class Story(Given):
    """A trade from what was seen to how it ended; dollars are decimal strings, and null is unknown or not yet."""

    kind: Kind
    number: str
    strategy: str
    ticker: str
    event_ticker: str
    rules: str | None
    side: Literal["yes", "no"]
    state: str
    decided_at: datetime
    closes_at: datetime
    ended_at: datetime | None
    why_bought: str
    seen: dict[str, str]
    """What the decision saw, by name."""
    bought: DecimalText
    paid: DecimalText
    sold: DecimalText
    received: DecimalText
    payout: DecimalText | None
    fees: DecimalText
    net_pnl: DecimalText | None
    why_sold: list[str]
    """Of each exit order, in their order."""
    ended_by: str | None
    result: str | None
    settled_at: datetime | None
    settled_by: str | None
    orders: list[OrderTold]
    steps: list[Step]
    is_cut: bool
    """More rows may be there than are told."""
    replay: ReplayAt | None


class DayRow(Given):
    day: date
    net_pnl: DecimalText
    fees: DecimalText
    wins: int
    losses: int


class Days(Given):
    days: list[DayRow]


class ParityRow(Given):
    day: date
    strategy: str
    trades: int
    compared: int
    decided_otherwise: int
    pnl_difference: DecimalText
    parted: bool


class Parity(Given):
    """Live beside paper; money is live less paper."""

    days: list[ParityRow]


class LogLine(Given):
    level: str
    line: str


class Log(Given):
    lines: list[LogLine]


def moment(value: datetime | date | None) -> datetime | None:
    """Aware and in UTC; a day is its first instant."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:  # the first or the last day of the calendar, in a zone beyond it
        return value.replace(tzinfo=UTC)
