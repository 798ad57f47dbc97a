"""Commands about an installation, as processes: they need no key and no good config, make nothing, and say what is so."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import anyio.lowlevel
import asyncpg
import pytest

from recio.commands.sales import left_of, listed, tell_sale
from recio.daemon import data_dir
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer, embedded_server
from recio.db.identity import claim
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema
from recio.messages.orders import TradeState
from recio.settings.config import parse
from recio.units import Money, Quantity
from tests.builders import trade

pytestmark = pytest.mark.timeout(240)

LIVE = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n'
TRADE = ("trade", "yes", "T", "--contracts", "1", "--max-price", "0.5", "--by", "me")
EVERY = (
    ("halt",),
    ("flatten",),
    ("stop",),
    ("resume", "--by", "me"),
    ("switch", "entry", "off"),
    ("limits",),
    ("limits", "grant", "--by", "me"),
    ("forgo", "--by", "me", "--why", "x"),
    TRADE,
    ("model", "list"),
)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """A folder with a live config whose key is gone, and a data directory beside it that a daemon has used."""
    folder = Path(tempfile.mkdtemp(prefix="recio-operator-"))
    folder.chmod(0o711)
    (folder / "recio.toml").write_text(f'data_dir = "data"\n{LIVE}', encoding="utf-8")
    anyio.run(_used, folder / "data")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _used(root: Path) -> None:
    live = {"mode": "live", "kalshi": {"environment": "demo", "key_id": "k", "key_path": "gone.pem"}}
    data_dir.claim(parse(live | {"data_dir": str(root)}, "a test"))
    async with embedded_server(root) as server:
        dsn = await server.ensure_database("recio")
        async with open_pool(dsn, application_name="a test") as pool, transaction(pool) as connection:
            await ensure_schema(connection)


def recio(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_a_command_makes_no_installation_and_says_where_it_looked(tmp_path: Path, command: Sequence[str]):
    done = recio(*command, cwd=tmp_path)
    assert done.returncode == 78
    assert str(tmp_path) in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [EVERY[0], EVERY[3], EVERY[6], TRADE], ids=" ".join)
def test_a_command_makes_no_database_where_no_daemon_has_been(tmp_path: Path, command: Sequence[str]):
    (tmp_path / "recio.toml").write_text("", encoding="utf-8")
    (tmp_path / ".recio").mkdir()
    (tmp_path / ".recio" / data_dir.MARKER).write_text(
        '{"mode": "demo", "environment": "sim"}', encoding="utf-8"
    )
    before = files(tmp_path)
    done = recio(*command, cwd=tmp_path)
    assert (done.returncode, "has no database yet" in done.stderr) == (78, True), done.stderr
    assert files(tmp_path) == before


def test_halts_and_switches_hold_without_a_key_or_a_daemon_until_somebody_resumes(
    installed: Path, tmp_path: Path
):
    """From any folder, by the config or by the data directory alone, and by a config that recio run would refuse."""
    config = str(installed / "recio.toml")
    (tmp_path / "recio.toml").write_text(
        f'data_dir = "{installed}/data"\n[entry]\nmin_egde = 1\n', encoding="utf-8"
    )
    halted = recio("halt", "--why", "a test", "--config", config, cwd=tmp_path)
    again = recio("halt", "--why", "a test", "--data-dir", str(installed / "data"), cwd=installed.parent)
    stopped = recio("stop", "--why", "a slip in a setting", cwd=tmp_path)
    flattened = recio("flatten", cwd=installed)
    switched = recio("switch", "exit", "off", cwd=installed)
    odd = recio("switch", "entry", "off", "--strategy", "odd", cwd=installed)
    assert (odd.returncode, "the config has default" in odd.stderr) == (78, True)
    limits = recio("limits", cwd=installed)
    resumed = recio("resume", "--by", "me", cwd=installed)
    nothing = recio("resume", "--by", "me", cwd=installed)
    back = recio("switch", "exit", "on", cwd=installed)

    every = (halted, again, stopped, flattened, switched, limits, resumed, nothing, back)
    assert [each.returncode for each in every] == [0] * len(every), [each.stderr for each in every]
    assert halted.stdout.startswith("halted by command: a test\n")
    assert "holds when one starts on it" in halted.stdout
    assert "halted by command: a test (already)" in again.stdout
    assert "recio run would refuse this config" in stopped.stderr
    assert "nothing is held" in flattened.stdout
    assert switched.stdout == "exit is switched off\n"
    assert "max_daily_loss_dollars" in limits.stdout
    assert resumed.stdout.splitlines() == [
        "cleared: halted by command: a test",
        "cleared: stopped by command: a slip in a setting",
        "cleared: flattened by command",
    ]
    assert nothing.stdout == "nothing was halted\n"
    assert all(f"about {installed}/data" in each.stderr for each in every)
    assert not (installed / "data" / "postgres" / "postmaster.pid").exists()


def test_a_trade_that_nobody_answers_is_no_success(installed: Path):
    done = recio(*TRADE, cwd=installed)
    assert (done.returncode, "is the daemon running?" in done.stderr) == (75, True), done.stderr


@contextmanager
def started(*arguments: str, cwd: Path, before: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*before, sys.executable, "-m", "recio", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for a state that only another process can bring about."""
    with anyio.fail_after(100):
        while not happened():  # noqa: ASYNC110 - another process has no event of ours
            await anyio.sleep(0.02)


@asynccontextmanager
async def locked(server: EmbeddedServer, table: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Whoever writes to the table waits for as long as this lasts."""
    connection = await asyncpg.connect(server.dsn("recio"))
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_a_halt_that_is_interrupted_while_it_is_written_says_that_it_stands(
    installed: Path, number: signal.Signals
):
    async with embedded_server(installed / "data") as server:
        with started("halt", "--why", number.name, cwd=installed) as command:
            async with locked(server, "halts") as connection:
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                with anyio.fail_after(100):
                    while not await connection.fetchval(waiting):  # noqa: ASYNC110
                        await anyio.sleep(0.02)
                command.send_signal(number)
                await anyio.lowlevel.checkpoint()
            said = (await anyio.to_thread.run_sync(command.communicate))[0]
        assert command.returncode == 130, said
        assert f"interrupted: the halt stands (halted by command: {number.name})" in said
    assert (
        recio("resume", "--by", "me", cwd=installed).stdout == f"cleared: halted by command: {number.name}\n"
    )


async def test_a_halt_that_is_interrupted_before_says_that_nothing_was_halted_and_leaves_no_server(
    installed: Path,
):
    with (installed / "data" / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with started("halt", cwd=installed) as command:
            pid = command.pid
            await until(lambda: b"postgres.lock" in _open_files(pid))
            command.send_signal(signal.SIGINT)
            said = (await anyio.to_thread.run_sync(command.communicate))[0]
    assert command.returncode == 130
    assert "interrupted: nothing was halted" in said
    assert not (installed / "data" / "postgres" / "postmaster.pid").exists()
    assert recio("resume", "--by", "me", cwd=installed).stdout == "nothing was halted\n"


async def test_a_command_that_is_interrupted_again_and_again_says_once_what_is_so_and_leaves_no_server(
    installed: Path,
):
    """Who is in a hurry presses Ctrl-C more than once, and the last may come when all is over."""
    pid_file = installed / "data" / "postgres" / "postmaster.pid"
    with started("halt", "--why", "hurry", cwd=installed) as command:
        await until(pid_file.exists)
        while command.poll() is None:
            command.send_signal(signal.SIGINT)
            await anyio.sleep(0.005)
        said = command.communicate()[0]
    assert command.returncode == 130, said
    assert not pid_file.exists()
    assert ("Traceback" in said, said.count("interrupted: ")) == (False, 1), said
    stands = "the halt stands (halted by command: hurry)" in said
    assert stands or "interrupted: nothing was halted" in said
    cleared = "cleared: halted by command: hurry\n" if stands else "nothing was halted\n"
    assert recio("resume", "--by", "me", cwd=installed).stdout == cleared


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("report",), signal.SIGTERM),
        (("audit", "--verify"), signal.SIGHUP),
        (("lots",), signal.SIGQUIT),
        (("trades",), signal.SIGALRM),
        (("model", "list"), signal.SIGHUP),
    ],
)
async def test_a_command_that_reads_leaves_no_server_whatever_signal_ends_it(
    installed: Path, command: Sequence[str], number: signal.Signals
):
    """As for any command that has none of its own: a terminal is closed, a machine shut down."""
    pid_file = installed / "data" / "postgres" / "postmaster.pid"
    with started(*command, cwd=installed) as process:
        await until(pid_file.exists)
        process.send_signal(number)
        said = (await anyio.to_thread.run_sync(process.communicate))[0]
    assert process.returncode == 130, said
    assert f"recio: interrupted: recio {command[0]} did not come to its end\n" in said
    assert not pid_file.exists()


async def test_a_command_in_the_background_of_a_script_is_ended_by_a_signal_and_leaves_no_server(
    installed: Path,
):
    """Where a shell has no jobs, what it starts in the background is told to ignore Ctrl-C."""
    pid_file = installed / "data" / "postgres" / "postmaster.pid"
    in_the_background = ("sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh")
    with started("report", cwd=installed, before=in_the_background) as process:
        await until(pid_file.exists)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        said = (await anyio.to_thread.run_sync(process.communicate))[0]
    assert process.returncode == 130, said
    assert "recio: interrupted: recio report did not come to its end\n" in said
    assert not pid_file.exists()


def _open_files(pid: int) -> bytes:
    found: list[bytes] = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(bytes(each)))
        except OSError:
            continue
    return b"\n".join(found)


@pytest.mark.parametrize("command", ["replay", "score"])
async def test_a_replay_or_score_that_is_interrupted_is_no_success(tmp_path: Path, command: str):
    os.mkfifo(tmp_path / "kalshi_ws.jsonl")
    with started(command, ".", cwd=tmp_path) as process:
        # Open for reading too, so that neither end waits: the command reads until somebody writes.
        end = os.open(tmp_path / "kalshi_ws.jsonl", os.O_RDWR)
        pid = process.pid
        await until(lambda: b"kalshi_ws.jsonl" in _open_files(pid))
        process.send_signal(signal.SIGINT)
        # Heard just before it began to read, the signal would be heeded only after the next bytes.
        os.close(end)
        said = (await anyio.to_thread.run_sync(process.communicate))[0]
    assert (process.returncode, said) == (
        130,
        f"recio: interrupted: recio {command} did not come to its end\n",
    )


def closed(descriptors: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = ["bash", "-c", f'exec "$@" {descriptors}', "bash", sys.executable, "-m", "recio", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, timeout=120, check=False)


def test_closed_standard_descriptors_change_no_exit_code_and_no_file(tmp_path: Path):
    (tmp_path / "recio.toml").write_text("", encoding="utf-8")
    (tmp_path / "bad.toml").write_text("x = 1", encoding="utf-8")
    every = "0<&- 1>&- 2>&-"
    assert closed(every, "check", cwd=tmp_path).returncode == 0
    assert closed(every, "check", "bad.toml", cwd=tmp_path).returncode == 78
    assert closed("0<&-", "tail", cwd=tmp_path).returncode == 0
    no_words = closed("1>&-", "check", "bad.toml", cwd=tmp_path)
    assert (no_words.returncode, b"unknown key x" in no_words.stderr) == (78, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.toml", "recio.toml"]


def test_what_an_entry_may_have_bought_is_not_said_to_be_nothing():
    """Its answer is not known while no daemon runs: the venue may have filled it."""
    under_way = trade(state=TradeState.OPENING, entry_quantity=Quantity(0), entry_cost=Money(0))
    sold = trade(state=TradeState.CLOSED, exit_quantity=Quantity(1000))
    left = left_of((under_way, sold))
    assert left == [under_way]
    assert "what the entry of trade 1 on" in listed(left)


def test_what_a_settlement_has_ended_is_not_said_to_be_held_still(capsys: pytest.CaptureFixture[str]):
    """A market may close while a flatten sells: its contracts stay unsold, and are paid."""
    before = trade(state=TradeState.OPEN)
    settled = trade(state=TradeState.CLOSED, ended_by="settlement", payout=Money(10_000_000))
    assert left_of((settled,)) == []
    tell_sale(before, settled)
    tell_sale(settled, settled)
    assert (
        capsys.readouterr().out
        == f"10.00 yes of {before.ticker} (trade 1) ended by settlement: paid $10.00\n"
    )


@contextmanager
def a_page_of(account: str) -> Iterator[int]:
    """The port at which a daemon of this account answers GET /status."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"reasons": [], "account": account}).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            """Nothing: what the command says is what is read."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def _claimed(root: Path, account: str) -> None:
    async with embedded_server(root) as server:
        dsn = await server.ensure_database("recio")
        async with open_pool(dsn, application_name="a test") as pool, transaction(pool) as connection:
            await claim(connection, "live", "demo", account)


def test_status_never_shows_the_figures_of_another_account_nor_of_no_installation(
    installed: Path, tmp_path: Path
):
    """Two daemons on one machine have one usual port between them."""
    anyio.run(_claimed, installed / "data", "0123456789ab")
    with a_page_of("99999999") as port:
        other = recio("status", "--port", str(port), cwd=installed)
        nowhere = recio("status", "--port", str(port), "--data-dir", str(tmp_path), cwd=tmp_path)
    assert (other.returncode, nowhere.returncode) == (75, 78), other.stderr + nowhere.stderr
    assert "no daemon runs" in other.stdout
    assert "is the page of another recio (account 99999999)" in other.stderr
    assert f"{tmp_path} is no data directory of recio" in nowhere.stderr
    with a_page_of("01234567") as port:
        own = recio("status", "--port", str(port), "--json", cwd=installed)
    assert (own.returncode, json.loads(own.stdout)["account"]) == (0, "01234567"), own.stderr


@pytest.mark.parametrize("command", [("trades",), ("report",), ("history", "trades")], ids=" ".join)
def test_a_time_that_ends_before_it_begins_is_refused_rather_than_found_empty(
    installed: Path, command: Sequence[str]
):
    done = recio(*command, "--since", "2026-12-01", "--until", "2026-11-01", cwd=installed)
    assert (done.returncode, "is not before --until" in done.stderr) == (78, True), done.stderr


@pytest.mark.parametrize("command", [("trades",), ("history", "orders")], ids=" ".join)
def test_a_list_that_finds_nothing_says_so(installed: Path, command: Sequence[str]):
    done = recio(*command, "--ticker", "NOPE", cwd=installed)
    assert (done.returncode, f"no real {command[-1]} that were asked for" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("history", "trades", "--most", "abc"), "abc is not a whole number above zero"),
        (("trades", "--kind", "foo"), "'foo' is no kind: write real, shadow, imported"),
        (("status", "--port", "99999"), "99999 is not a whole number from 1 to 65535"),
        (("demo", "--seed", "x"), "x is not a whole number"),
    ],
)
def test_a_word_that_is_refused_is_named_with_what_may_be_written(
    tmp_path: Path, arguments: Sequence[str], told: str
):
    done = recio(*arguments, cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
