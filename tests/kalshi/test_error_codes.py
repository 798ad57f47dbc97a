"""The table of the venue's error codes, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

from recio.kalshi.error_codes import CODES

PAGE = Path(__file__).parents[2] / "docs" / "venue.md"


def test_the_page_shows_every_code_with_what_it_says_and_where_it_was_seen():
    section = PAGE.read_text(encoding="utf-8").split("## Error codes", 1)[1].split("\n## ", 1)[0]
    shown = [line for line in section.splitlines() if line.startswith("| `")]
    assert shown == [f"| `{name}` | {code.meaning} | {code.seen} |" for name, code in CODES.items()]
