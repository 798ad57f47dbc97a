"""The one fact that only a recorded session reports: a public message as it was; it is served, never judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameRecorded:
    """A recorded public message with its body as it was; `in_yes_prices` makes the one with NO prices in YES terms."""

    channel: str
    kind: bytes
    ticker: str
    body: bytes
    in_yes_prices: Callable[[], bytes] | None = None
