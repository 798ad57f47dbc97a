"""The venue's error codes and what each says of a request that changes something; it never decides by a status.

`docs/venue.md` shows this table, and a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_THERE_ALREADY = re.compile(r"already[ _-]*exist|duplicate|_exists$|^conflict$", re.IGNORECASE)
NOT_FOUND = 404
CONFLICT = 409


class Meaning(StrEnum):
    NO = "no"
    """Nothing was carried out."""
    UNKNOWN = "unknown"
    """It may have been carried out: only the venue's lists can say."""
    GONE = "unknown where an order is named, otherwise no"
    """The venue does not know it, or not where it looked."""
    PAUSE = "pause until the venue trades again"
    """Nothing was carried out, and nothing is wrong with what was asked."""
    PASSING = "passing"
    """Nothing was carried out this time; the next moment may be another."""


@dataclass(frozen=True, slots=True)
class Code:
    meaning: Meaning
    seen: str
    """Where: on the wire of bots and our recordings, or in the documentation only."""


CODES: Mapping[str, Code] = {
    "order_already_exists": Code(Meaning.UNKNOWN, "wire, 409: the id was used before, cancelled orders too"),
    "not_found": Code(Meaning.GONE, "wire, 404: cancelled, filled, unknown or on another shard"),
    "trading_is_paused": Code(Meaning.PAUSE, "wire, 409, 2026-07-30, while one market was halted"),
    "exchange_is_paused": Code(Meaning.PAUSE, "wire, 409, 2026-08-27"),
    "too_many_requests": Code(Meaning.PASSING, "wire, 429: the bucket is empty"),
    "header_timestamp_expired": Code(Meaning.PASSING, "wire, 401: our clock is off"),
    "fill_or_kill_insufficient_resting_volume": Code(Meaning.NO, "wire, 409, KXBTC15M, 2026-05-31"),
    "market_closed": Code(Meaning.NO, "wire, 409, 2026-05-01"),
    "MARKET_INACTIVE": Code(Meaning.NO, "documentation: any request about an order after the close"),
    "insufficient_balance": Code(Meaning.NO, "wire, 400"),
    "available_balance_too_low": Code(Meaning.NO, "documentation, 400, 2026-01-26"),
    "bad_request": Code(Meaning.NO, "wire, 400: a body that could not be parsed"),
    "missing_parameters": Code(Meaning.NO, "documentation, 400"),
    "invalid_order": Code(Meaning.NO, "wire, 400: a field is wrong, or post only would cross"),
    "invalid_price": Code(Meaning.NO, "documentation, 400: off the market's grid"),
    "invalid_order_size": Code(Meaning.NO, "documentation, 400"),
    "order_id_and_client_order_id_mismatch": Code(Meaning.NO, "documentation, 400: amend and cancel"),
    "order_side_mismatch": Code(Meaning.NO, "documentation, 400: amend"),
    "order_ticker_mismatch": Code(Meaning.NO, "documentation, 400: amend"),
    "market_not_found": Code(Meaning.NO, "documentation, 404"),
    "authentication_error": Code(Meaning.NO, "wire, 401: key or signature"),
    "signature_is_missing_from_headers": Code(Meaning.NO, "wire, 401"),
    "deprecated_v1_order_endpoint": Code(Meaning.NO, "wire, 410"),
    "internal_server_error": Code(Meaning.UNKNOWN, "wire, 500"),
}


def is_known_no(code: str) -> bool:
    """Whether the code alone, without a status, says that nothing was carried out."""
    found = CODES.get(code)
    return found is not None and found.meaning not in (Meaning.UNKNOWN, Meaning.GONE)


def may_be_done(status: int, code: str, text: str = "") -> bool:
    """Whether a refusal under that status leaves it open what became of the request.

    A code that nobody has seen before is a no: the venue understood the request. A conflict without one says nothing, and in
    whatever words it says that there is one already, that one may be ours: somebody on the way may have sent it twice.
    """
    found = CODES.get(code)
    if found is not None and found.meaning is Meaning.UNKNOWN:
        return True
    if any(_THERE_ALREADY.search(words) for words in (code, text)):
        return True
    return found is None and status == CONFLICT and not code


def is_gone(status: int, code: str) -> bool:
    """Whether the venue says that it does not know what was named."""
    found = CODES.get(code)
    return status == NOT_FOUND or (found is not None and found.meaning is Meaning.GONE)
