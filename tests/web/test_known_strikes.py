"""What a trade was about is known after its market has left the board, though nobody looked at the page meanwhile."""

from __future__ import annotations

from dataclasses import replace

import anyio

from recio.units import Ticker
from recio.web.known_strikes import MOST, KnownStrikes
from recio.web.market_history import Seen
from recio.wires import Wires
from tests.builders import TICKER, board, open_trades, trade, view
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started


async def test_the_page_remembers_a_strike_while_its_market_is_there_without_any_reader():
    wires, strikes = Wires(), KnownStrikes()
    assert strikes.of(TICKER, None) is None
    seen = Seen(board=board(view()), trades=open_trades(trades=(trade(),)))
    page = replace(a_page(unused_port(), lambda _whole: {}, wires), strikes=strikes, seen=lambda: seen)
    async with started(page):
        with anyio.fail_after(10):
            while not strikes.rows:  # noqa: ASYNC110 - the page tells nobody of what it remembers
                await anyio.sleep(0.01)
    wires.close()
    known = strikes.of(TICKER, None)
    assert known is not None
    assert (known["symbol"], known["strike"]) == ("BTC", "84000.00")


def test_no_more_is_remembered_than_can_be_shown():
    strikes = KnownStrikes(rows={Ticker(f"T-{number}"): {} for number in range(MOST)})
    strikes.look(board(view()), open_trades(trades=(trade(),)))
    assert len(strikes.rows) == MOST
    assert TICKER in strikes.rows
    assert Ticker("T-0") not in strikes.rows
