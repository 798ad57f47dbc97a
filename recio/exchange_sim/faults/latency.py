"""How long messages are under way, drawn from a distribution with a long tail; it delays nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from random import Random


@dataclass(slots=True, kw_only=True)
class Latency:
    """Log-normal: half of all messages take longer than the median, one in six longer than median x e^spread."""

    median_seconds: float
    spread: float = 0.5
    random: Random = field(default_factory=lambda: Random(1))

    def draw(self) -> float:
        """Seconds that the next message is under way."""
        if self.median_seconds <= 0:
            return 0.0
        return self.random.lognormvariate(log(self.median_seconds), self.spread)
