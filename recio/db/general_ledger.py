"""The double-entry ledger: posts fills and settlements in the transaction that records them, and proves them at start.

It never changes or removes a posting, and a difference is refused, never evened out.
"""

from __future__ import annotations

from recio.db.audit_trail import prove_chain
from recio.db.connection import Connection, without_time_limit
from recio.errors import Fatal
from recio.units import FillId, Money, Ticker, money_of

_POST_FILL = "SELECT post_fill($1)"
_POST_SETTLEMENT = "SELECT post_settlement($1)"
_BALANCE = "SELECT coalesce(max(amount), 0) FROM ledger_balances WHERE account = $1"
_TOTAL = "SELECT coalesce(sum(amount), 0) FROM postings"
_UNPOSTED = """
    SELECT 'fill ' || fill_id FROM fills AS f WHERE NOT EXISTS (SELECT FROM ledger_transactions AS l WHERE l.fill_id = f.fill_id)
    UNION ALL
    SELECT 'settlement ' || ticker FROM settlements AS s
    WHERE NOT EXISTS (SELECT FROM ledger_transactions AS l WHERE l.settled_ticker = s.ticker) LIMIT 1
"""
_FEES_DIFFER = """
    SELECT f.fill_id FROM fills AS f JOIN ledger_transactions AS l ON l.fill_id = f.fill_id
    LEFT JOIN LATERAL (
        SELECT sum(amount) AS amount FROM postings WHERE transaction_id = l.transaction_id AND account IN ('fees', 'rounding')
    ) AS e ON true
    WHERE e.amount IS DISTINCT FROM f.fee LIMIT 1
"""
_COUNTER = "SELECT counter_that_differs()"
PROOF_LIMIT = 300.0
"""Host seconds that each statement of the proof may take."""


async def post_fill(connection: Connection, fill_id: FillId) -> bool:
    """Post one recorded fill; False if it is posted already."""
    return await connection.fetchval(_POST_FILL, fill_id)


async def post_settlement(connection: Connection, ticker: Ticker) -> bool:
    """Post one recorded settlement; False if it is posted already."""
    return await connection.fetchval(_POST_SETTLEMENT, ticker)


async def balance(connection: Connection, account: str) -> Money:
    """What all postings of one account add up to; cash is counted from zero at the first posting."""
    return money_of(await connection.fetchval(_BALANCE, account))


async def prove(connection: Connection, *, whole: bool = False) -> None:
    """Raises Fatal if the chain of the audit log is broken, or ledger or counters do not hold what the fills say.

    The chain is read from the last checkpoint on, and from its first row where `whole`.
    """
    await without_time_limit(connection)
    await prove_chain(connection, whole=whole)
    total = money_of(await connection.fetchval(_TOTAL, timeout=PROOF_LIMIT))
    if total != 0:
        raise Fatal(
            f"the ledger was altered: all postings sum to {total} millionths of a dollar: restore a backup"
        )
    unposted: str | None = await connection.fetchval(_UNPOSTED, timeout=PROOF_LIMIT)
    if unposted is not None:
        raise Fatal(f"the ledger was altered: {unposted} is not posted: restore a backup")
    differs: str | None = await connection.fetchval(_FEES_DIFFER, timeout=PROOF_LIMIT)
    if differs is not None:
        raise Fatal(
            f"the ledger was altered: the fee of fill {differs} differs from its posting: restore a backup"
        )
    counter: str | None = await connection.fetchval(_COUNTER, timeout=PROOF_LIMIT)
    if counter is not None:
        raise Fatal(
            f"a counter differs from its rows: {counter}: if nobody changed rows by hand, the schema's function count_anew"
            " makes all counters anew from the rows; else restore a backup"
        )
