"""The command line as a user meets it: stable exit codes, a sentence for each fault, never a traceback."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recio.cli import COMMANDS, CommandFile
from recio.daemon import data_dir
from recio.errors import BadConfig
from recio.settings.config import Config
from tests.conftest import unused_port

SHIPPED = Path(__file__).parent.parent / "recio.toml"


def recio(*arguments: str, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments],
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_check_finds_the_shipped_config_good(tmp_path: Path):
    done = recio("check", str(SHIPPED), cwd=tmp_path)
    assert (done.returncode, "good" in done.stdout) == (0, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[entry]\nmin_edge = 1", "mode = 3", "[[["])
def test_check_refuses_a_bad_config_with_78(tmp_path: Path, text: str):
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    done = recio("check", "bad.toml", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr.startswith("recio: bad.toml")


@pytest.mark.parametrize("command", [["demo", "--windows", "1"], ["demo"]])
def test_a_taken_status_port_is_refused_before_anything_is_made(
    tmp_path: Path, taken_port: int, command: list[str]
):
    done = recio(*command, "--port", str(taken_port), cwd=tmp_path)
    assert done.returncode == 78
    assert f"status.port = {taken_port} is taken" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_on_a_taken_port_is_refused_before_anything_is_written(tmp_path: Path, taken_port: int):
    done = recio("exchange", "--port", str(taken_port), "--credentials", "desk", cwd=tmp_path)
    assert done.returncode == 78
    assert str(taken_port) in done.stderr
    assert not (tmp_path / "desk" / "credentials.json").exists()


def test_run_without_credentials_of_an_exchange_says_how_to_get_them(tmp_path: Path):
    done = recio("run", cwd=tmp_path)
    assert done.returncode == 78
    assert "kalshi.credentials_dir" in done.stderr
    assert "recio demo" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("halt", "--by", " "),
        ("resume", "--by", ""),
        ("switch", "entry", "off", "--by", ""),
        ("forgo", "--by", " ", "--why", "it is lost"),
        ("trade", "yes", "T", "--contracts", "1", "--max-price", "0.5", "--by", ""),
        ("trade", "yes", "", "--contracts", "1", "--max-price", "0.5", "--by", "me"),
    ],
)
def test_nothing_is_done_in_the_name_of_nobody_and_on_no_market(tmp_path: Path, arguments: tuple[str, ...]):
    done = recio(*arguments, cwd=tmp_path)
    assert (done.returncode, "it is empty" in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_pages_token_keeps_its_file_under_its_new_name(tmp_path: Path):
    (tmp_path / "brake-token").write_text("known\n", encoding="ascii")
    assert data_dir.halt_token(tmp_path).get_secret_value() == "known"
    assert [each.name for each in tmp_path.iterdir()] == ["halt-token"]


def _live(tmp_path: Path, key: str, extra: str = "") -> None:
    config = f'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "{key}"\n{extra}'
    (tmp_path / "recio.toml").write_text(config, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "mode"), [(b"x", 0o644), (b"", 0o600), (b"-----BEGIN PUBLIC KEY-----\n", 0o600), (None, 0)]
)
def test_check_and_run_say_the_very_same_of_a_key_and_make_nothing(
    tmp_path: Path, content: bytes | None, mode: int
):
    _live(tmp_path, "key.pem")
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)
        (tmp_path / "key.pem").chmod(mode)
    before = sorted(tmp_path.iterdir())
    checked, ran = recio("check", cwd=tmp_path), recio("run", cwd=tmp_path)
    assert (checked.returncode, ran.returncode) == (78, 78)
    assert checked.stderr == ran.stderr
    assert "kalshi.key_path" in checked.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_check_says_what_it_looked_at_and_what_may_be_risked_at_most(tmp_path: Path):
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "key.pem").chmod(0o600)
    _live(tmp_path, "key.pem", "[risk]\nmax_event_cost_dollars = 17\nmax_daily_loss_dollars = 23\n")
    said = recio("check", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "RSA, 2048 bits" in said.stdout
    assert f"{tmp_path}/.recio (will be made)" in said.stdout
    # Ten contracts at $0.90, and a fee of at most 0.07 x 10 x 0.5 x 0.5.
    assert re.search(r"order \$ +9\.18  entry: 10\.00 contracts at \$0\.9000", said.stdout)
    assert re.search(r"event \$ +17\.00", said.stdout)
    assert re.search(r"day +\$ +23\.00", said.stdout)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key.pem", "recio.toml"]
    _live(tmp_path, "key.pem", "[entry]\ncontracts = 3\n")
    # $2.7525: a part of a cent is told as a whole one, so that no more can be lost than is said.
    assert re.search(r"order \$ +2\.76  entry: 3\.00 contracts", recio("check", cwd=tmp_path).stdout)


@pytest.mark.parametrize(
    ("data", "told"),
    [("file/data", "cannot be used"), ("full", "choose an empty one"), ("other", "belongs to mode demo")],
)
def test_check_refuses_a_data_directory_that_run_would_refuse(tmp_path: Path, data: str, told: str):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for name, file in (("full", "precious.txt"), ("other", data_dir.MARKER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text('{"mode": "demo", "environment": "demo"}', encoding="utf-8")
    (tmp_path / "recio.toml").write_text(f'data_dir = "{data}"', encoding="utf-8")
    done = recio("check", cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (78, True), done.stderr


def test_run_with_a_key_that_others_can_read_is_refused(tmp_path: Path):
    key = tmp_path / "key.pem"
    key.write_text("x", encoding="utf-8")
    os.chmod(key, 0o644)
    config = f'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "{key}"\n'
    (tmp_path / "recio.toml").write_text(config, encoding="utf-8")
    done = recio("run", cwd=tmp_path)
    assert done.returncode == 78
    assert "chmod 600" in done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key.pem", "recio.toml"]


def test_a_data_directory_of_another_mode_is_refused_and_left_alone(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / data_dir.MARKER).write_text('{"mode": "live", "environment": "prod"}', encoding="utf-8")
    done = recio("demo", "--data-dir", str(folder), "--port", str(unused_port()), cwd=tmp_path)
    assert done.returncode == 78
    assert "belongs to mode live, environment prod" in done.stderr
    assert [each.name for each in folder.iterdir()] == [data_dir.MARKER]


def test_a_directory_with_somebody_elses_files_is_refused(tmp_path: Path):
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BadConfig, match="choose an empty one"):
        data_dir.claim(Config(data_dir=str(tmp_path)))


def test_a_damaged_marker_is_named(tmp_path: Path):
    (tmp_path / data_dir.MARKER).write_text("{", encoding="utf-8")
    with pytest.raises(BadConfig, match="damaged"):
        data_dir.claim(Config(data_dir=str(tmp_path)))


def test_a_recording_that_is_none_exits_with_65(tmp_path: Path):
    done = recio("replay", "nowhere", cwd=tmp_path)
    assert done.returncode == 65
    assert "nowhere" in done.stderr


def test_replay_prints_one_json_object_with_the_names_that_scripts_rely_on(tmp_path: Path):
    frames = [
        {
            "recv_ns": 1_778_501_852_130_176_000,
            "m": {"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 2}},
        },
        {
            "recv_ns": 1_778_501_852_145_616_128,
            "m": {
                "type": "orderbook_snapshot",
                "sid": 2,
                "seq": 1,
                "msg": {"market_ticker": "KXBTC15M-26MAY110830-30", "yes_dollars_fp": [["0.5000", "1.00"]]},
            },
        },
    ]
    (tmp_path / "kalshi_ws.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in frames), encoding="utf-8"
    )
    done = recio("replay", ".", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) >= {
        "messages",
        "sequence_gaps",
        "negative_levels",
        "ticker_checks",
        "ticker_agreements",
        "decisions",
        "trades",
        "windows",
    }
    assert found["messages"] == 2


def test_tail_renders_from_standard_input_and_from_a_file(tmp_path: Path):
    line = '{"event": "fill", "at": "2026-11-23T12:00:01.000Z", "level": "info", "ticker": "KX-1"}\n'
    (tmp_path / "log").write_text(line, encoding="utf-8")
    for done in (recio("tail", cwd=tmp_path, given=line), recio("tail", "log", cwd=tmp_path)):
        assert done.returncode == 0
        assert done.stdout.startswith("12:00:01")
    assert recio("tail", "gone", cwd=tmp_path).returncode == 2
    assert recio("tail", "--since", "yesterday", cwd=tmp_path).returncode == 2


def test_a_time_that_is_none_is_wrong_use_and_no_bug(tmp_path: Path):
    """The first hours of the calendar, in a zone where they lie before it, among them."""
    for when in ("yesterday", "2026-13-01", "2026-11-01T15:00", "0001-01-01T00:00+05:00"):
        ended = recio("lots", "--since", when, cwd=tmp_path)
        assert (ended.returncode, "write " in ended.stderr, "bug" in ended.stderr) == (2, True, False), when


def test_whoever_stops_reading_a_tail_is_no_error(tmp_path: Path):
    line = '{"event": "fill", "at": "2026-11-23T12:00:01.000Z", "level": "info", "ticker": "KX-1"}\n'
    (tmp_path / "log").write_text(line * 50_000, encoding="utf-8")
    command = 'set -o pipefail; "$0" -m recio tail log | head -n 1'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("12:00:01")


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["exchange", "--credentials", "x", "--speed", "0"],
        ["exchange", "--credentials", "x", "--balance", "lots"],
        ["exchange", "--credentials", "x", "--balance", "-1"],
        ["demo", "--windows", "0"],
    ],
)
def test_a_wrong_command_line_exits_with_2_and_starts_nothing(tmp_path: Path, arguments: list[str]):
    assert recio(*arguments, cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_speed_beyond_the_demos_range_is_refused_by_its_key(tmp_path: Path):
    done = recio("demo", "--speed", "1000", cwd=tmp_path)
    assert done.returncode == 78
    assert "demo.speed = 1000.0" in done.stderr


def test_credentials_that_cannot_be_written_are_explained(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = recio("exchange", "--credentials", "file/desk", cwd=tmp_path)
    assert done.returncode == 78
    assert "file/desk" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--series", "KXNOPE"], "KXNOPE"),
        (["--ladder-strikes", "2"], "ladder_strikes"),
        (["--rate-limits", "gold"], "gold"),
        (["--exit-at-end"], "--recording"),
        (["--recording", "session", "--series", "KXBTCD"], "--series"),
    ],
)
def test_an_exchange_that_cannot_be_is_refused_by_what_is_wrong(
    tmp_path: Path, options: list[str], words: str
):
    done = recio("exchange", "--credentials", "desk", *options, cwd=tmp_path)
    assert done.returncode == 78
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "desk").exists()


def test_an_exchange_refuses_a_folder_that_is_no_session_and_writes_nothing(tmp_path: Path):
    done = recio("exchange", "--credentials", "desk", "--recording", "nowhere", cwd=tmp_path)
    assert done.returncode == 65
    assert "nowhere is no folder" in done.stderr
    assert not (tmp_path / "desk").exists()


def test_a_price_source_that_the_simulated_exchange_does_not_have_is_refused_before_anything_is_made(
    tmp_path: Path,
):
    text = '[kalshi]\ncredentials_dir = "desk"\n[prices]\nsources = ["coinbase", "gemini"]\n'
    (tmp_path / "recio.toml").write_text(text)
    done = recio("run", cwd=tmp_path)
    assert done.returncode == 78
    assert 'prices.sources names "gemini"' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recio.toml"]


def test_an_exchange_prints_all_that_a_client_needs_and_no_secret(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-m", "recio", "exchange", "--credentials", "desk"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as exchange:
        assert exchange.stdout is not None
        said = ""
        while "as a file" not in said:
            line = exchange.stdout.readline()
            assert line, said
            said += line
        exchange.terminate()
    told = json.loads((tmp_path / "desk" / "credentials.json").read_text())
    for name in ("key_id", "key_path", "rest_url", "ws_url", "price_url", "kraken_url"):
        assert told[name] in said
    assert "PRIVATE KEY" not in said


def test_a_model_is_built_from_candles_into_a_file_that_a_replay_takes(tmp_path: Path):
    rows = "".join(f"{60 * n},{80_000 + n % 7}\n" for n in range(1, 200))
    (tmp_path / "candles.csv").write_text("t_unix,close\n" + rows, encoding="utf-8")
    table = tmp_path / "btc.tables"
    done = recio("model", "build", str(tmp_path / "candles.csv"), "--out", str(table), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "BTC from 199 minutes" in done.stdout
    config = tmp_path / "c.toml"
    config.write_text('[model]\nkind = "empirical"\n', encoding="utf-8")
    refused = recio("replay", str(tmp_path), "--config", str(config), cwd=tmp_path)
    assert (refused.returncode, "--model FILE" in refused.stderr) == (78, True)
    other = recio("replay", "nothing", "--config", str(config), "--model", str(config), cwd=tmp_path)
    assert (other.returncode, "no empirical table" in other.stderr) == (78, True)


def test_a_bug_in_a_command_shows_no_secret_of_its_locals():
    """A traceback with locals would show the password in a DSN."""
    broken = """
from recio.commands import limits
from recio.cli import main

def breaks(options):
    dsn = "postgresql://recio:pass" + "phrase@db/recio"
    raise ValueError("no such thing: " + dsn)

limits.run = breaks
main(["limits"])
"""
    done = subprocess.run(
        [sys.executable, "-c", broken], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "unexpected ValueError" in done.stderr
    assert "recio broke" in done.stderr
    assert "passphrase" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGALRM"])
@pytest.mark.parametrize(
    ("outcome", "code", "said"), [("raise Fatal('no')", 1, "recio: no\n"), ("return None", 0, "")]
)
def test_a_signal_that_comes_when_a_command_is_over_changes_neither_its_words_nor_its_code(
    number: str, outcome: str, code: int, said: str
):
    late = f"""
import atexit, os, signal, sys
import recio.cli as cli
from recio.errors import Fatal

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever it was inherited as

def signals():
    os.kill(os.getpid(), signal.{number})

class Stream:
    def write(self, text):
        signals()
        return sys.__stderr__.write(text)
    def flush(self):
        sys.__stderr__.flush()

def command(given):
    {outcome}

sys.stderr = Stream()
cli._command = command
try:
    cli.main(["trade"])
finally:
    signals() if "{number}" == "SIGINT" else None
"""
    done = subprocess.run(
        [sys.executable, "-c", late], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (code, said)


def test_whoever_waits_at_a_terminal_is_told_that_a_long_command_is_at_work(tmp_path: Path):
    """A pseudo terminal as the error stream, and a command that takes its time."""
    slow = (
        "import time, recio.cli as cli; cli.FIRST_SIGN = cli.NEXT_SIGN = 0.05;"
        "cli._command = lambda given: time.sleep(0.5); cli.main([%r])"
    )
    said: dict[str, bytes] = {}
    for name in ("replay", "tail"):
        ours, theirs = os.openpty()
        done = subprocess.run(
            [sys.executable, "-c", slow % name], stderr=theirs, stdout=subprocess.PIPE, timeout=60
        )
        os.close(theirs)
        with contextlib.suppress(OSError):  # nothing was written, and nobody will
            said[name] = os.read(ours, 10_000)
        os.close(ours)
        assert (done.returncode, done.stdout) == (0, b"")
    assert b"recio: replay is at work (0 s)" in said["replay"]
    assert said.get("tail", b"") == b""


def test_a_path_that_the_locale_cannot_write_is_a_sentence_and_no_bug(tmp_path: Path):
    (tmp_path / "recio.toml").write_text('data_dir = "d\u00e4t\u00e4"\n', encoding="utf-8")
    poor = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "recio", "check", "recio.toml"],
        cwd=tmp_path,
        env=os.environ | poor,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, b"set LC_ALL=C.UTF-8" in done.stderr) == (78, True), done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_missing_is_called_by_a_word_that_may_be_written(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    """An option, a choice like on|off, or a word in capitals: never a name of the program's own."""
    parser = argparse.ArgumentParser()
    file = cast("CommandFile", import_module(f"recio.commands.{COMMANDS[command][0]}"))
    file.add_options(command, parser)
    with contextlib.suppress(SystemExit):
        parser.parse_args([])
    told = re.search(r"required: (.*)", capsys.readouterr().err)
    missing = [] if told is None else told[1].split(", ")
    assert [each for each in missing if not re.fullmatch(r"--[a-z-]+|[A-Z|]+|[a-z]+\|[a-z]+", each)] == []
