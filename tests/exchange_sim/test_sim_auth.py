"""Who is let in, and the exact words for who is not."""

from __future__ import annotations

import aiohttp
import pytest

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
