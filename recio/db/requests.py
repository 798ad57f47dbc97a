"""Trades that a person asks for: requests are written by `recio trade`, answers by entry; one function per operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.orders import OWN, Guard, TradeState
from recio.rules.decision.manual import TradeRequest
from recio.settings.strategies import MANUAL
from recio.units import (
    Price,
    Quantity,
    Side,
    Ticker,
    price_decimal,
    price_of,
    quantity_decimal,
    quantity_of,
)

EXIT = "exit"
"""The guard of a trade that the common exit sells."""
_ASK = """
    INSERT INTO trade_requests (ticker, side, quantity, price, asked_by, why, expires_at, guard, stop_price, take_profit)
    VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7), $8, $9, $10) RETURNING request_id
"""
_WAITING = """
    SELECT request_id, ticker, side, quantity, price, asked_by, why, guard, stop_price, take_profit,
        expires_at < clock_timestamp() AS late
    FROM trade_requests WHERE expires_at > now() - interval '1 day' AND NOT EXISTS (SELECT FROM trade_answers a WHERE a.request_id = trade_requests.request_id)
    ORDER BY request_id
"""
_BEING_ANSWERED = "SELECT FROM trade_requests WHERE request_id = $1 FOR KEY SHARE"
_ANSWER = """
    INSERT INTO trade_answers (request_id, accepted, sentence)
    SELECT $1, $2, $3 FROM trade_requests WHERE request_id = $1 AND (NOT $2 OR expires_at > clock_timestamp())
    ON CONFLICT DO NOTHING
"""
_NOBODY_ANSWERS = "SELECT FROM trade_requests WHERE request_id = $1 FOR UPDATE"
_ANSWERED = "SELECT accepted, sentence FROM trade_answers WHERE request_id = $1"
_CAME_OF_IT = """
    SELECT t.trade_id, t.state, t.ended_by, f.entry_quantity FROM trades t JOIN trade_figures f USING (trade_id)
    WHERE t.strategy = $1 AND t.inputs ->> 'request' = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    accepted: bool
    """It passed entry's gates and was handed to trade_manager."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameOfIt:
    trade_id: int
    state: TradeState
    ended_by: str | None
    bought: Quantity


async def ask(
    connection: Connection,
    ticker: Ticker,
    side: Side,
    quantity: Quantity,
    limit: Price,
    by: str,
    why: str,
    seconds: float,
    guard: Guard | None = None,
) -> int:
    """A request that nobody may act on after so many seconds of the database's clock; its number."""
    amounts = (quantity_decimal(quantity), price_decimal(limit))
    stops = [None if each is None else price_decimal(each) for each in _stops(guard)]
    kind = EXIT if guard is None else OWN
    return await connection.fetchval(_ASK, ticker, side.value, *amounts, by, why, seconds, kind, *stops)


def _stops(guard: Guard | None) -> tuple[Price | None, Price | None]:
    return (None, None) if guard is None else (guard.stop_price, guard.take_profit)


async def waiting(connection: Connection) -> Sequence[TradeRequest]:
    """Those without an answer, late ones of the last day included; who asked before has long given up."""
    return [_request(row) for row in await connection.fetch(_WAITING)]


async def answer(connection: Connection, request_id: int, accepted: bool, sentence: str) -> bool:
    """Whether this was the first answer, and came in time if it is a yes: only then may anything be done about it."""
    await connection.execute(_BEING_ANSWERED, request_id)
    return await connection.execute(_ANSWER, request_id, accepted, sentence) == "INSERT 0 1"


async def answered(connection: Connection, request_id: int) -> RequestAnswer | None:
    row = await connection.fetchrow(_ANSWERED, request_id)
    return None if row is None else RequestAnswer(accepted=row["accepted"], sentence=row["sentence"])


async def last_answer(connection: Connection, request_id: int) -> RequestAnswer | None:
    """The answer to a request that has expired; None is final: an answer under way is waited for, and a later yes refused.

    Takes a connection outside a transaction: each statement commits by itself, so that nothing that is held here waits for us.
    """
    await connection.execute(_NOBODY_ANSWERS, request_id)
    return await answered(connection, request_id)


async def came_of_it(connection: Connection, request_id: int) -> CameOfIt | None:
    """The trade that a request became."""
    row = await connection.fetchrow(_CAME_OF_IT, MANUAL, str(request_id))
    if row is None:
        return None
    return CameOfIt(
        trade_id=row["trade_id"],
        state=TradeState(row["state"]),
        ended_by=row["ended_by"],
        bought=quantity_of(row["entry_quantity"]),
    )


def _guard(row: Record) -> Guard:
    stop, goal = (
        None if each is None else price_of(each) for each in (row["stop_price"], row["take_profit"])
    )
    return Guard(stop_price=stop, take_profit=goal)


def _request(row: Record) -> TradeRequest:
    return TradeRequest(
        request_id=row["request_id"],
        ticker=Ticker(row["ticker"]),
        side=Side(row["side"]),
        quantity=quantity_of(row["quantity"]),
        limit=price_of(row["price"]),
        by=row["asked_by"],
        why=row["why"],
        is_late=row["late"],
        guard=_guard(row) if row["guard"] == OWN else None,
    )
