"""Scores as Markdown, which a terminal shows as well; it rounds and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from recio.score.losses import DRAWS, Interval
from recio.score.scores import EVERYTHING, Compared, Edge, Scores


def as_text(scores: Scores) -> str:
    return "\n".join(lines(scores))


def lines(scores: Scores) -> Iterator[str]:
    if not scores.observations:
        yield "Nothing could be scored: no moment had a quote, a price, a volatility, a strike and an outcome at once."
        return
    yield (
        f"{scores.observations:,} observations of {scores.events} events ({scores.yes:.1%} of them ended YES). Differences below"
        f" 0 are better than the other; intervals are 95 %, from {DRAWS:,} draws of whole events; the last column says how"
        " many independent events it takes to tell a difference of this size from none."
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
    yield "How often what was said happened (said / happened, observations in brackets):"
    yield ""
    yield from _calibration(scores)
    yield ""
    yield _edge(scores.edge)


def _table(first: str, rows: list[Compared]) -> Iterator[str]:
    yield f"| {first} | forecast | against | observations | events | loss | other's | difference | interval | events needed |"
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
            return f"{each.said:.1%} / {each.happened:.1%} ({each.observations:,})"
    return ""


def _edge(edge: Edge | None) -> str:
    if edge is None:
        return "No paper trade was filled and settled."
    needed = (
        "" if edge.events_needed is None else f"; {edge.events_needed:,} events tell this much from nothing"
    )
    return (
        f"Paper trades: {edge.trades} filled in {edge.events} events, {edge.contracts:g} contracts, {edge.dollars:+.2f} dollars"
        f" after fees, {edge.per_contract:+.4f} a contract ({interval_text(edge.interval) or 'no interval'}){needed}."
    )
