"""A trade's story is what the rows and the recording have, whole, by its address; and what is not there is said to be missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

from recio.db import trade_store
from recio.db.connection import Connection, transaction
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.decisions import CloseIntent
from recio.messages.orders import OrderAccepted
from recio.recording.instants import instant_of
from recio.rules.account.risk import Approved, Collar
from recio.units import BookSide, ClientOrderId, FillId, Money, Price, Quantity, Side, TradeId, VenueOrderId
from recio.wires import Wires
from tests.builders import NOW, TICKER
from tests.conftest import unused_port
from tests.db.trigger_scenarios import insert
from tests.order_path import an_intent
from tests.runs import begun, placed_entry, placed_exit
from tests.tasks.status_server import a_page, served, started
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import a_phone

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SOON = timedelta(seconds=2)
LATER = NOW + timedelta(seconds=40)


def accepted(order: ClientOrderId, venue_id: str, filled: int, after: float) -> OrderAccepted:
    return OrderAccepted(
        client_order_id=order, venue_order_id=VenueOrderId(venue_id), filled=Quantity(filled),
        remaining=Quantity(0), at=NOW + timedelta(seconds=after),
    )  # fmt: skip


def a_fill(number: str, venue_id: str, side: BookSide, price: int, quantity: int) -> FillSeen:
    return FillSeen(
        fill_id=FillId(number), venue_order_id=VenueOrderId(venue_id), ticker=TICKER, book_side=side,
        price=Price(price), quantity=Quantity(quantity), fee=Money(17_500), is_taker=True, at=NOW,
    )  # fmt: skip


async def a_life(connection: Connection) -> None:
    """Ten contracts of NO bought at 0.52, four of them sold at 0.30, the rest settled for nothing."""
    writer = await begun(connection)
    wanted = replace(an_intent(), side=Side.NO, why="model gives no 55 %", inputs={"price": "84000.00"})
    entry = await placed_entry(
        connection, writer,
        Approved(intent=wanted, reserved=Money(5_374_800), collar=Collar(ask=Price(5200), model_value=Decimal("0.55"))),
        NOW, SOON,
    )  # fmt: skip
    await trade_store.record_outcome(connection, accepted(entry.client_order_id, "v-1", 1000, 0.25))
    for number, quantity in (("f-1", 600), ("f-2", 400)):
        await trade_store.record_fact(connection, a_fill(number, "v-1", BookSide.ASK, 4800, quantity), NOW)
    close = CloseIntent(
        trade_id=TradeId(1), exchange_index=2, quantity=Quantity(1000), floor=Price(2500), decided_at=LATER,
        why="stop: the model gives it 20 %",
    )  # fmt: skip
    sale = await placed_exit(connection, writer, close, LATER, SOON)
    assert sale is not None
    await trade_store.record_outcome(connection, accepted(sale.client_order_id, "v-2", 400, 40.5))
    await trade_store.record_fact(connection, a_fill("f-3", "v-2", BookSide.BID, 7000, 400), LATER)
    settled = SettlementSeen(ticker=TICKER, result=Side.YES, settled_at=LATER, revenue_cents=0)
    await trade_store.record_fact(connection, settled, LATER)


async def story(url: str, which: str = "real/1") -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/trades/{which}") as answer:
        return answer.status, await answer.json()


async def test_a_story_has_what_was_seen_each_order_with_its_times_and_fills_and_how_it_ended(pool: Pool):
    async with transaction(pool) as connection:
        await a_life(connection)
    async with served({}, None, pool) as url:
        code, told = await story(url)
    assert code == 200, told
    assert (told["why_bought"], told["seen"]) == ("model gives no 55 %", {"price": "84000.00"})
    assert [each["purpose"] for each in told["orders"]] == ["entry", "exit"]
    entry, sale = told["orders"]
    assert (Decimal(entry["limit"]), Decimal(entry["ask"]), entry["state"]) == (
        Decimal("0.52"),
        Decimal("0.52"),
        "filled",
    )
    answered = datetime.fromisoformat(entry["answered_at"]) - datetime.fromisoformat(entry["written_at"])
    assert answered == timedelta(seconds=0.25)
    assert [(each["fill_id"], Decimal(each["price"])) for each in entry["fills"]] == [
        ("f-1", Decimal("0.52")),
        ("f-2", Decimal("0.52")),
    ]
    assert (sale["why"], [Decimal(each["price"]) for each in sale["fills"]]) == (
        "stop: the model gives it 20 %",
        [Decimal("0.30")],
    )
    assert (told["why_sold"], told["ended_by"], told["result"]) == (
        ["stop: the model gives it 20 %"],
        "settlement",
        "yes",
    )
    fees = 3 * Decimal("0.0175")
    assert Decimal(told["fees"]) == fees
    assert Decimal(entry["fees"]) + Decimal(sale["fees"]) == fees
    assert Decimal(told["net_pnl"]) == Decimal("1.20") - Decimal("5.20") - fees
    assert [each["what"] for each in told["steps"]][:2] == ["order pending", "order filled"]
    assert (told["replay"], told["is_cut"]) == (None, False)


async def test_a_trade_that_is_not_there_or_is_named_wrongly_has_no_story(pool: Pool):
    async with transaction(pool) as connection:
        await insert(connection, "paper_trades")
    async with served({}, None, pool) as url:
        assert (await story(url, "real/1"))[0] == 404
        assert (await story(url, "imported/1"))[0] == 400
        code, told = await story(url, "shadow/1")
    assert (code, told["kind"], told["orders"], told["net_pnl"]) == (200, "shadow", [], None)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("after", "found"),
    [(timedelta(0), "first"), (HOUR, "second"), (-HOUR, None), (3 * HOUR, None)],
)
async def test_a_moment_is_in_the_newest_file_that_began_before_and_goes_on_until_then(
    tmp_path: Path, pool: Pool, after: timedelta, found: str | None
):
    files = {
        name: f"{at:%Y%m%dT%H%M%S.%f}Z.recording.gz"
        for name, at in (("first", NOW - SOON), ("second", NOW + HOUR - SOON))
    }
    for each in (*files.values(), "else.recording.gz"):
        (tmp_path / each).touch()
    instant = instant_of(tmp_path, HOUR, NOW + after)
    assert (instant and instant.path.name) == (found and files[found])
    async with transaction(pool) as connection:
        await a_life(connection)
    wires = Wires()
    page = replace(
        a_page(unused_port(), lambda _whole: {}, wires, pool), recorded=partial(instant_of, tmp_path, HOUR)
    )
    async with started(page) as url:
        told = (await story(url))[1]
    wires.close()
    assert (told["replay"]["file"], told["replay"]["seconds_into"]) == (files["first"], 2.0)
    assert told["replay"]["command"] == f"recio replay {tmp_path / files['first']}"


async def test_a_story_has_an_address_and_no_accessibility_fault(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await a_life(connection)
    async with served(status(filled_wires()), None, pool) as url, a_phone(tmp_path) as page:
        await page.size(320, 640)
        await page.go(f"{url}/#history")
        await page.until(
            "document.querySelector('#history-rows a')?.getAttribute('href') === '#history/real/1'"
        )
        await page.value("document.querySelector('#history-rows a').click()")
        await page.until("document.activeElement.id === 'story-title'")
        tale = await page.value("document.querySelector('#story-tale').innerText")
        for part in (
            "because model gives no 55 %",
            "because stop: the model gives it 20 %",
            "\u2212\u2060$4.05 after $0.05 of fees",
        ):
            assert part in tale, tale
        assert await page.value("document.querySelectorAll('#story-fills tbody tr').length") == 3
        assert await page.axe() == []
        assert await page.value("document.documentElement.scrollWidth") <= 320
        await page.value("history.back()")
        await page.until(
            "document.querySelector('#story').hidden && !document.querySelector('#history-list').hidden"
        )
        await page.go(f"{url}/?again#history/real/99")
        await page.until("document.querySelector('#story-said').textContent.includes('no such real trade')")
        assert page.faults == []
