"""The daemon's own recording can be traded by other settings, and never better than what stood in its books."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recio.clock import Clock
from recio.errors import BadRecording
from recio.messages.markets import BookView, Market, MarketEnded, MarketView, StrikeType
from recio.recording.decode import Segment
from recio.recording.encode import Encoder, ended
from recio.recording.segments import Segments
from recio.replay.report import as_json, as_text
from recio.replay.run import replay
from recio.rules.decision.cycles import Cycle, EntryCycle, EntryLook
from recio.rules.decision.entry import Waits
from recio.rules.decision.strategy import Strategy
from recio.rules.market import market_board
from recio.rules.market.order_book import DEPTH_SHOWN
from recio.rules.pricing.model import AVERAGE
from recio.score.sessions import from_sessions
from recio.settings.config import Config
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection, ExitSection
from recio.tasks.recorder import Recorder
from recio.times import time_text
from recio.units import Price, Quantity, Side, Ticker
from recio.wires import RingBuffer
from tests.builders import NOW, TICKER, account, board, market, open_trades, price, prices, section

STRIKE = Decimal("84000.00")
ONCE = Config()
IN_AND_OUT = section(ExitSection, take_profit_dollars=Decimal("0.45"))
"""Sells at once to whoever bids 0.49."""
RESTLESS = EntrySection(max_entries_per_market=None, cooldown_seconds=0, only_what_exit_keeps=False)


def asked(*levels: tuple[int, int], bid: int = 3_000) -> BookView:
    """YES is bid at `bid` and asked at these (price, size)."""
    asks = tuple((Price(at), Quantity(size)) for at, size in levels)
    return BookView(bids=((Price(bid), Quantity(5_000)),), asks=asks)


@dataclass
class Written:
    """Cycles of an entry that wanted nothing, at a price well above the strike."""

    folder: Path
    cycles: list[bytes] = field(default_factory=list[bytes])
    encoder: Encoder = field(
        default_factory=lambda: Encoder(
            limits=RiskSection(), strategies=(Strategy(entry=EntrySection()),), symbols=("BTC",)
        )
    )

    def __post_init__(self) -> None:
        self.cycles.append(self.encoder.begin(NOW))

    def cycle(
        self, second: float, book: BookView | None, *, of: Iterable[Market] = (), spot: str = "84100.00"
    ) -> None:
        now = NOW + timedelta(seconds=second)
        views = [MarketView(market=each, book=book) for each in of or (market(floor_strike=STRIKE),)]
        minute = tuple((int(now.timestamp()) - back, Decimal(spot)) for back in range(60, 0, -1))
        spoken = price(spot)
        spoken = replace(
            spoken, tick=replace(spoken.tick, at=now, received_at=now), heard_at=now, last_minute=minute
        )
        look = EntryLook(
            at=now,
            tickers=None,
            board=market_board.everything(board(*views, heard_at=now)),
            prices=prices(spoken),
            trades=open_trades(),
            paper={},
            account=account(),
            controls=None,
        )
        waits = Waits(gate="switch", sentence="entry is switched off")
        self.cycles.append(self.encoder.cycle(EntryCycle(look=look, outcomes={"average": waits})))

    def ended(
        self, result: Side | None, ticker: Ticker = TICKER, second: float = 0, value: Price | None = None
    ) -> None:
        heard_at = NOW + timedelta(seconds=second)
        self.cycles.append(ended(MarketEnded(ticker=ticker, result=result, heard_at=heard_at, value=value)))

    def write(self) -> Path:
        files = Segments(
            folder=self.folder, longest=timedelta(hours=1), keep=timedelta(days=1), keep_bytes=10_000_000
        )
        for path in self.folder.glob("*"):
            path.unlink()
        files.begin(NOW)
        files.append(b"".join(self.cycles))
        return self.folder

    def traded(self, config: Config = ONCE) -> dict[str, Any]:
        return as_json(replay([self.write()], config))


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "recording")


def bought(found: dict[str, Any]) -> list[str]:
    return [each["quantity"] for each in found["trades"]]


def test_an_order_gets_what_is_shown_when_it_arrives_and_no_more(written: Written):
    written.cycle(0, asked((5_000, 700)))
    written.cycle(0.05, asked((5_000, 300), (5_300, 9_000)))
    written.cycle(0.2, asked((5_000, 9_000)))
    found = written.traded()
    assert bought(found) == ["3.00"]
    assert "less was there when the order arrived" in found["trades"][0]["notes"][0]


def test_what_changes_after_an_order_has_arrived_concerns_it_no_more(written: Written):
    written.cycle(0, asked((5_000, 700)))
    written.cycle(0.2, asked((5_300, 9_000)))
    assert bought(written.traded()) == ["7.00"]


def test_an_offer_that_was_gone_when_the_order_arrived_is_not_bought(written: Written):
    written.cycle(0, asked((5_000, 9_000)))
    written.cycle(0.05, asked((5_300, 9_000)))
    written.cycle(1, asked((5_300, 9_000)))
    assert bought(written.traded()) == ["0.00"]


def test_an_offer_that_came_while_the_order_was_under_way_is_bought_at_its_own_price(written: Written):
    written.cycle(0, asked((5_000, 100)))
    written.cycle(0.05, asked((4_900, 300), (5_000, 100)))
    written.cycle(1, asked((4_900, 300), (5_000, 100)))
    (trade,) = written.traded()["trades"]
    assert (trade["quantity"], trade["entry_price"]) == ("1.00", "0.490000")


@pytest.mark.parametrize(
    ("after", "why"),
    [(0.05, "not usable"), (3_600.0, "no book was recorded")],
    ids=["no whole book", "a hole"],
)
def test_without_a_book_when_it_arrives_an_order_gets_nothing(written: Written, after: float, why: str):
    closes = NOW + timedelta(hours=2)
    offered = [market(floor_strike=STRIKE, close_time=closes)]
    settings = Config(entry=EntrySection(max_seconds_to_close=8_000))
    written.cycle(0, asked((5_000, 9_000)), of=offered)
    written.cycle(after, None if after < 1 else asked((5_000, 9_000)), of=offered)
    written.cycle(after + 1, None, of=offered)
    found = written.traded(settings)
    assert bought(found)[0] == "0.00"
    assert why in found["trades"][0]["notes"][0]


def test_an_order_that_no_cycle_followed_got_nothing(written: Written):
    written.cycle(0, asked((5_000, 9_000)))
    found = written.traded()
    assert bought(found) == ["0.00"]
    assert "ended before the order arrived" in found["trades"][0]["notes"][0]


def test_the_same_offer_is_not_bought_twice(written: Written):
    again = Config(exit=IN_AND_OUT, entry=RESTLESS)
    for second in range(30):
        written.cycle(second, asked((5_000, 1_500), bid=4_900))
    assert [each for each in bought(written.traded(again)) if each != "0.00"] == ["10.00", "5.00"]


def test_a_level_that_fell_out_of_what_is_shown_is_not_offered_anew(written: Written):
    deep = RESTLESS.model_copy(update={"min_depth_contracts": Quantity(500)})
    better = [(3_900 + 100 * each, 1) for each in range(DEPTH_SHOWN)]
    for second in range(12):
        behind = 6 <= second < 9
        written.cycle(second, asked(*better, bid=3_800) if behind else asked((5_000, 1_000), bid=4_900))
    assert bought(written.traded(Config(exit=IN_AND_OUT, entry=deep))) == ["10.00"]


def test_other_settings_trade_otherwise_on_the_same_recording(written: Written):
    for second in range(3):
        written.cycle(second, asked((5_000, 9_000)))
    assert bought(written.traded()) == ["10.00"]
    dear = Config(entry=section(EntrySection, min_edge_dollars=Decimal("0.90")))
    assert bought(written.traded(dear)) == []
    assert written.traded(dear)["decision_reasons"] == {"edge": 3}


def after_close(written: Written, spot: str = "84100.00", *, next_strike: str | None = None) -> None:
    """Bought at once, and then cycle by cycle to half a minute after the close, with or without a window that follows."""
    closes = NOW + timedelta(minutes=2)
    first = market(floor_strike=STRIKE, close_time=closes)
    for second in range(150):
        later = second >= 120
        book = asked((9_990, 100)) if later else asked((5_000, 9_000))
        written.cycle(second, book, of=[following(next_strike) if later else first], spot=spot)


def following(strike: str | None) -> Market:
    """The window after the first; without a strike where the venue has not set it."""
    opens = NOW + timedelta(minutes=2)
    return market(
        ticker=Ticker("KXBTC15M-26NOV230730-30"),
        event_ticker="KXBTC15M-26NOV230730",
        strike_type=StrikeType.UNSET if strike is None else StrikeType.GREATER_OR_EQUAL,
        floor_strike=None if strike is None else Decimal(strike),
        open_time=opens,
        close_time=opens + timedelta(minutes=15),
    )


@pytest.mark.parametrize("result", list(Side))
def test_a_trade_is_settled_by_what_the_venue_said_and_not_by_the_price(written: Written, result: Side):
    after_close(written)
    written.ended(result)
    found = written.traded()
    (trade,) = found["trades"]
    window = next(each for each in found["windows"] if each["ticker"] == TICKER)
    assert window["recorded_result"] == trade["result"] == result.value
    assert (Decimal(trade["pnl"]) > 0) is (result is Side.YES)


def test_where_neither_side_won_a_recorded_trade_is_paid_the_value_of_its_contracts(written: Written):
    after_close(written)
    written.ended(None, value=Price(3_300))
    found = written.traded()
    (trade,) = found["trades"]
    paid = Decimal(trade["quantity"]) * Decimal("0.33")
    assert (trade["result"], trade["ended_by"], Decimal(trade["payout"])) == (None, "settlement", paid)


def test_a_trade_is_held_until_its_end_was_heard(written: Written):
    after_close(written)
    written.ended(Side.YES, second=135)
    (trade,) = written.traded()["trades"]
    assert trade["closed_at"] == time_text(NOW + timedelta(seconds=135))


def test_without_the_venues_word_the_next_strike_settles(written: Written):
    after_close(written, next_strike="83999.99")
    (trade,) = written.traded()["trades"]
    assert trade["result"] == "no"


def test_a_strike_that_was_recorded_outlives_a_file_that_does_not_know_it_yet(written: Written):
    """A start a second later may read a list from before the strike was set, and its file ends before the next one."""
    after_close(written, next_strike="83999.99")
    segments = Segments(
        folder=written.write(), longest=timedelta(hours=1), keep=timedelta(days=1), keep_bytes=10_000_000
    )
    again = Written(written.folder)
    again.cycle(151, None, of=[following(None)])
    segments.begin(NOW + timedelta(seconds=151))
    segments.append(b"".join(again.cycles))
    (trade,) = as_json(replay([written.folder], ONCE))["trades"]
    assert trade["result"] == "no"


def test_without_either_nothing_is_settled_whatever_the_prices_say(written: Written):
    after_close(written)
    found = written.traded()
    window = next(each for each in found["windows"] if each["ticker"] == TICKER)
    assert (window["settlement_source"], window["result"], window["proxy_seconds"]) == (None, None, 60)
    assert [each["result"] for each in found["trades"]] == [None]
    assert found["windows_without_result"] >= 1


@pytest.mark.parametrize("strikes", [(83_000, 84_000), (83_000,)])
def test_of_a_ladder_no_strike_is_the_value_of_the_hour_before(written: Written, strikes: tuple[int, ...]):
    closes = NOW + timedelta(minutes=2)
    now = [
        market(ticker=Ticker(f"KXBTCD-26NOV2312-T{each}"), floor_strike=Decimal(each), close_time=closes)
        for each in strikes
    ]
    ends = closes + timedelta(hours=1)
    later = [
        replace(each, ticker=Ticker(f"{each.ticker}-LATER"), open_time=closes, close_time=ends)
        for each in now
    ]
    written.cycle(0, None, of=[*now, *later])
    written.cycle(1, None, of=[*now, *later])
    found = written.traded()
    assert {each["next_strike"] for each in found["windows"]} == {None}


def test_what_was_said_of_a_market_later_corrects_what_was_said_first(written: Written):
    after_close(written)
    written.ended(Side.YES)
    written.ended(Side.NO)
    assert [each["result"] for each in written.traded()["trades"]] == ["no"]


def test_a_recording_is_scored_against_the_market_with_its_own_ends(written: Written):
    after_close(written)
    written.ended(Side.YES)
    seen = from_sessions([written.write()], ONCE, AVERAGE, {"average": AVERAGE})
    assert len(seen.observations) >= 120 // 15
    assert all(each.yes for each in seen.observations if each.market == TICKER)
    assert {"market", "average"} <= seen.observations[0].probabilities.keys()
    assert [each.result for each in seen.trades] == [Side.YES]


def test_the_report_tells_what_kind_of_recording_it_was(written: Written):
    after_close(written)
    written.ended(Side.YES)
    told = as_text(replay([written.write()], ONCE))
    assert "1 recording of recio's own" in told
    assert "2 markets, the end of 1 recorded" in told
    assert "messages" not in told


def test_a_recording_without_a_single_cycle_is_refused(written: Written):
    with pytest.raises(BadRecording, match="holds no cycle"):
        written.traded()


def test_a_recording_of_the_form_before_is_refused_with_what_to_do(written: Written):
    written.cycle(0, asked((5_000, 9_000)))
    written.cycle(1, asked((5_000, 9_000)))
    written.cycles[0] = written.cycles[0].replace(b'"form":6', b'"form":5')
    assert json.loads(written.cycles[0])["form"] == 5
    with pytest.raises(
        BadRecording, match=r"form 5, written by recio .*: replay it with the version that wrote it"
    ):
        written.traded()


async def test_the_recorder_keeps_the_ends_of_markets(tmp_path: Path):
    wire = RingBuffer[MarketEnded](16)
    written = Written(tmp_path / "unused")
    recorder = Recorder(
        clock=Clock(),
        encoder=written.encoder,
        segments=Segments(
            folder=tmp_path / "recording",
            longest=timedelta(hours=1),
            keep=timedelta(days=1),
            keep_bytes=10_000_000,
        ),
        cycles=RingBuffer[Cycle](16),
        market_ends=wire,
    )
    wire.put(MarketEnded(ticker=TICKER, result=Side.NO, heard_at=NOW))
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        raise Interrupted

    with pytest.raises(Interrupted):
        await recorder.run(say)
    (path,) = (tmp_path / "recording").iterdir()
    segment = Segment(path)
    assert list(segment.decisions()) == []
    assert segment.ends[TICKER].result is Side.NO


class Interrupted(Exception):
    """Ends a recorder after its first batch."""
