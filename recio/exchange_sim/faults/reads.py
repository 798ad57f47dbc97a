"""How reads go wrong until they are disarmed: by a status, or by their own answer spoilt; it changes no write."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus


class Manner(StrEnum):
    """What is wrong with the answer of a read that is answered with 200."""

    NO_JSON = "no_json"
    CUT = "cut"
    """Its body ends in the middle although complete by its length."""
    NULL = "null"
    """The body is null."""
    NULLS = "nulls"
    """Every field of every row is null."""
    STRANGE = "strange"
    """It has a field and a word that nobody has seen before."""
    STALE = "stale"
    """The first answer to the same question since it was armed, again and again."""
    TURNED = "turned"
    """Its lists are in the opposite order."""


@dataclass(slots=True, kw_only=True)
class FailingRead:
    """`status` 0 never answers, 200 answers in the `manner`, every other is an error."""

    status: int
    manner: Manner = Manner.NO_JSON
    first: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """What was answered first since it was armed, by path and query."""

    @property
    def needs_its_answer(self) -> bool:
        return self.status == HTTPStatus.OK and self.manner is not Manner.NO_JSON
