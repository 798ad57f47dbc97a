"""One run of all benchmarks: its folder, its database server and how much time each measurement may take; it measures nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.database import Databases

RECORDED_RATE = 100
"""Book messages a second, as one fifteen-minute market had them in the recordings of May 2026."""
BUSY_RATE = 10 * RECORDED_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    folder: Path
    databases: Databases
    quick: bool = False
    """A tenth of everything, to see that it works; its figures say little."""

    def seconds(self, full: float) -> float:
        return full / 8 if self.quick else full

    def many(self, full: int) -> int:
        return max(5, full // 10) if self.quick else full

    def world(self, name: str) -> Path:
        """A folder of its own for one world."""
        made = self.folder / name
        made.mkdir(exist_ok=True)
        made.chmod(0o711)
        return made
