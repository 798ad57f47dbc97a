"""The daemon's own recording traded on paper: its boards and prices as entry saw them, and other settings on them.

Every change that was decided on is in it, so the book that an order meets is the newest recorded when it arrives. It knows
nothing of a time in which nobody decided.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from recio.errors import BadRecording
from recio.messages.markets import Market, MarketEnded, StrikeType
from recio.messages.prices import Prices
from recio.paper.engine import Engine
from recio.paper.matching import MET_AFTER
from recio.recording.decode import EntryKept, Segment, segments_under
from recio.replay.doubts import of_end
from recio.replay.findings import SessionFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.playback import engine_of
from recio.replay.session import NOTHING_NEW, Look
from recio.replay.spot import REMEMBERED, closing_minute
from recio.replay.tally import Tally
from recio.replay.windows import Window, follows_on, judge
from recio.rules.decision.cycles import EntryLook
from recio.rules.market import market_board
from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.config import Config
from recio.units import Ticker

SHORTEST_LOOK = timedelta(microseconds=1)
LONGEST_PAUSE = timedelta(seconds=2)
"""The daemon looks around every second: after more than this without a decision nobody was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecording:
    """The segments of one folder, in order."""

    name: str
    segments: tuple[Path, ...]


@dataclass(slots=True, kw_only=True)
class OwnSession:
    """The engine at recorded boards."""

    session: str
    engine: Engine
    tally: Tally
    look: Look | None
    prices: Prices = field(default_factory=Prices)
    is_laid_out_anew: bool = True
    traded: dict[str, deque[tuple[int, Decimal]]] = field(
        default_factory=dict[str, "deque[tuple[int, Decimal]]"]
    )
    """By symbol: the last price of each second, ascending."""
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])
    unsettled: list[Window] = field(default_factory=list[Window])
    """By when their ends are known, the next one last."""
    began_at: datetime | None = None
    last_at: datetime | None = None
    longest_gap: timedelta = timedelta(0)

    def see(self, look: EntryLook) -> None:
        """Everything that happens until entry looked, and what was new then."""
        if look.board is None or look.prices is None or (self.last_at and look.at <= self.last_at):
            self._miss(look)
            return
        self._pass_until(look.at)
        self._hear(look.prices)
        while self.unsettled and self.unsettled[-1].known_at <= look.at:
            self.settle(self.unsettled.pop(), look.at)
        self.prices = look.prices
        board = self.engine.board = market_board.apply(self.engine.board, look.board)
        if self.look is not None:
            self.look(board, look.prices, look.at)
        change = market_board.everything(board) if self.is_laid_out_anew else look.board
        self.is_laid_out_anew = False
        self.engine.look(look.prices, change, look.at)
        self.tally.take(self.engine.happened)

    def _miss(self, look: EntryLook) -> None:
        """There was nothing to decide by: what changed is looked at with the next that there is."""
        if look.board is not None:
            self.engine.board, self.is_laid_out_anew = market_board.apply(self.engine.board, look.board), True

    def _pass_until(self, at: datetime) -> None:
        """What was due before, on the board that was shown: every change that was decided on is recorded."""
        self.began_at, last = self.began_at or at, self.last_at or at
        self.longest_gap, self.last_at = max(self.longest_gap, at - last), at
        if at - last > LONGEST_PAUSE:
            self.engine.give_up("no book was recorded when the order would have arrived", last + MET_AFTER)
            return
        while (due := self.engine.next_at(last)) < at:
            last = max(last + SHORTEST_LOOK, due)
            self.engine.look(self.prices, NOTHING_NEW, last)

    def _hear(self, prices: Prices) -> None:
        for symbol, view in prices.by_symbol.items():
            known = self.traded.setdefault(symbol, deque(maxlen=REMEMBERED))
            newest = known[-1][0] if known else 0
            known.extend(each for each in view.last_minute if each[0] > newest)

    def settle(self, window: Window, now: datetime) -> None:
        traded = self.traded.get(window.open.symbol, ())
        closes_at, until = int(window.closes_at.timestamp()), int(now.timestamp())
        proxy = closing_minute(tuple(traded), closes_at, until, window.places)
        found = self.found[window.ticker] = judge(self.session, window, proxy)
        if found.yes_value is not None:
            self.engine.settle(window.ticker, found.yes_value, min(window.known_at, now))

    def finish(self) -> None:
        """Orders that no decision followed got nothing; what closed is settled as far as it is known."""
        if self.last_at is not None:
            self.engine.give_up("the recording ended before the order arrived", self.last_at + MET_AFTER)
            for window in reversed(self.unsettled):
                self.settle(window, self.last_at)
        self.tally.take(self.engine.happened)


def own_recordings(paths: Sequence[Path]) -> list[OwnRecording]:
    """The segments under these paths, by the folder that they are in."""
    folders: dict[Path, list[Path]] = {}
    for segment in segments_under(paths):
        folders.setdefault(segment.path.parent, []).append(segment.path)
    return [
        OwnRecording(name=folder.resolve().name, segments=tuple(segments))
        for folder, segments in folders.items()
    ]


def trade_own(
    recording: OwnRecording, config: Config, model: Model = AVERAGE, look: Look | None = None
) -> SessionFound:
    """Trade one recording from a fresh start, entries switched on and no halt of that day in force.

    Raises BadRecording.
    """
    windows, tally = read_own_windows(recording), Tally()
    session = OwnSession(
        session=recording.name,
        engine=engine_of(config, model, tally),
        tally=tally,
        look=look,
        unsettled=sorted(windows, key=lambda each: each.known_at, reverse=True),
    )
    for each in looks(recording):
        session.see(each)
    session.finish()
    if session.began_at is None or session.last_at is None:
        raise BadRecording(f"{recording.segments[0].parent} holds no cycle that saw a board and a price")
    return SessionFound(
        name=recording.name,
        began_at=session.began_at,
        ended_at=session.last_at,
        clock_offset_ms=0,
        messages_behind_clock=0,
        longest_silence_ms=session.longest_gap // timedelta(milliseconds=1),
        spot_trades=0,
        integrity=BookRoom().figures(),
        own=True,
        decisions=tally.decisions,
        decision_reasons=dict(tally.reasons.most_common()),
        trades=tally.trades_found(recording.name, session.found),
        windows=tuple(session.found[each.ticker] for each in windows),
        warnings=tuple(line for each in windows for line in of_end(session.found[each.ticker])),
    )


def looks(recording: OwnRecording) -> Iterator[EntryLook]:
    """What entry saw at each of its decisions, in the order in which they were made."""
    for path in recording.segments:
        for kept in Segment(path).decisions():
            if isinstance(kept, EntryKept):
                yield kept.look


def read_own_windows(recording: OwnRecording) -> tuple[Window, ...]:
    """Every market that was on a board, with the end that the venue told; by close."""
    markets: dict[Ticker, Market] = {}
    ends: dict[Ticker, MarketEnded] = {}
    for path in recording.segments:
        segment = Segment(path)
        for _ in segment.decisions():
            pass
        markets |= {
            each.ticker: _with_strike(each, markets.get(each.ticker)) for each in segment.markets.values()
        }
        ends |= segment.ends
    strikes = _next_strikes(markets.values())
    ordered = sorted(markets.values(), key=lambda each: (each.close_time, each.ticker))
    return tuple(
        Window(
            listed=each,
            open=each,
            strike_known_at=each.open_time,
            recorded_result=ends[each.ticker].result if each.ticker in ends else None,
            scalar_value=ends[each.ticker].value if each.ticker in ends else None,
            ended_at=ends[each.ticker].heard_at if each.ticker in ends else None,
            published_value=None,
            next_strike=strikes.get(each.ticker),
        )
        for each in ordered
    )


def _with_strike(market: Market, before: Market | None) -> Market:
    """A strike that was set stays set: after a restart an older list may show its market without one."""
    if before is None or market.strike_type is not StrikeType.UNSET:
        return market
    return replace(
        market,
        strike_type=before.strike_type,
        floor_strike=before.floor_strike,
        cap_strike=before.cap_strike,
    )


def _next_strikes(markets: Iterable[Market]) -> dict[Ticker, Decimal | None]:
    """Of each market alone at its close the strike of the one that opens then: the value that it settled on."""
    closing: dict[tuple[str, datetime], list[Market]] = defaultdict(list)
    opening: dict[tuple[str, datetime], list[Market]] = defaultdict(list)
    for each in markets:
        closing[each.series_ticker, each.close_time].append(each)
        opening[each.series_ticker, each.open_time].append(each)
    return {
        ended[0].ticker: opening[moment][0].floor_strike
        for moment, ended in closing.items()
        if len(ended) == len(opening.get(moment, ())) == 1
        and follows_on(ended[0].ticker, opening[moment][0].ticker)
    }
