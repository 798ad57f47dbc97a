"""Structured logging: text for a person on a terminal, JSON lines otherwise; secrets are cut out of both.

One line per fact and none per tick. `recio tail` turns the JSON back into the text form.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import textwrap
from collections import deque
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

from recio.clock import Clock
from recio.settings.system import LogFormat, LogSection
from recio.times import time_text

SECRET_KEYS = re.compile(
    r"signature|secret|private|password|token|authorization|kalshi-access", re.IGNORECASE
)
SECRET_TEXT = re.compile(
    r"-----BEGIN[^-]*PRIVATE KEY-----.*?-----END[^-]*PRIVATE KEY-----"
    r"|(?<=KALSHI-ACCESS-SIGNATURE)\W+[A-Za-z0-9+/=]{20,}"
    r"|(?<=://)[^/\s:@]+:[^@\s/]+(?=@)",
    re.DOTALL | re.IGNORECASE,
)
LEVEL_MARKS = {"debug": " ", "info": " ", "warning": "!", "error": "‼", "critical": "‼"}
EVENT_WIDTH = 22
RECENT: deque[tuple[str, str]] = deque(maxlen=300)
"""Level and text of the last lines of this process."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class LogStream:
    """Where lines go. A line that cannot be written is lost and counted: it never costs a task its life."""

    out: TextIO
    lost: int = 0

    def write(self, text: str) -> int:
        try:
            if self.lost:
                self.out.write(f'{{"event": "log lines lost", "level": "warning", "lines": {self.lost}}}\n')
            written = self.out.write(text)
            self.out.flush()
        except (OSError, ValueError):
            self.lost += text != "\n"
            return len(text)
        self.lost = 0
        return written

    def flush(self) -> None:
        """Every write has been flushed."""


def configure(section: LogSection, clock: Clock, stream: TextIO | None = None) -> None:
    """Set up structlog for the process. Times are market time."""
    target = stream or sys.stdout
    as_text = section.format is LogFormat.TEXT or (section.format is LogFormat.AUTO and target.isatty())
    out = cast("TextIO", LogStream(target))

    def stamp(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["at"] = time_text(clock.utc())
        return event

    common: list[Processor] = [
        structlog.processors.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
        redact,
        _remember,
    ]
    render: Processor = (
        _render_text if as_text else structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    )
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *common, render],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[section.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _adopt_library_logs(out, common, render)


def _adopt_library_logs(out: TextIO, common: list[Processor], render: Processor) -> None:
    """Warnings of libraries go through the same redaction and rendering as our own lines."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_in_one_line, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _in_one_line(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's warning is a fact for a person: its last error in words, without the traceback."""
    error = (event.pop("exc_info", None) or (None, None))[1]
    if error is not None:
        event["error"] = f"{type(error).__name__}: {error}"
    return event


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut secrets out of every field, tracebacks included."""
    for key, value in event.items():
        if SECRET_KEYS.search(key):
            event[key] = "(hidden)"
        elif isinstance(value, str):
            event[key] = SECRET_TEXT.sub("(hidden)", value)
    return event


def _remember(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For the page, which shows the end of the log; after redaction, as whatever is written."""
    RECENT.append((str(event.get("level", "")), text_line({**event})))
    return event


def _render_text(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    return text_line(event)


def text_line(event: MutableMapping[str, Any]) -> str:
    """One log event for a person: time, mark, phrase, fields; a traceback on lines of its own."""
    at = str(event.pop("at", ""))
    mark = LEVEL_MARKS.get(str(event.pop("level", "info")), " ")
    phrase = str(event.pop("event", ""))
    if not phrase.startswith("task "):
        event.pop("task", None)  # on every line: only where it is the subject a person needs it
    trace = event.pop("exception", None)
    sentence = event.pop("sentence", None)
    fields = " ".join(f"{key}={_short(value)}" for key, value in event.items() if value is not None)
    parts = [
        at[11:19] or "--:--:--",
        mark,
        phrase.ljust(EVENT_WIDTH),
        *([_visible(str(sentence))] if sentence else []),
    ]
    line = " ".join([*parts, fields]).rstrip()
    return f"{line}\n{trace}" if trace else line


def _visible(text: str) -> str:
    """What somebody else wrote must not move the cursor of whoever reads it, nor begin a line of its own."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    )


def _short(value: object) -> str:
    text = _visible(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return f'"{text}"' if " " in text and not text.startswith(("{", "[")) else text


ORDER_OF_TRADE = re.compile(r"recio-[0-9a-z]{8}-(\d+)-(?:entry|exit)-\d+")
LEVELS = ("debug", "info", "warning", "error")
COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
PLAIN = "\x1b[0m"
INDENT = " " * 11
"""Below the phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which log lines a person wants to see; everything where nothing is said."""

    level: str = "debug"
    """This one and graver ones."""
    trade: int | None = None
    text: str = ""
    """A market, an order, a source: some field has it, or the phrase."""
    task: str = ""
    since: str = ""
    """The beginning of a time as the lines have it: 2026-11-29 or 2026-11-29T12:30."""

    def takes(self, event: MutableMapping[str, Any]) -> bool:
        level = str(event.get("level", "info"))
        grave = LEVELS.index(level) if level in LEVELS else len(LEVELS)
        return (
            grave >= LEVELS.index(self.level)
            and (self.trade is None or self.trade in _trades_of(event))
            and (not self.task or event.get("task") == self.task)
            and (not self.text or any(self.text in str(value) for value in event.values()))
            and str(event.get("at", "")) >= self.since
        )


EVERYTHING = Wanted()


def _trades_of(event: MutableMapping[str, Any]) -> set[object]:
    """The trades that a line is about; an order carries its trade's number in its own name."""
    order = ORDER_OF_TRADE.fullmatch(str(event.get("order", "")))
    trades = event.get("trades")
    listed: set[object] = set(cast("list[object]", trades)) if isinstance(trades, list) else set()
    return {event.get("trade"), int(order[1]) if order else None} | listed


def tail(
    lines: Iterable[str],
    out: TextIO,
    wanted: Wanted = EVERYTHING,
    *,
    colour: bool = False,
    columns: int | None = None,
) -> None:
    """Render JSON log lines for a person; a line that is not one of ours is shown as it is, unless some are asked for.

    A line longer than `columns` goes on below, indented; None: it stays one line, for whoever searches in it.

    A day is told when it changes, and at the beginning for whoever watches in colour.
    """
    day = "" if colour else None
    for line in lines:
        event = _event(line)
        if event is None:
            if wanted == EVERYTHING:
                out.write(line.rstrip("\n") + "\n")
        elif wanted.takes(event):
            today = str(event.get("at", ""))[:10]
            if day is not None and today != day:
                out.write(f"--- {today} UTC\n")
            day = today
            out.write(_coloured(event, colour, columns) + "\n")
        out.flush()


def _coloured(event: MutableMapping[str, Any], colour: bool, columns: int | None) -> str:
    begin = COLOURS.get(str(event.get("level")), "") if colour else ""
    text = text_line(event)
    if columns is not None:
        text = "\n".join(_within(line, columns) for line in text.splitlines())
    return "\n".join(f"{begin}{line}{PLAIN if begin else ''}" for line in text.splitlines())


def _within(line: str, columns: int) -> str:
    """A word that is longer than a line is cut: a ticker or an order's name is not, at any usual width."""
    below = textwrap.wrap(line, columns, subsequent_indent=INDENT, break_on_hyphens=False)
    return "\n".join(below) or line


def _event(line: str) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) and "event" in found else None
