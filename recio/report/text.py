"""Trades and reports as JSON objects, CSV rows and tables of 80 columns; money is exact in all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from recio.report.calibration import Bin, calibration
from recio.report.figures import Figures
from recio.report.past_trades import PastTrade
from recio.report.report import Report
from recio.times import time_text
from recio.units import Money, money_decimal, money_text, price_text, quantity_text

COLUMNS: tuple[str, ...] = (
    "kind", "number", "strategy", "ticker", "side", "quantity", "entry_price", "entry_cost", "exit_proceeds", "payout",
    "fees", "net_pnl", "opened_at", "closed_at", "ended_by", "exit_reason", "probability", "why",
)  # fmt: skip
WIDTH, CENT = 28, Decimal("0.01")
_FORMULA = re.compile(r"[=@\t\r\n]|[+-](?![0-9.]+$)")


def trade_row(trade: PastTrade) -> dict[str, str | None]:
    """By COLUMNS: decimal strings, times of UTC; None where it is not known, or not yet."""
    return {
        "kind": trade.kind.value,
        "number": trade.number,
        "strategy": trade.strategy,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "quantity": quantity_text(trade.quantity),
        "entry_price": None if trade.entry_price is None else price_text(trade.entry_price),
        "entry_cost": _text(trade.entry_cost),
        "exit_proceeds": _text(trade.exit_proceeds),
        "payout": _text(trade.payout) if trade.ended_by else None,
        "fees": _text(trade.fees),
        "net_pnl": _text(trade.net),
        "opened_at": _moment(trade.opened_at),
        "closed_at": _moment(trade.closed_at),
        "ended_by": trade.ended_by or None,
        "exit_reason": trade.exit_reason or None,
        "probability": None if trade.probability is None else f"{trade.probability:.4f}",
        "why": trade.why,
    }


def cells(row: Mapping[str, object]) -> dict[str, object]:
    """For CSV: what a spreadsheet would take for a formula begins with an apostrophe; a number stays one."""
    return {
        name: f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
        for name, value in row.items()
    }


def trade_line(trade: PastTrade) -> str:
    """For a person: when, what, and what came of it."""
    ended = "held" if not trade.ended_by else trade.exit_reason or trade.ended_by
    when = "" if trade.opened_at is None else f"{trade.opened_at:%m-%d %H:%M}"
    net = "" if trade.net is None else _dollars(trade.net, plus="+")
    price = "unknown" if trade.entry_price is None else f"${price_text(trade.entry_price)}"
    return f"{when:<11} {trade.ticker:<26} {trade.side:<3} {quantity_text(trade.quantity):>8} at {price}{net:>11}  {ended}"


def report_object(report: Report) -> dict[str, object]:
    """The totals, under `by_...` the same of each group, and how often what the model said came true."""
    return {
        "kind": report.kind.value,
        "held": report.held,
        **_figures(report.total),
        **{
            f"by_{name}": {group: _figures(figures) for group, figures in found.items()}
            for name, found in report.by.items()
        },
        "calibration": [_bin(each) for each in calibration(report.said)],
        "unjudged": report.unjudged,
    }


def report_rows(report: Report) -> Iterator[dict[str, object]]:
    """One row a group, and one of all."""
    yield {"by": "all", "group": "all", **_flat(report.total)}
    for name, found in report.by.items():
        for group, figures in found.items():
            yield {"by": name, "group": group, **_flat(figures)}


def report_text(report: Report, by: tuple[str, ...]) -> str:
    """The totals, and a table for each of `by`."""
    it = report.total
    lines = [
        f"{it.trades} {report.kind} trade{'' if it.trades == 1 else 's'} that ended, {it.wins} won, {it.losses} lost"
        + (f"; {report.held} still held" if report.held else "")
        + (f"; {it.unknown} whose result is unknown" if it.unknown else ""),
        f"gross {_dollars(Money(it.gross))}, fees {_dollars(Money(it.fees))}, net {_dollars(it.net)}; "
        f"deepest fall {_dollars(Money(it.drawdown))}",
    ]
    for name in by:
        lines += [
            "",
            f"{name.replace('_', ' '):<{WIDTH}}{'trades':>7}{'won':>6}{'net':>12}{'a trade, 95 %':>26}",
        ]
        lines += [
            f"{group[: WIDTH - 1]:<{WIDTH}}{each.trades:>7}{each.wins:>6}{_dollars(each.net):>12}{_mean(each):>26}"
            for group, each in report.by[name].items()
        ]
    return "\n".join(lines)


def _figures(it: Figures) -> dict[str, object]:
    interval, mean = it.interval(), it.mean()
    return {
        "trades": it.trades,
        "wins": it.wins,
        "losses": it.losses,
        "unknown": it.unknown,
        "closes": it.closes,
        "gross_pnl": money_text(Money(it.gross)),
        "fees": money_text(Money(it.fees)),
        "net_pnl": money_text(it.net),
        "max_drawdown": money_text(Money(it.drawdown)),
        "mean_net_pnl": None if mean is None else f"{mean:.6f}",
        "mean_interval_95": None if interval is None else [f"{interval.low:.6f}", f"{interval.high:.6f}"],
    }


def _bin(it: Bin) -> dict[str, object]:
    """Shares from 0 to 1. The interval is of what happened less what was said."""
    known = it.interval
    return {
        "trades": it.observations,
        "closes": it.events,
        "said": f"{it.said:.6f}",
        "happened": f"{it.happened:.6f}",
        "difference_interval_95": None if known is None else [f"{known.low:.6f}", f"{known.high:.6f}"],
    }


def _flat(it: Figures) -> dict[str, object]:
    """For CSV: the two ends of the interval in columns of their own."""
    found = _figures(it)
    interval = it.interval()
    del found["mean_interval_95"]
    found["mean_low_95"] = None if interval is None else f"{interval.low:.6f}"
    found["mean_high_95"] = None if interval is None else f"{interval.high:.6f}"
    return found


def _mean(it: Figures) -> str:
    mean, interval = it.mean(), it.interval()
    if mean is None:
        return ""
    return _thousandths(mean) + (
        " too few closes"
        if interval is None
        else f" ({_thousandths(interval.low)} to {_thousandths(interval.high)})"
    )


def _thousandths(dollars: float) -> str:
    return f"{'-' if dollars < 0 else '+'}${abs(dollars):.3f}"


def _text(value: Money | None) -> str | None:
    return None if value is None else money_text(value)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else time_text(value)


def _dollars(value: Money, plus: str = "") -> str:
    """Half a cent counts as one, as on the page."""
    cents = abs(money_decimal(value)).quantize(CENT, ROUND_HALF_UP)
    return f"{'-' if value < 0 else plus}${cents}"
