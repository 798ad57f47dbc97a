"""Who reaches the page: nobody from elsewhere without TLS and a login, everybody at the machine for reading; and no flood changes that."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recio.errors import BadConfig
from recio.settings.config import parse
from recio.settings.status import StatusSection
from recio.web import gate, site
from recio.web.gate import COOKIE, CSRF_HEADER
from recio.web.logins import FILE, Login, Role, Token, change, digest_of, hashed, new_token
from recio.web.reach import Reach, reach_of
from recio.web.site import HEADERS
from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import TOKEN, a_page, started
from tests.tasks.test_status_page import filled_wires
from tests.tasks.test_status_page import status as status_of

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PASSWORD = "five words drawn by chance"
HOST = "recio.example.org"
ORIGIN = f"https://{HOST}"
KEPT = hashed(PASSWORD)
FROM_AFAR = {"Host": HOST, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
BODY = status_of(filled_wires()) | {"ready": False, "reasons": ["no price"]}
READ = (
    "/status", "/metrics", "/readyz", "/events", "/api/v1/status", "/api/v1/log", "/api/v1/sessions", "/api/v1/plain",
    "/api/v1/history", "/api/v1/history/actions", "/api/v1/history/orders.csv",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(gate), "WRONG_COSTS", 0.01)
    monkeypatch.setitem(vars(site), "WRONG_COSTS", 0.01)


def logins(folder: Path) -> Path:
    """A file with an operator, a reader, and no token."""
    path, since = folder / FILE, datetime.now(UTC) - timedelta(minutes=1)
    for name, role in (("anna", Role.OPERATOR), ("rita", Role.READER)):
        login = Login(name=name, role=role, password=KEPT, sessions_since=since)
        change(path, lambda known, login=login: known.with_login(login))
    return path


@asynccontextmanager
async def behind_a_proxy(folder: Path, pool: Pool | None = None, **changes: Any) -> AsyncIterator[str]:
    """The page at this machine's loopback, and by a proxy here as HOST."""
    reach = Reach(port=unused_port(), hosts=frozenset({HOST}), proxies=frozenset({"127.0.0.1"}), **changes)
    wires = Wires()
    page = a_page(reach.port, lambda _whole: BODY, wires, pool, reach=reach, logins=logins(folder))
    async with started(page) as url:
        yield url
    wires.close()


async def post(
    session: aiohttp.ClientSession, url: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
    async with session.post(url, json={} if body is None else body, headers=FROM_AFAR | headers) as answer:
        return answer.status, await answer.json(), answer


async def log_in(session: aiohttp.ClientSession, url: str, name: str = "anna") -> tuple[str, str]:
    """The cookie and what guards it."""
    body = {"name": name, "password": PASSWORD}
    status, told, answer = await post(session, url + "/api/v1/login", body, Origin=ORIGIN)
    assert status == 200, told
    return answer.cookies[COOKIE].value, told["csrf"]


# --- what the settings refuse ---


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ({"bind": "0.0.0.0"}, 'status.bind = "0.0.0.0" is reached from other machines, and without TLS'),
        ({"bind": "::"}, "without TLS"),
        ({"bind": "10.0.0.5", "hosts": [HOST]}, "status.certificate_path"),
        ({"bind": "0.0.0.0", "proxies": ["10.0.0.7"]}, "status.hosts is empty"),
        ({"bind": "here"}, "status.bind"),
        ({"proxies": ["caddy"], "hosts": [HOST]}, "status.proxies"),
        ({"proxies": ["127.0.0.1"]}, "status.hosts is empty"),
        ({"hosts": [HOST]}, "status.proxies"),
        ({"certificate_path": "c.pem"}, "status.private_key_path is empty"),
        ({"certificate_path": "c.pem", "private_key_path": "k.pem"}, "status.bind"),
        ({"hosts": ["https://x"], "proxies": ["127.0.0.1"]}, "status.hosts"),
    ],
)
def test_an_address_that_others_reach_wants_tls_and_names_or_nothing_starts(
    status: dict[str, Any], named: str
):
    with pytest.raises(BadConfig, match="status") as refused:
        parse({"status": status}, "recio.toml")
    assert named in str(refused.value)


def test_without_a_login_nothing_that_others_reach_starts(tmp_path: Path):
    for section in (
        StatusSection(bind="0.0.0.0", proxies=("10.0.0.7",), hosts=(HOST,)),
        StatusSection(proxies=("127.0.0.1",), hosts=(HOST,)),
    ):
        with pytest.raises(BadConfig, match=r"has no login: make one with recio login add"):
            reach_of(section, tmp_path)
    assert reach_of(StatusSection(), tmp_path).listens == ("127.0.0.1",)
    logins(tmp_path)
    section = StatusSection(bind="10.0.0.5", proxies=("10.0.0.7",), hosts=(HOST,))
    assert reach_of(section, tmp_path).listens == ("10.0.0.5", "127.0.0.1")


def test_logins_that_others_can_read_or_that_are_damaged_are_refused_and_never_repeated(tmp_path: Path):
    path = logins(tmp_path)
    section = StatusSection(proxies=("127.0.0.1",), hosts=(HOST,))
    path.chmod(0o644)
    with pytest.raises(BadConfig, match="readable by others"):
        reach_of(section, tmp_path)
    path.chmod(0o600)
    path.write_text('{"logins": [{"name": "a secret"}]}', encoding="utf-8")
    with pytest.raises(BadConfig, match="damaged") as refused:
        reach_of(section, tmp_path)
    assert "a secret" not in str(refused.value)


# --- who is let in ---


def test_only_what_was_made_at_this_machine_counts_as_local():
    here = Reach(port=1)
    from_afar = Reach(port=1, hosts=frozenset({HOST}), proxies=frozenset({"127.0.0.1", "10.0.0.7"}))
    for reach in (here, from_afar):
        found = reach.arrival("localhost:1", "127.0.0.1", {})
        assert not isinstance(found, str)
        assert (found.is_local, found.origins) == (True, ("http://localhost:1",))
    assert isinstance(here.arrival(HOST, "127.0.0.1", {}), str)
    assert isinstance(here.arrival("localhost", "127.0.0.1", {"X-Forwarded-For": "1.2.3.4"}), str)
    assert isinstance(from_afar.arrival("localhost", "127.0.0.1", {"Via": "1.1 caddy"}), str)
    assert isinstance(from_afar.arrival("evil.example", "127.0.0.1", {}), str)
    assert isinstance(from_afar.arrival(HOST, "10.0.0.8", {}), str)
    for peer in ("127.0.0.1", "10.0.0.7", "::ffff:10.0.0.7"):
        # What stands before the last address may be the asker's own invention.
        found = from_afar.arrival(f"{HOST.upper()}:443", peer, {"X-Forwarded-For": "1.1.1.1, 203.0.113.9"})
        assert not isinstance(found, str)
        assert (found.is_local, found.address) == (False, "203.0.113.9")


async def test_the_machine_itself_reads_without_a_login_and_nobody_else_does(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        for path in READ:
            async with session.get(url + path) as answer:
                assert answer.status == (503 if path == "/readyz" else 200), path
            for header in ({}, {"Authorization": "Bearer recio_guess"}, {"Cookie": f"{COOKIE}=guess"}):
                async with session.get(url + path, headers=FROM_AFAR | header) as answer:
                    assert answer.status in (401, 429), path
                    assert "no price" not in await answer.text()
                    assert answer.headers["Strict-Transport-Security"]
                    assert HEADERS.items() <= dict(answer.headers).items()
        for path in ("/", "/page.js", "/healthz", "/api/v1/me", "/api/v1/openapi.json"):
            async with session.get(url + path, headers=FROM_AFAR) as answer:
                assert answer.status == 200, path


async def test_a_session_reads_is_listed_and_is_over_once_it_was_ended(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        cookie, csrf = await log_in(session, url)
        with_it = {"Cookie": f"{COOKIE}={cookie}", "Origin": ORIGIN, CSRF_HEADER: csrf}
        async with session.get(url + "/api/v1/status?board=all", headers=FROM_AFAR | with_it) as answer:
            assert answer.status == 200
        async with session.get(url + "/status", headers=FROM_AFAR | with_it) as answer:
            assert (answer.status, await answer.json()) == (200, BODY)
        async with session.get(url + "/api/v1/sessions", headers=FROM_AFAR | with_it) as answer:
            (only,) = (await answer.json())["sessions"]
        assert (only["login"], only["address"], only["is_this"]) == ("anna", "203.0.113.9", True)
        assert cookie not in str(await pool.fetch("SELECT * FROM page_sessions"))
        ended = await post(session, f"{url}/api/v1/sessions/{only['session_id']}/end", **with_it)
        assert ended[1] == {"ended": True}
        async with session.get(url + "/status", headers=FROM_AFAR | with_it) as answer:
            assert answer.status == 401
    kinds = [row["kind"] for row in await pool.fetch("SELECT kind FROM audit_log ORDER BY seq")]
    assert kinds == ["logged in", "session ended"]


async def test_who_came_in_from_where_is_listed_for_operators_alone(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        for name, sees in (("rita", set[str]()), ("anna", {"logged in"})):
            cookie, _ = await log_in(session, url, name)
            with_it = FROM_AFAR | {"Cookie": f"{COOKIE}={cookie}"}
            for path in ("", ".csv"):
                async with session.get(f"{url}/api/v1/history/actions{path}", headers=with_it) as answer:
                    assert ("203.0.113.9" in await answer.text(), answer.status) == (bool(sees), 200), (
                        name,
                        path,
                    )
            async with session.get(f"{url}/api/v1/history/actions?what=logged+in", headers=with_it) as answer:
                told = await answer.json()
                assert answer.status == (200 if sees else 403), told
                assert (
                    sees == {row["what"] for row in told["rows"]}
                    if sees
                    else "only operators" in told["error"]
                )


async def test_a_cookie_is_for_tls_alone_and_no_script_and_no_other_site_gets_it(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        body = {"name": "anna", "password": PASSWORD}
        _, _, answer = await post(session, url + "/api/v1/login", body, Origin=ORIGIN)
        said = answer.headers["Set-Cookie"].lower()
        assert all(part in said for part in ("secure", "httponly", "samesite=strict", "path=/"))
        assert "domain" not in said


async def test_another_password_and_an_end_of_all_end_the_sessions_of_before(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        cookie, _ = await log_in(session, url)
        headers = FROM_AFAR | {"Cookie": f"{COOKIE}={cookie}"}
        async with session.get(url + "/status", headers=headers) as answer:
            assert answer.status == 200
        login = Login(name="anna", role=Role.OPERATOR, password=KEPT, sessions_since=datetime.now(UTC))
        change(tmp_path / FILE, lambda known: known.with_login(login))
        async with session.get(url + "/status", headers=headers) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    ("change_of", "named"),
    [
        ({"Origin": "https://evil.example"}, "Origin"),
        ({"Origin": ""}, "Origin"),
        ({CSRF_HEADER: "guess"}, CSRF_HEADER),
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
    ],
)
async def test_another_site_cannot_act_with_somebodys_session(
    tmp_path: Path, pool: Pool, change_of: dict[str, str], named: str
):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        cookie, csrf = await log_in(session, url)
        with_it = {"Cookie": f"{COOKIE}={cookie}", "Origin": ORIGIN, CSRF_HEADER: csrf} | change_of
        status, told, _ = await post(session, url + "/api/v1/logout", **with_it)
        assert status == 403
        assert named in told["error"]


async def test_a_token_for_scripts_reads_and_never_acts(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        shown = new_token()
        token = Token(name="grafana", digest=digest_of(shown), made_at=datetime.now(UTC))
        change(tmp_path / FILE, lambda known: known.with_token(token))
        assert shown not in (tmp_path / FILE).read_text()
        bearer = {"Authorization": f"Bearer {shown}"}
        for path in ("/status", "/metrics", "/api/v1/log"):
            async with session.get(url + path, headers=FROM_AFAR | bearer) as answer:
                assert answer.status == 200
        status, told, _ = await post(session, url + "/api/v1/logout", Origin=ORIGIN, **bearer)
        assert (status, "never acts" in told["error"]) == (403, True)


async def test_a_flood_of_wrong_passwords_locks_out_elsewhere_and_never_at_the_machine(
    tmp_path: Path, pool: Pool
):
    wrong = {"name": "anna", "password": "a guess of somebody"}
    right = {"name": "anna", "password": PASSWORD}
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        told = [(await post(session, url + "/api/v1/login", wrong, Origin=ORIGIN))[0] for _ in range(6)]
        assert told == [401] * 5 + [429]
        status, said, answer = await post(session, url + "/api/v1/login", right, Origin=ORIGIN)
        assert status == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert "at the machine" in said["error"]
        async with session.post(url + "/api/v1/login", json=right) as answer:
            assert (answer.status, (await answer.json())["role"]) == (200, "operator")
        for _ in range(8):
            async with session.post(url + "/api/v1/login", json=wrong) as answer:
                assert answer.status == 401
        async with session.post(url + "/api/v1/login", json=right) as answer:
            assert answer.status == 200


async def test_an_unknown_name_is_answered_like_a_wrong_password(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        said = set[str]()
        for name in ("anna", "nobody"):
            body = {"name": name, "password": "a guess of somebody"}
            said.add(str((await post(session, url + "/api/v1/login", body, Origin=ORIGIN))[:2]))
        assert len(said) == 1


async def test_the_old_acts_are_for_the_machine_itself_alone(tmp_path: Path, pool: Pool):
    async with behind_a_proxy(tmp_path, pool) as url, aiohttp.ClientSession() as session:
        cookie, csrf = await log_in(session, url)
        with_it = {"Cookie": f"{COOKIE}={cookie}", "Origin": ORIGIN, CSRF_HEADER: csrf}
        body = {"level": "flatten", "confirm": "FLATTEN", "token": TOKEN}
        status, told, _ = await post(session, url + "/halt", body, **with_it)
        assert (status, "this machine alone" in told["error"]) == (403, True)


# --- TLS of our own ---


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.2"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].touch(0o600)
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def own_tls(folder: Path, **changes: str) -> StatusSection:
    pair = [str(each) for each in certificate(folder)]
    named = {"certificate_path": pair[0], "private_key_path": pair[1]} | changes
    return StatusSection.model_validate({"bind": "0.0.0.0", "hosts": (HOST,), "port": unused_port(), **named})


def test_a_certificate_that_cannot_be_used_is_refused_by_its_fields(tmp_path: Path):
    logins(tmp_path)
    section = own_tls(tmp_path)
    assert reach_of(section, tmp_path).certificate is not None
    with pytest.raises(BadConfig, match=r"status\.certificate_path .* status\.private_key_path"):
        reach_of(own_tls(tmp_path, certificate_path=str(tmp_path / "absent.pem")), tmp_path)
    with pytest.raises(BadConfig, match=r"status\.private_key_path = .*absent"):
        reach_of(own_tls(tmp_path, private_key_path=str(tmp_path / "absent.pem")), tmp_path)
    Path(section.private_key_path).chmod(0o644)
    with pytest.raises(BadConfig, match="readable by others"):
        reach_of(section, tmp_path)


async def test_with_a_certificate_loopback_speaks_plainly_and_nobody_else_does(tmp_path: Path, pool: Pool):
    """Only loopback has addresses to ask from here, so which peers must encrypt is asked of the rule itself."""
    logins(tmp_path)
    reach = reach_of(own_tls(tmp_path), tmp_path)
    assert not reach.encrypts("127.0.0.1")
    assert not reach.encrypts("::1")
    assert reach.encrypts("10.0.0.8")
    assert reach.encrypts("::ffff:10.0.0.8")
    wires = Wires()
    page = a_page(reach.port, lambda _whole: BODY, wires, pool, reach=reach, logins=tmp_path / FILE)
    async with (
        started(page) as url,
        aiohttp.ClientSession() as session,
        session.get(url + "/status") as answer,
    ):
        assert answer.status == 200
    wires.close()


async def test_over_tls_the_page_is_served_and_half_a_greeting_holds_nobody_up(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    logins(tmp_path)
    monkeypatch.setattr(Reach, "encrypts", lambda _self, _peer: True)
    reach = reach_of(own_tls(tmp_path), tmp_path)
    context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    wires = Wires()
    page = a_page(reach.port, lambda _whole: BODY, wires, pool, reach=reach, logins=tmp_path / FILE)
    async with started(page) as url, aiohttp.ClientSession() as session:
        half = [await asyncio.open_connection("127.0.0.1", reach.port) for _ in range(8)]
        secure = url.replace("http://", "https://")
        async with session.get(
            secure + "/healthz", ssl=context, server_hostname=HOST, headers={"Host": HOST}
        ) as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        for _, writer in half:
            writer.close()
    wires.close()
