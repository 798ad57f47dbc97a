"""The limits of each run of the daemon, and what somebody granted; the database refuses any rise without a grant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import asyncpg

from recio.db.connection import Connection
from recio.messages.controls import LowerLimit
from recio.rules.account.limits import IN_ROWS, LimitsInForce, in_force, wanted
from recio.settings.risk import RiskSection

_HOLD = "SELECT hold_limit($1)"
_CEILING = "SELECT limit_ceiling($1, $2)"
_PUT = "INSERT INTO risk_limits (fencing, name, amount) VALUES ($1, $2, $3)"
_RUN = "(SELECT max(fencing) FROM risk_limits)"
_NEWEST = f"SELECT name, limit_in_force(fencing, name) AS amount FROM risk_limits WHERE fencing = {_RUN}"
_STANDING = f"""
    SELECT name, limit_in_force(fencing, name) AS now, limit_ceiling(fencing + 1, name) AS next
    FROM risk_limits WHERE fencing = {_RUN}
"""
LOWERED = f"SELECT name, min(amount) FROM limit_cuts WHERE fencing = {_RUN} GROUP BY name ORDER BY name"
_CUT = f"INSERT INTO limit_cuts (fencing, name, amount, cut_by, why) VALUES ({_RUN}, $1, $2, $3, $4)"
_GRANT = """
    INSERT INTO limit_grants (name, amount, granted_by, after_run)
    SELECT $1, $2, $3, max(fencing) FROM risk_limits
"""


async def put_in_force(connection: Connection, fencing: int, section: RiskSection) -> LimitsInForce:
    """Write the limits of a new run, held down to what they may be; returns what is in force."""
    found: dict[str, Decimal | None] = {}
    for name in IN_ROWS:
        # Until this start is committed nobody lowers or grants it: it would be of the run before, and hold nobody.
        await connection.execute(_HOLD, name)
        found[name] = await connection.fetchval(_CEILING, fencing, name)
    decided = in_force(section, {name: amount for name, amount in found.items() if amount is not None})
    for name, amount in wanted(decided.limits).items():
        await connection.execute(_PUT, fencing, name, amount)
    return decided


async def cut(connection: Connection, name: str, amount: Decimal, by: str, why: str) -> bool:
    """Lower a limit of the newest run at once, and for later ones; False if it is no higher already, and nothing is written."""
    try:
        async with connection.transaction():
            await connection.execute(_CUT, name, amount, by, why)
    except asyncpg.CheckViolationError:
        return False
    return True


def lower_limit(row: tuple[Any, ...]) -> LowerLimit:
    """Of the columns of LOWERED, in their order."""
    name, amount = row
    return LowerLimit(name=name, amount=amount)


async def newest(connection: Connection) -> Mapping[str, Decimal]:
    """The limits of the newest run as they are now; empty before the first."""
    return {row["name"]: row["amount"] for row in await connection.fetch(_NEWEST)}


async def hold(connection: Connection) -> None:
    """Until the transaction ends no limit is lowered or granted, and no run begins."""
    for name in IN_ROWS:  # in the order of a start, so that neither waits for the other
        await connection.execute(_HOLD, name)


async def standing(connection: Connection) -> tuple[Mapping[str, Decimal], Mapping[str, Decimal]]:
    """The limits of the newest run as they are now, and how high the next may have each; empty before the first."""
    rows = await connection.fetch(_STANDING)
    return {row["name"]: row["now"] for row in rows}, {row["name"]: row["next"] for row in rows}


async def grant(connection: Connection, amounts: Iterable[tuple[str, Decimal]], by: str) -> None:
    """Let the next run raise these limits to these amounts."""
    for name, amount in amounts:
        await connection.execute(_HOLD, name)  # a start that is under way is the newest run by then
        await connection.execute(_GRANT, name, amount, by)
