"""Reads the account's rate limits and the cost of each request from the venue; it never assumes either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import anyio
import msgspec

from recio.kalshi.answers import Round
from recio.kalshi.rate_limit import BucketLimit, EndpointCosts
from recio.kalshi.rest import KalshiRest

Tokens = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Cost = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """The account's tier, and its buckets for reads and writes."""

    tier: str
    read: BucketLimit
    write: BucketLimit


class _Bucket(msgspec.Struct):
    refill_rate: Tokens
    bucket_capacity: Tokens


class _Limits(msgspec.Struct):
    usage_tier: str
    read: _Bucket
    write: _Bucket


class _Cost(msgspec.Struct):
    method: str
    path: str
    cost: Cost


class _Costs(msgspec.Struct):
    default_cost: Cost
    endpoint_costs: list[_Cost]


async def account_limits(rest: KalshiRest) -> AccountLimits:
    """The account's own tier and buckets."""
    said = await rest.read("/account/limits", _Limits)
    return AccountLimits(tier=said.usage_tier, read=_limit(said.read), write=_limit(said.write))


async def endpoint_costs(rest: KalshiRest) -> EndpointCosts:
    """Tokens by method and path template."""
    said = await rest.read("/account/endpoint_costs", _Costs)
    prefix = urlsplit(rest.base_url).path
    return EndpointCosts(
        default=said.default_cost,
        listed=tuple(
            (each.method.upper(), _template(each.path.removeprefix(prefix)), each.cost)
            for each in said.endpoint_costs
        ),
    )


async def learn(rest: KalshiRest) -> AccountLimits:
    """Read both and go by them from now on. Raises what reads raise, and then the old ones stay."""
    found, costs = await account_limits(rest), await endpoint_costs(rest)
    rest.limits.learn(found.tier, found.read, found.write, costs)
    return found


async def is_learnt(rest: KalshiRest, reads: Round) -> bool:
    """Whether both could be read just now."""
    found = await reads.ask(learn(rest))
    reads.end()
    return found is not None


async def learn_late(rest: KalshiRest, reads: Round) -> None:
    """Ask until both are known. Nothing waits for it: the limits of the lowest tier are kept until then."""
    while True:
        await anyio.sleep(reads.wait)
        if await is_learnt(rest, reads):
            return


def _limit(bucket: _Bucket) -> BucketLimit:
    return BucketLimit(refill=bucket.refill_rate, capacity=bucket.bucket_capacity)


def _template(path: str) -> tuple[str, ...]:
    return tuple("{}" if part.startswith(("{", ":")) else part for part in path.strip("/").split("/"))
