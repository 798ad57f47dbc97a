"""The log: one line per fact, JSON that tail can read back, and no secret in either form."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest
import structlog

from recio.clock import Clock
from recio.log import Wanted, configure, tail
from recio.settings.system import LogFormat, LogSection

PEM = "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----"


@pytest.fixture
def out():
    yield io.StringIO()
    structlog.reset_defaults()


def test_json_lines_are_read_back_by_tail_as_the_text_form(out: io.StringIO):
    configure(LogSection(format=LogFormat.JSON), Clock(), out)
    structlog.get_logger().info("fill", ticker="KX-1", price="0.5200")
    line = json.loads(out.getvalue())
    assert (line["event"], line["ticker"], line["level"]) == ("fill", "KX-1", "info")
    shown = io.StringIO()
    tail(out.getvalue().splitlines(), shown)
    assert "fill" in shown.getvalue()
    assert "ticker=KX-1" in shown.getvalue()


class FullDisk(io.StringIO):
    """A file on a disk that is full for a while."""

    full = True

    def flush(self) -> None:
        if self.full:
            self.seek(0)
            self.truncate()
            raise OSError(28, "No space left on device")


def test_lines_that_cannot_be_written_stop_nobody_and_are_counted_once_there_is_room():
    disk = FullDisk()
    configure(LogSection(format=LogFormat.JSON), Clock(), disk)
    for _ in range(3):
        structlog.get_logger().info("nobody reads this")
    disk.full = False
    structlog.get_logger().info("room again")
    structlog.reset_defaults()
    first, second = (json.loads(line) for line in disk.getvalue().splitlines())
    assert (first["event"], first["lines"]) == ("log lines lost", 3)
    assert second["event"] == "room again"


def test_a_line_that_is_not_ours_is_shown_as_it_is():
    shown = io.StringIO()
    tail(["Traceback (most recent call last):\n", "[1, 2]\n"], shown)
    assert shown.getvalue() == "Traceback (most recent call last):\n[1, 2]\n"


def test_not_a_terminal_means_json(out: io.StringIO):
    configure(LogSection(), Clock(), out)
    structlog.get_logger().info("started")
    assert json.loads(out.getvalue())["event"] == "started"


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TEXT])
@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"signature": "c2lnbmF0dXJl"}, "c2lnbmF0dXJl"),
        ({"why": f"cannot parse {PEM}"}, "MIIabc"),
        ({"why": "cannot reach postgresql://recio:hunter2@db/x"}, "hunter2"),
        ({"headers": "KALSHI-ACCESS-SIGNATURE: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="}, "QUJDREVG"),
    ],
)
def test_secrets_never_reach_the_log(out: io.StringIO, form: LogFormat, fields: dict[str, str], secret: str):
    configure(LogSection(format=form), Clock(), out)
    structlog.get_logger().error("failed", **fields)
    assert "failed" in out.getvalue()
    assert secret not in out.getvalue()


def test_a_secret_in_a_traceback_is_cut_out_too(out: io.StringIO):
    configure(LogSection(format=LogFormat.JSON), Clock(), out)
    try:
        raise ValueError(PEM)
    except ValueError as error:
        structlog.get_logger().error("broke", exc_info=error)
    assert "ValueError" in out.getvalue()
    assert "MIIabc" not in out.getvalue()


SENT = "recio-0123abcd-12-exit-1"
SHOWN = [
    '{"event": "fill", "at": "2026-11-23T23:59:58.000Z", "level": "info", "ticker": "KX-1", "trade": 1}\n',
    '{"event": "exit wanted", "at": "2026-11-23T23:59:59.000Z", "level": "warning", "ticker": "KX-2", "trade": 12}\n',
    "a line of something else\n",
    '{"event": "task restarts", "at": "2026-11-24T00:00:01.000Z", "level": "error", "task": "entry"}\n',
]


@pytest.mark.parametrize(
    ("wanted", "phrases"),
    [
        (Wanted(), ["fill", "exit wanted", "a line of something", "--- 2026-11-24 UTC", "task restarts"]),
        (Wanted(level="warning"), ["exit wanted", "--- 2026-11-24 UTC", "task restarts"]),
        (Wanted(trade=1), ["fill"]),
        (Wanted(text="KX-2"), ["exit wanted"]),
        (Wanted(text="entry"), ["task restarts"]),
        (Wanted(task="entry"), ["task restarts"]),
        (Wanted(task="exit"), []),
        (Wanted(since="2026-11-24"), ["task restarts"]),
        (Wanted(since="2026-11-23T23:59:59"), ["exit wanted", "--- 2026-11-24 UTC", "task restarts"]),
    ],
)
def test_tail_shows_the_lines_that_are_asked_for_and_each_new_day(wanted: Wanted, phrases: list[str]):
    out = io.StringIO()
    tail(SHOWN, out, wanted)
    lines = out.getvalue().splitlines()
    assert len(lines) == len(phrases)
    for line, phrase in zip(lines, phrases, strict=True):
        assert phrase in line


def test_tail_colours_what_is_grave_and_tells_the_first_day_where_it_colours():
    out = io.StringIO()
    tail(SHOWN, out, Wanted(), colour=True)
    lines = out.getvalue().splitlines()
    assert lines[0] == "--- 2026-11-23 UTC"
    assert [line[:5] for line in lines if "\x1b" in line] == ["\x1b[33m", "\x1b[31m"]
    assert all(line.endswith("\x1b[0m") for line in lines if "\x1b" in line)


def line(event: str, **fields: object) -> str:
    return json.dumps({"event": event, "at": "2026-11-23T12:00:00.000Z", "level": "info", **fields})


def test_the_lines_of_a_trade_are_those_of_its_orders_too():
    lines = [
        line("order accepted", order=SENT),
        line("order accepted", order=SENT.replace("-12-", "-1-")),
        line("found open", trades=[7, 12]),
        line("order rejected", order="by hand"),
    ]
    out = io.StringIO()
    tail(lines, out, Wanted(trade=12))
    assert [each.split()[1:3] for each in out.getvalue().splitlines()] == [
        ["order", "accepted"],
        ["found", "open"],
    ]


def test_a_line_says_its_task_to_a_filter_and_to_a_person_only_where_it_is_about_it():
    lines = [line("fill", task="trade_manager", ticker="KX-1"), line("task restarts", task="entry", why="x")]
    out = io.StringIO()
    tail(lines, out)
    assert "trade_manager" not in out.getvalue()
    assert "task=entry" in out.getvalue()
    out = io.StringIO()
    tail(lines, out, Wanted(task="trade_manager"))
    assert "KX-1" in out.getvalue()
    assert "restarts" not in out.getvalue()


def test_on_a_terminal_no_line_is_wider_than_it_and_nothing_of_it_is_lost():
    words = [f"word{number}" for number in range(60)]
    said = line("no entry", sentence=" ".join(words), ticker="KXBTC15M-26NOV230715-15", level="warning")
    out = io.StringIO()
    tail([said], out, columns=80, colour=True)
    _, *shown = out.getvalue().replace("\x1b[33m", "").replace("\x1b[0m", "").splitlines()
    assert max(map(len, shown)) <= 80
    assert all(each.startswith(" " * 11) for each in shown[1:])
    assert [each for each in " ".join(shown).split() if each.startswith("word")] == words
    assert "ticker=KXBTC15M-26NOV230715-15" in " ".join(shown)
    out = io.StringIO()
    tail([said], out)
    assert len(out.getvalue().splitlines()) == 1


SOURCES = Path(__file__).parents[1] / "recio"


def test_every_line_about_an_order_or_a_trade_names_its_market():
    lacking: list[str] = []
    for source in SOURCES.rglob("*.py"):
        if "exchange_sim" in source.parts:
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "log.info",
                "log.warning",
                "log.error",
            ):
                fields = {each.arg for each in node.keywords}
                if fields & {"order", "trade"} and "ticker" not in fields:
                    lacking.append(f"{source.name}:{node.lineno} {ast.unparse(node.args[0])}")
    assert lacking == []


def test_what_somebody_else_wrote_moves_no_cursor_and_begins_no_line():
    said = "rejected: \x1b[2J\x1b[31mred\nsecond line \u202e"
    out = io.StringIO()
    tail([line("order ended", sentence=said, why=said)], out)
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 1
    assert "second line" in out.getvalue()
