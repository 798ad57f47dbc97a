"""The lines of `recio status`: no wider than a terminal, and nothing of them cut."""

from __future__ import annotations

from recio.commands.status import WIDTH, fitted, lines_of
from tests.tasks.test_status_page import filled_wires, status


def test_what_is_wider_than_a_terminal_goes_on_below_and_loses_no_word():
    said = status(filled_wires())
    said["venue"] = said["venue"] | {
        "read": "fees of the events of KXBTC15M and KXETHD read 359 s ago",
        "clock_offset_seconds": -0.022,
    }
    lines, shown = list(lines_of(said, 8710)), list(fitted(lines_of(said, 8710)))
    assert max(map(len, shown)) <= WIDTH
    assert " ".join(" ".join(shown).split()) == " ".join(" ".join(lines).split())
    assert [each.split()[0] for each in shown if not each.startswith(" ")] == [
        each.split()[0] for each in lines
    ]
    assert any(each.startswith("        ") for each in shown)
