"""Who is let in, and the exact words for who is not."""

from __future__ import annotations

import base64
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding

from recio.exchange_sim.credentials import KeyType, PemFormat, load_or_make_key

PATH = "/trade-api/v2/portfolio/balance"


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ("skew", '{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}'),
        (
            "signature",
            '{"error":{"code":"authentication_error","message":"authentication_error",'
            '"details":"INCORRECT_API_KEY_SIGNATURE"}}',
        ),
        (
            "key",
            '{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}',
        ),
        (
            "unsigned",
            '{"error":{"code":"signature_is_missing_from_headers","message":"signature is missing from headers"}}',
        ),
    ],
)
async def test_a_bad_request_is_refused_in_the_venues_words(start_exchange, change: str, body: str) -> None:
    client = await start_exchange(quiet_traders=True)
    headers = client.headers("GET", PATH, skew_ms=60_000 if change == "skew" else 0)
    match change:
        case "signature":
            headers = client.headers("GET", PATH + "/other")
        case "key":
            headers["KALSHI-ACCESS-KEY"] = "00000000-0000-0000-0000-000000000000"
        case "unsigned":
            del headers["KALSHI-ACCESS-SIGNATURE"]
        case _:
            pass
    async with client.session.get(client.root + PATH, headers=headers) as answer:
        assert (answer.status, await answer.text()) == (401, body)


async def test_the_query_is_not_signed_and_small_skew_is_forgiven(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    for skew in (-20_000, 20_000):
        headers = client.headers("GET", PATH, skew_ms=skew)
        async with client.session.get(
            client.root + PATH, headers=headers, params={"subaccount": 0}
        ) as answer:
            assert answer.status == 200


async def test_market_data_needs_no_key_and_the_socket_does(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    for path in ("/exchange/status", "/series/KXBTC15M", "/events", "/markets", "/markets/trades"):
        status, _ = await client.plain("GET", "/trade-api/v2" + path)
        assert status == 200, path
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await client.session.ws_connect(client.credentials.ws_url)
    assert refusal.value.status == 401
    assert (await client.plain("GET", "/trade-api/v2/nothing/here"))[0] in (401, 404)
    assert await client.plain("GET", "/nothing") == (404, "404 page not found\n")


def signed(key: Any, key_id: str, stamp: str, path: str) -> dict[str, str]:
    text = f"{stamp}GET{path}".encode()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(text)
    else:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        signature = key.sign(text, pss, hashes.SHA256())
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
    }


@pytest.mark.parametrize(
    ("key_type", "pem_format", "first_line"),
    [
        (KeyType.RSA, PemFormat.PKCS8, "-----BEGIN PRIVATE KEY-----"),
        (KeyType.RSA, PemFormat.PKCS1, "-----BEGIN RSA PRIVATE KEY-----"),
        (KeyType.ED25519, PemFormat.PKCS8, "-----BEGIN PRIVATE KEY-----"),
    ],
)
async def test_the_written_key_of_either_kind_signs_requests(
    start_exchange, key_type: KeyType, pem_format: PemFormat, first_line: str
) -> None:
    client = await start_exchange(quiet_traders=True, key_type=key_type, pem_format=pem_format)
    pem = Path(client.credentials.key_path).read_bytes()
    assert pem.decode().splitlines()[0] == first_line
    key = serialization.load_pem_private_key(pem, None)
    for path, status in ((PATH, 200), (PATH + "/other", 401)):
        headers = signed(key, client.credentials.key_id, str(client.venue_ms()), path)
        async with client.session.get(client.root + PATH, headers=headers) as answer:
            assert answer.status == status


def test_a_key_stays_the_same_in_another_format_and_is_a_new_one_of_another_type(tmp_path: Path) -> None:
    first = load_or_make_key(tmp_path, KeyType.RSA, PemFormat.PKCS8)
    again = load_or_make_key(tmp_path, KeyType.RSA, PemFormat.PKCS1)
    assert again.public_key() == first.public_key()
    load_or_make_key(tmp_path, KeyType.ED25519)
    assert load_or_make_key(tmp_path).public_key() != first.public_key()
    with pytest.raises(ValueError, match="RSA keys only"):
        load_or_make_key(tmp_path, KeyType.ED25519, PemFormat.PKCS1)


async def test_the_tolerance_of_the_clock_is_a_setting(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, tolerance_seconds=2.0)
    for skew, status in ((-1_000, 200), (1_000, 200), (-5_000, 401), (5_000, 401)):
        headers = client.headers("GET", PATH, skew_ms=skew)
        async with client.session.get(client.root + PATH, headers=headers) as answer:
            assert answer.status == status, skew


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e12", "9" * 5_000])
async def test_a_timestamp_that_is_none_is_expired(start_exchange, stamp: str) -> None:
    client = await start_exchange(quiet_traders=True)
    headers = client.headers("GET", PATH) | {"KALSHI-ACCESS-TIMESTAMP": stamp}
    async with client.session.get(client.root + PATH, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (401, "header_timestamp_expired")


async def test_every_answer_is_dated_by_the_venues_clock(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, speed=60.0)
    socket = await client.socket()
    for path in ("/trade-api/v2/exchange/status", PATH, "/trade-api/v2/nothing", "/nothing", "/admin/ledger"):
        before = client.venue_ms() // 1000
        async with client.session.get(client.root + path) as answer:
            dated = parsedate_to_datetime(answer.headers["Date"])
        assert before <= dated.timestamp() <= client.venue_ms() / 1000, path
    upgraded = parsedate_to_datetime(socket._response.headers["Date"]).timestamp()
    assert upgraded <= client.venue_ms() / 1000
    assert client.credentials.clock.venue_origin <= upgraded + 1


async def test_the_account_knows_its_key(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    keys = (await client.get("/api_keys"))["api_keys"]
    assert [(key["api_key_id"], key["scopes"]) for key in keys] == [
        (client.credentials.key_id, ["read", "write"])
    ]
