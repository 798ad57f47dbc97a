"""Each fault is made to happen, and somebody is called: the daemon runs for real, and so does the sink that hears of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import pytest

from recio.daemon.venue import read_credentials, simulated
from recio.db.embedded import EmbeddedServer
from recio.kalshi.orders import NewOrder, create
from recio.kalshi.rest import KalshiRest
from recio.messages.orders import OrderAccepted
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker
from tests.alerting.sinks import SECRET, Mailbox, Webhook, a_mailbox, a_webhook
from tests.stories.database_relay import database_relay
from tests.stories.failing_reads import rows_until
from tests.stories.world import PATIENCE, World, a_world, until

pytestmark = pytest.mark.timeout(400)

SETTINGS = """
[alerts]
channels_path = "channels"
ping_every_seconds = 1.0
after_seconds = 3.0
blind_after_seconds = 1.0
"""
EVERYTHING = "/trade-api/v2"
FILLS_DISK = 4_000_000_000


@dataclass(frozen=True, slots=True)
class Scene:
    world: World
    hook: Webhook
    box: Mailbox

    def status(self) -> dict[str, Any]:
        try:
            return self.world.status()
        except OSError:
            return {
                "ready": False,
                "trades": [],
                "pnl": {"realised_today": None},
                "alerts": {"open": [], "sent": []},
                "tasks": {},
            }

    async def ready(self) -> None:
        await until(lambda: self.status()["ready"])

    async def holds(self) -> None:
        """Something, for some time to come."""
        await until(
            lambda: any(
                each["state"] == "open" and each.get("seconds_to_close", 0) > 300
                for each in self.status()["trades"]
            )
        )

    async def called(self, *words: str, patience: float = PATIENCE) -> str:
        """A message that has all these words."""
        await until(lambda: self._message(words), patience)
        return self._message(words)

    def _message(self, words: tuple[str, ...]) -> str:
        return next((text for text in self.hook.texts if all(word in text for word in words)), "")

    async def recio(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Beside this loop, in which the sinks live."""
        return await anyio.to_thread.run_sync(self._recio, arguments)

    def _recio(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "recio", *arguments, "--config", str(self.world.root / "recio.toml")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, more: str = "", settings: Callable[[str], str] = lambda text: text) -> None:
        self.world.start_daemon(settings=lambda text: settings(text) + SETTINGS + more)

    async def nothing_shows_an_address(self) -> None:
        shown = json.dumps(self.status())
        for log in self.world.root.glob("daemon-*.log"):
            shown += log.read_text(encoding="utf-8", errors="replace")
        assert SECRET not in shown


@asynccontextmanager
async def a_scene(*exchange: str, speed: float = 15.0) -> AsyncIterator[Scene]:
    async with a_webhook() as hook, a_mailbox() as box:
        with a_world() as world:
            channels = world.root / "channels"
            channels.write_text(
                f"hook info {hook.url}\nmail critical {box.url}\ndaemon ping {hook.check_url}\n",
                encoding="utf-8",
            )
            channels.chmod(0o600)  # as recio asks for
            world.speed = speed
            await world.start_exchange(*exchange)
            yield Scene(world, hook, box)


async def test_a_halt_its_end_and_every_trade_are_told_and_each_message_has_its_row():
    async with a_scene() as scene:
        scene.start("trades = true\n")
        await scene.ready()
        assert await scene.called("bought", "KXBTC15M")
        assert (await scene.recio("halt", "--why", "a look", "--by", "Ann")).returncode == 0
        assert await scene.called("halt by Ann", "recio resume")
        assert (await scene.recio("resume", "--by", "Ann")).returncode == 0
        assert await scene.called("over after", "halt by Ann")
        assert scene.hook.pings[0] == "start"
        assert "success" in scene.hook.pings
        assert not any("Ann" in each for each in scene.box.mails), "it takes only what is critical"
        assert scene.status()["alerts"]["channels"][0]["name"] == "hook"
        await until(lambda: {each["state"] for each in scene.status()["alerts"]["sent"]} == {"sent"})
        assert scene.world.stop() == 0
        rows = await scene.world.rows("SELECT channel, state, text FROM alert_deliveries")
        # A slow machine may give cause for a critical call of its own.
        of_ann = {(each["channel"], each["state"]) for each in rows if "Ann" in each["text"]}
        assert of_ann == {("hook", "sent")}
        assert SECRET not in str(rows)
        ended = await scene.world.rows("SELECT cause, told FROM alerts WHERE ended_at IS NOT NULL")
        assert [each["told"] for each in ended if "a look" in each["cause"]] == [1]
        await scene.nothing_shows_an_address()


@pytest.mark.long
async def test_a_backup_that_fails_calls_and_its_end_and_ages_are_told():
    async with a_scene() as scene:
        scene.start()
        await until(lambda: scene.status().get("backups"))
        assert scene.status()["backups"]["last_backup"] == {"at": None, "age_hours": None, "failed": None}
        (scene.world.root / "full").write_text("no folder", encoding="utf-8")
        assert (await scene.recio("backup", "--to", str(scene.world.root / "full"))).returncode != 0
        assert "systemctl status recio-backup" in await scene.called("the last backup failed", "full")
        assert "the last backup failed" in scene.status()["backups"]["problems"][0]
        good = await scene.recio("backup", "--to", str(scene.world.root / "backups"))
        assert good.returncode == 0, good.stderr
        assert await scene.called("over after", "the last backup failed")
        told = scene.status()["backups"]
        assert 0 <= told["last_backup"]["age_hours"] < 0.1
        assert (told["last_backup"]["failed"], told["problems"]) == (None, [])
        truncated = next((scene.world.root / "backups" / "base").iterdir()) / "base.tar.gz"
        truncated.write_bytes(truncated.read_bytes()[:1000])
        assert (await scene.recio("drill", "--from", str(scene.world.root / "backups"))).returncode == 65
        assert await scene.called("the last drill of a backup failed", "has changed")
        assert scene.world.stop() == 0


@pytest.mark.long
async def test_a_position_that_somebody_else_has_sold_calls_as_drift():
    async with a_scene() as scene:
        scene.start()
        await scene.ready()
        await scene.holds()
        held = next(each for each in scene.status()["trades"] if each["state"] == "open")
        await sold_by_hand(scene.world, Ticker(held["ticker"]), is_yes=held["side"] == "yes")
        assert "recio resume" in await scene.called("halt: position on", held["ticker"])
        rows = await rows_until(scene.world, "SELECT severity FROM alerts WHERE cause LIKE 'drift: %'")
        assert [each["severity"] for each in rows] == ["critical"]


async def sold_by_hand(world: World, ticker: Ticker, *, is_yes: bool) -> None:
    """Five contracts of what recio holds, with its own key and without it."""
    venue = simulated(read_credentials(world.root / "exchange"))
    async with aiohttp.ClientSession() as session:
        rest = KalshiRest(
            session=session,
            base_url=venue.rest_url,
            signer=venue.signer,
            clock=venue.clock,
            timeout_seconds=5.0,
        )
        order = NewOrder(
            client_order_id=ClientOrderId("by-hand"),
            ticker=ticker,
            exchange_index=None,
            book_side=BookSide.ASK if is_yes else BookSide.BID,
            quantity=Quantity(500),
            price=Price(100 if is_yes else 9_900),
        )
        assert isinstance(await create(rest, order, wait_seconds=5.0), OrderAccepted)


@pytest.mark.long
async def test_an_order_in_doubt_calls_and_its_proof_is_told():
    async with a_scene() as scene:

        def patient(text: str) -> str:
            """An account that could not be compared for a while blocks the very entry that is to get lost."""
            text = text.replace("reconcile_every_seconds = 2.0", "reconcile_every_seconds = 60.0")
            text = text.replace("request_timeout_seconds = 1.0", "request_timeout_seconds = 5.0")
            return text + "[health]\nmax_unresolved_order_seconds = 1.0\n"

        scene.start(settings=patient)
        await scene.ready()
        scene.world.arm("fail_reads", path="/portfolio/orders", status=503)
        scene.world.arm("lose_request", count=1)
        await scene.called("has no proven end", "Look for it")
        scene.world.disarm()
        await scene.called("over after", "has no proven end")
        await until(lambda: any("no proven end" in each for each in scene.box.mails))


@pytest.mark.long
async def test_stops_that_are_blind_with_positions_open_call_with_how_many_and_what_they_cost():
    async with a_scene() as scene:
        scene.start(
            settings=lambda text: text.replace(
                "[exit]\nmax_price_age_seconds = 60.0", "[exit]\nmax_book_age_seconds = 10.0"
            )
        )
        await scene.ready()
        await scene.holds()
        scene.world.arm("silence", seconds=20)
        scene.world.arm("fail_reads", path=EVERYTHING, status=503)
        text = await scene.called("without a stop", "cost $")
        assert "position" in text


@pytest.mark.long
async def test_a_venue_and_feeds_that_are_gone_call_once():
    async with a_scene() as scene:
        scene.start()
        await scene.ready()
        assert (await scene.recio("switch", "entry", "off", "--by", "Ann")).returncode == 0
        assert scene.world.exchange is not None
        scene.world.exchange.kill()
        scene.world.exchange.wait()
        await until(lambda: scene.hook.heard("network away") or scene.hook.heard("without a stop"))
        await until(lambda: scene.status()["tasks"]["market_sync"]["restarts"] > 4)
        assert sum("network away" in each for each in scene.hook.texts) <= 1
        assert not scene.hook.heard("keeps restarting")
        assert scene.world.stop() == 0


async def test_a_task_that_breaks_again_and_again_calls():
    async with a_scene() as scene:
        scene.start("max_restarts = 2\n")
        await scene.ready()
        for count in (1, 2):
            scene.world.arm("drop_sockets", count=1)
            await until(lambda most=count: scene.status()["tasks"]["market_sync"]["restarts"] >= most)
            await scene.ready()
            began = time.monotonic()
            await until(lambda since=began: time.monotonic() - since > 4)
        await scene.called("task market_sync was started anew")


@pytest.mark.long
async def test_a_daily_loss_calls():
    async with a_scene() as scene:
        scene.start("daily_loss_fraction = 0.0001\n")
        await until(lambda: scene.status()["pnl"]["realised_today"] is not None)
        for _ in range(5):  # a price that rose meanwhile may make a gain of it
            await scene.holds()
            await scene.recio("flatten", "--by", "Ann")
            if (scene.status()["pnl"]["realised_today"] or "0").startswith("-"):
                break
            await scene.recio("resume", "--by", "Ann")
        await scene.called("lost today", "risk.max_daily_loss_dollars")


@pytest.mark.long
async def test_a_lane_that_one_gate_stops_through_its_windows_calls_with_the_gate():
    async with a_scene("--window-seconds", "300") as scene:
        scene.start(
            "idle_windows = 2\n",
            settings=lambda text: text.replace("warmup_seconds = 20", "warmup_seconds = 900"),
        )
        await scene.called("could not have traded on KXBTC15M for 2 windows", '"probability"')


@pytest.mark.long
async def test_a_coin_whose_feeds_die_calls():
    async with a_scene() as scene:
        scene.start()
        await scene.ready()
        for feed in ("coinbase", "kraken"):
            scene.world.arm("feed_dead", ticker=feed, seconds=90)
        await until(
            lambda: (
                any(map(scene.hook.heard, ("settlement index alone", "price sources silent")))
                or scene.hook.heard("without a stop")
            )
        )


@pytest.mark.long
async def test_a_database_that_is_away_calls_although_nothing_can_be_written_and_its_return_is_told(
    postgres: EmbeddedServer, database_dsn: str
):
    async with a_scene() as scene, database_relay(scene.world.root / "wire", postgres.socket_dir) as relay:
        dsn = database_dsn.replace(str(postgres.socket_dir), str(relay.folder))
        scene.start(settings=lambda text: text + f'[database]\ndsn = "{dsn}"\n')
        await scene.ready()
        await scene.holds()
        server, relay.server = relay.server, Path("/nowhere")
        await relay.drop_all()
        text = await scene.called("waits for its database", "without a stop")
        assert "PostgreSQL" in text
        pings = len(scene.hook.pings)
        relay.server = server
        await scene.called("over after", "waits for its database")
        await until(lambda: len(scene.hook.pings) > pings)
        scene.world.kill()


@pytest.mark.long
async def test_a_key_that_is_refused_at_the_start_has_the_last_word_once_and_the_check_fails():
    async with a_scene() as scene:
        credentials = scene.world.root / "exchange" / "credentials.json"
        good = credentials.read_text(encoding="utf-8")
        wrong = scene.world.root / "wrong.pem"
        made = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True)
        wrong.write_bytes(made.stdout)
        wrong.chmod(0o600)
        credentials.write_text(json.dumps(json.loads(good) | {"key_path": str(wrong)}), encoding="utf-8")
        for _ in range(2):
            scene.start()
            assert scene.world.daemon is not None
            await until(lambda: scene.world.daemon and scene.world.daemon.poll() is not None)
            assert scene.world.daemon.poll() == 78
        assert sum("ends by itself" in each for each in scene.hook.texts) == 1
        assert "refuses the API key" in await scene.called("ends by itself")
        assert scene.hook.pings.count("fail") == 2
        credentials.write_text(good, encoding="utf-8")
        scene.start()
        await scene.called("recio runs again", "refuses the API key")
        await scene.nothing_shows_an_address()


@pytest.mark.long
async def test_a_channel_that_hangs_costs_the_daemon_nothing():
    async with a_scene() as scene:
        scene.hook.hangs = True
        scene.start("trades = true\n")
        await scene.ready()
        assert (await scene.recio("halt", "--by", "Ann")).returncode == 0
        await until(lambda: scene.hook.asked > len(scene.hook.pings))
        assert (await scene.recio("resume", "--by", "Ann")).returncode == 0
        await scene.ready()
        lag = max((each["seconds"] for each in scene.status()["blocks"]), default=0.0)
        assert lag == 0.0
        assert scene.status()["tasks"]["alerts"]["restarts"] == 0
        assert scene.world.stop() == 0


async def test_every_channel_can_be_tried_from_the_command_line():
    async with a_scene() as scene:
        scene.start()
        done = await scene.recio("alert", "test")
        assert (done.returncode, scene.hook.texts) == (0, ["This is a test: recio can call you here"])
        assert len(scene.box.mails) == 1
        assert SECRET not in done.stdout + done.stderr


@pytest.mark.long
async def test_alerts_that_stand_still_stop_no_entry_and_their_ping_falls_silent():
    async with a_scene() as scene:
        scene.world.surroundings["RECIO_FREEZE"] = "alerts:5"
        scene.start(settings=lambda text: text + "[health]\nmax_task_age_seconds = 1.0\n")
        await until(lambda: "task alerts frozen" in scene.world.log())
        await until(lambda: scene.status()["tasks"].get("alerts", {}).get("age_seconds", 0) > 15)
        await scene.ready()
        pings = len(scene.hook.pings)
        await until(lambda: scene.status()["tasks"]["alerts"]["age_seconds"] > 20)
        assert len(scene.hook.pings) == pings
        assert not any("alerts" in each["condition"] for each in scene.status()["blocks"])


async def test_a_recio_that_is_too_old_for_the_venue_calls_and_says_that_no_stop_gets_through():
    async with a_scene() as scene:
        scene.start()
        scene.world.arm("retired", on="orders", count=50)
        await scene.ready()
        await scene.called("too old for the venue", "deprecated_v1_order_endpoint", "Install a newer recio")
        await until(lambda: any("too old" in each for each in scene.box.mails))  # it is critical
        await scene.nothing_shows_an_address()
        scene.world.stop()
        assert await scene.world.rows("SELECT 1 FROM fills") == []


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_disk_that_fills_calls_with_the_days_that_are_left():
    """Six market hours make a trend; whatever else uses this disk meanwhile only hastens it."""
    async with a_scene(speed=60.0) as scene:
        scene.start("min_disk_days = 365\nmax_messages_per_hour = 1000\n")
        await scene.ready()
        with (scene.world.root / "what fills it").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FILLS_DISK)
        await scene.called("the disk is full in", patience=600.0)
