"""What halts entries until somebody has looked: each reason as a halt, once; it writes no row and clears nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from recio.messages.account import AccountView, ForgottenOrder
from recio.messages.controls import Halt
from recio.messages.orders import OpenTrades
from recio.rules.account.cash import cash_cause
from recio.rules.account.reconcile import difference_cause, lasting_causes
from recio.rules.account.refusals import is_refused_for_good, said
from recio.settings.risk import RiskSection
from recio.texts import counted
from recio.units import ClientOrderId

COMPARE = "compare with the venue's own page, then: recio resume"
NAMED = 6
"""So many markets are named at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was halted for already: whoever resumes must not be halted again for the same before anything is new."""

    cash: str = ""
    losses: bool = False
    refusal: ClientOrderId | None = None
    """The last order of the refusals that were halted for."""
    forgiven: int = 0
    """The newest trade before a halt that somebody cleared: what was refused up to it has been looked at."""
    asked: frozenset[str] = frozenset()
    """Causes that lie in the past for good, of which the rows were asked whether somebody cleared them once."""
    accepted: frozenset[str] = frozenset()
    """Those that somebody cleared: they need not halt again."""

    @property
    def unaccepted(self) -> frozenset[str]:
        return self.asked - self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What halts are found in, as it is at one moment."""

    now: datetime
    account: AccountView | None
    trades: OpenTrades | None
    limits: RiskSection


def reasons_to_halt(seen: Seen, told: Told) -> Iterator[Halt]:
    if seen.trades is not None:
        yield from _too_many_losses(seen, seen.trades, told)
        yield from _refused_for_good(seen, seen.trades, told)
    if seen.account is not None:
        for cause in _of_the_account(seen.account, told):
            yield _halt(seen, cause, COMPARE)
        for each in unaccepted_orders(seen.account, told):
            yield _halt(seen, without_row(each), _look_at(each, seen.account))


def told_now(seen: Seen, told: Told) -> Told:
    """After every reason has its row: a database that was away is asked again at the next look."""
    refused = None if seen.trades is None else is_refused_for_good(seen.trades, seen.now, told.forgiven)
    difference = None if seen.account is None else seen.account.cash_difference
    return Told(
        cash="" if difference is None else cash_cause(difference),
        losses=seen.trades is not None and _is_losing(seen.trades, seen.limits),
        refusal=told.refusal if refused is None else refused.last.client_order_id,
        forgiven=told.forgiven,
        asked=told.asked,
        accepted=told.accepted,
    )


def unaccepted_orders(account: AccountView, told: Told) -> tuple[ForgottenOrder, ...]:
    """Orders at the venue without a row, of which nobody has said that it is known.

    What the rows were not asked about yet is told at the next look.
    """
    return tuple(each for each in orders_to_tell(account) if without_row(each) in told.unaccepted)


def orders_to_tell(account: AccountView) -> tuple[ForgottenOrder, ...]:
    """Each that rests, because its halt cancels it; of the others the newest of each tag, which stands for those before it."""
    newest: dict[str, ForgottenOrder] = {}
    for each in (each for each in account.unrecorded if not each.rests):
        tag = _parts(each)[0]
        if tag not in newest or _parts(newest[tag]) < _parts(each):
            newest[tag] = each
    return (*(each for each in account.unrecorded if each.rests), *newest.values())


def _parts(order: ForgottenOrder) -> tuple[str, int, str]:
    """Tag, trade, and which order of the trade; a name that nothing of ours made counts as the oldest."""
    tag, _, rest = order.client_order_id.removeprefix("recio-").partition("-")
    trade, _, which = rest.partition("-")
    return tag, int(trade) if trade.isdecimal() else 0, which


def without_row(order: ForgottenOrder) -> str:
    return f"order {order.client_order_id} is at the venue and has no row: this database is older than its orders"


def _look_at(order: ForgottenOrder, account: AccountView) -> str:
    """What these rows do not guard, by name: no stop of ours sells it."""
    if order.rests:
        return f"this halt cancels it; what it bought on {order.ticker} has no stop: {COMPARE}"
    tag = _parts(order)[0]
    stood_for = [each for each in account.unrecorded if not each.rests and _parts(each)[0] == tag]
    held = sorted({each.ticker for each in stood_for if account.positions.get(each.ticker)})
    if not held:
        return f"of {counted(len(stood_for), 'such order', 'such orders')} nothing is held now: {COMPARE}"
    others = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    return (
        f"what {counted(len(stood_for), 'such order', 'such orders')} made on {', '.join(held[:NAMED])}{others} has no stop: sell it by hand there,"
        f" or keep it to its settlement; {COMPARE}"
    )


def _of_the_account(account: AccountView, told: Told) -> Iterator[str]:
    yield from (difference_cause(each) for each in account.differences)
    if account.cash_difference is not None and (cause := cash_cause(account.cash_difference)) != told.cash:
        # Once for each difference: who accepts it must not be halted again before the next comparison.
        yield cause
    yield from (each for each in lasting_causes(account) if each in told.unaccepted)


def _too_many_losses(seen: Seen, trades: OpenTrades, told: Told) -> Iterator[Halt]:
    if _is_losing(trades, seen.limits) and not told.losses:
        most = seen.limits.max_consecutive_losses
        yield _halt(
            seen,
            f"{counted(trades.losses_in_a_row, 'trade', 'trades')} in a row lost (risk.max_consecutive_losses = {most})",
            "look at the trades, then: recio resume, which counts anew",
        )


def _is_losing(trades: OpenTrades, limits: RiskSection) -> bool:
    return trades.losses_in_a_row >= limits.max_consecutive_losses


def _refused_for_good(seen: Seen, trades: OpenTrades, told: Told) -> Iterator[Halt]:
    found = is_refused_for_good(trades, seen.now, told.forgiven)
    if found is not None and found.last.client_order_id != told.refusal:
        yield _halt(
            seen,
            f"the venue refused {said(found)}",
            "look at the log and at the venue's own page, then: recio resume",
        )


def _halt(seen: Seen, cause: str, resolution: str) -> Halt:
    return Halt(cause=cause, since=seen.now, by="failure_detector", resolution=resolution)
