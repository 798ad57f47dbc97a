"""Tracks what is subscribed on one socket, whether its messages come in order, and what to ask for next; no I/O.

Frames go in, outcomes and commands come out. A book is never usable unless every message of its subscription
was in order since its snapshot; a channel that is lost leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.kalshi.book_channel import BookChannel
from recio.kalshi.book_proof import BookProof
from recio.kalshi.commands import (
    BOOKS,
    INDEX,
    LIFECYCLE,
    PRIVATE,
    TICKERS_PER_COMMAND,
    Command,
    list_subscriptions,
    subscribe,
)
from recio.kalshi.frame_kinds import BadFrame, LifecycleSeen, Strange
from recio.kalshi.frames import (
    BOOK_FRAMES,
    Acknowledged,
    Frame,
    Listed,
    Passed,
    Subscribed,
    VenueError,
)
from recio.kalshi.socket_outcomes import (
    NO_CHANGE,
    BookChanged,
    Broken,
    Dead,
    InOrder,
    Opened,
    Outcome,
    Reaction,
    Stray,
    SubscriptionRefused,
)
from recio.messages.markets import RestBook
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen, SequencedBooks
from recio.units import Ticker

__all__ = [
    "BOOKS",
    "INDEX",
    "LIFECYCLE",
    "PRIVATE",
    "TICKERS_PER_COMMAND",
    "BookChanged",
    "Broken",
    "Command",
    "Dead",
    "InOrder",
    "Opened",
    "Outcome",
    "Stray",
    "SubscriptionRefused",
    "Subscriptions",
]

COMMANDS_REMEMBERED = 256
CHANNEL_ENDED = frozenset({10, 25})
"""Channel error and buffer overflow end their subscription and leave the others alone."""
NOT_SHOWN = frozenset({11, 16})
"""Errors by which the venue says that it has no such market; any other may be about the subscription."""
TEMPORARY_ERRORS = frozenset({0, 10, 17, 18, 25, 27})
"""Errors that the same command may not meet again: what could not be read, time-outs, overflow, too many commands."""
QUIET_LIMIT = 1.5
"""Host seconds without any frame after which the venue is asked for a sign of life."""
DEAD_LIMIT = 8.0
"""Host seconds without any frame, in spite of the asking, after which the socket is dead though it may ping."""


@dataclass(slots=True)
class Subscriptions:
    """Everything that is known of one socket's subscriptions; a new socket needs a new one."""

    indexes: tuple[str, ...]
    """Index ids to listen to; empty: none."""
    index_channels: tuple[str, ...] = (INDEX,)
    _books: BookChannel = field(default_factory=BookChannel)
    _sids: dict[str, int] = field(default_factory=dict[str, int])
    """Of every channel but the books."""
    _channels: dict[int, str] = field(default_factory=dict[int, str])
    _last: dict[int, int] = field(default_factory=dict[int, int])
    _waiting: dict[int, Command] = field(default_factory=dict[int, Command])
    _opening: set[str] = field(default_factory=set[str])
    """Channels that were asked for and are not open yet."""
    _refused_for_good: set[str] = field(default_factory=set[str])
    """Channels that were refused for good: asking again would not help."""
    _reopened: set[str] = field(default_factory=set[str])
    """Channels made anew since the last tick: once is enough, or a channel that breaks at once would be subscribed without end."""
    _frames: int = 0
    _silent_since: tuple[int, float] | None = None
    """How many frames there were when the quiet began, and the host time of that."""
    _probed: bool = False

    @property
    def books(self) -> SequencedBooks:
        """The order books of this socket, each usable or not."""
        return self._books.books

    @property
    def proof(self) -> BookProof:
        """Which books were held against the venue's REST books."""
        return self._books.proof

    def books_silent(self, now: float) -> float:
        """For how many host seconds no message of any book came, where that is in doubt; 0 otherwise."""
        return self._books.silence.seconds(now)

    def compare(self, ticker: Ticker, rest: RestBook) -> str:
        """Hold a book against the REST book of this moment. Returns what is to be told of it now; mostly nothing."""
        return self._books.compare(ticker, rest)

    def opening(self) -> tuple[Command, ...]:
        """What to subscribe apart from books: all of it on a fresh socket, later whatever is missing."""
        missing = [[each for each in group if self._is_missing(each)] for group in self._groups()]
        return tuple(self._ask_for(group) for group in missing if group)

    def want_books(self, tickers: Iterable[Ticker]) -> tuple[Command, ...]:
        """The commands that lead from the books asked for to those wanted."""
        return self._books.commands_for(tickers)

    def sent(self, number: int, command: Command) -> None:
        """Remember a command until its answer."""
        self._waiting[number] = command
        if len(self._waiting) > COMMANDS_REMEMBERED:
            del self._waiting[next(iter(self._waiting))]

    def tick(self, now: float) -> Reaction:
        """Look, about once a second, at what did not come. `now` is host time that only grows."""
        self._reopened.clear()
        dead = self._silence(now)
        if dead is not None:
            return dead, ()
        outcome, commands = self._books.overdue(now)
        return outcome, (*commands, *self._books.missing_commands(), *self.opening(), *self._probe(now))

    def feed(self, frame: Frame) -> Reaction:
        """Take the next frame of the socket, in the order received."""
        self._frames += 1
        match frame:
            case BookDeltaSeen() | BookSnapshotSeen():
                return self._books.take(frame)
            case Strange(kind=kind, ticker=str(ticker)) if kind in BOOK_FRAMES:
                return self._books.spoilt(frame, Ticker(ticker))
            case BadFrame():
                return self._unreadable()
            case LifecycleSeen() | IndexValue() | Passed() | Strange():
                return self._in_sequence(frame.sid, frame.seq)
            case Subscribed():
                return self._subscribed(frame)
            case Acknowledged():
                return self._acknowledged(frame)
            case Listed():
                return self._listed(frame)
            case VenueError():
                return self._error(frame)
            case _:
                return NO_CHANGE

    def _unreadable(self) -> Reaction:
        """It may have been of any book. If it may be the answer that opens a channel, nothing else would bring that."""
        if self._opening or self._books.is_opening:
            return Dead("a frame could not be understood while a channel was being opened"), ()
        return self._books.read_anew("a frame could not be understood")

    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """Channels that are subscribed by one command; what may be refused alone is asked for alone."""
        indexes = tuple((each,) for each in self.index_channels) if self.indexes else ()
        return ((LIFECYCLE,), PRIVATE, *indexes)

    def _ask_for(self, channels: list[str]) -> Command:
        self._opening.update(channels)
        return subscribe(channels, indexes=self.indexes if channels[0] in self.index_channels else ())

    def _is_missing(self, channel: str) -> bool:
        return not (channel in self._sids or channel in self._opening or channel in self._refused_for_good)

    def _in_sequence(self, sid: int | None, seq: int | None) -> Reaction:
        if sid is None or seq is None:
            return NO_CHANGE
        if sid == self._books.sid:
            return self._books.count_message(seq)
        channel = self._channels.get(sid)
        if channel is None:
            return Stray(f"of subscription {sid}, which is not ours"), ()
        last = self._last.get(sid)
        self._last[sid] = seq if last is None else max(last, seq)
        if last is None or seq == last + 1:
            return NO_CHANGE
        if seq <= last:
            return Stray(f"message {seq} of {channel} came after {last}"), ()
        return Broken(channel, f"message {seq} came after {last}"), ()

    def _subscribed(self, frame: Subscribed) -> Reaction:
        channel, number = frame.channel, frame.number
        if number in self._waiting and channel in self._waiting[number].channels[-1:]:
            del self._waiting[number]
        if channel == BOOKS:
            return Opened(channel), self._books.opened(frame.sid)
        self._opening.discard(channel)
        if self._sids.get(channel) == frame.sid:
            return NO_CHANGE
        self._sids[channel] = frame.sid
        self._channels[frame.sid] = channel
        self._last.pop(frame.sid, None)
        return Opened(channel), ()

    def _acknowledged(self, frame: Acknowledged) -> Reaction:
        if frame.number is not None:
            self._waiting.pop(frame.number, None)
        channel = self._channel_of(frame.sid)
        if frame.ended and channel is not None:
            return Broken(channel, "the venue unsubscribed it"), self._resubscribe(channel)
        return NO_CHANGE if frame.ended else self._in_sequence(frame.sid, frame.seq)

    def _listed(self, frame: Listed) -> Reaction:
        """Channels that the venue does not list any more have ended without a notice."""
        if frame.number is not None:
            self._waiting.pop(frame.number, None)
        listed = {sid for _, sid in frame.subscriptions}
        ours = {*self._sids.values(), *(() if self._books.sid is None else (self._books.sid,))}
        ended = [channel for sid in sorted(ours - listed) if (channel := self._channel_of(sid))]
        commands = tuple(command for channel in ended for command in self._resubscribe(channel))
        return (Broken(ended[0], "the venue does not list it any more"), commands) if ended else NO_CHANGE

    def _error(self, frame: VenueError) -> Reaction:
        why = f"{frame.code} {frame.text}".strip()
        command = None if frame.number is None else self._waiting.pop(frame.number, None)
        channel = self._channel_of(frame.sid)
        if command is None and channel is not None and frame.code in CHANNEL_ENDED:
            return Broken(channel, why), self._resubscribe(channel)
        outcome, commands = self._in_sequence(frame.sid, frame.seq)
        if command is not None:
            self._refused(command, frame.code, why)
        if isinstance(outcome, Broken):
            # What was lost before it comes first: no book of that subscription can be used any more.
            return Broken(outcome.channel, f"{outcome.why}: {why}"), commands
        return SubscriptionRefused(() if command is None else command.channels, why), commands

    def _refused(self, command: Command, code: int, why: str) -> None:
        if BOOKS in command.channels:
            self._books.refused(
                command, why, may_pass=code in TEMPORARY_ERRORS, is_shown=code not in NOT_SHOWN
            )
            return
        self._opening.difference_update(command.channels)
        if code not in TEMPORARY_ERRORS:
            self._refused_for_good.update(command.channels)

    def _resubscribe(self, channel: str) -> tuple[Command, ...]:
        """Subscribe again to a channel that the venue ended; not more than once between two ticks."""
        if channel == BOOKS:
            self._books.lost()
        else:
            self._channels.pop(self._sids.pop(channel), None)
        if channel in self._reopened:
            return ()
        self._reopened.add(channel)
        return self._books.missing_commands() if channel == BOOKS else (self._ask_for([channel]),)

    def _channel_of(self, sid: int | None) -> str | None:
        if sid is None:
            return None
        return BOOKS if sid == self._books.sid else self._channels.get(sid)

    def _silence(self, now: float) -> Dead | None:
        if self._silent_since is None or self._silent_since[0] != self._frames:
            self._silent_since, self._probed = (self._frames, now), False
        if self._probed and now - self._silent_since[1] > DEAD_LIMIT:
            return Dead(f"no frame for {DEAD_LIMIT:g} s, nor a reply to a command")
        return None

    def _probe(self, now: float) -> tuple[Command, ...]:
        """List the subscriptions when nothing came for a while: a reply tells a quiet market from a dead socket."""
        if self._probed or self._silent_since is None or now - self._silent_since[1] < QUIET_LIMIT:
            return ()
        self._probed = True
        return (list_subscriptions(),)
