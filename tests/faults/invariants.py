"""What must be so after every case, read from the daemon's rows and the exchange's own books; it changes nothing.

I1 fills, I2 one venue order for each intent, I3 money, I4 limits, I5 losses stay, I6 no order while halted,
I7 no order on old data, I8 positions, I9 audit log, I10 decisions can be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from recio.messages.markets import StrikeType
from recio.rules.pricing.average_fit import FITTED
from recio.rules.pricing.closing_minute import ClosingMinute
from recio.rules.pricing.fees import taker_fee
from recio.rules.pricing.probability import by_strike_type
from recio.rules.pricing.settlement_average import forecast
from recio.units import ONE_CONTRACT, ONE_DOLLAR, Side, money_decimal, price

Row = asyncpg.Record
PROVEN = frozenset({"filled", "cancelled"})
NEVER_THERE = frozenset({"rejected", "not_found"})
ENDED = frozenset({"closed", "void"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits that the daemon under test was given."""

    open_cost: Decimal
    open_trades: int
    price_age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The daemon's books."""

    orders: Sequence[Row]
    trades: Sequence[Row]
    fills: Sequence[Row]
    settlements: Sequence[Row]
    markets: Mapping[str, Row]
    halts: Sequence[Row]
    broken_seal: int | None
    booked: Decimal
    """Cash by the double-entry ledger."""
    unbalanced: int
    """Ledger transactions that do not sum to zero, and fills and settlements that are not posted."""


_UNBALANCED = """
    SELECT (SELECT count(*) FROM (SELECT 1 FROM postings GROUP BY transaction_id HAVING sum(amount) <> 0) AS uneven)
         + (SELECT count(*) FROM fills f WHERE NOT EXISTS (SELECT FROM ledger_transactions l WHERE l.fill_id = f.fill_id))
         + (SELECT count(*) FROM settlements s
            WHERE NOT EXISTS (SELECT FROM ledger_transactions l WHERE l.settled_ticker = s.ticker))
"""


async def read_rows(connection: asyncpg.Connection[Row]) -> Rows:
    return Rows(
        orders=await connection.fetch("SELECT * FROM orders"),
        trades=await connection.fetch("SELECT t.*, f.* FROM trades t JOIN trade_figures f USING (trade_id)"),
        fills=await connection.fetch("SELECT * FROM fills"),
        settlements=await connection.fetch("SELECT * FROM settlements"),
        markets={row["ticker"]: row for row in await connection.fetch("SELECT * FROM markets")},
        halts=await connection.fetch("SELECT * FROM halts"),
        broken_seal=await connection.fetchval("SELECT audit_log_breaks_at(0)"),
        booked=await connection.fetchval(
            "SELECT coalesce(sum(amount), 0) FROM postings WHERE account = 'cash'"
        ),
        unbalanced=await connection.fetchval(_UNBALANCED),
    )


def broken(rows: Rows, venue: Mapping[str, Any], bounds: Bounds, ended: Mapping[int, str]) -> list[str]:
    """Every invariant that does not hold, as a sentence; `ended` is what earlier cases saw end, and how."""
    return [
        *_fills(rows, venue),
        *_intents(rows, venue),
        *_money(rows, venue),
        *_limits(rows, bounds),
        *_losses_stay(rows, ended),
        *_halted(rows),
        *_fresh(rows, bounds),
        *_positions(rows, venue),
        *([] if rows.broken_seal is None else [f"I9 the audit log's chain breaks at {rows.broken_seal}"]),
        *_repeatable(rows),
    ]


def at_any_instant(rows: Rows, venue: Mapping[str, Any]) -> list[str]:
    """What may not even be broken in the middle of things, with orders in flight and fills unheard."""
    names = {row["client_order_id"] for row in rows.orders}
    seen = [order["client_order_id"] for order in venue["orders"]]
    fills = {fill["trade_id"] for fill in venue["fills"]}
    return [
        *([] if len(set(seen)) == len(seen) else ["I2 one client order id has two orders at the venue"]),
        *(f"I2 {name} was sent {times} times" for name, times in venue["asked_for"].items() if times > 1),
        *(f"I2 {name} left without a row" for name in sorted({*seen, *venue["asked_for"]} - names)),
        *(
            f"I2 {row['client_order_id']} is {row['state']} and lives at the venue"
            for row in rows.orders
            if row["state"] in NEVER_THERE and row["client_order_id"] in seen
        ),
        *(f"I1 fill {row['fill_id']} is invented" for row in rows.fills if row["fill_id"] not in fills),
        *([] if rows.broken_seal is None else [f"I9 the audit log's chain breaks at {rows.broken_seal}"]),
        *([f"I3 {rows.unbalanced} postings do not balance or are missing"] if rows.unbalanced else []),
    ]


def evidence(rows: Rows, venue: Mapping[str, Any]) -> dict[str, Any]:
    """Both books as plain text, for whoever has to find out why they differ."""
    tables = {
        "orders": rows.orders,
        "trades": rows.trades,
        "fills": rows.fills,
        "settlements": rows.settlements,
    }
    ours = {
        name: [{key: str(value) for key, value in row.items()} for row in table]
        for name, table in tables.items()
    }
    return {"rows": ours, "venue": dict(venue)}


def endings(rows: Rows) -> dict[int, str]:
    """What every ended trade came to; it may never change again."""
    return {
        trade["trade_id"]: f"{trade['state']} {_pnl(trade)}"
        for trade in rows.trades
        if trade["state"] in ENDED
    }


def _fills(rows: Rows, venue: Mapping[str, Any]) -> Iterator[str]:
    theirs = {
        fill["trade_id"]: (fill["order_id"], Decimal(fill["count_fp"]), Decimal(fill["fee_cost"]))
        for fill in venue["fills"]
    }
    ours = {row["fill_id"]: (row["venue_order_id"], row["quantity"], row["fee"]) for row in rows.fills}
    if lost := theirs.keys() - ours.keys():
        yield f"I1 the venue has fills that we do not: {sorted(lost)}"
    if invented := ours.keys() - theirs.keys():
        yield f"I1 we have fills that the venue does not: {sorted(invented)}"
    for fill_id in theirs.keys() & ours.keys():
        if theirs[fill_id] != ours[fill_id]:
            yield f"I1 fill {fill_id}: venue {theirs[fill_id]}, rows {ours[fill_id]}"


def _intents(rows: Rows, venue: Mapping[str, Any]) -> Iterator[str]:
    theirs = {order["client_order_id"]: order for order in venue["orders"]}
    if len(theirs) != len(venue["orders"]):
        yield "I2 one client order id has two orders at the venue"
    for name, times in venue["asked_for"].items():
        if times > 1:
            yield f"I2 {name} was sent {times} times"
    ours = {row["client_order_id"]: row for row in rows.orders}
    if forgotten := theirs.keys() - ours.keys():
        yield f"I2 the venue has orders that we forgot: {sorted(forgotten)}"
    if unwritten := venue["asked_for"].keys() - ours.keys():
        yield f"I2 orders left without a row: {sorted(unwritten)}"
    for name, row in ours.items():
        yield from _end(name, row, theirs.get(name))


def _end(name: str, row: Row, order: Mapping[str, Any] | None) -> Iterator[str]:
    if row["state"] in PROVEN:
        if order is None or (order["order_id"], Decimal(order["fill_count_fp"])) != (
            row["venue_order_id"],
            row["filled"],
        ):
            yield f"I2 {name} is {row['state']} with {row['filled']} filled; the venue says {order}"
    elif row["state"] in NEVER_THERE:
        if order is not None:
            yield f"I2 {name} is {row['state']} and lives at the venue"
    else:
        yield f"I2 {name} is still {row['state']}"


def _money(rows: Rows, venue: Mapping[str, Any]) -> Iterator[str]:
    """Cash by our own rows against the venue's, to its last digit."""
    known = {row["ticker"] for row in rows.settlements}
    late = sum((_won(row) for row in venue["settlements"] if row["ticker"] not in known), Decimal(0))
    paid = sum((_cash_paid(fill) for fill in _held_sides(rows)), Decimal(0))
    fees = sum((row["fee"] for row in rows.fills), Decimal(0))
    payouts = sum((trade["payout"] for trade in rows.trades), Decimal(0))
    expected = Decimal(venue["deposits"]) - paid - fees + payouts
    actual = Decimal(venue["cash"]) - late
    if expected != actual:
        yield f"I3 cash by the rows {expected}, at the venue {actual}, off by {actual - expected}"
    if rows.booked != actual - Decimal(venue["deposits"]):
        yield f"I3 cash by the books {rows.booked}, at the venue {actual - Decimal(venue['deposits'])}"
    if rows.unbalanced:
        yield f"I3 {rows.unbalanced} postings do not balance or are missing"
    if fees != Decimal(venue["fees"]):
        yield f"I3 fees by the rows {fees}, at the venue {venue['fees']}"
    if Decimal(venue["reserved"]) != 0:
        yield f"I3 the venue still reserves {venue['reserved']}"


def _won(settlement: Mapping[str, Any]) -> Decimal:
    """What it paid out: the counts are all that was ever bought of each side, and pairs were paid before."""
    yes, no = Decimal(settlement["yes_count_fp"]), Decimal(settlement["no_count_fp"])
    return max(Decimal(0), yes - no if settlement["market_result"] == "yes" else no - yes)


def _held_sides(rows: Rows) -> Iterator[tuple[Row, Row, Row]]:
    orders = {row["venue_order_id"]: row for row in rows.orders if row["venue_order_id"]}
    trades = {row["trade_id"]: row for row in rows.trades}
    for fill in rows.fills:
        order = orders.get(fill["venue_order_id"])
        if order is not None:
            yield fill, order, trades[order["trade_id"]]


def _cash_paid(held: tuple[Row, Row, Row]) -> Decimal:
    fill, order, trade = held
    own = fill["price"] if trade["side"] == "yes" else 1 - fill["price"]
    return fill["quantity"] * own * (1 if order["purpose"] == "entry" else -1)


def _limits(rows: Rows, bounds: Bounds) -> Iterator[str]:
    live = [trade for trade in rows.trades if trade["state"] not in ENDED]
    if len(live) > bounds.open_trades:
        yield f"I4 {len(live)} trades are open, at most {bounds.open_trades} may be"
    held = sum((max(Decimal(0), trade["entry_cost"] - trade["exit_proceeds"]) for trade in live), Decimal(0))
    pending = sum((row["reserved"] for row in rows.orders if _unproven_entry(row)), Decimal(0))
    if held + pending > bounds.open_cost:
        yield f"I4 open cost is {held + pending}, at most {bounds.open_cost} may be"
    tickers = [trade["ticker"] for trade in live]
    if len(set(tickers)) != len(tickers):
        yield f"I4 two live trades on one market: {sorted(tickers)}"


def _unproven_entry(row: Row) -> bool:
    return row["purpose"] == "entry" and row["state"] not in PROVEN | NEVER_THERE


def _pnl(trade: Row) -> Decimal:
    return trade["exit_proceeds"] + trade["payout"] - trade["entry_cost"] - trade["fees"]


def _losses_stay(rows: Rows, ended: Mapping[int, str]) -> Iterator[str]:
    now = endings(rows)
    for trade_id, before in ended.items():
        if now.get(trade_id) != before:
            yield f"I5 trade {trade_id} had ended as {before} and is now {now.get(trade_id)}"


def _halted(rows: Rows) -> Iterator[str]:
    for halt in rows.halts:
        until: datetime | None = halt["cleared_at"]
        for row in rows.orders:
            if (
                row["purpose"] == "entry"
                and halt["since"] < row["created_at"]
                and (until is None or row["created_at"] < until)
            ):
                yield f"I6 {row['client_order_id']} was recorded while halted: {halt['cause']}"


def _fresh(rows: Rows, bounds: Bounds) -> Iterator[str]:
    for trade in rows.trades:
        inputs = json.loads(trade["inputs"]) if isinstance(trade["inputs"], str) else trade["inputs"]
        if not inputs:
            continue  # brought in after a restore: what its decision saw is lost
        age = (trade["opened_at"] - datetime.fromisoformat(inputs["price_at"])).total_seconds()
        if age > bounds.price_age:
            yield f"I7 trade {trade['trade_id']} was decided on a price {age:.1f} s old"


def _positions(rows: Rows, venue: Mapping[str, Any]) -> Iterator[str]:
    theirs = {
        each["ticker"]: Decimal(each["position_fp"])
        for each in venue["positions"]
        if Decimal(each["position_fp"])
    }
    settled_there = {row["ticker"] for row in venue["settlements"]}
    ours: dict[str, Decimal] = {}
    for trade in rows.trades:
        if trade["state"] not in ENDED and trade["ticker"] not in settled_there:
            held = trade["entry_quantity"] - trade["exit_quantity"]
            ours[trade["ticker"]] = ours.get(trade["ticker"], Decimal(0)) + (
                held if trade["side"] == "yes" else -held
            )
    ours = {ticker: held for ticker, held in ours.items() if held}
    if ours != theirs:
        yield f"I8 positions by the rows {ours}, at the venue {theirs}"


def _repeatable(rows: Rows) -> Iterator[str]:
    """The recorded inputs of each entry lead to the recorded probability and edge again."""
    for trade in rows.trades:
        inputs = json.loads(trade["inputs"]) if isinstance(trade["inputs"], str) else trade["inputs"]
        if not inputs:
            continue  # as above
        market, probability = rows.markets[trade["ticker"]], float(inputs["probability"])
        seen = forecast(
            ClosingMinute(
                level=float(inputs["price"]),
                expected=float(inputs["mean_expected"]),
                to_come=float(inputs["mean_variance_seconds"]),
                error=float(inputs["mean_unknown_dollars"]),
            ),
            float(inputs["volatility_to_come"]),
            float(inputs["seconds_to_close"]),
            FITTED,
        )
        again = by_strike_type(
            StrikeType(market["strike_type"]), market["floor_strike"], market["cap_strike"], seen.above
        )
        own = None if again is None else again if trade["side"] == Side.YES.value else 1.0 - again
        if own is None or abs(own - probability) > 0.001:
            yield f"I10 trade {trade['trade_id']}: its inputs give {own}, it was decided on {probability}"
        ask = price(inputs["ask"])
        edge = Decimal(inputs["probability"]) - Decimal(ask) / ONE_DOLLAR
        edge -= money_decimal(taker_fee(ask, ONE_CONTRACT, Decimal(1)))
        if abs(edge - Decimal(inputs["edge"])) > Decimal("0.00001"):
            yield f"I10 trade {trade['trade_id']}: its inputs give the edge {edge}, it was decided on {inputs['edge']}"
