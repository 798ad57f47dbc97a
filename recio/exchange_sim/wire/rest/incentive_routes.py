"""Rewards for resting liquidity, a programme for each window, if the exchange has any; nobody is paid here."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from aiohttp import web

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Kind
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.market_filters import live_markets
from recio.exchange_sim.wire.rest.replies import limit_of, one_of, page, reply
from recio.exchange_sim.wire.rest.rules import RULES
from recio.exchange_sim.wire.texts import Json

MOST = 10_000
_STATUSES = ("all", "active", "upcoming", "closed", "paid_out")
_TYPES = ("all", "liquidity", "volume", "margin_maker_volume", "margin_taker_volume")
_REWARD = 100_000
"""In $0.0001."""
_TARGET_SIZE, _DISCOUNT_BPS = "1000.00", 5_000


async def list_programs(request: web.Request) -> web.Response:
    operation = "GetIncentivePrograms"
    limit = limit_of(request, operation, most=MOST)
    status = one_of(request, "status", operation, known=_STATUSES) or "all"
    kind = one_of(request, "type", operation, known=_TYPES) or "all"
    exchange = exchange_of(request)
    found = [
        market
        for market in live_markets(exchange)
        if request.app[RULES].incentives
        and market.spec.kind is Kind.WINDOW
        and kind in ("all", "liquidity")
        and status in ("all", _status(market, exchange.venue.now_ms))
    ]
    chosen, following = page(request, found, key=lambda market: market.number, limit=limit)
    return reply({"incentive_programs": [_program(market) for market in chosen], "next_cursor": following})


def _status(market: Market, now_ms: int) -> str:
    if market.status is Status.FINALIZED:
        return "paid_out"
    if now_ms >= market.close_ms:
        return "closed"
    return "active" if now_ms >= market.open_ms else "upcoming"


def _program(market: Market) -> Json:
    return {
        "id": str(uuid5(NAMESPACE_URL, f"incentive:{market.ticker}")),
        "market_id": market.market_id,
        "market_ticker": market.ticker,
        "incentive_type": "liquidity",
        "incentive_description": "Rewards for resting orders near the best price",
        "start_date": iso(market.open_ms),
        "end_date": iso(market.close_ms),
        "period_reward": _REWARD,
        "paid_out": market.status is Status.FINALIZED,
        "discount_factor_bps": _DISCOUNT_BPS,
        "target_size_fp": _TARGET_SIZE,
    }


ROUTES = [web.get("/incentive_programs", list_programs)]
