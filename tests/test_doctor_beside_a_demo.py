"""`recio doctor` with the config of a demo: it asks the demo's own exchange, and says once that there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recio.clock import Clock
from recio.commands.doctor import beside_a_demo, examine
from recio.commands.market_clock import market_clock
from recio.settings.config import Config, parse


def a_config(folder: Path, mode: str = "demo") -> Config:
    return parse(
        {"mode": mode, "data_dir": str(folder / ".recio"), "kalshi": {"environment": "sim"}}, "a test"
    )


def add_exchange(folder: Path) -> Path:
    exchange = folder / ".recio" / "exchange"
    exchange.mkdir(parents=True)
    names = ("key_id", "key_path", "rest_url", "ws_url", "price_url", "instance")
    clock = {"speed": 15.0, "host_origin": 100.0, "venue_origin": 7_000_000_000.0}
    told: dict[str, Any] = dict.fromkeys(names, "x") | {"pid": 1, "clock": clock}
    (exchange / "credentials.json").write_text(json.dumps(told), encoding="utf-8")
    return exchange


def test_the_exchange_that_a_demo_left_is_the_one_that_is_asked(tmp_path: Path):
    config = a_config(tmp_path)
    assert beside_a_demo(config) == config
    exchange = add_exchange(tmp_path)
    assert beside_a_demo(config).kalshi.credentials_dir == str(exchange)


async def test_that_nobody_can_be_asked_is_one_finding_and_not_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    await examine(a_config(tmp_path), as_json=True)
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert [name for name, each in found.items() if "credentials_dir" in each["says"]] == ["exchange"]
    assert found["exchange"]["grade"] == "note"
    assert "key" not in found
    assert found["disk"]["says"].split()[0] != "0"


def test_what_people_do_in_a_demo_is_dated_by_its_market_and_elsewhere_by_this_machine(tmp_path: Path):
    assert market_clock(tmp_path / ".recio") == Clock()
    add_exchange(tmp_path)
    assert market_clock(tmp_path / ".recio") == Clock(
        speed=15.0, host_origin=100.0, venue_origin=7_000_000_000.0
    )
