"""What the rows say of backups and drills, and the server of the stream of changes; no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from recio.messages.past_account import BroughtIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The newest attempts of one kind. All times by the clock of the machine that runs recio's database."""

    good_at: datetime | None = None
    """When the newest that is whole, or proven, was; None: there is none."""
    failed_at: datetime | None = None
    """When the newest attempt failed; None: it did not."""
    why: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSeen:
    """The server's own word on the stream of changes."""

    is_received: bool
    """Whether somebody follows it now."""
    is_lost: bool
    """Whether the server gave up keeping what was not received."""
    waiting_bytes: int
    """Of changes, on the server's disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCopySeen:
    """How far the stream is in a bucket. All times by the database's clock."""

    place: str
    noted_at: datetime
    reaches_at: datetime | None
    """What was committed by then is there; None: nothing is."""
    waiting: int
    """Full files that are not there yet."""
    why: str
    """Why the newest try failed; empty: it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupsSeen:
    asked_at: datetime
    """By the database's clock, as every time here."""
    since: datetime | None
    """When a daemon first used this database."""
    backup: Tried
    drill: Tried
    rto_seconds: Decimal | None
    """Of the newest drill that proved everything."""
    rpo_seconds: Decimal | None
    stream: StreamSeen | None
    """None: no stream was ever begun."""
    copy: StreamCopySeen | None = None
    """None: the stream was never sent to a bucket."""
    brought_in: BroughtIn | None = None
    """Of the newest restore; None: this database was never restored."""
