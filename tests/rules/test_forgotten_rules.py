"""Where an order belongs that a restored database had forgotten, and what is said of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from recio.messages.account import OrderSeen, VenueOrderStatus
from recio.messages.orders import OrderPurpose, TradeState
from recio.messages.past_account import BroughtIn, PastMarket, PastOrder
from recio.rules.account.forgotten import (
    MarketRows,
    NewTrade,
    NoPlace,
    OfTrade,
    entry_named,
    in_order,
    named,
    place_of,
    told,
)
from recio.rules.account.lifecycle import client_order_id
from recio.rules.decision.strategy import Strategy, of_the_forgotten
from recio.settings.strategies import DEFAULT, Stage
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side, TradeId, VenueOrderId
from tests.builders import EVENT, NOW, TICKER, trade

NOTHING = MarketRows(live=None)


def past(name: str = "recio-abcd1234-7-entry-1", **changes: object) -> PastOrder:
    made = PastOrder(
        name=ClientOrderId(name),
        seen=OrderSeen(
            venue_order_id=VenueOrderId("v-1"),
            client_order_id=ClientOrderId(name),
            ticker=TICKER,
            status=VenueOrderStatus.EXECUTED,
            filled=Quantity(1000),
            remaining=Quantity(0),
        ),
        purpose=OrderPurpose.EXIT if "-exit-" in name else OrderPurpose.ENTRY,
        book_side=BookSide.ASK if "-exit-" in name else BookSide.BID,
        price=Price(5200),
        quantity=Quantity(1000),
        exchange_index=0,
        created_at=NOW,
        changed_at=NOW,
        market=PastMarket(event_ticker=EVENT, closes_at=NOW),
    )
    return replace(made, **changes)


SOLD = past("recio-abcd1234-7-exit-1")


def test_a_name_of_ours_says_tag_trade_purpose_and_attempt():
    made = client_order_id("abcd1234", TradeId(7), OrderPurpose.EXIT, 12)
    says = named(made)
    assert says is not None
    assert (says.tag, says.trade, says.purpose, says.attempt) == ("abcd1234", 7, OrderPurpose.EXIT, 12)
    assert entry_named(made) == "recio-abcd1234-7-entry-1"


@pytest.mark.parametrize(
    "name",
    [
        "hand-1",
        "recio-abcd1234-7-entry",
        "recio-abcd1234-x-entry-1",
        "recio-abcd1234-7-other-1",
        "else-abcd1234-7-entry-1",
        "recio-abcd1234-٧-entry-1",
        "recio-abcd1234-7-entry-99999999999999999999",
    ],
)
def test_any_other_name_is_none_of_ours(name: str):
    assert named(ClientOrderId(name)) is None


@pytest.mark.parametrize(("bought", "side"), [(BookSide.BID, Side.YES), (BookSide.ASK, Side.NO)])
def test_an_entry_on_a_market_without_a_trade_makes_its_trade_anew(bought: BookSide, side: Side):
    assert place_of(past(book_side=bought), NOTHING) == NewTrade(side)


def test_an_entry_waits_while_another_trade_is_live_on_its_market_or_nothing_is_known_of_it():
    assert isinstance(place_of(past(), MarketRows(live=trade())), NoPlace)
    assert isinstance(place_of(past(market=None), NOTHING), NoPlace)


def test_an_exit_belongs_to_the_open_trade_of_its_market():
    held = trade(entry_quantity=Quantity(1000), side=Side.YES)
    assert place_of(SOLD, MarketRows(live=held)) == OfTrade(held.trade_id)
    assert place_of(SOLD, MarketRows(live=held, of_entry=held.trade_id)) == OfTrade(held.trade_id)
    held_no = trade(entry_quantity=Quantity(1000), side=Side.NO)
    assert place_of(replace(SOLD, book_side=BookSide.BID), MarketRows(live=held_no)) == OfTrade(held.trade_id)


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        (SOLD, NOTHING),
        (SOLD, MarketRows(live=trade(entry_quantity=Quantity(1000)), of_entry=TradeId(99))),
        (SOLD, MarketRows(live=trade(entry_quantity=Quantity(1000), side=Side.NO))),
        (SOLD, MarketRows(live=trade(entry_quantity=Quantity(1000), state=TradeState.CLOSING))),
        (SOLD, MarketRows(live=trade(entry_quantity=Quantity(999)))),
        (replace(SOLD, quantity=Quantity(999)), MarketRows(live=trade(entry_quantity=Quantity(1000)))),
    ],
    ids=[
        "nothing held",
        "of another trade",
        "of the other side",
        "in motion",
        "more than is held",
        "overfilled",
    ],
)
def test_an_exit_that_the_rows_do_not_explain_has_no_place(order: PastOrder, rows: MarketRows):
    assert isinstance(place_of(order, rows), NoPlace)


def test_they_are_told_as_they_were_made_a_sale_before_the_next_purchase():
    later = past("recio-abcd1234-8-entry-1", created_at=NOW + timedelta(seconds=2))
    sold = replace(SOLD, created_at=NOW + timedelta(seconds=1))
    first = past()
    assert in_order([later, sold, first]) == [first, sold, later]


def test_a_sentence_says_what_came_and_names_what_did_not():
    done = BroughtIn(
        restored_at=NOW,
        finished_at=NOW,
        orders=1,
        trades=0,
        fills=0,
        settlements=2,
        left_out=tuple(ClientOrderId(f"o{n}") for n in range(5)),
    )
    assert told(done) == (
        "brought in after the restore: 1 order, 0 trades made anew of them, 0 fills, 2 settlements;"
        " not explained, look at the halt: o0, o1, o2 and 2 more"
    )
    assert "not explained" not in told(replace(done, left_out=()))
    assert "nothing is bought" in told(replace(done, finished_at=None))


def test_a_trade_made_anew_is_of_the_only_strategy_that_buys_or_else_of_the_common_one():
    common = Strategy(name=DEFAULT, stage=Stage.OFF)
    one, two = Strategy(name="one"), Strategy(name="two")
    assert of_the_forgotten([Strategy()]) == DEFAULT
    assert of_the_forgotten([common, one, replace(two, stage=Stage.SHADOW)]) == "one"
    assert of_the_forgotten([common, one, two]) == DEFAULT
