"""What decision rules remember from cycle to cycle, in rows, so that a restart forgets nothing: pauses of entry, and trades of exit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec

from recio.db.connection import Connection
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.momentum_pause import PauseMemory, Pauses
from recio.units import TradeId

_PAUSES = "SELECT strategy, symbol, minute, peak, calm FROM momentum_pauses"
_KEEP_PAUSE = """
    INSERT INTO momentum_pauses (strategy, symbol, minute, peak, calm) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (strategy, symbol) DO UPDATE SET minute = excluded.minute, peak = excluded.peak, calm = excluded.calm
"""
_END_PAUSES = """
    DELETE FROM momentum_pauses AS kept
    WHERE NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::text[]) AS lasts (strategy, symbol)
        WHERE lasts.strategy = kept.strategy AND lasts.symbol = kept.symbol)
"""


_EXITS = "SELECT trade_id, memory FROM exit_memories"
_KEEP_EXIT = """
    INSERT INTO exit_memories (trade_id, memory) VALUES ($1, $2)
    ON CONFLICT (trade_id) DO UPDATE SET memory = excluded.memory
"""
_END_EXITS = "DELETE FROM exit_memories WHERE trade_id = ANY($1::bigint[])"


async def recall_pauses(connection: Connection) -> dict[str, Pauses]:
    """By strategy and symbol."""
    found: dict[str, dict[str, PauseMemory]] = {}
    for row in await connection.fetch(_PAUSES):
        pause = PauseMemory(minute=row["minute"], peak=row["peak"], calm=row["calm"])
        found.setdefault(row["strategy"], {})[row["symbol"]] = pause
    return dict(found)


async def keep_pauses(connection: Connection, pauses: Mapping[str, Pauses]) -> None:
    """Exactly these last."""
    every = [(name, symbol, each) for name, of in pauses.items() for symbol, each in of.items()]
    await connection.execute(_END_PAUSES, [name for name, _, _ in every], [symbol for _, symbol, _ in every])
    await connection.executemany(
        _KEEP_PAUSE, [(name, symbol, each.minute, each.peak, each.calm) for name, symbol, each in every]
    )


async def recall_exits(connection: Connection) -> dict[TradeId, ExitMemory]:
    """By trade. One that cannot be read is as if it were not there, and hides no other."""
    found: dict[TradeId, ExitMemory] = {}
    for row in await connection.fetch(_EXITS):
        with suppress(msgspec.ValidationError):
            found[TradeId(row["trade_id"])] = msgspec.convert(row["memory"], ExitMemory)
    return found


async def keep_exits(
    connection: Connection, changed: Mapping[TradeId, ExitMemory], ended: Collection[TradeId]
) -> None:
    """These are another than the rows say, and nothing is remembered of those."""
    await connection.executemany(
        _KEEP_EXIT, [(trade, msgspec.to_builtins(memory)) for trade, memory in changed.items()]
    )
    await connection.execute(_END_EXITS, list(ended))
