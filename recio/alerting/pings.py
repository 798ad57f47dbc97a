"""Pings a check at an outside service (start, success, failure): only its silence tells of a dead machine; a ping never says why it failed in an address.

The form is that of healthchecks: GET URL/start, GET URL, GET URL/fail.
"""

from __future__ import annotations

from enum import StrEnum

import aiohttp
from pydantic import SecretStr

LIMIT = 10.0
"""Host seconds for one ping."""


class Ping(StrEnum):
    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


async def ping(session: aiohttp.ClientSession, url: SecretStr, which: Ping) -> str:
    """Why it did not arrive; empty if it did. Never raises, and never names the URL."""
    address = url.get_secret_value().rstrip("/")
    if which is not Ping.SUCCESS:
        address += f"/{which}"
    try:
        async with session.get(address, timeout=aiohttp.ClientTimeout(total=LIMIT)) as answer:
            return "" if answer.status < 300 else f"it was refused (status {answer.status})"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"it was not reached ({type(error).__name__})"
