"""The types of single settings: their bounds, and dollars and contracts as exact integers; a float never holds money."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from recio.units import UnitError

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Probability = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Dollars = Annotated[Decimal, Field(ge=0, le=10_000_000)]


def exact(value: Decimal, unit: Callable[[str], int]) -> Decimal:
    try:
        unit(f"{value:f}")
    except UnitError as error:
        raise ValueError(str(error)) from error
    return value
