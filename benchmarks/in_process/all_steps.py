"""All single steps as one subject."""

from __future__ import annotations

from benchmarks.figures import Subject
from benchmarks.in_process import books, intention, pricing
from benchmarks.run import Run


def measure(run: Run) -> Subject:
    figures = [*books.measure(), *pricing.measure(), *intention.measure(run)]
    return Subject(title="Single steps in one process, fastest round", figures=figures)
