"""Web Push from the page to the device: asked for in a real browser, sent through a push service that runs here, shown by the page's own worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import anyio
import asyncpg
import pytest

from recio.alerting.channels import Channels
from recio.alerting.dispatcher import Dispatcher
from recio.clock import Clock
from recio.daemon.push_key import public_key_of
from recio.settings.alerts import AlertsSection
from recio.web.alert_rows import alert_rows
from recio.web.logins import Login, LoginsFile, Role, change, hashed
from recio.web.push_devices import PushDevices, PushSetup
from recio.wires import Wires
from tests.alerting.push_sink import Device, PushService, a_push_service, decoded, encoded
from tests.alerting.sinks import SECRET, until
from tests.builders import NOW
from tests.conftest import unused_port
from tests.tasks.status_server import TOKEN, a_page, served, started
from tests.tasks.test_alerts_task import looking
from tests.web.browser import SMALL_PHONE, Page, a_phone
from tests.web.test_page_in_a_browser import HARD_TO_USE, a_busy_day
from tests.web.test_passkeys import PASSWORD, log_in_by_password

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TELLS = """
    PushManager.prototype.subscribe = async (options) => {{
        globalThis.subscribedWith = Array.from(options.applicationServerKey);
        return {{ toJSON: () => ({}) }};
    }};
"""
"""A browser's own push service is on the internet: in its place it says what one that runs here gave it."""
SHOWN = """
    navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
        .then((all) => all.map((each) => `${each.title}: ${each.body}`))
"""
HEARD = """
    navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) => all.map((each) => each.renotify))
"""
ROWS = "document.querySelectorAll('#pushes tbody tr').length"
SAID = "document.querySelector('#push-said').textContent"


@dataclass(slots=True)
class Scene:
    page: Page
    service: PushService
    url: str


@asynccontextmanager
async def a_scene(folder: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A page with its alerts and their dispatcher, a push service, and a browser that may notify."""
    logins, key_file = folder / "logins", folder / "push-key"
    for name, role in (("anna", Role.OPERATOR), ("rita", Role.READER)):
        login = Login(name=name, role=role, password=hashed(PASSWORD), sessions_since=NOW)
        change(logins, lambda known, login=login: known.with_login(login))
    setup = PushSetup(
        contact="me@example.com",
        key_file=key_file,
        public_key=public_key_of(key_file),
        may_go_inside=True,
    )
    dispatcher = Dispatcher(settings=AlertsSection(), channels=Channels(), clock=Clock(), title="recio sim")
    wires, body = Wires(), a_busy_day()

    def status(_whole: bool) -> dict[str, Any]:
        view = wires.alerts.get()
        return body if view is None else body | {"alerts": alert_rows(view)}

    served_page = a_page(unused_port(), status, wires, pool, logins=logins, push=setup)
    devices = PushDevices(setup=setup, logins=LoginsFile(logins)).channels
    async with (
        a_push_service(folder, setup.public_key) as service,
        anyio.create_task_group() as group,
        started(served_page) as url,
        looking(pool, wires, dispatcher, devices),
        a_phone(folder / "browser") as page,
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(service.certificate))
        group.start_soon(dispatcher.serve)
        named = url.replace("127.0.0.1", "localhost")
        await page.command("Browser.grantPermissions", origin=named, permissions=["notifications"])
        told = service.subscribe("phone")
        subscription = {
            "endpoint": told["endpoint"], "keys": {"p256dh": told["public_key"], "auth": told["auth"]},
        }  # fmt: skip
        source = TELLS.format(json.dumps(subscription))
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=source)
        await page.command("ServiceWorker.enable")
        await page.go(f"{named}/#health")
        yield Scene(page, service, named)
        group.cancel_scope.cancel()


async def tell_this_device(page: Page) -> None:
    await page.until("document.querySelector('#push-form')?.offsetParent != null")
    await page.value("document.querySelector('#push-label').value = 'phone'")
    await page.value("document.querySelector('#push-least').value = 'info'")
    await page.value("document.querySelector('#push-form').requestSubmit()")
    await page.until(f"{SAID}.includes('told from now on')")
    await page.until(f"{ROWS} === 1")


async def notified(scene: Scene, payload: dict[str, str]) -> list[str]:
    """What the worker shows of a message, as a browser hands it over once it has read it."""
    registration = await scene.page.registration_id()
    await scene.page.command(
        "ServiceWorker.deliverPushMessage", origin=scene.url, registrationId=registration, data=json.dumps(payload),
    )  # fmt: skip
    await scene.page.until(f"{SHOWN}.then((all) => all.length > 0)")
    return await scene.page.value(SHOWN)


@pytest.mark.timeout(180)
async def test_a_device_is_told_by_push_until_it_is_ended_on_the_page(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    async with a_scene(tmp_path, pool, monkeypatch) as scene:
        page, service = scene.page, scene.service
        await page.until("document.querySelector('#push-why').textContent.includes('log in as an operator')")
        await log_in_by_password(page)
        await tell_this_device(page)
        assert encoded(bytes(await page.value("globalThis.subscribedWith"))) == service.public_key
        await page.size(*SMALL_PHONE)
        assert await page.axe() == []
        assert await page.value(HARD_TO_USE) == []
        assert await page.value("document.documentElement.scrollWidth") <= SMALL_PHONE[0]
        await page.until("document.querySelector('#alerts-whom').textContent.includes('push-1')")
        await page.value("document.querySelector('#test-alert').click()")
        await until(lambda: service.got)
        name, told = service.got[0]
        assert (name, told["title"], "This is a test" in told["text"]) == (
            "phone",
            "recio sim: critical",
            True,
        )
        assert await notified(scene, told) == [f"{told['title']}: {told['text']}"]
        assert await page.value(HEARD) == [True], "a second call in the same words is no silent one"
        await page.until("document.querySelector('#deliveries').textContent.includes('push-1')")
        await page.until("document.querySelector('#deliveries').textContent.includes('sent')")
        await page.value("document.querySelector('#pushes button').click()")
        await page.until(f"{ROWS} === 0")
        await page.until("!document.querySelector('#alerts-whom').textContent.includes('push-1')")
        assert page.faults == []
        shown = await page.value("document.documentElement.outerHTML")
        assert SECRET not in shown
    kinds = [
        (row["kind"], row["by"])
        for row in await pool.fetch(
            "SELECT kind, detail ->> 'by' AS by FROM audit_log WHERE kind LIKE 'push%' ORDER BY seq"
        )
    ]
    assert kinds == [("push subscribed", "anna"), ("push ended", "anna")]
    assert SECRET not in str(await pool.fetch("SELECT detail::text FROM audit_log"))


@pytest.mark.timeout(180)
async def test_a_device_that_its_push_service_forgot_is_taken_off_the_list(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    async with a_scene(tmp_path, pool, monkeypatch) as scene:
        page = scene.page
        await log_in_by_password(page)
        await tell_this_device(page)
        await page.until("document.querySelector('#alerts-whom').textContent.includes('push-1')")
        scene.service.gone = {"phone"}
        await page.value("document.querySelector('#test-alert').click()")
        await page.until("document.querySelector('#deliveries').textContent.includes('subscription is over')")
        await page.until(
            "fetch('api/v1/push').then((answer) => answer.json()).then((said) => said.devices.length === 0)"
        )
        assert await pool.fetchval("SELECT ended_by FROM push_subscriptions") == "its push service"


def a_device(**changes: str) -> dict[str, str]:
    device = Device()
    told = {
        "endpoint": "https://push.example/abc", "public_key": encoded(device.point), "auth": encoded(device.auth),
    }  # fmt: skip
    return told | changes


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"endpoint": "http://push.example/abc"}, 400, "endpoint"),
        ({"endpoint": "https://me@push.example/abc"}, 400, "endpoint"),
        ({"endpoint": "https://169.254.169.254/abc"}, 409, "endpoint"),
        ({"endpoint": "https://127.1/abc"}, 409, "endpoint"),
        ({"endpoint": "https://2130706433/abc"}, 409, "endpoint"),
        ({"endpoint": "https://0x7F000001/abc"}, 409, "endpoint"),
        ({"endpoint": "https://127.0.0.1./abc"}, 409, "endpoint"),
        ({"endpoint": "https://localhost/abc"}, 409, "no name of the internet"),
        ({"endpoint": "https://intranet:8443/abc"}, 409, "no name of the internet"),
        ({"endpoint": "https://push..example/abc"}, 409, "no name of the internet"),
        ({"endpoint": "https://./abc"}, 409, "endpoint"),
        ({"endpoint": "https://-push.example/abc"}, 409, "no name of the internet"),
        ({"endpoint": f"https://{'a' * 64}.example/abc"}, 409, "no name of the internet"),
        ({"endpoint": "https://push.example:99999/abc"}, 409, "its port"),
        ({"endpoint": "https://push.example:0/abc"}, 409, "its port"),
        ({"public_key": "AAAA"}, 409, "public_key"),
        ({"auth": "AAAA"}, 409, "auth"),
        ({"auth": "!"}, 400, "auth"),
        ({"least": "odd"}, 400, "least"),
        ({}, 403, "log in"),
    ],
)
async def test_what_nothing_could_be_sent_to_is_refused_by_its_field(
    pool: Pool, tmp_path: Path, changes: dict[str, str], status: int, named: str
):
    """At the machine itself the token makes an operator; a device wants the login that it is told for."""
    setup = PushSetup(contact="me@example.com", key_file=tmp_path / "push-key", public_key="k")
    wires = Wires()
    page = a_page(unused_port(), lambda _whole: a_busy_day(), wires, pool, push=setup)
    async with started(page) as url, aiohttp.ClientSession() as session:
        body, headers = a_device(**changes), {"X-Halt-Token": TOKEN}
        async with session.post(f"{url}/api/v1/push", json=body, headers=headers) as answer:
            said = (await answer.json())["error"]
            assert (answer.status, named in said) == (status, True), said
        async with session.post(f"{url}/api/v1/push", json=body) as answer:
            assert answer.status == 403, "nobody without a token or a login"
    wires.close()
    assert await pool.fetchval("SELECT count(*) FROM push_subscriptions") == 0


async def test_where_no_contact_is_named_no_device_is_told_and_the_page_says_what_to_write(pool: Pool):
    async with served(a_busy_day(), None, pool) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/v1/push") as answer:
            found = await answer.json()
        assert (found["public_key"], found["devices"]) == (None, [])
        assert "alerts.push_contact" in found["why_off"]
        headers = {"X-Halt-Token": TOKEN}
        async with session.post(f"{url}/api/v1/push", json=a_device(), headers=headers) as answer:
            assert (answer.status, "alerts.push_contact" in (await answer.json())["error"]) == (409, True)


def test_what_these_tests_call_bytes_is_what_a_browser_calls_them():
    assert decoded(encoded(b"\xfb\xff")) == b"\xfb\xff"
