"""Where a request finds the exchange that it was sent to; it holds nothing else of the application."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.exchange import Exchange

EXCHANGE = web.AppKey("exchange", Exchange)


def exchange_of(request: web.Request) -> Exchange:
    return request.app[EXCHANGE]
