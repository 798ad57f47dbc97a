"""Texts from outside as a row can hold them, figures and counts as a person reads them; it knows nothing of what they say."""

from __future__ import annotations

from decimal import Decimal

MOST_PLACES = 6


def writable(text: str) -> str:
    """With a question mark for each sign that PostgreSQL takes in no text: NUL, and halves of a pair that stand alone."""
    return "".join("?" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text)


def beside(other: float | Decimal, figure: float | Decimal, places: int = 0) -> str:
    """A figure told beside another that it is not: with as many decimals more as it takes not to read as that other one."""
    least = places
    while places < MOST_PLACES and f"{figure:.{places}f}" == f"{other:.{places}f}":
        places += 1
    return f"{figure:.{least if figure == other else places}f}"


def counted(number: int, one: str, many: str) -> str:
    """`1 entry was made`, `2 entries were made`."""
    return f"{number} {one if number == 1 else many}"
