"""Switches: a person's word on entries and exits, each by itself; written by `recio switch`, never by the daemon."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recio.db.connection import Connection
from recio.messages.controls import Switch, SwitchedOff

OFF = """
    SELECT newest.name, at, set_by, why FROM unnest($1::text[]) AS every (name) CROSS JOIN LATERAL (
        SELECT * FROM switches AS s WHERE s.name = every.name ORDER BY switch_id DESC LIMIT 1
    ) AS newest WHERE NOT is_on ORDER BY newest.name
"""
NAMES = [each.value for each in Switch]
_TURN = "INSERT INTO switches (name, is_on, at, set_by, why) VALUES ($1, $2, $3, $4, $5)"


async def off(connection: Connection) -> tuple[SwitchedOff, ...]:
    """What is switched off now."""
    return tuple(switched_off(tuple(row)) for row in await connection.fetch(OFF, NAMES))


def switched_off(row: tuple[Any, ...]) -> SwitchedOff:
    """Of the columns of OFF, in their order."""
    name, since, by, why = row
    return SwitchedOff(switch=Switch(name), since=since, by=by, why=why)


async def turn(connection: Connection, switch: Switch, is_on: bool, at: datetime, by: str, why: str) -> bool:
    """Record the new position; False if it was the position before, and nothing is recorded."""
    was_on = all(each.switch is not switch for each in await off(connection))
    if was_on is is_on:
        return False
    await connection.execute(_TURN, switch.value, is_on, at, by, why)
    return True
