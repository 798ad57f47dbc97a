"""Explains the venue's balance item by item: the ledger, an opening balance, and money that was moved; it moves and mends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, combinations, product

from recio.messages.account import CashMovement
from recio.units import Money, money_decimal

CASH_COMPARISONS = 4
"""Equal comparisons in a row, with nothing in motion, after which the venue's lag explains no difference of cash."""
MOST_HIDDEN = 40
"""Equal comparisons in a row after which a difference counts although rows that cannot be read may be what is missing."""
MOST_TRIED = 8
"""The newest movements of which any part may be what explains a difference; of more, one, two, or all of them together."""
MOST_PAIRED = 100
"""The newest movements of which any two may be."""

Explanation = tuple[tuple[CashMovement, Money], ...]
"""Each movement with what it did to the balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashComparison:
    """The venue's balance against the rows."""

    unexplained: Money
    """What the venue has more than ledger and opening balance say."""
    in_ledger: Money
    """By all fills and settlements that are posted."""
    has_opening: bool
    """Whether the two ever agreed."""


@dataclass(frozen=True, slots=True)
class CashMismatch:
    """Cash at the venue that no fill and no settlement explains, and how often in a row it was the same."""

    amount: Money = Money(0)  # noqa: RUF009 - an immutable integer
    comparisons: int = 0
    in_ledger: Money = Money(0)  # noqa: RUF009 - an immutable integer
    agreed: bool = False
    """Whether the cash was explained once since the start, or there was nothing to explain."""
    since: datetime | None = None
    """As of when, by the venue's clock, the first of these comparisons was."""

    def after(self, found: CashComparison, *, quiet: bool, as_of: datetime | None = None) -> CashMismatch:
        """`quiet`: no order is without its end, and no trade waits for its settlement.

        A ledger that moved meanwhile begins the count anew: the balance may be a step ahead of it, again and again.
        """
        agreed = self.agreed or (found.unexplained == 0 if found.has_opening else found.in_ledger == 0)
        if not quiet:
            return CashMismatch(agreed=agreed)
        same = (found.unexplained, found.in_ledger) == (self.amount, self.in_ledger)
        goes_on = same and self.comparisons > 0
        comparisons, since = (self.comparisons + 1, self.since) if goes_on else (1, as_of)
        return CashMismatch(found.unexplained, comparisons, found.in_ledger, agreed, since)


def cash_cause(amount: Money) -> str:
    """The cause of the halt; whoever clears it accepts this amount, and is known by these words for good."""
    return f"cash at the venue differs by {money_decimal(amount):+f} dollars from the ledger: no fill or settlement explains it"


def is_collateral(missing: Money, most: Money) -> bool:
    """Whether orders at rest that are not ours explain that so much cash is missing: the venue holds what they may cost."""
    return 0 <= missing <= most


def explained_by(unexplained: Money, moved: Sequence[CashMovement], at_rest: Money) -> Explanation | None:
    """Those movements, the newest first, that explain the difference to the last digit, and how; None where they do not.

    `at_rest` is the most that the venue holds back for orders that are not ours. Nothing explains nothing.
    """

    def fits(explanation: Explanation) -> bool:
        total = sum(amount for _, amount in explanation)
        return is_collateral(Money(total - unexplained), at_rest)

    everything = tuple((each, each.amounts[0]) for each in moved)
    if everything and fits(everything):
        return everything
    tried = (_few(moved[:MOST_PAIRED]), _parts(moved[:MOST_TRIED]))
    return next(filter(fits, chain.from_iterable(tried)), None)


def _few(moved: Sequence[CashMovement]) -> Iterator[Explanation]:
    """None of them, each by itself, and any two, in any of their readings."""
    readings = [[(each, amount) for amount in each.amounts] for each in moved]
    yield ()
    for alone in chain.from_iterable(readings):
        yield (alone,)
    for first, second in combinations(readings, 2):
        yield from product(first, second)


def _parts(moved: Sequence[CashMovement]) -> Iterator[Explanation]:
    """Any of them, each in any of its readings, none of them first."""
    if not moved:
        yield ()
        return
    first, *others = moved
    for rest in _parts(others):
        yield rest
        for amount in first.amounts:
            yield ((first, amount), *rest)
