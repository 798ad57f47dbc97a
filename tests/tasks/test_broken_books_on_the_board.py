"""market_sync: a book that broke is off the board at once, whatever showed it, and though the venue takes no command."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.clock import Clock
from recio.kalshi import book_silence
from recio.kalshi.inbox import Inbox
from recio.kalshi.subscriptions import Subscriptions
from recio.kalshi.venue_clock import VenueClock
from recio.messages.account import AccountChannelsOpened, FillSeen
from recio.messages.markets import (
    BookView,
    ListeningAnew,
    Listings,
    MarketView,
    RestBook,
    VenuePhase,
    VenueState,
)
from recio.rules.decision.entry_gates import market_gate
from recio.settings.trading import EntrySection
from recio.settings.venue import KalshiSection
from recio.tasks.market_sync import MarketSync, _insist_on_whole_books, _Known
from recio.units import Price, Quantity
from recio.wires import Wires
from tests.builders import NOW, TICKER, market
from tests.kalshi.local_venue import SIGNER, local_venue
from tests.rules.test_prints_by_index_rules import made

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
WHOLE = {"market_ticker": TICKER, "yes_dollars_fp": [["0.5000", "10.00"]]}
CHANGE = {"market_ticker": TICKER, "price_dollars": "0.5000", "delta_fp": "-10.00", "side": "yes", "ts_ms": 5}
ERROR = {"code": 18, "msg": "timeout"}


@dataclass(slots=True)
class Script:
    """A venue with one market, whose book is sent once; it answers no other command."""

    says: dict[str, object]
    may_say: anyio.Event = field(default_factory=anyio.Event)
    whole: Mapping[str, object] = field(default_factory=lambda: WHOLE)
    and_then: Sequence[dict[str, object]] = ()
    sockets: int = 0
    commands: list[str] = field(default_factory=list[str])

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.sockets += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            command = message.json()
            if command["params"].get("market_tickers") and command["cmd"] == "subscribe":
                opened = {"channel": "orderbook_delta", "sid": 7}
                await socket.send_json({"type": "subscribed", "id": command["id"], "msg": opened})
                await socket.send_json({"type": "orderbook_snapshot", "sid": 7, "seq": 1, "msg": self.whole})
                await self.may_say.wait()
                for each in (self.says, *self.and_then):
                    await socket.send_json(each)
        return socket


@asynccontextmanager
async def synced(script: Script, wires: Wires, clock: Clock = AT_NOW) -> AsyncIterator[None]:
    wires.listings.set(
        Listings(markets={TICKER: market()}, settled={}, venue=VenueState(phase=VenuePhase.TRADING), reads=())
    )
    async with local_venue(script.serve) as venue, anyio.create_task_group() as group:
        task = MarketSync(
            session=venue.session,
            venue_clock=VenueClock(),
            signer=SIGNER,
            ws_url=venue.base_url.replace("http", "ws") + "/ws",
            clock=clock,
            venue=KalshiSection(),
            traded=(),
            use_index=False,
            listings=wires.listings,
            open_trades=wires.open_trades,
            prints_before=wires.index,
            board=wires.board,
            index=wires.index,
            account_hints=wires.account_hints,
            market_ends=wires.market_ends,
            market_news=wires.market_news,
            books_to_compare=wires.books_to_compare,
            rest_books=wires.rest_books,
            private_stream=wires.private_stream,
            rest_index=wires.rest_index,
        )
        group.start_soon(task.run, lambda _sentence: None)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
            wires.close()


class Ticking(Script):
    """The same, but its other channels go on while nothing more is heard of a book."""

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sent = {"type": "ticker", "sid": 3, "msg": {}}
        async with anyio.create_task_group() as group:
            group.start_soon(self._subscribe, socket)
            while not socket.closed:
                await socket.send_json(sent)
                await anyio.sleep(0.05)
            group.cancel_scope.cancel()
        return socket

    async def _subscribe(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            command = message.json()
            self.commands.append(command["params"].get("action", command["cmd"]))
            if command["params"].get("market_tickers") and command["cmd"] == "subscribe":
                opened = {"channel": "orderbook_delta", "sid": 7}
                await socket.send_json({"type": "subscribed", "id": command["id"], "msg": opened})
                await socket.send_json({"type": "orderbook_snapshot", "sid": 7, "seq": 1, "msg": self.whole})


async def test_books_that_fall_silent_alone_grow_old_on_the_board(monkeypatch: pytest.MonkeyPatch):
    """Whatever else the socket brings: an entry or a stop would be priced from a book that nobody keeps any more."""
    for name in ("QUIET_SECONDS", "SUSPECT_SECONDS"):
        monkeypatch.setattr(book_silence, name, 0.5)
    wires, script = Wires(), Ticking({})
    clock = Clock(host_origin=time.time(), venue_origin=NOW.timestamp())
    async with synced(script, wires, clock):
        await until_the_book(wires, is_shown=True)
        version = 0
        with anyio.fail_after(10):
            while True:
                version = await wires.board.newer_than(version)
                board = wires.board.get()
                assert board is not None
                if board.heard_at is not None and (clock.utc() - board.heard_at).total_seconds() > 1.0:
                    break
    assert "get_snapshot" in script.commands


async def until_the_book(wires: Wires, *, is_shown: bool) -> None:
    version = 0
    with anyio.fail_after(5):
        while True:
            version = await wires.board.newer_than(version)
            board = wires.board.get()
            view = None if board is None else board.by_ticker.get(TICKER)
            if view is not None and (view.book is not None) is is_shown:
                return


@pytest.mark.parametrize("takes_commands", [True, False])
@pytest.mark.parametrize(
    "says",
    [
        {"type": "orderbook_delta", "sid": 7, "seq": 3, "msg": CHANGE},
        {"type": "error", "sid": 7, "seq": 3, "msg": ERROR},
        {"type": "unsubscribed", "sid": 7, "seq": 2},
    ],
    ids=["a change after a gap", "an error after a gap", "the end of the subscription"],
)
async def test_a_book_that_broke_is_off_the_board(
    monkeypatch: pytest.MonkeyPatch, says: dict[str, object], takes_commands: bool
):
    wires, script = Wires(), Script(says)
    async with synced(script, wires):
        await until_the_book(wires, is_shown=True)
        if not takes_commands:
            monkeypatch.setattr(Inbox, "writable", lambda _inbox: anyio.sleep_forever())
        script.may_say.set()
        await until_the_book(wires, is_shown=False)


NO_BIDS = {Price(4800): Quantity(1_000), Price(4700): Quantity(500)}
BOTH_SIDES = {
    "market_ticker": TICKER,
    "yes_dollars_fp": [["0.5000", "10.00"]],
    "no_dollars_fp": [["0.5200", "10.00"], ["0.5300", "5.00"]],
}
"""With NO levels at YES prices, as it is asked for."""
FILL = {
    "trade_id": "t-1",
    "order_id": "o-1",
    "market_ticker": TICKER,
    "book_side": "bid",
    "yes_price_dollars": "0.5000",
    "count_fp": "1.00",
    "fee_cost": "0.017500",
    "is_taker": True,
    "ts_ms": 5,
}
AS_BEFORE: dict[str, object] = {"type": "orderbook_delta", "sid": 7, "seq": 2, "msg": CHANGE}


async def until_shown(wires: Wires, fits: Callable[[MarketView], bool]) -> MarketView:
    version = 0
    with anyio.fail_after(5):
        while True:
            version = await wires.board.newer_than(version)
            board = wires.board.get()
            view = None if board is None else board.by_ticker.get(TICKER)
            if view is not None and fits(view):
                return view


async def test_nobody_enters_a_market_before_its_book_was_held_against_rest_and_its_book_is_shown_meanwhile():
    """What is held there can be sold: the doubt is a reason against entries alone."""
    wires = Wires()
    async with synced(Script(AS_BEFORE, whole=BOTH_SIDES), wires):
        view = await until_shown(wires, lambda view: view.book is not None)
        assert view.book == BookView(
            bids=((Price(5000), Quantity(1_000)),),
            asks=((Price(5200), Quantity(1_000)), (Price(5300), Quantity(500))),
        )
        closed = market_gate(view, EntrySection(), 300.0)
        assert closed is not None
        assert "not been compared" in closed.sentence
        with anyio.fail_after(5):
            while not wires.books_to_compare.get():
                await wires.books_to_compare.newer_than(wires.books_to_compare.version)
        assert wires.books_to_compare.get() == {TICKER}
        wires.rest_books.set({TICKER: RestBook(yes={Price(5000): Quantity(1_000)}, no=NO_BIDS)})
        view = await until_shown(wires, lambda view: view.market.untradable == "")
        assert market_gate(view, EntrySection(), 300.0) is None
        assert wires.books_to_compare.get() == frozenset()


async def test_a_book_that_is_read_the_wrong_way_is_shown_as_none_told_once_and_costs_no_socket():
    wires = Wires()
    script = Script(
        AS_BEFORE, whole=BOTH_SIDES | {"no_dollars_fp": [["0.4800", "10.00"], ["0.4700", "5.00"]]}
    )
    rest = {TICKER: RestBook(yes={Price(5000): Quantity(1_000)}, no=NO_BIDS)}
    with capture_logs() as said:
        async with synced(script, wires):
            await until_the_book(wires, is_shown=True)
            wires.rest_books.set(rest)
            view = await until_shown(wires, lambda view: view.book is None)
            assert "NO side is the mirror" in view.why_no_book
            assert view.market.untradable == view.why_no_book
            wires.rest_books.set(dict(rest))
            assert wires.books_to_compare.get() == {TICKER}, (
                "it is looked at again: the doubt may have been wrong"
            )
            board = wires.board.get()
            assert board is not None
            known = _Known(subscriptions=Subscriptions(indexes=()), whole_at=0.0)
            known.subscriptions.proof.wrong.add(TICKER)
            _insist_on_whole_books(known, board, NOW)
    assert [each["ticker"] for each in said if each["event"] == "market not traded"] == [TICKER]
    assert script.sockets == 1


async def test_frames_that_cannot_be_read_cost_their_own_subject_and_no_socket():
    """A strange fill is read over REST, a strange book anew; the others go on, and each subject is told once."""
    strange: list[dict[str, object]] = [
        {"type": "fill", "sid": 8, "msg": FILL | {"count_fp": 1}},
        {"type": "fill", "sid": 8, "msg": FILL | {"count_fp": 2}},
        {"type": "orderbook_delta", "sid": 7, "seq": 2, "msg": CHANGE | {"price_dollars": "0.50001"}},
        {"type": "market_lifecycle_v2", "sid": 9, "seq": 1, "msg": {}},
        {"type": "cfbenchmarks_value", "sid": 6, "seq": 1, "msg": {"index_id": "BRTI"}},
        {"type": "orderbook_snapshot", "sid": 7, "seq": 3, "msg": BOTH_SIDES},
        {
            "type": "fill",
            "sid": 8,
            "msg": FILL,
            "sending_ts_ms": (NOW_MS := int(NOW.timestamp() * 1000)) - 1_500,
        },
        {"type": "fill", "sid": 8, "msg": FILL, "sending_ts_ms": NOW_MS - 250},
        {"type": "fill", "sid": 8, "msg": FILL, "sending_ts_ms": "soon"},
    ]
    wires, script = Wires(), Script(strange[0], whole=BOTH_SIDES, and_then=strange[1:])
    with capture_logs() as said:
        async with synced(script, wires):
            await until_the_book(wires, is_shown=True)
            script.may_say.set()
            with anyio.fail_after(5):
                for _ in range(2):  # nothing else would look for the second one at once
                    assert isinstance(await wires.account_hints.receive(), AccountChannelsOpened)
                fills = [await wires.account_hints.receive() for _ in range(3)]
            assert all(isinstance(each, FillSeen) for each in fills)
            await until_the_book(wires, is_shown=True)
            news, _ = wires.market_news.take()
            assert ListeningAnew() in news
            stream = wires.private_stream.get()
    assert script.sockets == 1
    told = [(each["kind"], each["ticker"]) for each in said if each["event"] == "frame refused"]
    assert told == [
        ("fill", TICKER),
        ("orderbook_delta", TICKER),
        ("market_lifecycle_v2", None),
        ("cfbenchmarks_value", None),
    ]
    assert stream is not None
    assert (stream.messages, round(stream.lag_seconds - OFF, 3), round(stream.worst_seconds - OFF, 3)) == (
        2,
        0.25,
        1.5,
    )


OFF = (AT_NOW.utc() - NOW).total_seconds()
"""What a clock of that speed shows more than it was set to."""


async def test_prints_that_were_read_over_rest_join_those_of_the_channel():
    wires = Wires()
    async with synced(Script(AS_BEFORE), wires):
        await until_the_book(wires, is_shown=True)
        wires.rest_index.set({"BRTI": (made(-2), made(-1))})
        with anyio.fail_after(5):
            while not (history := wires.index.get()) or not history.prints:
                await wires.index.newer_than(wires.index.version)
        assert history.prints == {"BRTI": (made(-2), made(-1))}
