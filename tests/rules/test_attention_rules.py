"""Attention: looking only at what changed finds every trade that looking at everything would find."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace as changed

from recio.board_wire import BoardWire
from recio.messages.controls import Block, TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.prices import Prices
from recio.rules.decision import entry
from recio.rules.decision.attention import Attention, ExitAttention
from recio.rules.decision.cycles import EntryLook
from recio.settings.trading import EntrySection
from recio.units import Ticker
from tests.builders import (
    NOW,
    TRADING,
    account,
    book,
    market,
    open_trades,
    price,
    prices,
    section,
    trade,
    view,
)

LADDER = [Ticker(f"KXBTCD-{83_000 + 250 * each}") for each in range(9)]
OTHER = Ticker("KXETH-1")
SETTINGS = section(EntrySection, enabled=True, min_price_dollars=Decimal("0.05"))
LATER = NOW + timedelta(hours=1)


def ladder() -> BoardWire:
    wire = BoardWire()
    coins = [
        view(market(ticker=each, floor_strike=Decimal(each.rpartition("-")[2])), book(100, 9_900))
        for each in LADDER
    ]
    wire.lay_out([*coins, view(market(ticker=OTHER, symbol="ETH"), book(100, 9_900))])
    wire.publish(venue=TRADING, heard_at=NOW, clock_offset=None)
    return wire


BOTH = Prices(by_symbol={"BTC": price(), "ETH": price()})


class Reader:
    """An entry that has looked at everything once, and whom time alone does not wake."""

    def __init__(self, wire: BoardWire) -> None:
        self.wire, self.watch, self.attention = wire, wire.watch(), Attention()
        self.seen = EntryLook(
            at=NOW,
            tickers=None,
            board=None,
            prices=BOTH,
            trades=open_trades(),
            paper={},
            account=account(),
            controls=TradingControls(vouched_until=LATER),
        )
        self.look()
        self.attention.next_at = LATER

    def look(self, at: datetime = NOW, **changes: object) -> tuple[Ticker, ...] | None:
        board = self.wire.get()
        assert board is not None
        self.seen = changed(self.seen, at=at, board=self.watch.take(board), **changes)
        return self.attention.look(self.seen, board).tickers


@pytest.fixture
def reader() -> Reader:
    return Reader(ladder())


def test_a_changed_book_concerns_its_own_market_alone(reader: Reader):
    assert reader.look() == ()
    reader.wire.put(view(market(ticker=LADDER[3]), book(4_000, 4_200)))
    assert reader.look() == (LADDER[3],)
    assert reader.look() == ()


def test_a_changed_price_concerns_every_market_of_its_coin_and_no_other(reader: Reader):
    moved = Prices(by_symbol={**BOTH.by_symbol, "BTC": price("84001.00")})
    assert reader.look(prices=moved) == tuple(LADDER)


def test_a_price_that_is_only_confirmed_concerns_nobody_unless_it_had_grown_old(reader: Reader):
    def confirmed(age: float) -> Prices:
        return Prices(by_symbol={"BTC": price(age=age), "ETH": BOTH.by_symbol["ETH"]})

    assert reader.look(prices=confirmed(0.1)) == ()
    reader.look(prices=confirmed(5.0))
    assert reader.look(prices=confirmed(0.1)) == tuple(LADDER)


@pytest.mark.parametrize(
    "change",
    [
        {"trades": open_trades(wins_today=1)},
        {"account": account(5)},
        {"paper": {"bold": open_trades()}},
        {"controls": TradingControls(blocks=(Block(condition="x", detail="y", since=NOW, clears="z"),))},
        {"at": LATER},
    ],
)
def test_rows_account_controls_and_the_moments_of_time_concern_the_whole_board(reader: Reader, change):
    assert reader.look(**change) is None


def test_controls_that_are_only_vouched_for_longer_concern_nobody(reader: Reader):
    assert reader.look(controls=TradingControls(vouched_until=LATER + timedelta(seconds=1))) == ()


def test_a_clock_that_is_set_back_asks_for_the_whole_board_and_not_only_when_it_has_caught_up(reader: Reader):
    assert reader.look() == ()
    assert reader.look(at=NOW - timedelta(minutes=5)) is None


def test_a_held_trade_is_looked_at_in_its_time_and_at_once_after_the_clock_was_set_back():
    attention, held, next_at = ExitAttention(), trade(), NOW + timedelta(seconds=0.25)
    attention.looked(held, None, None, None, next_at)

    def wants(at: datetime) -> bool:
        return attention.wants(held, None, None, None, at)

    assert not wants(NOW)
    assert not wants(NOW + timedelta(seconds=0.2))
    assert wants(next_at)
    assert wants(NOW - timedelta(seconds=1))


def test_a_look_at_the_whole_board_carries_all_of_it(reader: Reader):
    board = reader.wire.get()
    assert board is not None
    whole = reader.attention.look(changed(reader.seen, at=LATER, board=reader.watch.take(board)), board)
    assert whole.board is not None
    assert (whole.board.views, whole.board.tickers) == (board.markets, tuple(board.by_ticker))


@pytest.mark.parametrize("seed", range(20))
def test_deciding_on_what_changed_finds_what_deciding_on_everything_finds(seed: int):
    """No change is ever missed: whenever the whole board has something to buy that it had not before, so have its changes."""
    dice = random.Random(seed)
    wire = ladder()
    reader, found, spot = Reader(wire), 0, 84_000.0
    wanted: set[Ticker] = set()
    for _ in range(200):
        if dice.random() < 0.5:
            spot += dice.gauss(0, 40)
            reader.seen = changed(reader.seen, prices=prices(price(f"{spot:.2f}")))
        else:
            at = dice.choice(LADDER)
            bid = dice.randrange(100, 9_700, 100)
            of = market(ticker=at, floor_strike=Decimal(at.rpartition("-")[2]))
            wire.put(view(of, book(bid, min(9_900, bid + dice.choice((200, 3_000))))))
        tickers = reader.look()
        assert tickers is not None
        now_wanted = {each for each in LADDER if isinstance(_decided(reader, [each]), OpenIntent)}
        assert now_wanted - wanted <= set(tickers)
        some, whole = _decided(reader, tickers), _decided(reader, LADDER)
        if isinstance(some, OpenIntent):
            assert isinstance(whole, OpenIntent)
            found += 1
        wanted = now_wanted
    assert found > 10


@pytest.mark.parametrize("seed", range(20))
def test_the_answer_for_all_markets_is_that_of_the_whole_board(seed: int):
    dice = random.Random(seed)
    wire = ladder()
    for each in LADDER:
        bid = dice.randrange(100, 9_700, 100)
        of = market(ticker=each, floor_strike=Decimal(each.rpartition("-")[2]))
        wire.put(view(of, book(bid, min(9_900, bid + dice.choice((200, 3_000))))))
    reader = Reader(wire)
    board = wire.get()
    assert board is not None
    seen = _inputs(reader)
    assert _decided(reader, list(board.by_ticker)) == entry.decide(seen, SETTINGS, NOW).outcome


def _inputs(reader: Reader) -> entry.EntryInputs:
    return entry.EntryInputs(
        board=reader.wire.get(),
        prices=reader.seen.prices,
        trades=reader.seen.trades,
        account=reader.seen.account,
        controls=reader.seen.controls,
    )


def _decided(reader: Reader, tickers) -> OpenIntent | entry.Waits:
    return entry.decide_on(_inputs(reader), tickers, SETTINGS, NOW)


@pytest.mark.parametrize(("seconds", "asks"), [(0.5, False), (0.6, True)])
def test_a_price_confirmed_within_half_a_second_was_not_old_in_between(
    reader: Reader, seconds: float, asks: bool
):
    eth = BOTH.by_symbol["ETH"]
    reader.look(prices=Prices(by_symbol={"BTC": price(age=2.0), "ETH": eth}))
    again = Prices(by_symbol={"BTC": price(age=2.0 - seconds), "ETH": eth})
    assert reader.look(prices=again) == (tuple(LADDER) if asks else ())
