"""The list of guards cannot rot: each still names a text that stands once, and tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guards.guards import GUARDS, Guard

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_exactly_once_and_its_tests_exist(guard: Guard):
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.text) == 1
    assert guard.without != guard.text
    assert guard.noticed_by
    assert [name for name in guard.noticed_by if not (ROOT / name).is_file()] == []


def test_no_two_guards_share_a_name():
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
