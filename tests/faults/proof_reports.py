"""Where the long proofs leave what they found, with the commit it was found at; docs/fault-ledger.md is made of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROOF = ROOT / "docs" / "proof"


def commit() -> str:
    """The commit that was tried, marked if the tree was not clean."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=, with changes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def recovery(seconds: list[float]) -> dict[str, float | None]:
    """Median and longest of what recoveries took; None of none."""
    took = sorted(seconds)
    return {"median": took[len(took) // 2] if took else None, "longest": took[-1] if took else None}


def write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def read(name: str) -> dict[str, Any] | None:
    """The last report of a proof; None if it was never run."""
    path = PROOF / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
