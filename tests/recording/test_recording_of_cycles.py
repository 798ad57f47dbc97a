"""A cycle comes out of a recording exactly as it went in, whatever was cut, lost or refused on the way."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from recio.clock import Clock
from recio.errors import BadRecording
from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketBoard, MarketEnded
from recio.recording.decode import Segment, is_own_recording, segments_under
from recio.recording.encode import Encoder, lost
from recio.recording.segments import Segments
from recio.replay.decisions import as_json, as_text, decide_again
from recio.rules.decision.cycles import Cycle, EntryCycle, ExitCycle, of_entry, of_exit
from recio.rules.decision.entry import EntryInputs
from recio.rules.decision.exit import NOTHING
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection, ExitSection
from recio.tasks.recorder import Recorder
from recio.units import Price, Ticker, money
from recio.wires import RingBuffer
from tests.builders import NOW, account, board, book, market, open_trades, price, prices, section, trade, view

ENTRY = section(
    EntrySection,
    enabled=True,
    max_entries_per_market=None,
    min_price_dollars=Decimal("0.05"),
    min_edge_dollars=Decimal("0.015"),
)
EXIT, LIMITS = ExitSection(stop_probability=0.4), section(RiskSection, price_collar_dollars=Decimal("0.0725"))
CLOSES = NOW + timedelta(minutes=13)
TICKERS = [Ticker(f"KXBTCD-26NOV2312-T{83_000 + 250 * each}") for each in range(9)]


STRATEGY = Strategy(entry=ENTRY, exit=EXIT, budget=money("40"))
SHADOW = Strategy(name="bold", stage=Stage.SHADOW, entry=ENTRY, exit=EXIT)


def encoder() -> Encoder:
    return Encoder(
        limits=LIMITS,
        strategies=(STRATEGY, SHADOW),
        symbols=("BTC",),
    )


def history(cycles: int, seed: int = 3) -> Iterator[Cycle]:
    """Cycles over a ladder whose books, prices, trades and account change as they do live: some of them, now and then."""
    dice, trades, held, spot = random.Random(seed), open_trades(), account(), 84_000.0
    shadows = open_trades(trades=(trade(strategy="bold"),))
    views = {
        each: view(market(ticker=each, floor_strike=Decimal(each.rpartition("T")[2]), close_time=CLOSES))
        for each in TICKERS
    }
    for number in range(cycles):
        now = NOW + timedelta(seconds=number, microseconds=dice.randrange(1_000_000))
        spot += dice.gauss(0, 15)
        for each in dice.sample(TICKERS, 2):
            bid = dice.randrange(500, 9_000, 100)
            empty = dice.random() < 0.1
            views[each] = replace(
                views[each],
                book=None if empty else book(bid, bid + 200),
                why_no_book="waits for a whole snapshot" if empty else "",
            )
        at = now - timedelta(milliseconds=dice.randrange(900))
        shown = tuple(
            replace(each, book_at=None if each.book is None else at if dice.random() < 0.9 else now)
            for each in list(views.values())[: dice.randrange(1, 10)]
        )
        seen_board = MarketBoard(markets=shown, venue=board().venue, clock_offset=dice.random())
        spoken = price(f"{spot:.2f}", volatility=dice.random() / 10_000)
        spoken = replace(spoken, tick=replace(spoken.tick, at=now, received_at=now), heard_at=now)
        seen_prices = prices(spoken)
        trades = open_trades(orders_last_minute=number % 45) if dice.random() < 0.2 else trades
        held = account(reconciled_at=now) if dice.random() < 0.2 else held
        seen = EntryInputs(
            board=None if number == 0 else seen_board,
            prices=seen_prices,
            trades=trades,
            account=held,
            controls=TradingControls() if number > 1 else None,
        )
        yield of_entry(seen, STRATEGY, LIMITS, now)[1]
        if dice.random() < 0.3:
            yield of_entry(replace(seen, trades=shadows), SHADOW, LIMITS, now)[1]
        if dice.random() < 0.5:
            of = trade(ticker=dice.choice(TICKERS))
            yield of_exit(of, seen_board, seen_prices, TradingControls(), NOTHING, STRATEGY, now)


def segments(folder: Path, **changes: object) -> Segments:
    usual = Segments(
        folder=folder,
        longest=timedelta(minutes=5),
        keep=timedelta(days=1),
        keep_bytes=10_000_000,
    )
    return replace(usual, **changes)


def kept(folder: Path, cycles: list[Cycle]) -> list[Path]:
    """Written as the daemon does, ten cycles in a batch."""
    files, speaks = segments(folder), encoder()
    for at in range(0, len(cycles), 10):
        now = cycles[at].at
        lines = b""
        if files.must_begin(now):
            files.begin(now)
            lines = speaks.begin(now)
        files.append(lines + b"".join(map(speaks.cycle, cycles[at : at + 10])))
    return sorted(folder.iterdir())


def test_every_cycle_comes_back_equal_and_is_decided_the_same(tmp_path: Path):
    cycles = list(history(700))
    assert any(isinstance(getattr(each, "outcome", None), OpenIntent) for each in cycles)
    assert len(kept(tmp_path, cycles)) == 3
    assert [each for segment in segments_under([tmp_path]) for each in segment.cycles()] == cycles
    found = decide_again([tmp_path], None)
    assert found.entry_cycles + found.exit_cycles == len(cycles)
    assert (found.different, found.lost, found.cut) == (0, 0, [])
    assert found.intents > 10
    assert f"{len(cycles):,} come out the same, 0 do not" in as_text(found)


EVERY_GATE_SET = Strategy(
    entry=EntrySection.model_validate(
        {
            "contracts": Decimal("12.34"),
            "sizing": "kelly",
            "kelly_bankroll_dollars": Decimal("1234567.654321"),
            "min_probability": 0.55,
            "max_spread_dollars": Decimal("0.0375"),
            "min_depth_contracts": Decimal("0.01"),
            "spike_trigger_bp": 36.5,
        }
    ),
    exit=ExitSection.model_validate(
        {
            "hard_stop_probability": 0.1,
            "stop_price_dollars": Decimal("0.0001"),
            "take_profit_dollars": Decimal("0.9999"),
            "momentum_stop_bp": 36.5,
            "time_stop_seconds_to_close": 120.5,
            "min_floor_dollars": Decimal("0.01"),
        }
    ),
    budget=money("40.000001"),
)
EVERY_GATE_OFF = Strategy(
    name="bold",
    entry=EntrySection.model_validate({"max_entries_per_market": "off"}),
    exit=ExitSection.model_validate({"stop_probability": "off"}),
)


def test_settings_come_back_exactly_with_every_gate_set_and_with_every_gate_off(tmp_path: Path):
    files = segments(tmp_path)
    files.begin(NOW)
    limits = RiskSection.model_validate({"max_open_cost_dollars": Decimal("9999999.999999")})
    strategies = (EVERY_GATE_SET, EVERY_GATE_OFF)
    files.append(Encoder(limits=limits, strategies=strategies, symbols=("BTC",)).begin(NOW))
    (segment,) = segments_under([tmp_path])
    assert list(segment.cycles()) == []
    assert segment.settings is not None
    assert segment.settings.risk == limits
    for strategy in strategies:
        read = segment.settings.strategies[strategy.name]
        assert (read.entry, read.exit, read.model) == (strategy.entry, strategy.exit, strategy.model_settings)
        assert read.budget_dollars == strategy.budget
    gates = {
        *EVERY_GATE_OFF.entry.model_dump().items(),
        *EVERY_GATE_OFF.exit.model_dump().items(),
    }
    assert sum(value == "off" for _, value in gates) == 13
    assert "off" not in EVERY_GATE_SET.entry.model_dump().values()
    assert "off" not in EVERY_GATE_SET.exit.model_dump().values()


def test_a_segment_is_read_without_the_one_before_it(tmp_path: Path):
    cycles = list(history(700))
    _, second, third = kept(tmp_path, cycles)
    assert [each for path in (second, third) for each in Segment(path).cycles()] == cycles[
        -len_of(second, third) :
    ]


def len_of(*paths: Path) -> int:
    return sum(1 for path in paths for _ in Segment(path).cycles())


def test_a_cycle_that_would_come_out_otherwise_is_told(tmp_path: Path):
    cycles = list(history(60))
    intent = next(
        at for at, each in enumerate(cycles) if isinstance(getattr(each, "outcome", None), OpenIntent)
    )
    cycle = cycles[intent]
    outcome = getattr(cycle, "outcome")  # noqa: B009 - one of two kinds of cycle
    cycles[intent] = replace(cycle, outcome=replace(outcome, limit=Price(outcome.limit + 1)))
    kept(tmp_path, cycles)
    found = decide_again([tmp_path], None)
    assert found.different == 1
    (told,) = as_json(found)["differences"]
    assert f"up to {outcome.limit + 1}" in told["was"]
    assert f"up to {outcome.limit}:" in told["now"]


def test_what_a_kill_cut_off_is_said_and_the_rest_is_read(tmp_path: Path):
    cycles = list(history(40))
    (path,) = kept(tmp_path, cycles)
    path.write_bytes(path.read_bytes()[:-20])
    segment = Segment(path)
    whole = list(segment.cycles())
    assert segment.cut
    assert whole == cycles[: len(whole)]
    assert len(whole) >= len(cycles) - 10
    assert "the daemon was killed" in as_text(decide_again([path], None))


def test_cycles_that_were_not_kept_are_counted_and_break_nothing(tmp_path: Path):
    cycles = list(history(30))
    files, speaks = segments(tmp_path), encoder()
    files.begin(NOW)
    files.append(speaks.begin(NOW) + b"".join(map(speaks.cycle, cycles[:10])))
    files.append(lost(7) + b"".join(map(speaks.cycle, cycles[17:])))
    found = decide_again([tmp_path], None)
    assert (found.lost, found.different) == (7, 0)
    assert found.entry_cycles + found.exit_cycles == len(cycles) - 7


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b'{"kind":"lost","cycles":1}\n', "begins with its settings"),
        (b"nonsense\n", "line 1: not a line of a recording"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path, lines: bytes, told: str):
    path = tmp_path / "a.recording.gz"
    path.write_bytes(gzip.compress(lines))
    with pytest.raises(BadRecording, match=told):
        list(Segment(path).cycles())


def test_a_later_form_is_refused_and_not_guessed(tmp_path: Path):
    path = tmp_path / "a.recording.gz"
    path.write_bytes(gzip.compress(encoder().begin(NOW).replace(b'"form":3', b'"form":4')))
    with pytest.raises(BadRecording, match="form 4"):
        list(Segment(path).cycles())


def test_old_segments_go_when_there_are_too_many_bytes_and_the_newest_stay(tmp_path: Path):
    files = segments(tmp_path, keep_bytes=3_000, longest=timedelta(0))
    for number in range(8):
        files.begin(NOW + timedelta(minutes=number))
        files.append(random.Random(number).randbytes(1_000))
    names = [each.name for each in sorted(tmp_path.iterdir())]
    assert len(names) == 3
    assert names[-1].startswith("20261123T120700")


def test_a_segment_is_readable_by_its_owner_only(tmp_path: Path):
    (path,) = kept(tmp_path, list(history(3)))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_segment_its_folder_and_the_data_directory_are_known_as_a_recording(tmp_path: Path):
    folder = tmp_path / "recording"
    (path,) = kept(folder, list(history(3)))
    for each in (path, folder, tmp_path):
        assert is_own_recording(each)
        assert [segment.path for segment in segments_under([each])] == [path]
    assert not is_own_recording(tmp_path.parent)


def test_a_quiet_market_takes_few_bytes(tmp_path: Path):
    """Of nine markets two change in a cycle: the rest is not written again."""
    speaks, first, *later = encoder(), *list(history(200))
    speaks.cycle(first)
    lengths = [len(speaks.cycle(each)) for each in later]
    whole = [len(encoder().cycle(each)) for each in later]
    assert sum(lengths) < 0.7 * sum(whole)


async def test_what_a_full_disk_refused_is_written_down_as_lost_when_there_is_room_again(tmp_path: Path):
    cycles = [each for each in history(30) if isinstance(each, EntryCycle)]
    wire, none = RingBuffer[EntryCycle](256), RingBuffer[ExitCycle](256)
    folder = tmp_path / "recording"
    folder.write_text("a file where the folder should be")
    recorder = Recorder(
        clock=Clock(),
        encoder=encoder(),
        segments=segments(folder),
        entry_cycles=wire,
        exit_cycles=(none,),
        market_ends=RingBuffer[MarketEnded](256),
    )
    said: list[str] = []
    for each in cycles[:10]:
        wire.put(each)
    async with anyio.create_task_group() as group:
        group.start_soon(recorder.run, said.append)
        while not any("cannot write" in each for each in said):  # noqa: ASYNC110 - said, not signalled
            await anyio.sleep(0.01)
        folder.unlink()
        for each in cycles[10:]:
            wire.put(each)
        group.cancel_scope.cancel()
    found = decide_again([folder], None)
    assert (found.entry_cycles, found.lost, found.different) == (len(cycles) - 10, 10, 0)
