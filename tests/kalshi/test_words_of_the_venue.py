"""Every word of the venue's published enumerations leads to an end, or to a named refusal of its own market alone.

Each table is the state machine of one enumeration: a word, and what becomes of the market, order or trade that has it. The
tables are held against the venue's specifications where these are there, and each has a word that nobody has seen yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from recio.kalshi import account
from recio.kalshi.account import FILLS, ORDERS
from recio.kalshi.account_figures import unsettled
from recio.kalshi.frame_kinds import LifecycleSeen
from recio.kalshi.frames import parse_frame
from recio.kalshi.markets import MarketList
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import SETTLEMENTS, read_settlements
from recio.messages.account import OrderSeen
from recio.messages.markets import MarketStatus
from recio.messages.orders import OrderState
from recio.rules.account.lifecycle import ORDER_MOVES, PROVEN_ENDS, state_from_venue
from recio.rules.account.reconcile import lasting_causes
from recio.rules.decision.entry_gates import market_gate
from recio.rules.decision.exit import MAY_TRADE
from recio.settings.trading import EntrySection
from recio.units import ClientOrderId, Price, Side, Ticker
from tests.builders import account as account_view
from tests.builders import market, open_trades, trade, view
from tests.exchange_sim import specifications as spec
from tests.kalshi.local_venue import by_path, local_venue, not_there
from tests.kalshi.test_market_reads import MARKET, TICKER, listed, serving

TOMORROW = "a word of tomorrow"
STRANGE = Ticker("KXBTC15M-STRANGE")
OURS = ClientOrderId("recio-0000000a-1-entry-1")
FOUND = pytest.mark.skipif(not spec.FOLDER.is_dir(), reason=spec.ABSENT)

TRADES, WAITS, OVER, REFUSED = (
    "trades",
    "waits for the next word",
    "over: its settlement ends it",
    "refused by name",
)
MARKET_STATUS = {
    "initialized": WAITS,
    "inactive": WAITS,
    "active": TRADES,
    "closed": OVER,
    "determined": OVER,
    "disputed": OVER,
    "amended": OVER,
    "finalized": OVER,
    TOMORROW: REFUSED,
}
FROM = {
    "initialized": {"active"},
    "active": {"inactive", "closed"},
    "inactive": {"active", "closed"},
    "closed": {"determined"},
    "determined": {"disputed", "amended", "finalized"},
    "disputed": {"amended", "finalized"},
    "amended": {"finalized"},
    "finalized": set[str](),
}
"""Which status follows which."""
SETTLED = {"yes": 10_000, "no": 0, "scalar": 3700, TOMORROW: 3700}
"""What one YES is worth where the row names a value; the word alone says it for the first two."""
STRIKES = {
    **dict.fromkeys(("greater", "greater_or_equal", "less", "less_or_equal", "between"), TRADES),
    **dict.fromkeys(("functional", "custom", "structured", TOMORROW), REFUSED),
}
FEES = {
    **dict.fromkeys(("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"), TRADES),
    **dict.fromkeys(("flat", "margin_market_maker_program_fees", TOMORROW), REFUSED),
}
LISTED_ORDER = {
    "resting": OrderState.RESTING,
    "canceled": OrderState.CANCELLED,
    "executed": OrderState.FILLED,
    TOMORROW: None,
}
HEARD_ORDER = {**LISTED_ORDER, "unknown": None}
"""None: the list decides."""
REASONS = (
    *(
        "Decrease",
        "Amend",
        "MarginCancel",
        "SelfTradeCancel",
        "ExpiryCancel",
        "CloseCancel",
        "HaltCancel",
        "Trade",
    ),
    *("PostOnlyCrossCancel", "ReduceOnlyCancel", "SettlementBoundsCancel", TOMORROW),
)
LIFECYCLE = {
    "created": None,
    "deactivated": MarketStatus.INACTIVE,
    "activated": MarketStatus.ACTIVE,
    "close_date_updated": None,
    "determined": MarketStatus.DETERMINED,
    "settled": MarketStatus.FINALIZED,
    "price_level_structure_updated": None,
    TOMORROW: None,
}
"""None: nothing of its status; the lists are read again."""
BOOK_SIDES = ("bid", "ask", TOMORROW)


def words(found: Any, *path: str) -> set[str]:
    for step in path:
        found = found[step]
    return {each for each in found["enum"] if each}


@FOUND
@pytest.mark.recorded
@pytest.mark.parametrize(
    ("known", "path"),
    [
        (MARKET_STATUS, ("Market", "properties", "status")),
        (SETTLED, ("Settlement", "properties", "market_result")),
        (SETTLED, ("Market", "properties", "result")),
        (STRIKES, ("Market", "properties", "strike_type")),
        (FEES, ("FeeType",)),
        (LISTED_ORDER, ("OrderStatus",)),
        (dict.fromkeys(BOOK_SIDES), ("BookSide",)),
    ],
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else "",
)
def test_the_tables_have_every_word_that_is_published_for_rest(
    known: Mapping[str, object], path: tuple[str, ...]
):
    published = words(spec.openapi()["components"]["schemas"], *path)
    assert published <= known.keys() - {TOMORROW}


@FOUND
@pytest.mark.recorded
def test_the_tables_have_every_word_that_is_published_for_the_socket():
    found = spec.asyncapi()["components"]["schemas"]
    msg = ("properties", "msg", "properties")
    assert words(found, "userOrderPayload", *msg, "status") == HEARD_ORDER.keys() - {TOMORROW}
    assert words(found, "lastUpdateReason") == {*REASONS} - {TOMORROW}
    assert words(found, "marketLifecycleV2Payload", *msg, "event_type") == LIFECYCLE.keys() - {TOMORROW}
    assert words(found, "eventFeeUpdatePayload", *msg, "fee_type_override") == FEES.keys() - {TOMORROW}


def neighbour(found: MarketList) -> bool:
    return TICKER in {each.ticker for each in found.markets}


@pytest.mark.parametrize(("word", "what"), MARKET_STATUS.items())
async def test_a_market_by_its_status(word: str, what: str):
    found = await listed(serving(MARKET, {**MARKET, "ticker": STRANGE, "status": word}))
    assert neighbour(found)
    seen = next((each for each in found.markets if each.ticker == STRANGE), None)
    refused = dict(found.refused)
    if what is REFUSED:
        assert (seen, word in refused[STRANGE]) == (None, True)
    elif what is OVER:
        # No entry, and nothing to be sold: what is held waits for the settlement, which is read by itself.
        assert (seen, refused) == (None, {})
        assert MarketStatus(word) not in MAY_TRADE
    else:
        assert seen is not None
        gate = market_gate(view(seen), EntrySection(), remaining=400.0)
        assert (gate is None) is (what is TRADES)
        assert gate is None or gate.sentence == f"market is {word}"


def test_every_status_of_a_market_comes_to_its_last_one():
    for word in MARKET_STATUS.keys() - {TOMORROW}:
        reached, ahead = set[str](), {word}
        while ahead:
            reached |= ahead
            ahead = {each for step in ahead for each in FROM[step]} - reached
        assert "finalized" in reached, word
    assert FROM.keys() == MARKET_STATUS.keys() - {TOMORROW}


def settlement(ticker: str, word: str, **more: object) -> dict[str, object]:
    return {"ticker": ticker, "market_result": word, "settled_time": "2026-11-23T12:00:00Z"} | more


async def settlements(rest: KalshiRest) -> dict[Ticker, Price]:
    return {each.ticker: each.yes_value for each in await read_settlements(rest, None)}


@pytest.mark.parametrize(("word", "worth"), SETTLED.items())
async def test_a_settlement_by_its_word_ends_its_market_where_a_value_is_told(word: str, worth: int):
    rows = [settlement(STRANGE, word, value=37), settlement(TICKER, "yes")]
    async with local_venue(
        by_path(settlements={"settlements": rows, "cursor": ""}, other=not_there)
    ) as venue:
        assert await settlements(venue.rest()) == {STRANGE: worth, TICKER: 10_000}


@pytest.mark.parametrize("beside", [settlement(TICKER, "yes"), {"market_result": TOMORROW}, 7])
@pytest.mark.parametrize("word", [word for word in SETTLED if word not in tuple(Side)])
async def test_a_settlement_without_a_value_is_a_halt_that_names_its_market_and_the_way_out(
    word: str, beside: object
):
    """Whatever else cannot be read beside it."""
    rows = [settlement(STRANGE, word), beside]
    held = open_trades(trades=(trade(ticker=STRANGE),))
    async with local_venue(
        by_path(settlements={"settlements": rows, "cursor": ""}, other=not_there)
    ) as venue:
        rest = venue.rest()
        assert STRANGE not in await settlements(rest)
        assert rest.set_aside.hides(SETTLEMENTS)
        (cause,) = lasting_causes(account_view(unsettled=unsettled(rest, held)))
        assert f"recio settle {STRANGE}" in cause


@pytest.mark.parametrize(("word", "what"), STRIKES.items())
async def test_a_market_by_its_kind_of_strike(word: str, what: str):
    body = {**MARKET, "ticker": STRANGE, "strike_type": word, "cap_strike": 84_000.12}
    found = await listed(serving(MARKET, body))
    assert neighbour(found)
    (seen,) = [each for each in found.markets if each.ticker == STRANGE]
    refused = market_gate(view(seen), EntrySection(), remaining=400.0)
    if what is REFUSED:
        assert refused is not None
        assert "strike" in refused.sentence
    else:
        assert "is not read" not in seen.untradable


@pytest.mark.parametrize(("word", "what"), FEES.items())
async def test_an_event_by_its_kind_of_fee(word: str, what: str):
    other = {**MARKET, "ticker": STRANGE, "event_ticker": "KXBTC15M-STRANGE"}
    events: list[dict[str, object]] = [
        {"event_ticker": MARKET["event_ticker"]},
        {"event_ticker": "KXBTC15M-STRANGE", "fee_type_override": word},
    ]
    found = await listed(serving(MARKET, other, events=events))
    why = {each.ticker: each.untradable for each in found.markets}
    assert why == {TICKER: "", STRANGE: f"fee_type {word!r} is not known" if what is REFUSED else ""}


def order_row(name: str, word: str) -> dict[str, object]:
    return {
        "order_id": f"v-{name}",
        "client_order_id": name,
        "ticker": TICKER,
        "status": word,
        "fill_count_fp": "1.00",
        "remaining_count_fp": "0.00",
    }


@pytest.mark.parametrize(("word", "state"), LISTED_ORDER.items())
async def test_an_order_by_its_status_in_the_list(word: str, state: OrderState | None):
    rows = [order_row(OURS, word), order_row("another", "executed")]
    async with local_venue(by_path(orders={"orders": rows, "cursor": ""})) as venue:
        rest = venue.rest()
        found = {each.client_order_id: each for each in await account.orders(rest, ticker=None, since=None)}
    assert state_from_venue(found[ClientOrderId("another")]) is OrderState.FILLED
    if state is None:
        # In doubt, and never absent: it is in the list.
        assert OURS not in found
        assert rest.set_aside.may_name(ORDERS, OURS)
    else:
        assert state_from_venue(found[OURS]) is state
        assert state in PROVEN_ENDS or PROVEN_ENDS & ORDER_MOVES[state]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(("word", "state"), HEARD_ORDER.items())
def test_an_order_by_what_its_channel_says(word: str, state: OrderState | None, reason: str):
    msg = order_row(OURS, word) | {"last_update_reason": reason}
    seen = parse_frame(json.dumps({"type": "user_order", "sid": 1, "seq": 1, "msg": msg}).encode())
    if state is None:
        assert not isinstance(seen, OrderSeen)
    else:
        assert isinstance(seen, OrderSeen)
        assert (state_from_venue(seen), seen.reason) == (state, reason)


@pytest.mark.parametrize("result", [*SETTLED, "", None])
@pytest.mark.parametrize(("word", "status"), LIFECYCLE.items())
def test_a_market_by_what_its_life_is_said_to_be(word: str, status: MarketStatus | None, result: str | None):
    msg = {"market_ticker": STRANGE, "event_type": word, "result": result}
    seen = parse_frame(json.dumps({"type": "market_lifecycle_v2", "sid": 1, "msg": msg}).encode())
    assert isinstance(seen, LifecycleSeen)
    assert (seen.ticker, seen.says.status) == (STRANGE, status)
    # Anything but yes and no ends nothing by itself: the list of settlements says the value.
    assert seen.says.result == (Side(result) if result in tuple(Side) else None)


@pytest.mark.parametrize("word", BOOK_SIDES)
async def test_a_fill_by_its_side(word: str):
    fill = {
        "trade_id": "t-1",
        "order_id": "o-1",
        "ticker": TICKER,
        "book_side": word,
        "yes_price_dollars": "0.5200",
        "count_fp": "1.00",
        "fee_cost": "0.017500",
        "is_taker": True,
        "created_time": "2026-11-23T12:00:00Z",
    }
    rows = [fill, fill | {"trade_id": "t-2", "book_side": "bid"}]
    since = market().close_time - timedelta(days=1)
    handler = by_path(fills={"fills": rows, "cursor": ""})
    async with local_venue(handler) as venue:
        rest = venue.rest()
        found = {each.fill_id for each in await account.fills(rest, since)}
    assert found == ({"t-2"} if word is TOMORROW else {"t-1", "t-2"})
    assert rest.set_aside.hides(FILLS) is (word is TOMORROW)
