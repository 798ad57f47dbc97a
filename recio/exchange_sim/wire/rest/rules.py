"""How the venue answers REST requests where its true behaviour is not known or not always the same, in switches."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRules:
    refusals_as_400: bool = False
    """Pauses, a failed fill-or-kill and a wrong content type are answered with 400 instead of 409 and 415."""
    incentives: bool = False
    """Whether there is a programme of rewards for the liquidity of every window."""
    live_data: bool = True
    """Whether the settlement index can be read without a key, by the live data of events."""
    shard_list: bool = True
    """Whether the exchange's status lists its shards."""
    index_history: bool = True
    """Whether the account may read the history of the settlement index."""
    list_cache_seconds: float = 0.0
    """Lists of markets are served again for so many host seconds, with their age in the header `Age`."""
    locked_to: int | None = None
    """The subaccount that the key is locked to; None: a key to all of them."""


RULES = web.AppKey("rest_rules", RestRules)
