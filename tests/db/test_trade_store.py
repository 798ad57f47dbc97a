"""Trades and orders on a real database: rows first, legal moves only, money from fills and settlements only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest

from recio.db import (
    audit_log,
    closes,
    controls,
    general_ledger,
    held_rows,
    orders,
    switches,
    trade_store,
    trades,
)
from recio.db.connection import Connection
from recio.db.trade_store import Writer
from recio.messages.account import (
    CloseMoved,
    FillSeen,
    OrderProvenAbsent,
    OrderSeen,
    SettlementSeen,
    VenueOrderStatus,
)
from recio.messages.controls import CloseRequest, Switch
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.orders import (
    Guard,
    OrderAccepted,
    OrderPurpose,
    OrderRejected,
    OrderState,
    OrderUnknown,
    PlaceOrder,
    TradeState,
)
from recio.rules.account import lifecycle
from recio.rules.account.held import differences, shown
from recio.rules.account.lifecycle import ORDER_MOVES, TRADE_MOVES
from recio.rules.account.risk import Approved, Exposure, approve
from recio.settings.risk import RiskSection
from recio.units import (
    BookSide,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    TradeId,
    VenueOrderId,
    money,
    price_decimal,
    price_text,
    quantity,
)
from tests.builders import EVENT, NOW, TICKER, account, open_trades
from tests.runs import begun, live_trade, placed_entry, placed_exit, rows_say

DEADLINE = timedelta(seconds=2)
VENUE_ID = VenueOrderId("venue-1")


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened:
        yield opened


@pytest.fixture
async def writer(connection: Connection) -> Writer:
    return await begun(connection)


def an_intent(side: Side = Side.YES, quantity: int = 1000, limit: int = 5200) -> Approved:
    intent = OpenIntent(
        strategy="average",
        ticker=TICKER,
        event_ticker=EVENT,
        exchange_index=2,
        side=side,
        quantity=Quantity(quantity),
        limit=Price(limit),
        probability=0.55,
        fee_estimate=Money(174_800),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="test",
        inputs={"price": "84000.00"},
    )
    exposure = Exposure(trades=open_trades(), account=account(), ask=intent.limit)
    answer = approve(intent, exposure, RiskSection(), NOW)
    assert isinstance(answer, Approved)
    return answer


def accepted(order: PlaceOrder, filled: int, remaining: int = 0) -> OrderAccepted:
    return OrderAccepted(
        client_order_id=order.client_order_id,
        venue_order_id=VENUE_ID,
        filled=Quantity(filled),
        remaining=Quantity(remaining),
        at=NOW,
    )


def fill(quantity: int, price: int = 5200, fill_id: str = "f1", side: BookSide = BookSide.BID) -> FillSeen:
    return FillSeen(
        fill_id=FillId(fill_id),
        venue_order_id=VENUE_ID,
        ticker=TICKER,
        book_side=side,
        price=Price(price),
        quantity=Quantity(quantity),
        fee=Money(17_500),
        is_taker=True,
        at=NOW,
    )


def settled(result: Side) -> SettlementSeen:
    return SettlementSeen(ticker=TICKER, result=result, settled_at=NOW, revenue_cents=0)


async def entry(connection: Connection, writer: Writer, side: Side = Side.YES) -> PlaceOrder:
    return await placed_entry(connection, writer, an_intent(side), NOW, DEADLINE)


async def opened(connection: Connection, writer: Writer, side: Side = Side.YES) -> TradeId:
    order = await entry(connection, writer, side)
    await trade_store.record_outcome(connection, accepted(order, 1000))
    book_side = BookSide.BID if side is Side.YES else BookSide.ASK
    await trade_store.record_fact(connection, fill(1000, side=book_side), NOW)
    return (await live_trade(connection, NOW)).trade_id


async def test_the_largest_amounts_that_can_be_read_have_room_in_the_rows(
    connection: Connection, writer: Writer
):
    largest = replace(fill(quantity("99999999999.99"), price=9999), fee=money("99999999999.999999"))
    changes = await trade_store.record_fact(connection, largest, NOW)
    assert changes.is_new


@pytest.mark.parametrize("status", list(VenueOrderStatus))
async def test_a_count_of_more_than_was_asked_for_moves_nothing_and_a_possible_one_still_does(
    connection: Connection, writer: Writer, status: VenueOrderStatus
):
    order = await entry(connection, writer)
    unanswered = OrderUnknown(client_order_id=order.client_order_id, why="no answer", at=NOW)
    await trade_store.record_outcome(connection, unanswered)
    seen = OrderSeen(
        venue_order_id=VENUE_ID,
        client_order_id=order.client_order_id,
        ticker=TICKER,
        status=status,
        filled=Quantity(1100),
        remaining=Quantity(0),
    )
    assert await trade_store.record_fact(connection, seen, NOW) == trade_store.NOTHING
    changes = await trade_store.record_fact(connection, replace(seen, filled=Quantity(1000)), NOW)
    assert changes.is_new


async def test_an_entry_is_a_trade_an_order_and_an_audit_log_row_before_anything_is_sent(
    connection: Connection, writer: Writer
):
    order = await entry(connection, writer)
    row = await orders.by_client_id(connection, order.client_order_id)
    assert row is not None
    assert (row.state, row.reserved) == (OrderState.PENDING, 5_374_800)
    assert (await live_trade(connection, NOW)).state is TradeState.OPENING
    assert await connection.fetchval("SELECT count(*) FROM audit_log WHERE kind = 'order pending'") == 1


async def test_the_database_itself_refuses_a_second_live_trade_on_one_market(
    connection: Connection, writer: Writer
):
    await entry(connection, writer)
    answer = await trade_store.place_entry(connection, writer, an_intent(), NOW, DEADLINE)
    assert isinstance(answer, trade_store.Refused)
    assert answer.limit == "one trade per market"
    with pytest.raises(asyncpg.UniqueViolationError, match="trades_one_live_per_market"):
        await connection.execute(
            "INSERT INTO trades (strategy, ticker, event_ticker, side, state, opened_at, closes_at, why, inputs)"
            " SELECT strategy, ticker, event_ticker, side, state, opened_at, closes_at, why, inputs FROM trades"
        )


async def test_a_trade_opens_when_its_order_has_ended_and_every_counted_fill_is_there(
    connection: Connection, writer: Writer
):
    order = await entry(connection, writer)
    await trade_store.record_outcome(connection, accepted(order, 1000))
    assert (await live_trade(connection, NOW)).state is TradeState.OPENING
    await trade_store.record_fact(connection, fill(400, fill_id="f1"), NOW)
    assert (await live_trade(connection, NOW)).state is TradeState.OPENING
    changes = await trade_store.record_fact(connection, fill(600, 5100, fill_id="f2"), NOW)
    trade = await live_trade(connection, NOW)
    assert trade.state is TradeState.OPEN
    assert trade.entry_cost == 400 * 5200 + 600 * 5100
    assert trade.fees == 35_000
    assert [each.trade_id for each in changes.opened] == [trade.trade_id]


async def test_a_hundredth_of_a_contract_is_an_open_trade_and_told(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    await trade_store.record_outcome(connection, accepted(order, 1))
    changes = await trade_store.record_fact(connection, fill(1), NOW)
    assert [(each.state, each.held) for each in changes.opened] == [(TradeState.OPEN, 1)]


async def test_a_fill_before_the_answer_is_kept_and_counted_once(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    await trade_store.record_fact(connection, fill(1000), NOW)
    again = replace(fill(1000), fee=Money(1), price=Price(1))
    assert not (await trade_store.record_fact(connection, again, NOW)).is_new
    await trade_store.record_outcome(connection, accepted(order, 1000))
    trade = await live_trade(connection, NOW)
    assert (trade.state, trade.held, trade.fees) == (TradeState.OPEN, 1000, 17_500)


async def test_an_order_that_filled_nothing_voids_its_trade(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    await trade_store.record_outcome(connection, accepted(order, 0))
    ended = (await rows_say(connection, NOW)).recent_trades[0]
    assert (ended.state, ended.ended_by, ended.pnl) == (TradeState.VOID, "no fill", 0)


async def test_a_rejected_order_voids_its_trade(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    rejected = OrderRejected(client_order_id=order.client_order_id, code="x", text="y", at=NOW)
    await trade_store.record_outcome(connection, rejected)
    assert (await rows_say(connection, NOW)).recent_trades[0].state is TradeState.VOID


async def test_an_unknown_order_keeps_its_reservation_and_its_market_until_the_venue_shows_it(
    connection: Connection, writer: Writer
):
    order = await entry(connection, writer)
    unknown = OrderUnknown(client_order_id=order.client_order_id, why="time-out", at=NOW)
    await trade_store.record_outcome(connection, unknown)
    now = await rows_say(connection, NOW)
    assert [(each.state, each.reserved) for each in now.orders] == [(OrderState.UNKNOWN, 5_374_800)]
    again = await trade_store.place_entry(connection, writer, an_intent(), NOW, DEADLINE)
    assert isinstance(again, trade_store.Refused)
    seen = OrderSeen(
        venue_order_id=VENUE_ID,
        client_order_id=order.client_order_id,
        ticker=TICKER,
        status=VenueOrderStatus.EXECUTED,
        filled=Quantity(1000),
        remaining=Quantity(0),
    )
    await trade_store.record_fact(connection, seen, NOW)
    await trade_store.record_fact(connection, fill(1000), NOW)
    assert (await live_trade(connection, NOW)).state is TradeState.OPEN


async def test_a_late_rejection_does_not_undo_unknown(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    await trade_store.record_outcome(
        connection, OrderUnknown(client_order_id=order.client_order_id, why="time-out", at=NOW)
    )
    await trade_store.record_outcome(
        connection, OrderRejected(client_order_id=order.client_order_id, code="x", text="y", at=NOW)
    )
    row = await orders.by_client_id(connection, order.client_order_id)
    assert row is not None
    assert row.state is OrderState.UNKNOWN


async def test_an_answer_with_the_number_of_another_order_leaves_its_own_unknown(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(1000),
        floor=Price(4000),
        decided_at=NOW,
        why="stop",
    )
    exit_order = await placed_exit(connection, writer, close, NOW, DEADLINE)
    assert exit_order is not None
    changes = await trade_store.record_outcome(connection, accepted(exit_order, 1000))
    (unproven,) = (await rows_say(connection, NOW)).orders
    assert (unproven.state, unproven.venue_order_id) == (OrderState.UNKNOWN, None)
    assert changes.written.order == unproven
    own = replace(accepted(exit_order, 1000), venue_order_id=VenueOrderId("venue-2"))
    assert (await trade_store.record_outcome(connection, own)).is_new


async def test_an_order_proven_absent_frees_its_market(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    await trade_store.record_fact(
        connection, OrderProvenAbsent(client_order_id=order.client_order_id, proof="two reads"), NOW
    )
    assert (await rows_say(connection, NOW)).recent_trades[0].state is TradeState.VOID
    await entry(connection, writer)


@pytest.mark.parametrize(
    ("side", "result", "payout"),
    [(Side.YES, Side.YES, 10_000_000), (Side.YES, Side.NO, 0), (Side.NO, Side.NO, 10_000_000)],
)
async def test_settlement_pays_a_dollar_for_each_contract_of_the_winning_side(
    connection: Connection, writer: Writer, side: Side, result: Side, payout: int
):
    trade_id = await opened(connection, writer, side)
    await trade_store.record_fact(connection, settled(result), NOW)
    trade = await trades.one(connection, trade_id)
    cost = 1000 * (5200 if side is Side.YES else 4800)
    assert (trade.state, trade.ended_by, trade.payout) == (TradeState.CLOSED, "settlement", payout)
    assert trade.pnl == payout - cost - 17_500


async def test_a_correction_changes_what_the_ended_trade_was_paid_and_every_counter_that_counts_it(
    connection: Connection, writer: Writer
):
    await opened(connection, writer)
    await trade_store.record_fact(connection, settled(Side.YES), NOW)
    won = await rows_say(connection, NOW)
    assert (won.recent_trades[0].payout, won.wins_today, won.losses_in_a_row) == (10_000_000, 1, 0)
    lost = replace(settled(Side.NO), settled_at=NOW + timedelta(seconds=9))
    changes = await trade_store.record_fact(connection, lost, NOW)
    assert changes.written.trade is not None
    assert changes.written.trade.payout == 0
    now = await rows_say(connection, NOW)
    assert (now.recent_trades[0].payout, now.wins_today, now.losses_in_a_row) == (0, 0, 1)
    assert now.realised_today == won.realised_today - 10_000_000
    halves = replace(lost, result=None, value=Price(5000), settled_at=NOW + timedelta(seconds=10))
    await trade_store.record_fact(connection, halves, NOW)
    assert (await rows_say(connection, NOW)).recent_trades[0].payout == 5_000_000
    assert not (await trade_store.record_fact(connection, lost, NOW)).is_new
    assert await connection.fetchval("SELECT counter_that_differs()") is None
    logged = await connection.fetch("SELECT 1 FROM audit_log WHERE kind = 'settlement corrected'")
    assert len(logged) == 2


async def test_a_settlement_that_arrives_before_the_last_fill_is_paid_when_it_does(
    connection: Connection, writer: Writer
):
    order = await entry(connection, writer)
    await trade_store.record_outcome(connection, accepted(order, 1000))
    await trade_store.record_fact(connection, settled(Side.YES), NOW)
    assert (await live_trade(connection, NOW)).state is TradeState.OPENING
    changes = await trade_store.record_fact(connection, fill(1000), NOW)
    assert [each.payout for each in changes.ended] == [10_000_000]


async def test_an_exit_sells_what_is_held_and_a_partial_one_leaves_the_rest_open(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(5000),
        floor=Price(4000),
        decided_at=NOW,
        why="stop",
    )
    order = await placed_exit(connection, writer, close, NOW, DEADLINE)
    assert order is not None
    assert (order.quantity, order.book_side, order.price, order.reduce_only) == (
        1000,
        BookSide.ASK,
        4000,
        True,
    )
    assert await placed_exit(connection, writer, close, NOW, DEADLINE) is None
    sold = VenueOrderId("venue-2")
    await trade_store.record_outcome(connection, replace(accepted(order, 300), venue_order_id=sold))
    await trade_store.record_fact(
        connection, replace(fill(300, 4500, "f2", BookSide.ASK), venue_order_id=sold), NOW
    )
    trade = await trades.one(connection, trade_id)
    assert (trade.state, trade.held, trade.exit_proceeds) == (TradeState.OPEN, 700, 300 * 4500)
    again = await placed_exit(connection, writer, close, NOW, DEADLINE)
    assert again is not None
    assert again.client_order_id.endswith("-exit-2")


async def test_the_row_counts_the_exits_that_met_a_book_and_not_those_that_were_refused(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(100),
        floor=Price(1),
        decided_at=NOW,
        why="stop",
    )
    for is_met, expected in ((False, 0), (True, 1), (False, 1), (True, 2)):
        order = await placed_exit(connection, writer, close, NOW, DEADLINE)
        assert order is not None
        name = order.client_order_id
        answer = replace(accepted(order, 0), venue_order_id=VenueOrderId(name))
        refused = OrderRejected(client_order_id=name, code="market_closed", text="", at=NOW)
        await trade_store.record_outcome(connection, answer if is_met else refused)
        assert (await trades.one(connection, trade_id)).exits_met == expected
    assert await connection.fetchval("SELECT counter_that_differs()") is None


async def test_a_fill_of_somebody_elses_order_is_kept_and_changes_no_trade(
    connection: Connection, writer: Writer
):
    changes = await trade_store.record_fact(connection, fill(1000), NOW)
    assert (changes.is_new, changes.is_ours) == (True, False)
    assert (await rows_say(connection, NOW)).trades == ()


async def test_stopping_records_what_was_never_answered_as_unknown(connection: Connection, writer: Writer):
    order = await entry(connection, writer)
    assert await orders.mark_unanswered(connection) == [order.client_order_id]


ILLEGAL_ORDER = [
    (now, to) for now, moves in ORDER_MOVES.items() for to in OrderState if to is not now and to not in moves
]
LEGAL_ORDER = [(now, to) for now, moves in ORDER_MOVES.items() for to in OrderState if to in moves]


async def _order_in(connection: Connection, writer: Writer, state: OrderState) -> str:
    order = await entry(connection, writer)
    if state is not OrderState.PENDING:
        await _set(connection, order.client_order_id, state)
    return order.client_order_id


async def _set(connection: Connection, client_order_id: str, state: OrderState) -> None:
    ended = NOW if not ORDER_MOVES[state] else None
    await connection.execute(
        "UPDATE orders SET state = $2, ended_at = $3, venue_order_id = 'v' WHERE client_order_id = $1",
        client_order_id,
        state.value,
        ended,
    )


@pytest.mark.parametrize(("now", "to"), ILLEGAL_ORDER, ids=lambda state: str(state))
async def test_the_database_refuses_every_illegal_move_of_an_order(
    connection: Connection, writer: Writer, now: OrderState, to: OrderState
):
    order = await _order_in(connection, writer, now)
    with pytest.raises(asyncpg.RestrictViolationError):
        await _set(connection, order, to)


@pytest.mark.parametrize(("now", "to"), LEGAL_ORDER, ids=lambda state: str(state))
async def test_the_database_allows_every_legal_move_of_an_order(
    connection: Connection, writer: Writer, now: OrderState, to: OrderState
):
    await _set(connection, await _order_in(connection, writer, now), to)


@pytest.mark.parametrize("to", list(TradeState))
async def test_the_database_knows_the_legal_moves_of_a_trade(
    connection: Connection, writer: Writer, to: TradeState
):
    await entry(connection, writer)
    trade_id = (await live_trade(connection, NOW)).trade_id
    if to in TRADE_MOVES[TradeState.OPENING] and to is TradeState.VOID:
        await trades.end(connection, trade_id, to, NOW, "no fill")
    elif to in (*TRADE_MOVES[TradeState.OPENING], TradeState.OPENING):
        await trades.move(connection, trade_id, to)
    else:
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.CheckViolationError)):
            await trades.move(connection, trade_id, to)


@pytest.mark.parametrize(
    "change", ["quantity = 1", "price = 0.99", "ticker = 'X'", "fencing = fencing + 1", "created_at = now()"]
)
async def test_an_intent_can_never_be_changed(connection: Connection, writer: Writer, change: str):
    await entry(connection, writer)
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute(f"UPDATE orders SET {change}")


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET kind = 'x'", "DELETE FROM audit_log"])
async def test_the_audit_log_is_append_only(connection: Connection, writer: Writer, statement: str):
    await entry(connection, writer)
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute(statement)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_log SET detail = '{}' WHERE seq = $1",
        "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = $1",
        "DELETE FROM audit_log WHERE seq = $1 - 1",
    ],
)
async def test_a_changed_or_missing_audit_log_row_breaks_the_chain_of_seals(
    connection: Connection, writer: Writer, tampering: str
):
    for _ in range(3):
        await audit_log.append(connection, NOW, "noted", detail={"figure": "1"})
    assert await connection.fetchval("SELECT audit_log_breaks_at(0)") is None
    middle = await connection.fetchval("SELECT max(seq) - 1 FROM audit_log")
    await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
    await connection.execute(tampering, middle)
    assert await connection.fetchval("SELECT audit_log_breaks_at(0)") == middle


async def test_an_order_cannot_be_born_as_already_sent(connection: Connection, writer: Writer):
    await entry(connection, writer)
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute(
            "INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, book_side, price, quantity,"
            " reserved, state, fencing, created_at) SELECT 'x', trade_id, 'exit', 1, ticker, book_side, price,"
            " quantity, reserved, 'unknown', fencing, created_at FROM orders"
        )


GENERATED = """
    SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = adrelid AND a.attnum = adnum
    WHERE adrelid = $1::text::regclass AND attname = $2
"""
PREDICATE = "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = $1::text::regclass"


async def test_the_database_and_the_program_mean_the_same_by_unproven_and_ended(connection: Connection):
    async def in_index(name: str, state: str) -> bool:
        predicate = await connection.fetchval(PREDICATE, name)
        return await connection.fetchval(f"SELECT {predicate} FROM (SELECT $1::text AS state) AS row", state)

    async def in_column(table: str, name: str, state: str) -> bool:
        formula = await connection.fetchval(GENERATED, table, name)
        return await connection.fetchval(
            f"SELECT {formula} FROM (SELECT $1::text AS state, 10 AS by_fills, 10 AS filled) AS row", state
        )

    for order in OrderState:
        unproven = order in lifecycle.UNPROVEN
        assert await in_column("orders", "is_unfinished", order.value) is unproven
        assert await connection.fetchval("SELECT is_unproven($1)", order.value) is unproven
        assert await in_index("orders_one_unproven_per_trade", order.value) is unproven
    for trade in TradeState:
        ended = trade in lifecycle.ENDED_TRADES
        assert await connection.fetchval("SELECT has_ended($1)", trade.value) is ended
        assert await in_index("trades_one_live_per_market", trade.value) is not ended
        assert await in_column("trades", "is_live", trade.value) is not ended


@pytest.mark.parametrize("side", list(Side))
async def test_the_database_and_the_program_name_price_and_turn_an_order_alike(
    connection: Connection, writer: Writer, side: Side
):
    trade_id = await opened(connection, writer, side)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(5000),
        floor=Price(4100),
        decided_at=NOW,
        why="stop",
    )
    await placed_exit(connection, writer, close, NOW, DEADLINE)
    rows = await connection.fetch("SELECT * FROM orders ORDER BY purpose")
    own = {OrderPurpose.ENTRY: Price(5200), OrderPurpose.EXIT: Price(4100)}
    for row, (purpose, price) in zip(rows, own.items(), strict=True):
        assert row["client_order_id"] == lifecycle.client_order_id(writer.tag, trade_id, purpose, 1)
        assert row["book_side"] == lifecycle.book_side(side, purpose)
        assert row["price"] == price_decimal(lifecycle.yes_price(side, price))
        detail = await connection.fetchval(
            "SELECT detail FROM audit_log WHERE client_order_id = $1 AND kind = 'order pending'",
            row["client_order_id"],
        )
        told = (detail["purpose"], detail["quantity"], detail["price"])
        assert told == (purpose.value, "10.00", price_text(lifecycle.yes_price(side, price)))
        # What an entry saw stands beside it, and the price among that is the coin's.
        assert ("coin_price" in detail) == (purpose is OrderPurpose.ENTRY)


async def test_a_close_that_the_venue_moves_moves_with_the_live_trade_once_and_in_the_log(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    later = NOW + timedelta(minutes=40)
    for _ in range(2):
        await trade_store.record_fact(connection, CloseMoved(ticker=TICKER, closes_at=later), NOW)
    assert (await trades.one(connection, trade_id)).closes_at == later
    logged = "SELECT detail FROM audit_log WHERE kind = 'close moved' AND trade_id = $1"
    assert [row["detail"] for row in await connection.fetch(logged, trade_id)] == [
        {"closes_at": later.isoformat()}
    ]
    await trade_store.record_fact(connection, settled(Side.YES), NOW)
    await trade_store.record_fact(connection, CloseMoved(ticker=TICKER, closes_at=NOW), NOW)
    assert (await trades.one(connection, trade_id)).closes_at == later


@pytest.mark.parametrize("by", [timedelta(minutes=40), timedelta(minutes=-40)], ids=["later", "sooner"])
async def test_a_close_that_moved_leaves_counters_that_the_next_start_believes(
    connection: Connection, writer: Writer, by: timedelta
):
    await opened(connection, writer)
    before: datetime = await connection.fetchval("SELECT closes_at FROM trades")
    await trade_store.record_fact(connection, CloseMoved(ticker=TICKER, closes_at=before + by), NOW)
    await general_ledger.prove(connection)
    # Entries count for an hour after the last close that was ever told of them.
    for counter in ("event_entries", "market_entries"):
        assert await connection.fetchval(f"SELECT closes_at FROM {counter}") == max(before, before + by)


@pytest.mark.parametrize("back", [timedelta(minutes=3), timedelta(minutes=9)], ids=["3 min", "9 min"])
async def test_a_clock_that_is_set_back_is_no_difference_between_what_is_held_and_the_rows(
    connection: Connection, writer: Writer, back: timedelta
):
    await opened(connection, writer)
    after = NOW + timedelta(seconds=20)
    held = await held_rows.load(connection, after + back)
    rows = await held_rows.load(connection, after)
    assert shown(rows, after).orders_last_minute == 1
    assert differences(held, rows, after) == ()


async def test_a_close_holds_as_long_as_its_trade_lives_and_the_newest_word_counts(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    await closes.ask(connection, trade_id, None, "ann", "enough")
    await closes.ask(connection, trade_id, Price(3000), "bob", "at a price")
    wanted = CloseRequest(trade_id=trade_id, floor=Price(3000), by="bob", why="at a price")
    assert (await controls.read(connection, [])).closes == (wanted,)
    await trade_store.record_fact(connection, settled(Side.NO), NOW)
    assert (await controls.read(connection, [])).closes == ()


async def test_a_switched_off_entry_refuses_the_program_and_not_a_person(
    connection: Connection, writer: Writer
):
    await switches.turn(connection, Switch.ENTRY, False, NOW, "me", "by hand only")
    of_the_program = an_intent()
    refused = await trade_store.place_entry(connection, writer, of_the_program, NOW, DEADLINE)
    assert isinstance(refused, trade_store.Refused)
    assert refused.limit == "switch"
    figures = {"guard": "own", "stop_price": "0.3000"}
    by_hand = replace(
        of_the_program, intent=replace(of_the_program.intent, strategy="manual", inputs=figures)
    )
    placed = await trade_store.place_entry(connection, writer, by_hand, NOW, DEADLINE)
    assert isinstance(placed, trade_store.Placed)
    assert placed.written.trade is not None
    assert placed.written.trade.guard == Guard(stop_price=Price(3000))


async def test_a_strategy_whose_entries_are_switched_off_is_refused_and_no_other(
    connection: Connection, writer: Writer
):
    wanted = an_intent()
    for strategy in ("another", wanted.intent.strategy):
        await switches.turn(connection, Switch.ENTRY, False, NOW, "me", "", strategy)
    found = await trade_store.place_entry(connection, writer, wanted, NOW, DEADLINE)
    assert isinstance(found, trade_store.Refused)
    assert found.limit == "switch"
    assert found.reason == f"entry was switched off by me for strategy {wanted.intent.strategy}"
    await switches.turn(connection, Switch.ENTRY, True, NOW, "me", "", wanted.intent.strategy)
    assert isinstance(
        await trade_store.place_entry(connection, writer, wanted, NOW, DEADLINE), trade_store.Placed
    )


async def test_each_sale_of_a_trade_has_the_next_number(connection: Connection, writer: Writer):
    trade_id = await opened(connection, writer)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(5000),
        floor=Price(4000),
        decided_at=NOW,
        why="stop",
    )
    names: list[str] = []
    for nth in range(1, 5):
        order = await placed_exit(connection, writer, close, NOW, DEADLINE)
        assert order is not None
        names.append(order.client_order_id.rsplit("-", 2)[-2] + order.client_order_id.rsplit("-", 1)[-1])
        sold = VenueOrderId(f"sold-{nth}")
        await trade_store.record_outcome(connection, replace(accepted(order, 100), venue_order_id=sold))
        part = replace(fill(100, 4500, f"part-{nth}", BookSide.ASK), venue_order_id=sold)
        await trade_store.record_fact(connection, part, NOW)
    assert names == ["exit1", "exit2", "exit3", "exit4"]
    assert (await trades.one(connection, trade_id)).held == 600


LEGAL_MOVES = {
    "opening": {"opening", "open", "void"},
    "open": {"open", "closing", "closed"},
    "closing": {"closing", "open", "closed"},
    "closed": {"closed"},
    "void": {"void"},
}


@pytest.mark.parametrize("to", list(LEGAL_MOVES))
@pytest.mark.parametrize("now", list(LEGAL_MOVES))
async def test_the_database_knows_each_of_the_moves_from_any_state_of_a_trade_to_any_other(
    connection: Connection, writer: Writer, now: str, to: str
):
    await entry(connection, writer)
    await connection.execute("ALTER TABLE trades DISABLE TRIGGER USER")
    ends = "state = $1, closed_at = $2, ended_by = $3"
    before, after = (
        (
            state,
            NOW if state in ("closed", "void") else None,
            {"closed": "exit", "void": "no fill"}.get(state),
        )
        for state in (now, to)
    )
    await connection.execute(f"UPDATE trades SET {ends}", *before)
    await connection.execute("ALTER TABLE trades ENABLE TRIGGER USER")
    if to in LEGAL_MOVES[now]:
        await connection.execute(f"UPDATE trades SET {ends}", *after)
    else:
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.CheckViolationError)):
            await connection.execute(f"UPDATE trades SET {ends}", *after)


async def test_an_order_that_ends_after_it_was_unknown_is_told_and_one_that_was_answered_at_once_is_not(
    connection: Connection, writer: Writer
):
    """The answer itself was told when it came."""
    first = await entry(connection, writer)
    rejected = OrderRejected(client_order_id=first.client_order_id, code="x", text="y", at=NOW)
    changes = await trade_store.record_outcome(connection, rejected)
    assert (changes.order_note, changes.opened) == ("", ())
    assert [each.state for each in changes.ended] == [TradeState.VOID]
    second = await entry(connection, writer)
    unknown = OrderUnknown(client_order_id=second.client_order_id, why="time-out", at=NOW)
    assert (await trade_store.record_outcome(connection, unknown)).order_note == ""
    absent = OrderProvenAbsent(client_order_id=second.client_order_id, proof="two reads")
    changes = await trade_store.record_fact(connection, absent, NOW)
    assert changes.order_note == "unknown became not_found: not found: two reads"


async def test_a_sale_of_everything_ends_the_trade_and_pays_out_nothing_beside_its_price(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(1000),
        floor=Price(100),
        decided_at=NOW,
        why="w",
    )
    sale = await placed_exit(connection, writer, close, NOW, DEADLINE)
    assert sale is not None
    answer = replace(accepted(sale, 1000), venue_order_id=VenueOrderId("venue-2"))
    await trade_store.record_outcome(connection, answer)
    sold = replace(fill(1000, 4000, "f2", BookSide.ASK), venue_order_id=VenueOrderId("venue-2"))
    changes = await trade_store.record_fact(connection, sold, NOW)
    assert changes.opened == ()
    (ended,) = changes.ended
    assert (ended.ended_by, ended.payout, ended.exit_proceeds) == ("exit", 0, 4_000_000)
    kinds = await connection.fetch("SELECT kind FROM audit_log WHERE trade_id = $1 ORDER BY seq", trade_id)
    assert [row["kind"] for row in kinds] == [
        "order pending",
        "order filled",
        "fill",
        "trade open",
        "order pending",
        "order filled",
        "fill",
        "trade closed",
    ]
