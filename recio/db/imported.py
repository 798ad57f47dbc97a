"""What was imported from the system before: rows in by COPY, and back to go on from; it touches no table of recio's own trading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from recio.db.connection import Connection
from recio.old_data.compare import Disagreement
from recio.old_data.harvest import Harvest, SourceLine
from recio.old_data.price_log import PriceSpool
from recio.old_data.reading import Seen
from recio.old_data.rebuild import Trade
from recio.old_data.records import Fill, LedgerRow, Order, Settlement, as_columns

Record = TypeVar("Record", Fill, Order, Settlement, LedgerRow)
COPY_LIMIT = 3600.0
"""Host seconds that one table's rows may take."""
_ALONE = "SELECT pg_advisory_xact_lock(7237111)"
_UNHURRIED = "SET LOCAL statement_timeout = 0"
_SEEN = "SELECT path, table_name, stamp, rows, newest FROM imported_sources WHERE mode = $1"
_FILLS = "SELECT * FROM imported_fills WHERE mode = $1"
_ORDERS = "SELECT * FROM imported_orders WHERE mode = $1"
_SETTLEMENTS = "SELECT * FROM imported_settlements WHERE mode = $1"
_LEDGER = "SELECT * FROM imported_ledger_rows WHERE mode = $1"
_HAS_PRICES = "SELECT EXISTS (SELECT FROM imported_prices)"
_NEW_PRICES = "CREATE TEMPORARY TABLE new_prices (LIKE imported_prices) ON COMMIT DROP"
_ADD_PRICES = "INSERT INTO imported_prices SELECT * FROM new_prices ON CONFLICT DO NOTHING"
_SETTING = """
    INSERT INTO imported_settings (mode, name, value) VALUES ($1, $2, $3)
    ON CONFLICT (mode, name) DO UPDATE SET value = EXCLUDED.value WHERE imported_settings.value <> EXCLUDED.value
"""
_SOURCE = """
    INSERT INTO imported_sources (mode, path, table_name, stamp, rows, newest) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (mode, path, table_name) DO UPDATE SET stamp = $4, rows = $5, newest = $6
    WHERE (imported_sources.stamp, imported_sources.rows, imported_sources.newest) IS DISTINCT FROM ($4, $5, $6)
"""
_FORGET_FILLS = "DELETE FROM imported_fills WHERE mode = $1 AND fill_id = ANY($2)"
_FORGET_ORDERS = "DELETE FROM imported_orders WHERE mode = $1 AND order_id = ANY($2)"
_FORGET_SETTLEMENTS = """
    DELETE FROM imported_settlements AS s USING unnest($2::text[], $3::timestamptz[]) AS gone (ticker, settled_at)
    WHERE s.mode = $1 AND s.ticker = gone.ticker AND s.settled_at = gone.settled_at
"""
_FORGET_LEDGER = "DELETE FROM imported_ledger_rows WHERE mode = $1 AND key = ANY($2)"
_TRADES = "SELECT * FROM imported_trades WHERE mode = $1"
_FORGET_TRADES = """
    DELETE FROM imported_trades AS t USING unnest($2::text[], $3::integer[]) AS gone (ticker, number)
    WHERE t.mode = $1 AND t.ticker = gone.ticker AND t.number = gone.number
"""


async def alone(connection: Connection) -> None:
    """For the rest of the transaction no other import writes, and no statement is hurried."""
    await connection.execute(_UNHURRIED)
    await connection.execute(_ALONE, timeout=COPY_LIMIT)


async def seen_before(connection: Connection, mode: str) -> dict[tuple[str, str], Seen]:
    return {
        (row["path"], row["table_name"]): Seen(stamp=row["stamp"], rows=row["rows"], newest=row["newest"])
        for row in await connection.fetch(_SEEN, mode)
    }


async def known(connection: Connection, mode: str) -> Harvest:
    """All that was imported so far."""
    found = Harvest()
    for fill in await _read(connection, _FILLS, mode, Fill):
        found.fills[fill.fill_id] = fill
    for order in await _read(connection, _ORDERS, mode, Order):
        found.orders[order.order_id] = order
    for each in await _read(connection, _SETTLEMENTS, mode, Settlement):
        found.settlements[each.ticker, each.settled_at] = each
    for row in await _read(connection, _LEDGER, mode, LedgerRow):
        found.ledger[row.key] = row
    return found


async def _read(connection: Connection, query: str, mode: str, kind: type[Record]) -> list[Record]:
    names = tuple(kind.__dataclass_fields__)
    rows = await connection.fetch(query, mode, timeout=COPY_LIMIT)
    return [kind(**{each: row[each] for each in names}) for row in rows]


async def keep(connection: Connection, mode: str, now: Harvest, before: Harvest) -> dict[str, int]:
    """Writes what is new or better; returns how many of each were."""
    fills = [each for key, each in now.fills.items() if before.fills.get(key) != each]
    orders = [each for key, each in now.orders.items() if before.orders.get(key) != each]
    settlements = [each for key, each in now.settlements.items() if before.settlements.get(key) != each]
    ledger = [each for key, each in now.ledger.items() if before.ledger.get(key) != each]
    await connection.execute(
        _FORGET_FILLS, mode, [each.fill_id for each in fills if each.fill_id in before.fills]
    )
    await connection.execute(
        _FORGET_ORDERS, mode, [each.order_id for each in orders if each.order_id in before.orders]
    )
    again = [each for each in settlements if (each.ticker, each.settled_at) in before.settlements]
    await connection.execute(
        _FORGET_SETTLEMENTS, mode, [each.ticker for each in again], [each.settled_at for each in again]
    )
    await connection.execute(_FORGET_LEDGER, mode, [each.key for each in ledger if each.key in before.ledger])
    await _copy(connection, "imported_fills", mode, fills)
    await _copy(connection, "imported_orders", mode, orders)
    await _copy(connection, "imported_settlements", mode, settlements)
    await _copy(connection, "imported_ledger_rows", mode, ledger)
    await connection.executemany(
        _SETTING, [(mode, name, each) for name, each in sorted(now.settings.items())]
    )
    return {"fills": len(fills), "orders": len(orders), "settlements": len(settlements)}


async def _copy(connection: Connection, table: str, mode: str, records: Sequence[Any]) -> None:
    if records:
        columns = ("mode", *as_columns(records[0]))
        rows = ((mode, *as_columns(each).values()) for each in records)
        await connection.copy_records_to_table(table, records=rows, columns=columns, timeout=COPY_LIMIT)


async def keep_prices(connection: Connection, spool: PriceSpool) -> int:
    """Returns how many seconds were new."""
    if not spool.count:
        return 0
    has_some = await connection.fetchval(_HAS_PRICES)
    target = "new_prices" if has_some else "imported_prices"
    if has_some:
        await connection.execute(_NEW_PRICES)
    await connection.copy_to_table(target, source=spool.path, timeout=COPY_LIMIT)
    if not has_some:
        return spool.count
    done = await connection.execute(_ADD_PRICES, timeout=COPY_LIMIT)
    return int(done.rsplit(" ", 1)[1])


async def keep_trades(
    connection: Connection, mode: str, trades: Iterable[tuple[Trade, Sequence[Disagreement]]]
) -> int:
    """Makes the imported trades these; returns how many are new or have changed."""
    rows = await connection.fetch(_TRADES, mode, timeout=COPY_LIMIT)
    there = {(row["ticker"], row["number"]): dict(row) for row in rows}
    fresh: list[Mapping[str, Any]] = []
    gone: list[tuple[str, int]] = []
    numbers: dict[str, int] = {}
    for trade, told in trades:
        number = numbers[trade.ticker] = numbers.get(trade.ticker, 0) + 1
        columns = _trade_columns(mode, trade, number, told)
        before = there.pop((trade.ticker, number), None)
        if before is None or _as_text(before) != _as_text(columns):
            fresh.append(columns)
            gone += [(trade.ticker, number)] if before else []
    gone += list(there)
    await connection.execute(_FORGET_TRADES, mode, [each[0] for each in gone], [each[1] for each in gone])
    if fresh:
        records = [tuple(each.values()) for each in fresh]
        await connection.copy_records_to_table(
            "imported_trades", records=records, columns=tuple(fresh[0]), timeout=COPY_LIMIT
        )
    return len(fresh)


def _trade_columns(mode: str, trade: Trade, number: int, told: Sequence[Disagreement]) -> dict[str, Any]:
    return {
        "mode": mode,
        "ticker": trade.ticker,
        "number": number,
        "side": trade.side,
        "source": trade.source,
        "quantity": trade.quantity,
        "entry_cost": trade.entry_cost,
        "exit_proceeds": trade.exit_proceeds,
        "payout": trade.payout,
        "fees": trade.fees,
        "net_pnl": trade.net_pnl,
        "opened_at": trade.opened_at,
        "closed_at": trade.closed_at,
        "doubtful": trade.doubtful,
        "ledger_key": trade.row.key if trade.row else None,
        "disagreements": [asdict(each) for each in told],
    }


def _as_text(columns: Mapping[str, Any]) -> str:
    """Comparable whatever the number of zeros behind a decimal point."""
    plain = {
        name: value.normalize() if hasattr(value, "normalize") and not isinstance(value, str) else value
        for name, value in columns.items()
    }
    return json.dumps(plain, default=str, sort_keys=True)


async def keep_sources(connection: Connection, mode: str, lines: Iterable[SourceLine]) -> None:
    known = [each for each in lines if each.used and each.rows is not None]
    await connection.executemany(
        _SOURCE, [(mode, each.path, each.table, each.stamp, each.rows, each.newest) for each in known]
    )
