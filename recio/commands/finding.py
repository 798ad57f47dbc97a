"""What one look of `recio doctor` found, and how it is told; it looks at nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    GOOD = "ok"
    NOTE = "note"
    BAD = "BAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`do`: what to do about it; empty where nothing is to be done."""

    name: str
    grade: Grade
    says: str
    do: str = ""

    def row(self) -> dict[str, str]:
        return {"name": self.name, "grade": self.grade.value, "says": self.says, "do": self.do}


def good(name: str, says: str) -> Finding:
    return Finding(name=name, grade=Grade.GOOD, says=says)


def judged(name: str, says: str, *, is_good: bool, do: str, otherwise: Grade = Grade.BAD) -> Finding:
    return good(name, says) if is_good else Finding(name=name, grade=otherwise, says=says, do=do)


def tell(each: Finding) -> None:
    print(
        f"{each.grade:<5}{each.name:<16} {each.says}" + (f"\n     do: {each.do}" if each.do else ""),
        flush=True,
    )
