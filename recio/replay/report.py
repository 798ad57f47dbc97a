"""A replay's findings for scripts and for people; it adds up, and judges nothing.

Every amount is exact text; None stands where the recording does not tell.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from recio.replay.doubts import overlaps
from recio.replay.findings import (
    GapFound,
    ReplayReport,
    SessionFound,
    TradeFound,
    WindowFound,
)
from recio.replay.sums import (
    Totals,
    agreement,
    average,
    integrity,
    proxy_agreement,
    strike_agreement,
    totals,
    without_result,
)
from recio.replay.text import summary, table
from recio.times import time_text
from recio.units import money_text, price_text, quantity_text

__all__ = ["ReplayReport", "as_json", "as_text"]


def as_json(report: ReplayReport) -> dict[str, Any]:
    """The whole report as plain objects for json.dumps; two replays of the same recording give the same."""
    sessions = report.sessions
    windows = [window for session in sessions for window in session.windows]
    trades = [trade for session in sessions for trade in session.trades]
    reasons = Counter[str]()
    for session in sessions:
        reasons.update(session.decision_reasons)
    return {
        **integrity([session.integrity for session in sessions]),
        "gaps": [_gap(session.name, gap) for session in sessions for gap in session.integrity.gaps],
        "spot_trades": sum(session.spot_trades for session in sessions),
        "decisions": sum(session.decisions for session in sessions),
        "decision_reasons": dict(reasons.most_common()),
        "trades": [_trade(trade) for trade in trades],
        "totals": _totals(totals(trades)),
        "windows": [_window(window) for window in windows],
        "settlement_checks": agreement(windows),
        "proxy_checks": proxy_agreement(windows),
        "windows_without_result": without_result(windows),
        "next_strike_checks": strike_agreement(windows),
        "sessions": [_session(session) for session in sessions],
        "overlaps": overlaps(sessions),
    }


def _session(session: SessionFound) -> dict[str, Any]:
    return {
        "session": session.name,
        "own": session.own,
        "began_at": time_text(session.began_at),
        "ended_at": time_text(session.ended_at),
        "clock_offset_ms": session.clock_offset_ms,
        "messages_behind_clock": session.messages_behind_clock,
        "longest_silence_ms": session.longest_silence_ms,
        "spot_trades": session.spot_trades,
        **integrity([session.integrity]),
        "decisions": session.decisions,
        "decision_reasons": dict(session.decision_reasons),
        "totals": _totals(totals(session.trades)),
        "warnings": list(session.warnings),
    }


def _gap(session: str, gap: GapFound) -> dict[str, Any]:
    return {
        "session": session,
        "ticker": gap.ticker,
        "sid": gap.sid,
        "expected": gap.expected,
        "got": gap.got,
        "at": time_text(gap.at),
    }


def _trade(found: TradeFound) -> dict[str, Any]:
    trade, intent = found.trade, found.intent
    return {
        "session": found.session,
        "trade_id": trade.trade_id,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "state": trade.state.value,
        "wanted": quantity_text(intent.quantity),
        "quantity": quantity_text(trade.entry_quantity),
        "limit": price_text(intent.limit),
        "entry_price": average(trade.entry_cost, trade.entry_quantity),
        "entry_cost": money_text(trade.entry_cost),
        "exit_quantity": quantity_text(trade.exit_quantity),
        "exit_price": average(trade.exit_proceeds, trade.exit_quantity),
        "exit_proceeds": money_text(trade.exit_proceeds),
        "fees": money_text(trade.fees),
        "payout": money_text(trade.payout),
        "result": _text(found.result),
        "pnl": None if trade.closed_at is None else money_text(trade.pnl),
        "opened_at": time_text(trade.opened_at),
        "closed_at": None if trade.closed_at is None else time_text(trade.closed_at),
        "seconds_to_close": (trade.closes_at - trade.opened_at).total_seconds(),
        "probability": intent.inputs["probability"],
        "why": trade.why,
        "ended_by": trade.ended_by or "unsettled",
        "notes": list(found.notes),
    }


def _totals(figures: Totals) -> dict[str, Any]:
    return {
        "count": figures.count,
        "void": figures.void,
        "unsettled": figures.unsettled,
        "wins": figures.wins,
        "losses": figures.losses,
        "fees": money_text(figures.fees),
        "pnl": money_text(figures.pnl),
    }


def _window(found: WindowFound) -> dict[str, Any]:
    return {
        "session": found.session,
        "ticker": found.ticker,
        "strike": _text(found.strike),
        "closes_at": time_text(found.closes_at),
        "recorded_result": _text(found.recorded_result),
        "scalar_value": None if found.scalar_value is None else price_text(found.scalar_value),
        "result": _text(found.result),
        "settlement_value": _text(found.settlement_value),
        "settlement_source": found.settlement_source,
        "next_strike": _text(found.next_strike),
        "proxy_value": _text(found.proxy_value),
        "proxy_seconds": found.proxy_seconds,
        "proxy_result": _text(found.proxy_result),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def as_text(report: ReplayReport) -> str:
    """The report for a person: a table a session, then what all of it amounts to."""
    parts = [*(table(session) for session in report.sessions), summary(report.sessions)]
    return "\n\n".join(parts) + "\n"
