"""Passkeys in a real browser with a device of its own: made only after a password, used once an answer, gone when they should be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from recio.web import gate, passkeys, site
from recio.web.logins import Login, Role, change, hashed
from recio.web.passkeys import LOGIN, Challenges, Unproven
from recio.web.reach import Arrival
from recio.web.refusals import NotAsked
from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import Page, a_phone

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PASSWORD = "five words drawn by chance"
ANSWER = """
    (async () => {
        const { options } = await (await fetch('api/v1/login/passkey')).json();
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
        const got = (await navigator.credentials.get({ publicKey })).toJSON();
        return JSON.stringify({ credential: got.id, client_data: got.response.clientDataJSON,
            authenticator_data: got.response.authenticatorData, signature: got.response.signature });
    })()
"""
SEND = """
    fetch('api/v1/login/passkey', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json' }}, body: {} }})
        .then(async (answer) => `${{answer.status}} ${{(await answer.json()).error ?? ''}}`)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gate, site):
        monkeypatch.setitem(vars(module), "WRONG_COSTS", 0.01)


def with_password(path: Path, since: datetime) -> None:
    login = Login(name="anna", role=Role.OPERATOR, password=hashed(PASSWORD), sessions_since=since)
    change(path, lambda known: known.with_login(login))


@asynccontextmanager
async def at_the_page(folder: Path, pool: Pool) -> AsyncIterator[Page]:
    """As localhost, which is a name, with a device that knows its owner."""
    with_password(folder / "logins", datetime.now(UTC) - timedelta(minutes=1))
    wires, body = Wires(), status(filled_wires())
    served = a_page(unused_port(), lambda _whole: body, wires, pool, logins=folder / "logins")
    async with started(served) as url, a_phone(folder / "browser") as page:
        await page.go(url.replace("127.0.0.1", "localhost") + "/#health")
        await page.command("WebAuthn.enable")
        made = await page.command(
            "WebAuthn.addVirtualAuthenticator",
            options={
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
            },
        )  # fmt: skip
        assert made["authenticatorId"]
        yield page
    wires.close()


async def log_in_by_password(page: Page) -> None:
    await page.until("document.querySelector('#clock').textContent !== '—'")
    await page.value("document.querySelector('#who').click()")
    await page.value("document.querySelector('#login-name').value = 'anna'")
    await page.value(f"document.querySelector('#login-password').value = '{PASSWORD}'")
    await page.value("document.querySelector('#login-form').requestSubmit()")
    await page.until("document.querySelector('#who')?.textContent.includes('anna')")


async def make(page: Page) -> None:
    await page.until("!document.querySelector('#passkey-part').hidden")
    await page.value("document.querySelector('#passkey-label').value = 'phone'")
    await page.value("document.querySelector('#passkey-form').requestSubmit()")


async def log_out(page: Page) -> None:
    await page.value("globalThis.isBefore = true; document.querySelector('#who').click()")
    await page.until("!globalThis.isBefore && document.querySelector('#clock')?.textContent.includes('UTC')")


async def log_in_by_passkey(page: Page) -> None:
    await page.value("document.querySelector('#who').click()")
    await page.until("!document.querySelector('#login-passkey').hidden")
    await page.value("document.querySelector('#login-passkey').click()")
    await page.until("document.querySelector('#who')?.textContent.includes('anna')")


@pytest.mark.timeout(120)
async def test_a_passkey_is_made_after_a_password_and_logs_in_until_it_is_removed(tmp_path: Path, pool: Pool):
    async with at_the_page(tmp_path, pool) as page:
        await log_in_by_password(page)
        await make(page)
        await page.until("document.querySelector('#passkey-said').textContent.includes('is kept')")
        await page.until("document.querySelectorAll('#passkeys tbody tr').length === 1")
        assert await page.axe() == []
        await log_out(page)
        await log_in_by_passkey(page)
        assert await pool.fetchval("SELECT passkey_id FROM page_sessions ORDER BY session_id DESC") == 1
        assert await pool.fetchval("SELECT used_at IS NOT NULL AND sign_count > 0 FROM page_passkeys")
        await make(page)
        await page.until(
            "document.querySelector('#passkey-said').textContent.includes('log out and in with it')"
        )
        await page.value("document.querySelector('#passkeys button').click()")
        await page.until(
            "fetch('api/v1/me').then((answer) => answer.json()).then((me) => me.by === 'loopback')"
        )
        assert await page.value(SEND.format(await page.value(f"{ANSWER}.then(JSON.stringify)"))) == (
            "401 the passkey is not known here, or older than its login's password: log in with the password"
        )
        assert page.faults == []
    kinds = [row["kind"] for row in await pool.fetch("SELECT kind FROM audit_log ORDER BY seq")]
    assert kinds == [
        "logged in", "passkey made", "session ended", "logged in", "passkey removed", "session ended",
    ]  # fmt: skip


@pytest.mark.timeout(120)
async def test_an_answer_counts_once_unchanged_of_a_device_that_knew_its_owner_and_not_after_another_password(
    tmp_path: Path, pool: Pool
):
    async with at_the_page(tmp_path, pool) as page:
        await log_in_by_password(page)
        await make(page)
        await page.until("document.querySelector('#passkey-said').textContent.includes('is kept')")
        await log_out(page)
        answer = await page.value(f"{ANSWER}.then(JSON.stringify)")
        forged = answer.replace('authenticator_data\\":\\"S', 'authenticator_data\\":\\"T')
        assert forged != answer
        assert (await page.value(SEND.format(forged))).startswith("401 the passkey is refused")
        assert await page.value(SEND.format(answer)) == "200 "
        assert "was answered before" in await page.value(SEND.format(answer))
        answer = await page.value(f"{ANSWER}.then(JSON.stringify)")
        with_password(tmp_path / "logins", datetime.now(UTC))
        assert "older than its login's password" in await page.value(SEND.format(answer))


async def test_a_challenge_is_good_for_its_purpose_its_run_and_its_time(monkeypatch: pytest.MonkeyPatch):
    mine, foreign = Challenges(), Challenges()
    drawn = mine.draw(LOGIN)
    mine.check(LOGIN, drawn)
    for purpose, whose, shown in (
        ("new anna", mine, drawn),
        (LOGIN, foreign, drawn),
        (LOGIN, mine, drawn[:-1]),
        (LOGIN, mine, b""),
    ):
        with pytest.raises(Unproven, match="not one of this run"):
            whose.check(purpose, shown)
    monkeypatch.setitem(vars(passkeys), "ANSWERED_WITHIN", -1.0)
    with pytest.raises(Unproven, match="took longer"):
        mine.check(LOGIN, mine.draw(LOGIN))


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8710", "http://[::1]:8710"])
async def test_a_page_that_is_asked_for_by_a_number_says_that_a_passkey_needs_a_name(origin: str):
    arrival = Arrival(is_local=True, address="127.0.0.1", origins=(origin,))
    with pytest.raises(NotAsked, match="http://localhost"):
        passkeys.site_of(arrival)
