"""The walls of the house stand: imports, sizes, names, wires, tables; that each can break is tests/architecture's.

A failure says in a few lines which file, which figure against which limit, and what to do.
"""

from __future__ import annotations

import pytest

from tests.architecture.all_walls import WALLS
from tests.architecture.import_contracts import broken_contracts
from tests.architecture.source_tree import ROOT, Wall, read_tree, told


def test_the_import_contracts_hold():
    broken = broken_contracts(ROOT)
    if broken:
        pytest.fail("\n\n".join(f"contract broken: {name}\n{says}" for name, says in broken), pytrace=False)


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.name)
def test_the_wall_stands(wall: Wall):
    faults = list(wall.faults(read_tree()))
    if faults:
        pytest.fail(told(wall, faults), pytrace=False)
