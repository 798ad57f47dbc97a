"""What trades of the past came to, for the Performance view: the sums of recio report, read in small steps so that nothing waits for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import anyio
import anyio.lowlevel
import asyncpg

from recio.db import past_trades
from recio.report.calibration import Bin, bin_of, by_tenth
from recio.report.equity import Equity
from recio.report.figures import Figures
from recio.report.past_trades import PastTrade
from recio.report.report import Report, report_of
from recio.units import Money, money_text
from recio.web.answers import Nothing, moment
from recio.web.chart_answers import CalibrationRow, EquityRow, GroupRow, Performance, PerformanceQuery
from recio.web.history import reading
from recio.web.interface import Asked, Route
from recio.web.refusals import NotAsked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
MOST = 20_000
"""Trades in one answer."""
AT_ONCE = 10
"""Rows that are summed without letting anybody else run: under a millisecond."""
LONGEST = 6.0
"""Host seconds for one answer."""
KEPT_FOR = 20.0
"""Host seconds for which one answer serves everybody who asks the same."""
BY = ("day", "strategy", "hour", "price")


def performance_route(pool: Pool, series: Mapping[str, str], now: Callable[[], datetime]) -> Route:
    """`series`: the coin of each series. `now`: market time."""
    kept: dict[PerformanceQuery, tuple[float, Performance]] = {}

    async def tell(asked: Asked[PerformanceQuery, Nothing, Nothing]) -> Performance:
        found = kept.get(asked.query)
        if found is not None and anyio.current_time() - found[0] < KEPT_FOR:
            return found[1]
        at = now()
        said = await _told(await _summed(pool, asked.query, series, at), at)
        kept.clear()
        kept[asked.query] = (anyio.current_time(), said)
        return said

    return Route(
        method="GET", path="/performance", name="performance", gives=Performance, do=tell, query=PerformanceQuery,
        summary="What trades came to: equity, by day, strategy, hour and price, and calibration", refusals=(409,),
    )  # fmt: skip


async def _summed(pool: Pool, query: PerformanceQuery, series: Mapping[str, str], at: datetime) -> Report:
    """Raises NotAsked: 409 for too many, 503 where they cannot be read."""
    wanted = past_trades.Asked(
        kind=query.kind,
        mode=query.mode,
        since=max(filter(None, (moment(query.since), _first_of(query.days, at))), default=None),
        until=moment(query.until),
        strategy=query.strategy,
        ticker=query.ticker,
    )
    async with reading(pool) as connection:
        trades = past_trades.past_trades(connection, wanted, at_once=AT_ONCE)
        return await report_of(query.kind, _bounded(trades), series, BY)


def _first_of(days: int | None, at: datetime) -> datetime | None:
    return None if days is None else moment(at.date() - timedelta(days=days))


async def _bounded(  # noqa: ASYNC900 - what it holds ends with the transaction
    trades: AsyncIterator[PastTrade],
) -> AsyncIterator[PastTrade]:
    """Each step has its own limit as a statement; together they hold a connection, and an end of the daemon, no longer than this."""
    number, ends = 0, anyio.current_time() + LONGEST
    async for each in trades:
        number += 1
        if number > MOST:
            raise NotAsked(
                409, f"since: there are more than {MOST} trades; ask for less, or take recio report --json"
            )
        if anyio.current_time() > ends:
            raise NotAsked(
                503, f"since: summing so many trades takes longer than {LONGEST:g} s now; ask for less"
            )
        yield each


async def _told(report: Report, at: datetime) -> Performance:
    bins: list[CalibrationRow] = []
    for tenth, held in by_tenth(report.said).items():
        await anyio.lowlevel.checkpoint()
        bins.append(_bin(bin_of(tenth, held)))
    return Performance(
        kind=report.kind,
        now=at,
        held=report.held,
        total=_group("all", report.total),
        max_drawdown=money_text(Money(report.total.drawdown)),
        equity=_equity(report.equity),
        undated=report.equity.undated,
        by_day=_groups(report, "day"),
        by_strategy=_groups(report, "strategy"),
        by_hour=_groups(report, "hour"),
        by_price=_groups(report, "price"),
        calibration=bins,
        unjudged=report.unjudged,
    )


def _groups(report: Report, by: str) -> list[GroupRow]:
    return [_group(name, figures) for name, figures in report.by[by].items()]


def _group(name: str, it: Figures) -> GroupRow:
    mean, known = it.mean(), it.interval()
    return GroupRow(
        group=name,
        trades=it.trades,
        wins=it.wins,
        losses=it.losses,
        unknown=it.unknown,
        closes=it.closes,
        net_pnl=money_text(it.net),
        fees=money_text(Money(it.fees)),
        mean=_dollars(mean),
        mean_low=None if known is None else _dollars(known.low),
        mean_high=None if known is None else _dollars(known.high),
    )


def _dollars(value: float | None) -> str | None:
    return None if value is None else f"{value:.6f}"


def _equity(equity: Equity) -> list[EquityRow]:
    return [
        EquityRow(at=each.at, net_pnl=money_text(each.net), drawdown=money_text(each.drawdown))
        for each in equity.points
    ]


def _bin(it: Bin) -> CalibrationRow:
    known = it.interval
    return CalibrationRow(
        tenth=it.tenth,
        trades=it.observations,
        closes=it.events,
        said=round(it.said, 6),
        happened=round(it.happened, 6),
        low=None if known is None else _share(it.said + known.low),
        high=None if known is None else _share(it.said + known.high),
    )


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 6)
