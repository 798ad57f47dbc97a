"""The entry task at its wires: what it decides is shown, recorded and counted, one wish leaves at a time, and a shadow's never."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.rules.decision.cycles import EntryCycle
from recio.rules.decision.entry import Waits
from recio.rules.decision.rejections import NO_EVENT
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection
from recio.tasks import entry as entry_task
from recio.units import Ticker
from recio.wires import Wires
from tests.builders import EVENT, NOW, TICKER, account, book, market, open_trades, prices, show, view
from tests.order_path import AT_NOW, entry_on

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CHEAP = book(bid=2800, ask=3000)
"""Of a market whose YES is worth about one half."""
BUYS = Strategy(name="buys", entry=EntrySection(enabled=True))
WAITS = Strategy(name="waits")
SHADOW = Strategy(name="shadows", stage=Stage.SHADOW, entry=EntrySection(enabled=True))


@asynccontextmanager
async def deciding(
    pool: Pool, *strategies: Strategy, tickers: Sequence[Ticker] = (TICKER,)
) -> AsyncGenerator[Wires]:
    """Entry runs on a board with these markets, all of them cheap; who reads its intents is the test."""
    wires = Wires()
    wires.controls.set(TradingControls())
    wires.prices.set(prices())
    wires.account.set(account())
    wires.open_trades.set(open_trades())
    wires.paper_trades.set({SHADOW.name: open_trades()})
    show(wires.board, *(view(market(ticker=each), CHEAP) for each in tickers))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(
                entry_on(wires, pool, AT_NOW, strategies, RiskSection()).run, lambda _sentence: None
            )
            yield wires
            group.cancel_scope.cancel()
    finally:
        wires.close()


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MutableMapping[str, Any]]]:
    """Of why there is no entry."""
    monkeypatch.setattr(entry_task, "log", structlog.get_logger())
    with capture_logs() as told:
        yield told


async def first_cycle(wires: Wires) -> EntryCycle:
    with anyio.fail_after(20):
        await wires.cycles.wait()
    (first, *_), lost = wires.cycles.take()
    assert isinstance(first, EntryCycle)
    assert lost == 0
    return first


async def shown(wires: Wires) -> str:
    with anyio.fail_after(20):
        await wires.assessments.newer_than(0)
    said = wires.assessments.get()
    assert said is not None
    return said.verdict


async def test_what_one_strategy_decides_is_shown_in_its_own_words_and_recorded_with_all_that_it_saw(
    pool: Pool, log_lines: list[MutableMapping[str, Any]]
):
    async with deciding(pool, WAITS) as wires:
        cycle = await first_cycle(wires)
        outcome = cycle.outcomes["waits"]
        assert isinstance(outcome, Waits)
        assert await shown(wires) == outcome.sentence
        seen = cycle.look
        assert abs(seen.at - NOW) < timedelta(minutes=1)
        assert (seen.tickers, seen.prices) == (None, prices())
        assert (seen.trades, seen.account, seen.controls) == (open_trades(), account(), TradingControls())
    assert ["strategy" in each for each in log_lines] == [False]


async def test_of_several_strategies_each_is_shown_by_its_name_and_its_refusals_are_its_own(
    pool: Pool, log_lines: list[MutableMapping[str, Any]]
):
    async with deciding(pool, WAITS, SHADOW) as wires:
        outcomes = (await first_cycle(wires)).outcomes
        assert isinstance(outcomes["waits"], Waits)
        assert isinstance(outcomes["shadows"], OpenIntent)
        said = (outcomes["waits"].sentence, outcomes["shadows"].why)
        assert await shown(wires) == "waits: {}; shadows (shadow): {}".format(*said)
        told = wires.assessments.get()
        assert told is not None
        assert {each.by for each in told.rejections} == {"waits"}
        assert all(each.sentence.startswith("waits: ") for each in told.rejections)
    assert [each["strategy"] for each in log_lines] == ["waits"]


async def test_a_shadow_s_wish_is_noted_and_only_a_live_one_leaves(pool: Pool):
    async with deciding(pool, SHADOW, BUYS) as wires:
        with anyio.fail_after(20):
            intent = await wires.open_intents.receive()
            await wires.shadow_intents.wait()
        assert (intent.strategy, intent.ticker) == ("buys", TICKER)
        assert {each.strategy for each in wires.shadow_intents.take()[0]} == {"shadows"}


async def test_the_next_wish_leaves_when_the_one_before_was_dealt_with(pool: Pool):
    """Two strategies want at once; what becomes of one may change what the other wants."""
    other = Strategy(name="buys too", entry=EntrySection(enabled=True))
    async with deciding(pool, BUYS, other) as wires:
        with anyio.fail_after(20):
            assert (await wires.open_intents.receive()).strategy == "buys"
            await anyio.wait_all_tasks_blocked()
            assert wires.open_intents.depth == 0
            wires.open_trades.set(open_trades(orders_last_minute=1))
            await anyio.wait_all_tasks_blocked()
            assert wires.open_intents.depth == 0
            wires.open_intents.done()
            assert (await wires.open_intents.receive()).strategy == "buys"


async def test_why_nothing_was_bought_is_counted_in_rows(pool: Pool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entry_task, "KEEP_EVERY", 0.05)
    async with deciding(pool, WAITS):
        with anyio.fail_after(20):
            while not (rows := await pool.fetch("SELECT event_ticker, strategy, cycles FROM rejections")):  # noqa: ASYNC110 - rows ring no bell
                await anyio.sleep(0.02)
        assert {row["strategy"] for row in rows} == {"waits"}
        assert {row["event_ticker"] for row in rows} <= {EVENT, NO_EVENT}
        assert all(row["cycles"] >= 1 for row in rows)
