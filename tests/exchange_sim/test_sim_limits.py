"""Token buckets: what requests cost, which bucket pays, and that the account is told the truth."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from recio.exchange_sim.wire.rest.rate_limits import AUTO, SHARDS, RateLimits, tier_of

TOO_MANY = (429, {"error": "too many requests"})
ORDERS = "/portfolio/events/orders"


def basic(burst: float | None = None) -> RateLimits:
    return RateLimits(tier_of("basic", speed=1.0, burst_seconds=burst), 0.0)


def test_a_bucket_gives_its_capacity_and_then_its_rate() -> None:
    limits = basic()
    assert sum(limits.allow_read(10, 0.0) for _ in range(100)) == 60
    assert sum(limits.allow_read(10, 0.5) for _ in range(100)) == 10
    assert sum(limits.allow_read(10, 100.0) for _ in range(100)) == 60


def test_reads_and_writes_do_not_pay_from_one_bucket() -> None:
    limits = basic()
    assert sum(limits.allow_write(10, 0.0, shard=0) for _ in range(100)) == 10
    assert limits.allow_read(10, 0.0)


def test_naming_the_shard_is_cheaper_than_leaving_it_to_the_venue() -> None:
    limits = basic()
    assert sum(limits.allow_write(10, 0.0, shard=2) for _ in range(100)) == 10
    assert not limits.allow_write(10, 0.0, shard=-1)
    assert limits.allow_write(100, 0.0, shard=0)
    fresh = basic()
    assert sum(fresh.allow_write(10, 0.0, shard=-1) for _ in range(100)) == 10
    assert not any(fresh.allow_write(2, 0.0, shard=shard) for shard in (0, *SHARDS))


def test_a_batch_that_does_not_fit_takes_nothing() -> None:
    limits = basic()
    assert not limits.allow_write(110, 0.0, shard=0)
    assert limits.allow_write(100, 0.0, shard=0)


def test_tiers_are_told_by_name_and_fast_clocks_are_not_limited_by_themselves() -> None:
    prestige = tier_of("prestige", speed=1.0)
    assert prestige is not None
    assert (prestige.read.rate, prestige.write.rate) == (12_000, 9_600)
    chosen = tier_of(AUTO, speed=1.0)
    assert chosen is not None
    assert chosen.name == "basic"
    assert tier_of(AUTO, speed=20.0) is None
    with pytest.raises(ValueError, match="gold"):
        tier_of("gold", speed=1.0)


async def test_too_many_requests_are_refused_without_a_hint_when_to_come_back(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic")
    path = "/trade-api/v2/portfolio/positions"

    async def read() -> tuple[int, bytes, Any]:
        async with client.session.get(client.root + path, headers=client.headers("GET", path)) as answer:
            return answer.status, await answer.read(), answer.headers

    answers = await asyncio.gather(*(read() for _ in range(90)))
    refused = [(body, headers) for status, body, headers in answers if status == 429]
    assert len(answers) - len(refused) >= 60
    assert refused
    for body, headers in refused:
        assert body == b'{"error":"too many requests"}'
        assert not [name for name in headers if name.lower().startswith(("retry-after", "x-ratelimit"))]


async def test_requests_without_a_key_are_free_and_the_account_of_a_key_pays_for_public_reads(
    start_exchange,
) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic", burst_seconds=0.05)
    assert (await client.request("GET", "/exchange/status"))[0] == 200
    statuses = {(await client.request("GET", "/exchange/status"))[0] for _ in range(8)}
    assert 429 in statuses
    for _ in range(8):
        assert (await client.plain("GET", "/trade-api/v2/exchange/status"))[0] == 200


async def test_what_is_told_of_the_limits_is_what_is_enforced(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic", burst_seconds=600.0)
    ticker = await client.open_ticker()
    limits = await client.get("/account/limits")
    assert limits["usage_tier"] == "basic"
    assert limits["write"] == {"refill_rate": 100, "bucket_capacity": 60_000}
    assert limits["read"] == {"refill_rate": 200, "bucket_capacity": 120_000}
    costs = await client.get("/account/endpoint_costs")
    told = {
        (row["method"], row["path"].removeprefix("/trade-api/v2")): row["cost"]
        for row in costs["endpoint_costs"]
    }
    assert costs["default_cost"] == 10
    assert told["DELETE", "/portfolio/events/orders/{order_id}"] == 2
    assert told["GET", "/portfolio/orders/{order_id}"] == 2
    batch = {"orders": [{"ticker": ticker}] * 6_001}
    assert await client.request("POST", f"{ORDERS}/batched", batch) == TOO_MANY
    cancels = {"orders": [{"order_id": "none"}] * 6_001}
    assert (await client.request("DELETE", f"{ORDERS}/batched", cancels))[0] == 200


async def test_an_order_that_is_refused_for_its_rate_is_not_placed(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic", burst_seconds=0.1)
    ticker = await client.open_ticker()
    made = await asyncio.gather(
        *(client.order(ticker, "bid", "0.0100", "1", exchange_index=2) for _ in range(20))
    )
    placed = [body for status, body in made if status == 201]
    assert TOO_MANY in made
    assert len((await client.ledger())["orders"]) == len(placed)


async def test_without_limits_the_account_is_told_of_none_it_could_meet(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits=None)
    told = await client.get("/account/limits")
    assert told["read"]["bucket_capacity"] == told["write"]["bucket_capacity"] == 1_000_000
    statuses = await asyncio.gather(*(client.request("GET", "/portfolio/balance") for _ in range(120)))
    assert {status for status, _ in statuses} == {200}
