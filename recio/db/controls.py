"""What a person says by the rows, in one statement: halts, switches, what is to be sold, lowered limits, and whether the database may be written; it writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recio.db import closes, halts, limits, parity_days, switches
from recio.db.connection import Connection
from recio.messages.controls import CloseRequest, Halt, LowerLimit, SwitchedOff

_READ = f"""
    SELECT
        ARRAY(SELECT ROW(h.*) FROM ({halts.ACTIVE}) AS h) AS halts,
        ARRAY(SELECT ROW(s.*) FROM ({switches.OFF}) AS s) AS switched_off,
        ARRAY(SELECT ROW(c.*) FROM ({closes.WANTED}) AS c) AS closes,
        ARRAY(SELECT ROW(l.*) FROM ({limits.LOWERED}) AS l) AS lowered,
        ARRAY({halts.EVER_CLEARED}) AS ever_cleared,
        ARRAY({parity_days.PARTED}) AS parted,
        ({halts.FORGIVEN}) AS forgiven,
        current_setting('transaction_read_only') = 'on' AS read_only
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRows:
    """The rows as one snapshot saw them."""

    halts: tuple[Halt, ...]
    switched_off: tuple[SwitchedOff, ...]
    closes: tuple[CloseRequest, ...]
    lowered: tuple[LowerLimit, ...]
    """Limits of the newest run that somebody lowered since its start."""
    ever_cleared: frozenset[str]
    """Those of the causes asked for that somebody cleared at some time."""
    parted: tuple[str, ...]
    """Strategies whose paper and live part beyond chance, by their newest row."""
    forgiven: int
    """The newest trade before a halt that somebody cleared; 0 before any."""
    read_only: bool
    """By decree, or because the database is the copy of another server."""


async def read(connection: Connection, causes: Iterable[str]) -> ControlRows:
    """`causes`: those that never go away by themselves, so that a clearance of them counts for good."""
    row = await connection.fetchrow(_READ, switches.NAMES, list(causes))
    assert row is not None
    return ControlRows(
        halts=tuple(halts.halt_of(each) for each in row["halts"]),
        switched_off=tuple(switches.switched_off(each) for each in row["switched_off"]),
        closes=tuple(closes.close_of(tuple(each)) for each in row["closes"]),
        lowered=tuple(limits.lower_limit(tuple(each)) for each in row["lowered"]),
        ever_cleared=frozenset(row["ever_cleared"]),
        parted=tuple(row["parted"]),
        forgiven=row["forgiven"],
        read_only=row["read_only"],
    )
