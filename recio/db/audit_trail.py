"""Reads the audit log and proves its chain, whole or from where it was proven last; it appends nothing and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recio.db.connection import Connection
from recio.errors import Fatal

AT_ONCE = 500
PROOF_LIMIT = 300.0
"""Host seconds that the proof of a whole log may take."""
CHECKPOINT_EVERY = 10_000
"""Rows; so many a start may have to read, and what came since."""
_ROWS = """
    SELECT seq, at, kind, trade_id, client_order_id, detail FROM audit_log
    WHERE ($1::timestamptz IS NULL OR at >= $1) AND ($2::timestamptz IS NULL OR at < $2)
        AND ($3::text IS NULL OR starts_with(kind, $3)) AND ($4::bigint IS NULL OR trade_id = $4)
        AND ($5::text IS NULL OR detail ->> 'by' = $5)
    ORDER BY seq
"""
_BREAK = "SELECT audit_log_breaks_at($1)"
_CHECKPOINT = "SELECT c.seq, c.seal, l.seal AS found FROM audit_checkpoints AS c LEFT JOIN audit_log AS l USING (seq) ORDER BY c.seq DESC LIMIT 1"
_KEEP = """
    INSERT INTO audit_checkpoints (seq, seal)
    SELECT seq, seal FROM audit_log WHERE seq >= $1 + (SELECT coalesce(max(seq), 0) FROM audit_checkpoints)
    ORDER BY seq DESC LIMIT 1
"""
_COUNT = "SELECT count(*) FROM audit_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    seq: int
    at: datetime
    kind: str
    trade_id: int | None
    client_order_id: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are asked for; None asks for all."""

    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    """What their kinds begin with."""
    trade_id: int | None = None
    by: str | None = None


async def entries(connection: Connection, wanted: Wanted) -> AsyncGenerator[Entry]:  # noqa: ASYNC900 - what it holds ends with the transaction
    """In the order in which they were written. Takes a connection in a transaction."""
    values = (wanted.since, wanted.until, wanted.kind, wanted.trade_id, wanted.by)
    async for row in connection.cursor(_ROWS, *values, prefetch=AT_ONCE):
        yield Entry(**row)


async def prove_chain(connection: Connection, *, whole: bool) -> int:
    """Raises Fatal naming the row where the chain breaks; returns after which row it was read.

    Unless `whole`, from the last checkpoint on, whose row must still have the seal that it had.
    """
    since = 0 if whole else await _proven_before(connection)
    broken: int | None = await connection.fetchval(_BREAK, since, timeout=PROOF_LIMIT)
    if broken is not None:
        raise Fatal(
            f"the audit log was altered: the seal of row {broken} does not fit, so that row or one before it was"
            " changed or removed: restore a backup from before"
        )
    return since


async def _proven_before(connection: Connection) -> int:
    checkpoint = await connection.fetchrow(_CHECKPOINT)
    if checkpoint is None:
        return 0
    if checkpoint["seal"] != checkpoint["found"]:
        raise Fatal(
            f"the audit log was altered: row {checkpoint['seq']} has not the seal of its checkpoint: restore a backup from before"
        )
    return checkpoint["seq"]


async def keep_checkpoint(connection: Connection, every: int = CHECKPOINT_EVERY) -> None:
    """After a proof in the same transaction: the newest row is one, where the last is long ago."""
    await connection.execute(_KEEP, every)


async def count(connection: Connection) -> int:
    return await connection.fetchval(_COUNT, timeout=PROOF_LIMIT)
