"""What an upgrade waits for, accepts and refuses, held against pages and releases that are made up; nothing is switched here."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.droplet.machine import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "deploy"))
quiet: Any = import_module("quiet")
upgrade: Any = import_module("upgrade")
beside: Any = import_module("beside")
files: Any = import_module("droplet")

FLAT = {
    "switched_off": [{"switch": "entry"}],
    "reasons": [],
    "positions": {"count": 0},
    "orders": [],
    "trades": [],
}
HELD = {"ticker": "KXBTC15M-A", "seconds_to_close": 12.0}
SETTLING = {"ticker": "KXBTC15M-B", "seconds_to_close": -3.0}
ENDED = {"ticker": "KXBTC15M-C"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What GET /status says, on the port of a config in a folder of its own."""
    said: dict[str, Any] = {}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (tmp_path / "recio.toml").write_text(f"[status]\nport = {server.server_port}\n", encoding="utf-8")
        monkeypatch.setattr(files, "ETC", tmp_path)
        yield said
        server.shutdown()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, []),
        ({"trades": [SETTLING, ENDED]}, []),
        ({"trades": [SETTLING, HELD]}, ["KXBTC15M-A is held"]),
        ({"orders": [{"client_order_id": "o1", "state": "unknown"}]}, ["order o1 is unknown"]),
        ({"orders": [{"client_order_id": "o1", "state": "filled"}]}, []),
        ({"switched_off": [{"switch": "exit"}]}, ["entries are not off yet"]),
        ({"switched_off": [{"switch": "entry", "strategy": "late"}]}, ["entries are not off yet"]),
        ({"switched_off": [{"switch": "entry", "strategy": None}]}, []),
        ({"positions": None}, ["the daemon does not know yet what it holds"]),
    ],
)
def test_it_waits_for_open_orders_and_for_what_is_held_on_a_market_that_trades(
    page: dict[str, Any], more: dict[str, Any], told: list[str]
):
    page.update(FLAT | more)
    assert quiet.at_stake(files.Account("")) == told


def test_a_page_of_somebody_else_is_no_daemon(page: dict[str, Any]):
    page.update({"hello": 1})
    assert files.Account("").status() is None


def test_the_same_cause_with_other_figures_is_the_same():
    assert quiet.causes(["price old: 12 s", "halted: drift"]) == quiet.causes(["price old: 9 s", "halted: x"])


# --- releases that are made up --------------------------------------------------------------------------------------


@dataclass
class Answers:
    """An account whose releases answer as told: by release and first word, what is printed or the refusal."""

    scratch: Path
    backups: Path
    data_dir: Path
    said: dict[tuple[str, str], str | Exception] = field(
        default_factory=dict[tuple[str, str], "str | Exception"]
    )
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    unit: str = "recio.service"
    user: str = "root"
    config: Path = Path("/etc/recio/recio.toml")
    is_active: bool = False

    def recio(self, release: Any, *arguments: object, user: str = "") -> str:
        self.asked.append((release.name, str(arguments[0])))
        answer = self.said.get(self.asked[-1], "")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def python(self, release: Any, *arguments: object) -> str:
        return ""


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.setattr(beside, "run", lambda *_: "")  # folders of other accounts, which only root makes
    (tmp_path / "data/recording").mkdir(parents=True)
    return Answers(tmp_path / "scratch", tmp_path / "backups", tmp_path / "data")


def change(account: Answers, *, accept_differences: bool = False, one_way: bool = False) -> Any:
    options = SimpleNamespace(accept_differences=accept_differences, one_way=one_way)
    return files.Change(
        source=files.Release("old"), target=files.Release("new"), accounts=[account], options=options
    )


def test_a_migration_that_the_old_release_does_not_run_on_is_refused_unless_a_way_without_return_is_meant(
    account: Answers,
):
    account.said = {
        ("new", "db"): "took step 2: expand two\ntook step 3: without two\n",
        ("old", "tables"): files.Refused("no schema goes back"),
    }
    with pytest.raises(files.Refused, match="--one-way accepts that"):
        beside.try_beside(change(account))
    meant = change(account, one_way=True)
    beside.try_beside(meant)
    assert meant.one_way == ["recio.service"]
    assert meant.steps == {"recio.service": ["2: expand two", "3: without two"]}


def test_a_migration_that_the_old_release_runs_on_has_a_way_back(account: Answers):
    account.said = {("new", "db"): "took step 2: expand two\n"}
    trying = change(account)
    beside.try_beside(trying)
    assert trying.one_way == []
    assert account.asked.index(("old", "backup")) < account.asked.index(("old", "restore"))


def test_a_copy_that_only_the_new_release_can_prove_is_proven_by_it(account: Answers):
    account.said = {("old", "restore"): files.Refused("no schema goes back")}
    beside.try_beside(change(account))
    assert ("new", "restore") in account.asked
    account.said[("new", "restore")] = files.Refused("damaged")
    with pytest.raises(files.Refused, match="no schema goes back"):
        beside.try_beside(change(account))


def test_decisions_that_come_out_otherwise_are_shown_and_refused_unless_that_is_meant(
    account: Answers, capsys: pytest.CaptureFixture[str]
):
    for name in ("20260101T000000.0Z", "20260101T010000.0Z"):
        (account.data_dir / "recording" / f"{name}.recording.gz").touch()
    difference = {"at": "2026-01-01", "segment": "s", "was": "buys", "now": "waits"}
    found = {"entry_cycles": 7, "exit_cycles": 1, "different": 1, "differences": [difference]}
    account.said = {("new", "replay"): json.dumps(found)}
    with pytest.raises(files.Refused, match="decides otherwise"):
        beside.try_beside(change(account))
    assert "was buys; is waits" in capsys.readouterr().out
    beside.try_beside(change(account, accept_differences=True))


def test_a_recording_that_the_new_release_cannot_read_is_no_silent_agreement(account: Answers):
    for name in ("20260101T000000.0Z", "20260101T010000.0Z"):
        (account.data_dir / "recording" / f"{name}.recording.gz").touch()
    account.said = {("new", "replay"): files.Refused("form 9 is not known")}
    with pytest.raises(files.Refused, match="cannot make its decisions again"):
        beside.try_beside(change(account))


@pytest.mark.parametrize(("dsn", "has_owner"), [("postgresql:///recio", True), ("", False)])
def test_a_restored_database_is_migrated_as_the_accounts_own_and_not_the_one_that_it_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dsn: str, has_owner: bool
):
    monkeypatch.setattr(files, "ETC", tmp_path)
    (tmp_path / "recio-owner.dsn").write_text("postgresql:///recio?user=recio-owner\n", encoding="utf-8")
    (tmp_path / "recio.toml").write_text(f'[database]\ndsn = "{dsn}"\n', encoding="utf-8")
    asked: list[tuple[str, ...]] = []
    account = files.Account("")
    monkeypatch.setattr(
        files.Account, "recio", lambda _, *words, **who: asked.append((*map(str, words), who.get("user", "")))
    )
    upgrade.migrate(SimpleNamespace(steps={account.unit: ["two"]}, target="new", migrated=False), account)
    assert ("--owner" in asked[0], asked[0][-1]) == (has_owner, "recio-owner" if has_owner else "")
