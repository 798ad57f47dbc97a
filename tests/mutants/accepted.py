"""Breaks that change nothing that anybody promises, each with the reason; everything else must be noticed."""

from __future__ import annotations

from tests.db.index_uses import UNREAD

ACCEPTED: dict[str, str] = {
    "contract_terms.py: QUOTED = 120": "how much of the venue's words a refusal quotes",
    "market_board.py: return Decimal(-1) if market.cap_strike is None else market.cap_strike / 2 [1 -> 2]": (
        "any figure below every strike puts it first"
    ),
    "condition of unique index ledger_transactions_one_correction": (
        "a transaction without a revision is like no other: NULL equals nothing"
    ),
    "index ledger_transactions_by_ticker": UNREAD["ledger_transactions_by_ticker"],
}
"""A part of a break's name: why nobody need notice it."""


def why_accepted(name: str) -> str:
    """The reason, or nothing."""
    return next((why for part, why in ACCEPTED.items() if part in name), "")
