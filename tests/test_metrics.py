"""GET /metrics: what Prometheus reads is true, unknown has no sample, and the shipped rules and dashboard ask for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from recio.measurements import Measurements
from recio.messages.alerts import AlertsView
from recio.messages.backups import BackupsSeen, Tried
from recio.messages.controls import Halt, TradingControls
from recio.messages.orders import OrderRejected, OrderState, OrderUnknown
from recio.units import ClientOrderId
from recio.web.metrics import exposition
from recio.wires import Wires
from tests.builders import NOW, open_trades, order
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started
from tests.tasks.test_status_page import AT_NOW, FACTS, filled_wires, running_tasks

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "recio.rules.yml"
NAME = re.compile(r"\b(?:recio|process)_\w+")


def text_of(wires: Wires, measurements: Measurements | None = None) -> str:
    return exposition(wires, running_tasks(), FACTS, AT_NOW, measurements or Measurements()).decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


@pytest.fixture(scope="module")
def full() -> str:
    wires = filled_wires()
    wires.controls.set(TradingControls(halts=(Halt(cause="difference", since=NOW, by="x", resolution="y"),)))
    wires.open_trades.set(
        open_trades(trades=(), orders=(order(state=OrderState.UNKNOWN),), wins_today=2, losses_today=1)
    )
    seen = BackupsSeen(
        asked_at=NOW,
        since=NOW - timedelta(days=9),
        backup=Tried(good_at=NOW - timedelta(hours=5), failed_at=NOW),
        drill=Tried(),
        rto_seconds=None,
        rpo_seconds=None,
        stream=None,
    )
    wires.alerts.set(replace(wires.alerts.get() or AlertsView(), backups=seen))
    found = text_of(wires)
    wires.close()
    return found


def test_what_is_so_is_told(full: str):
    assert of(full, "recio_ready") == 0
    assert of(full, "recio_halts", level="halt") == 1
    assert of(full, "recio_open_orders", state="unknown") == 1
    assert of(full, "recio_trades_today", result="won") == 2
    assert of(full, "recio_limit", limit="max_open_trades") == FACTS.config.risk.max_open_trades
    assert of(full, "recio_task_up", task="price_feed") == 1
    assert of(full, "recio_queue_capacity", queue="orders") == 16


def test_the_newest_backup_has_an_age_and_what_never_was_has_none(full: str):
    assert of(full, "recio_backup_age_seconds", kind="backup") == 5 * 3600
    assert ("recio_backup_age_seconds", frozenset({("kind", "drill")})) not in samples(full)


def test_what_is_unknown_has_no_sample():
    wires = Wires()
    told = {name for name, _ in samples(text_of(wires))}
    wires.close()
    assert not told & {
        "recio_balance_dollars",
        "recio_pnl_today_dollars",
        "recio_book_age_seconds",
        "recio_account_age_seconds",
        "recio_backup_age_seconds",
        "recio_clock_offset_seconds",
        "recio_limit_used",
    }
    assert told >= {"recio_ready", "recio_halts", "recio_orders_total", "recio_fills_total"}


def test_what_happens_is_counted():
    measured, wires = Measurements(), Wires()
    name = ClientOrderId("a")
    measured.order_came_to(OrderUnknown(client_order_id=name, why="", at=NOW))
    measured.order_came_to(OrderRejected(client_order_id=name, code="", text="", at=NOW))
    measured.order_came_to(OrderRejected(client_order_id=name, code="", text="", at=NOW))
    measured.filled()
    measured.ordered_after(0.004)
    measured.looked(loop_lag=0.3, database=0.002, free_bytes=7)
    told = text_of(wires, measured)
    wires.close()
    outcomes = {
        each: of(told, "recio_orders_total", outcome=each) for each in ("accepted", "rejected", "unknown")
    }
    assert outcomes == {"accepted": 0, "rejected": 2, "unknown": 1}
    assert of(told, "recio_fills_total") == 1
    assert of(told, "recio_decision_to_order_seconds_bucket", le="0.005") == 1
    assert of(told, "recio_loop_lag_seconds_bucket", le="0.25") == 0
    assert of(told, "recio_disk_free_bytes") == 7


def asked_for(text: str) -> set[str]:
    return set(NAME.findall(text))


@pytest.mark.parametrize("path", [RULES, DEPLOY / "grafana" / "recio.json"], ids=lambda path: path.name)
def test_rules_and_dashboard_ask_only_for_what_is_told(path: Path, full: str):
    wanted = asked_for(path.read_text(encoding="utf-8"))
    families = asked_for(full)
    assert wanted
    assert wanted <= families


def test_the_dashboard_is_one_and_every_alert_says_what_to_look_at():
    dashboard = json.loads((DEPLOY / "grafana" / "recio.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) > 10
    rules = RULES.read_text(encoding="utf-8")
    alerts = len(re.findall(r"- alert: \w+$", rules, re.MULTILINE))
    assert alerts > 10
    assert len(re.findall(r"summary: .*\.\"?$", rules, re.MULTILINE)) == alerts
    assert len(re.findall(r"severity: (?:page|warn)\}", rules)) == alerts


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed here")
async def test_a_real_prometheus_reads_what_is_served_and_knows_the_alerts(tmp_path: Path, full: str):
    wires, port = Wires(), unused_port()
    page = a_page(unused_port(), lambda _whole: {}, wires, metrics=lambda: full.encode())
    jobs = f"scrape_configs: [{{job_name: recio, static_configs: [{{targets: ['127.0.0.1:{page.reach.port}']}}]}}]\n"
    heads = f"global: {{scrape_interval: 100ms, evaluation_interval: 100ms}}\nrule_files: ['{RULES}']\n"
    (tmp_path / "prometheus.yml").write_text(heads + jobs, encoding="utf-8")
    options = ["--config.file", "prometheus.yml", "--storage.tsdb.path", "data", "--log.level", "error"]
    api = f"http://127.0.0.1:{port}/api/v1"
    try:
        async with started(page), aiohttp.ClientSession() as session:
            process = await anyio.open_process(
                ["prometheus", *options, "--web.listen-address", f"127.0.0.1:{port}"], cwd=tmp_path
            )
            try:
                with anyio.fail_after(40):
                    while await _asked(session, f"{api}/query?query=recio_ready") != ["0"]:  # noqa: ASYNC110
                        await anyio.sleep(0.05)
                    while "RecioHalted" not in await _firing(session, f"{api}/alerts"):  # noqa: ASYNC110
                        await anyio.sleep(0.05)
            finally:
                process.kill()
                with anyio.CancelScope(shield=True):
                    await process.wait()
                    await process.aclose()
    finally:
        wires.close()


async def _asked(session: aiohttp.ClientSession, url: str) -> list[str]:
    try:
        async with session.get(url) as answer:
            return [each["value"][1] for each in (await answer.json())["data"]["result"]]
    except (aiohttp.ClientError, KeyError):
        return []


async def _firing(session: aiohttp.ClientSession, url: str) -> set[str]:
    async with session.get(url) as answer:
        alerts = (await answer.json())["data"]["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
def test_prometheus_itself_finds_nothing_to_say(full: str):
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=full, capture_output=True, text=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    rules = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=30, check=False
    )
    assert rules.returncode == 0, rules.stdout + rules.stderr
