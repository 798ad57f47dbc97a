"""Scores as Markdown, which a terminal shows as well; it rounds and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from recio.report.calibration import Bin
from recio.report.intervals import Interval
from recio.score.claims import claims, sentences
from recio.score.scores import EVERYTHING, Compared, Scores
from recio.score.trades import Edge, Sold, Unsettled

OUTSIDE = "!"
"""Behind what lies outside of chance."""


def as_text(scores: Scores) -> str:
    """What may be said, and the figures that it is said from."""
    said = [f"- {each}" for each in sentences(claims({"here": scores}))]
    warnings = [f"WARNING: {each}" for each in scores.warnings]
    return "\n".join([*warnings, *([""] if warnings else []), *said, *([""] if said else []), *lines(scores)])


def lines(scores: Scores) -> Iterator[str]:
    if not scores.observations:
        yield (
            "Nothing could be scored: no moment had a quote, a price, a volatility, a strike and an outcome at once."
            " Prices have to be recorded beside the quotes for five minutes before, and until the market has ended."
            f"{_without_outcome(scores)}"
        )
        return
    yield (
        f"{scores.observations:,} observations of {scores.events} closes ({scores.yes:.1%} of them ended YES)."
        f"{_without_outcome(scores)} A close is everything that ends at one moment, of whatever coin and series. Differences below 0"
        " are better than the other; intervals are 95 %, two-sided, from whole closes; the last column says how many closes tell"
        " a difference of this size from none by that interval, in four cases of five."
    )
    yield ""
    whole = [each for each in scores.compared if each.group == EVERYTHING]
    yield from _table("by", whole)
    yield ""
    grouped = [each for each in scores.compared if each.group != EVERYTHING and each.loss == "log loss"]
    yield "Log loss by time to the close, and by the distance of the strike in expected moves:"
    yield ""
    yield from _table("where", grouped)
    yield ""
    yield "How often what was said happened (said / happened, closes in brackets; ! where it is outside of chance, one in twenty by luck):"
    yield ""
    yield from _calibration(scores)
    yield ""
    yield _edge(scores.edge)


def _table(first: str, rows: list[Compared]) -> Iterator[str]:
    yield f"| {first} | forecast | against | observations | closes | loss | other's | difference | interval | closes needed |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for each in rows:
        it = each.comparison
        cells = [
            each.loss if first == "by" else each.group,
            it.name,
            it.against,
            f"{it.observations:,}",
            str(it.events),
            f"{it.loss:.4f}",
            f"{it.other:.4f}",
            f"{it.difference:+.4f}",
            interval_text(it.interval),
            "" if it.events_needed is None else f"{it.events_needed:,}",
        ]
        yield "| " + " | ".join(cells) + " |"


def interval_text(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}"


def _calibration(scores: Scores) -> Iterator[str]:
    yield "| tenth | " + " | ".join(scores.names) + " |"
    yield "|---" * (len(scores.names) + 1) + "|"
    for tenth in range(10):
        cells = [_bin(scores, name, tenth) for name in scores.names]
        yield f"| {tenth * 10} to {tenth * 10 + 10} % | " + " | ".join(cells) + " |"


def _bin(scores: Scores, name: str, tenth: int) -> str:
    for each in scores.calibration[name]:
        if each.tenth == tenth:
            return f"{each.said:.1%} / {each.happened:.1%} ({each.events:,}){_outside(each)}"
    return ""


def _outside(found: Bin) -> str:
    return f" {OUTSIDE}" if found.interval is not None and found.interval.excludes_zero else ""


def _without_outcome(scores: Scores) -> str:
    many = scores.without_outcome
    return f" {many:,} more are of markets whose end nobody told; they are in no figure." if many else ""


def _edge(edge: Edge | None) -> str:
    if edge is None:
        return "No paper trade was filled."
    return " ".join([_ended(edge), *_sold(edge.sold), *_unsettled(edge.unsettled)])


def _ended(edge: Edge) -> str:
    if edge.per_contract is None:
        return "No paper trade was filled on a market whose end is known."
    needed = (
        "" if edge.events_needed is None else f"; {edge.events_needed:,} closes tell this much from nothing"
    )
    return (
        f"Paper trades: {edge.trades} filled in {edge.events} closes, {edge.contracts:g} contracts, {edge.dollars:+.2f} dollars"
        f" after fees, {edge.per_contract:+.4f} a contract ({interval_text(edge.interval) or 'no interval'}){needed}."
    )


def _sold(sold: Sold | None) -> Iterator[str]:
    if sold is not None:
        yield (
            f"Of these {sold.trades} sold {sold.contracts:g} contracts before the close for {sold.brought:.2f} dollars; held, they"
            f" would have paid {sold.would_have_paid:.2f}."
        )


def _unsettled(unsettled: Unsettled | None) -> Iterator[str]:
    if unsettled is not None:
        yield (
            f"Not settled, and in no figure above: {unsettled.trades} trades, {unsettled.contracts:g} contracts that cost"
            f" {unsettled.paid:.2f} dollars with fees and have brought {unsettled.brought:.2f}."
        )
