"""What may be said of scores, worded by code from the figures: who is ahead, who is behind, and what is not known.

Which claims are made is fixed here and not by what comes out. All that stand on one page share the 5 % in which one of them may
be wrong: each interval is widened by their number (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from recio.report.intervals import CONFIDENCE, FEWEST_CLOSES, Interval, Mean
from recio.score.forecasts import TERMINAL
from recio.score.groups import LAST_MINUTE
from recio.score.scores import EVERYTHING, Scores

LOSS = "log loss"
WHERE = {EVERYTHING: "over the whole window", LAST_MINUTE: "in the last minute"}
PER_CONTRACT = "dollars a contract after fees"


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    UNKNOWN = "not known"
    TOO_FEW = "too few closes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One question and what these figures answer."""

    question: str
    part: str
    """The recordings that it is answered from."""
    verdict: Verdict
    unit: str
    value: float
    interval: Interval | None
    """Wide enough for all claims of the page at once; None for too few closes."""
    closes: int
    needed: int | None
    """Closes that would tell so much from nothing, asked alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    question: str
    part: str
    unit: str
    value: float
    mean: Mean | None
    closes: int
    needed: int | None
    lower_is_better: bool


def claims(parts: Mapping[str, Scores]) -> list[Claim]:
    """Of everything that stands on one page, by the names of its recordings."""
    asked = [each for part, scores in parts.items() for each in _questions(part, scores)]
    many = sum(each.mean is not None for each in asked)
    return [_answered(each, 1 - (1 - CONFIDENCE) / max(1, many)) for each in asked]


def sentences(found: Sequence[Claim]) -> Iterator[str]:
    """One for each question, with all recordings in it."""
    for question, answers in _by_question(found).items():
        yield f"**{question}** {_summary(answers)} {' '.join(map(_told, answers))}"


def _questions(part: str, scores: Scores) -> Iterable[_Question]:
    for each in scores.compared:
        it = each.comparison
        if each.loss != LOSS or each.group not in WHERE or it.name == TERMINAL:
            continue
        yield _Question(
            question=f"Is {it.name} better than {it.against} {WHERE[each.group]}?",
            part=part,
            unit="of log loss",
            value=it.difference,
            mean=it.mean,
            closes=it.events,
            needed=it.events_needed,
            lower_is_better=True,
        )
    edge = scores.edge
    if edge is not None and edge.per_contract is not None:
        yield _Question(
            question="Do the paper trades make money?",
            part=part,
            unit=PER_CONTRACT,
            value=edge.per_contract,
            mean=edge.mean,
            closes=edge.events,
            needed=edge.events_needed,
            lower_is_better=False,
        )


def _answered(asked: _Question, confidence: float) -> Claim:
    interval = None if asked.mean is None else asked.mean.interval(confidence)
    return Claim(
        question=asked.question,
        part=asked.part,
        verdict=_verdict(interval, lower_is_better=asked.lower_is_better),
        unit=asked.unit,
        value=asked.value,
        interval=interval,
        closes=asked.closes,
        needed=asked.needed,
    )


def _verdict(interval: Interval | None, *, lower_is_better: bool) -> Verdict:
    if interval is None:
        return Verdict.TOO_FEW
    if not interval.excludes_zero:
        return Verdict.UNKNOWN
    return Verdict.BETTER if (interval.high < 0) == lower_is_better else Verdict.WORSE


def _by_question(found: Sequence[Claim]) -> dict[str, list[Claim]]:
    questions: dict[str, list[Claim]] = {}
    for each in found:
        questions.setdefault(each.question, []).append(each)
    return questions


def _summary(answers: Sequence[Claim]) -> str:
    verdicts = {each.verdict for each in answers}
    shown = verdicts & {Verdict.BETTER, Verdict.WORSE}
    if not shown:
        return "Not known."
    if len(shown) == 2:
        return "These recordings contradict each other: nothing is claimed."
    word = "Yes" if shown == {Verdict.BETTER} else "No, worse"
    return (
        f"{word}, on all of these recordings."
        if verdicts == shown
        else f"{word}, on some of these recordings and not known on others."
    )


def _told(claim: Claim) -> str:
    if claim.interval is None:
        many = "1 close" if claim.closes == 1 else f"{claim.closes} closes"
        return f"{claim.part}: {many}, fewer than the {FEWEST_CLOSES} (of equal weight) that say anything."
    low, high = claim.interval.low, claim.interval.high
    figures = f"{claim.value:+.4f} {claim.unit}, {low:+.4f} to {high:+.4f}, {claim.closes} closes"
    if claim.verdict is not Verdict.UNKNOWN:
        return f"{claim.part}: {claim.verdict} ({figures})."
    needed = "" if claim.needed is None else f"; some {claim.needed:,} would tell so much from nothing"
    return f"{claim.part}: not known ({figures}{needed})."
