"""What a read of the venue gave, or that it gave nothing: whatever the reason was, who asked keeps what it knows."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from recio.errors import BadConfig, Transient
from recio.kalshi.responses import VenueRefused

T = TypeVar("T")


class NoAnswer(Exception):
    """The venue was asked and gave nothing that could be used; says why. Nothing is wrong with what was known."""


async def answer_of(read: Awaitable[T], *, or_refusal: bool = False) -> T:
    """What the read gave. Raises NoAnswer for everything that a read of the venue can end with instead.

    With `or_refusal` the venue's own no comes out as VenueRefused. A refused key is no reason to end: it may be the
    one answer of one gateway, and whoever opens a socket with it learns the truth of it.
    """
    try:
        return await read
    except VenueRefused as error:
        if or_refusal:
            raise
        raise NoAnswer(str(error)) from error
    except (Transient, BadConfig) as error:
        raise NoAnswer(str(error)) from error
