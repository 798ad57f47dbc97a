"""The log: one line per fact, JSON that tail can read back, and no secret in either form."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from recio.clock import Clock
from recio.log import configure, tail
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
