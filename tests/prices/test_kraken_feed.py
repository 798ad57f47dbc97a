"""Kraken's feed: a price only from a book whose checksum fits, exact to the printed digit."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from recio.prices import kraken
from recio.prices.feed import FeedError, Heard, Heartbeat, Quoted, Unpriced
from tests.kalshi.recordings import recorded

PAIRS = {"BTC/USD": "BTC", "ETH/USD": "ETH"}
BIDS = [("63501.6", "0.63889204"), ("63500.9", "0.00005100")]
ASKS = [("63501.9", "0.00100000"), ("63502.0", "0.00073311")]
Level = tuple[str, str]


def checksum(bids: list[Level], asks: list[Level]) -> int:
    """Written down anew from the protocol: digits of asks from the best up, then of bids from the best down."""
    text = "".join(part.replace(".", "").lstrip("0") for level in asks + bids for part in level)
    return zlib.crc32(text.encode())


def body(kind: str, bids: list[Level], asks: list[Level], crc: int, symbol: str = "BTC/USD") -> str:
    def side(levels: list[Level]) -> str:
        return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels) + "]"

    stamp = ',"timestamp":"2026-07-07T23:00:03.978991Z"' if kind == "update" else ""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{side(bids)},'
        f'"asks":{side(asks)},"checksum":{crc}{stamp}}}]}}'
    )


def snapshot() -> str:
    return body("snapshot", BIDS, ASKS, checksum(BIDS, ASKS))


def after(*updates: str) -> tuple[Heard, ...]:
    """What the last of these messages tells after the snapshot; a change of a book also confirms the others."""
    parse = kraken.parser(PAIRS)
    parse(snapshot())
    heard: tuple[Heard, ...] = ()
    for update in updates:
        heard = parse(update)
    return heard


def quotes(heard: tuple[Heard, ...]) -> list[tuple[str, Decimal]]:
    return [(each.symbol, each.price) for each in heard if isinstance(each, Quoted)]


def why_unpriced(heard: tuple[Heard, ...]) -> str:
    (only,) = heard
    assert isinstance(only, Unpriced)
    return only.why


BROKEN = body("update", [("63501.7", "0.10000000")], [], 1)


def test_the_middle_of_a_verified_book_is_the_price_and_confirms_the_other_pairs():
    better = [("63501.7", "0.10000000"), *BIDS]
    heard = after(body("update", [better[0]], [], checksum(better, ASKS)))
    at = datetime(2026, 7, 7, 23, 0, 3, 978991, tzinfo=UTC)
    assert heard == (Heartbeat(at=at), Quoted(symbol="BTC", price=Decimal("63501.8"), at=at))


def test_a_level_of_no_quantity_is_gone():
    heard = after(body("update", [("63501.6", "0.00000000")], [], checksum(BIDS[1:], ASKS)))
    assert quotes(heard) == [("BTC", Decimal("63501.4"))]


def test_a_book_that_does_not_fit_its_checksum_has_no_price_and_is_asked_for_anew():
    (heard,) = after(BROKEN)
    assert isinstance(heard, Unpriced)
    assert (heard.symbol, "checksum" in heard.why) == ("BTC", True)
    assert [message["method"] for message in heard.ask] == ["unsubscribe", "subscribe"]
    assert heard.ask[1]["params"] == {
        "channel": "book",
        "symbol": ["BTC/USD"],
        "depth": 10,
        "snapshot": True,
    }


def test_a_broken_book_has_no_price_until_its_snapshot_and_the_other_pair_goes_on():
    fits = body("update", [("63501.7", "0.10000000")], [], checksum([("63501.7", "0.10000000"), *BIDS], ASKS))
    assert quotes(after(BROKEN, fits)) == []
    other = body("snapshot", BIDS, ASKS, checksum(BIDS, ASKS), symbol="ETH/USD")
    assert quotes(after(BROKEN, other)) == [("ETH", Decimal("63501.75"))]
    assert quotes(after(BROKEN, snapshot())) == [("BTC", Decimal("63501.75"))]


def test_a_book_that_never_fits_is_given_up_with_its_connection():
    broken = body("snapshot", BIDS, ASKS, 1)
    with pytest.raises(FeedError, match="times in a row"):
        after(BROKEN, broken, broken)
    assert quotes(after(BROKEN, broken, snapshot())) == [("BTC", Decimal("63501.75"))]


def test_a_digit_lost_from_a_quantity_is_noticed():
    cut = [("63501.7", "0.1"), *BIDS]
    heard = after(body("update", [("63501.7", "0.10000000")], [], checksum(cut, ASKS)))
    assert "checksum" in why_unpriced(heard)


def test_a_crossed_or_one_sided_book_has_no_price():
    high = [("63501.9", "1.00000000"), *BIDS]
    assert "crossed" in why_unpriced(after(body("update", [high[0]], [], checksum(high, ASKS))))
    none = [(price, "0.00000000") for price, _ in ASKS]
    assert "one side" in why_unpriced(after(body("update", [], none, checksum(BIDS, []))))


def test_an_exchange_that_does_not_trade_has_no_price_until_it_does():
    def status(system: str) -> str:
        return f'{{"channel":"status","type":"update","data":[{{"system":"{system}"}}]}}'

    (heard,) = after(status("maintenance"))
    assert heard == Unpriced(symbol=None, why="the exchange is in maintenance")
    assert why_unpriced(after(status("cancel_only"), snapshot())) == "the exchange is in cancel_only"
    assert quotes(after(status("cancel_only"), status("online"), snapshot())) == [
        ("BTC", Decimal("63501.75"))
    ]


def test_a_pair_that_is_refused_takes_no_other_with_it():
    said = '{"error":"Currency pair not supported ETH/USD","method":"subscribe","success":false,"symbol":"ETH/USD"}'
    assert after(said) == (Unpriced(symbol="ETH", why="Currency pair not supported ETH/USD"),)


def test_an_update_without_its_snapshot_is_refused():
    with pytest.raises(FeedError, match="before its snapshot"):
        kraken.parser(PAIRS)(body("update", BIDS, ASKS, checksum(BIDS, ASKS)))


@pytest.mark.parametrize(
    "said",
    [
        body("snapshot", BIDS, ASKS, checksum(BIDS, ASKS), symbol="DOGE/USD"),
        body("snapshot", [("-1", "1")], ASKS, 0),
        body("snapshot", [("1", "-1")], ASKS, 0),
        body("snapshot", [('"NaN"', "1")], ASKS, 0),
        body("snapshot", [("1e999999", "1")], ASKS, 0),
        body("snapshot", [("1", "1e999999")], ASKS, 0),
        body("snapshot", [("100000001", "1")], ASKS, 0),
        body("strange", BIDS, ASKS, checksum(BIDS, ASKS)),
        body("snapshot", BIDS, ASKS, checksum(BIDS, ASKS)).replace('"checksum"', '"check"'),
        body("update", BIDS, ASKS, checksum(BIDS, ASKS)).replace("978991Z", "978991"),
        '{"method":"subscribe","success":false,"error":"Currency pair not supported DOGE/USD"}',
        '{"error":"Already subscribed","method":"subscribe","success":false}',
        "nonsense",
        '{"channel":"book","type":"snapshot","data":7}',
    ],
)
def test_nonsense_is_refused(said: str):
    with pytest.raises(FeedError, match="kraken"):
        after(said)


def test_replies_are_passed_over_and_a_heartbeat_is_life():
    parse = kraken.parser(PAIRS)
    assert parse('{"channel":"status","type":"update","data":[{"system":"online"}]}') == ()
    assert parse('{"method":"subscribe","success":true,"result":{"channel":"book"}}') == ()
    assert parse('{"method":"pong","req_id":42}') == ()
    assert parse('{"channel":"trade","type":"update","data":[{"price":true}]}') == ()
    assert parse('{"channel":"heartbeat"}') == (Heartbeat(at=None),)


@pytest.mark.recorded
def test_every_recorded_book_fits_its_checksum_and_never_crosses():
    parse = kraken.parser(PAIRS)
    with gzip.open(recorded("exchange_ws_samples", "flashbook_kraken_ws_20260707.ndjson.gz")) as lines:
        told = [(json.loads(line, parse_float=Decimal), parse(line)) for line in lines]
    kinds = Counter((said.get("channel") or said["method"], len(heard)) for said, heard in told)
    assert kinds == {
        ("status", 0): 1,
        ("subscribe", 0): 4,
        ("trade", 0): 10,
        ("heartbeat", 1): 23,
        ("book", 2): 2962,
    }
    assert Counter(type(each) for _, heard in told for each in heard) == {Quoted: 2962, Heartbeat: 2985}
    for said, heard in told:
        for symbol, price in quotes(heard):
            assert symbol in {PAIRS[each["symbol"]] for each in said["data"]}
            assert (63_000 if symbol == "BTC" else 1_700) < price < (64_000 if symbol == "BTC" else 1_800)


@pytest.mark.recorded
def test_two_thousand_wounds_to_recorded_books_are_refused_unpriced_or_leave_the_true_price():
    """A wound that keeps the checksum can only be one that changes no digit of the book."""
    with gzip.open(recorded("exchange_ws_samples", "flashbook_kraken_ws_20260707.ndjson.gz")) as lines:
        books = [line for line in lines if line.startswith(b'{"channel":"book"')]
    firsts = [line for line in books if b'"snapshot"' in line[:60]]
    dice = random.Random(23)
    counted: Counter[str] = Counter()
    for _ in range(2_000):
        raw, whole = bytearray(seed := dice.choice(firsts)), kraken.parser(PAIRS)(seed)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(raw))
            new = bytes(dice.randrange(256) for _ in range(dice.randint(0, 2)))
            raw[at : at + dice.randint(0, 2)] = new
        try:
            heard = kraken.parser(PAIRS)(bytes(raw))
        except FeedError:
            counted["refused"] += 1
            continue
        counted["unpriced" if any(isinstance(each, Unpriced) for each in heard) else "understood"] += 1
        assert all(quote in quotes(whole) or quote[0] != quotes(whole)[0][0] for quote in quotes(heard))
    assert min(counted[each] for each in ("refused", "unpriced", "understood")) > 10


def test_two_thousand_mangled_messages_are_refused_or_leave_an_exact_price():
    dice = random.Random(20260707)
    seeds = [snapshot(), body("update", [("63501.7", "0.10000000")], [], 77)]
    understood = 0
    for _ in range(2_000):
        raw = bytearray(dice.choice(seeds).encode())
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(raw))
            raw[at : at + dice.randint(0, 2)] = bytes(
                dice.randrange(32, 127) for _ in range(dice.randint(0, 2))
            )
        parse = kraken.parser(PAIRS)
        try:
            heard = parse(bytes(raw))
        except FeedError:
            continue
        understood += 1
        for each in heard:
            if isinstance(each, Quoted):
                said = json.loads(raw, parse_float=Decimal, parse_int=Decimal)["data"][0]
                top = max(level["price"] for level in said["bids"]) + min(
                    level["price"] for level in said["asks"]
                )
                assert each.price == top / 2
    assert understood
