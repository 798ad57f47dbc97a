"""The member's deposits and withdrawals: read by the member, made by tests on loopback alone, as a bank would."""

from __future__ import annotations

import msgspec
from aiohttp import web

from recio.exchange_sim.engine.orders import NOT_FOUND, Refused
from recio.exchange_sim.engine.payment_rows import Payment, PaymentKind, PaymentStatus
from recio.exchange_sim.engine.payments import begin, come_to
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.wire.app_keys import exchange_of, venue_of
from recio.exchange_sim.wire.rest import reading
from recio.exchange_sim.wire.rest.replies import bad_body, limit_of, no_such_path, page, refusal, reply
from recio.exchange_sim.wire.rest.request_body import decoded_body
from recio.exchange_sim.wire.rest.rules import RULES
from recio.exchange_sim.wire.texts import Json

MOST_CENTS = 10**11
"""A billion dollars: more is no payment, and a balance of many of them still fits into 64 bits."""
BAD_AMOUNT = f"amount_cents is 1 to {MOST_CENTS}, fee_cents 0 to {MOST_CENTS}"
_LOOPBACK = ("127.", "::1")


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    kind: PaymentKind
    amount_cents: int = 0
    fee_cents: int = 0
    status: PaymentStatus = PaymentStatus.APPLIED
    id: str = ""
    """Of a payment made before, whose status it changes."""
    member: int = 1


async def list_deposits(request: web.Request) -> web.Response:
    return _listed(request, PaymentKind.DEPOSIT)


async def list_withdrawals(request: web.Request) -> web.Response:
    return _listed(request, PaymentKind.WITHDRAWAL)


async def pay(request: web.Request) -> web.Response:
    """A payment to or from the bank, or another status of one."""
    if not (request.remote or "").startswith(_LOOPBACK):
        return no_such_path()
    body = await decoded_body(request)
    if body.flaw is not None:
        return bad_body(body.flaw)
    try:
        asked = msgspec.convert(body.value, _Asked)
    except msgspec.ValidationError as error:
        return bad_body(str(error))
    members = exchange_of(request).venue.members
    if not 1 <= asked.member <= len(members):
        return bad_body(f"member is 1 to {len(members)}, not {asked.member}")
    venue = members[asked.member - 1]
    found = _payment(venue, asked)
    if isinstance(found, Refused):
        return refusal(found)
    if found is None:
        return bad_body(BAD_AMOUNT)
    account = venue.accounts[request.app[RULES].locked_to or 0]
    refused = come_to(venue, account, found, asked.status)
    if refused is None:
        return reply({"id": found.payment_id})
    if not asked.id:
        venue.payments.remove(found)
    return refusal(refused)


def _payment(venue: Venue, asked: _Asked) -> Payment | Refused | None:
    if asked.id:
        known = (each for each in venue.payments if (each.payment_id, each.kind) == (asked.id, asked.kind))
        return next(known, NOT_FOUND)
    if not (0 < asked.amount_cents <= MOST_CENTS and 0 <= asked.fee_cents <= MOST_CENTS):
        return None
    return begin(venue, asked.kind, asked.amount_cents, asked.fee_cents)


def _listed(request: web.Request, kind: PaymentKind) -> web.Response:
    limit = limit_of(request, "GetDeposits" if kind is PaymentKind.DEPOSIT else "GetWithdrawals")
    venue = venue_of(request)
    shown = reading.shown_ms(venue)
    rows = [each for each in venue.payments if each.kind is kind and each.created_ms <= shown]
    chosen, following = page(request, rows, key=lambda row: row.sequence, limit=limit)
    return reply({f"{kind}s": [_json(row, shown) for row in chosen], "cursor": following})


def _json(row: Payment, shown_ms: int) -> Json:
    """A payment that came to its end only after what reads show is still pending there."""
    is_over = row.finalized_ms is not None and row.finalized_ms <= shown_ms
    body: Json = {
        "id": row.payment_id,
        "status": row.status.value if is_over else PaymentStatus.PENDING.value,
        "type": "ach",
        "amount_cents": row.amount_cents,
        "fee_cents": row.fee_cents,
        "created_ts": row.created_ms // 1000,
    }
    return body | ({"finalized_ts": row.finalized_ms // 1000} if is_over and row.finalized_ms else {})


ROUTES = [
    web.get("/portfolio/deposits", list_deposits),
    web.get("/portfolio/withdrawals", list_withdrawals),
]
