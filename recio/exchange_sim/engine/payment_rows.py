"""What is known of a payment between the member's bank and the venue; it moves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CENT = 10_000
"""Units of $0.000001."""


class PaymentKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class PaymentStatus(StrEnum):
    PENDING = "pending"
    APPLIED = "applied"
    FAILED = "failed"
    RETURNED = "returned"


@dataclass(slots=True, kw_only=True)
class Payment:
    payment_id: str
    kind: PaymentKind
    amount_cents: int
    fee_cents: int
    created_ms: int
    sequence: int
    status: PaymentStatus = PaymentStatus.PENDING
    finalized_ms: int | None = None

    @property
    def change(self) -> int:
        """What it does to the balance once it is applied; its fee is paid on top."""
        sign = 1 if self.kind is PaymentKind.DEPOSIT else -1
        return (sign * self.amount_cents - self.fee_cents) * CENT
