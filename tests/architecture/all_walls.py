"""Every wall that is not an import contract, in one tuple; a wall that is not in it holds nothing."""

from __future__ import annotations

from tests.architecture.document_walls import DOCUMENT_WALLS
from tests.architecture.form_walls import FORM_WALLS
from tests.architecture.reach_walls import REACH_WALLS
from tests.architecture.room_walls import ROOM_WALLS
from tests.architecture.table_walls import TABLE_WALLS
from tests.architecture.wire_walls import WIRE_WALLS

WALLS = (*FORM_WALLS, *ROOM_WALLS, *WIRE_WALLS, *TABLE_WALLS, *REACH_WALLS, *DOCUMENT_WALLS)
