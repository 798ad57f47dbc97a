"""Reads what our own API key may do at the venue; it makes, changes and deletes none."""

from __future__ import annotations

import msgspec

from recio.kalshi.rest import KalshiRest

READ, WRITE, TRADE = "read", "write", "write::trade"
MAY_ORDER = frozenset({WRITE, TRADE})


class _Key(msgspec.Struct):
    api_key_id: str
    scopes: list[str]


class _Keys(msgspec.Struct):
    api_keys: list[_Key]


async def own_scopes(rest: KalshiRest) -> frozenset[str] | None:
    """What the key that signs may do; None where the venue lists it not."""
    if rest.signer is None:
        return None
    listed = await rest.read("/api_keys", _Keys)
    return next(
        (frozenset(each.scopes) for each in listed.api_keys if each.api_key_id == rest.signer.key_id), None
    )
