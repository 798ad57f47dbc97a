"""The alerts task with its rows and its dispatcher: what the dispatcher knows when a run ends, and rows that cannot be written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import asyncpg
import pytest
from pydantic import SecretStr

from recio.alerting.channels import Channel, Channels
from recio.alerting.dispatcher import Dispatcher
from recio.clock import Clock
from recio.db.push_subscriptions import Subscription
from recio.messages.alerts import Severity
from recio.messages.orders import OpenTrades
from recio.rules.alerts.alarms import database_away
from recio.settings.alerts import AlertsSection
from recio.settings.config import Config
from recio.supervisor import HealthByTask
from recio.tasks import alerts as task
from recio.tasks.alerts import Alerts
from recio.wires import Wires
from tests.builders import NOW, open_trades, order, trade

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())


def a_dispatcher(*names: str) -> Dispatcher:
    channels = (Channel(name=each, least=Severity.INFO, url=SecretStr("json://x")) for each in names)
    return Dispatcher(settings=AlertsSection(), channels=Channels(channels=tuple(channels)), clock=AT_NOW)


@asynccontextmanager
async def looking(
    pool: asyncpg.Pool[asyncpg.Record],
    wires: Wires,
    dispatcher: Dispatcher,
    devices: Callable[[Sequence[Subscription]], Sequence[Channel]] | None = None,
) -> AsyncIterator[None]:
    """The task at work for as long as the block lasts."""
    alerts = Alerts(
        pool=pool,
        clock=AT_NOW,
        config=Config(),
        strategies=(),
        dispatcher=dispatcher,
        task_health=HealthByTask(),
        disks=(),
        controls=wires.controls,
        open_trades=wires.open_trades,
        account=wires.account,
        board=wires.board,
        prices=wires.prices,
        assessments=wires.assessments,
        alerts=wires.alerts,
        alert_requests=wires.alert_requests,
        devices=devices,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(alerts.run, lambda _sentence: None)
        with anyio.fail_after(10):
            await wires.alerts.newer_than(0)
        yield
        group.cancel_scope.cancel()
    wires.close()


HELD = trade()


@pytest.mark.parametrize(
    ("bought", "said"),
    [
        (open_trades(trades=(HELD,)), "1 position (cost $5.20) without a stop"),
        (open_trades(orders=(order(),)), "whether anything is held is not known"),
        (open_trades(), ""),
    ],
    ids=["a position", "an order on its way", "nothing"],
)
async def test_what_was_bought_since_the_last_look_counts_when_the_database_goes_away(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch, bought: OpenTrades, said: str
):
    monkeypatch.setattr(task, "LOOK_EVERY", 3_600.0)
    wires, dispatcher = Wires(), a_dispatcher()
    wires.open_trades.set(open_trades())
    async with looking(pool, wires, dispatcher):
        assert dispatcher.held == ()
        wires.open_trades.set(bought)
    alarm = database_away("it is gone", dispatcher.held, AlertsSection())
    assert alarm.sentence == "recio waits for its database (it is gone)" + (f"; {said}" if said else "")
    assert alarm.severity is (Severity.CRITICAL if said else Severity.WARNING)


async def test_a_message_with_signs_that_no_row_can_hold_is_kept_without_them_and_holds_up_no_other(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, dispatcher = Wires(), a_dispatcher("hook")
    async with looking(pool, wires, dispatcher):
        dispatcher.tell("the venue said \x00 and \ud800", Severity.CRITICAL)
        dispatcher.tell("another", Severity.INFO)
        with anyio.fail_after(10):
            while await pool.fetchval("SELECT count(*) FROM alert_deliveries") < 2:  # noqa: ASYNC110 - rows
                await anyio.sleep(0.05)
    texts = [row["text"] for row in await pool.fetch("SELECT text FROM alert_deliveries ORDER BY text")]
    assert texts == ["another", "the venue said ? and ?"]
