"""Refusals: a venue that says no to everything is asked ever more seldom, and at last somebody has to look."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from recio.kalshi.error_codes import CODES, Meaning
from recio.messages.orders import OpenTrades, OrderPurpose, OrderState, OrderView
from recio.rules.account.refusals import (
    HALT_AFTER,
    HALT_WITHIN,
    LONGEST_PAUSE,
    OF_THE_BOOK,
    PASSING,
    is_refused_for_good,
    next_try,
    refusal_note,
)
from recio.units import ClientOrderId, Ticker
from tests.builders import NOW, TICKER, open_trades, order

OTHER = Ticker("KXBTC15M-OTHER-00")
CODE = "invalid_order"


def refused(number: int, ticker: Ticker = TICKER, code: str = CODE, **changes: object) -> OrderView:
    at = NOW + timedelta(milliseconds=number)
    made = order(
        client_order_id=ClientOrderId(f"recio-0000000a-{number}-entry-1"),
        ticker=ticker,
        state=OrderState.REJECTED,
        created_at=at,
        ended_at=at,
        note=refusal_note(code, "order group triggered"),
    )
    return replace(made, **changes)


def row(*orders: OrderView) -> OpenTrades:
    return open_trades(recent_orders=orders)


def waits(trades: OpenTrades, ticker: Ticker = TICKER, now: datetime = NOW) -> float:
    found = next_try(trades, ticker, now)
    return 0.0 if found is None else round((found[0] - now).total_seconds(), 1)


def test_the_pause_doubles_with_each_refusal_and_never_passes_a_minute():
    pauses = [waits(row(*(refused(each) for each in range(count)))) for count in range(20)]
    assert pauses[:7] == [0, 1, 2, 4, 8, 16, 32]
    assert set(pauses[7:]) == {LONGEST_PAUSE.total_seconds()}


def test_an_order_that_the_venue_took_ends_the_row_and_one_that_never_left_does_not():
    taken = refused(2, state=OrderState.CANCELLED, note="")
    assert waits(row(refused(1), taken)) == 0
    assert waits(row(refused(1), refused(2, code="not_sent"))) == 1
    assert waits(row(refused(1), refused(2, state=OrderState.PENDING, note=""))) == 1


def test_what_the_book_refuses_and_what_an_exit_is_refused_are_no_refusals():
    assert [waits(row(refused(1, code=code))) for code in OF_THE_BOOK] == [0] * len(OF_THE_BOOK)
    assert waits(row(refused(1, purpose=OrderPurpose.EXIT))) == 0


def test_one_market_that_refuses_stops_no_other_and_two_stop_every_one():
    third = Ticker("KXBTC15M-THIRD-00")
    one = row(*(refused(each) for each in range(5)))
    assert (waits(one), waits(one, third)) == (16, 0)
    assert waits(row(refused(1), refused(2, OTHER)), third) == 2


def test_many_refusals_on_several_markets_halt_and_old_ones_do_not_halt_again():
    many = (*(refused(each) for each in range(HALT_AFTER - 1)), refused(HALT_AFTER, OTHER))
    found = is_refused_for_good(row(*many), NOW)
    assert found is not None
    assert found.last.ticker == OTHER
    assert is_refused_for_good(row(*many[1:]), NOW) is None
    assert is_refused_for_good(row(*many), NOW + HALT_WITHIN + timedelta(seconds=1)) is None
    assert is_refused_for_good(row(*(refused(each) for each in range(20))), NOW) is None


def test_codes_that_end_by_themselves_pause_and_never_halt():
    for code in PASSING:
        many = row(*(refused(each, Ticker(f"KX-{each % 3}"), code) for each in range(20)))
        assert is_refused_for_good(many, NOW) is None
        assert waits(many, Ticker("KX-1")) > 1


def test_each_code_is_one_that_the_venue_is_known_to_say():
    assert CODES.keys() >= PASSING | OF_THE_BOOK
    ends_by_itself = {
        code for code, each in CODES.items() if each.meaning in (Meaning.PAUSE, Meaning.PASSING)
    }
    assert PASSING - ends_by_itself == {
        *("authentication_error", "insufficient_balance", "available_balance_too_low")
    }
    assert ends_by_itself <= PASSING
