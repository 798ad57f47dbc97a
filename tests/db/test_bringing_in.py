"""What a restored database had forgotten, on a real database: each order with its trade, its fills and its end, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest

from recio.db import backup_rows, bringing_in, general_ledger, held_rows, identity, trade_store
from recio.db.connection import Connection
from recio.db.trade_store import Refused, Writer
from recio.messages.account import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.messages.orders import OrderPurpose, OrderState, TradeState
from recio.messages.past_account import PastFact, PastMarket, PastOrder, PastRead
from recio.rules.account.held import Held, apply, differences
from recio.rules.account.reconcile import FAMILY_CHARS
from recio.units import BookSide, ClientOrderId, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from tests.builders import EVENT, NOW, TICKER
from tests.db.test_trade_store import an_intent
from tests.runs import begun, placed_entry, rows_say

DEADLINE = timedelta(seconds=2)
CLOSES = NOW + timedelta(minutes=10)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened:
        yield opened


async def old_tag(connection: Connection) -> str:
    return await connection.fetchval("SELECT old_tag FROM restores ORDER BY restore_id DESC LIMIT 1")


async def restore(connection: Connection) -> Writer:
    """The rows are those of a backup from here on, and a daemon has been started on them."""
    await backup_rows.begin_anew(connection, "/backups", None, NOW, NOW)
    writer = await begun(connection)
    await bringing_in.begin(connection, LATER)
    return writer


def an_order(name: str, number: int, **changes: object) -> PastOrder:
    """An entry of ten contracts of YES, filled; an exit of them where its name says so."""
    purpose = OrderPurpose.EXIT if "-exit-" in name else OrderPurpose.ENTRY
    at = NOW + timedelta(seconds=number)
    made = PastOrder(
        name=ClientOrderId(name),
        seen=OrderSeen(
            venue_order_id=VenueOrderId(f"v-{number}"),
            client_order_id=ClientOrderId(name),
            ticker=TICKER,
            status=VenueOrderStatus.EXECUTED,
            filled=Quantity(1000),
            remaining=Quantity(0),
        ),
        purpose=purpose,
        book_side=BookSide.BID if purpose is OrderPurpose.ENTRY else BookSide.ASK,
        price=Price(5200),
        quantity=Quantity(1000),
        exchange_index=2,
        created_at=at,
        changed_at=at,
        strategy="default",
        market=PastMarket(event_ticker=EVENT, closes_at=CLOSES) if purpose is OrderPurpose.ENTRY else None,
    )
    return replace(made, **changes)


def its_fill(order: PastOrder, price: int = 5200) -> FillSeen:
    return FillSeen(
        fill_id=FillId(f"f-{order.seen.venue_order_id}"),
        venue_order_id=order.seen.venue_order_id,
        ticker=TICKER,
        book_side=order.book_side,
        price=Price(price),
        quantity=order.seen.filled,
        fee=Money(174_800),
        is_taker=True,
        at=order.created_at,
    )


async def told(connection: Connection, writer: Writer, *facts: PastFact | FillSeen | SettlementSeen) -> Held:
    """Each as trade_manager takes it; what it holds is compared with the rows after each."""
    held = await held_rows.load(connection, LATER)
    for fact in facts:
        async with connection.transaction():
            if isinstance(fact, PastFact):
                changes = await bringing_in.record(connection, writer, fact, LATER)
            else:
                changes = await trade_store.record_fact(connection, fact, LATER)
        apply(held, changes.written)
        assert differences(held, await held_rows.load(connection, LATER), LATER) == ()
    await general_ledger.prove(connection)
    return held


async def states(connection: Connection) -> dict[str, str]:
    return {row["client_order_id"]: row["state"] for row in await connection.fetch("SELECT * FROM orders")}


async def test_a_forgotten_entry_makes_its_trade_anew_with_what_it_holds(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    entry = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    held = await told(connection, writer, its_fill(entry), entry)
    (trade,) = held.trades.values()
    assert (trade.state, trade.held, trade.side, trade.strategy) == (
        TradeState.OPEN,
        Quantity(1000),
        Side.YES,
        "default",
    )
    assert (trade.opened_at, trade.closes_at, trade.event_ticker) == (entry.created_at, CLOSES, EVENT)
    assert await states(connection) == {entry.name: OrderState.FILLED}
    assert held.orders == {}


async def test_the_same_order_told_again_changes_nothing(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    entry = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    await told(connection, writer, its_fill(entry), entry, entry, entry)
    assert len((await rows_say(connection, LATER)).trades) == 1
    assert (await connection.fetchrow("SELECT orders, trades FROM brought_in")) == (1, 1)


async def test_a_sale_that_was_forgotten_ends_the_trade_of_the_rows_on_its_own_day(connection: Connection):
    before = await begun(connection)
    command = await placed_entry(connection, before, an_intent(), NOW, DEADLINE)
    bought = an_order(command.client_order_id, 1)
    await told(connection, before, its_fill(bought))
    await trade_store.record_fact(connection, bought.seen, NOW)
    writer = await restore(connection)
    name = command.client_order_id.replace("-entry-", "-exit-")
    sold = an_order(name, 2, changed_at=NOW - timedelta(days=1))
    await told(connection, writer, its_fill(sold, 6000), sold)
    (row,) = await connection.fetch("SELECT * FROM trades")
    assert (row["state"], row["ended_by"], row["exit_quantity"]) == ("closed", "exit", 10)
    assert row["closed_at"] == NOW - timedelta(days=1)


async def test_what_was_sold_and_bought_anew_is_two_trades_and_the_second_is_held(connection: Connection):
    before = await begun(connection)
    command = await placed_entry(connection, before, an_intent(), NOW, DEADLINE)
    bought = an_order(command.client_order_id, 1)
    await told(connection, before, its_fill(bought))
    await trade_store.record_fact(connection, bought.seen, NOW)
    writer = await restore(connection)
    tag = await old_tag(connection)
    sold = an_order(command.client_order_id.replace("-entry-", "-exit-"), 2)
    anew = an_order(f"recio-{tag}-9-entry-1", 3)
    held = await told(connection, writer, its_fill(sold), its_fill(anew), sold, anew)
    (trade,) = held.trades.values()
    assert (trade.held, trade.opened_at) == (Quantity(1000), anew.created_at)
    assert await connection.fetchval("SELECT count(*) FROM trades WHERE state = 'closed'") == 1


async def test_a_sale_waits_for_its_own_trade_while_another_is_live_on_its_market(connection: Connection):
    """The market of one entry could not be read when that of the next could: its sale must not end the next one's trade."""
    await begun(connection)
    writer = await restore(connection)
    tag = await old_tag(connection)
    first, sold, second = (
        an_order(f"recio-{tag}-9-entry-1", 1),
        an_order(f"recio-{tag}-9-exit-1", 2),
        an_order(f"recio-{tag}-10-entry-1", 3),
    )
    held = await told(connection, writer, *map(its_fill, (first, sold, second)), second, sold)
    (trade,) = held.trades.values()
    assert (trade.state, trade.held, trade.opened_at) == (TradeState.OPEN, Quantity(1000), second.created_at)
    assert sold.name not in await states(connection)


async def test_an_entry_that_found_nobody_is_a_void_trade(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    entry = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    nobody = replace(entry.seen, status=VenueOrderStatus.CANCELED, filled=Quantity(0))
    await told(connection, writer, replace(entry, seen=nobody))
    (row,) = await connection.fetch("SELECT state, ended_by FROM trades")
    assert tuple(row) == ("void", "no fill")


async def test_a_settlement_that_came_before_its_forgotten_order_pays_the_trade_out(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    entry = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    won = SettlementSeen(ticker=TICKER, result=Side.YES, settled_at=CLOSES, revenue_cents=1000)
    await told(connection, writer, its_fill(entry), won, entry)
    (row,) = await connection.fetch("SELECT state, ended_by, payout, closed_at FROM trades")
    assert tuple(row) == ("closed", "settlement", 10, CLOSES)


async def test_fills_that_come_after_their_order_open_its_trade(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    entry = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    held = await told(connection, writer, entry)
    assert [each.state for each in held.trades.values()] == [TradeState.OPENING]
    held = await told(connection, writer, its_fill(entry))
    assert [each.state for each in held.trades.values()] == [TradeState.OPEN]


async def test_nothing_is_bought_before_all_is_brought_in_and_then_it_may_be(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    answer = await trade_store.place_entry(connection, writer, an_intent(), NOW, DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.limit == "restore"
    await told(connection, writer, PastRead(orders=()))
    await placed_entry(connection, writer, an_intent(), NOW, DEADLINE)


async def test_the_end_counts_what_came_and_names_what_nothing_explains(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    tag = await old_tag(connection)
    entry, stray = (
        an_order(f"recio-{tag}-7-entry-1", 1),
        an_order(f"recio-{tag}-6-exit-1", 2, book_side=BookSide.BID),
    )
    await told(connection, writer, its_fill(entry), entry, stray, PastRead(orders=(stray,)))
    done = await bringing_in.newest(connection)
    assert done is not None
    assert (done.orders, done.trades, done.fills, done.settlements) == (1, 1, 1, 0)
    assert done.left_out == (stray.name,)
    assert done.finished_at == LATER
    assert await bringing_in.read_from(connection) is None


async def test_the_end_waits_for_an_order_whose_market_still_moves(connection: Connection):
    before = await begun(connection)
    command = await placed_entry(connection, before, an_intent(), NOW, DEADLINE)
    writer = await restore(connection)
    sold = an_order(command.client_order_id.replace("-entry-", "-exit-"), 2)
    await told(connection, writer, sold, PastRead(orders=(sold,)))
    assert await bringing_in.read_from(connection) is not None
    bought = an_order(command.client_order_id, 1)
    await trade_store.record_fact(connection, bought.seen, NOW)
    # Now it has a place, which it had not when it was told.
    await told(connection, writer, its_fill(bought), PastRead(orders=(sold,)))
    assert await bringing_in.read_from(connection) is not None
    await told(connection, writer, its_fill(sold), sold, PastRead(orders=()))
    assert await bringing_in.read_from(connection) is None


async def test_an_order_that_the_rows_refuse_is_left_and_holds_up_no_other(connection: Connection):
    await begun(connection)
    writer = await restore(connection)
    tag = await old_tag(connection)
    bad = an_order(f"recio-{tag}-7-entry-1", 1, strategy=None)
    await told(connection, writer, bad, PastRead(orders=(bad,)))
    done = await bringing_in.newest(connection)
    assert done is not None
    assert done.left_out == (bad.name,)


@pytest.mark.parametrize("name", ["recio-{new}-7-entry-1", "recio-zzzzzzzz-7-entry-1"])
async def test_only_an_earlier_tag_of_the_family_is_let_past_the_limits(connection: Connection, name: str):
    await begun(connection)
    writer = await restore(connection)
    made = name.format(new=writer.tag)
    await told(connection, writer, an_order(made, 1))
    assert await states(connection) == {}


async def test_a_database_that_was_never_restored_has_nothing_of_this(connection: Connection):
    writer = await begun(connection)
    await bringing_in.begin(connection, LATER)
    await told(connection, writer, an_order(f"recio-{writer.tag}-7-entry-1", 1), PastRead(orders=()))
    assert await connection.fetchval("SELECT count(*) FROM brought_in") == 0
    assert await states(connection) == {}
    assert await bringing_in.read_from(connection) is None
    assert await bringing_in.newest(connection) is None


async def test_a_start_in_the_middle_asks_as_far_back_as_the_first_did(connection: Connection):
    """What was brought in is newer than what waits: the rows say no more how far the backup reached."""
    before = await begun(connection)
    await placed_entry(connection, before, an_intent(), NOW, DEADLINE)
    writer = await restore(connection)
    first = await bringing_in.read_from(connection)
    assert first == NOW
    await told(connection, writer, an_order(f"recio-{await old_tag(connection)}-8-entry-1", 60))
    await bringing_in.begin(connection, LATER + timedelta(hours=1))
    assert await bringing_in.read_from(connection) == first


async def test_a_second_restore_is_made_good_even_if_the_first_never_was(connection: Connection):
    await begun(connection)
    await restore(connection)
    writer = await restore(connection)
    assert await connection.fetchval("SELECT count(*) FROM brought_in") == 2
    await told(connection, writer, PastRead(orders=()))
    assert await bringing_in.read_from(connection) is None


@pytest.mark.parametrize("is_finished", [False, True])
async def test_a_backup_from_the_middle_of_it_is_asked_as_far_back_as_the_restore_before_unless_that_ended(
    connection: Connection, is_finished: bool
):
    """What was brought in until then is newer than what still waited."""
    before = await begun(connection)
    await placed_entry(connection, before, an_intent(), NOW, DEADLINE)
    ours = an_order(await connection.fetchval("SELECT client_order_id FROM orders"), 0)
    await told(connection, before, its_fill(ours))
    await trade_store.record_fact(connection, ours.seen, NOW)
    writer = await restore(connection)
    newer = an_order(f"recio-{await old_tag(connection)}-8-entry-1", 3600)
    newer = replace(newer, seen=replace(newer.seen, ticker=Ticker(f"{EVENT}-T99999.99")))
    its = replace(its_fill(newer), ticker=newer.seen.ticker)
    await told(connection, writer, its, newer, *([PastRead(orders=())] if is_finished else []))
    await backup_rows.begin_anew(connection, "/backups", None, NOW, NOW)
    await bringing_in.begin(connection, LATER + timedelta(hours=2))
    since = newer.created_at if is_finished else NOW
    assert await bringing_in.read_from(connection) == since


async def test_an_empty_backup_is_made_good_from_its_opening_balance_on(connection: Connection):
    await begun(connection)
    opened: datetime = NOW - timedelta(hours=3)
    await connection.execute(
        "INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before) VALUES ($1, 1, 0, 0)",
        opened,
    )
    await restore(connection)
    assert await bringing_in.read_from(connection) == opened


async def test_the_schema_knows_the_family_by_as_many_letters(connection: Connection):
    mine = await identity.claim(connection, "demo", "sim", "account")
    await restore(connection)
    cousin = mine.tag[:FAMILY_CHARS] + "zz" + mine.tag[FAMILY_CHARS + 2 :]
    stranger = mine.tag[: FAMILY_CHARS - 1] + "z" + mine.tag[FAMILY_CHARS:]
    asked = "SELECT may_be_brought_in('recio-' || $1 || '-1-entry-1')"
    assert await connection.fetchval(asked, cousin) is True
    assert await connection.fetchval(asked, stranger) is False


async def test_a_person_ends_the_wait_once_and_for_the_record_and_nothing_is_brought_in_after_it(
    connection: Connection,
):
    await begun(connection)
    writer = await restore(connection)
    async with connection.transaction():
        assert await bringing_in.forgo(connection, LATER, "ann", "the venue has lost the market")
        assert not await bringing_in.forgo(connection, LATER, "ann", "again")
    assert await bringing_in.read_from(connection) is None
    deeds = await connection.fetch(
        "SELECT detail::text FROM audit_log WHERE kind = 'bringing in ended by hand'"
    )
    assert ["ann" in each["detail"] and "lost the market" in each["detail"] for each in deeds] == [True]
    late = an_order(f"recio-{await old_tag(connection)}-7-entry-1", 1)
    await told(connection, writer, late, PastRead(orders=(late,)))
    assert await states(connection) == {}


async def test_nothing_is_ended_by_hand_that_nothing_waits_for(connection: Connection):
    await begun(connection)
    async with connection.transaction():
        assert not await bringing_in.forgo(connection, LATER, "ann", "no restore")
        assert await connection.fetchval("SELECT count(*) FROM audit_log WHERE kind LIKE 'bringing in%'") == 0
