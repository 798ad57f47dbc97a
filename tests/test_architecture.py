"""The walls of the house: imports, sizes, names, wires and what the project may say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recio.tasks import (
    account_sync,
    entry,
    executor,
    failure_detector,
    kill_switch,
    market_sync,
    price_feed,
    recorder,
    shadow,
    status_http,
    trade_manager,
)
from recio.tasks import (
    exit as exit_task,
)
from recio.wires import WRITERS

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "recio").rglob("*.py"))
TASKS = {
    "price_feed": price_feed.PriceFeed,
    "market_sync": market_sync.MarketSync,
    "account_sync": account_sync.AccountSync,
    "entry": entry.Entry,
    "exit": exit_task.Exit,
    "trade_manager": trade_manager.TradeManager,
    "executor": executor.Executor,
    "failure_detector": failure_detector.FailureDetector,
    "kill_switch": kill_switch.KillSwitch,
    "recorder": recorder.Recorder,
    "shadow": shadow.Shadow,
    "status_http": status_http.StatusHttp,
}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|common|helpers?|base|manager|handler)(_|$|\.)")


def _trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


def _room(path: Path) -> str:
    """The first folder below recio/; empty for a file of the top level."""
    return next(iter(path.relative_to(ROOT / "recio").parts[:-1]), "")


def test_the_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_begins_by_saying_what_it_is_for(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = ast.get_docstring(tree)
    assert said, "a file begins with one sentence that says what it does"
    assert len(said.splitlines()[0]) > 15


def test_no_file_is_called_a_drawer_for_anything():
    bad = [path for path in SOURCES if FORBIDDEN_NAMES.search(path.name) and path.name != "trade_manager.py"]
    assert bad == []


def test_files_and_functions_stay_small():
    long_files = [path.name for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE]
    long_functions = [
        f"{path.name}:{node.name}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION
    ]
    assert (long_files, long_functions) == ([], [])


def _written_wires(task: type) -> set[str]:
    """The wires whose writing end a task's fields ask for."""
    return {
        name
        for name, hint in task.__annotations__.items()
        if hint.startswith(("Writes[", "Sends[", "Notes["))
    }


def test_every_wire_is_written_by_the_one_task_that_is_declared():
    written = {(wire, name) for name, task in TASKS.items() for wire in _written_wires(task)}
    assert written == set(WRITERS.items())


def test_no_task_asks_for_a_whole_wire():
    """A task holds a reading or a writing end, never both at once."""
    for task in TASKS.values():
        assert not [
            hint
            for hint in task.__annotations__.values()
            if hint.startswith(("Latest[", "Queue[", "RingBuffer["))
        ]


def test_rules_neither_wait_nor_look_at_a_clock():
    for path, tree in _trees():
        if _room(path) != "rules":
            continue
        for node in ast.walk(tree):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), path
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert not called.endswith((".now", ".utcnow", ".today", ".monotonic")), f"{path}: {called}"


def test_money_rooms_never_parse_a_float():
    """float() may meet prices in the probability model only: never money, never a quantity."""
    allowed = {"probability.py", "market_probability.py", "volatility.py", "momentum.py", "empirical.py"}
    rooms = ("rules", "db", "tasks", "kalshi")
    for path, tree in _trees():
        if _room(path) in rooms and path.name not in allowed:
            calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert not [call for call in calls if call.startswith("float(")], path


def test_sql_lives_in_the_database_room_only():
    statement = re.compile(r"\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s\w+\sSET|DELETE FROM)\b", re.DOTALL)
    for path in SOURCES:
        if _room(path) != "db":
            assert not statement.search(path.read_text(encoding="utf-8")), path


def test_only_commands_know_the_exchange_simulator():
    for path in SOURCES:
        inside = path.is_relative_to(ROOT / "recio" / "exchange_sim")
        if not inside and _room(path) != "commands":
            assert "exchange_sim" not in path.read_text(encoding="utf-8"), path


def test_inheritance_is_for_exceptions_data_and_protocols_only():
    allowed = {
        "Exception",
        "ValueError",
        "Fatal",
        "Protocol",
        "StrEnum",
        "IntEnum",
        "Generic",
        "NamedTuple",
        "Section",
        "BaseModel",
        "Struct",
    }
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
                assert bases <= allowed, f"{path}: class {node.name} inherits {bases - allowed}"


def test_mocks_stay_rare():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    lines = sum(len(text.splitlines()) for text in texts)
    word = re.compile(
        r"\b(" + "|".join(["Magic" + "Mock", "mock" + r"\.patch", r"monkeypatch\.set" + "attr"]) + r")\b"
    )
    uses = sum(len(word.findall(text)) for text in texts)
    assert uses * 1000 < 3 * lines
