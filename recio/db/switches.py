"""Switches: a person's word on entries, all or those of one strategy, and on exits; the daemon itself never switches."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recio.db.connection import Connection
from recio.messages.controls import Switch, SwitchedOff

# From one switch to the next by the index, however often each was turned.
OFF = """
    WITH RECURSIVE every AS (
        (SELECT name, strategy FROM switches ORDER BY name, strategy LIMIT 1)
        UNION ALL
        SELECT next.name, next.strategy FROM every CROSS JOIN LATERAL (
            SELECT name, strategy FROM switches AS s WHERE (s.name, s.strategy) > (every.name, every.strategy)
            ORDER BY s.name, s.strategy LIMIT 1
        ) AS next
    )
    SELECT newest.name, at, set_by, why, newest.strategy FROM every CROSS JOIN LATERAL (
        SELECT * FROM switches AS s WHERE s.name = every.name AND s.strategy = every.strategy ORDER BY switch_id DESC LIMIT 1
    ) AS newest WHERE NOT is_on AND newest.name = ANY($1::text[]) ORDER BY newest.name, newest.strategy
"""
NAMES = [each.value for each in Switch]
_TURN = "INSERT INTO switches (name, is_on, at, set_by, why, strategy) VALUES ($1, $2, $3, $4, $5, $6)"


async def off(connection: Connection) -> tuple[SwitchedOff, ...]:
    """What is switched off now."""
    return tuple(switched_off(tuple(row)) for row in await connection.fetch(OFF, NAMES))


def switched_off(row: tuple[Any, ...]) -> SwitchedOff:
    """Of the columns of OFF, in their order."""
    name, since, by, why, strategy = row
    return SwitchedOff(switch=Switch(name), since=since, by=by, why=why, strategy=strategy)


async def turn(
    connection: Connection, switch: Switch, is_on: bool, at: datetime, by: str, why: str, strategy: str = ""
) -> bool:
    """Record the new position; False if it was the position before, and nothing is recorded.

    `strategy`: whose entries; empty: those of all.
    """
    was_on = all((each.switch, each.strategy) != (switch, strategy) for each in await off(connection))
    if was_on is is_on:
        return False
    await connection.execute(_TURN, switch.value, is_on, at, by, why, strategy)
    return True
