"""Private REST reads of money: balance, positions, fills and settlements; they change nothing."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from recio.exchange_sim.engine.account import Account, Position, Settlement
from recio.exchange_sim.engine.orders import FORBIDDEN, Fill
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.wire.app_keys import venue_of
from recio.exchange_sim.wire.rest import reading
from recio.exchange_sim.wire.rest.key_lock import locked_to, may_see
from recio.exchange_sim.wire.rest.portfolio_json import (
    event_positions_json,
    fill_json,
    position_json,
    settlement_json,
)
from recio.exchange_sim.wire.rest.replies import (
    BadParameter,
    few_names_of,
    limit_of,
    names_of,
    number_of,
    one_of,
    page,
    refusal,
    reply,
)
from recio.exchange_sim.wire.texts import Json, balance

MOST_EVENTS = 10
MOST_TICKERS = 100
_CENT = 10_000
_SUBACCOUNTS = 64
_SETTLEMENT_STATUSES = ("unsettled", "settled", "all")
_COUNTS = {"position", "total_traded"}


async def get_balance(request: web.Request) -> web.Response:
    venue = venue_of(request)
    account = venue.accounts.get(number_of(request, "subaccount", "GetBalance") or 0)
    if account is None:
        return refusal(FORBIDDEN)
    only = number_of(request, "exchange_index", "GetBalance")
    free = {
        shard: money for shard, money in reading.shown_free(venue, account).items() if only in (None, shard)
    }
    total = sum(free.values())
    body: Json = {
        "balance": total // _CENT,
        "balance_dollars": balance(total),
        "portfolio_value": _portfolio_value(venue, account, only) // _CENT,
        "updated_ts": reading.shown_ms(venue) // 1000,
    }
    if locked_to(request) is None:
        body["balance_breakdown"] = breakdown(free)
    return reply(body)


async def resting_order_value(request: web.Request) -> web.Response:
    """What all resting orders bind, of every subaccount that the key may see."""
    venue = venue_of(request)
    bound: dict[int, int] = {}
    for account in venue.accounts.values():
        if not may_see(request, account.number):
            continue
        for shard, money in reading.shown_reserved(venue, account).items():
            bound[shard] = bound.get(shard, 0) + money
    body: Json = {
        "total_resting_order_value": sum(bound.values()) // _CENT,
        "resting_order_value_breakdown": breakdown(bound),
    }
    return reply(body)


async def list_positions(request: web.Request) -> web.Response:
    venue = venue_of(request)
    return _positions(request, "GetPositions", venue, historical=False)


async def list_historical_positions(request: web.Request) -> web.Response:
    venue = venue_of(request)
    return _positions(request, "GetHistoricalPositions", venue, historical=True)


async def list_fills(request: web.Request) -> web.Response:
    return _fills(request, "GetFills", historical=False)


async def list_historical_fills(request: web.Request) -> web.Response:
    return _fills(request, "GetHistoricalFills", historical=True)


async def list_settlements(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetSettlements")
    ticker, event = request.query.get("ticker", ""), request.query.get("event_ticker", "")
    number = number_of(request, "subaccount", "GetSettlements")
    in_time = within(request, "GetSettlements")
    found = [
        row
        for row in reading.shown_settlements(venue_of(request).accounts.values())
        if (not ticker or row.ticker == ticker)
        and (not event or row.event_ticker == event)
        and number in (None, row.subaccount)
        and in_time(row.settled_ms)
    ]
    chosen, following = page(request, found, key=_settlement_key, limit=limit)
    return reply({"settlements": [settlement_json(row) for row in chosen], "cursor": following})


def breakdown(money: dict[int, int]) -> list[Json]:
    return [{"exchange_index": shard, "balance": balance(money[shard])} for shard in sorted(money)]


def within(request: web.Request, operation: str) -> Callable[[int], bool]:
    """Whether a moment is in the whole seconds that min_ts and max_ts ask for."""
    earliest = number_of(request, "min_ts", operation)
    latest = number_of(request, "max_ts", operation)

    def asked(moment_ms: int) -> bool:
        return (earliest is None or moment_ms >= earliest * 1000) and (
            latest is None or moment_ms < (latest + 1) * 1000
        )

    return asked


def _positions(request: web.Request, operation: str, venue: Venue, *, historical: bool) -> web.Response:
    limit = limit_of(request, operation)
    account = venue.accounts.get(number_of(request, "subaccount", operation) or 0)
    if account is None:
        return refusal(FORBIDDEN)
    wanted = _position_filter(request, operation)
    positions = list(enumerate(reading.shown_positions(account)))
    found = [
        (number, position)
        for number, position in positions
        if wanted(position) and _position_is_old(venue, position) == historical
    ]
    chosen, following = page(request, found, key=lambda numbered: numbered[0], limit=limit)
    body = {
        "market_positions": [position_json(position) for _, position in chosen],
        "event_positions": event_positions_json(position for _, position in chosen),
        "cursor": following,
    }
    return reply(body)


def _position_is_old(venue: Venue, position: Position) -> bool:
    return position.quantity == 0 and reading.is_historical(venue, position.updated_ms)


def _position_filter(request: web.Request, operation: str) -> Callable[[Position], bool]:
    ticker = request.query.get("ticker", "")
    events = few_names_of(request, "event_ticker", operation, most=MOST_EVENTS)
    state = one_of(request, "settlement_status", operation, known=_SETTLEMENT_STATUSES) or "unsettled"
    shard = number_of(request, "exchange_index", operation)
    counted = names_of(request, "count_filter")
    if counted - _COUNTS:
        raise BadParameter(operation, "CountFilter", "oneof")

    def wanted(position: Position) -> bool:
        return (
            (not ticker or position.ticker == ticker)
            and (not events or position.event_ticker in events)
            and (state == "all" or (state == "settled") == position.settled)
            and shard in (None, position.shard)
            and (not counted or _counts(position, counted))
        )

    return wanted


def _counts(position: Position, counted: set[str]) -> bool:
    """Whether any of the named counts is not zero."""
    return ("position" in counted and position.quantity != 0) or (
        "total_traded" in counted and position.traded != 0
    )


def _fills(request: web.Request, operation: str, *, historical: bool) -> web.Response:
    limit = limit_of(request, operation)
    venue = venue_of(request)
    wanted = _fill_filter(request, operation)
    found = [
        fill
        for fill in reading.shown_fills(venue)
        if wanted(fill) and reading.is_historical(venue, fill.now_ms) == historical
    ]
    chosen, following = page(request, found, key=_fill_key, limit=limit)
    return reply({"fills": [fill_json(fill) for fill in chosen], "cursor": following})


def _fill_filter(request: web.Request, operation: str) -> Callable[[Fill], bool]:
    tickers = few_names_of(request, "ticker", operation, most=MOST_TICKERS)
    order_id = request.query.get("order_id", "")
    number = number_of(request, "subaccount", operation)
    shard = number_of(request, "exchange_index", operation)
    in_time = within(request, operation)

    def wanted(fill: Fill) -> bool:
        return (
            (not tickers or fill.order.ticker in tickers)
            and (not order_id or fill.order.order_id == order_id)
            and number in (None, fill.order.subaccount)
            and shard in (None, fill.order.shard)
            and in_time(fill.now_ms)
        )

    return wanted


def _fill_key(fill: Fill) -> int:
    return fill.sequence


def _settlement_key(row: Settlement) -> int:
    """Unique over all subaccounts, the newest highest."""
    return row.sequence * _SUBACCOUNTS + row.subaccount


def _portfolio_value(venue: Venue, account: Account, only: int | None) -> int:
    """Open positions at what the book would pay for them now, or at cost where nobody bids."""
    return sum(
        _worth(venue, position)
        for position in reading.shown_positions(account)
        if position.quantity and only in (None, position.shard)
    )


def _worth(venue: Venue, position: Position) -> int:
    book = venue.markets[position.ticker].book
    best = book.best_bid() if position.quantity > 0 else book.best_ask()
    if best is None:
        return position.cost
    price = best if position.quantity > 0 else ONE_DOLLAR - best
    return price * abs(position.quantity)


ROUTES = [
    web.get("/portfolio/balance", get_balance),
    web.get("/portfolio/positions", list_positions),
    web.get("/portfolio/fills", list_fills),
    web.get("/portfolio/settlements", list_settlements),
    web.get("/portfolio/summary/total_resting_order_value", resting_order_value),
    web.get("/historical/positions", list_historical_positions),
    web.get("/historical/fills", list_historical_fills),
]
