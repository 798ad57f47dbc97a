"""What a frame, or the lack of one, means for the subscriptions of a socket, as data; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from recio.kalshi.commands import Command
from recio.units import Ticker


@dataclass(frozen=True, slots=True)
class InOrder:
    """Nothing to note beyond the frame itself."""


@dataclass(frozen=True, slots=True)
class BookChanged:
    """Its book is another than before, or no longer usable."""

    ticker: Ticker


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel is subscribed, for the first time or anew."""

    channel: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A channel lost messages or ended; its books, if it has any, are unusable. Commands that mend it follow."""

    channel: str
    why: str


@dataclass(frozen=True, slots=True)
class Stray:
    """A frame that must not be used: it came twice, or late, or for a subscription that was given up."""

    why: str


@dataclass(frozen=True, slots=True)
class SubscriptionRefused:
    """A command was refused and not carried out. No channels: an error that answers no command of ours."""

    channels: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The venue sends no frame on this socket any more, though it may ping; only a new socket helps."""

    why: str


Outcome = InOrder | BookChanged | Opened | Broken | Stray | SubscriptionRefused | Dead
Reaction = tuple[Outcome, tuple[Command, ...]]
NO_CHANGE: Reaction = (InOrder(), ())
