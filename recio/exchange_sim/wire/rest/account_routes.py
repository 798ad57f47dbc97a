"""The member's keys, subaccounts and transfers between them; it creates no money."""

from __future__ import annotations

import re

from aiohttp import web

from recio.exchange_sim.engine.account import Transfer, Wallet
from recio.exchange_sim.engine.orders import NOT_FOUND, Refused
from recio.exchange_sim.engine.transfers import open_subaccount, transfer
from recio.exchange_sim.wire.app_keys import member_of, venue_of
from recio.exchange_sim.wire.auth import VERIFIER
from recio.exchange_sim.wire.rest import order_bodies as bodies
from recio.exchange_sim.wire.rest import reading
from recio.exchange_sim.wire.rest.key_lock import locked_to, may_see, refuse_if_locked, refuse_others
from recio.exchange_sim.wire.rest.rate_limits import LIMITS
from recio.exchange_sim.wire.rest.replies import limit_of, page, refusal, reply
from recio.exchange_sim.wire.rest.request_body import body_of
from recio.exchange_sim.wire.texts import Json, balance

_CENT = 10_000
_CENTI_CENT = 100
_PREDICTIONS = "event_contract"
NEEDS_ADVANCED = Refused(code="permission_denied", details="subaccounts need the advanced tier or better")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NO_UUID = Refused(code="invalid_parameters", details="client_transfer_id is a UUID")
ONLY_PRIMARY = Refused(
    code="invalid_parameters", details="client_transfer_id is for transfers of the primary account alone"
)
ONLY_PREDICTIONS = Refused(code="invalid_parameters", details="there is no margined exchange here")


async def list_api_keys(request: web.Request) -> web.Response:
    number = locked_to(request)
    own: Json = {} if number is None else {"subaccount": number}
    keys: list[Json] = [
        {"api_key_id": key_id, "name": "simulated", "scopes": ["read", "write"], **own}
        for key_id in request.app[VERIFIER].key_ids(member_of(request))
    ]
    return reply({"api_keys": keys})


async def create_subaccount(request: web.Request) -> web.Response:
    refuse_if_locked(request)
    venue = venue_of(request)
    body = await body_of(request, bodies.CreateSubaccountRequest, optional=True)
    if request.app[LIMITS][0].published().name == "basic":
        return refusal(NEEDS_ADVANCED)
    number = open_subaccount(venue, body.exchange_index or 0)
    if isinstance(number, Refused):
        return refusal(number)
    return reply({"subaccount_number": number}, 201)


async def subaccount_balances(request: web.Request) -> web.Response:
    venue = venue_of(request)
    rows = [
        {
            "subaccount_number": account.number,
            "exchange_index": shard,
            "balance": balance(free),
            "updated_ts": reading.shown_ms(venue) // 1000,
        }
        for account in venue.accounts.values()
        if may_see(request, account.number)
        for shard, free in reading.shown_free(venue, account).items()
    ]
    return reply({"subaccount_balances": rows})


async def transfer_between_subaccounts(request: web.Request) -> web.Response:
    refuse_if_locked(request)
    venue = venue_of(request)
    body = await body_of(request, bodies.ApplySubaccountTransferRequest)
    if not body.client_transfer_id:
        return refusal(Refused(code="missing_parameters"))
    if not _UUID.fullmatch(body.client_transfer_id):
        return refusal(NO_UUID)
    shard = body.exchange_index or 0
    done = transfer(
        venue,
        source=Wallet(subaccount=body.from_subaccount, shard=shard),
        target=Wallet(subaccount=body.to_subaccount, shard=shard),
        amount=body.amount_cents * _CENT,
        client_id=f"subaccounts {body.client_transfer_id}",
    )
    if isinstance(done, Refused):
        return refusal(done)
    venue.subaccount_transfers.append(done)
    return reply({})


async def list_subaccount_transfers(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetSubaccountTransfers")
    rows = [
        row
        for row in venue_of(request).subaccount_transfers
        if may_see(request, row.source.subaccount) or may_see(request, row.target.subaccount)
    ]
    chosen, following = page(request, rows, key=lambda row: row.sequence, limit=limit)
    shown = [
        {
            "transfer_id": row.transfer_id,
            "from_subaccount": row.source.subaccount,
            "to_subaccount": row.target.subaccount,
            "amount_cents": row.amount // _CENT,
            "created_ts": row.created_ms // 1000,
            "exchange_index": row.source.shard,
        }
        for row in chosen
    ]
    return reply({"transfers": shown, "cursor": following})


async def transfer_between_shards(request: web.Request) -> web.Response:
    venue = venue_of(request)
    body = await body_of(request, bodies.IntraExchangeInstanceTransferRequest)
    if (body.source, body.destination) != (_PREDICTIONS, _PREDICTIONS):
        return refusal(ONLY_PREDICTIONS)
    refuse_others(request, body.source_subaccount, body.destination_subaccount)
    flaw = _transfer_id_flaw(body)
    if flaw is not None:
        return refusal(flaw)
    done = transfer(
        venue,
        source=Wallet(subaccount=body.source_subaccount, shard=body.source_exchange_shard),
        target=Wallet(subaccount=body.destination_subaccount, shard=body.destination_exchange_shard),
        amount=body.amount * _CENTI_CENT,
        # Spent once for the shard that the money leaves.
        client_id=body.client_transfer_id and f"{body.source_exchange_shard} {body.client_transfer_id}",
    )
    if isinstance(done, Refused):
        return refusal(done)
    venue.shard_transfers.append(done)
    return reply({"transfer_id": done.transfer_id})


async def list_shard_transfers(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetIntraExchangeInstanceTransfers")
    rows = venue_of(request).shard_transfers
    chosen, following = page(request, rows, key=lambda row: row.sequence, limit=limit)
    return reply({"transfers": [_shard_transfer(row) for row in chosen], "cursor": following})


async def get_shard_transfer(request: web.Request) -> web.Response:
    wanted = request.match_info["transfer_id"]
    for row in venue_of(request).shard_transfers:
        if row.transfer_id == wanted:
            return reply({"transfer": _shard_transfer(row)})
    return refusal(NOT_FOUND)


def _transfer_id_flaw(body: bodies.IntraExchangeInstanceTransferRequest) -> Refused | None:
    """A client's id of a transfer is a UUID, and only the primary account's transfers have one."""
    if not body.client_transfer_id:
        return None
    if body.source_subaccount or body.destination_subaccount:
        return ONLY_PRIMARY
    return None if _UUID.fullmatch(body.client_transfer_id) else NO_UUID


def _shard_transfer(row: Transfer) -> Json:
    return {
        "transfer_id": row.transfer_id,
        "source": _PREDICTIONS,
        "destination": _PREDICTIONS,
        "source_exchange_shard": row.source.shard,
        "destination_exchange_shard": row.target.shard,
        "amount": balance(row.amount),
        "status": "complete",
        "created_ts": row.created_ms // 1000,
    }


ROUTES = [
    web.get("/api_keys", list_api_keys),
    web.post("/portfolio/subaccounts", create_subaccount),
    web.get("/portfolio/subaccounts/balances", subaccount_balances),
    web.post("/portfolio/subaccounts/transfer", transfer_between_subaccounts),
    web.get("/portfolio/subaccounts/transfers", list_subaccount_transfers),
    web.post("/portfolio/intra_exchange_instance_transfer", transfer_between_shards),
    web.get("/portfolio/intra_exchange_instance_transfers", list_shard_transfers),
    web.get("/portfolio/intra_exchange_instance_transfers/{transfer_id}", get_shard_transfer),
]
