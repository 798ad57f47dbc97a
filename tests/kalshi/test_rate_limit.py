"""Rate limits: what is urgent goes first, nothing waits beyond its deadline, and 429 is backed off from."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import anyio
import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import account, account_limits
from recio.kalshi.order_changes import Resting, cancel
from recio.kalshi.orders import place
from recio.kalshi.rate_limit import (
    BASIC_WRITE,
    EVERY_SHARD,
    LONGEST_BACKOFF,
    BilledRequest,
    BucketLimit,
    EndpointCosts,
    Priority,
    RateLimits,
    Ticket,
)
from recio.kalshi.writes import RequestRefused
from recio.messages.orders import OrderAccepted, OrderRejected, PlaceOrder
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker, VenueOrderId
from tests.kalshi.local_venue import by_path, local_venue

CREATE = BilledRequest(method="POST", path="/portfolio/events/orders", priority=Priority.ORDER, shard=2)
CANCEL = BilledRequest(
    method="DELETE", path="/portfolio/events/orders/abc", priority=Priority.CANCEL, shard=2
)
READ = BilledRequest(method="GET", path="/markets")
ORDER_READ = replace(READ, path="/portfolio/orders", priority=Priority.ORDER_READ)
LONG = 1e6
T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever is due next instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.now = 1_000.0

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.loop.now += timeout
        return super().select(0)


def jumping(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(story())


async def admitted(limits: RateLimits, asked: BilledRequest, until: float = LONG) -> Ticket:
    ticket = await limits.admit(asked, until)
    assert ticket is not None
    return ticket


async def emptied(limits: RateLimits) -> None:
    for _ in range(10):
        await admitted(limits, CREATE)
    for _ in range(20):
        await admitted(limits, READ)


def test_what_is_there_is_given_at_once_and_the_rest_as_it_refills():
    async def story() -> list[float]:
        limits, begin = RateLimits(), anyio.current_time()
        return [(await admitted(limits, CREATE)).at - begin for _ in range(13)]

    assert jumping(story) == pytest.approx([0.0] * 10 + [0.1, 0.2, 0.3], abs=0.01)


def test_over_a_long_time_no_more_is_admitted_than_the_venue_allows():
    async def story() -> float:
        limits, begin = RateLimits(), anyio.current_time()
        for _ in range(1_000):
            await admitted(limits, READ)
        return anyio.current_time() - begin

    # 200 tokens at the start and 200 a second for 10,000 in all.
    assert jumping(story) == pytest.approx((10_000 - 200) / 200, rel=0.001)


def test_cancels_go_before_orders_and_the_order_paths_reads_before_others():
    async def story() -> list[str]:
        limits, served = RateLimits(), list[str]()
        await emptied(limits)

        async def wait(name: str, asked: BilledRequest) -> None:
            await admitted(limits, asked)
            served.append(name)

        async with anyio.create_task_group() as group:
            for name, asked in (
                *(("read", READ), ("order", CREATE), ("order read", ORDER_READ), ("cancel", CANCEL)),
                *(("order 2", CREATE), ("cancel 2", CANCEL)),
            ):
                group.start_soon(wait, name, asked)
                await anyio.lowlevel.checkpoint()
        return served

    served = jumping(story)
    assert [name for name in served if "read" not in name] == ["cancel", "cancel 2", "order", "order 2"]
    assert [name for name in served if "read" in name] == ["order read", "read"]


def test_an_order_is_not_admitted_when_its_tokens_cannot_be_there_in_time():
    async def story() -> tuple[float, bool, bool]:
        limits = RateLimits()
        await emptied(limits)
        begin = anyio.current_time()
        refused = await limits.admit(CREATE, begin + 0.05)
        waited = anyio.current_time() - begin
        return waited, refused is None, await limits.admit(CREATE, begin + 0.11) is not None

    assert jumping(story) == (0.0, True, True)


def test_an_order_gives_up_its_wait_at_its_deadline_when_cancels_keep_coming_first():
    async def story() -> tuple[bool, float]:
        limits = RateLimits()
        await emptied(limits)
        begin = anyio.current_time()
        ended = list[tuple[bool, float]]()

        async def order() -> None:
            found = await limits.admit(CREATE, begin + 0.12)
            ended.append((found is None, anyio.current_time() - begin))

        async with anyio.create_task_group() as group:
            group.start_soon(order)
            for _ in range(30):
                await anyio.sleep(0.02)
                await admitted(limits, CANCEL)
        return ended[0]

    gave_up, when = jumping(story)
    assert gave_up
    assert when <= 0.12 + 0.002


def test_what_is_there_is_given_also_to_somebody_whose_deadline_has_passed():
    async def story() -> bool:
        return await RateLimits().admit(CREATE, 0.0) is not None

    assert jumping(story)


def test_more_than_the_bucket_can_ever_hold_is_refused_at_once():
    async def story() -> Ticket | None:
        return await RateLimits().admit(
            replace(CREATE, path="/portfolio/events/orders/batched", items=11), LONG
        )

    assert jumping(story) is None


def test_naming_a_shard_bills_that_one_and_leaving_it_open_bills_all():
    async def story() -> list[int]:
        limits = RateLimits()
        await admitted(limits, CREATE)
        await admitted(limits, replace(CREATE, shard=EVERY_SHARD))
        await admitted(limits, replace(CREATE, shard=0))
        return [int(limits.writes[shard].level) for shard in (0, 1, 2, 3)]

    assert jumping(story) == [80, 90, 80, 90]


@pytest.mark.parametrize(
    ("method", "path", "cost"),
    [
        ("DELETE", "/portfolio/events/orders/0f-1", 2),
        ("DELETE", "/portfolio/events/orders", 2),
        ("DELETE", "/portfolio/events/orders/batched", 3),
        ("GET", "/portfolio/orders/0f-1", 4),
        ("POST", "/portfolio/events/orders", 10),
        ("POST", "/portfolio/events/orders/0f-1/amend", 10),
        ("GET", "/portfolio/orders/0f-1/queue_position", 10),
    ],
)
async def test_a_cost_is_found_by_its_path_template(method: str, path: str, cost: int):
    said = [
        ("DELETE", "/trade-api/v2/portfolio/events/orders/{order_id}", 2),
        ("DELETE", "/portfolio/events/orders", 2),
        ("DELETE", "/trade-api/v2/portfolio/events/orders/batched", 3),
        ("GET", "/trade-api/v2/portfolio/orders/:order_id", 4),
    ]
    rows = [{"method": verb, "path": where, "cost": tokens} for verb, where, tokens in said]
    served = by_path(endpoint_costs={"default_cost": 10, "endpoint_costs": rows})
    async with local_venue(served) as venue:
        costs = await account_limits.endpoint_costs(venue.rest())
    assert costs.of(method, path) == cost


def test_each_429_on_a_read_pauses_it_longer_up_to_a_bound_until_one_is_served():
    async def story() -> tuple[list[float], float]:
        limits, pauses = RateLimits(jitter=lambda: 1.0), list[float]()
        for _ in range(9):
            ticket = await admitted(limits, READ)
            limits.answered(ticket, refused=True)
            begin = anyio.current_time()
            ticket = await admitted(limits, READ)
            pauses.append(anyio.current_time() - begin)
        limits.answered(ticket, refused=False)
        limits.answered(await admitted(limits, READ), refused=True)
        begin = anyio.current_time()
        await admitted(limits, READ)
        return pauses, anyio.current_time() - begin

    pauses, afterwards = jumping(story)
    assert pauses == pytest.approx([0.25, 0.5, 1, 2, 4, 8, 8, 8, 8], abs=0.01)
    assert max(pauses) <= LONGEST_BACKOFF + 0.01
    assert afterwards == pytest.approx(0.25, abs=0.01)


def test_a_429_on_one_read_slows_that_kind_alone_and_nobody_waits_behind_it():
    async def story() -> tuple[list[float], tuple[str, ...]]:
        limits, begin = RateLimits(jitter=lambda: 1.0), anyio.current_time()
        book = replace(READ, path="/markets/KXBTC15M-26NOV230715-15/orderbook")
        for _ in range(4):
            limits.answered(await admitted(limits, book), refused=True)
            await anyio.sleep(limits.pauses["markets/{}/orderbook"].left(anyio.current_time()))
        limits.answered(await admitted(limits, book), refused=True)
        begin, waited = anyio.current_time(), list[float]()

        async def ask(asked: BilledRequest) -> None:
            await admitted(limits, asked)
            waited.append(anyio.current_time() - begin)

        async with anyio.create_task_group() as group:
            # Another market's book is the same kind of read, and being more urgent helps it to nothing.
            group.start_soon(ask, replace(book, path="/markets/K/orderbook", priority=Priority.ORDER_READ))
            for asked in (READ, ORDER_READ, replace(READ, path="/portfolio/balance")):
                group.start_soon(ask, asked)
            await anyio.sleep(0.5)
            slowed = limits.view().slowed
        return waited, slowed

    waited, slowed = jumping(story)
    assert waited == pytest.approx([0.0, 0.0, 0.0, 4.0], abs=0.01)
    assert slowed == ("markets/{}/orderbook",)


def test_a_429_on_a_write_slows_all_that_its_bucket_pays_for_and_no_other():
    async def story() -> list[float]:
        limits = RateLimits(jitter=lambda: 1.0)
        limits.answered(await admitted(limits, CREATE), refused=True)
        begin = anyio.current_time()
        return [
            (await admitted(limits, asked)).at - begin for asked in (replace(CREATE, shard=0), READ, CANCEL)
        ]

    assert jumping(story) == pytest.approx([0.0, 0.0, 0.25], abs=0.01)


@pytest.mark.parametrize(
    ("tier", "each"),
    [("basic", 1.0), ("Advanced", 1.0), ("expert", 0.2), ("prestige", 0.2), ("of next year", 1.0)],
)
def test_the_balance_has_a_bucket_of_its_own_without_a_burst_by_tier(tier: str, each: float):
    async def story() -> tuple[float, float, int]:
        limits = RateLimits()
        limits.learn(tier, BucketLimit(refill=200, capacity=600), BASIC_WRITE, EndpointCosts())
        asked = replace(READ, path="/portfolio/balance")
        begin = anyio.current_time()
        for _ in range(6):
            await admitted(limits, asked)
        before = limits.view().read_left
        for _ in range(before // 10):
            await admitted(limits, READ)
        emptied_at = anyio.current_time()
        await admitted(limits, asked)
        return emptied_at - begin, anyio.current_time() - begin, before

    spent, afterwards, read_left = jumping(story)
    burst = 1 if each == 1.0 else 5
    assert spent == pytest.approx((6 - burst) * each, abs=0.01), "reads of the balance wait for each other"
    assert afterwards == pytest.approx((7 - burst) * each, abs=0.01), "and for no other read"
    assert read_left == 600, "nor do they take from the others"


def test_the_pause_is_spread_so_that_many_do_not_come_back_together():
    async def story(jitter: float) -> float:
        limits = RateLimits(jitter=lambda: jitter)
        limits.answered(await admitted(limits, READ), refused=True)
        begin = anyio.current_time()
        await admitted(limits, READ)
        return anyio.current_time() - begin

    assert jumping(lambda: story(0.0)) == pytest.approx(0.125, abs=0.01)
    assert jumping(lambda: story(0.5)) == pytest.approx(0.1875, abs=0.01)


def test_a_burst_that_is_refused_together_is_one_refusal_to_the_pause():
    async def story() -> tuple[float, int]:
        limits = RateLimits(jitter=lambda: 1.0)
        tickets = [await admitted(limits, READ) for _ in range(8)]
        await anyio.sleep(0.01)
        for ticket in tickets:
            limits.answered(ticket, refused=True)
        begin = anyio.current_time()
        await admitted(limits, READ)
        return anyio.current_time() - begin, limits.refusals

    waited, refusals = jumping(story)
    assert waited == pytest.approx(0.25, abs=0.01)
    assert refusals == 8


def test_a_waiter_that_is_cancelled_takes_nothing_and_blocks_nobody():
    async def story() -> float:
        limits = RateLimits()
        await emptied(limits)
        begin = anyio.current_time()
        with anyio.move_on_after(0.05):
            await limits.admit(replace(CREATE, items=9), LONG)
        return (await admitted(limits, CREATE)).at - begin

    assert jumping(story) == pytest.approx(0.1, abs=0.01)


def test_the_accounts_own_limits_replace_the_assumed_ones_and_what_is_spent_stays_spent():
    async def story() -> tuple[int, int, int, int, str]:
        limits = RateLimits()
        await emptied(limits)
        read, write = BucketLimit(refill=200, capacity=600), BucketLimit(refill=300, capacity=300)
        limits.learn("advanced", read, write, EndpointCosts())
        view = limits.view()
        return view.read_left, view.read_capacity, view.write_left, view.write_capacity, view.tier

    assert jumping(story) == (400, 600, 200, 300, "advanced")


ORDER = PlaceOrder(
    client_order_id=ClientOrderId("recio-0-1-entry-1"),
    ticker=Ticker("KX-1"),
    exchange_index=2,
    book_side=BookSide.BID,
    quantity=Quantity(100),
    price=Price(5200),
    reduce_only=False,
    send_before=datetime(2020, 1, 1, tzinfo=UTC),
)
CREATED = {"order_id": "v", "fill_count": "1.00", "remaining_count": "0.00"}


def refusing(times: int, body: object) -> tuple[Callable[[web.Request], object], list[str]]:
    asked: list[str] = []

    def answer(request: web.Request) -> object:
        asked.append(request.path)
        if len(asked) <= times:
            return web.json_response({"error": "too many requests"}, status=429)
        return body

    return answer, asked


async def test_a_read_that_meets_429_is_asked_again_within_its_time_out():
    answer, asked = refusing(2, {"as_of_time": "2026-11-23T12:00:00Z"})
    async with local_venue(by_path(user_data_timestamp=answer)) as venue:
        rest = venue.rest(limits=RateLimits(jitter=lambda: 0.0))
        assert (await account.as_of(rest)).year == 2026
        assert (len(asked), rest.limits.view().refusals) == (3, 2)


async def test_a_read_that_meets_nothing_but_429_ends_with_its_time_out():
    answer, asked = refusing(1_000, {})
    async with local_venue(by_path(user_data_timestamp=answer)) as venue:
        rest = venue.rest(timeout_seconds=0.6, limits=RateLimits())
        with anyio.fail_after(2):
            with pytest.raises(Transient, match="429"):
                await account.as_of(rest)
    assert 2 <= len(asked) <= 5


async def test_an_order_and_a_cancel_that_meet_429_are_refused_and_not_sent_again():
    answer, asked = refusing(1_000, {})
    async with local_venue(by_path(orders=answer, abc=answer)) as venue:
        outcome = await place(venue.rest(limits=RateLimits()), ORDER)
        resting = Resting(venue_order_id=VenueOrderId("abc"), ticker=Ticker("KX-1"), exchange_index=2)
        ended = await cancel(venue.rest(limits=RateLimits()), resting)
    assert isinstance(outcome, OrderRejected)
    assert (outcome.code, len(asked)) == ("too_many_requests", 2)
    assert ended == RequestRefused("too_many_requests", "too many requests", 429)


async def test_an_order_without_tokens_before_its_deadline_is_not_sent():
    answer, asked = refusing(0, CREATED)
    async with local_venue(by_path(orders=answer)) as venue:
        rest = venue.rest(limits=RateLimits())
        for _ in range(10):
            await rest.limits.admit(CREATE, LONG)
        late = await place(rest, ORDER)
        assert isinstance(late, OrderRejected)
        assert (late.code, asked) == ("not_sent", [])
        soon = replace(ORDER, send_before=datetime.now(UTC) + timedelta(seconds=2))
        assert isinstance(await place(rest, soon), OrderAccepted)


async def test_limits_that_cannot_be_read_leave_the_old_ones():
    async with local_venue(by_path(limits={"usage_tier": "x", "read": {"refill_rate": 0}})) as venue:
        rest = venue.rest(limits=RateLimits())
        with pytest.raises(Transient, match="refill_rate"):
            await account_limits.learn(rest)
        assert rest.limits.tier == "basic until the venue says"
