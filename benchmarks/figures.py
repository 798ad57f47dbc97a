"""What a benchmark found: named figures, what each stands beside, and its target; it measures nothing and fails nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

WIDE = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    beside: str = ""
    """What it is compared with, and by how much, in words."""
    ratio: float | None = None
    """The value as a multiple of what it is compared with."""
    target: str = ""
    met: bool | None = None
    """None where there is no target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The figures of one subject, and what has to be known to read them."""

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def quantile(samples: Sequence[float], part: float) -> float:
    """The smallest sample that at least this part of all samples does not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def at_most(figure: float, most: float) -> dict[str, Any]:
    """The verdict on a figure that should not be larger."""
    return {"met": figure <= most}


def said(value: float) -> str:
    """Three digits that matter."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def as_text(subject: Subject) -> str:
    lines = ["", subject.title]
    for each in subject.figures:
        verdict = {True: "met", False: "MISSED", None: ""}[each.met]
        target = f"target {each.target}: {verdict}" if each.target else ""
        tail = "   ".join(part for part in (each.beside, target) if part)
        lines.append(f"  {each.name:{WIDE}} {said(each.value):>9} {each.unit:8} {tail}".rstrip())
    return "\n".join([*lines, *(f"  {note}" for note in subject.notes)])


def as_markdown(subject: Subject) -> str:
    rows = [
        f"| {each.name} | {said(each.value)} {each.unit} | {each.beside} | {each.target} | {_verdict(each)} |"
        for each in subject.figures
    ]
    head = [f"## {subject.title}", "", "| figure | value | beside | target | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, "", *(f"{note}\n" for note in subject.notes)])


def _verdict(each: Figure) -> str:
    return {True: "met", False: "missed", None: ""}[each.met]
