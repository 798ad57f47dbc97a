"""The audit log as it is read: who did what, from what to what; proven whole, or from a checkpoint that must still fit."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from recio.db import audit_log, closes, halts, identity, limits, switches
from recio.db.audit_trail import Entry, Wanted, entries, keep_checkpoint, prove_chain
from recio.db.connection import Connection, transaction
from recio.errors import Fatal
from recio.messages.controls import Halt, Switch
from recio.settings.config import parse
from recio.settings.risk import RiskSection
from recio.units import TradeId
from tests.builders import NOW
from tests.db.trigger_scenarios import insert
from tests.runs import USUAL, begun

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
LIVE = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n'


async def told(connection: Connection, wanted: Wanted | None = None) -> list[Entry]:
    return [each async for each in entries(connection, wanted or Wanted())]


async def test_what_people_do_is_a_row_with_who_from_and_to(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
        await switches.turn(connection, Switch.ENTRY, False, NOW, "ann", "news")
        await switches.turn(connection, Switch.ENTRY, True, NOW, "bob", "")
        await halts.set_halt(connection, Halt(cause="c", since=NOW, by="ann", resolution="r"))
        await halts.clear_all(connection, NOW, "bob")
        await limits.grant(connection, [("max_open_trades", Decimal(9))], "ann")
        await insert(connection, "trades")
        await closes.ask(connection, TradeId(1), None, "ann", "enough")
    async with transaction(pool) as connection:
        found = await told(connection)
    assert [(each.kind, each.detail.get("by"), each.trade_id) for each in found] == [
        ("switch turned", "ann", None),
        ("switch turned", "bob", None),
        ("halt set", "ann", None),
        ("halt cleared", "bob", None),
        ("limit granted", "ann", None),
        ("close asked for", "ann", 1),
    ]
    assert [(each.detail["from"], each.detail["to"]) for each in found[:2]] == [(True, False), (False, True)]
    granted = found[4].detail
    assert Decimal(granted["from"]) == USUAL.max_open_trades
    assert Decimal(granted["to"]) == 9


async def test_a_start_logs_each_setting_and_limit_that_changed_since_the_run_before(pool: Pool):
    lower = RiskSection(max_open_trades=1)
    before = parse({}, "a test").every_setting()
    after = before | {"risk.max_open_trades": 1, "entry.new": "on"}
    async with transaction(pool) as connection:
        first = await identity.begin_run(connection, before)
        await limits.put_in_force(connection, first, USUAL)
        second = await identity.begin_run(connection, after)
        await limits.put_in_force(connection, second, lower)
    async with transaction(pool) as connection:
        found = {each.kind: each.detail for each in await told(connection)}
    assert found["settings changed"]["changed"] == {
        "risk.max_open_trades": [before["risk.max_open_trades"], 1],
        "entry.new": [None, "on"],
    }
    assert found["limit changed"]["name"] == "max_open_trades"


def test_settings_are_logged_without_dsn_and_key():
    live = {"environment": "prod", "key_id": "my-key", "key_path": "my.pem"}
    config = parse(
        {"mode": "live", "kalshi": live, "database": {"dsn": "postgresql://me:hunter2@h/db"}}, "a test"
    )
    said = json.dumps(config.every_setting())
    assert "entry.enabled" in said
    assert not any(each in said for each in ("hunter2", "my-key", "my.pem"))


async def test_rows_are_chosen_by_time_kind_person_and_trade(pool: Pool):
    async with transaction(pool) as connection:
        await insert(connection, "trades")
        await audit_log.append(connection, NOW, "limit granted", detail={"by": "ann"})
        await audit_log.append(connection, NOW, "limit changed")
        await audit_log.append(connection, NOW, "trade open", trade_id=TradeId(1))
        for wanted, seqs in (
            (Wanted(kind="limit"), [1, 2]),
            (Wanted(by="ann"), [1]),
            (Wanted(trade_id=1), [3]),
            (Wanted(until=NOW), []),
            (Wanted(since=NOW), [1, 2, 3]),
        ):
            assert [each.seq for each in await told(connection, wanted)] == seqs


async def test_a_start_reads_what_came_since_the_checkpoint_and_notices_one_that_no_longer_fits(pool: Pool):
    async with transaction(pool) as connection:
        for _ in range(5):
            await audit_log.append(connection, NOW, "k")
        await keep_checkpoint(connection, every=6)
        assert await prove_chain(connection, whole=False) == 0
        await keep_checkpoint(connection, every=5)
        await audit_log.append(connection, NOW, "later")
        assert await prove_chain(connection, whole=False) == 5
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await connection.execute("UPDATE audit_log SET kind = 'forged' WHERE seq = 2")
        assert await prove_chain(connection, whole=False) == 5
        with pytest.raises(Fatal, match="seal of row 2 does not fit"):
            await prove_chain(connection, whole=True)
        await connection.execute("UPDATE audit_log SET kind = 'forged' WHERE seq = 6")
        with pytest.raises(Fatal, match="seal of row 6 does not fit"):
            await prove_chain(connection, whole=False)
        await connection.execute("UPDATE audit_log SET seal = '\\x00' WHERE seq = 5")
        with pytest.raises(Fatal, match="row 5 has not the seal of its checkpoint"):
            await prove_chain(connection, whole=False)


async def test_a_person_reads_and_verifies_the_log(pool: Pool, database_dsn: str, tmp_path: Path):
    (tmp_path / "recio.toml").write_text(f'{LIVE}[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")

    def audit(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "recio", "audit", *options],
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    async with transaction(pool) as connection:
        await switches.turn(connection, Switch.ENTRY, False, NOW, "ann", "news")
    done = audit()
    assert done.returncode == 0
    assert "switch turned: by ann" in done.stdout
    assert "the log is whole: 1 rows" in done.stderr
    assert json.loads(audit("--json").stdout)["detail"]["by"] == "ann"
    assert audit("--verify").stdout == audit("--by", "bob").stdout == ""
    await pool.execute("ALTER TABLE audit_log DISABLE TRIGGER USER; UPDATE audit_log SET kind = 'forged'")
    broken = audit("--verify")
    assert broken.returncode == 65
    assert "the seal of row 1 does not fit" in broken.stderr


async def test_each_price_of_the_log_says_whose_it_is_and_a_demo_whose_clock_it_has(
    pool: Pool, database_dsn: str, tmp_path: Path
):
    (tmp_path / "recio.toml").write_text(f'[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")
    entry = {
        "purpose": "entry",
        "side": "ask",
        "price": "0.6000",
        "coin_price": "84741.47",
        "limit": "0.4000",
    }
    leave = {"purpose": "exit", "side": "bid", "price": "0.7300"}
    async with transaction(pool) as connection:
        await identity.claim(connection, "demo", "sim", "0123456789ab")
        for kind, detail in (
            ("order pending", entry),
            ("order pending", leave),
            ("fill", {"price": "0.6100"}),
        ):
            await audit_log.append(connection, NOW, kind, detail=detail)
    command = [sys.executable, "-m", "recio", "audit"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    bought, sold, filled = done.stdout.splitlines()
    assert "price of the coin 84741.47" in bought
    assert "price of YES 0.6000" in bought
    assert "own limit 0.4000" in bought
    assert "price of YES 0.7300" in sold
    assert "side of the YES book bid" in sold
    assert "price of YES 0.6100" in filled
    assert "what people did has that of your own clock" in done.stderr


async def test_two_who_write_at_once_are_numbered_in_the_order_in_which_they_write(pool: Pool):
    """A number that was drawn before the other was faster is no reason to refuse an order's row."""
    async with transaction(pool) as connection:
        for drawn in (27, 26):
            await insert(connection, "audit_log", {"seq": drawn, "client_order_id": None, "trade_id": None})
        numbers = [each["seq"] for each in await connection.fetch("SELECT seq FROM audit_log ORDER BY seq")]
        assert numbers == [1, 2]
        assert await connection.fetchval("SELECT audit_log_breaks_at(0) IS NULL")
