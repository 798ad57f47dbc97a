"""What charts are drawn from: rows and memory as they are, own trades in the terms of the side held, and the sums of recio report."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

from recio.clock import Clock
from recio.db import market_data
from recio.db.connection import Connection, transaction
from recio.db.past_trades import Asked, past_trades
from recio.report.past_trades import Kind
from recio.report.report import report_of
from recio.units import Ticker, money_text
from recio.web import performance
from recio.web.market_history import MarketHistory, Seen
from recio.wires import Wires
from tests.builders import EVENT, NOW, TICKER, market, prices, view
from tests.conftest import unused_port
from tests.db.trigger_scenarios import insert
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import a_page, served, started
from tests.web.test_market_history import seen
from tests.web.test_stories import a_life

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
A_WHILE = timedelta(seconds=5)
OPENED, CLOSES = int(market().open_time.timestamp()), int(market().close_time.timestamp())


async def markets_and_prices(connection: Connection) -> None:
    """A ladder of thirty strikes, and the price up to a minute after the close."""
    ladder = [
        market(ticker=Ticker(f"{EVENT}-T{number}"), floor_strike=Decimal(83_000 + 100 * number))
        for number in range(30)
    ]
    await market_data.note_markets(connection, [market(), *ladder])
    walked = [(second, Decimal(84_000 + second % 60)) for second in range(OPENED - 60, CLOSES + 60)]
    await market_data.note_seconds(connection, "BTC", walked)


@asynccontextmanager
async def a_charted_page(pool: Pool, history: MarketHistory) -> AsyncIterator[str]:
    wires = Wires()
    page = replace(
        a_page(unused_port(), lambda _whole: {}, wires, pool),
        history=history,
        series={"KXBTC15M": "BTC"},
        clock=Clock(speed=1e-9, venue_origin=NOW.timestamp()),
    )
    async with started(page) as url:
        yield url
    wires.close()


async def read(url: str, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/{path}") as answer:
        return answer.status, await answer.json()


async def test_a_chart_has_the_price_the_nearest_strikes_and_own_fills_in_the_terms_of_the_side_held(
    pool: Pool,
):
    async with transaction(pool) as connection:
        await a_life(connection)
        await markets_and_prices(connection)
    async with a_charted_page(pool, MarketHistory()) as url:
        code, told = await read(url, f"markets/{TICKER}/chart")
    assert code == 200, told
    assert (told["symbol"], told["event"], told["result"]) == ("BTC", EVENT, "yes")
    assert [(each["what"], each["side"], Decimal(each["price"])) for each in told["own"]] == [
        ("bought", "no", Decimal("0.52")),
        ("bought", "no", Decimal("0.52")),
        ("sold", "no", Decimal("0.30")),
    ]
    at = told["price"]["at"]
    assert (at[0], at[-1]) == (OPENED, CLOSES)
    assert set(range(CLOSES - 60, CLOSES)) <= set(at)
    assert len(at) < 600
    assert {each["ticker"] for each in told["own"]} == {TICKER}
    strikes = [Decimal(each["floor_strike"]) for each in told["strikes"]]
    assert len(strikes) == 21
    assert strikes == sorted(strikes)
    assert strikes[0] < 84_000 < strikes[-1]


async def test_what_was_traded_in_another_market_of_the_event_is_beside_and_names_its_market(pool: Pool):
    async with transaction(pool) as connection:
        await a_life(connection)
        await markets_and_prices(connection)
    async with a_charted_page(pool, MarketHistory()) as url:
        own = (await read(url, f"markets/{EVENT}-T3/chart"))[1]["own"]
    assert [each["ticker"] for each in own] == [TICKER] * 3


async def test_of_more_own_trades_than_a_chart_marks_it_has_the_last_ones_and_says_so(pool: Pool):
    async with transaction(pool) as connection:
        await markets_and_prices(connection)
        await connection.execute(
            """
            INSERT INTO paper_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at, closes_at)
            SELECT 'paper' || each, $1, $2, 'yes', 1, 0.5, 0.01, 0.6, '', to_timestamp($3::bigint - each), to_timestamp($3)
            FROM generate_series(1, 203) AS each
            """,
            TICKER, EVENT, CLOSES,
        )  # fmt: skip
    async with a_charted_page(pool, MarketHistory()) as url:
        told = (await read(url, f"markets/{TICKER}/chart"))[1]
        await pool.execute("DELETE FROM paper_trades WHERE decided_at < to_timestamp($1)", CLOSES - 100)
        few = (await read(url, f"markets/{TICKER}/chart"))[1]
    last = datetime.fromtimestamp(CLOSES - 1, UTC)
    assert (len(told["own"]), datetime.fromisoformat(told["own"][-1]["at"])) == (200, last)
    assert (told["has_more_own"], few["has_more_own"], len(few["own"])) == (True, False, 100)


async def test_a_chart_says_since_when_quotes_are_kept_and_claims_none_of_a_market_that_was_not_seen(
    pool: Pool,
):
    async with transaction(pool) as connection:
        await markets_and_prices(connection)
    history = MarketHistory()
    history.look(seen(), NOW)
    async with a_charted_page(pool, history) as url:
        quotes = (await read(url, f"markets/{TICKER}/chart"))[1]["quotes"]
        unseen = (await read(url, f"markets/{EVENT}-T3/chart"))[1]["quotes"]
        code, refused = await read(url, "markets/KXNOBODY-1/chart")
    assert (quotes["kept_since"], quotes["at"]) == ("2026-11-23T12:00:00Z", [int(NOW.timestamp())])
    assert (quotes["yes_bid"], quotes["yes_ask"], quotes["probability"]) == (["0.5000"], ["0.5200"], [0.5731])
    assert (unseen["kept_since"], unseen["at"]) == (None, [])
    assert code == 404
    assert "KXNOBODY-1" in refused["error"]


async def test_a_market_that_closes_much_later_shows_the_last_hour_and_a_little_beyond_now(pool: Pool):
    long = market(open_time=NOW - timedelta(days=1), close_time=NOW + timedelta(hours=5))
    history, now = MarketHistory(), int(NOW.timestamp())
    for minutes in (-90, -30, 0):
        history.look(seen(view(long)), NOW + timedelta(minutes=minutes))
    async with transaction(pool) as connection:
        await market_data.note_seconds(
            connection, "BTC", [(now - 60 * minutes, Decimal(84_000)) for minutes in (90, 30, 0)]
        )
    async with a_charted_page(pool, history) as url:
        told = (await read(url, f"markets/{TICKER}/chart"))[1]
    shown = [datetime.fromisoformat(told[name]) - NOW for name in ("begins_at", "ends_at")]
    assert shown[0] == pytest.approx(timedelta(hours=-1), abs=A_WHILE)
    assert shown[1] == pytest.approx(timedelta(minutes=15), abs=A_WHILE)
    assert told["quotes"]["at"] == told["price"]["at"] == [now - 1_800, now]
    assert told["average"]["source"] == "none"


async def test_the_average_forms_of_the_prints_and_without_one_of_the_price_and_says_of_which(pool: Pool):
    async with transaction(pool) as connection:
        await markets_and_prices(connection)
    history = MarketHistory()
    async with a_charted_page(pool, history) as url:
        of_price = (await read(url, f"markets/{TICKER}/chart"))[1]["average"]
        history.closing["BTC", CLOSES] = {CLOSES - 60: Decimal(84_000), CLOSES - 57: Decimal(84_001)}
        of_prints = (await read(url, f"markets/{TICKER}/chart"))[1]["average"]
    assert (of_price["source"], of_price["values"]) == ("price", list(range(1, 61)))
    assert Decimal(of_price["mean"][-1]) == Decimal("84029.5")
    assert (of_prints["source"], of_prints["values"]) == ("index", [1, 2])
    assert [Decimal(each) for each in of_prints["mean"]] == [Decimal(84_000), Decimal("84000.5")]


async def test_what_was_heard_since_the_last_stored_price_is_on_the_chart(pool: Pool):
    async with transaction(pool) as connection:
        await market_data.note_markets(connection, [market()])
        await market_data.note_seconds(connection, "BTC", [(OPENED, Decimal(1))])
    wires = Wires()
    heard = ((OPENED, Decimal(9)), (OPENED + 7, Decimal(2)), (CLOSES + 1, Decimal(3)))
    printed = ((CLOSES - 61, Decimal(1)), (CLOSES - 1, Decimal(4)), (CLOSES, Decimal(8)))
    view = replace(prices().by_symbol["BTC"], last_minute=heard, prints=printed)
    page = replace(
        a_page(unused_port(), lambda _whole: {}, wires, pool),
        series={"KXBTC15M": "BTC"},
        seen=lambda: Seen(prices=prices(view)),
    )
    async with started(page) as url:
        told = (await read(url, f"markets/{TICKER}/chart"))[1]
    wires.close()
    assert told["price"] == {"at": [OPENED, OPENED + 7], "price": ["1", "2"]}
    assert (told["average"]["at"], told["average"]["source"]) == ([CLOSES - 1], "index")


async def test_a_trade_on_paper_is_marked_where_it_was_decided_and_sold(pool: Pool):
    async with transaction(pool) as connection:
        await insert(connection, "paper_trades")
        ticker = await connection.fetchval("SELECT ticker FROM paper_trades")
        closes_at = await connection.fetchval("SELECT closes_at FROM paper_trades")
        await market_data.note_markets(
            connection,
            [market(ticker=ticker, open_time=closes_at - timedelta(minutes=15), close_time=closes_at)],
        )
    async with a_charted_page(pool, MarketHistory()) as url:
        own = (await read(url, f"markets/{ticker}/chart"))[1]["own"]
    assert [(each["kind"], each["what"]) for each in own] == [("shadow", "bought")]


async def test_a_long_answer_is_packed_for_who_takes_that(pool: Pool):
    async with transaction(pool) as connection:
        await markets_and_prices(connection)
    async with a_charted_page(pool, MarketHistory()) as url:
        packed, plain = [await sent(url, taken) for taken in ("gzip", "identity")]
    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert int(packed.headers["Content-Length"]) * 3 < int(plain.headers["Content-Length"])


async def sent(url: str, taken: str) -> aiohttp.ClientResponse:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(f"{url}/api/v1/markets/{TICKER}/chart", headers={"Accept-Encoding": taken}) as answer,
    ):
        return answer


async def test_performance_is_what_recio_report_says(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 300)
        report = await report_of(Kind.REAL, past_trades(connection, Asked(kind=Kind.REAL)), {})
    async with served({}, None, pool) as url:
        code, told = await read(url, "performance")
    assert code == 200, told
    assert (told["total"]["trades"], told["total"]["net_pnl"]) == (
        report.total.trades,
        money_text(report.total.net),
    )
    assert told["max_drawdown"] == max((each["drawdown"] for each in told["equity"]), key=Decimal)
    assert Decimal(told["equity"][-1]["net_pnl"]) == Decimal(told["total"]["net_pnl"])
    for by in ("day", "strategy", "hour", "price"):
        assert [each["group"] for each in told[f"by_{by}"]] == list(report.by[by])
        assert sum(each["trades"] for each in told[f"by_{by}"]) == report.total.trades
    assert told["unjudged"] == report.total.trades - sum(each["trades"] for each in told["calibration"])


async def test_a_sum_that_takes_too_long_is_given_up_so_that_neither_a_connection_nor_an_end_waits_for_it(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(vars(performance), "LONGEST", 0.0)
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 40)
    async with served({}, None, pool) as url:
        code, told = await read(url, "performance")
    assert code == 503
    assert "ask for less" in told["error"]


async def test_more_trades_than_can_be_summed_beside_trading_are_refused_with_what_to_do(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(vars(performance), "MOST", 10)
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 40)
    async with served({}, None, pool) as url:
        code, told = await read(url, "performance")
        nothing = await read(url, "performance?ticker=KXNOBODY")
    assert code == 409
    assert "since" in told["error"]
    assert nothing[0] == 200
    assert nothing[1]["total"]["trades"] == 0


async def test_so_many_days_are_those_of_market_time_and_the_answer_says_of_when_it_is(pool: Pool):
    async with transaction(pool) as connection:
        await connection.execute(
            """
            INSERT INTO paper_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at,
                closes_at, result, settled_at)
            SELECT 'default', 'T-' || i, 'E-' || i, 'yes', 1, 0.5, 0.01, 0.6, 'edge', at - interval '9 min', at, 'yes', at
            FROM (SELECT i, $1::timestamptz - i * interval '1 day' AS at FROM generate_series(0, 9) AS i) AS made
            """,
            NOW,
        )
    async with a_charted_page(pool, MarketHistory()) as url:
        code, told = await read(url, "performance?kind=shadow&days=3")
        assert (code, told["total"]["trades"]) == (200, 4), told
        assert datetime.fromisoformat(told["now"]) - NOW == pytest.approx(timedelta(0), abs=A_WHILE)
        assert (await read(url, "performance?kind=shadow"))[1]["total"]["trades"] == 10
        for since, trades in (("2026-11-01", 4), ("2026-11-23", 1)):
            both = await read(url, f"performance?kind=shadow&days=3&since={since}")
            assert both[1]["total"]["trades"] == trades, since
        assert (await read(url, "performance?kind=shadow&days=0"))[0] == 400
