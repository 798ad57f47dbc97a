"""Orders of every kind with the official client: place, fill, cancel, amend, decrease, batches, refusals."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from day import Step, step, until
from kalshi_python_async.exceptions import BadRequestException, ConflictException, NotFoundException
from money import lowest, off_grid, text
from official_session import CRYPTO_SHARD, Session, ask, refused

STEPS: list[Step] = []


@step(STEPS, "balance by shard")
async def balance(session: Session) -> None:
    answer = await ask(session.client.get_balance)
    shards = {row.exchange_index: Decimal(row.balance) for row in answer.balance_breakdown}
    session.opening = Decimal(answer.balance_dollars)
    assert shards[CRYPTO_SHARD] > 1000
    assert sum(shards.values()) == session.opening
    assert answer.balance == int(session.opening * 100)
    only = await ask(session.client.get_balance, exchange_index=CRYPTO_SHARD)
    assert Decimal(only.balance_dollars) == shards[CRYPTO_SHARD]


@step(STEPS, "a good-till-cancelled order rests and binds its cost")
async def rests(session: Session) -> None:
    before = await session.free_cash()
    client_id = str(uuid4())
    made = await session.rest("3.00", client_order_id=client_id)
    assert (made.fill_count, made.remaining_count) == ("0.00", "3.00")
    assert made.client_order_id == client_id
    assert made.average_fill_price is None
    assert before - await session.free_cash() == 3 * lowest(session.grid)
    shown = await session.order(made.order_id)
    assert (shown.status.value, shown.ticker, shown.book_side.value) == ("resting", session.ticker, "bid")
    assert (shown.initial_count_fp, shown.remaining_count_fp, shown.fill_count_fp) == ("3.00", "3.00", "0.00")
    assert shown.client_order_id == client_id
    assert Decimal(shown.yes_price_dollars) == lowest(session.grid)
    session.ids["resting"] = made.order_id
    session.ids["client id"] = client_id


@step(STEPS, "resting orders are listed")
async def listed(session: Session) -> None:
    found = (await ask(session.client.get_orders, ticker=session.ticker, status="resting")).orders
    assert [order.order_id for order in found] == [session.ids["resting"]]
    assert not (await ask(session.client.get_orders, ticker=session.ticker, status="executed")).orders


@step(STEPS, "queue position of one order and of all")
async def queue(session: Session) -> None:
    first, behind = session.ids["resting"], (await session.rest("1.00")).order_id

    async def every() -> dict[str, Decimal]:
        found = await ask(session.client.get_order_queue_positions, market_tickers=session.ticker)
        assert {row.market_ticker for row in found.queue_positions} == {session.ticker}
        return {row.order_id: Decimal(row.queue_position_fp) for row in found.queue_positions}

    async def agree() -> bool | None:
        """Others leave the queue between two questions, so the single answers lie between two lists."""
        before = await every()
        single = {
            order_id: Decimal(
                (await ask(session.client.get_order_queue_position, order_id)).queue_position_fp
            )
            for order_id in (first, behind)
        }
        return True if before == single == await every() else None

    await until(agree, "single queue positions equal to the list's")
    shown = await every()
    assert set(shown) == {first, behind}
    assert shown[behind] >= shown[first] + 3 >= 3, shown
    await session.cancel(behind)


@step(STEPS, "duplicate client id is the client's conflict, also after a cancel")
async def duplicate(session: Session) -> None:
    error = await refused(ConflictException, session.rest(client_order_id=session.ids["client id"]))
    assert error["code"] == "order_already_exists", error
    used = str(uuid4())
    made = await session.rest(client_order_id=used)
    await session.cancel(made.order_id)
    error = await refused(ConflictException, session.rest(client_order_id=used))
    assert error["code"] == "order_already_exists", error


@step(STEPS, "cancel without a shard is not found and the order still rests")
async def cancel_without_shard(session: Session) -> None:
    error = await refused(NotFoundException, ask(session.client.cancel_order_v2, session.ids["resting"]))
    assert error["code"] == "not_found", error
    assert (await session.order(session.ids["resting"])).status.value == "resting"


@step(STEPS, "cancel gives back the count, a repeated cancel is not found")
async def cancel(session: Session) -> None:
    gone = await ask(session.client.cancel_order_v2, session.ids["resting"], market_ticker=session.ticker)
    assert (gone.order_id, gone.reduced_by) == (session.ids["resting"], "3.00")
    shown = await session.order(session.ids["resting"])
    assert (shown.status.value, shown.remaining_count_fp) == ("canceled", "0.00")
    assert await session.free_cash() == session.opening
    error = await refused(NotFoundException, session.cancel(session.ids["resting"]))
    assert error["code"] == "not_found", error


@step(STEPS, "post-only rests, a crossing post-only is refused")
async def post_only(session: Session) -> None:
    made = await session.rest("2.00", post_only=True)
    assert made.remaining_count == "2.00"
    await session.cancel(made.order_id)
    _, offer = await session.tops()
    high = session.through("bid", offer)
    error = await refused(BadRequestException, session.place("bid", high, "1.00", post_only=True))
    assert (error["code"], error["details"]) == ("invalid_order", "post only cross"), error


@step(STEPS, "immediate-or-cancel takes, at the resting price and with the taker fee")
async def immediate_or_cancel(session: Session) -> None:
    made = await session.take("bid", "4.00", time_in_force="immediate_or_cancel")
    assert (made.fill_count, made.remaining_count) == ("4.00", "0.00")
    price, fee = Decimal(made.average_fill_price), Decimal(made.average_fee_paid)
    model = Decimal("0.07") * price * (1 - price)
    assert model <= fee + Decimal("0.0001"), (fee, model)
    assert fee <= model + Decimal("0.0005"), (fee, model)
    shown = await session.order(made.order_id)
    assert (shown.status.value, shown.fill_count_fp) == ("executed", "4.00")
    assert price <= Decimal(shown.yes_price_dollars), "no worse than the limit"
    assert Decimal(shown.taker_fees_dollars) > 0
    session.ids["taken"] = made.order_id


@step(STEPS, "immediate-or-cancel that meets nobody ends cancelled")
async def immediate_nothing(session: Session) -> None:
    made = await session.rest("5.00", time_in_force="immediate_or_cancel")
    assert (made.fill_count, made.remaining_count) == ("0.00", "0.00")
    assert (await session.order(made.order_id)).status.value == "canceled"


@step(STEPS, "fill-or-kill is refused whole or filled whole")
async def fill_or_kill(session: Session) -> None:
    error = await refused(ConflictException, session.rest("7.00", time_in_force="fill_or_kill"))
    assert error["code"] == "fill_or_kill_insufficient_resting_volume", error
    made = await session.take("bid", "2.00", time_in_force="fill_or_kill")
    assert (made.fill_count, made.remaining_count) == ("2.00", "0.00")


@step(STEPS, "a large order fills partly and the rest of it rests")
async def partial_fill(session: Session) -> None:
    async def partly() -> bool | None:
        bids, asks = await session.book()
        if not bids or not asks:
            return None
        offer = min(asks)
        made = await session.place("bid", offer, str(asks[offer] + 150))
        filled, left = Decimal(made.fill_count), Decimal(made.remaining_count)
        assert filled + left == asks[offer] + 150
        shown = await session.order(made.order_id)
        assert Decimal(shown.initial_count_fp) == filled + left
        assert Decimal(shown.fill_count_fp) >= filled
        if filled and left and shown.status.value == "resting":
            session.ids["partial"] = made.order_id
            return True
        if shown.status.value == "resting":
            await session.withdraw(made.order_id)
        return None

    await until(partly, "an order that is partly filled and rests")
    found = (await ask(session.client.get_fills, order_id=session.ids["partial"])).fills
    assert found
    assert all(fill.order_id == session.ids["partial"] for fill in found)


@step(STEPS, "cancelling a partly filled order keeps its fills")
async def cancel_partial(session: Session) -> None:
    before = await session.order(session.ids["partial"])
    if before.status.value == "resting":
        await session.withdraw(session.ids["partial"])
    after = await session.order(session.ids["partial"])
    assert after.status.value in ("canceled", "executed")
    assert Decimal(after.fill_count_fp) >= Decimal(before.fill_count_fp) > 0
    assert after.remaining_count_fp == "0.00"


@step(STEPS, "a maker's fill costs no fee")
async def maker_fill(session: Session) -> None:
    async def made_market() -> str | None:
        bid, offer = await session.tops()
        price = session.under(offer)
        made = await session.place("bid", max(price, bid), "1.00", post_only=True)
        for _ in range(8):
            if (await session.order(made.order_id)).status.value == "executed":
                return made.order_id
        await session.cancel(made.order_id)
        return None

    async def tried() -> str | None:
        try:
            return await made_market()
        except (BadRequestException, NotFoundException):
            return None  # the market moved under the quote, or the fill beat the cancel

    order_id = await until(tried, "somebody who sells to a resting bid")
    fills = (await ask(session.client.get_fills, order_id=order_id)).fills
    assert [fill.is_taker for fill in fills] == [False] * len(fills)
    assert sum(Decimal(fill.count_fp) for fill in fills) == 1
    assert {fill.fee_cost for fill in fills} == {"0.000000"}


@step(STEPS, "reduce-only closes part of the position and never turns it round")
async def reduce_only(session: Session) -> None:
    async def reduced() -> bool | None:
        held = await position(session)
        assert held > 2, held
        bid, _ = await session.tops()
        low = session.through("ask", bid)
        made = await session.place("ask", low, "2.00", time_in_force="immediate_or_cancel", reduce_only=True)
        assert await position(session) == held - Decimal(made.fill_count)
        return True if made.fill_count == "2.00" else None

    await until(reduced, "two contracts sold at once")
    wrong = session.place(
        "bid", lowest(session.grid), "1.00", time_in_force="immediate_or_cancel", reduce_only=True
    )
    assert (await wrong).fill_count == "0.00"
    error = await refused(
        BadRequestException, session.place("ask", lowest(session.grid), "1.00", reduce_only=True)
    )
    assert error["code"] == "invalid_order", error


@step(STEPS, "an order that expires ends by itself")
async def expires(session: Session) -> None:
    at = int(time.time()) + 2
    made = await session.rest("1.00", expiration_time=at)
    shown = await session.order(made.order_id)
    assert shown.status.value == "resting"
    assert shown.expiration_time == datetime.fromtimestamp(at, UTC)

    async def ended() -> bool | None:
        return True if (await session.order(made.order_id)).status.value == "canceled" else None

    await until(ended, "the order expired", seconds=6)
    error = await refused(BadRequestException, session.rest("1.00", expiration_time=at - 60))
    assert error["code"] == "invalid_order", error


@step(STEPS, "amend moves the price and the count, the id stays")
async def amend(session: Session) -> None:
    made = await session.rest("3.00")
    price = lowest(session.grid) + session.grid[0].step
    changed = await ask(
        session.client.amend_order_v2,
        made.order_id,
        ticker=session.ticker,
        side="bid",
        price=text(price),
        count="5.00",
        exchange_index=CRYPTO_SHARD,
    )
    assert (changed.order_id, changed.remaining_count) == (made.order_id, "5.00")
    shown = await session.order(made.order_id)
    assert (Decimal(shown.yes_price_dollars), shown.remaining_count_fp) == (price, "5.00")
    session.ids["amended"] = made.order_id


@step(STEPS, "decrease by and decrease to")
async def decrease(session: Session) -> None:
    order_id = session.ids["amended"]
    less = await ask(
        session.client.decrease_order_v2, order_id, reduce_by="1.50", exchange_index=CRYPTO_SHARD
    )
    assert (less.order_id, less.remaining_count) == (order_id, "3.50")
    least = await ask(
        session.client.decrease_order_v2, order_id, reduce_to="1.00", market_ticker=session.ticker
    )
    assert least.remaining_count == "1.00"
    await session.cancel(order_id)


async def position(session: Session) -> Decimal:
    found = (await ask(session.client.get_positions, ticker=session.ticker)).market_positions
    return Decimal(found[0].position_fp) if found else Decimal(0)


@step(STEPS, "an order that meets one's own is cancelled, the resting one stays")
async def self_trade(session: Session) -> None:
    async def met() -> str | None:
        bid, offer = await session.tops()
        inside = session.under(offer)
        if inside <= bid:
            return None
        own = await session.place("ask", inside, "1.00")
        incoming = await session.place("bid", inside, "1.00", time_in_force="immediate_or_cancel")
        stays = (await session.order(own.order_id)).status.value == "resting"
        if stays:
            await session.withdraw(own.order_id)
        return incoming.order_id if stays and incoming.fill_count == "0.00" else None

    order_id = await until(met, "an own offer at the top of the book", every=0.05)
    shown = await session.order(order_id)
    assert (shown.status.value, shown.fill_count_fp) == ("canceled", "0.00")


@step(STEPS, "an off-grid price and a bad count are refused by name")
async def bad_numbers(session: Session) -> None:
    error = await refused(BadRequestException, session.place("bid", off_grid(session.grid), "1.00"))
    assert error["code"] == "invalid_price", error
    error = await refused(BadRequestException, session.rest("0.00"))
    assert error["code"] == "invalid_order_size", error


@step(STEPS, "insufficient balance is refused by name")
async def too_poor(session: Session) -> None:
    error = await refused(BadRequestException, session.rest("999999999.00"))
    assert error["code"] == "insufficient_balance", error
    error = await refused(BadRequestException, session.place("ask", Decimal("0.99"), "999999999.00"))
    assert error["code"] == "insufficient_balance", error
