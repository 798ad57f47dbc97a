"""A cycle comes out of a recording exactly as it went in, whatever was cut, lost or refused on the way."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace as changed

from recio.board_wire import BoardWire
from recio.clock import Clock
from recio.errors import BadRecording
from recio.messages.controls import Halt, HaltLevel, TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketBoard, MarketEnded, MarketView
from recio.messages.orders import OpenTrades, OrderState, OrderView
from recio.messages.prices import FinalMinute, PriceView
from recio.recording.awaited_ends import AwaitedEnds
from recio.recording.decode import (
    ENDING,
    EntryKept,
    ExitKept,
    Kept,
    Segment,
    is_own_recording,
    segments_under,
)
from recio.recording.encode import Encoder, lost
from recio.recording.segments import Segments
from recio.replay.decisions import as_json, as_text, decide_again
from recio.rules.account.lifecycle import RECENT
from recio.rules.decision.attention import Attention
from recio.rules.decision.cycles import Cycle, EntryCycle, EntryLook, ExitCycle, entered, of_exit
from recio.rules.decision.entry import Waits
from recio.rules.decision.exit import NOTHING
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection, ExitSection
from recio.tasks import recorder as recorder_task
from recio.tasks.recorder import Recorder
from recio.units import ClientOrderId, Price, Quantity, Side, Ticker, TradeId, money
from recio.wires import RingBuffer
from tests.builders import (
    NOW,
    TRADING,
    account,
    board,
    book,
    market,
    open_trades,
    order,
    price,
    prices,
    section,
    trade,
    view,
)
from tests.kalshi.local_venue import by_path, local_venue

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


@dataclass(frozen=True, kw_only=True)
class Told:
    """A decision, and the whole board as it was then."""

    cycle: Cycle
    board: dict[Ticker, MarketView] | None

    @property
    def at(self) -> datetime:
        return self.cycle.look.at


def _known_in_part(spoken: PriceView, dice: random.Random) -> PriceView:
    """With whatever may be said of what is not known."""
    second = int(spoken.tick.at.timestamp())
    final = FinalMinute(closes_at=900, until=second, count=dice.randrange(60), mean=spoken.tick.price)
    return replace(
        spoken,
        error=dice.choice((0.0, dice.random() / 1_000)),
        basis_error=dice.choice((0.0001, 0.0002)),
        prints=tuple(each for each in spoken.last_minute if each[0] % 3),
        final_minute=dice.choice((None, final)),
        unmeasured=dice.choice(((), ((0, second - 100),))),
        doubt=dice.choice(("", "too far apart")),
    )


def history(cycles: int, seed: int = 3) -> Iterator[Told]:
    """Decisions over a ladder whose books, prices, trades and account change as they do live: some of them, now and then."""
    dice, trades, held, spot = random.Random(seed), open_trades(), account(), 84_000.0
    wire, attention = BoardWire(), Attention()
    watch, memory = wire.watch(), NOTHING
    shadows: Mapping[str, OpenTrades] = {"bold": open_trades(trades=(trade(strategy="bold"),))}
    views = {
        each: view(market(ticker=each, floor_strike=Decimal(each.rpartition("T")[2]), close_time=CLOSES))
        for each in TICKERS
    }
    controls, minute = TradingControls(), ()
    made: tuple[OrderView, ...] = ()
    for number in range(cycles):
        now = NOW + timedelta(seconds=number, microseconds=dice.randrange(1_000_000))
        spot += dice.gauss(0, 15)
        if number and number % 40 == 1:
            wire.lay_out(views[each] for each in TICKERS[: dice.randrange(4, 10)])
        for each in dice.sample(TICKERS, 2) if number else ():
            views[each] = _another(views[each], dice)
            if each in (wire.get() or board()).by_ticker:
                wire.put(views[each])
        if number:
            at = now - timedelta(milliseconds=dice.randrange(900))
            wire.publish(venue=TRADING, heard_at=at, clock_offset=dice.choice((None, dice.random())))
        minute = (*minute, (int(now.timestamp()), Decimal(f"{spot:.2f}")))[-60:]
        spoken = price(f"{spot:.2f}", volatility=dice.random() / 10_000)
        spoken = replace(
            spoken, tick=replace(spoken.tick, at=now, received_at=now), heard_at=now, last_minute=minute
        )
        spoken = _known_in_part(spoken, dice)
        if dice.random() < 0.2:
            made = _newest(made, number, now, dice)
            trades = open_trades(orders_last_minute=number % 45, recent_orders=made)
        held = account(reconciled_at=now) if dice.random() < 0.2 else held
        shown, seen_prices = wire.get(), prices(spoken)
        look = attention.look(
            EntryLook(
                at=now,
                tickers=None,
                board=None if shown is None else watch.take(shown),
                prices=seen_prices,
                trades=trades,
                paper=shadows,
                account=held,
                controls=controls if number > 1 else None,
            ),
            shown,
        )
        attention.next_at = now + timedelta(seconds=dice.choice((0.5, 5)))
        outcomes = entered(look, shown, (STRATEGY, SHADOW), LIMITS)
        everything = None if shown is None else dict(shown.by_ticker)
        yield Told(cycle=EntryCycle(look=look, outcomes=outcomes), board=everything)
        if dice.random() < 0.5:
            of = trade(ticker=dice.choice(TICKERS))
            sold = of_exit(of, shown, seen_prices, controls, memory, STRATEGY, now)
            memory = sold.decided.remembered
            yield Told(cycle=sold, board=everything)


def _newest(
    made: tuple[OrderView, ...], number: int, now: datetime, dice: random.Random
) -> tuple[OrderView, ...]:
    """One more order, newest first, and an end for the one before; the venue refuses some."""
    state = dice.choice((OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED))
    note = "rejected: insufficient_balance" if state is OrderState.REJECTED else ""
    before = tuple(replace(each, state=state, note=note, ended_at=now) for each in made[:1])
    name = ClientOrderId(f"recio-0000000a-{number}-entry-1")
    later = order(client_order_id=name, trade_id=TradeId(number), ticker=dice.choice(TICKERS), created_at=now)
    return (later, *before, *made[1:])[:RECENT]


def _another(shown: MarketView, dice: random.Random) -> MarketView:
    if dice.random() < 0.1:
        return changed(shown, book=None, why_no_book="waits for a whole snapshot")
    bid, deep = dice.randrange(1_500, 9_000, 100), dice.randrange(1, 11)
    levels = changed(
        book(bid, bid + 200),
        bids=tuple((Price(bid - 100 * each), Quantity(dice.randrange(1, 900))) for each in range(deep)),
    )
    return changed(shown, book=levels, why_no_book="")


def encoded(speaks: Encoder, told: Iterable[Told]) -> bytes:
    return b"".join(speaks.cycle(each.cycle) for each in told)


def assert_equal(kept: Kept, told: Told, board: MarketBoard | None) -> None:
    """To the last bit: what was seen, the whole board, and what came of it."""
    cycle = told.cycle
    if isinstance(cycle, ExitCycle):
        assert isinstance(kept, ExitKept)
        assert changed(kept.look, board=None) == changed(cycle.look, board=None)
        assert kept.look.board == cycle.look.board
        assert kept.after == cycle.decided.remembered
        return
    assert isinstance(kept, EntryKept)
    seen = (kept.look.at, kept.look.tickers, kept.look.prices, kept.look.trades, kept.look.account)
    look = cycle.look
    assert seen == (look.at, look.tickers, look.prices, look.trades, look.account)
    assert (kept.look.paper, kept.look.controls) == (look.paper, look.controls)
    assert (None if board is None else list(board.by_ticker.items())) == (
        None if told.board is None else list(told.board.items())
    )
    if board is not None and look.board is not None:
        was = (look.board.venue, look.board.heard_at, look.board.clock_offset)
        assert (board.venue, board.heard_at, board.clock_offset) == was


def read_back(paths: Iterable[Path]) -> Iterator[tuple[Kept, MarketBoard | None]]:
    for path in paths:
        segment = Segment(path)
        for kept in segment.decisions():
            yield kept, segment.board


def segments(folder: Path, **changes: object) -> Segments:
    usual = Segments(
        folder=folder,
        longest=timedelta(minutes=5),
        keep=timedelta(days=1),
        keep_bytes=10_000_000,
    )
    return replace(usual, **changes)


def kept(folder: Path, cycles: list[Told]) -> list[Path]:
    """Written as the daemon does, ten cycles in a batch."""
    files, speaks = segments(folder), encoder()
    for at in range(0, len(cycles), 10):
        now = cycles[at].at
        lines = b""
        if files.must_begin(now):
            files.begin(now)
            lines = speaks.begin(now)
        files.append(lines + encoded(speaks, cycles[at : at + 10]))
    return sorted(folder.iterdir())


def _sentences(told: Told) -> str:
    outcomes = told.cycle.outcomes.values() if isinstance(told.cycle, EntryCycle) else ()
    return " ".join(each.sentence for each in outcomes if isinstance(each, Waits))


def test_every_cycle_comes_back_equal_and_is_decided_the_same(tmp_path: Path):
    cycles = list(history(700))
    paths = kept(tmp_path, cycles)
    assert len(paths) == 3
    count = 0
    for (read, shown), told in zip(read_back(paths), cycles, strict=True):
        assert_equal(read, told, shown)
        count += isinstance(read, EntryKept) and read.look.tickers is not None
    assert 100 < count < 600
    seen_orders = [
        each.cycle.look.trades.recent_orders
        for each in cycles
        if isinstance(each.cycle, EntryCycle) and each.cycle.look.trades is not None
    ]
    assert max(map(len, seen_orders)) == RECENT
    refused = [each for each in cycles if "the venue refused" in _sentences(each)]
    assert len(refused) > 10
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
    assert list(segment.decisions()) == []
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
    read = list(read_back((second, third)))
    assert len(read) > 300
    for path in (second, third):
        first, shown = next(read_back((path,)))
        told = next(each for each in cycles if each.at == first.look.at)
        if isinstance(first, EntryKept):
            assert_equal(first, told, shown)
    assert decide_again([second], None).different == decide_again([third], None).different == 0


def _exits_first(cycles: int, dice: random.Random) -> Iterator[Told]:
    """A board that is often laid out anew, and a flatten's sales that are decided before entry has looked at it."""
    wire, attention = BoardWire(), Attention()
    watch, spoken = wire.watch(), prices(price("84000"))
    halted = TradingControls(
        halts=(Halt(cause="asked for", since=NOW, by="me", resolution="look", level=HaltLevel.FLATTEN),)
    )
    for number in range(cycles):
        now = NOW + timedelta(seconds=number)
        if number == 0 or dice.random() < 0.2:
            listed = dice.sample(TICKERS, dice.randrange(2, 9))
            wire.lay_out(_another(view(market(ticker=each, close_time=CLOSES)), dice) for each in listed)
        shown = wire.publish(venue=TRADING, heard_at=now, clock_offset=None)
        for _ in range(dice.randrange(3)):
            sold = trade(ticker=dice.choice(TICKERS), closes_at=CLOSES)
            cycle = of_exit(sold, shown, spoken, halted, NOTHING, STRATEGY, now)
            yield Told(cycle=cycle, board=dict(shown.by_ticker))
        if dice.random() < 0.6:
            noticed = EntryLook(
                at=now,
                tickers=None,
                board=watch.take(shown),
                prices=spoken,
                trades=open_trades(),
                paper={},
                account=account(),
                controls=halted,
            )
            look = attention.look(noticed, shown)
            attention.next_at = now + timedelta(seconds=5)
            outcomes = entered(look, shown, (STRATEGY,), LIMITS)
            yield Told(cycle=EntryCycle(look=look, outcomes=outcomes), board=dict(shown.by_ticker))


@pytest.mark.parametrize("seed", range(3))
def test_an_exit_that_looked_before_entry_at_another_board_is_decided_the_same(tmp_path: Path, seed: int):
    dice = random.Random(seed)
    cycles = list(_exits_first(120, dice))
    files, speaks, at = segments(tmp_path), encoder(), 0
    while at < len(cycles):
        batch, now = cycles[at : at + dice.randrange(1, 9)], cycles[at].at + timedelta(microseconds=at)
        files.begin(now)
        files.append(speaks.begin(now) + encoded(speaks, batch))
        at += len(batch)
    for (read, shown), told in zip(read_back(sorted(tmp_path.iterdir())), cycles, strict=True):
        assert_equal(read, told, shown)
    found = decide_again([tmp_path], None)
    assert found.exit_cycles > 50
    assert found.different == 0


def test_a_cycle_that_would_come_out_otherwise_is_told(tmp_path: Path):
    cycles = list(history(60))
    number, name, outcome = next(
        (number, name, said)
        for number, each in enumerate(cycles)
        if isinstance(each.cycle, EntryCycle)
        for name, said in each.cycle.outcomes.items()
        if isinstance(said, OpenIntent)
    )
    cycle = cycles[number].cycle
    assert isinstance(cycle, EntryCycle)
    other = changed(
        cycle, outcomes={**cycle.outcomes, name: replace(outcome, limit=Price(outcome.limit + 1))}
    )
    cycles[number] = replace(cycles[number], cycle=other)
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
    whole = list(segment.decisions())
    assert segment.cut
    assert [each.look.at for each in whole] == [each.at for each in cycles[: len(whole)]]
    assert len(whole) >= len(cycles) - 10
    assert "the daemon was killed" in as_text(decide_again([path], None))


def test_a_segment_of_which_nothing_is_left_is_said_and_where_no_decision_is_nothing_comes_out_the_same(
    tmp_path: Path,
):
    (path,) = kept(tmp_path, list(history(20)))
    nothing = path.with_name(path.name.replace("T", "U"))
    nothing.touch()
    assert decide_again([tmp_path], None).cut == [nothing.name]
    path.unlink()
    with pytest.raises(BadRecording, match="holds no decision"):
        decide_again([tmp_path], None)


def test_a_recording_is_read_up_to_the_cut_wherever_it_was_cut(tmp_path: Path):
    files, speaks = segments(tmp_path), encoder()
    files.begin(NOW)
    files.append(speaks.begin(NOW))
    files.append(lost(1))
    files.append(lost(2) + lost(4))
    assert files.path is not None
    whole, cut, known = files.path.read_bytes(), tmp_path / "x.recording.gz", 0
    for length in range(len(whole) + 1):
        cut.write_bytes(whole[:length])
        segment = Segment(cut)
        assert list(segment.decisions()) == []
        assert segment.lost >= known, f"cut at {length}"
        known = segment.lost
    assert known == 7


def test_a_recording_that_is_cut_at_any_byte_is_read_up_to_the_cut(tmp_path: Path):
    """The last batch, its first byte included; what is no cut but garbage is refused."""
    speaks, files = encoder(), segments(tmp_path / "whole")
    files.begin(NOW)
    files.append(speaks.begin(NOW))
    assert files.path is not None
    first = len(files.path.read_bytes())
    files.append(lost(1))
    raw, part = files.path.read_bytes(), tmp_path / f"part{ENDING}"
    for size in range(first, len(raw) + 1):
        part.write_bytes(raw[:size])
        segment = Segment(part)
        assert list(segment.decisions()) == []
        assert segment.settings is not None, size
        assert segment.cut == (first < size < len(raw)) or segment.lost == 1, size
    part.write_bytes(raw + b"\x7f\x13")
    with pytest.raises(BadRecording):
        list(Segment(part).decisions())


@pytest.mark.parametrize("keeps_its_length", [True, False])
def test_what_a_loss_of_power_left_as_zeros_is_a_cut_and_hides_nothing_before_it(
    tmp_path: Path, keeps_its_length: bool
):
    """A file system may keep the length of a file and not what was written last, or a page more than that."""
    speaks, files = encoder(), segments(tmp_path / "whole")
    files.begin(NOW)
    files.append(speaks.begin(NOW))
    assert files.path is not None
    first = len(files.path.read_bytes())
    files.append(lost(1))
    second = len(files.path.read_bytes())
    files.append(lost(2) + lost(4))
    raw, part, known = files.path.read_bytes(), tmp_path / f"part{ENDING}", 0
    for size in range(first, len(raw) + 1):
        part.write_bytes(raw[:size] + bytes(len(raw) - size if keeps_its_length else 4096))
        segment = Segment(part)
        assert list(segment.decisions()) == []
        assert segment.settings is not None, size
        assert segment.lost >= known, size
        known = segment.lost
        # The last bytes of a batch's length are zeros anyway.
        if not any(end - 3 <= size <= end for end in (first, second, len(raw))):
            assert segment.cut, size
    assert (known, segment.cut) == (7, False)


def test_cycles_that_were_not_kept_are_counted_and_break_nothing(tmp_path: Path):
    cycles = list(history(30))
    files, speaks = segments(tmp_path), encoder()
    files.begin(NOW)
    files.append(speaks.begin(NOW) + encoded(speaks, cycles[:10]))
    files.append(lost(7) + encoded(speaks, cycles[17:]))
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
        list(Segment(path).decisions())


def test_a_later_form_is_refused_and_not_guessed(tmp_path: Path):
    path = tmp_path / "a.recording.gz"
    path.write_bytes(gzip.compress(encoder().begin(NOW).replace(b'"form":6', b'"form":7')))
    with pytest.raises(BadRecording, match="form 7"):
        list(Segment(path).decisions())


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
    speaks.begin(NOW)
    speaks.cycle(first.cycle)
    lengths, whole = 0, 0
    for each in later:
        lengths += len(speaks.cycle(each.cycle))
        again = replace(speaks, said=type(speaks.said)())
        again.begin(NOW)
        whole += len(again.cycle(each.cycle))
    assert lengths < 0.2 * whole


async def test_what_a_full_disk_refused_is_written_down_as_lost_when_there_is_room_again(tmp_path: Path):
    cycles = [each.cycle for each in history(30) if isinstance(each.cycle, EntryCycle)]
    wire = RingBuffer[Cycle](256)
    folder = tmp_path / "recording"
    folder.write_text("a file where the folder should be")
    recorder = Recorder(
        clock=Clock(),
        encoder=encoder(),
        segments=segments(folder),
        cycles=wire,
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
    assert (found.entry_cycles + found.lost, found.different) == (len(cycles), 0)
    assert 10 <= found.lost < len(cycles)


async def test_after_decisions_were_lost_the_recording_goes_on_with_the_next_that_saw_the_whole_board(
    tmp_path: Path,
):
    """What was lost may have held what changed: nothing is decided on a board that is put together wrongly."""
    cycles = [each.cycle for each in history(60)]
    wire = RingBuffer[Cycle](40)
    folder = tmp_path / "recording"
    recorder = Recorder(
        clock=Clock(),
        encoder=encoder(),
        segments=segments(folder),
        cycles=wire,
        market_ends=RingBuffer[MarketEnded](256),
    )
    for each in cycles:
        wire.put(each)
    async with anyio.create_task_group() as group:
        group.start_soon(recorder.run, lambda _: group.cancel_scope.cancel())
    found = decide_again([folder], None)
    assert found.different == 0
    assert found.entry_cycles + found.exit_cycles + found.lost == len(cycles)
    assert found.lost >= len(cycles) - 40


async def test_ends_that_a_disk_refused_are_kept_once_it_takes_them(tmp_path: Path):
    ends = RingBuffer[MarketEnded](256)
    folder = tmp_path / "recording"
    folder.write_text("a file where the folder should be")
    recorder = Recorder(
        clock=Clock(),
        encoder=encoder(),
        segments=segments(folder),
        cycles=RingBuffer[Cycle](256),
        market_ends=ends,
    )
    said: list[str] = []
    ends.put(MarketEnded(ticker=TICKERS[0], result=Side.YES, heard_at=NOW))
    async with anyio.create_task_group() as group:
        group.start_soon(recorder.run, said.append)
        while not any("cannot write" in each for each in said):  # noqa: ASYNC110 - said, not signalled
            await anyio.sleep(0.01)
        folder.unlink()
        ends.put(MarketEnded(ticker=TICKERS[1], result=Side.NO, heard_at=NOW))
        group.cancel_scope.cancel()
    kept: dict[Ticker, Side | None] = {}
    for path in folder.iterdir():
        segment = Segment(path)
        assert list(segment.decisions()) == []
        kept |= {ticker: each.result for ticker, each in segment.ends.items()}
    assert kept == {TICKERS[0]: Side.YES, TICKERS[1]: Side.NO}


def test_a_market_that_closed_without_a_word_is_asked_about_and_counted_when_nobody_tells():
    awaited, told = AwaitedEnds(), [each.cycle for each in history(3)]
    awaited.note(told)
    assert awaited.due(CLOSES) == []
    due = awaited.due(CLOSES + timedelta(minutes=3))
    assert len(due) == 5
    awaited.heard([MarketEnded(ticker=due[0], result=Side.NO, heard_at=CLOSES)])
    awaited.note(told)
    later = awaited.due(CLOSES + timedelta(minutes=3))
    assert due[0] not in later
    left = len(awaited.closes)
    assert awaited.due(CLOSES + timedelta(days=2)) == []
    assert awaited.missing == left


async def test_an_end_that_was_missed_is_asked_for_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder_task, "ASK_EVERY", 0.02)
    monkeypatch.setattr(recorder_task, "WRITE_EVERY", 0.02)
    said_of = {"ticker": TICKERS[0], "status": "finalized", "result": "no", "expiration_value": "83000.00"}
    async with local_venue(by_path(**{TICKERS[0]: {"market": said_of}})) as venue:
        awaited = AwaitedEnds(closes={TICKERS[0]: NOW - timedelta(minutes=5)})
        recorder = Recorder(
            clock=Clock(speed=1e-9, venue_origin=NOW.timestamp()),
            encoder=encoder(),
            segments=segments(tmp_path / "recording"),
            cycles=RingBuffer[Cycle](16),
            market_ends=RingBuffer[MarketEnded](16),
            rest=venue.rest(),
            awaited=awaited,
        )
        said: list[str] = []
        async with anyio.create_task_group() as group:
            group.start_soon(recorder.run, said.append)
            with anyio.fail_after(20):
                while not recorder.segments.written:  # noqa: ASYNC110 - said, not signalled
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    (path,) = (tmp_path / "recording").iterdir()
    segment = Segment(path)
    assert list(segment.decisions()) == []
    assert segment.ends[TICKERS[0]].result is Side.NO
    assert awaited.closes == {}
