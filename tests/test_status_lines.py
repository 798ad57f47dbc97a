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


def test_a_halt_says_who_set_it_and_why_and_never_twice_that_it_is_one():
    said = status(filled_wires())
    typed = {"level": "halt", "cause": "halted by command: I want to look", "by": "Ann"}
    without = {"level": "stop", "cause": "stopped by command", "by": "Bob"}
    by_itself = {"level": "halt", "cause": "position on X differs", "by": "failure_detector"}
    said["halts"] = [typed, without, by_itself]
    line = next(each for each in lines_of(said, 8710) if each.startswith("halts"))
    assert line.split(maxsplit=1)[1] == (
        "halt: I want to look (by Ann); stop: by Bob; halt: position on X differs"
    )


def test_a_clock_is_ahead_or_behind_and_one_that_is_not_known_has_no_figure():
    said = status(filled_wires())

    def clock(offset: float | None) -> str:
        said["venue"] = said["venue"] | {"clock_offset_seconds": offset}
        return next(each for each in lines_of(said, 8710) if each.startswith("venue")).split("; ")[-1]

    assert clock(0.02) == "clock 0.02 s ahead of ours"
    assert clock(-0.145) == "clock 0.145 s behind ours"
    assert clock(None) == "how far its clock is off ours is not known"
