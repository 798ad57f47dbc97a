"""The status as it is pushed: whole once, then what changed, made once for all readers; a reader that fell behind begins anew.

An age that merely grew is no change: whoever reads counts on by himself. He is told where he would show it younger than it is.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

KEPT = 16
"""Changes that are kept for readers that are late."""
SCATTER = 0.15
"""The part of a pause by which readers differ."""
YOUNGER, OLDER = 0.25, 2.0
"""Seconds by which a reader may show an age too young, or too old, before he is told."""
WINDOW_BITS, MEMORY_LEVEL = 16 + 13, 6
"""Of one reader's compression: some 64 KB of memory each."""
Path = tuple[str | int, ...]
Change = tuple[Path, Any]
GONE = object()


def rates(speed: float) -> dict[str, float]:
    """By name of a field, or section.name: what it grows by in one host second. Market time may run faster than the host's."""
    return {
        "age_seconds": speed,
        "book_age_seconds": speed,
        "seconds_to_close": -speed,
        "tasks.age_seconds": 1.0,
        "blocks.seconds": 1.0,
        "causes.seconds": 1.0,
    }


@dataclass(slots=True, kw_only=True)
class Feed:
    status: Callable[[], dict[str, Any]]
    """Made anew by whoever asks for it."""
    rates: Mapping[str, float]
    every: float
    """Host seconds between two pushes."""
    _shown: dict[str, Any] = field(default_factory=dict[str, Any])
    """What a reader of every change has before him."""
    _number: int = 0
    _at: float = 0.0
    _changes: deque[tuple[int, bytes]] = field(default_factory=lambda: deque[tuple[int, bytes]](maxlen=KEPT))
    _whole: tuple[int, bytes] = (0, b"")
    _plain: tuple[int, bytes] = (0, b"")

    def pause(self) -> float:
        """Host seconds until a reader's next push; not the same for all, or they would all be served in one turn of the loop."""
        return self.every * random.uniform(1 - SCATTER, 1 + SCATTER)

    def reader(self, *, changes: bool, packed: bool) -> Reader:
        pack = zlib.compressobj(6, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL) if packed else None
        return Reader(feed=self, changes=changes, _pack=pack)

    def _advance(self) -> None:
        """The next number, unless somebody asked just now."""
        now = time.monotonic()
        if self._number and now - self._at < self.every * 0.8:
            return
        passed, self._at = now - self._at, now
        status = json.loads(json.dumps(self.status()))
        if self._number:
            aged(self._shown, passed, self.rates)
            found = [
                [list(path), *(() if to is GONE else (to,))]
                for path, to in changed(self._shown, status, self.rates)
            ]
            apply(self._shown, found)
        else:
            self._shown, found = status, []
        self._number += 1
        told = {"n": self._number, "at": self._second(), "passed": round(passed, 3), "changes": found}
        self._changes.append((self._number, _message(told)))

    def _second(self) -> float:
        """When this was made, by a clock that only runs on: whoever reads can tell what was held back on its way."""
        return round(self._at, 3)

    def since(self, number: int) -> tuple[int, bytes]:
        """What came after this one: changes, or everything where they are kept no more."""
        self._advance()
        kept = [text for each, text in self._changes if each > number]
        if number and len(kept) == self._number - number:
            return self._number, b"".join(kept)
        if self._whole[0] != self._number:
            told = {"n": self._number, "at": self._second(), "rates": dict(self.rates), "whole": self._shown}
            self._whole = (self._number, _message(told))
        return self._whole

    def whole(self) -> bytes:
        """As it was pushed before there were changes."""
        self._advance()
        if self._plain[0] != self._number:
            self._plain = (self._number, _message(self._shown))
        return self._plain[1]


@dataclass(slots=True, kw_only=True)
class Reader:
    """One open page."""

    feed: Feed
    changes: bool
    _pack: Any
    _number: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Encoding": "gzip"} if self._pack else {}

    def take(self) -> bytes:
        """What this reader has not seen."""
        if self.changes:
            self._number, text = self.feed.since(self._number)
        else:
            text = self.feed.whole()
        return text if self._pack is None else self._pack.compress(text) + self._pack.flush(zlib.Z_SYNC_FLUSH)


def _message(told: Any) -> bytes:
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def aged(tree: Any, seconds: float, rates: Mapping[str, float], section: str = "") -> None:
    """Every age in it grows by so many host seconds; the page's own JavaScript does the same."""
    if isinstance(tree, list):
        for each in cast("list[Any]", tree):
            aged(each, seconds, rates, section)
    elif isinstance(tree, dict):
        for name, value in cast("dict[str, Any]", tree).items():
            rate = _rate(section, name, rates)
            if rate is not None and isinstance(value, int | float):
                tree[name] = value + seconds * rate
            else:
                aged(value, seconds, rates, section or name)


def changed(before: Any, after: Any, rates: Mapping[str, float], path: Path = ()) -> Iterator[Change]:
    """What makes `after` of `before`; a list of another length is told whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        yield from (((*path, name), GONE) for name in old.keys() - new.keys())
        for name, value in new.items():
            if name not in old:
                yield (*path, name), value
            elif not _still_right(path, name, old[name], value, rates):
                yield from changed(old[name], value, rates, (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and _same_rows(before, after):
        rows = zip(cast("list[Any]", before), cast("list[Any]", after), strict=True)
        for index, (one, other) in enumerate(rows):
            yield from changed(one, other, rates, (*path, index))
    elif before != after:
        yield path, after


def apply(tree: Any, changes: list[list[Any]]) -> None:
    for path, *to in changes:
        place = tree
        for step in path[:-1]:
            place = place[step]
        if to:
            place[path[-1]] = to[0]
        else:
            del place[path[-1]]


def _same_rows(before: Any, after: Any) -> bool:
    """Whether each row is about the same as the one before it in this place."""
    return len(before) == len(after) and all(
        _name(one) == _name(two) for one, two in zip(before, after, strict=True)
    )


def _name(row: Any) -> object:
    if not isinstance(row, dict):
        return None
    of = cast("dict[str, Any]", row)
    return next(
        (of[key] for key in ("ticker", "client_order_id", "id", "symbol", "name", "cause") if key in of), None
    )


def _rate(section: str, name: str, rates: Mapping[str, float]) -> float | None:
    return rates.get(f"{section}.{name}", rates.get(name))


def _still_right(path: Path, name: str, shown: Any, value: Any, rates: Mapping[str, float]) -> bool:
    """Whether an age that was counted on is good enough."""
    rate = _rate(str(path[0]) if path else "", name, rates)
    if rate is None or not isinstance(shown, int | float) or not isinstance(value, int | float):
        return False
    ahead = (shown - value) / rate
    return -YOUNGER <= ahead <= (OLDER if rate > 0 else YOUNGER)
