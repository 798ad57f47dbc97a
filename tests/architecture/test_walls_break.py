"""Each wall is broken on purpose in a copy of the tree, by one line where that is enough, and has to say so.

What it says must name the path, the limit and the remedy, in a few lines. A wall without a breach fails here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.all_walls import WALLS
from tests.architecture.breaches import BREACHES, Breach
from tests.architecture.import_contracts import broken_contracts, contract_names
from tests.architecture.source_tree import ROOT, SHOWN, read_tree, told

MOST_LINES = 16


CONTRACTS = contract_names(ROOT)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the walls read, and no more."""
    root = tmp_path_factory.mktemp("walls")
    shutil.copytree(ROOT / "recio", root / "recio", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "schema.sql", "ARCHITECTURE.md"):
        shutil.copy(ROOT / name, root / name)
    (root / "tests").mkdir()
    return root


@contextmanager
def broken(root: Path, *breaches: Breach) -> Iterator[None]:
    """The copy with the offending lines in it; as it was, afterwards."""
    paths = [root / each.path for each in breaches]
    before = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in paths}
    for path, breach in zip(paths, breaches, strict=True):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text.count(breach.instead_of) == 1 or not breach.instead_of, f"{breach.path} has changed"
        path.write_text(
            text.replace(breach.instead_of, breach.line) if breach.instead_of else f"{text}{breach.line}\n",
            encoding="utf-8",
        )
    yield
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")


def test_every_wall_is_broken_here_on_purpose():
    assert {each.wall for each in BREACHES} == {wall.name for wall in WALLS} | set(CONTRACTS)


def test_the_copy_is_as_good_as_the_tree(copy: Path):
    assert [told(wall, faults) for wall in WALLS if (faults := list(wall.faults(read_tree(copy))))] == []


@pytest.mark.parametrize(
    "breach",
    [each for each in BREACHES if each.wall not in CONTRACTS],
    ids=lambda each: f"{each.wall}: {each.path}",
)
def test_the_wall_says_what_breaks_it(copy: Path, breach: Breach):
    wall = next(each for each in WALLS if each.name == breach.wall)
    with broken(copy, breach):
        says = told(wall, wall.faults(read_tree(copy)))
    assert [part for part in breach.says if part not in says] == [], says
    assert len(says.splitlines()) <= 2 * SHOWN + 2


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_says_what_breaks_it(copy: Path, name: str):
    breaches = [each for each in BREACHES if each.wall == name]
    with broken(copy, *breaches):
        says = dict(broken_contracts(copy)).get(name, "it stands")
    for breach in breaches:
        assert [part for part in breach.says if part not in says] == [], says
    assert len(says.splitlines()) <= MOST_LINES


def test_many_faults_are_told_in_a_few_lines(copy: Path):
    wall = next(each for each in WALLS if each.name == "files stay small")
    many = [Breach(wall.name, f"recio/offends_{n}.py", "X = 1\n" * 401, ()) for n in range(SHOWN + 2)]
    with broken(copy, *many):
        says = told(wall, wall.faults(read_tree(copy)))
    assert says.endswith("... and 2 more")
