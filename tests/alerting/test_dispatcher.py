"""The dispatcher and its channels, by real sinks: everything arrives once, one channel that hangs holds up nobody, and no address ever shows."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import asyncpg
import pytest
from pydantic import SecretStr

from recio.alerting import delivery
from recio.alerting.channels import Channel, Channels, read_channels
from recio.alerting.dispatcher import Dispatcher
from recio.clock import Clock
from recio.db import alerts as rows
from recio.db.connection import transaction
from recio.errors import BadConfig
from recio.messages.alerts import Alarm, DeliveryState, Severity
from recio.settings.alerts import AlertsSection
from tests.alerting.sinks import SECRET, a_mailbox, a_webhook, until

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
HALT = Alarm(cause="halt: x", severity=CRITICAL, sentence="halt: x", resolution="recio resume")


def channel(name: str, url: str, least: Severity = INFO) -> Channel:
    return Channel(name=name, least=least, url=SecretStr(url))


def a_dispatcher(*channels: Channel, **settings: object) -> Dispatcher:
    section = AlertsSection.model_validate(settings)
    return Dispatcher(
        settings=section, channels=Channels(channels=channels), clock=Clock(), title="recio sim"
    )


@asynccontextmanager
async def served(dispatcher: Dispatcher) -> AsyncIterator[Dispatcher]:
    async with anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve)
        yield dispatcher
        group.cancel_scope.cancel()


async def test_an_alert_reaches_a_webhook_and_a_mailbox_with_its_severity_and_what_to_do():
    async with a_webhook() as hook, a_mailbox() as box:
        async with served(a_dispatcher(channel("hook", hook.url), channel("mail", box.url))) as dispatcher:
            dispatcher.look([HALT])
            await until(lambda: hook.got and box.mails)
            await until(
                lambda: all(each.state is DeliveryState.SENT for each in dispatcher.view().deliveries)
            )
        assert hook.got[0]["title"] == "recio sim: critical"
        assert hook.texts == ["halt: x. recio resume"]
        assert "recio sim: critical" in box.mails[0]
        assert "halt: x. recio resume" in box.mails[0]


async def test_one_cause_calls_once_however_often_it_is_seen_and_its_end_is_told():
    async with a_webhook() as hook, served(a_dispatcher(channel("hook", hook.url))) as dispatcher:
        dispatcher.clock = Clock(speed=100.0, host_origin=time.time(), venue_origin=time.time())
        for _ in range(20):
            dispatcher.look([HALT])
        await until(lambda: hook.got)
        dispatcher.look([])
        await until(lambda: dispatcher.look([]) or hook.heard("over after"), 30)
        assert len(hook.got) == 2
        assert dispatcher.view().open == ()


async def test_what_somebody_looks_after_is_not_told_again_unless_it_becomes_graver():
    async with a_webhook() as hook:
        dispatcher = a_dispatcher(channel("hook", hook.url), repeat_minutes=1)
        dispatcher.clock = Clock(speed=1e6, host_origin=time.time(), venue_origin=time.time())
        mild = replace(HALT, severity=WARNING)
        dispatcher.look([mild])
        dispatcher.acknowledge(HALT.cause, "anna")
        told = len(dispatcher.view().deliveries)
        for _ in range(20):
            dispatcher.look([mild])
            await anyio.sleep(0.001)
        assert len(dispatcher.view().deliveries) == told
        assert [each.acknowledged_by for each in dispatcher.view().open] == ["anna"]
        dispatcher.look([HALT])
        assert len(dispatcher.view().deliveries) == told + 1
        dispatcher.test("anna")
        assert "test that anna asked for" in dispatcher.view().deliveries[0].text


async def test_a_channel_takes_its_least_severity_and_what_is_graver():
    async with a_webhook() as phone, a_webhook() as log:
        channels = channel("phone", phone.url, CRITICAL), channel("log", log.url, INFO)
        async with served(a_dispatcher(*channels)) as dispatcher:
            dispatcher.tell("it is only information", INFO)
            dispatcher.tell("it burns", CRITICAL)
            await until(lambda: phone.heard("it burns") and log.heard("it burns"))
        assert not phone.heard("information")
        assert log.heard("information")


async def test_a_sink_that_hangs_holds_up_neither_another_nor_whoever_tells():
    async with a_webhook() as stuck, a_webhook() as hook:
        stuck.hangs = True
        channels = channel("stuck", stuck.url + "?rto=60"), channel("hook", hook.url)
        async with served(a_dispatcher(*channels)) as dispatcher:
            began = time.monotonic()
            for number in range(400):
                dispatcher.tell(f"message {number}", CRITICAL)
            assert time.monotonic() - began < 1.0
            await until(lambda: stuck.asked and hook.heard("message 0"))
            assert all(
                each.done_at is None for each in dispatcher.view().deliveries if each.channel == "stuck"
            )


async def test_a_process_that_never_ends_is_killed_and_said_so():
    async with a_webhook() as stuck:
        stuck.hangs = True
        why = await delivery.send(SecretStr(stuck.url + "?rto=60"), "t", "x", CRITICAL, limit=3.0)
        assert why == "no end within 3 s"


async def test_a_machine_on_which_a_process_starts_slowly_calls_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The start takes longer than a message may: as with hundreds of processes on one core."""
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\nsleep 11\nexec {sys.executable} "$@"\n', encoding="utf-8")
    slow.chmod(0o700)
    monkeypatch.setattr(delivery.sys, "executable", str(slow))
    async with a_webhook() as hook:
        assert await delivery.send(SecretStr(hook.url), "t", "x", CRITICAL, limit=10.0) == ""
        assert hook.texts == ["x"]


async def test_what_is_refused_is_tried_again_and_arrives_once():
    async with a_webhook() as hook:
        hook.status = 503
        async with served(a_dispatcher(channel("hook", hook.url))) as dispatcher:
            dispatcher.tell("try again", CRITICAL)
            await until(lambda: any("503" in each.why for each in dispatcher.view().deliveries))
            hook.status = 200
            await until(lambda: hook.heard("try again"))
            await until(lambda: dispatcher.view().deliveries[0].state is DeliveryState.SENT)
            assert dispatcher.view().deliveries[0].attempts == 2
        assert hook.texts == ["try again"]


async def test_beyond_the_limit_of_an_hour_messages_wait_and_half_is_kept_for_what_is_critical():
    async with (
        a_webhook() as hook,
        served(a_dispatcher(channel("hook", hook.url), max_messages_per_hour=4)) as dispatcher,
    ):
        for number in range(6):
            dispatcher.tell(f"warning {number}", WARNING)
            await until(
                lambda count=number: (
                    sum(each.attempts for each in dispatcher.view().deliveries) > min(count, 1)
                )
            )
        waiting = [each for each in dispatcher.view().deliveries if each.state is DeliveryState.WAITING]
        assert len(waiting) == 4
        await until(lambda: "max_messages_per_hour" in dispatcher.view().deliveries[0].why)
        dispatcher.tell("it burns", CRITICAL)
        await until(lambda: hook.heard("it burns"))
        assert len(hook.got) == 3


async def test_an_end_gives_what_waits_a_last_chance():
    async with a_webhook() as hook:
        dispatcher = a_dispatcher(channel("hook", hook.url))
        dispatcher.tell("last words", CRITICAL)
        await dispatcher.flush(10.0)
        assert hook.texts == ["last words"]


async def test_rows_keep_alerts_and_deliveries_and_the_next_process_goes_on_from_them(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with a_webhook() as hook:
        first = a_dispatcher(channel("hook", hook.url), channel("gone", hook.url))
        first.look([HALT])
        async with transaction(pool) as connection:
            await rows.keep(connection, *first.take_unkept())
        second = a_dispatcher(channel("hook", hook.url))
        async with transaction(pool) as connection:
            second.resume(await rows.still_open(connection), await rows.still_waiting(connection))
        async with served(second):
            second.look([HALT])
            await until(lambda: any(each.state is DeliveryState.SENT for each in second.view().deliveries))
        assert hook.texts == ["halt: x. recio resume"]
        async with transaction(pool) as connection:
            await rows.keep(connection, *second.take_unkept())
            states = await connection.fetch("SELECT channel, state FROM alert_deliveries ORDER BY channel")
            assert [tuple(each) for each in states] == [("gone", "failed"), ("hook", "sent")]
            assert await rows.still_waiting(connection) == []
            assert [each.cause for each in await rows.still_open(connection)] == ["halt: x"]


async def test_a_cause_that_was_told_before_its_row_was_read_ends_the_old_row(
    pool: asyncpg.Pool[asyncpg.Record],
):
    first, second = a_dispatcher(), a_dispatcher()
    for dispatcher in (first, second):
        dispatcher.look([HALT])
    async with transaction(pool) as connection:
        await rows.keep(connection, *first.take_unkept())
        second.resume(await rows.still_open(connection), ())
        await rows.keep(connection, *second.take_unkept())
        assert await connection.fetchval("SELECT count(*) FROM alerts") == 2
        assert [each.alert_id for each in await rows.still_open(connection)] == [
            second.followed[0].alert.alert_id
        ]


@pytest.mark.parametrize(
    "breach",
    [
        "severity = 'loud'",
        "cause = ''",
        "told = 0",
        "told_at = began_at - interval '1 s'",
        "ended_at = began_at - interval '1 s'",
        "sentence = ''",
        "alert_id = 'x'",
    ],
)
async def test_the_database_refuses_a_row_that_cannot_be(pool: asyncpg.Pool[asyncpg.Record], breach: str):
    dispatcher = a_dispatcher()
    dispatcher.look([HALT])
    async with transaction(pool) as connection:
        await rows.keep(connection, *dispatcher.take_unkept())
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(pool) as connection:
            await connection.execute(f"UPDATE alerts SET {breach}")


@pytest.mark.parametrize(
    "breach",
    [
        "channel = 'json://x'",
        "state = 'sent'",
        "done_at = at",
        "attempts = -1",
        "text = ''",
        "severity = 'x'",
    ],
)
async def test_the_database_refuses_a_delivery_that_cannot_be(
    pool: asyncpg.Pool[asyncpg.Record], breach: str
):
    dispatcher = a_dispatcher(channel("hook", "json://127.0.0.1:1/x"))
    dispatcher.tell("x", INFO)
    async with transaction(pool) as connection:
        await rows.keep(connection, *dispatcher.take_unkept())
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(pool) as connection:
            await connection.execute(f"UPDATE alert_deliveries SET {breach}")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (f"phone critical json://host/{SECRET} more", "no URL of one word"),
        (f"phone loud json://host/{SECRET}", "none of critical, warning, info, ping"),
        (f"{SECRET} json://host/x", "has 2 words"),
        (f"PHONE critical json://host/{SECRET}", "small letters"),
        (f"daemon ping mailto://{SECRET}", "https://"),
        (f"a info json://h/{SECRET}\na info json://h/{SECRET}", "twice"),
    ],
)
def test_a_line_that_is_none_is_refused_by_its_number_and_never_repeated(
    tmp_path: Path, written: str, says: str
):
    path = tmp_path / "channels"
    path.write_text(f"# mine\n\n{written}\n", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(BadConfig, match=says) as refused:
        read_channels(str(path))
    assert f"line {4 if says == 'twice' else 3}" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path):
    path = tmp_path / "channels"
    path.write_text(f"phone critical json://host/{SECRET}\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(BadConfig, match="readable by others"):
        read_channels(str(path))


async def test_an_unknown_kind_of_channel_is_told_without_its_address():
    why = await delivery.why_unknown(SecretStr(f"nosuch://{SECRET}"))
    assert "no channel that recio knows" in why
    assert SECRET not in why
    assert await delivery.why_unknown(SecretStr("json://127.0.0.1:1/x")) == ""


async def test_no_failure_shows_an_address(capfd: pytest.CaptureFixture[str]):
    async with a_webhook() as hook:
        urls = {
            "refused": hook.url,
            "away": f"json://{SECRET}:{SECRET}@127.0.0.1:1/{SECRET}",
            "nowhere": f"json://{SECRET}.invalid/{SECRET}",
            "unknown": f"nosuch://{SECRET}",
            "mail": f"mailto://{SECRET}:{SECRET}@127.0.0.1:1?to=you@example.com",
        }
        hook.status = 401
        async with served(a_dispatcher(*(channel(name, url) for name, url in urls.items()))) as dispatcher:
            dispatcher.tell("x", CRITICAL)
            await until(lambda: all(each.attempts for each in dispatcher.view().deliveries))
        view, kept = dispatcher.view(), dispatcher.take_unkept()
    shown = capfd.readouterr()
    assert len({each.why for each in view.deliveries}) >= 3
    for text in (
        repr(dispatcher),
        repr(view),
        repr(kept),
        shown.out,
        shown.err,
        json.dumps(str(dispatcher.channels)),
    ):
        assert SECRET not in text
