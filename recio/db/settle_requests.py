"""Markets that a person wants settled: requests are written by `recio settle`, carried out and answered by trade_manager.

A request is carried out with its answer in one transaction, so never twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recio.db import audit_log, orders, trade_store, trades
from recio.db.connection import Connection
from recio.db.moves import NOTHING, Changes
from recio.messages.account import SettlementSeen
from recio.messages.controls import SettleRequest
from recio.messages.orders import TradeView
from recio.rules.account.manual_settlement import reason_to_refuse
from recio.units import (
    ONE_DOLLAR,
    Price,
    Side,
    Ticker,
    TradeId,
    money_decimal,
    price_decimal,
    price_of,
    price_text,
)

_IN_ORDER = "LOCK TABLE settlement_requests IN SHARE ROW EXCLUSIVE MODE"
"""Numbers are given and committed in the same order: the newest answer says which requests still wait. It holds up no answer."""
_ASK = "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ($1, $2, $3, $4) RETURNING request_id"
WAITING = """
    SELECT request_id, ticker, value, asked_by, why FROM settlement_requests
    WHERE request_id > coalesce((SELECT max(request_id) FROM settlement_answers), 0) ORDER BY request_id
"""
_ANSWER = "INSERT INTO settlement_answers (request_id, accepted, sentence) VALUES ($1, $2, $3)"
_ANSWERED = "SELECT accepted, sentence FROM settlement_answers WHERE request_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleAnswer:
    accepted: bool
    sentence: str


async def ask(connection: Connection, ticker: Ticker, value: Price, by: str, why: str) -> int:
    """The number of the request; it holds until a daemon answers it."""
    await connection.execute(_IN_ORDER)
    return await connection.fetchval(_ASK, ticker, price_decimal(value), by, why)


async def waiting(connection: Connection) -> Sequence[SettleRequest]:
    """Those without an answer, oldest first."""
    return [
        SettleRequest(
            request_id=row["request_id"],
            ticker=Ticker(row["ticker"]),
            value=price_of(row["value"]),
            by=row["asked_by"],
            why=row["why"],
        )
        for row in await connection.fetch(WAITING)
    ]


async def answered(connection: Connection, request_id: int) -> SettleAnswer | None:
    row = await connection.fetchrow(_ANSWERED, request_id)
    return None if row is None else SettleAnswer(accepted=row["accepted"], sentence=row["sentence"])


async def carry_out(
    connection: Connection, asked: SettleRequest, now: datetime
) -> tuple[Changes, SettleAnswer]:
    """Settle the market as the venue's own word would, or say why not; the answer is written with it."""
    trade = await _waiting_trade(connection, asked.ticker)
    refused = reason_to_refuse(asked, trade, await orders.known_end(connection, asked.ticker), now)
    if refused is not None:
        return NOTHING, await _answer(connection, asked, SettleAnswer(accepted=False, sentence=refused))
    changes = await trade_store.record_fact(connection, _settlement(asked, now), now)
    detail = {"ticker": asked.ticker, "value": price_text(asked.value), "by": asked.by, "why": asked.why}
    trade_id = None if trade is None else trade.trade_id
    await audit_log.append(connection, now, "settled by hand", trade_id=trade_id, detail=detail)
    return changes, await _answer(
        connection, asked, SettleAnswer(accepted=True, sentence=_said(asked, changes))
    )


async def refuse(connection: Connection, asked: SettleRequest, sentence: str) -> SettleAnswer:
    """Answer without doing anything: a request that cannot be carried out is not tried for ever."""
    return await _answer(connection, asked, SettleAnswer(accepted=False, sentence=sentence))


async def _waiting_trade(connection: Connection, ticker: Ticker) -> TradeView | None:
    trade_id: TradeId | None = await trades.live_on(connection, ticker)
    return None if trade_id is None else await trades.one(connection, trade_id)


async def _answer(connection: Connection, asked: SettleRequest, answer: SettleAnswer) -> SettleAnswer:
    await connection.execute(_ANSWER, asked.request_id, answer.accepted, answer.sentence)
    return answer


def _settlement(asked: SettleRequest, now: datetime) -> SettlementSeen:
    result = {ONE_DOLLAR: Side.YES, Price(0): Side.NO}.get(asked.value)
    return SettlementSeen(
        ticker=asked.ticker,
        result=result,
        settled_at=now,
        revenue_cents=0,
        value=asked.value if result is None else None,
        set_by=asked.by,
    )


def _said(asked: SettleRequest, changes: Changes) -> str:
    settled = f"{asked.ticker} is settled at {price_text(asked.value)}"
    trade = changes.written.trade
    if trade is None:
        return f"{settled}; no trade waited for it"
    if trade.closed_at is None:
        return f"{settled}; trade {trade.trade_id} ends by it once its orders have a proven end"
    return f"{settled}; trade {trade.trade_id} came to {money_decimal(trade.pnl):+.4f} dollars"
