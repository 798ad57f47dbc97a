"""What was imported from the system before: rows in by COPY, and back to go on from; it touches no table of recio's own trading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from recio.db.connection import Connection, without_time_limit
from recio.old_data.blocks import READING
from recio.old_data.compare import Disagreement
from recio.old_data.harvest import SourceLine
from recio.old_data.parts import Seen
from recio.old_data.price_log import PriceSpool
from recio.old_data.reading import Reader
from recio.old_data.rebuild import Trade
from recio.old_data.records import Fill, LedgerRow, Order, Record, Settlement, as_columns
from recio.old_data.report import Told
from recio.old_data.staging import Shelf, Staging

COPY_LIMIT = 3600.0
"""Host seconds that one table's rows may take."""
PIECE = 2_000
"""Rows of an earlier import that are in memory at once."""
_ALONE = "SELECT pg_advisory_xact_lock(7237111)"
_SEEN = """
    SELECT path, table_name, stamp, rows, newest, bad, rounded, blocks, reading FROM imported_sources WHERE mode = $1
"""
_TOUCHED = "CREATE TEMPORARY TABLE touched (ticker text PRIMARY KEY) ON COMMIT DROP"
_CAME = "CREATE TEMPORARY TABLE came (shelf integer NOT NULL, key text NOT NULL) ON COMMIT DROP"
# One name on two markets: whichever is believed, the trades of both change.
_TOUCHED_BY_NAME = (
    """INSERT INTO touched SELECT DISTINCT f.ticker FROM imported_fills AS f JOIN came AS c ON c.shelf = 0 AND c.key = f.fill_id
        WHERE f.mode = $1 ON CONFLICT DO NOTHING""",
    """INSERT INTO touched SELECT DISTINCT o.ticker FROM imported_orders AS o JOIN came AS c ON c.shelf = 1 AND c.key = o.order_id
        WHERE o.mode = $1 ON CONFLICT DO NOTHING""",
)
_HAS_PRICES = "SELECT EXISTS (SELECT FROM imported_prices)"
_NEW_ROWS = "CREATE TEMPORARY TABLE new_rows (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DROP"
_NO_MORE = "DROP TABLE new_rows"
_NEW_PRICES = "CREATE TEMPORARY TABLE new_prices (LIKE imported_prices) ON COMMIT DROP"
_ADD_PRICES = "INSERT INTO imported_prices SELECT * FROM new_prices ON CONFLICT DO NOTHING"
# Not away and back: parts of trades refer to it.
_FILLS = (
    """INSERT INTO imported_fills SELECT * FROM new_rows ON CONFLICT (mode, fill_id) DO UPDATE SET order_id = EXCLUDED.order_id,
        ticker = EXCLUDED.ticker, side = EXCLUDED.side, action = EXCLUDED.action, quantity = EXCLUDED.quantity,
        price = EXCLUDED.price, fee = EXCLUDED.fee, at = EXCLUDED.at, doubtful = EXCLUDED.doubtful, trust = EXCLUDED.trust""",
)
_ORDERS = (
    "DELETE FROM imported_orders AS t USING new_rows AS n WHERE t.mode = n.mode AND t.order_id = n.order_id",
    "INSERT INTO imported_orders SELECT * FROM new_rows",
)
_SETTLEMENTS = (
    """DELETE FROM imported_settlements AS t USING new_rows AS n
        WHERE t.mode = n.mode AND t.ticker = n.ticker AND t.settled_at = n.settled_at""",
    "INSERT INTO imported_settlements SELECT * FROM new_rows",
)
_LEDGER = (
    "DELETE FROM imported_ledger_rows AS t USING new_rows AS n WHERE t.mode = n.mode AND t.key = n.key",
    "INSERT INTO imported_ledger_rows SELECT * FROM new_rows",
)
# A trade that is there as it would be written again stays; what is gone or has changed goes.
_FORGET_TRADES = """
    DELETE FROM imported_trades AS t WHERE t.mode = $1 AND t.ticker IN (SELECT ticker FROM touched) AND NOT EXISTS (SELECT FROM new_rows AS n
        WHERE n.ticker = t.ticker AND n.number = t.number AND ROW(n.*) IS NOT DISTINCT FROM ROW(t.*))
"""
_ADD_TRADES = """
    INSERT INTO imported_trades SELECT * FROM new_rows AS n WHERE NOT EXISTS (SELECT FROM imported_trades AS t
        WHERE t.mode = n.mode AND t.ticker = n.ticker AND t.number = n.number)
"""
_FORGET_PARTS = """
    DELETE FROM imported_trade_fills AS t WHERE t.mode = $1 AND t.ticker IN (SELECT ticker FROM touched) AND NOT EXISTS (
        SELECT FROM new_rows AS n WHERE n.ticker = t.ticker AND n.number = t.number AND n.fill_id = t.fill_id
        AND ROW(n.*) IS NOT DISTINCT FROM ROW(t.*))
"""
_ADD_PARTS = """
    INSERT INTO imported_trade_fills SELECT * FROM new_rows AS n WHERE NOT EXISTS (SELECT FROM imported_trade_fills AS t
        WHERE t.mode = n.mode AND t.ticker = n.ticker AND t.number = n.number AND t.fill_id = n.fill_id)
"""
_FORGET_LASTING = """
    DELETE FROM imported_disagreements WHERE mode = $1 AND field <> 'fill' AND ticker IN (SELECT ticker FROM touched)
"""
_ADD_LASTING = """
    INSERT INTO imported_disagreements (mode, ticker, old_row, field, theirs, ours) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (mode, ticker, old_row, field, theirs) DO UPDATE SET ours = EXCLUDED.ours
    WHERE imported_disagreements.ours <> EXCLUDED.ours
"""
TABLES: dict[Shelf, tuple[str, type[Record], tuple[str, ...]]] = {
    Shelf.FILLS: ("imported_fills", Fill, _FILLS),
    Shelf.ORDERS: ("imported_orders", Order, _ORDERS),
    Shelf.SETTLEMENTS: ("imported_settlements", Settlement, _SETTLEMENTS),
    Shelf.LEDGER: ("imported_ledger_rows", LedgerRow, _LEDGER),
}
"""Each with its table and the statements that put new_rows into it."""
_SETTING = """
    INSERT INTO imported_settings (mode, name, value) VALUES ($1, $2, $3)
    ON CONFLICT (mode, name) DO UPDATE SET value = EXCLUDED.value WHERE imported_settings.value <> EXCLUDED.value
"""
_SOURCE = """
    INSERT INTO imported_sources AS s (mode, path, table_name, stamp, rows, newest, bad, rounded, blocks, reading)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (mode, path, table_name)
    DO UPDATE SET stamp = $4, rows = $5, newest = $6, bad = $7, rounded = $8, blocks = $9, reading = $10
    WHERE (s.stamp, s.rows, s.newest, s.bad, s.rounded, s.blocks, s.reading) IS DISTINCT FROM ($4, $5, $6, $7, $8, $9, $10)
"""


async def alone(connection: Connection) -> None:
    """For the rest of the transaction no other import writes, and no statement is hurried."""
    await without_time_limit(connection)
    await connection.execute(_ALONE, timeout=COPY_LIMIT)


async def seen_before(connection: Connection, mode: str) -> dict[tuple[str, str], Seen]:
    return {
        (row["path"], row["table_name"]): Seen(**{each: row[each] for each in Seen.__dataclass_fields__})
        for row in await connection.fetch(_SEEN, mode)
    }


async def touch(connection: Connection, mode: str, reader: Reader) -> None:
    """Which markets the sources say anything new of: nothing else is compared, rebuilt or written."""
    staging, user = reader.staging, reader.user
    await connection.execute(_TOUCHED)
    await connection.execute(_CAME)
    tickers = ((each,) for each in staging.touched(user, reader.harvest.elsewhere))
    await connection.copy_records_to_table("touched", records=tickers, timeout=COPY_LIMIT)
    await connection.copy_records_to_table("came", records=staging.keys(user), timeout=COPY_LIMIT)
    await connection.execute("ANALYZE touched, came")
    for each in _TOUCHED_BY_NAME:
        await connection.execute(each, mode, timeout=COPY_LIMIT)


async def known(connection: Connection, mode: str, into: Staging) -> None:
    """What was imported so far of the markets that are touched, a piece at a time."""
    for table, kind, _ in TABLES.values():
        names = tuple(kind.__dataclass_fields__)
        query = f"SELECT {', '.join(names)} FROM {table} WHERE mode = $1 AND ticker IN (SELECT ticker FROM touched)"
        async for row in connection.cursor(query, mode, prefetch=PIECE, timeout=COPY_LIMIT):
            into.add_known(kind(**dict(row)))


async def keep(connection: Connection, mode: str, staging: Staging) -> dict[str, int]:
    """Writes what is new or better; returns how many of each were."""
    counts: dict[str, int] = {}
    for shelf, (table, kind, statements) in TABLES.items():
        columns = ("mode", *kind.__dataclass_fields__)
        rows = ((mode, *as_columns(each).values()) for each in staging.fresh(shelf))
        count = await _copied(connection, table, columns, rows)
        for each in statements if count else ():
            await connection.execute(each, timeout=COPY_LIMIT)
        await connection.execute(_NO_MORE)
        counts[shelf.name.lower()] = count
    counts.pop("ledger")
    return counts


async def _copied(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterator[Sequence[Any]]
) -> int:
    """Into new_rows, which is like the table; how many."""
    await connection.execute(_NEW_ROWS.format(table=table))
    done = await connection.copy_records_to_table(
        "new_rows", records=rows, columns=columns, timeout=COPY_LIMIT
    )
    await connection.execute("ANALYZE new_rows")
    return int(done.rsplit(" ", 1)[1])


async def keep_settings(connection: Connection, mode: str, settings: dict[str, str]) -> None:
    await connection.executemany(_SETTING, [(mode, name, each) for name, each in sorted(settings.items())])


async def keep_prices(connection: Connection, spool: PriceSpool) -> int:
    """Returns how many seconds were new."""
    if not spool.count:
        return 0
    if not await connection.fetchval(_HAS_PRICES):
        await connection.copy_to_table("imported_prices", source=spool.path, timeout=COPY_LIMIT)
        return spool.count
    await connection.execute(_NEW_PRICES)
    await connection.copy_to_table("new_prices", source=spool.path, timeout=COPY_LIMIT)
    done = await connection.execute(_ADD_PRICES, timeout=COPY_LIMIT)
    return int(done.rsplit(" ", 1)[1])


async def keep_trades(connection: Connection, mode: str, trades: Iterable[Told], staging: Staging) -> int:
    """Makes the trades of the touched markets these, which come ticker by ticker; returns how many are new or have changed."""
    await _copied(connection, "imported_trades", TRADE_COLUMNS, _trade_rows(mode, trades, staging))
    await connection.execute(_FORGET_TRADES, mode, timeout=COPY_LIMIT)
    done = await connection.execute(_ADD_TRADES, timeout=COPY_LIMIT)
    await connection.execute(_NO_MORE)
    await _copied(connection, "imported_trade_fills", PART_COLUMNS, _part_rows(mode, staging))
    await connection.execute(_FORGET_PARTS, mode, timeout=COPY_LIMIT)
    await connection.execute(_ADD_PARTS, timeout=COPY_LIMIT)
    return int(done.rsplit(" ", 1)[1])


async def keep_lasting(connection: Connection, mode: str, staging: Staging) -> None:
    """Disagreements that no trade tells."""
    await connection.execute(_FORGET_LASTING, mode, timeout=COPY_LIMIT)
    told = (
        (mode, each.ticker, each.old_row or "", each.field, each.theirs or "", each.ours or "")
        for each in staging.lasting()
    )
    await connection.executemany(_ADD_LASTING, told, timeout=COPY_LIMIT)


def _trade_rows(mode: str, trades: Iterable[Told], staging: Staging) -> Iterator[Sequence[Any]]:
    ticker, number = "", 0
    for trade, told in trades:
        ticker, number = trade.ticker, number + 1 if trade.ticker == ticker else 1
        staging.add_parts(ticker, number, trade.parts)
        yield _trade_row(mode, trade, number, told)


PART_COLUMNS = ("mode", "ticker", "number", "fill_id", "is_exit", "quantity", "price", "fee")


def _part_rows(mode: str, staging: Staging) -> Iterator[Sequence[Any]]:
    for ticker, number, each in staging.parts():
        yield mode, ticker, number, each.fill_id, each.is_exit, each.quantity, each.price, each.fee


TRADE_COLUMNS = (
    "mode",
    "ticker",
    "number",
    "side",
    "source",
    "quantity",
    "entry_cost",
    "exit_proceeds",
    "payout",
    "fees",
    "net_pnl",
    "opened_at",
    "closed_at",
    "doubtful",
    "ledger_key",
    "disagreements",
)


def _trade_row(mode: str, trade: Trade, number: int, told: Sequence[Disagreement]) -> Sequence[Any]:
    """In the order of TRADE_COLUMNS."""
    return (
        mode,
        trade.ticker,
        number,
        trade.side,
        trade.source,
        trade.quantity,
        trade.entry_cost,
        trade.exit_proceeds,
        trade.payout,
        trade.fees,
        trade.net_pnl,
        trade.opened_at,
        trade.closed_at,
        trade.doubtful,
        trade.row.key if trade.row else None,
        [asdict(each) for each in told],
    )


async def keep_sources(connection: Connection, mode: str, lines: Iterable[SourceLine]) -> None:
    known = [each for each in lines if each.used and each.rows is not None]
    await connection.executemany(
        _SOURCE,
        [
            (mode, each.path, each.table, each.stamp, each.rows, each.newest, each.bad, each.rounded, bytes(each.blocks), READING)
            for each in known
        ],
    )  # fmt: skip
