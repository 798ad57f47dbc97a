"""Money that comes in from the member's bank or goes out to it; nothing here trades, and no payment changes another."""

from __future__ import annotations

from recio.exchange_sim.engine.account import Account
from recio.exchange_sim.engine.orders import INSUFFICIENT_BALANCE, NOT_FOUND, Refused
from recio.exchange_sim.engine.payment_rows import Payment, PaymentKind, PaymentStatus
from recio.exchange_sim.engine.venue import Venue


def begin(venue: Venue, kind: PaymentKind, amount_cents: int, fee_cents: int) -> Payment:
    """A payment that has not reached the balance yet."""
    payment = Payment(
        payment_id=venue.new_id(),
        kind=kind,
        amount_cents=amount_cents,
        fee_cents=fee_cents,
        created_ms=venue.now_ms,
        sequence=venue.next_sequence(),
    )
    venue.payments.append(payment)
    return payment


def come_to(venue: Venue, account: Account, payment: Payment, status: PaymentStatus) -> Refused | None:
    """Applied once, and taken back where it is returned after that."""
    shard = max(account.cash, key=lambda each: account.cash[each])
    if status is PaymentStatus.APPLIED and payment.status is PaymentStatus.PENDING:
        if payment.change < 0 and -payment.change > venue.available(shard, account.number):
            return INSUFFICIENT_BALANCE
        account.move(shard, payment.change, venue.now_ms)
    elif status is PaymentStatus.RETURNED and payment.status is PaymentStatus.APPLIED:
        account.move(shard, -payment.change, venue.now_ms)
    elif status is not payment.status and payment.status is not PaymentStatus.PENDING:
        return NOT_FOUND
    payment.status = status
    payment.finalized_ms = None if status is PaymentStatus.PENDING else venue.now_ms
    return None
