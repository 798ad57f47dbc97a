"""A run of the daemon on a test's database: claimed, begun, and with limits that an entry is held against."""

from __future__ import annotations

from datetime import datetime, timedelta

from recio.db import held_rows, identity, trade_store
from recio.db.connection import Connection
from recio.db.limits import put_in_force
from recio.db.trade_store import Writer
from recio.messages.decisions import CloseIntent
from recio.messages.orders import OpenTrades, PlaceOrder, TradeView
from recio.rules.account.held import shown
from recio.rules.account.risk import Approved
from recio.settings.risk import RiskSection

USUAL = RiskSection()


async def begun(connection: Connection, limits: RiskSection = USUAL) -> Writer:
    return (await begun_under(connection, limits))[0]


async def begun_under(connection: Connection, wanted: RiskSection) -> tuple[Writer, RiskSection]:
    """The run, and the limits that are in force for it."""
    mine = await identity.claim(connection, "demo", "sim", "account")
    fencing = await identity.begin_run(connection)
    in_force = await put_in_force(connection, fencing, wanted)
    return Writer(tag=mine.tag, fencing=fencing), in_force.limits


async def placed_entry(
    connection: Connection, writer: Writer, approved: Approved, now: datetime, deadline: timedelta
) -> PlaceOrder:
    """The command of an entry that the database must not refuse."""
    answer = await trade_store.place_entry(connection, writer, approved, now, deadline)
    assert isinstance(answer, trade_store.Placed), answer
    return answer.command


async def placed_exit(
    connection: Connection, writer: Writer, intent: CloseIntent, now: datetime, deadline: timedelta
) -> PlaceOrder | None:
    """The command of an exit; None if there is nothing to sell."""
    answer = await trade_store.place_exit(connection, writer, intent, now, deadline)
    return None if answer is None else answer.command


async def rows_say(connection: Connection, now: datetime) -> OpenTrades:
    """What trade_manager would show of the rows as they are."""
    return shown(await held_rows.load(connection, now), now)


async def live_trade(connection: Connection, now: datetime) -> TradeView:
    """The one trade that is live."""
    (trade,) = (await rows_say(connection, now)).trades
    return trade


async def losses_in_a_row(connection: Connection) -> int:
    """As the limit counts them."""
    return await connection.fetchval("SELECT losses_in_a_row()")
