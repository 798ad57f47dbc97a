"""What stops entries: blocks, halts, switches, and what was done about a halt at the venue; exits never look at it but for a flatten."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from recio.units import Price, Ticker, TradeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A computed condition that stops entries as long as it holds, and clears by itself."""

    condition: str
    detail: str
    clears: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RootCause:
    """What lies behind one or several blocks, for whoever reads the page."""

    cause: str
    sentence: str
    consequences: tuple[str, ...]
    """The conditions of the blocks that follow from it."""
    since: datetime


class HaltLevel(StrEnum):
    """How hard a halt stops."""

    HALT = "halt"
    """No entries; exits go on by their own rule."""
    FLATTEN = "flatten"
    """No entries, and everything held is sold as long as its market is open."""
    STOP = "stop"
    """No entries, and the daemon ends and does not start again until somebody resumes."""


BY_COMMAND = " by command"
"""What follows "halted", "flattened" or "stopped" in the cause of a halt that somebody typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A row that stops entries until somebody clears it; a restart does not."""

    cause: str
    since: datetime
    by: str
    resolution: str
    level: HaltLevel = HaltLevel.HALT
    halt_id: int = 0
    """Of its row; 0 while it has none yet."""

    @property
    def reason(self) -> str:
        return halt_reason(self.cause, self.by)


def halt_reason(cause: str, by: str) -> str:
    """Why, for a sentence that says already that it is a halt: "I want to look (by Ann)" of one that somebody typed."""
    typed, by_command, why = cause.partition(BY_COMMAND)
    if not by_command or " " in typed:
        return cause
    why = why.removeprefix(": ")
    return f"{why} (by {by})" if why else f"by {by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRequest:
    """Somebody halts from outside the database: by the page or by a signal."""

    level: HaltLevel
    cause: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """Somebody clears, on the page, the halts that were shown there, and none that came since."""

    causes: tuple[str, ...]
    by: str
    at: datetime
    since: tuple[datetime, ...] = ()
    """When each of them began, to the millisecond, as it was shown; empty: whichever of these causes are in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltVerification:
    """What was done at the venue about a halt, and when it was seen to be so; seconds since its row was written."""

    halt_id: int
    cancelled: int
    """Resting orders of ours that were cancelled for it."""
    verified_after: float | None = None
    """Until a listing newer than the halt showed nothing of ours resting."""
    flat_after: float | None = None
    """Until nothing was held any more; asked only where everything is to be sold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupReady:
    """The venue's own stop on entries: an order that carries this id is refused once the group is triggered."""

    group_id: str
    exchange_index: int | None


class Switch(StrEnum):
    """What a person may switch off by itself; the program never switches anything."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchedOff:
    switch: Switch
    since: datetime
    by: str
    why: str
    strategy: str = ""
    """Whose entries; empty: those of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerLimit:
    """A limit that a person lowered since the daemon was started."""

    name: str
    amount: Decimal
    """In the limit's own unit: dollars, contracts, trades or orders, as its name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    """A person wants this trade sold; it holds until it has ended."""

    trade_id: TradeId
    floor: Price | None
    """The least to accept for one contract; None: down to the lowest price of the market."""
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRequest:
    """A person wants this market settled, because what the venue says of its end cannot be read or does not come."""

    request_id: int
    ticker: Ticker
    value: Price
    """What one contract of YES pays."""
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingControls:
    """Everything that stops entries now, and what a person wants sold; nothing here ever holds an exit back but its switch."""

    blocks: tuple[Block, ...] = field(default=())
    halts: tuple[Halt, ...] = field(default=())
    causes: tuple[RootCause, ...] = field(default=())
    """Of the blocks, the deepest first."""
    vouched_until: datetime | None = None
    """After this moment nobody has looked lately, and nothing may be opened; None: it is not dated."""
    switched_off: tuple[SwitchedOff, ...] = field(default=())
    closes: tuple[CloseRequest, ...] = field(default=())
    """Of live trades."""
    parted: tuple[str, ...] = field(default=())
    """Strategies whose paper and live part beyond chance."""
    lowered: tuple[LowerLimit, ...] = field(default=())

    def close_of(self, trade_id: TradeId) -> CloseRequest | None:
        return next((each for each in self.closes if each.trade_id == trade_id), None)

    def off(self, switch: Switch, strategy: str = "") -> SwitchedOff | None:
        """The switch of everything, or of the entries of one strategy beside it."""
        return next(
            (each for each in self.switched_off if each.switch is switch and each.strategy in ("", strategy)),
            None,
        )

    @property
    def flatten(self) -> Halt | None:
        """The halt by which everything held must be sold, if there is one."""
        return next((each for each in self.halts if each.level is HaltLevel.FLATTEN), None)
