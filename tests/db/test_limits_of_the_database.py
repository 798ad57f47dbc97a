"""The second lock: whatever the program believes, the database has no row for an entry beyond a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest

from recio.db import halts, identity, limits, trade_store
from recio.db.connection import Connection, transaction
from recio.db.trade_store import Writer
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.controls import Halt
from recio.messages.decisions import OpenIntent
from recio.messages.orders import OrderAccepted, TradeState
from recio.rules.account.limits import IN_ROWS, wanted
from recio.rules.account.risk import Approved, Collar, Exposure, approve
from recio.settings.risk import RiskSection
from recio.units import (
    BookSide,
    EventTicker,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    VenueOrderId,
    money_decimal,
    price_decimal,
    quantity_decimal,
)
from tests.builders import EVENT, NOW, account, section
from tests.runs import begun, placed_entry, rows_say

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
_WAITS = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SOON = timedelta(seconds=2)
TRADE = """
    INSERT INTO trades (strategy, ticker, event_ticker, side, state, opened_at, closes_at, why, inputs)
    VALUES ('average', $1, $2, 'yes', 'opening', $3, $4, 'test', '{}')
"""
ORDER = """
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, book_side, price, quantity, reserved, state,
                        fencing, created_at, ask, model_value)
    SELECT $1, trade_id, 'entry', 1, ticker, 'bid', $2, $3, $4, 'pending', $5, $6, $7, $8
    FROM trades ORDER BY trade_id DESC LIMIT 1
"""
LEAST = section(
    RiskSection,
    **(
        dict.fromkeys(IN_ROWS, 0)
        | dict.fromkeys(("max_contracts_per_order", "max_contracts_per_strike"), Decimal("0.01"))
        | {"max_consecutive_losses": 1}
    ),
)
"""As low as somebody may cut each."""
LIMITS = RiskSection(max_entries_per_event=10, max_open_trades=10)


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened:
        yield opened


def an_intent(nth: int = 0, event: str = EVENT, contracts: int = 10, limit: int = 5000) -> OpenIntent:
    return OpenIntent(
        strategy="average",
        ticker=Ticker(f"{event}-{nth}"),
        event_ticker=EventTicker(event),
        exchange_index=2,
        side=Side.YES,
        quantity=Quantity(contracts * 100),
        limit=Price(limit),
        probability=0.5,
        fee_estimate=Money(0),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="test",
        inputs={},
    )


async def unchecked(connection: Connection, writer: Writer, intent: OpenIntent, ask: int = 5000) -> str:
    """An entry as a program without any limit of its own would intend it; which limit refused it, "" if none."""
    approved = Approved(
        intent=intent,
        reserved=Money(intent.limit * intent.quantity),
        collar=Collar(ask=Price(ask), model_value=Decimal(f"{intent.probability}")),
    )
    answer = await trade_store.place_entry(connection, writer, approved, NOW, SOON)
    if isinstance(answer, trade_store.Placed):
        return ""
    assert answer.reason
    if answer.limit in wanted(LIMITS):
        assert answer.figure is not None
        assert answer.most is not None
        assert answer.figure > answer.most
    return answer.limit


async def unchecked_by_rows(
    connection: Connection, writer: Writer, intent: OpenIntent, ask: int = 5000
) -> None:
    """The same by plain rows, as whoever does not ask the database's own function would write them."""
    async with connection.transaction():
        await connection.execute(TRADE, intent.ticker, intent.event_ticker, NOW, intent.closes_at)
        await connection.execute(
            ORDER,
            f"by rows {intent.ticker}",
            price_decimal(intent.limit),
            quantity_decimal(intent.quantity),
            money_decimal(Money(intent.limit * intent.quantity)),
            writer.fencing,
            NOW,
            price_decimal(Price(ask)),
            Decimal(f"{intent.probability}"),
        )


async def lose(connection: Connection, writer: Writer, nth: int) -> None:
    """One whole losing trade."""
    intent = an_intent(nth, event=f"LOST{nth}", contracts=1)
    await unchecked(connection, writer, intent)
    order = await connection.fetchrow("SELECT client_order_id FROM orders ORDER BY trade_id DESC LIMIT 1")
    assert order is not None
    venue_id = VenueOrderId(f"v-{nth}")
    await trade_store.record_outcome(
        connection,
        OrderAccepted(
            client_order_id=order["client_order_id"],
            venue_order_id=venue_id,
            filled=intent.quantity,
            remaining=Quantity(0),
            at=NOW,
        ),
    )
    fill = FillSeen(
        fill_id=FillId(f"f-{nth}"),
        venue_order_id=venue_id,
        ticker=intent.ticker,
        book_side=BookSide.BID,
        price=intent.limit,
        quantity=intent.quantity,
        fee=Money(10_000),
        is_taker=True,
        at=NOW,
    )
    await trade_store.record_fact(connection, fill, NOW)
    settled = SettlementSeen(ticker=intent.ticker, result=Side.NO, settled_at=NOW, revenue_cents=0)
    await trade_store.record_fact(connection, settled, NOW)


async def agree(connection: Connection, limits: RiskSection, intent: OpenIntent, ask: int = 5000) -> str:
    """Which limit the rule names for the same entry on the same rows."""
    seen = await rows_say(connection, NOW)
    said = approve(intent, Exposure(trades=seen, account=account(), ask=Price(ask)), limits, NOW)
    return "" if isinstance(said, Approved) else said.limit


SMALL: list[tuple[str, dict[str, Any], list[OpenIntent], OpenIntent]] = [
    ("max_contracts_per_order", {"max_contracts_per_order": Decimal(9)}, [], an_intent()),
    ("max_contracts_per_strike", {"max_contracts_per_strike": Decimal(9)}, [], an_intent()),
    ("max_entries_per_event", {"max_entries_per_event": 1}, [an_intent(1)], an_intent(2)),
    ("max_event_cost_dollars", {"max_event_cost_dollars": Decimal(9)}, [an_intent(1)], an_intent(2)),
    ("max_open_trades", {"max_open_trades": 1}, [an_intent(1, "A")], an_intent(2, "B")),
    ("max_open_cost_dollars", {"max_open_cost_dollars": Decimal(9)}, [an_intent(1, "A")], an_intent(2, "B")),
    (
        "max_daily_loss_dollars",
        {"max_daily_loss_dollars": Decimal(9)},
        [an_intent(1, "A")],
        an_intent(2, "B"),
    ),
    (
        "max_orders_per_minute",
        {"max_orders_per_minute": 2},
        [an_intent(1, "A"), an_intent(2, "B")],
        an_intent(3, "C"),
    ),
]


@pytest.mark.parametrize(("name", "changed", "before", "beyond"), SMALL, ids=[each[0] for each in SMALL])
async def test_an_entry_beyond_a_limit_has_no_row_and_the_rule_names_the_same_limit(
    connection: Connection, name: str, changed: dict[str, Any], before: list[OpenIntent], beyond: OpenIntent
):
    limited = RiskSection.model_validate(LIMITS.model_dump() | changed)
    writer = await begun(connection, limited)
    for intent in before:
        assert await agree(connection, limited, intent) == ""
        assert await unchecked(connection, writer, intent) == ""
    assert await unchecked(connection, writer, beyond) == name
    with pytest.raises(asyncpg.CheckViolationError, match=f"limit {name} is"):
        await unchecked_by_rows(connection, writer, beyond)
    assert await agree(connection, limited, beyond) == name
    assert await connection.fetchval("SELECT count(*) FROM trades") == len(before)


@pytest.mark.parametrize(("ask", "probability"), [(4499, 0.5), (5000, 0.4499)])
async def test_a_price_beyond_the_collar_has_no_row(connection: Connection, ask: int, probability: float):
    writer, intent = await begun(connection, LIMITS), replace(an_intent(), probability=probability)
    assert await unchecked(connection, writer, intent, ask) == "price_collar_dollars"
    with pytest.raises(asyncpg.CheckViolationError, match="limit price_collar_dollars is"):
        await unchecked_by_rows(connection, writer, intent, ask)
    assert await agree(connection, LIMITS, intent, ask) == "price_collar_dollars"


async def test_losses_in_a_row_end_entries_until_a_halt_that_came_after_them_is_cleared(
    connection: Connection,
):
    limited = LIMITS.model_copy(update={"max_consecutive_losses": 2})
    writer = await begun(connection, limited)
    for nth in range(2):
        await lose(connection, writer, nth)
    with pytest.raises(asyncpg.CheckViolationError, match="limit max_consecutive_losses is"):
        await unchecked_by_rows(connection, writer, an_intent())
    assert await unchecked(connection, writer, an_intent()) == "max_consecutive_losses"
    assert await agree(connection, limited, an_intent()) == "max_consecutive_losses"
    assert await halts.set_halt(connection, Halt(cause="losses", since=NOW, by="test", resolution="resume"))
    assert await unchecked(connection, writer, an_intent()) == "halt"
    with pytest.raises(asyncpg.CheckViolationError, match="limit max_consecutive_losses is"):
        await unchecked_by_rows(connection, writer, an_intent())
    await halts.clear_all(connection, NOW, "me")
    assert await agree(connection, limited, an_intent()) == ""
    assert await unchecked(connection, writer, an_intent()) == ""


async def test_what_was_lost_today_counts_after_a_restart_and_not_the_day_after(connection: Connection):
    limited = LIMITS.model_copy(update={"max_daily_loss_dollars": Money(5_000_000)})
    await lose(connection, await begun(connection, limited), 1)
    writer = await begun(connection, limited)
    assert await unchecked(connection, writer, an_intent()) == "max_daily_loss_dollars"
    with pytest.raises(asyncpg.CheckViolationError, match="limit max_daily_loss_dollars is"):
        await unchecked_by_rows(connection, writer, an_intent())
    tomorrow = NOW + timedelta(days=1)
    approved = Approved(
        intent=an_intent(),
        reserved=Money(5_000_000),
        collar=Collar(ask=Price(5000), model_value=Decimal("0.5")),
    )
    await placed_entry(connection, writer, approved, tomorrow, SOON)


async def fill(connection: Connection, ticker: str, venue_id: str, side: BookSide, fee: int = 0) -> None:
    """Ten contracts at 50 cents, of whichever order."""
    seen = FillSeen(
        fill_id=FillId(f"f-{venue_id}-{side}"),
        venue_order_id=VenueOrderId(venue_id),
        ticker=Ticker(ticker),
        book_side=side,
        price=Price(5000),
        quantity=Quantity(1000),
        fee=Money(fee),
        is_taker=True,
        at=NOW,
    )
    await trade_store.record_fact(connection, seen, NOW)


async def test_fees_that_were_paid_are_part_of_what_may_be_lost_in_both_locks(connection: Connection):
    limited = LIMITS.model_copy(update={"max_daily_loss_dollars": Money(10_200_000)})
    writer = await begun(connection, limited)
    assert await unchecked(connection, writer, an_intent(1, "A")) == ""
    accepted = OrderAccepted(
        client_order_id=(await connection.fetchval("SELECT client_order_id FROM orders")),
        venue_order_id=VenueOrderId("v"),
        filled=Quantity(1000),
        remaining=Quantity(0),
        at=NOW,
    )
    await trade_store.record_outcome(connection, accepted)
    await fill(connection, "A-1", "v", BookSide.BID, fee=200_001)
    assert await unchecked(connection, writer, an_intent(2, "B")) == "max_daily_loss_dollars"
    assert await agree(connection, limited, an_intent(2, "B")) == "max_daily_loss_dollars"
    just_fits = an_intent(2, "B", limit=4999)
    assert await agree(connection, limited, just_fits) == await unchecked(connection, writer, just_fits) == ""


async def test_a_gain_of_today_raises_the_days_limit_in_neither_lock(connection: Connection):
    limited = LIMITS.model_copy(update={"max_daily_loss_dollars": Money(4_000_000)})
    writer = await begun(connection, limited)
    gain = "INSERT INTO day_figures VALUES ($1::date, 30, 0, 1, 0)"
    await connection.execute(gain, NOW.date())
    assert (await rows_say(connection, NOW)).realised_today == 30_000_000
    assert await unchecked(connection, writer, an_intent()) == "max_daily_loss_dollars"
    assert await agree(connection, limited, an_intent()) == "max_daily_loss_dollars"


async def test_a_market_where_fills_without_an_order_of_ours_left_a_position_has_no_entry(
    connection: Connection,
):
    writer, wanted = await begun(connection, LIMITS), an_intent()
    await fill(connection, wanted.ticker, "by-hand", BookSide.ASK)
    assert await unchecked(connection, writer, wanted) == "made externally"
    with pytest.raises(asyncpg.CheckViolationError, match="was made without recio"):
        await unchecked_by_rows(connection, writer, wanted)
    assert await unchecked(connection, writer, an_intent(1)) == ""
    await fill(connection, wanted.ticker, "by-hand-again", BookSide.BID)
    assert await unchecked(connection, writer, wanted) == ""


async def test_an_exit_passes_whatever_the_limits_say(connection: Connection):
    writer = await begun(connection, LIMITS)
    await lose(connection, writer, 1)
    nothing = section(
        RiskSection, max_open_trades=0, max_orders_per_minute=0, max_open_cost_dollars=Decimal(0)
    )
    later = await begun(connection, nothing)
    for name, amount in wanted(LEAST).items():
        await limits.cut(connection, name, amount, "me", "")
    assert await limits.newest(connection) == wanted(LEAST)
    await connection.execute("ALTER TABLE trades DISABLE TRIGGER trades_move_legally")
    trade_id = await connection.fetchval(
        "UPDATE trades SET state = 'open', closed_at = NULL, ended_by = NULL RETURNING trade_id"
    )
    close = trade_store.CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(100),
        floor=Price(100),
        decided_at=NOW,
        why="test",
    )
    assert await trade_store.place_exit(connection, later, close, NOW, SOON) is not None
    seen = await rows_say(connection, NOW)
    assert [trade.state for trade in seen.trades] == [TradeState.CLOSING]


async def test_an_order_of_a_run_without_limits_has_no_row(connection: Connection):
    writer = await begun(connection, LIMITS)
    bare = Writer(tag=writer.tag, fencing=await identity.begin_run(connection))
    assert await unchecked(connection, bare, an_intent()) == "the database"
    with pytest.raises(asyncpg.CheckViolationError, match="has no limit"):
        await unchecked_by_rows(connection, bare, an_intent())


async def test_a_restart_lowers_a_limit_and_raises_it_only_once_per_grant(connection: Connection):
    high, low = LIMITS, LIMITS.model_copy(update={"max_open_trades": 3})

    async def started(section: RiskSection) -> int:
        fencing = await identity.begin_run(connection)
        return (await limits.put_in_force(connection, fencing, section)).limits.max_open_trades

    assert await started(high) == 10
    assert await started(low) == 3
    assert await started(high) == 3
    await limits.grant(connection, [("max_open_trades", Decimal(6))], "me")
    assert await started(high) == 6
    assert await started(low) == 3
    assert await started(high) == 3


async def test_a_limit_that_somebody_lowered_holds_the_next_order_and_every_start_until_it_is_granted(
    connection: Connection,
):
    writer = await begun(connection, LIMITS)
    assert await limits.cut(connection, "max_open_trades", Decimal(0), "me", "")
    assert await unchecked(connection, writer, an_intent()) == "max_open_trades"
    assert not await limits.cut(connection, "max_open_trades", Decimal(1), "me", "")
    assert (await limits.newest(connection))["max_open_trades"] == 0
    for granted, stays in ((False, 0), (True, 10)):
        if granted:
            await limits.grant(connection, [("max_open_trades", Decimal(10))], "me")
        fencing = await identity.begin_run(connection)
        assert (await limits.put_in_force(connection, fencing, LIMITS)).limits.max_open_trades == stays


async def test_a_grant_from_before_a_limit_was_lowered_raises_nothing(connection: Connection):
    await begun(connection, LIMITS)
    await limits.grant(connection, [("max_open_trades", Decimal(9))], "me")
    await limits.cut(connection, "max_open_trades", Decimal(1), "me", "")
    fencing = await identity.begin_run(connection)
    assert (await limits.put_in_force(connection, fencing, LIMITS)).limits.max_open_trades == 1


async def test_a_grant_from_before_a_cut_raises_nothing_though_the_clock_was_set_back_in_between(
    connection: Connection,
):
    await begun(connection, LIMITS)
    await limits.grant(connection, [("max_open_trades", Decimal(9))], "me")
    await connection.execute("UPDATE limit_grants SET at = at + interval '1 hour'")
    await limits.cut(connection, "max_open_trades", Decimal(1), "me", "")
    fencing = await identity.begin_run(connection)
    assert (await limits.put_in_force(connection, fencing, LIMITS)).limits.max_open_trades == 1


async def waits_for_a_lock(pool: Pool, many: int) -> None:
    with anyio.fail_after(10):
        while await pool.fetchval(_WAITS) < many:  # noqa: ASYNC110 - the database tells nobody
            await anyio.sleep(0.01)


async def test_a_cut_and_a_grant_that_meet_a_start_are_of_the_run_that_begins(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection, LIMITS)

    async def cut() -> None:
        async with transaction(pool) as connection:
            assert await limits.cut(connection, "max_open_trades", Decimal(1), "me", "")

    async def grant() -> None:
        async with transaction(pool) as connection:
            await limits.grant(connection, [("max_orders_per_minute", Decimal(60))], "me")

    async with anyio.create_task_group() as group, transaction(pool) as connection:
        fencing = await identity.begin_run(connection)
        await limits.put_in_force(connection, fencing, LIMITS)
        group.start_soon(cut)
        group.start_soon(grant)
        await waits_for_a_lock(pool, 2)
    async with transaction(pool) as connection:
        assert (await limits.newest(connection))["max_open_trades"] == 1
        fencing = await identity.begin_run(connection)
        wanted_more = LIMITS.model_copy(update={"max_orders_per_minute": 60})
        found = (await limits.put_in_force(connection, fencing, wanted_more)).limits
        assert (found.max_open_trades, found.max_orders_per_minute) == (1, 60)


async def test_a_start_that_meets_a_cut_begins_under_it(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection, LIMITS)
    found: list[int] = []

    async def start() -> None:
        async with transaction(pool) as connection:
            fencing = await identity.begin_run(connection)
            found.append((await limits.put_in_force(connection, fencing, LIMITS)).limits.max_open_trades)

    async with anyio.create_task_group() as group, transaction(pool) as connection:
        assert await limits.cut(connection, "max_open_trades", Decimal(1), "me", "")
        group.start_soon(start)
        await waits_for_a_lock(pool, 1)
    assert found == [1]


async def test_the_database_refuses_a_limit_that_a_start_raises_or_changes(connection: Connection):
    await begun(connection, LIMITS)
    fencing = await identity.begin_run(connection)
    with pytest.raises(asyncpg.CheckViolationError, match="cannot rise"):
        await connection.execute(
            "INSERT INTO risk_limits (fencing, name, amount) VALUES ($1, 'max_open_trades', 11)", fencing
        )
    with pytest.raises(asyncpg.RestrictViolationError, match="cannot change"):
        await connection.execute("UPDATE risk_limits SET amount = 0")
