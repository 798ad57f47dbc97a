"""A recorded session served again: its frames, its times, its settlement, and what is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from recio.exchange_sim.engine.orders import OrderStatus
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.recorded.files import BadSession
from recio.exchange_sim.recorded.inspection import open_recording
from recio.exchange_sim.recorded.opening import start_waiting
from tests.exchange_sim.recorded_session import CLOCK_OFF_MS, FIRST, SECOND, RecordedSession, opening_book


@pytest.fixture
def recorded(tmp_path: Path) -> RecordedSession:
    return opening_book(tmp_path / "20260511T122950Z")


def refusal(recorded: RecordedSession) -> str:
    with pytest.raises(BadSession) as refused:
        open_recording(recorded.write())
    return str(refused.value)


# What is served.


async def receive(socket: Any) -> Any:
    return json.loads((await asyncio.wait_for(socket.receive(), 20)).data)


async def subscribe(client: Any, *tickers: str, **params: Any) -> Any:
    socket = await client.socket()
    asked = {"channels": ["orderbook_delta", "ticker"], "market_tickers": list(tickers)} | params
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": asked})
    for _ in asked["channels"]:
        assert (await receive(socket))["type"] == "subscribed"
    return socket


def session(recorded: RecordedSession, **changes: Any) -> dict[str, Any]:
    quick = {"recording": recorded.write(), "speed": 20.0, "recording_lead_seconds": 1.0, "align": False}
    return quick | changes


async def test_frames_are_served_as_recorded_and_in_order_with_numbers_of_their_own(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.ticker(-9.5, "0.4500", "1.00", "100.00")
    for step in range(20):
        recorded.delta(-9 + step / 10, "yes", "0.4000", "1.00" if step % 2 else "-1.00")
    recorded.ticker(-5.0, "0.4500", "1.00", "101.00")
    recorded.snapshot(5.5)
    client = await start_exchange(**session(recorded))
    socket = await subscribe(client, FIRST)
    first = await receive(socket)
    assert (first["type"], first["seq"], "yes_dollars_fp" in first["msg"]) == ("orderbook_snapshot", 1, False)
    frames = [await receive(socket) for _ in range(24)]
    books = [frame for frame in frames if frame["type"] != "ticker"]
    assert [frame["msg"] for frame in books] == recorded.bodies("orderbook_snapshot", "orderbook_delta")
    assert [frame["seq"] for frame in books] == list(range(2, 2 + len(books)))
    assert {frame["sid"] for frame in books} == {first["sid"]}
    assert [frame["msg"] for frame in frames if frame["type"] == "ticker"] == recorded.bodies("ticker")
    assert [frame["type"] for frame in frames].index("ticker") == 1


async def test_no_prices_are_turned_for_who_wants_yes_prices(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.delta(-9, "no", "0.5500", "2.00")
    client = await start_exchange(**session(recorded))
    socket = await subscribe(client, FIRST, channels=["orderbook_delta"], use_yes_price=True)
    await receive(socket)
    book, change = await receive(socket), await receive(socket)
    assert book["msg"]["no_dollars_fp"] == [["0.4500", "10.00"], ["0.4600", "30.00"]]
    assert book["msg"]["yes_dollars_fp"] == [["0.3900", "5.00"], ["0.4000", "20.00"]]
    assert (change["msg"]["price_dollars"], change["msg"]["side"]) == ("0.4500", "no")
    assert change["msg"]["ts_ms"] == recorded.ms(-9)


async def test_market_time_is_the_recorded_time_at_any_speed(
    start_exchange, recorded: RecordedSession
) -> None:
    for step in range(1, 9):
        recorded.delta(-10 + step, "yes", "0.3900", "1.00")
    client = await start_exchange(**session(recorded, speed=10.0))
    socket = await subscribe(client, FIRST, channels=["orderbook_delta"])
    assert (await receive(socket))["seq"] == 1
    assert (await receive(socket))["type"] == "orderbook_snapshot"
    for step in range(1, 9):
        frame = await receive(socket)
        late_ms = client.venue_ms() - frame["msg"]["ts_ms"]
        # Never before its time; how late depends on the machine, and a second of it is 10 s here.
        assert -1 <= late_ms < 20_000, (step, late_ms)


def test_every_message_has_the_moment_of_its_receipt_less_the_recorders_error(
    recorded: RecordedSession,
) -> None:
    recorded.delta(-8, "yes", "0.3900", "1.00")
    recorded.spot(-7, "81100.10")
    recorded.delta(-3, "yes", "0.3900", "-1.00")
    recording = open_recording(recorded.write())
    assert recording.offset_ns == CLOCK_OFF_MS * 1_000_000
    moments = [moment for moment, _ in recording.messages()]
    assert moments == [recorded.ms(at) for at in (-10, -8, -7, -3)]
    played = recorded.played()
    played.to(-8.001)
    assert len(played.venue.markets[FIRST].book.bids.totals) == 2
    assert played.venue.markets[FIRST].book.bids.totals[3_900] == 500
    played.to(-8)
    assert played.venue.markets[FIRST].book.bids.totals[3_900] == 600


async def test_who_subscribes_later_first_gets_the_book_as_it_is_then(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.delta(-9, "yes", "0.4000", "-20.00")
    recorded.delta(-9, "yes", "0.4100", "7.50")
    client = await start_exchange(**session(recorded))
    early = await subscribe(client, FIRST, channels=["orderbook_delta"])
    for _ in range(4):
        await receive(early)
    late = await subscribe(client, FIRST, channels=["orderbook_delta"])
    shown = await receive(late)
    assert shown["seq"] == 1
    assert shown["msg"]["yes_dollars_fp"] == [["0.3900", "5.00"], ["0.4100", "7.50"]]
    assert shown["msg"]["no_dollars_fp"] == [["0.5400", "30.00"], ["0.5500", "10.00"]]
    rest = (await client.get(f"/markets/{FIRST}/orderbook"))["orderbook_fp"]
    assert rest["yes_dollars"] == shown["msg"]["yes_dollars_fp"]


async def test_the_recorders_own_gap_is_silence_and_misses_no_number(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.snapshot(5)
    recorded.subscribed(12)
    recorded.snapshot(12, yes=[("0.5000", "1.00")], ticker=SECOND)
    recorded.delta(13, "yes", "0.5000", "1.00", ticker=SECOND)
    client = await start_exchange(**session(recorded, speed=60.0))
    socket = await subscribe(client, FIRST, SECOND, channels=["orderbook_delta"])
    frames = [await receive(socket) for _ in range(6)]
    assert [frame["seq"] for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert [frame["msg"]["market_ticker"] for frame in frames[2:]] == [FIRST, FIRST, SECOND, SECOND]


async def test_recorded_spot_trades_come_as_matches_with_heartbeats_between(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.spot(-9.5, "81100.10")
    recorded.spot(-6.5, "81101.2")
    recorded.delta(-1, "yes", "0.3900", "1.00")
    client = await start_exchange(**session(recorded, speed=400.0))
    asked = {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches", "heartbeat"]}
    socket = await client.session.ws_connect(client.credentials.price_url)
    await socket.send_json(asked)
    await client.get("/portfolio/balance")
    heard: list[Any] = []
    while len([one for one in heard if one["type"] == "match"]) < 2:
        heard.append(await receive(socket))
    matches = [one for one in heard if one["type"] == "match"]
    assert [(one["price"], one["time"]) for one in matches] == [
        ("81100.1", "2026-05-11T12:29:50.500000Z"),
        ("81101.2", "2026-05-11T12:29:53.500000Z"),
    ]
    between = heard[heard.index(matches[0]) : heard.index(matches[1])]
    beats = [one["time"][:19] for one in between if one["type"] == "heartbeat"]
    assert beats == [f"2026-05-11T12:29:{second}" for second in (51, 52, 53)]


async def test_without_recorded_trades_the_spot_feed_only_beats(
    start_exchange, recorded: RecordedSession
) -> None:
    client = await start_exchange(**session(recorded, recording_wait_for_client=False))
    socket = await client.session.ws_connect(client.credentials.price_url)
    asked = {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches", "ticker", "heartbeat"]}
    await socket.send_json(asked)
    assert (await receive(socket))["type"] == "subscriptions"
    assert {(await receive(socket))["type"] for _ in range(30)} == {"heartbeat"}


# What becomes of the markets.


async def test_a_market_goes_through_its_states_to_the_recorded_result(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.snapshot(5.5)
    client = await start_exchange(**session(recorded, speed=30.0, exit_after_end_seconds=None))
    socket = await client.socket()
    asked = {"channels": ["market_lifecycle_v2"]}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": asked})
    market = (await client.get(f"/markets/{FIRST}"))["market"]
    assert market["close_time"] == "2026-05-11T12:30:00Z"
    assert market["open_time"] == "2026-05-11T12:15:00Z"
    assert market["status"] == "active"
    assert market["floor_strike"] == 81_087.33
    following = (await client.get(f"/markets/{SECOND}"))["market"]
    assert (following["status"], "floor_strike" in following) == ("initialized", False)
    told: list[Any] = []
    while not told or told[-1]["event_type"] != "settled":
        message = await receive(socket)
        if message["type"] == "market_lifecycle_v2":
            told.append(message["msg"])
    assert [(one["market_ticker"], one["event_type"]) for one in told] == [
        (SECOND, "metadata_updated"),
        (FIRST, "determined"),
        (FIRST, "settled"),
    ]
    assert told[1]["determination_ts"] * 1000 == recorded.ms(1)
    assert told[2]["settled_ts"] * 1000 == recorded.ms(7)
    settled = (await client.get(f"/markets/{FIRST}"))["market"]
    assert (settled["status"], settled["result"], settled["expiration_value"]) == (
        "finalized",
        "yes",
        "81281.83",
    )
    assert (await client.get(f"/markets/{SECOND}"))["market"]["floor_strike"] == 81_281.83


def test_a_position_is_paid_by_the_recorded_result(recorded: RecordedSession) -> None:
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-5)
    assert played.take("bid", 4_500, 1_000) == 1_000
    played.to(6.9)
    assert played.venue.account.payouts == 0
    played.to(7.1)
    assert played.venue.account.payouts == read_money("10.00")
    account = played.venue.account
    assert account.cash[2] == account.deposits - read_money("4.50") - account.fees + read_money("10.00")


def test_a_window_without_a_result_stays_closed(recorded: RecordedSession) -> None:
    recorded.markets = [recorded.window(FIRST, 0, 81_087.33, None, None)]
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-5)
    played.take("bid", 4_500, 1_000)
    played.to(500)
    market = played.playback.listings.markets[FIRST]
    assert (market.status.value, market.result, market.value) == ("closed", "", None)
    assert played.venue.account.payouts == 0
    assert played.playback.over()


def test_a_result_follows_from_the_next_windows_strike(recorded: RecordedSession) -> None:
    recorded.markets = [
        recorded.window(FIRST, 0, 81_087.33, None, None),
        recorded.window(SECOND, 900, 81_087.32, None, None),
    ]
    first, second = open_recording(recorded.write()).windows
    assert (first.result, first.value) == ("no", 8_108_732)
    assert (second.result, second.value) == ("", None)


def test_the_books_are_emptied_once_nothing_more_was_recorded(recorded: RecordedSession) -> None:
    recorded.delta(-8, "yes", "0.3900", "1.00")
    played = recorded.played()
    played.to(-7.1)
    assert played.venue.markets[FIRST].book.best_bid() == 4_000
    cleared = [type(event).__name__ for event in played.to(-6.9)]
    assert cleared == ["BookCleared"]
    assert played.venue.markets[FIRST].book.best_bid() is None
    assert played.take("bid", 9_900, 100) == 0


async def test_the_exchange_ends_with_its_session(start_exchange, recorded: RecordedSession) -> None:
    client = await start_exchange(**session(recorded, speed=2_000.0, exit_after_end_seconds=0.5))
    socket = await client.socket()
    while (message := await asyncio.wait_for(socket.receive(), 20)).type.name == "TEXT":
        pass
    assert message.type.name in ("CLOSE", "CLOSED", "CLOSING", "ERROR")


def test_faults_of_markets_befall_recorded_ones_too(recorded: RecordedSession) -> None:
    recorded.delta(-4, "yes", "0.3900", "1.00")
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-9)
    faults, market = played.playback.interventions, played.venue.markets[FIRST]
    faults.deactivate(FIRST, 2_000)
    assert market.status.value == "inactive"
    played.to(-4)
    assert market.status.value == "active"
    assert market.book.bids.totals == {3_900: 600, 4_000: 2_000}
    assert played.take("bid", 4_500, 100) == 100
    faults.delay_settlement(5_000, 1)
    faults.settle_wrongly_first(1)
    faults.close_early(FIRST)
    assert market.status.value == "closed"
    played.to(1.9)
    assert market.status.value == "closed"
    played.to(2.1)
    assert (market.status.value, market.result) == ("determined", "no")
    played.to(30)
    assert (market.status.value, market.result) == ("finalized", "yes")
    assert played.venue.account.payouts == read_money("1.00")


async def test_no_settlement_index_is_made_up(start_exchange, recorded: RecordedSession) -> None:
    client = await start_exchange(**session(recorded))
    socket = await client.socket()
    asked = {"channels": ["cfbenchmarks_value"], "index_ids": ["BRTI"]}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": asked})
    assert (await receive(socket))["msg"]["code"] == 9


# The clock of the first client.


def test_the_clock_starts_anew_until_somebody_signs_and_then_stays_as_he_read_it(
    recorded: RecordedSession,
) -> None:
    recording = open_recording(recorded.write())
    waiting = start_waiting(recording, speed=60.0, lead_seconds=1e-9, for_client=True)
    said: list[Any] = []
    waiting.announce = said.append
    read = waiting.clock
    waiting.restart()
    assert said == [waiting.clock]
    assert waiting.clock is not read
    moved = round((waiting.clock.host_origin - read.host_origin) * 60_000)
    assert moved >= 0
    waiting.clocks[0] = read = type(read)(
        speed=60.0, host_origin=read.host_origin - 5, venue_origin=read.venue_origin
    )
    waiting.meet({"KALSHI-ACCESS-TIMESTAMP": str(read.milliseconds() + 40)})
    assert waiting.clock is read
    assert said[-1] is read
    waiting.restart()
    waiting.meet({"KALSHI-ACCESS-TIMESTAMP": "1"})
    assert waiting.clock is read


async def test_the_recording_waits_for_a_client_and_begins_with_a_lead(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.delta(-9, "yes", "0.3900", "1.00")
    client = await start_exchange(**session(recorded, recording_lead_seconds=0.4))
    path = Path(client.credentials.key_path).with_name("credentials.json")
    written = json.loads(path.read_text())
    while written["clock"]["host_origin"] == client.credentials.clock.host_origin:
        await client.plain("GET", "/trade-api/v2/exchange/status")
        written = json.loads(path.read_text())
    assert written["clock"]["host_origin"] > client.credentials.clock.host_origin
    assert written["clock"]["venue_origin"] == client.credentials.clock.venue_origin
    assert written["key_id"] == client.credentials.key_id
    body = (await client.get("/markets", tickers=FIRST))["markets"][0]
    assert (body["status"], body["yes_bid_dollars"]) == ("active", "0.0000")


# What is refused.


def test_a_truncated_file_is_refused_with_the_line(recorded: RecordedSession) -> None:
    for step in range(200):
        recorded.delta(-9 + step / 100, "yes", "0.3900", f"{step + 1}.17")
    folder = recorded.write()
    whole = (folder / "kalshi_ws.jsonl.gz").read_bytes()
    (folder / "kalshi_ws.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadSession, match=r"kalshi_ws.jsonl.gz line \d+: the gzip stream ends early"):
        open_recording(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 3: "),
        ('{"recv_ns":1,"m":{"type":"ticker"}}', "line 3: "),
        (
            '{"recv_ns":1778502590000000000,"m":{"type":"orderbook_delta","sid":2,"seq":2,"msg":{}}}',
            "line 3: ",
        ),
    ],
)
def test_a_corrupt_line_is_refused_with_its_number(recorded: RecordedSession, line: str, why: str) -> None:
    recorded.lines.append(line)
    assert why in refusal(recorded)


def test_a_missing_frame_is_refused(recorded: RecordedSession) -> None:
    recorded.seq += 1
    recorded.delta(-9, "yes", "0.3900", "1.00")
    assert "line 3: number 3 after 1: frames are missing" in refusal(recorded)


def test_a_level_below_nothing_is_refused(recorded: RecordedSession) -> None:
    recorded.delta(-9, "yes", "0.3900", "-5.01")
    assert f"line 3: a level of {FIRST} falls below nothing" in refusal(recorded)


def test_a_market_that_the_description_does_not_know_is_refused(recorded: RecordedSession) -> None:
    recorded.delta(-9, "yes", "0.3900", "1.00", ticker="KXBTC15M-26MAY110900-00")
    assert "line 3: KXBTC15M-26MAY110900-00 is not among the markets" in refusal(recorded)


def test_a_broken_spot_row_is_refused_with_its_number(recorded: RecordedSession) -> None:
    recorded.spot(-9, "81100.10")
    recorded.spot(-8, "none")
    assert "coinbase_matches.csv line 3: not a trade" in refusal(recorded)


def test_a_window_opens_when_its_description_says(recorded: RecordedSession) -> None:
    recorded.markets[0]["open_time"] = "2026-05-11T11:30:00Z"
    first, second = open_recording(recorded.write()).windows
    assert (first.close_ms - first.open_ms, second.close_ms - second.open_ms) == (3_600_000, 900_000)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("strike_type", "less", f"strike_type less of {FIRST} cannot be served"),
        ("strike_type", "more", "strike_type"),
        ("open_time", "2026-05-11T12:30:00Z", f"of {FIRST} is not before its close_time"),
    ],
)
def test_a_window_of_another_kind_is_refused_by_name(
    recorded: RecordedSession, name: str, value: str, told: str
) -> None:
    recorded.markets[0][name] = value
    assert told in refusal(recorded)


def test_a_session_without_its_description_is_refused(recorded: RecordedSession) -> None:
    (recorded.write() / "session.json").unlink()
    with pytest.raises(BadSession, match=r"has no session\.json"):
        open_recording(recorded.folder)


def test_an_order_status_is_known_after_the_close(recorded: RecordedSession) -> None:
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-5)
    order = played.order("bid", 3_000, 100)
    played.to(0.3)
    assert order.status is OrderStatus.CANCELED
