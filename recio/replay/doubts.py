"""What of a session does not fit together: files of different markets, coins or times, and ends that contradict each other.

Where nothing can be made of it, it is refused; where the rest is usable, a line says what is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path

from recio.errors import BadRecording
from recio.replay.findings import PUBLISHED, SessionFound, WindowFound
from recio.replay.session_files import LATEST_TRADE, SessionFiles
from recio.replay.windows import Window
from recio.settings.config import Config
from recio.settings.prices import coin_of

QUIET = timedelta(seconds=30)
"""Of one stream alone; frames come by the dozen a second, and trades of a large coin every few seconds."""
CLEARLY = Decimal("0.001")
"""Of the strike: ten times what an exchange usually lies from the index."""
LISTED_AHEAD = timedelta(hours=1)
"""A book may be recorded before its market opens."""
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """When what was received; None where nothing was."""

    began_at: datetime
    ended_at: datetime
    frames: tuple[datetime, datetime] | None
    trades: tuple[datetime, datetime] | None
    """First and last."""
    quietest: timedelta
    """The longest time without a trade, to the end of the recording."""
    untimely: int
    """Trades received long after, or before, the time that they bear."""


def symbol_of(path: Path, windows: Sequence[Window], config: Config) -> str:
    """The coin of the described windows. Raises BadRecording where it is none of the config's, or there are several."""
    first = next(iter(config.symbols))
    coins = {each.open.series_ticker: _coin(each.open.series_ticker, config) or first for each in windows}
    if len(set(coins.values())) > 1:
        raise BadRecording(
            f"{path}: `markets` names series of several coins ({_some(sorted(coins))}), and a session has the trades of"
            " one: keep those of one coin"
        )
    for series, coin in coins.items():
        if coin not in config.symbols:
            raise BadRecording(
                f"{path}: `markets` names {series}, of {coin}, and the config has {', '.join(config.symbols)}:"
                f' add [symbols.{coin}] with series = ["{series}"], or name another file by --config'
            )
        return coin
    return first


def _coin(series: str, config: Config) -> str | None:
    return config.series.get(series) or coin_of(series)


def refuse_strangers(
    files: SessionFiles, windows: Sequence[Window], booked: Collection[str], heard: Heard
) -> None:
    """Raises BadRecording where frames, trades and description are not of the same markets and time."""
    described = [each.ticker for each in windows]
    if described and booked and not any(each in booked for each in described):
        raise BadRecording(
            f"{files.description}: `markets` names {_some(described)}, and the books in {files.frames} are of"
            f" {_some(sorted(booked))}: put the files of one session together"
        )
    if windows and not any(_meets(each, heard, LISTED_AHEAD) for each in windows):
        raise BadRecording(
            f"{files.description}: close_time {windows[0].closes_at} of {described[0]} does not fit the frames, which were"
            f" received {_span(heard.began_at, heard.ended_at)}, and neither does any other: one of them is of another day or zone"
        )
    if heard.frames is not None and heard.trades is not None:
        (first, last), (from_, until) = heard.frames, heard.trades
        if until < first - QUIET or from_ > last + QUIET:
            raise BadRecording(
                f"{files.matches}: its trades were received {_span(from_, until)}, and the frames {_span(first, last)}:"
                " put the trades of the same time beside them"
            )


def told(
    windows: Sequence[Window], found: Sequence[WindowFound], booked: Collection[str], heard: Heard
) -> Iterator[str]:
    """What a reader of the figures has to know, loudest first."""
    yield from _of_markets(windows, booked, heard)
    yield from _of_trades(heard)
    for each in found:
        yield from of_end(each)


def _of_markets(windows: Sequence[Window], booked: Collection[str], heard: Heard) -> Iterator[str]:
    described = {each.ticker for each in windows}
    if bookless := [each.ticker for each in windows if each.ticker not in booked]:
        yield f"no book of {_some(bookless)} in the frames: nothing could be traded there"
    if windows and (strangers := sorted(each for each in booked if each not in described)):
        yield f"session.json does not name {_some(strangers)}, of which the frames have books: not traded"
    if late := [each.ticker for each in windows if not _meets(each, heard)]:
        yield f"{_some(late)} was not open at any time of the recording: check its close_time in session.json"
    strikeless = [
        each.ticker for each in windows if each.open.floor_strike is None and each.open.cap_strike is None
    ]
    if strikeless:
        yield f"session.json gives no floor_strike of {_some(strikeless)}: nothing was traded there"


def _of_trades(heard: Heard) -> Iterator[str]:
    if heard.frames is not None and heard.ended_at - heard.frames[1] > QUIET:
        yield (
            f"the last frame was received at {heard.frames[1]:%H:%M:%S} and the last trade at {heard.ended_at:%H:%M:%S}:"
            " the file of frames may be cut short"
        )
    if heard.untimely:
        yield (
            f"{heard.untimely:,} spot trades bear an exchange_ts over {LATEST_TRADE.total_seconds():g} s off their recv_ns: "
            "prices were too old, or known too early"
        )
    if heard.quietest > QUIET:
        yield f"no spot trade for {heard.quietest.total_seconds():,.0f} s: the file of trades may be cut short"


def of_end(found: WindowFound) -> Iterator[str]:
    """Where what is known of a market's end contradicts itself."""
    recorded, value = found.recorded_result, found.settlement_value
    if recorded is not None and found.result is not None and recorded is not found.result:
        what_then = (
            "which is not known: nothing is scored by it, and what was held of it is unsettled"
            if found.contradicts_itself
            else "and the recorded result counts"
        )
        yield (
            f"{found.ticker}: its result is recorded as {recorded.value}, and {value} ({found.settlement_source}) against"
            f" its strike makes it {found.result.value}: one is wrong, {what_then}"
        )
    if found.settlement_source == PUBLISHED and found.next_strike not in (None, value):
        yield f"{found.ticker}: settlement_value {value} is not the next strike, {found.next_strike}: one is wrong"
    paid = found.outcome
    if None not in (paid, found.proxy_result) and paid is not found.proxy_result and _is_clear(found):
        yield (
            f"{found.ticker}: paid as {paid.value if paid else None}, and the spot trades of its last minute, {found.proxy_value} in"
            f" the mean, say {found.proxy_result.value if found.proxy_result else None}: check its result, strike and close_time"
        )


def _is_clear(found: WindowFound) -> bool:
    """Whether the spot mean lies so far from the strike that the index cannot have ended on the other side."""
    strike, proxy = found.strike, found.proxy_value
    return strike is not None and proxy is not None and abs(proxy - strike) > strike * CLEARLY


def overlaps(sessions: Sequence[SessionFound]) -> list[str]:
    """Sessions that recorded the same market at the same time, two by two."""
    said = list[str]()
    for one, other in combinations(sorted(sessions, key=lambda each: each.began_at), 2):
        both = sorted({each.ticker for each in one.windows} & {each.ticker for each in other.windows})
        if both and other.began_at < one.ended_at:
            span = _span(other.began_at, min(one.ended_at, other.ended_at))
            said.append(f"{one.name} and {other.name} both recorded {_some(both)} {span}")
    return said


def _meets(window: Window, heard: Heard, margin: timedelta = timedelta(0)) -> bool:
    return window.open.open_time - margin < heard.ended_at and heard.began_at - margin < window.closes_at


def _span(since: datetime, until: datetime) -> str:
    return f"from {since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
