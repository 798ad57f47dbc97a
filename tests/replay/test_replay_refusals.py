"""Recordings that are broken are refused with the file, the line and the field; nothing comes out half."""

import gzip
import json
from pathlib import Path

import pytest

from recio.errors import BadRecording, ExitCode
from recio.replay.report import as_json
from recio.replay.run import replay
from tests.builders import AGAIN_AND_AGAIN


def refusal(*paths: Path) -> str:
    with pytest.raises(BadRecording) as raised:
        replay(list(paths), AGAIN_AND_AGAIN)
    assert raised.value.exit_code is ExitCode.DATA
    return str(raised.value)


@pytest.fixture
def folder(opened) -> Path:
    """A session that is whole, to be broken by each test."""
    opened.market()
    opened.delta(1, "yes", "0.2000", "5.00")
    opened.trade(1, "100200.00")
    return opened.write()


def frames_of(folder: Path) -> bytes:
    return gzip.decompress((folder / "kalshi_ws.jsonl.gz").read_bytes())


def put_frames(folder: Path, lines: bytes) -> None:
    (folder / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(lines))


def test_no_path_at_all_is_refused():
    assert "no recording was named" in refusal()


def test_a_path_that_does_not_exist_is_named(tmp_path):
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder_is_refused_with_the_way_out(folder):
    sentence = refusal(folder / "kalshi_ws.jsonl.gz")

    assert "is a file" in sentence
    assert "give the folder" in sentence


def test_a_folder_without_any_session_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    assert "holds no recording" in refusal(tmp_path)


def test_a_session_without_frames_is_refused_even_among_whole_ones(folder):
    broken = folder.parent / "two"
    broken.mkdir()
    (broken / "session.json").write_text('{"markets": []}')

    assert f"{broken} has no kalshi_ws.jsonl.gz" in refusal(folder.parent)


def test_frames_in_two_forms_are_refused_rather_than_chosen_from(folder):
    (folder / "kalshi_ws.jsonl").write_bytes(frames_of(folder))

    assert "has both" in refusal(folder)


def test_a_truncated_gzip_is_refused_and_says_so(folder):
    path = folder / "kalshi_ws.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])

    sentence = refusal(folder)

    assert str(path) in sentence
    assert "truncated" in sentence


def test_a_gzip_with_flipped_bytes_is_refused(folder):
    path = folder / "kalshi_ws.jsonl.gz"
    raw = bytearray(path.read_bytes())
    raw[40] ^= 0xFF
    path.write_bytes(bytes(raw))

    assert str(path) in refusal(folder)


def test_plain_text_under_a_gzip_name_is_refused(folder):
    (folder / "kalshi_ws.jsonl.gz").write_bytes(frames_of(folder))

    assert "not a whole gzip stream" in refusal(folder)


def test_an_empty_file_of_frames_is_refused(folder):
    put_frames(folder, b"")

    assert "is empty" in refusal(folder)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{not json", "malformed"),
        (b"", "truncated"),
        (b'{"m": {"type": "ok"}}', "recv_ns"),
        (b'{"recv_ns": "1", "m": {"type": "ok"}}', "recv_ns"),
        (b'{"recv_ns": 1767614400, "m": {"type": "ok"}}', "recv_ns"),
        (b'{"recv_ns": 1767614400000000000}', "`m`"),
        (b'{"recv_ns": 1767614400000000000, "m": {"sid": 2}}', "`type`"),
        (
            b'{"recv_ns": 1767614400000000000, "m": {"type": "orderbook_delta", "sid": 2, "seq": 9, "msg": '
            b'{"market_ticker": "X", "price_dollars": "0.5", "side": "yes", "ts_ms": 1767614400000}}}',
            "`delta_fp`",
        ),
        (
            b'{"recv_ns": 1767614400000000000, "m": {"type": "orderbook_delta", "seq": 9, "msg": '
            b'{"market_ticker": "X", "price_dollars": "0.5", "delta_fp": "1", "side": "yes"}}}',
            "sid",
        ),
        (
            b'{"recv_ns": 1767614400000000000, "m": {"type": "orderbook_delta", "sid": 2, "seq": 9, "msg": '
            b'{"market_ticker": "X", "price_dollars": "0.50001", "delta_fp": "1", "side": "yes"}}}',
            "0.50001",
        ),
        (
            b'{"recv_ns": 1767614400000000000, "m": {"type": "orderbook_delta", "sid": 2, "seq": 9, "msg": '
            b'{"market_ticker": "X", "price_dollars": "0.5", "delta_fp": "1", "side": "yes", "ts_ms": 5}}}',
            "ts_ms 5",
        ),
        (
            b'{"recv_ns": 1767614400000000000, "m": {"type": "orderbook_delta", "sid": 2, "seq": 9, "msg": '
            b'{"market_ticker": "X", "price_dollars": "0.5", "delta_fp": "1e9999999", "side": "yes"}}}',
            "not a frame that can be trusted",
        ),
        (b"[" * 100_000, "not a line of {recv_ns, m}"),
    ],
)
def test_a_bad_line_is_refused_with_file_line_and_field(folder, line, told):
    lines = frames_of(folder).splitlines(keepends=True)
    put_frames(folder, b"".join([*lines[:2], line + b"\n", *lines[2:]]))

    sentence = refusal(folder)

    assert f"{folder / 'kalshi_ws.jsonl.gz'} line 3: " in sentence
    assert told in sentence


def test_a_last_line_that_was_cut_off_is_refused(folder):
    put_frames(folder, frames_of(folder)[:-15])

    assert "line 3: " in refusal(folder)


@pytest.mark.parametrize(
    ("rows", "line", "told"),
    [
        ("time,price\n1,2\n", 1, "recv_ns"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,2026-01-05T12:00:00Z\n", 2, "2 fields"),
        ("recv_ns,exchange_ts,price\nsoon,2026-01-05T12:00:00Z,5\n", 2, "recv_ns 'soon'"),
        ("recv_ns,exchange_ts,price\n17676144,2026-01-05T12:00:00Z,5\n", 2, "recv_ns '17676144'"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,2026-01-05T12:00:00,5\n", 2, "no time zone"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,noon,5\n", 2, "exchange_ts 'noon'"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,2026-01-05T12:00:00Z,much\n", 2, "price 'much'"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,2026-01-05T12:00:00Z,NaN\n", 2, "price 'NaN'"),
        ("recv_ns,exchange_ts,price\n1767614400000000000,2026-01-05T12:00:00Z,-5\n", 2, "price '-5'"),
        (
            "recv_ns,exchange_ts,price,type\n1767614400000000000,2026-01-05T12:00:00Z,5,quote\n",
            2,
            "type 'quote'",
        ),
        ("", 0, "is empty"),
    ],
)
def test_a_bad_row_of_trades_is_refused_with_file_line_and_field(folder, rows, line, told):
    (folder / "coinbase_matches.csv").write_text(rows)

    sentence = refusal(folder)

    assert str(folder / "coinbase_matches.csv") in sentence
    assert told in sentence
    assert not line or f"line {line}: " in sentence


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "truncated"),
        ("[]", "array"),
        ("{}", "`markets`"),
        ('{"markets": [{"close_time": "2026-01-05T12:15:00Z"}]}', "`ticker`"),
        ('{"markets": [{"ticker": "A", "close_time": "noon"}]}', "markets[0].close_time"),
        ('{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00"}]}', "markets[0].close_time"),
        (
            '{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00Z", "floor_strike": [1]}]}',
            "markets[0].floor_strike",
        ),
        (
            '{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00Z", "floor_strike": "NaN"}]}',
            "floor_strike NaN of A",
        ),
        (
            '{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00Z", "settlement_value": -1}]}',
            "settlement_value -1 of A",
        ),
        (
            '{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00Z", "result": "maybe"}]}',
            "markets[0].result",
        ),
        (
            '{"markets": [{"ticker": "A", "close_time": "2026-01-05T12:15:00Z"},'
            ' {"ticker": "A", "close_time": "2026-01-05T12:30:00Z"}]}',
            "A twice",
        ),
    ],
)
def test_an_ill_typed_description_is_refused_with_its_field(folder, text, told):
    (folder / "session.json").write_text(text)

    sentence = refusal(folder)

    assert str(folder / "session.json") in sentence
    assert told in sentence


def test_one_broken_session_among_whole_ones_yields_nothing_at_all(folder, capsys):
    broken = folder.parent / "two"
    broken.mkdir()
    (broken / "kalshi_ws.jsonl").write_bytes(b"{\n")

    assert str(broken) in refusal(folder.parent)
    assert capsys.readouterr().out == ""


def test_a_session_needs_neither_trades_nor_description_nor_compression(folder):
    (folder / "kalshi_ws.jsonl").write_bytes(frames_of(folder))
    for name in ("kalshi_ws.jsonl.gz", "coinbase_matches.csv", "session.json"):
        (folder / name).unlink()

    found = as_json(replay([folder], AGAIN_AND_AGAIN))

    assert found["messages"] == 3
    assert (found["windows"], found["trades"], found["spot_trades"]) == ([], [], 0)


def test_trades_may_be_compressed_and_have_columns_of_their_own(folder):
    path = folder / "coinbase_matches.csv"
    rows = [line + (",venue" if n == 0 else ",x") for n, line in enumerate(path.read_text().splitlines())]
    (folder / "coinbase_matches.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    path.unlink()

    assert as_json(replay([folder], AGAIN_AND_AGAIN))["spot_trades"] == 1


def test_a_folder_of_sessions_is_replayed_in_order_and_each_session_once(folder):
    (folder.parent / "notes").mkdir()
    (folder.parent / "notes" / "README.md").write_text("not a session")
    other = folder.parent / "another"
    other.mkdir()
    put_frames(other, frames_of(folder))

    found = as_json(replay([folder.parent, folder], AGAIN_AND_AGAIN))

    assert [session["session"] for session in found["sessions"]] == ["another", "one"]
    assert found["messages"] == 6


def test_a_result_that_is_not_out_yet_is_no_result(folder):
    description = json.loads((folder / "session.json").read_text())
    description["markets"][0]["result"] = ""
    (folder / "session.json").write_text(json.dumps(description))

    assert as_json(replay([folder], AGAIN_AND_AGAIN))["windows"][0]["recorded_result"] is None
