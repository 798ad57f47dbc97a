"""The status page over real HTTP: loopback only, read-only, pushed, and honest about what is unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import anyio
import asyncpg
import pytest

from recio import web
from recio.clock import Clock
from recio.errors import BadConfig
from recio.kalshi.rate_limit import LimitsView
from recio.messages.account import PrivateStream
from recio.messages.controls import (
    Block,
    Halt,
    HaltLevel,
    HaltRequest,
    ResumeRequest,
    Switch,
    SwitchedOff,
    TradingControls,
)
from recio.messages.decisions import Assessments, StrikeAssessment
from recio.messages.markets import MarketView
from recio.messages.orders import OrderPurpose
from recio.messages.prices import Prices
from recio.settings.config import Config
from recio.settings.strategies import DEFAULT, Stage, StrategySection
from recio.settings.trading import EntrySection
from recio.supervisor import HealthByTask
from recio.units import BookSide, Money, Price
from recio.web import site
from recio.web.market_rows import venue_row
from recio.web.snapshot import Facts, not_ready, snapshot
from recio.wires import Wires
from tests.builders import (
    NOW,
    TICKER,
    account,
    market,
    open_trades,
    order,
    price,
    prices,
    show,
    trade,
    view,
)
from tests.tasks.status_server import METRICS, TOKEN, a_page, served

LIMITS = LimitsView(
    tier="basic",
    read_left=180,
    read_capacity=200,
    write_left=100,
    write_capacity=100,
    balance_left=1,
    balance_capacity=1,
    refusals=0,
)
FACTS = Facts(
    config=Config(entry=EntrySection(enabled=True)),
    account="a1b2c3",
    started_at=NOW,
    limits=lambda: LIMITS,
)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
"""A clock that stands at NOW."""


def off_for(strategy: str) -> SwitchedOff:
    return SwitchedOff(switch=Switch.ENTRY, since=NOW, by="me", why="news", strategy=strategy)


def filled_wires() -> Wires:
    wires = Wires()
    wires.prices.set(prices())
    show(wires.board, view())
    strike = StrikeAssessment(
        ticker=TICKER,
        probability=0.5731,
        yes_edge=Money(3_100),
        no_edge=Money(-42_000),
        note="edge too small",
    )
    wires.assessments.set(Assessments(strikes=(strike,), verdict="edge too small"))
    wires.account.set(account())
    wires.open_trades.set(
        open_trades(trades=(trade(),), orders=(order(),), recent_trades=(), wins_today=2, losses_today=1)
    )
    wires.controls.set(TradingControls())
    return wires


def running_tasks() -> HealthByTask:
    ledger = HealthByTask()
    ledger.enter("price_feed").say("84,000.00 from coinbase")
    return ledger


def status(wires: Wires) -> dict[str, Any]:
    found = snapshot(wires, running_tasks(), FACTS, AT_NOW)
    wires.close()
    return json.loads(json.dumps(found))


def test_status_has_every_name_that_scripts_rely_on():
    found = status(filled_wires())
    assert set(found) >= {
        "mode",
        "environment",
        "ready",
        "reasons",
        "halts",
        "tasks",
        "prices",
        "board",
        "trades",
        "orders",
        "pnl",
    }
    assert set(found["tasks"]["price_feed"]) >= {"state", "restarts", "age_seconds", "sentence"}
    assert (found["ready"], found["reasons"]) == (True, [])


def test_a_trade_is_marked_at_what_it_would_fetch_and_its_profit_is_after_fees():
    found = status(filled_wires())["trades"][0]
    assert (found["mark"], found["average_price"], found["quantity"]) == ("0.5000", "0.5200", "10.00")
    assert found["pnl"] == "-0.3748"


def test_a_trade_past_its_close_is_settling():
    wires = filled_wires()
    wires.open_trades.set(open_trades(trades=(trade(closes_at=NOW - timedelta(seconds=1)),)))
    assert status(wires)["trades"][0]["state"] == "settling"


def test_before_anything_is_known_nothing_is_claimed():
    found = status(Wires())
    assert found["ready"] is False
    assert (found["prices"], found["board"], found["trades"]) == ([], [], [])
    assert set(found["pnl"].values()) == {None}


@pytest.mark.parametrize(
    ("controls", "reason"),
    [
        (
            TradingControls(halts=(Halt(cause="difference", since=NOW, by="x", resolution="y"),)),
            "halted: difference",
        ),
        (
            TradingControls(
                blocks=(Block(condition="no price", detail="none yet", clears="one", since=NOW),)
            ),
            "no price: none yet",
        ),
        (
            TradingControls(switched_off=(off_for(""),)),
            "entry was switched off by me: news",
        ),
        (
            TradingControls(switched_off=(off_for(DEFAULT),)),
            "entry was switched off by me for strategy default: news",
        ),
    ],
)
def test_what_stops_entries_is_the_reason_for_not_being_ready(controls: TradingControls, reason: str):
    wires = filled_wires()
    wires.controls.set(controls)
    found = status(wires)
    assert (found["ready"], found["reasons"]) == (False, [reason])


def test_one_strategy_that_is_switched_off_leaves_the_others_ready_and_the_last_one_nobody():
    stages = {"calm": Stage.LIVE, "quick": Stage.LIVE, "tried": Stage.SHADOW}
    config = Config(
        entry=EntrySection(enabled=True),
        strategies={name: StrategySection(stage=stage) for name, stage in stages.items()},
    )
    wires = filled_wires()
    for off, ready in (("calm",), True), (("calm", "quick"), False), (("calm", "tried", "default"), True):
        wires.controls.set(TradingControls(switched_off=tuple(map(off_for, off))))
        reasons = not_ready(wires, running_tasks(), config)
        assert (reasons == [], len(reasons)) == (ready, 0 if ready else len(off)), reasons
    wires.close()


BODY = {"ready": False, "reasons": ["no price"], "tasks": {}}


async def test_the_page_its_parts_and_the_probes_are_served_with_a_strict_policy():
    async with served(BODY) as url, aiohttp.ClientSession() as session:
        for name, (_, kind) in web.page_files().items():
            async with session.get(f"{url}/{'' if name == 'index.html' else name}") as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with session.get(url + "/healthz") as answer:
            assert answer.status == 200
        async with session.get(url + "/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"ready": False, "reasons": ["no price"]})
        async with session.get(url + "/status") as answer:
            assert await answer.json() == BODY
        async with session.get(url + "/metrics") as answer:
            assert (answer.content_type, await answer.read()) == ("text/plain", METRICS)


async def test_the_status_is_pushed_without_being_asked_again():
    async with (
        served(BODY) as url,
        aiohttp.ClientSession() as session,
        session.get(url + "/events") as stream,
    ):
        assert stream.content_type == "text/event-stream"
        with anyio.fail_after(5):
            for _ in range(2):
                line = await stream.content.readline()
                assert json.loads(line.removeprefix(b"data: ")) == BODY
                assert await stream.content.readline() == b"\n"


async def test_what_never_ends_has_no_answer_to_a_question_for_its_head():
    """It would stream for ever where nothing may follow the head, and hold the place of a page."""
    async with served({}) as url, aiohttp.ClientSession() as session:
        for path, status in (("/events", 405), ("/status", 200)):
            async with session.head(f"{url}{path}") as answer:
                assert answer.status == status


async def test_another_host_name_is_refused_and_nothing_can_be_written():
    async with served(BODY) as url, aiohttp.ClientSession() as session:
        async with session.get(url + "/status", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(url + "/status", json={}) as answer:
            assert answer.status == 405


async def test_only_loopback_listens():
    async with served(BODY) as url, aiohttp.ClientSession() as session:
        port = url.rsplit(":", 1)[1]
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.2:{port}/status")


async def test_a_taken_port_is_a_fault_of_the_config():
    wires = Wires()
    async with served(BODY) as url:
        taken = int(url.rsplit(":", 1)[1])
        with pytest.raises(BadConfig, match=f"status.port = {taken}"):
            await a_page(taken, lambda _whole: {}, wires).run(lambda _sentence: None)
    wires.close()


def test_the_page_is_small_needs_nobody_else_and_never_writes_markup():
    texts = {name: text for name, (text, _) in web.page_files().items()}
    sizes = {name: len(text.encode()) for name, text in texts.items()}
    assert sum(size for name, size in sizes.items() if name not in web.LATER) < 110_000
    drawing = sizes["chart_scale.js"] + sizes["chart_parts.js"]
    assert drawing + sizes["market_chart.js"] < 33_000, "what is fetched when a market's charts are looked at"
    assert drawing + sizes["performance.js"] < 28_000, "what is fetched when Performance is looked at"
    assert sum(sizes[name] for name in web.LISTS) < 12_000, "what is fetched when the past is looked at"
    assert sum(sizes[name] for name in web.STORIES) < 12_000, "what is fetched to tell of a trade"
    assert sum(sizes[name] for name in web.ABOUT) < 11_000, "what is fetched when a figure is asked about"
    assert sum(sizes[name] for name in web.LOGIN) < 4_000, "what is fetched when somebody logs in"
    assert sum(sizes[name] for name in web.DEVICE) < 12_000, "what is fetched to install it"
    assert sum(map(len, web.page_icons().values())) < 16_000
    for name, text in texts.items():
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert "innerHTML" not in text, name
    assert "<style" not in texts["index.html"]
    assert " style=" not in texts["index.html"]


def test_every_file_of_the_page_is_served():
    folder = {
        each.name
        for each in Path(web.__file__).parent.iterdir()
        if each.suffix in (".html", ".css", ".js", ".svg", ".png", ".webmanifest")
    }
    assert folder == {*web.page_files(), *web.page_icons()}


def test_what_is_held_says_what_it_may_lose_and_whether_anybody_guards_it():
    wires = filled_wires()
    wires.controls.set(TradingControls())
    found = status(wires)
    held = found["trades"][0]
    assert (held["worst"], held["guarded"], held["unguarded_why"]) == ("-5.3748", True, "")
    assert found["positions"] == {"count": 1, "unguarded": 0, "value": "5.0000", "worst": "-5.3748"}


@pytest.mark.parametrize(
    ("purpose", "venue_side", "outcome", "own_price"),
    [
        (OrderPurpose.ENTRY, BookSide.BID, "yes", "0.5400"),
        (OrderPurpose.ENTRY, BookSide.ASK, "no", "0.4600"),
        (OrderPurpose.EXIT, BookSide.ASK, "yes", "0.5400"),
        (OrderPurpose.EXIT, BookSide.BID, "no", "0.4600"),
    ],
)
def test_an_order_is_told_in_terms_of_what_it_buys_or_sells_as_its_trade_and_the_lists_are(
    purpose: OrderPurpose, venue_side: BookSide, outcome: str, own_price: str
):
    wires = filled_wires()
    sent = order(purpose=purpose, book_side=venue_side, price=Price(5400))
    wires.open_trades.set(open_trades(orders=(sent,)))
    (told,) = status(wires)["orders"]
    assert (told["outcome"], told["own_price"]) == (outcome, own_price)
    assert (told["side"], told["price"]) == (venue_side.value, "0.5400")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda wires: wires.prices.set(prices(replace(price(), unreliable="two sources apart"))),
            "two sources apart",
        ),
        (lambda wires: wires.prices.set(Prices()), "no price of BTC"),
        (lambda wires: show(wires.board, MarketView(market=market(), book=None)), "no book"),
        (
            lambda wires: wires.controls.set(
                TradingControls(switched_off=(SwitchedOff(switch=Switch.EXIT, since=NOW, by="me", why=""),))
            ),
            "exits were switched off by me",
        ),
    ],
)
def test_a_position_whose_stops_cannot_be_judged_is_not_called_guarded(
    change: Callable[[Wires], None], why: str
):
    wires = filled_wires()
    change(wires)
    found = status(wires)
    assert found["positions"]["unguarded"] == 1
    assert why in found["trades"][0]["unguarded_why"]


ASKED = {"level": "flatten", "confirm": "FLATTEN", "token": TOKEN, "why": "enough"}


async def test_a_halt_asked_for_on_the_page_is_asked_for_and_answered_once_it_is_in_force():
    wires = Wires()

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, HaltRequest)
        halt = Halt(level=asked.level, cause=asked.cause, since=asked.at, by=asked.by, resolution="")
        wires.controls.set(TradingControls(halts=(halt,)))

    async with (
        served(BODY, wires) as url,
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        async with session.post(url + "/halt", json=ASKED, headers={"Origin": url}) as answer:
            assert answer.status == 200
            assert (await answer.json())["cause"] == "flattened by the status page: enough"
    seen = wires.controls.get()
    assert seen is not None
    assert seen.flatten is not None
    wires.close()


@pytest.mark.parametrize(
    ("body", "headers", "status", "names"),
    [
        (ASKED | {"token": "a guess"}, {}, 403, "token"),
        ({"level": "halt"}, {"Origin": "http://elsewhere.example"}, 403, "Origin"),
        ({"level": "halt"}, {"Content-Type": "text/plain"}, 415, "Content-Type"),
        ({"level": "flatten", "confirm": "FLATTEN"}, {}, 403, "token"),
        (ASKED | {"level": "resume"}, {}, 400, "level = 'resume': choose halt, flatten, stop"),
        (ASKED | {"confirm": "yes"}, {}, 400, "type FLATTEN to confirm"),
        (ASKED | {"why": 7}, {}, 400, "why must be text"),
        (ASKED, {"Origin": "http://elsewhere.example"}, 403, "Origin"),
        (ASKED, {"Content-Type": "text/plain"}, 415, "Content-Type"),
        ([], {}, 400, "not a JSON object"),
        (None, {}, 400, "not JSON"),
    ],
)
async def test_whoever_may_not_halt_or_asks_for_none_is_told_why_and_nothing_is_asked(
    body: object, headers: dict[str, str], status: int, names: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(vars(site), "WRONG_COSTS", 0.01)
    wires = Wires()
    sent = b"{" if body is None else json.dumps(body).encode()
    async with served(BODY, wires) as url, aiohttp.ClientSession() as session:
        kind = {"Content-Type": "application/json"} | headers
        async with session.post(url + "/halt", data=sent, headers=kind) as answer:
            assert answer.status == status
            said = (await answer.json())["error"]
    assert names in said
    assert TOKEN not in said
    assert wires.halt_requests.depth == 0
    wires.close()


async def test_one_tap_halts_and_needs_no_token():
    wires = Wires()

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, HaltRequest)
        assert asked.level is HaltLevel.HALT
        halt = Halt(level=asked.level, cause=asked.cause, since=asked.at, by=asked.by, resolution="")
        wires.controls.set(TradingControls(halts=(halt,)))

    async with (
        served(BODY, wires) as url,
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        async with session.post(url + "/halt", json={"level": "halt"}, headers={"Origin": url}) as answer:
            assert answer.status == 200
    wires.close()


RESUME = {"confirm": "RESUME", "token": TOKEN, "causes": ["difference"]}


async def test_a_resume_clears_what_was_shown_and_answers_once_it_is_gone():
    wires = Wires()
    came_since = Halt(cause="came since", since=NOW, by="x", resolution="y")
    wires.controls.set(
        TradingControls(halts=(Halt(cause="difference", since=NOW, by="x", resolution="y"), came_since))
    )

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, ResumeRequest)
        assert asked.causes == ("difference",)
        wires.controls.set(TradingControls(halts=(came_since,)))

    async with (
        served(BODY, wires) as url,
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        async with session.post(url + "/resume", json=RESUME, headers={"Origin": url}) as answer:
            assert (answer.status, (await answer.json())["cleared"]) == (200, ["difference"])
    wires.close()


@pytest.mark.parametrize(
    ("body", "status", "names"),
    [
        (RESUME | {"token": ""}, 403, "token"),
        (RESUME | {"confirm": ""}, 400, "type RESUME"),
        (RESUME | {"causes": []}, 400, "causes"),
        (RESUME | {"causes": [7]}, 400, "causes"),
        (RESUME | {"causes": "all"}, 400, "causes must be a list"),
    ],
)
async def test_whoever_may_not_resume_is_told_why_and_nothing_is_asked(
    body: dict[str, Any], status: int, names: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(vars(site), "WRONG_COSTS", 0.01)
    wires = Wires()
    async with (
        served(BODY, wires) as url,
        aiohttp.ClientSession() as session,
        session.post(url + "/resume", json=body) as answer,
    ):
        assert answer.status == status
        assert names in (await answer.json())["error"]
    assert wires.halt_requests.depth == 0
    wires.close()


def test_the_lag_of_our_own_channels_is_shown_once_a_message_told_when_it_was_sent():
    wires = Wires()
    assert venue_row(wires, LIMITS, NOW)["private_stream"] is None
    wires.private_stream.set(
        PrivateStream(heard_at=NOW - timedelta(seconds=2), lag_seconds=0.12345, worst_seconds=1.5, messages=7)
    )
    assert venue_row(wires, LIMITS, NOW)["private_stream"] == {
        "lag_seconds": 0.123,
        "worst_seconds": 1.5,
        "messages": 7,
        "age_seconds": 2.0,
    }
    wires.close()
