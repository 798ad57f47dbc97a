"""docs/fault-ledger.md says what the last reports say, and nothing else."""

from __future__ import annotations

import pytest

from tests.faults import fault_ledger, proof_reports
from tests.faults.run_grid import joined


def test_the_page_is_made_of_the_reports_that_are_kept():
    assert fault_ledger.PAGE.read_text(encoding="utf-8") == fault_ledger.page(), "run: make fault-ledger"


def test_a_proof_that_was_never_run_to_its_end_is_not_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fault_ledger, "read", lambda _name: None)
    said = fault_ledger.page()
    assert said.count("never run to its end") == len(fault_ledger.ROWS)


def test_failures_are_counted_on_the_page(monkeypatch: pytest.MonkeyPatch):
    grid = {
        "commit": "1234567",
        "cases": 1600,
        "happened": 1500,
        "failed": [{"title": "a"}, {"title": "b"}],
        "did_not_happen": [],
        "by_trouble": {"lose_reply": 1500},
        "by_point": {"001 ENTRY_DECIDED": 1500},
        "resumed": {"trading": 1500},
        "recovery_seconds": {"median": 0.9, "longest": 8.0},
    }
    monkeypatch.setattr(fault_ledger, "read", {"fault-grid": grid}.get)
    (row,) = [line for line in fault_ledger.page().splitlines() if line.startswith("| kill -9 at numbered")]
    assert "| 2 | 1234567 |" in row
    assert proof_reports.commit()


def test_cases_that_are_tried_again_are_counted_once_and_what_failed_at_first_stays_told(
    monkeypatch: pytest.MonkeyPatch,
):
    first = {
        "commit": "1111111",
        "cases": 4,
        "happened": 3,
        "failed": [{"title": "001 A x cut", "failures": ["I2 lost"], "happened": True}],
        "did_not_happen": ["002 B x cut: the point was not reached"],
        "by_trouble": {"cut": 3},
        "by_point": {"001 A": 2, "003 C": 1},
        "resumed": {"trading": 3},
        "recovery_seconds": {"median": 1.0, "longest": 8.0},
    }
    again = {
        **first,
        "commit": "2222222",
        "cases": 2,
        "happened": 2,
        "failed": [],
        "did_not_happen": [],
        "by_trouble": {"cut": 2},
        "by_point": {"001 A": 1, "002 B": 1},
        "resumed": {"trading": 2},
        "recovery_seconds": {"median": 1.0, "longest": 9.0},
    }
    whole = joined(first, again)
    assert (whole["cases"], whole["happened"], whole["failed"]) == (4, 4, [])
    assert (whole["by_point"], whole["by_trouble"]) == ({"001 A": 2, "002 B": 1, "003 C": 1}, {"cut": 4})
    monkeypatch.setattr(fault_ledger, "read", {"fault-grid": whole}.get)
    assert "- 001 A x cut: I2 lost" in fault_ledger.page()
