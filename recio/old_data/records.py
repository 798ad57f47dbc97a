"""One old row into one fill, order, settlement or ledger row; it refuses a row that does not say what it must.

The raw record of the venue comes before the typed columns beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from recio.old_data import values
from recio.old_data.layouts import Kind, Layout
from recio.old_data.values import Row
from recio.texts import writable

RAW, TYPED, INGESTED = 3, 2, 1
"""How much a row is to be trusted where two sources tell of the same thing."""


class BadRow(Exception):
    """A row without a value that it must have. The message is (field, what stands there)."""

    def __init__(self, field: str, found: object, ticker: str = "") -> None:
        shown = writable(str(found)[:80])
        super().__init__(field, shown, ticker)
        self.field, self.found, self.ticker = field, shown, ticker


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    fill_id: str
    order_id: str
    ticker: str
    side: str
    """The outcome that these contracts were of: yes or no."""
    action: str
    """buy or sell."""
    quantity: Decimal
    price: Decimal
    """Dollars per contract of `side`."""
    fee: Decimal | None
    at: datetime
    doubtful: bool
    trust: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    order_id: str
    ticker: str
    side: str
    action: str
    status: str
    filled: Decimal
    cost: Decimal | None
    """Dollars, maker and taker."""
    fees: Decimal | None
    at: datetime | None
    trust: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    ticker: str
    settled_at: datetime
    result: str
    """yes, no, or another word; empty: not said."""
    yes_quantity: Decimal | None
    yes_cost: Decimal | None
    no_quantity: Decimal | None
    no_cost: Decimal | None
    revenue: Decimal | None
    fees: Decimal | None
    value: Decimal | None
    """Dollars per YES contract of a market that ends neither yes nor no."""
    trust: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A row of the old trades table, its figures as they stand there."""

    key: str
    old_row: str
    ticker: str
    side: str
    status: str
    quantity: Decimal | None
    buy_price: Decimal | None
    sell_price: Decimal | None
    fees: Decimal | None
    pnl: Decimal | None
    win_loss: str
    opened_at: datetime | None
    closed_at: datetime | None
    doubtful: bool
    strategy: str
    entry_method: str
    close_method: str
    is_test: bool
    has_fees: bool
    """Whether its layout has a column for fees."""
    whole: bool
    """Whether its figures are as they were computed, not rounded to whole numbers."""
    original: str
    """The old date, time and closing time as they were written."""


Record = Fill | Order | Settlement | LedgerRow


def record_of(row: dict[str, object], layout: Layout, table: str) -> Record:
    match layout.kind:
        case Kind.FILLS:
            return fill_of(row, layout.name)
        case Kind.ORDERS:
            return order_of(row)
        case Kind.SETTLEMENTS:
            return settlement_of(row, layout.name)
        case Kind.TRADES:
            return ledger_row_of(row, table, layout.whole)
        case Kind.SETTINGS | Kind.PRICES | Kind.LEFT:
            raise TypeError(layout.kind)


def fill_of(row: Row, layout: str) -> Fill:
    raw = values.json_object(row.get("raw_json")) or values.json_object(row.get("data"))
    said = raw or row
    ticker = values.words(
        values.first(said, "ticker", "market_ticker", "market_id") or values.first(row, "ticker", "market_id")
    )
    fill_id = values.words(values.first(said, "trade_id", "fill_id") or values.first(row, "trade_id", "id"))
    side = values.side(values.first(said, "side") or values.first(said, "outcome_side") or row.get("side"))
    count = values.quantity(values.first(said, "count_fp", "count", "quantity") or row.get("count"))
    at = values.moment(
        values.first(said, "created_time", "ts", "timestamp") or values.first(row, "created_time")
    )
    for field, found in (("trade_id", fill_id), ("ticker", ticker)):
        if not found:
            raise BadRow(field, found, ticker)
    if side is None:
        raise BadRow("side", row.get("side"), ticker)
    if count is None or count <= 0:
        raise BadRow("count", values.first(said, "count") or row.get("count"), ticker)
    own = _own_price(said, side) or _own_price(row, side)
    if own is None:
        raise BadRow(f"{side}_price", row.get(f"{side}_price", row.get("price")), ticker)
    if at is None:
        raise BadRow("created_time", row.get("created_time"), ticker)
    fee = values.first(said, "fee_cost", "fee_dollars")
    if fee is None:
        fee = values.first(row, "fee_cost", "fee", "fees")
    action = values.words(values.first(said, "action") or row.get("action")).lower()
    return Fill(
        fill_id=fill_id,
        order_id=values.words(values.first(said, "order_id") or row.get("order_id")),
        ticker=ticker,
        side=side,
        action="sell" if action == "sell" else "buy",
        quantity=count,
        price=own,
        fee=values.dollars(fee),
        at=at.at,
        doubtful=at.doubtful,
        trust=RAW if raw else INGESTED if layout == "ingest" else TYPED,
    )


def _own_price(said: Row, side: str) -> Decimal | None:
    """Of one side in dollars; the other side's says the same."""
    other = "no" if side == "yes" else "yes"
    own = values.price(values.first(said, f"{side}_price_dollars", f"{side}_price_fixed", f"{side}_price"))
    if own is not None:
        return own
    opposite = values.price(
        values.first(said, f"{other}_price_dollars", f"{other}_price_fixed", f"{other}_price")
    )
    if opposite is not None:
        return 1 - opposite
    return values.price(said.get("price"))


def order_of(row: Row) -> Order:
    raw = values.json_object(row.get("raw_json")) or values.json_object(row.get("data"))
    said = raw or row
    ticker = values.words(values.first(said, "ticker", "market_ticker") or row.get("ticker"))
    order_id = values.words(values.first(said, "order_id") or row.get("order_id"))
    side = values.side(values.first(said, "side", "outcome_side") or row.get("side"))
    for field, found in (("order_id", order_id), ("ticker", ticker), ("side", side)):
        if not found:
            raise BadRow(field, row.get(field), ticker)
    filled = _filled(said)
    if filled is None:
        filled = _filled(row)
    at = values.moment(values.first(said, "created_time") or row.get("created_time"))
    in_cents = _order_in_cents(said, filled)
    return Order(
        order_id=order_id,
        ticker=ticker,
        side=side or "",
        action="sell" if values.words(said.get("action")).lower() == "sell" else "buy",
        status=values.words(values.first(said, "status") or row.get("status")).lower(),
        filled=filled or Decimal(0),
        cost=_both(said, "fill_cost", in_cents),
        fees=_both(said, "fees", in_cents),
        at=at.at if at else None,
        trust=RAW if raw else TYPED,
    )


def _filled(said: Row) -> Decimal | None:
    found = values.quantity(values.first(said, "fill_count_fp", "fill_count"))
    if found is not None:
        return found
    parts = [values.quantity(said.get(each)) for each in ("taker_fill_count", "maker_fill_count")]
    if any(each is not None for each in parts):
        return sum((each for each in parts if each is not None), Decimal(0))
    placed = values.quantity(values.first(said, "initial_count_fp", "initial_count"))
    left = values.quantity(values.first(said, "remaining_count_fp", "remaining_count"))
    is_done = values.words(said.get("status")).lower() in ("executed", "filled")
    return placed - left if is_done and placed is not None and left is not None else None


def _order_in_cents(said: Row, filled: Decimal | None) -> bool:
    """Cents are what it should be; a contract costs less than a dollar and no less than a cent, so a cost tells."""
    cost = values.number(said.get("taker_fill_cost")) or values.number(said.get("maker_fill_cost"))
    if cost and filled:
        return cost >= filled
    at = values.number(said.get("yes_price")) or values.number(said.get("no_price"))
    return at is None or at >= 1


def _both(said: Row, what: str, in_cents: bool) -> Decimal | None:
    """The taker's and the maker's part together, in dollars."""
    parts = [values.dollars(values.first(said, f"{who}_{what}_dollars")) for who in ("taker", "maker")]
    if all(each is None for each in parts):
        found = [values.number(said.get(f"{who}_{what}")) for who in ("taker", "maker")]
        parts = [
            None
            if each is None
            else values.cents(each)
            if in_cents and each == each.to_integral_value()
            else values.dollars(each)
            for each in found
        ]
    known = [each for each in parts if each is not None]
    return sum(known, Decimal(0)) if known else None


def settlement_of(row: Row, layout: str) -> Settlement:
    raw = values.json_object(row.get("raw_json")) or values.json_object(row.get("data"))
    said = raw or row
    ticker = values.words(
        values.first(said, "ticker", "market_ticker", "market_id") or values.first(row, "ticker", "market_id")
    )
    at = values.moment(
        values.first(said, "settled_time", "settled_at", "updated_time", "created_time")
        or values.first(row, "settled_time", "updated_time", "created_time")
    )
    if not ticker:
        raise BadRow("ticker", row.get("ticker"))
    if at is None:
        raise BadRow("settled_time", row.get("settled_time"), ticker)
    result = values.words(values.first(said, "market_result", "result") or row.get("market_result")).lower()
    yes, no = (_settled_side(said, row, each, raw is not None) for each in ("yes", "no"))
    return Settlement(
        ticker=ticker,
        settled_at=at.at,
        result=values.SIDES.get(result, result),
        yes_quantity=yes[0],
        yes_cost=yes[1],
        no_quantity=no[0],
        no_cost=no[1],
        revenue=_revenue(said, values.SIDES.get(result, result), yes[0], no[0], raw is not None),
        fees=values.dollars(values.first(said, "fee_cost", "fee_cost_dollars")),
        value=_worth(said.get("value")),
        trust=RAW if raw else INGESTED if layout == "ingest" else TYPED,
    )


def _worth(value: object) -> Decimal | None:
    """Dollars of one YES, from dollars or cents; None for more than a contract can pay."""
    found = values.number(value)
    if found is None or not 0 <= found <= 100:
        return None
    return (found if found < 1 else found / 100).quantize(values.PRICE_STEP)


def _settled_side(said: Row, row: Row, side: str, is_raw: bool) -> tuple[Decimal | None, Decimal | None]:
    """(contracts, cost in dollars): a contract costs a cent or more and less than a dollar, so the two tell the unit."""
    count = values.quantity(
        values.first(said, f"{side}_count_fp", f"{side}_count") or row.get(f"{side}_count")
    )
    exact = values.dollars(said.get(f"{side}_total_cost_dollars"))
    if exact is not None:
        return count, exact
    cost = values.number(said.get(f"{side}_total_cost"))
    if cost is None:
        return count, values.dollars(row.get(f"{side}_total_cost")) if is_raw else None
    in_cents = cost >= count if count else is_raw
    return count, values.cents(cost) if in_cents else values.dollars(cost)


def _revenue(said: Row, result: str, yes: Decimal | None, no: Decimal | None, is_raw: bool) -> Decimal | None:
    """What the result pays tells the unit: whether pairs were paid before or not. Else whole numbers of the venue are cents."""
    exact = values.dollars(said.get("revenue_dollars"))
    if exact is not None:
        return exact
    told = values.first(said, "revenue", "amount")
    found = values.number(told)
    if found is None:
        return None
    counts = {"yes": yes or Decimal(0), "no": no or Decimal(0)}
    most = sum(counts.values())
    if result in counts:
        won, lost = counts.pop(result), sum(counts.values())
        is_dollars, is_cents = (each in (won, won - lost) for each in (found, found / 100))
        if is_dollars is not is_cents:
            return values.cents(found) if is_cents else values.dollars(found)
    in_cents = (is_raw and (not most or type(told) is int)) or (most and found > most)
    return values.cents(found) if in_cents else values.dollars(found)


def ledger_row_of(row: Row, table: str, whole: bool) -> LedgerRow:
    ticker, side = values.words(row.get("ticker")), values.side(row.get("side"))
    if not ticker:
        raise BadRow("ticker", row.get("ticker"))
    if side is None:
        raise BadRow("side", row.get("side"), ticker)
    opened = values.local_moment(row.get("date"), row.get("time"))
    closed = values.closing_moment(row.get("closed_at"), row.get("date"), opened)
    held = values.position(row.get("position"))
    ticket = values.words(row.get("ticket_id"))
    return LedgerRow(
        key=f"{ticker}|{side}|{opened.at.isoformat() if opened else values.words(row.get('id'))}",
        old_row=values.words(row.get("id")) or ticket or table,
        ticker=ticker,
        side=side,
        status=values.words(row.get("status")).lower(),
        quantity=None if held is None else abs(held),
        buy_price=values.price(row.get("buy_price")),
        sell_price=_sold(row.get("buy_price"), row.get("sell_price")),
        fees=values.dollars(row.get("fees")),
        pnl=values.dollars(row.get("pnl")),
        win_loss=values.words(row.get("win_loss")).upper()[:1],
        opened_at=opened.at if opened else None,
        closed_at=closed.at if closed else None,
        doubtful=bool((opened and opened.doubtful) or (closed and closed.doubtful)),
        strategy=values.words(row.get("trade_strategy")),
        entry_method=values.words(row.get("entry_method")).lower(),
        close_method=values.words(row.get("close_method")).lower(),
        is_test=values.truth(row.get("test_filter")),
        has_fees="fees" in row,
        whole=whole,
        original=" ".join(values.words(row.get(each)) for each in ("date", "time", "closed_at")).strip(),
    )


def _sold(bought: object, sold: object) -> Decimal | None:
    """A market's end pays nothing or a whole dollar, in the unit of what was paid. A dollar of another unit has two meanings."""
    paid, got = values.number(bought), values.number(sold)
    if got is None:
        return None
    unit = 1 if paid is None or paid < 1 else 100 if paid < 100 else 10_000
    if got in (0, unit):
        return (got / unit).quantize(values.PRICE_STEP)
    return None if got in (1, 100, 10_000) else values.price(got)


def as_columns(record: Record) -> dict[str, Any]:
    """A record's fields by name, as its table of recio has them."""
    return {each.name: getattr(record, each.name) for each in fields(record)}
