"""Tells a quiet market from a book channel that has died while others go on: asks for a snapshot where no book is heard; no I/O.

Books may rest for minutes, and index and orders of our own come on the same socket all the while: neither proves that a
change of a book would still reach us. Nothing here judges a book that is being read anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto

from recio.units import Ticker

QUIET_SECONDS = 1.5
"""Host seconds without any book's message after which one book is asked for."""
SUSPECT_SECONDS = 3.0
"""The same after which the channel is in doubt: an answer would have come by then, and the books are as old as their last
message."""
SECOND_SECONDS = 2.0
"""Host seconds from the asking after which another book is asked for as well, once: a single market may be shown no more."""
ANSWER_SECONDS = 5.0
"""Host seconds from the first asking after which the channel is dead."""


class Verdict(StrEnum):
    NOTHING = auto()
    ASK = auto()
    """One book is to be asked for."""
    DEAD = auto()
    """Nothing of any book came in spite of that."""


@dataclass(slots=True)
class BookSilence:
    """How long no message of any book has come on one subscription. Times are host seconds that only grow."""

    messages: int = 0
    """How many came; whoever takes one counts it."""
    asked_of: Ticker | None = None
    """The book that was asked for last."""
    _quiet: tuple[int, float] | None = None
    """How many messages there were when the quiet began, and when that was seen."""
    _asked_at: float | None = None
    _others_asked: bool = False
    _is_second: bool = False
    """Whether a second book was asked for already in this quiet."""
    _unanswered: set[Ticker] = field(default_factory=set[Ticker])
    """Those that did not come in time when they were asked for."""
    _not_shown: set[Ticker] = field(default_factory=set[Ticker])
    """Books that the venue has no more: they are asked for once, and that none comes proves nothing."""

    def look(self, now: float, with_levels: Iterable[Ticker], *, others_asked: bool = False) -> Verdict:
        """What is to be done about it; called about once a second.

        `with_levels`: whole books that are not empty, one of which is asked for, another one than the last time where there
        is one, and one that never answered last of all. `others_asked`: books are being waited for already, so that none is
        asked for here; that they do not come has its own end.
        """
        self._others_asked = others_asked
        if self._quiet is None or self._quiet[0] != self.messages:
            self._quiet, self._asked_at = (self.messages, now), None
            self._is_second = False
            return Verdict.NOTHING
        if others_asked:
            self._asked_at = None
            return Verdict.NOTHING
        shown = [each for each in with_levels if each not in self._not_shown]
        if self._asked_at is None:
            if now - self._quiet[1] < QUIET_SECONDS or not self._choose(shown):
                return Verdict.NOTHING
            self._asked_at = now
            return Verdict.ASK
        if not self._is_second and now - self._asked_at > SECOND_SECONDS:
            self._is_second = True
            self._unanswered.update(() if self.asked_of is None else (self.asked_of,))
            if self._choose([each for each in shown if each != self.asked_of]):
                return Verdict.ASK
        return Verdict.DEAD if now - self._asked_at > ANSWER_SECONDS else Verdict.NOTHING

    def _choose(self, among: Sequence[Ticker]) -> bool:
        """Which one to ask for; False where there is none."""
        chosen = min(
            among, key=lambda each: (each in self._unanswered, each == self.asked_of, each), default=None
        )
        self.asked_of = chosen or self.asked_of
        return chosen is not None

    def seconds(self, now: float) -> float:
        """For how long nothing came, once that is too long for a quiet market; 0 before."""
        if self._quiet is None or self._quiet[0] != self.messages:
            return 0.0
        silent = now - self._quiet[1]
        is_asked = self._others_asked or self._asked_at is not None
        return silent if is_asked and silent > SUSPECT_SECONDS else 0.0

    def refused(self, tickers: Iterable[Ticker]) -> None:
        """The venue has no such markets any more, so that another one is to be asked for."""
        self._not_shown.update(tickers)
        if self.asked_of in self._not_shown:
            self._asked_at = None

    def begin_anew(self) -> None:
        """Another subscription, or none."""
        self._quiet = self._asked_at = None
        self._is_second = False
        self._not_shown.clear()
        self._unanswered.clear()
