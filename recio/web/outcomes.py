"""What has come of an act so far, read off the rows and off what the venue showed; it does nothing about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from recio.db import requests, trades
from recio.db.connection import Connection
from recio.db.page_acts import Act
from recio.messages.controls import Halt, HaltLevel, HaltVerification, TradingControls
from recio.messages.orders import TradeState
from recio.rules.account.lifecycle import ENDED_TRADES
from recio.rules.account.limits import lowered, wanted
from recio.settings.risk import RiskSection
from recio.times import time_text
from recio.units import TradeId, money_text, quantity_text
from recio.web.act_bodies import CameOfIt


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    finished: bool
    worked: bool | None
    sentence: str


def told(act: Act, so_far: SoFar) -> CameOfIt:
    return CameOfIt(
        key=act.key,
        act=act.kind,
        asked_by=act.asked_by,
        asked_at=act.asked_at,
        number=act.number,
        finished=so_far.finished,
        worked=so_far.worked,
        sentence=so_far.sentence,
    )


def of_halt(
    asked: dict[str, Any], controls: TradingControls | None, proofs: Sequence[HaltVerification]
) -> SoFar:
    """By the halt in force, and by what was seen at the venue about it."""
    cause = str(asked["cause"])
    halt = next((each for each in (controls.halts if controls else ()) if each.cause == cause), None)
    if halt is None:
        return SoFar(
            finished=False,
            worked=None,
            sentence=f"{cause}: not in force now; resumed since, or not yet written",
        )
    proof = next((each for each in proofs if each.halt_id == halt.halt_id and halt.halt_id), None)
    return _of_proof(halt, proof)


def _of_proof(halt: Halt, proof: HaltVerification | None) -> SoFar:
    if proof is None or proof.verified_after is None:
        return SoFar(
            finished=False, worked=True, sentence=f"{halt.cause}: in force; not verified at the venue yet"
        )
    rests = f"{halt.cause}: in force; nothing of ours rests at the venue (seen after {proof.verified_after:.1f} s)"
    if halt.level is not HaltLevel.FLATTEN:
        return SoFar(finished=True, worked=True, sentence=rests)
    if proof.flat_after is None:
        return SoFar(finished=False, worked=None, sentence=f"{rests}; not flat yet")
    return SoFar(finished=True, worked=True, sentence=f"{rests}; flat after {proof.flat_after:.1f} s")


def of_resume(asked: dict[str, Any], controls: TradingControls | None) -> SoFar:
    """`since` of what was asked: when each of its halts began; empty, or not there: whichever are in force."""
    causes: list[str] = list(asked["causes"])
    meant = dict(zip(causes, asked.get("since", ()), strict=False))
    same = [each for each in (controls.halts if controls else ()) if each.cause in causes]
    left = [each.cause for each in same if meant.get(each.cause) in (None, time_text(each.since))]
    if left:
        return SoFar(finished=False, worked=None, sentence=f"still in force: {'; '.join(left)}")
    newer = [f"{each.cause} since {time_text(each.since)}" for each in same]
    anew = f"; in force, and newer than what was shown: {'; '.join(newer)}" if newer else ""
    return SoFar(finished=True, worked=True, sentence=f"cleared: {'; '.join(causes)}{anew}")


async def of_close(connection: Connection, number: int) -> SoFar:
    trade = await trades.one(connection, TradeId(number))
    if trade.state in ENDED_TRADES:
        how = f"trade {number} has ended by {trade.ended_by}: {money_text(trade.pnl)} after fees"
        return SoFar(finished=True, worked=True, sentence=how)
    return SoFar(
        finished=False,
        worked=None,
        sentence=f"trade {number}: {quantity_text(trade.held)} still held; the request holds until it has ended",
    )


async def of_trade(connection: Connection, number: int, *, is_late: bool) -> SoFar:
    """`is_late`: nobody may say yes any more."""
    answer = await (requests.last_answer if is_late else requests.answered)(connection, number)
    if answer is None and is_late:
        return SoFar(
            finished=True,
            worked=False,
            sentence=f"request {number} was not answered in time: nothing was ordered",
        )
    if answer is None:
        return SoFar(finished=False, worked=None, sentence=f"request {number} waits for its answer")
    if not answer.accepted:
        return SoFar(finished=True, worked=False, sentence=f"refused, nothing was ordered: {answer.sentence}")
    found = await requests.came_of_it(connection, number)
    if found is None or found.state is TradeState.OPENING:
        return SoFar(
            finished=False,
            worked=None,
            sentence=f"request {number} {answer.sentence}; its order is not proven yet",
        )
    if found.state is TradeState.VOID:
        return SoFar(
            finished=True, worked=False, sentence=f"trade {found.trade_id} bought nothing: {found.ended_by}"
        )
    bought = f"trade {found.trade_id} is {found.state} with {quantity_text(found.bought)} contracts"
    return SoFar(finished=True, worked=True, sentence=bought)


def of_switch(asked: dict[str, Any], controls: TradingControls | None) -> SoFar:
    wanted_off, strategy = not asked["is_on"], asked.get("strategy") or ""
    named = f"{asked['name']} of {strategy}" if strategy else asked["name"]
    is_off = controls is not None and any(
        (each.switch, each.strategy) == (asked["name"], strategy) for each in controls.switched_off
    )
    position = "off" if wanted_off else "on"
    if is_off == wanted_off:
        return SoFar(finished=True, worked=True, sentence=f"{named} is switched {position}")
    return SoFar(
        finished=False, worked=None, sentence=f"{named} is to be switched {position}: within a second"
    )


def of_lower(asked: dict[str, Any], started: RiskSection, controls: TradingControls | None) -> SoFar:
    """By what entries are decided under now; every order row is held to it from the moment of the act.

    `started`: the limits of the start, which has what was lowered before it.
    """
    amount = Decimal(asked["amount"])
    now = wanted(lowered(started, () if controls is None else controls.lowered))
    if now[asked["limit"]] <= amount:
        return SoFar(finished=True, worked=True, sentence=f"{asked['limit']} is {amount.normalize():f} now")
    return SoFar(
        finished=False,
        worked=None,
        sentence=f"{asked['limit']} is to be {amount.normalize():f}: no order row passes it, decisions follow within a second",
    )
