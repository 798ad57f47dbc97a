"""The whole order surface against the exchange that runs here: what is sent is carried out, and read back the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import anyio
import pytest

from recio.daemon.venue import read_credentials, simulated
from recio.errors import Transient
from recio.exchange_sim.credentials import Credentials
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.kalshi import account, account_limits, markets, order_groups
from recio.kalshi.batches import cancel_batch, create_batch
from recio.kalshi.exchange_status import read_pauses, read_state
from recio.kalshi.fees import read_fees
from recio.kalshi.markets import Listing
from recio.kalshi.order_changes import Amended, Cancelled, Resting, amend, cancel, cancel_all
from recio.kalshi.orders import NewOrder, TimeInForce, create, prepare
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.kalshi.writes import OutcomeUnknown
from recio.messages.account import VenueOrderStatus
from recio.messages.markets import Market, MarketStatus, VenuePhase
from recio.messages.orders import OrderAccepted, OrderRejected
from recio.units import BookSide, ClientOrderId, Price, Quantity, VenueOrderId
from tests.kalshi.single_reads import one_book, one_order


@asynccontextmanager
async def exchange(directory: Path, **changes: Any) -> AsyncIterator[KalshiRest]:
    """A quiet exchange of its own, unless it is asked for another, and our client of it."""
    ready: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()
    usual: dict[str, Any] = {"align": True, "quiet_traders": True}
    settings = ExchangeSettings(credentials_dir=directory, **(usual | changes))
    task = asyncio.create_task(serve(settings, started=ready.set_result))
    try:
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        ready.result()
        venue = simulated(read_credentials(directory))
        async with aiohttp.ClientSession() as session:
            yield KalshiRest(
                session=session,
                base_url=venue.rest_url,
                signer=venue.signer,
                clock=venue.clock,
                timeout_seconds=5,
            )
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def open_market(rest: KalshiRest) -> Market:
    fees = await read_fees(rest, "KXBTC15M")
    listing = Listing(series="KXBTC15M", symbol="BTC", index_id="BRTI", fees=fees)
    with anyio.fail_after(10):
        while True:
            listed = await markets.event_markets(rest, listing, rest.clock.utc())
            assert listed.refused == ()
            for market in listed.markets:
                if market.status is MarketStatus.ACTIVE and market.floor_strike is not None:
                    return market


def new(market: Market, **changes: Any) -> NewOrder:
    fields: dict[str, Any] = {
        "client_order_id": ClientOrderId(str(uuid4())),
        "ticker": market.ticker,
        "exchange_index": market.exchange_index,
        "book_side": BookSide.BID,
        "quantity": Quantity(300),
        "price": Price(100),
        "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
    }
    return NewOrder(**(fields | changes))


async def resting(rest: KalshiRest, order: NewOrder) -> Resting:
    outcome = await create(rest, order, wait_seconds=5)
    assert isinstance(outcome, OrderAccepted), outcome
    assert (outcome.filled, outcome.remaining) == (0, order.quantity)
    return named(order, outcome.venue_order_id)


def named(order: NewOrder, venue_order_id: VenueOrderId) -> Resting:
    return Resting(venue_order_id=venue_order_id, ticker=order.ticker, exchange_index=order.exchange_index)


async def test_a_bid_that_a_person_rests_keeps_no_sale_from_what_others_bid(tmp_path: Path):
    async with exchange(tmp_path, members=2) as rest:
        market = await open_market(rest)
        venue = simulated(read_credentials(tmp_path / "member-2"))
        other = replace(rest, signer=venue.signer)
        await resting(other, new(market, book_side=BookSide.ASK, price=Price(5000)))
        at_once = TimeInForce.IMMEDIATE_OR_CANCEL
        bought = await create(rest, new(market, price=Price(5000), time_in_force=at_once), wait_seconds=5)
        assert isinstance(bought, OrderAccepted)
        assert bought.filled == 300
        await resting(other, new(market, price=Price(4000)))
        by_hand = await resting(rest, new(market, price=Price(4500)))
        stop = new(market, book_side=BookSide.ASK, price=Price(3000), time_in_force=at_once, reduce_only=True)
        sold = await create(rest, stop, wait_seconds=5)
        assert isinstance(sold, OrderAccepted)
        assert sold.filled == 300
        assert (await one_order(rest, by_hand.venue_order_id))["status"] == VenueOrderStatus.CANCELED


async def test_a_resting_order_is_made_read_changed_and_cancelled_once(tmp_path: Path):
    async with exchange(tmp_path) as rest:
        market = await open_market(rest)
        assert market.untradable == ""
        order = new(market)
        prepare(rest)
        at = await resting(rest, order)

        shown = await one_order(rest, at.venue_order_id)
        assert (shown["yes_price_dollars"], shown["initial_count_fp"]) == ("0.0100", "3.00")
        assert (shown["remaining_count_fp"], shown["client_order_id"]) == ("3.00", order.client_order_id)
        assert shown["status"] == VenueOrderStatus.RESTING
        assert (await one_book(rest, market.ticker)).yes == {100: 300}

        dearer = await amend(rest, at, book_side=BookSide.BID, price=Price(200), total=Quantity(250))
        assert dearer == Amended(Quantity(250), Quantity(0))
        assert (await one_order(rest, at.venue_order_id))["yes_price_dollars"] == "0.0200"

        assert await cancel(rest, at) == Cancelled(Quantity(250))
        assert isinstance(await cancel(rest, at), OutcomeUnknown)
        after = await one_order(rest, at.venue_order_id)
        assert (after["status"], after["remaining_count_fp"]) == (VenueOrderStatus.CANCELED, "0.00")

        again = await create(rest, order, wait_seconds=5)
        assert not isinstance(again, OrderAccepted | OrderRejected)
        listed = await account.orders(rest, ticker=market.ticker, since=None)
        assert [each.client_order_id for each in listed] == [order.client_order_id]
        assert await account.fills(rest, None) == ()


async def test_a_batch_is_made_and_cancelled_item_by_item(tmp_path: Path):
    async with exchange(tmp_path) as rest:
        market = await open_market(rest)
        good, dear = new(market), new(market, quantity=Quantity(100_000_000), price=Price(9000))
        made, refused = await create_batch(rest, [good, dear], wait_seconds=5)
        assert isinstance(made, OrderAccepted)
        assert isinstance(refused, OrderRejected)
        assert refused.code == "insufficient_balance"
        at = named(good, made.venue_order_id)
        nobody = named(good, VenueOrderId(str(uuid4())))
        done, unknown = await cancel_batch(rest, [at, nobody])
        assert done == Cancelled(Quantity(300))
        assert isinstance(unknown, OutcomeUnknown)

        last = await resting(rest, new(market))
        assert isinstance(await cancel_all(rest), Cancelled)
        assert (await one_order(rest, last.venue_order_id))["status"] == VenueOrderStatus.CANCELED


async def test_the_venue_tells_of_itself_and_of_the_account(tmp_path: Path):
    async with exchange(tmp_path) as rest:
        await account_limits.learn(rest)
        assert rest.limits.tier == "basic"
        assert rest.limits.view().read_capacity == 600
        assert (await read_state(rest, 2, await read_pauses(rest))).phase is VenuePhase.TRADING
        assert (await read_state(rest, 77, ())).phase is VenuePhase.UNKNOWN
        assert await account.balance(rest, 2) == 1_000_000_000
        assert (await account.positions(rest)).quantities == {}
        assert rest.clock_offset == pytest.approx(0, abs=1.1)


async def test_a_group_is_made_triggered_and_removed(tmp_path: Path):
    async with exchange(tmp_path) as rest:
        try:
            group = await order_groups.create_group(rest, limit=Quantity(1_000), exchange_index=2)
        except (Transient, VenueRefused):
            pytest.skip("this exchange has no order groups yet")
        market = await open_market(rest)
        at = await resting(rest, new(market, order_group_id=group))
        shown = await order_groups.group(rest, group)
        assert (shown.limit, shown.orders) == (1_000, (at.venue_order_id,))
        await order_groups.trigger_group(rest, group, 2)
        assert (await one_order(rest, at.venue_order_id))["status"] == VenueOrderStatus.CANCELED
        refused = await create(rest, new(market, order_group_id=group), wait_seconds=5)
        assert not isinstance(refused, OrderAccepted)
        await order_groups.reset_group(rest, group, 2)
        await order_groups.limit_group(rest, group, 2, limit=Quantity(2_000))
        assert (await order_groups.group(rest, group)).limit == 2_000
        await order_groups.delete_group(rest, group, 2)
        with pytest.raises(VenueRefused, match="404"):
            await order_groups.group(rest, group)
