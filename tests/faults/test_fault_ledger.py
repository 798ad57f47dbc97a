"""docs/fault-ledger.md says what the last reports say, and nothing else."""

from __future__ import annotations

import pytest

from tests.faults import fault_ledger, proof_reports


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
