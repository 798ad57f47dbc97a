"""The answer to whoever asks too often, over REST or at the upgrade of a socket; it counts nothing."""

from __future__ import annotations

from aiohttp import web


def too_many_requests() -> web.Response:
    """The whole of it: no header says when to come back."""
    return web.Response(body=b'{"error":"too many requests"}', status=429, content_type="application/json")
