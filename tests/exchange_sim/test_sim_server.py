"""Starting, announcing and stopping an exchange."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recio.exchange_sim.server import ExchangeSettings, serve


async def test_the_credentials_file_says_where_this_run_listens(start_exchange, tmp_path: Path) -> None:
    before = time.monotonic()
    client = await start_exchange()
    assert time.monotonic() - before < 5
    written = json.loads((tmp_path / "credentials.json").read_text())
    assert written["rest_url"] == client.credentials.rest_url
    assert written["key_id"] == client.credentials.key_id
    assert set(written) == {
        "key_id", "key_path", "rest_url", "ws_url", "price_url", "kraken_url", "instance", "pid", "clock",
    }  # fmt: skip
    for name in ("credentials.json", "private_key.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["credentials.json", "private_key.pem"]


async def test_a_second_run_keeps_the_key_and_is_another_instance(start_exchange, tmp_path: Path) -> None:
    first = await start_exchange(quiet_traders=True)
    key = (tmp_path / "private_key.pem").read_bytes()
    second = await start_exchange(quiet_traders=True)
    assert (tmp_path / "private_key.pem").read_bytes() == key
    assert first.credentials.instance != second.credentials.instance


async def test_a_port_in_use_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ExchangeSettings(credentials_dir=tmp_path / "none", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use") as failure:
            await serve(settings)
    assert failure.value.errno == errno.EADDRINUSE
    assert not (tmp_path / "none").exists()


async def test_an_abandoned_exchange_ends_by_itself(tmp_path: Path) -> None:
    settings = ExchangeSettings(credentials_dir=tmp_path, idle_exit_seconds=0.1, quiet_traders=True)
    await asyncio.wait_for(serve(settings), 10)
    pem = (tmp_path / "private_key.pem").read_bytes()
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")


async def test_an_open_socket_keeps_the_exchange_alive(start_exchange) -> None:
    client = await start_exchange(idle_exit_seconds=1.5, quiet_traders=True, speed=20.0)
    socket_ = await client.socket()
    params = {"channels": ["cfbenchmarks_value"], "index_ids": ["BRTI"]}
    await socket_.send_json({"id": 1, "cmd": "subscribe", "params": params})
    for _ in range(45):
        await asyncio.wait_for(socket_.receive_json(), 5)
    await socket_.close()


async def test_the_venue_clock_runs_at_the_announced_speed(start_exchange) -> None:
    client = await start_exchange(speed=50.0, quiet_traders=True)
    before = client.venue_ms()
    body = await client.get("/portfolio/balance")
    after = client.venue_ms()
    assert before // 1000 - 1 <= body["updated_ts"] <= after // 1000
    assert (client.credentials.clock.venue_origin - 3) % 900 == 0


def test_the_exchange_brings_nothing_of_the_daemon_with_it() -> None:
    listed = (
        "import sys, recio.exchange_sim.server\n"
        "print([name for name in sys.modules if name.startswith('recio.') and '.exchange_sim' not in name])"
    )
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
