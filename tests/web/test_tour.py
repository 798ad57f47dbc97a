"""The README's tour: its pictures are those that the maker makes, small enough for a slow line, and made of a demo that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.web.tour import AT_MOST, PICTURES, make

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(text: str) -> dict[str, str]:
    """Each picture of the tour that a text shows, with what is said of it to whoever cannot see it."""
    images = re.findall(r"<img [^>]*>", text)
    return {
        found[1]: alt[1] if (alt := re.search(r'alt="([^"]*)"', each)) else ""
        for each in images
        if (found := re.search(r'src="docs/tour/([^"]+)"', each))
    }


def test_the_readme_shows_what_the_maker_makes_and_nothing_else():
    told = shown(README)
    assert sorted(told) == sorted(PICTURES)
    assert [name for name, alt in told.items() if len(alt) < 20] == []
    assert sorted(re.findall(r"docs/tour/([\w.-]+)", README)) == sorted(PICTURES)


def test_the_pictures_are_there_and_small_enough_for_a_slow_line():
    kept = {each.name: each.stat().st_size for each in (ROOT / "docs" / "tour").iterdir()}
    assert sorted(kept) == sorted(PICTURES)
    assert sum(kept.values()) <= AT_MOST


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_every_picture_is_made_of_a_demo_that_trades_halts_and_shows_a_story(tmp_path: Path):
    assert await make(tmp_path) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(PICTURES)
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= AT_MOST
    for name in PICTURES:
        with Image.open(tmp_path / name) as picture:
            colours = picture.convert("RGB").getcolors(maxcolors=1 << 24) or []
            assert len(colours) > 20, f"{name} shows nothing"
