"""Whether a recio answers at a port of this machine, for commands beside a daemon; it judges nothing of what the page says."""

from __future__ import annotations

from typing import Any

import aiohttp

ANSWERS_WITHIN = 5.0


async def page_of(port: int) -> dict[str, Any] | None:
    """GET /status, or None where nothing of recio answers."""
    limit = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
    async with aiohttp.ClientSession(timeout=limit) as session:
        try:
            async with session.get(f"http://127.0.0.1:{port}/status") as answer:
                said: dict[str, Any] = dict(await answer.json())
                return said if "reasons" in said else None
        except (aiohttp.ClientError, TimeoutError, ValueError, TypeError):
            return None
