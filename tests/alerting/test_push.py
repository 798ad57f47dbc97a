"""Web Push by a push service that runs here: only the device reads it, only our key sends it, and what is over is told no more."""

from __future__ import annotations

import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from recio.alerting import delivery, outside, push
from recio.alerting.channels import Channel, Channels
from recio.alerting.dispatcher import Dispatcher
from recio.alerting.outside import is_outside
from recio.alerting.push_address import GONE, INSIDE, parts, push_url
from recio.clock import Clock
from recio.daemon.push_key import public_key_of, push_setup
from recio.db import push_subscriptions
from recio.db.connection import transaction
from recio.db.push_subscriptions import MOST, Wanted
from recio.errors import BadConfig
from recio.messages.alerts import DeliveryState, Severity
from recio.settings.alerts import AlertsSection
from recio.settings.config import Config
from recio.web.logins import Login, LoginsFile, Role, change
from recio.web.push_devices import PushDevices, PushSetup
from tests.alerting.push_sink import Device, PushService, a_push_service, decoded
from tests.alerting.sinks import SECRET, a_webhook, until
from tests.builders import NOW

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
CONTACT = "me@example.com"


@dataclass(slots=True)
class Place:
    """A data directory with our key, and a push service that devices subscribed at with it."""

    service: PushService
    key_file: Path

    def channel(self, number: int, least: Severity = INFO, *, may_go_inside: bool = True) -> Channel:
        told = self.service.subscribe(f"device-{number}")
        url = push_url(
            told["endpoint"],
            told["public_key"],
            told["auth"],
            self.key_file,
            CONTACT,
            may_go_inside=may_go_inside,
        )
        return Channel(name=f"push-{number}", least=least, url=SecretStr(url))


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    folder = tmp_path / "data dir of 100% ?"
    folder.mkdir()
    key_file = folder / "push-key"
    async with a_push_service(tmp_path, public_key_of(key_file)) as service:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(service.certificate))
        yield Place(service, key_file)


@asynccontextmanager
async def served(*channels: Channel) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(
        settings=AlertsSection(), channels=Channels(channels=channels), clock=Clock(), title="recio sim"
    )
    async with anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve)
        yield dispatcher
        group.cancel_scope.cancel()


def test_the_device_of_these_tests_reads_what_the_rfc_has_for_an_example():
    """RFC 8291, section 5."""
    key = ec.derive_private_key(
        int.from_bytes(decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big"), ec.SECP256R1()
    )
    body = (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    device = Device(key, decoded("BTBZMqHH6r4Tts7J_aSIgg"))
    assert device.reads(decoded(body)) == b"When I grow up, I want to be a watermelon"


async def test_a_message_is_read_by_the_device_alone_signed_by_us_and_urgent_if_it_matters(place: Place):
    channel = place.channel(1)
    for severity in (CRITICAL, INFO):
        assert await delivery.send(channel.url, "recio sim", f"it is {severity} \u2013 so", severity) == ""
    assert place.service.got == [
        ("device-1", {"title": "recio sim", "text": f"it is {severity} \u2013 so"}) for severity in (CRITICAL, INFO)
    ]  # fmt: skip
    assert [(each["Urgency"], each["TTL"]) for each in place.service.headers] == [
        ("high", "3600"),
        ("low", "3600"),
    ]
    assert place.service.refused == []


async def test_a_text_that_is_too_long_for_a_push_service_is_cut_and_says_so(place: Place):
    assert await delivery.send(place.channel(1).url, "recio", "\u00e4" * 5_000, CRITICAL) == ""
    (_, told), *_ = place.service.got
    assert told["text"] == "\u00e4" * 1_000 + " ... more on the page"


async def test_what_went_wrong_is_told_without_an_address_or_a_key(place: Place, tmp_path: Path):
    channel = place.channel(1)
    place.service.public_key = "another"
    assert await delivery.send(channel.url, "t", "x", CRITICAL) == "it was refused (status 403)"
    place.key_file.write_text("no key")
    assert (await delivery.send(channel.url, "t", "x", CRITICAL)).startswith("recio's own key for it")
    place.key_file.unlink()
    public_key_of(place.key_file)
    place.service.port += 1  # nobody is there
    said = await delivery.send(place.channel(2).url, "t", "x", CRITICAL)
    assert said == "it was not reached"
    assert SECRET not in said


async def test_a_subscription_that_is_over_is_told_no_more_its_messages_are_given_up_and_others_hear_of_it(
    place: Place,
):
    place.service.gone = {"device-1"}
    devices = [place.channel(1), place.channel(2)]
    async with a_webhook() as hook, served(Channel(name="hook", least=INFO, url=SecretStr(hook.url))) as it:
        it.reach(devices)
        it.tell("something is so", WARNING)
        await until(lambda: it.over == {"push-1"} and hook.heard("push-1 is told no more"))
        await until(lambda: len(place.service.got) == 2)
        (failed,) = (each for each in it.view().deliveries if each.channel == "push-1")
        assert (failed.state, failed.attempts, failed.why) == (DeliveryState.FAILED, 1, GONE)
        assert list(it.view().channels) == ["hook", "push-2"]
        # Its row is still there: it is not taken up again, and forgotten once the row has ended.
        it.reach(devices)
        assert (list(it.view().channels), it.over) == (["hook", "push-2"], {"push-1"})
        it.reach(devices[1:])
        assert it.over == frozenset()


async def test_a_device_is_told_from_when_it_is_reached_until_it_is_not(place: Place):
    async with served() as it:
        it.reach([place.channel(1), place.channel(2, CRITICAL)])
        it.tell("a warning", WARNING)
        await until(lambda: place.service.got)
        assert [name for name, _ in place.service.got] == ["device-1"]
        it.reach([])
        assert it.tell("nobody is here", CRITICAL) == {}
        it.reach([place.channel(3)])
        it.tell("of later", CRITICAL)
        await until(lambda: [name for name, _ in place.service.got] == ["device-1", "device-3"])


# --- where a message goes ---


async def test_nothing_is_sent_where_a_name_means_this_machine_when_it_is_sent(place: Place):
    said = await delivery.send(place.channel(1, may_go_inside=False).url, "t", "x", CRITICAL)
    assert said == INSIDE
    assert place.service.asked == 0
    assert await delivery.send(place.channel(1).url, "t", "x", CRITICAL) == "", "it would have been taken"


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("64:ff9b::808:808", True), ("127.0.0.1", False), ("127.9.9.9", False),
        ("0.0.0.0", False), ("10.1.2.3", False), ("172.31.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("239.1.1.1", False), ("255.255.255.255", False), ("240.0.0.1", False),
        ("::1", False), ("::", False), ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", False), ("::7f00:1", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("ff02::1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::a00:1", False),
        ("64:ff9b:1::1", False), ("2002:7f00:1::1", False), ("2001:0:7f00:1::1", False), ("2001:db8::1", False),
    ],
)  # fmt: skip
def test_only_an_address_of_the_internet_is_outside(address: str, may: bool):
    assert is_outside(address) is may


async def test_what_was_looked_at_is_connected_to_by_the_certificate_of_its_name_and_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """As if this machine were on the internet."""
    monkeypatch.setitem(vars(outside), "is_outside", lambda _address: True)
    asked = parts(place.channel(1, may_go_inside=False).url.get_secret_value())
    said = await anyio.to_thread.run_sync(push.send, asked, "t", "x", "info", 5.0)
    assert (said, [name for name, _ in place.service.got]) == ("", ["device-1"])
    assert place.service.headers[0]["Host"] == f"localhost:{place.service.port}"
    other = asked | {"endpoint": asked["endpoint"].replace("localhost", "localhost.localdomain")}
    monkeypatch.setitem(vars(socket), "getaddrinfo", resolved)
    with pytest.raises(requests.exceptions.SSLError):
        await anyio.to_thread.run_sync(push.send, other, "t", "x", "info", 5.0)


def resolved(host: str, *rest: Any, **more: Any) -> list[Any]:
    return FOUND_BY("localhost" if host == "localhost.localdomain" else host, *rest, **more)


FOUND_BY = socket.getaddrinfo


async def test_an_answer_without_an_end_is_not_waited_for(place: Place):
    place.service.endless = True
    assert await delivery.send(place.channel(1).url, "t", "x", CRITICAL, limit=5) == ""


async def test_no_password_of_the_machine_goes_to_a_push_service(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login me password a-secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert await delivery.send(place.channel(1).url, "t", "x", CRITICAL) == ""
    assert place.service.headers[0]["Authorization"].startswith("vapid ")


# --- whose word counts ---


def wanted(endpoint: str, login: str = "anna", label: str = "phone") -> Wanted:
    device = Device()
    return Wanted(
        login=login, label=label, least="info", endpoint=endpoint, public_key=device.point, auth=device.auth
    )


async def test_a_device_has_one_row_whoever_asks_how_often_and_there_are_not_many(pool: Pool):
    first = wanted("https://push.example/1")
    async with transaction(pool) as connection:
        number = await push_subscriptions.add(connection, first, NOW)
        assert await push_subscriptions.add(connection, first, NOW) == number
        other = await push_subscriptions.add(connection, wanted("https://push.example/1", "rita"), NOW)
        assert [each.login for each in await push_subscriptions.running(connection)] == ["rita"]
        added = [
            await push_subscriptions.add(connection, wanted(f"https://push.example/x{each}"), NOW)
            for each in range(MOST)
        ]
        assert (other != number, added[-1], None in added[:-1]) == (True, None, False)


async def test_which_devices_are_told_is_read_by_an_index_however_many_were_told_before(pool: Pool):
    async with transaction(pool) as connection:
        await connection.execute(
            """
            INSERT INTO push_subscriptions (login, least, endpoint, public_key, auth, made_at, ended_at, ended_by)
            SELECT 'anna', 'info', 'https://push.example/' || n, decode(repeat('04', 65), 'hex'),
                decode(repeat('01', 16), 'hex'), $1, $1, 'anna' FROM generate_series(1, 20000) AS n
            """,
            NOW,
        )
        await connection.execute("ANALYZE push_subscriptions")
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {push_subscriptions.RUNNING}")
    assert "push_subscriptions_that_run" in plan
    assert "Rows Removed by Filter" not in plan


async def test_a_device_is_told_as_long_as_its_login_counts(pool: Pool, tmp_path: Path):
    devices = PushDevices(
        setup=PushSetup(contact=CONTACT, key_file=tmp_path / "push-key", public_key="k"),
        logins=LoginsFile(tmp_path / "logins"),
    )
    async with transaction(pool) as connection:
        await push_subscriptions.add(connection, wanted("https://push.example/1"), NOW)
        rows = await push_subscriptions.running(connection)
    assert devices.channels(rows) == []
    for since, told in ((NOW - timedelta(hours=1), ["push-1"]), (NOW + timedelta(hours=1), [])):
        login = Login(name="anna", role=Role.OPERATOR, password="x", sessions_since=since)
        change(tmp_path / "logins", lambda known, login=login: known.with_login(login))
        assert [each.name for each in devices.channels(rows)] == told


# --- our key ---


def test_our_key_is_made_once_for_its_owner_alone_and_only_where_it_is_wanted(tmp_path: Path):
    config = Config(data_dir=str(tmp_path))
    assert push_setup(config) is None
    assert list(tmp_path.iterdir()) == []
    wants = config.model_copy(update={"alerts": AlertsSection(push_contact=CONTACT)})
    first = push_setup(wants)
    assert first is not None
    assert first == push_setup(wants)
    assert stat.S_IMODE(first.key_file.stat().st_mode) == 0o600
    assert len(decoded(first.public_key)) == 65
    assert "PRIVATE" not in repr(first)


@pytest.mark.parametrize(("mode", "text", "said"), [(0o644, None, "chmod 600"), (0o600, "odd", "remove it")])
def test_a_key_that_is_none_or_not_ours_alone_is_refused(
    tmp_path: Path, mode: int, text: str | None, said: str
):
    path = tmp_path / "push-key"
    public_key_of(path)
    if text is not None:
        path.write_text(text)
    path.chmod(mode)
    with pytest.raises(BadConfig, match=said):
        public_key_of(path)


@pytest.mark.parametrize("odd", ["anna", "anna@localhost", "a@b.c\n", "a b@c.de", "mailto:a@b.de"])
def test_a_contact_is_an_address_that_a_push_service_can_write_to(odd: str):
    with pytest.raises(ValueError, match=r"you@example\.com"):
        AlertsSection(push_contact=odd)
