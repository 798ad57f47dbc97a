"""What is remembered of one price source: its price, when it moved, and how far it usually is from the index.

Nothing here compares sources with each other, and no price outlives the connection that it came by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

BASIS_POINT = Decimal("0.0001")
BASIS_SECONDS = Decimal(300)
"""Market seconds after which a source's distance from the index counts as known."""
BASIS_PRIOR_SECONDS = Decimal(30)
"""Market seconds that the assumption of no distance weighs at first."""
LONGEST_LESSON = Decimal(5)
"""Market seconds that one comparison with the index can weigh: it says nothing about a gap before it."""

TWITCH_OF_USUAL = Decimal("0.17")
"""Of the usual distance from the index: nearer than this to where it stood a source still stands. A market that lives goes
further within a second or two (bitcoin: a quarter of a basis point)."""

FROZEN = "frozen"
FAR = "far from the others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds are market time."""

    silence_seconds: float
    frozen_seconds: float
    fresh_seconds: float
    """Older than the newest by more than this, a price is kept but not counted."""
    divergence_bp: Decimal
    usual_basis: float
    """How far a source usually lies from the index while nothing better was learnt: one standard deviation, relative."""
    largest_error: float
    """Nothing is opened at a price that may be further off than this; relative."""

    @property
    def largest_basis(self) -> Decimal:
        """A source further away than this from the index is not at a distance: it is wrong."""
        return self.divergence_bp * BASIS_POINT / 2

    @property
    def twitch(self) -> Decimal:
        """A source that goes no further than this from where it stood has not moved; a part of the price."""
        return Decimal(str(self.usual_basis)) * TWITCH_OF_USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """A source's usual distance from the settlement index, as a part of it, learnt slowly and bounded."""

    ratio: Decimal = Decimal(0)
    known_for: Decimal = Decimal(0)
    learnt_at: datetime | None = None
    square: Decimal | None = None
    """Mean squared distance of the source from where it was expected; None while nothing was learnt."""


NO_BASIS = Basis()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is known of one source. Times are market time."""

    source: str
    connected: bool = False
    price: Decimal | None = None
    at: datetime | None = None
    """The source's own time until which its price is confirmed."""
    heard_at: datetime | None = None
    lag: timedelta = timedelta(0)
    """How late a word without a time is taken to be: as its newest word with one was, and before the first such word as late as assumed."""
    moved_at: datetime | None = None
    """When it last went further than a twitch from where it stood."""
    stood_at: Decimal | None = None
    """The price of then."""
    others_then: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """The prices of the other sources when this one last moved."""
    jumped_at: datetime | None = None
    """When it last moved further in one step than sources may differ, if nothing has confirmed that since."""
    quarantined: str = ""
    """Why it was found to be wrong, while it has not agreed with anybody since."""
    basis: Basis = NO_BASIS
    note: str = ""

    @property
    def level(self) -> Decimal | None:
        """Its price at the level of the index."""
        if self.price is None or not self.basis.ratio:
            return self.price
        exact = self.price / (1 + self.basis.ratio)
        exponent = self.price.as_tuple().exponent
        finest = exponent - 2 if isinstance(exponent, int) else -2
        return exact.quantize(Decimal((0, (1,), finest)))


def quoted(
    heard: Heard,
    price: Decimal,
    at: datetime | None,
    received_at: datetime,
    others: Mapping[str, Decimal],
    *,
    jumped: bool,
    twitch: Decimal = Decimal(0),
) -> Heard:
    """The source named a price; `others` are the prices of the rest now, and up to `twitch` of its price is no move."""
    stood_at = heard.price if heard.stood_at is None else heard.stood_at
    moved = stood_at is None or abs(price - stood_at) > twitch * stood_at
    at, lag = _taken(heard, at, received_at)
    return replace(
        heard,
        connected=True,
        price=price,
        at=at,
        heard_at=received_at,
        lag=lag,
        moved_at=received_at if moved else heard.moved_at,
        stood_at=price if moved else stood_at,
        others_then=others if moved else {**others, **heard.others_then},
        jumped_at=received_at if jumped else heard.jumped_at,
        quarantined="" if moved and heard.quarantined == FROZEN else heard.quarantined,
        note="",
    )


def confirmed(heard: Heard, at: datetime | None, received_at: datetime) -> Heard:
    """The source says that its price is unchanged."""
    newest, lag = _taken(heard, at, received_at)
    return replace(
        heard, connected=True, at=None if heard.price is None else newest, heard_at=received_at, lag=lag
    )


def alive(heard: Heard, received_at: datetime) -> Heard:
    """The source said something that neither names nor confirms a price."""
    return replace(heard, connected=True, heard_at=received_at)


def unpriced(heard: Heard, why: str, received_at: datetime) -> Heard:
    """The source lives, and its last price holds no more."""
    return replace(
        _without_price(heard, why), connected=True, heard_at=received_at, jumped_at=heard.jumped_at
    )


def lost(heard: Heard, why: str) -> Heard:
    """The connection is gone; its last price says nothing about now."""
    return _without_price(heard, why)


def learnt(heard: Heard, index: Decimal, at: datetime, limits: Limits) -> Heard:
    """Its usual distance from the index, a little better known.

    A source that is far away teaches nothing, and neither does one that has not moved since the lesson before.
    """
    known = heard.basis
    if heard.price is None or heard.moved_at is None:
        return heard
    if known.learnt_at is not None and heard.moved_at <= known.learnt_at:
        return heard
    surprise = heard.price / index - 1 - known.ratio
    if abs(surprise) > limits.divergence_bp * BASIS_POINT:
        return heard
    passed = Decimal(0) if known.learnt_at is None else _seconds(known.learnt_at, at)
    weight = passed / (BASIS_PRIOR_SECONDS + min(BASIS_SECONDS, known.known_for + passed))
    ratio = (known.ratio + surprise * weight).quantize(Decimal("1e-9"))
    bound = limits.largest_basis
    basis = Basis(
        ratio=max(-bound, min(bound, ratio)),
        known_for=min(BASIS_SECONDS, known.known_for + passed),
        learnt_at=at,
        square=_mean_square(known, surprise, weight, limits),
    )
    return replace(heard, basis=basis)


def _mean_square(known: Basis, surprise: Decimal, weight: Decimal, limits: Limits) -> Decimal:
    before = Decimal(str(limits.usual_basis)) ** 2 if known.square is None else known.square
    return (before + (surprise * surprise - before) * weight).quantize(Decimal("1e-14"))


def apart_bp(one: Decimal, other: Decimal) -> Decimal:
    """In basis points of the other."""
    return abs(one - other) / other / BASIS_POINT


def _without_price(heard: Heard, why: str) -> Heard:
    return Heard(
        source=heard.source, lag=heard.lag, quarantined=heard.quarantined, basis=heard.basis, note=why
    )


def _taken(heard: Heard, said: datetime | None, received_at: datetime) -> tuple[datetime, timedelta]:
    """Until when a word confirms the price, and how late it was.

    A source whose clock runs ahead does not make its price younger than now, nor does a late word age it.
    """
    newest = received_at - heard.lag if said is None else min(said, received_at)
    return (newest if heard.at is None else max(heard.at, newest)), received_at - newest


def _seconds(since: datetime, until: datetime) -> Decimal:
    passed = Decimal(str((until - since).total_seconds()))
    return max(Decimal(0), min(LONGEST_LESSON, passed))
