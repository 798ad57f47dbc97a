"""The append-only audit log: what was decided and done, written in the transaction that did it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from recio.db.connection import Connection
from recio.units import ClientOrderId, TradeId

_APPEND = "INSERT INTO audit_log (at, kind, trade_id, client_order_id, detail) VALUES ($1, $2, $3, $4, $5)"


async def append(
    connection: Connection,
    at: datetime,
    kind: str,
    *,
    trade_id: TradeId | None = None,
    client_order_id: ClientOrderId | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    await connection.execute(_APPEND, at, kind, trade_id, client_order_id, dict(detail or {}))
