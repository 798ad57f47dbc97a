"""A replay's findings in plain text for a person: tables that line up, and no more certainty than there is."""

from __future__ import annotations

from collections.abc import Sequence

from recio.messages.orders import TradeState
from recio.replay.doubts import overlaps
from recio.replay.findings import IntegrityFigures, SessionFound, TradeFound, WindowFound
from recio.replay.sums import (
    agreement,
    average,
    integrity,
    proxy_agreement,
    strike_agreement,
    totals,
    without_result,
)
from recio.units import Money, money_decimal, price_text, quantity_text

NOTHING = "-"
MOST_GAPS = 5
"""Sequence gaps listed a session; the JSON report has all of them."""
TWICE = "what was traded there counts twice in the sums; give one of them"
MOST_WINDOWS = 40
"""Of a session in its table; the JSON report has all of them."""
WINDOW_HEAD = ("window", "strike", "settled at", "from", "rule", "recorded", "spot mean", "spot")
TRADE_HEAD = (
    "trade on",
    "side",
    "contracts",
    "paid",
    "model",
    "to close",
    "ended by",
    "sold at",
    "result",
    "fees",
    "P&L",
)


def table(session: SessionFound) -> str:
    """One session: what was recorded, how its windows settled, and the paper trades."""
    lines = [
        f"{session.name}  {session.began_at:%Y-%m-%d %H:%M:%S} to {session.ended_at:%H:%M:%S} UTC",
        *(_own(session) if session.own else _recorded_frames(session)),
        f"  entry: {session.decisions:,} cycles{_reasons(session)}",
        *(f"  WARNING: {each}" for each in session.warnings),
    ]
    windows = _windows_of_interest(session)
    if windows:
        lines += ["", *_columns([WINDOW_HEAD, *map(_window_row, windows)])]
    elif not session.windows:
        lines.append(
            "  no windows are described (no session.json, or no market in it): books were checked, nothing was decided"
        )
    if session.trades:
        lines += ["", *_columns([TRADE_HEAD, *map(_trade_row, session.trades)])]
    return "\n".join(lines)


def _own(session: SessionFound) -> list[str]:
    ended = sum(each.recorded_result is not None or each.scalar_value is not None for each in session.windows)
    return [
        f"  recio's own recording, longest time between two cycles {session.longest_silence_ms / 1000:.1f} s; "
        f"{_many(len(session.windows), 'market')}, the end of {ended:,} recorded"
    ]


def _windows_of_interest(session: SessionFound) -> Sequence[WindowFound]:
    """Of a long recording of whole ladders only the markets that were traded."""
    if len(session.windows) <= MOST_WINDOWS:
        return session.windows
    traded = {each.trade.ticker for each in session.trades}
    return [each for each in session.windows if each.ticker in traded]


def _recorded_frames(session: SessionFound) -> list[str]:
    return [f"  {_frames(session)}", f"  {_clocks(session)}", *_gaps(session)]


def _frames(session: SessionFound) -> str:
    seen = session.integrity
    return (
        f"{_many(seen.messages, 'message')} ({_many(seen.deltas, 'delta')}), "
        f"{_many(len(seen.gaps), 'sequence gap')}, {_many(seen.negative_levels, 'negative level')}, "
        f"{_many(seen.crossed_instants, 'crossed instant')}; "
        f"{seen.ticker_agreements:,} of {seen.ticker_checks:,} tickers agree"
        + (f", {seen.ticker_unchecked:,} unchecked" if seen.ticker_unchecked else "")
    )


def _clocks(session: SessionFound) -> str:
    return (
        f"recorder's clock {session.clock_offset_ms:+,} ms, longest silence "
        f"{session.longest_silence_ms / 1000:.1f} s, {session.spot_trades:,} spot trades"
    )


def _gaps(session: SessionFound) -> list[str]:
    gaps = session.integrity.gaps
    lines = [
        f"  gap at {gap.at:%H:%M:%S}: subscription {gap.sid} expected {gap.expected}, got {gap.got}"
        for gap in gaps[:MOST_GAPS]
    ]
    if len(gaps) > MOST_GAPS:
        lines.append(f"  and {len(gaps) - MOST_GAPS} more gaps")
    return lines


def _reasons(session: SessionFound) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in session.decision_reasons.items())
    return f" ({shown})" if shown else ""


def _window_row(found: WindowFound) -> tuple[str, ...]:
    return tuple(
        NOTHING if each is None else str(each)
        for each in (
            found.ticker,
            found.strike,
            found.settlement_value,
            found.settlement_source,
            found.result,
            found.recorded_result,
            found.proxy_value,
            found.proxy_result,
        )
    )


def _trade_row(found: TradeFound) -> tuple[str, ...]:
    trade = found.trade
    return (
        trade.ticker,
        trade.side.value,
        quantity_text(trade.entry_quantity),
        _cents(average(trade.entry_cost, trade.entry_quantity)),
        f"{float(found.intent.inputs['probability']):.1%}",
        f"{(trade.closes_at - trade.opened_at).total_seconds():.0f} s",
        trade.ended_by or "unsettled",
        _cents(average(trade.exit_proceeds, trade.exit_quantity)),
        _result(found),
        _dollars(trade.fees),
        NOTHING if trade.closed_at is None else f"{money_decimal(trade.pnl):+.4f}",
    )


def _result(found: TradeFound) -> str:
    if found.scalar_value is not None:
        return f"scalar {price_text(found.scalar_value)}"
    return NOTHING if found.result is None else found.result.value


def _cents(price: str | None) -> str:
    return NOTHING if price is None else price[:6]


def _dollars(amount: Money) -> str:
    return f"{money_decimal(amount):.4f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def summary(sessions: Sequence[SessionFound]) -> str:
    """All sessions together, and how little they prove."""
    warnings = [f"WARNING: {each}: {TWICE}" for each in overlaps(sessions)]
    return "\n".join([*_recorded(sessions), *_settled(sessions), *_traded(sessions), *warnings])


def _recorded(sessions: Sequence[SessionFound]) -> list[str]:
    framed = [session.integrity for session in sessions if not session.own]
    own = [f"{_many(len(sessions) - len(framed), 'recording')} of recio's own"]
    return [*(own if len(framed) < len(sessions) else []), *(_checked(framed) if framed else [])]


def _checked(framed: Sequence[IntegrityFigures]) -> list[str]:
    counts = integrity(framed)
    checks, agree = counts["ticker_checks"], counts["ticker_agreements"]
    share = f" ({agree / checks:.2%})" if checks else ""
    return [
        f"{_many(len(framed), 'session')}, {_many(counts['messages'], 'message')}: "
        f"{_many(counts['sequence_gaps'], 'sequence gap')}, {_many(counts['negative_levels'], 'negative level')}; "
        f"{agree:,} of {checks:,} tickers agree with the rebuilt books{share}"
    ]


def _settled(sessions: Sequence[SessionFound]) -> list[str]:
    windows = [window for session in sessions for window in session.windows]
    rule, proxy, strikes = agreement(windows), proxy_agreement(windows), strike_agreement(windows)
    return [
        f"settlement rule and recorded result: {rule['agree']} of {rule['checked']} agree; "
        f"mean of the spot stream and recorded result: {proxy['agree']} of {proxy['checked']} agree; "
        f"published value and next strike: {strikes['agree']} of {strikes['checked']} agree; "
        f"{_many(without_result(windows), 'window')} without a result of the venue's"
    ]


def _traded(sessions: Sequence[SessionFound]) -> list[str]:
    trades = [trade for session in sessions for trade in session.trades]
    sums = totals(trades)
    observed = {each.trade.ticker for each in trades if each.trade.state is TradeState.CLOSED}
    return [
        f"paper trades: {sums.count} ({sums.wins} won, {sums.losses} lost, {sums.unsettled} unsettled), "
        f"{_many(sums.void, 'order')} without a fill; fees ${_dollars(sums.fees)}, "
        f"P&L ${money_decimal(sums.pnl):+.4f} after fees",
        f"One window is one observation, and this is n = {len(observed)}: it proves nothing about profit.",
    ]


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
