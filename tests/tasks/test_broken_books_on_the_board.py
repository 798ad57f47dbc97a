"""market_sync: a book that broke is off the board at once, whatever showed it, and though the venue takes no command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.kalshi.inbox import Inbox
from recio.kalshi.venue_clock import VenueClock
from recio.messages.markets import Listings, VenuePhase, VenueState
from recio.settings.venue import KalshiSection
from recio.tasks.market_sync import MarketSync
from recio.wires import Wires
from tests.builders import NOW, TICKER, market
from tests.kalshi.local_venue import SIGNER, local_venue

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
WHOLE = {"market_ticker": TICKER, "yes_dollars_fp": [["0.5000", "10.00"]]}
CHANGE = {"market_ticker": TICKER, "price_dollars": "0.5000", "delta_fp": "-10.00", "side": "yes", "ts_ms": 5}
ERROR = {"code": 18, "msg": "timeout"}


@dataclass(slots=True)
class Script:
    """A venue with one market, whose book is sent once; it answers no other command."""

    says: dict[str, object]
    may_say: anyio.Event = field(default_factory=anyio.Event)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            command = message.json()
            if command["params"].get("market_tickers") and command["cmd"] == "subscribe":
                opened = {"channel": "orderbook_delta", "sid": 7}
                await socket.send_json({"type": "subscribed", "id": command["id"], "msg": opened})
                await socket.send_json({"type": "orderbook_snapshot", "sid": 7, "seq": 1, "msg": WHOLE})
                await self.may_say.wait()
                await socket.send_json(self.says)
        return socket


@asynccontextmanager
async def synced(script: Script, wires: Wires) -> AsyncIterator[None]:
    wires.listings.set(
        Listings(markets={TICKER: market()}, settled={}, venue=VenueState(phase=VenuePhase.TRADING), reads=())
    )
    async with local_venue(script.serve) as venue, anyio.create_task_group() as group:
        task = MarketSync(
            session=venue.session,
            venue_clock=VenueClock(),
            signer=SIGNER,
            ws_url=venue.base_url.replace("http", "ws") + "/ws",
            clock=AT_NOW,
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
        )
        group.start_soon(task.run, lambda _sentence: None)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
            wires.close()


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
