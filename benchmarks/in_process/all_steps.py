"""All single steps as one subject; a step that the daemon's present shape no longer has is named and left out."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import Figure, Subject
from benchmarks.in_process import books, intention, pricing
from benchmarks.run import Run


def measure(run: Run) -> Subject:
    figures, notes = list[Figure](), list[str]()
    steps: tuple[Callable[[], list[Figure]], ...] = (
        books.measure,
        pricing.measure,
        lambda: intention.measure(run),
    )
    for step in steps:
        figures += step()
    return Subject(title="Single steps in one process, fastest round", figures=figures, notes=notes)
