"""Every field of every message that a decision may look at comes back from a recording, whatever stands in it."""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from recio.board_wire import BoardWire
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.markets import Market, MarketView, VenueState
from recio.messages.orders import OpenTrades, TakenLevel, TradeView
from recio.messages.prices import PriceView
from recio.rules.decision.cycles import EntryCycle, EntryLook, ExitCycle, ExitLook
from recio.rules.decision.entry import Waits
from recio.rules.decision.exit import ExitDecision, ExitMemory, Holds
from recio.rules.decision.momentum_pause import PauseMemory
from tests.builders import NOW, book, prices
from tests.recording.test_recording_of_cycles import (
    TICKERS,
    Told,
    assert_equal,
    encoded,
    encoder,
    read_back,
    segments,
)

NUMBERS = (0.1 + 0.2, 1e-9 / 3, -1e300 / 7, 0.0, 5e-324)
AMOUNTS = tuple(map(Decimal, ("1.10", "84000.00", "1E-7", "-0.0000010", "1E+3")))
TEXTS = ("", "a", 'ü"\n\\x')


def filled(kind: Any, dice: random.Random) -> Any:
    """A value of this type with every field of it filled at random; texts differ from one another."""
    of, parts = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__supertype__"):
        return filled(kind.__supertype__, dice)
    if of in (typing.Union, types.UnionType):
        return filled(dice.choice(parts), dice)
    if of is tuple:
        many = [parts[0]] * dice.randrange(3) if parts[-1] is ... else parts
        return tuple(filled(each, dice) for each in many)
    if of is not None and issubclass(of, Mapping):
        return {filled(parts[0], dice): filled(parts[1], dice) for _ in range(dice.randrange(3))}
    if is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        make: Any = kind
        return make(**{name: filled(of_field, dice) for name, of_field in _fields(kind).items()})
    return _plain(kind, dice)


def _fields(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {
        each.name: hints[each.name]
        for each in (fields(kind) if is_dataclass(kind) else msgspec.structs.fields(kind))
    }


def _plain(kind: Any, dice: random.Random) -> Any:
    if issubclass(kind, Enum):
        return dice.choice(list(kind))
    if kind is datetime:
        return NOW + timedelta(microseconds=dice.randrange(10**13))
    if kind is str:
        return f"{dice.choice(TEXTS)}{dice.randrange(10**12)}"
    return {
        type(None): None,
        bool: dice.random() < 0.5,
        int: dice.randrange(-(10**12), 10**12),
        float: dice.choice(NUMBERS),
        Decimal: dice.choice(AMOUNTS),
    }[kind]


def _trades(dice: random.Random, *, is_paper: bool) -> OpenTrades:
    """Without trades that have ended, which no decision looks at, and on paper without the newest orders."""
    made: OpenTrades = filled(OpenTrades, dice)
    newest = sorted(
        made.recent_orders, key=lambda each: (each.created_at, each.client_order_id), reverse=True
    )
    return replace(made, recent_trades=(), recent_orders=() if is_paper else tuple(newest))


def _price(dice: random.Random) -> PriceView:
    """Without its sources, which no decision looks at."""
    made: PriceView = filled(PriceView, dice)
    return replace(made, sources=(), tick=replace(made.tick, symbol="BTC"))


def _cycles(dice: random.Random) -> typing.Iterator[Told]:
    wire = BoardWire()
    watch = wire.watch()
    for number in range(4):
        at = NOW + timedelta(seconds=number)
        listed = [replace(filled(Market, dice), ticker=each) for each in dice.sample(TICKERS, 3)]
        wire.lay_out(
            MarketView(market=each, book=dice.choice((None, book())), why_no_book="") for each in listed
        )
        shown = wire.publish(
            venue=filled(VenueState, dice),
            heard_at=filled(datetime | None, dice),
            clock_offset=filled(float | None, dice),
        )
        everything = dict(shown.by_ticker)
        look = EntryLook(
            at=at,
            tickers=None,
            board=watch.take(shown),
            prices=prices(_price(dice)),
            trades=_trades(dice, is_paper=False),
            paper={"bold": _trades(dice, is_paper=True)},
            account=filled(AccountView | None, dice),
            controls=filled(TradingControls | None, dice),
            pauses={"bold": {"BTC": filled(PauseMemory, dice)}},
        )
        waits = Waits(gate="edge", sentence="too little")
        yield Told(cycle=EntryCycle(look=look, outcomes={"bold": waits}), board=everything)
        trade = replace(filled(TradeView, dice), ticker=listed[0].ticker)
        assert look.board is not None
        seen = msgspec.structs.replace(look.board, views=(everything[trade.ticker],), tickers=None)
        sight = ExitLook(
            at=at,
            trade=trade,
            board=seen,
            prices=look.prices,
            controls=look.controls,
            before=filled(ExitMemory, dice),
            taken=filled(tuple[TakenLevel, ...], dice),
        )
        holds = Holds(trade_id=trade.trade_id, sentence="kept", alarm=dice.random() < 0.5)
        decided = ExitDecision(outcome=holds, remembered=filled(ExitMemory, dice))
        yield Told(cycle=ExitCycle(look=sight, decided=decided), board=everything)


def test_every_field_that_a_decision_looks_at_comes_back_whatever_stands_in_it(tmp_path: Path):
    for seed in range(30):
        told = list(_cycles(random.Random(seed)))
        folder = tmp_path / str(seed)
        files, speaks = segments(folder), encoder()
        files.begin(NOW)
        files.append(speaks.begin(NOW) + encoded(speaks, told))
        for (read, shown), one in zip(read_back(sorted(folder.iterdir())), told, strict=True):
            assert_equal(read, one, shown)
            if isinstance(one.cycle, EntryCycle) and isinstance(read.look, EntryLook):
                assert read.look.pauses == one.cycle.look.pauses
