"""docs/imports.md shows the imports there are, and they have no circle."""

from __future__ import annotations

from pathlib import Path

from tests.imports_picture import PAGE, arrows, circle, page


def test_the_picture_is_of_the_code_as_it_is():
    assert PAGE.read_text(encoding="utf-8") == page(arrows()), "draw it again: make imports"


def test_no_room_imports_itself_through_others():
    assert circle(arrows()) == ()


def test_a_circle_would_be_found_and_named(tmp_path: Path):
    package = tmp_path / "recio"
    for room, imported in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        (package / room).mkdir(parents=True)
        (package / room / "x.py").write_text(f"from recio.{imported} import x\n", encoding="utf-8")
    assert circle(arrows(package)) == ("a", "b", "c", "a")
