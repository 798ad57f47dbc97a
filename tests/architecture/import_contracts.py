"""Runs import-linter on a tree and says in a few lines what broke; the contracts stand in pyproject.toml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

LINES_SHOWN = 8
"""Of one broken contract; its limit and its remedy come on top."""

WIDTH = 200
"""Columns, so that no sentence is broken in two."""


class Broken(NamedTuple):
    contract: str
    says: str


def contract_names(root: Path) -> list[str]:
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return [each["name"] for each in config["tool"]["importlinter"]["contracts"]]


def broken_contracts(root: Path) -> list[Broken]:
    """Each broken contract of a tree with what to tell; the whole output if import-linter cannot run."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "COLUMNS": str(WIDTH)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return []
    titles = "|".join(re.escape(name) for name in contract_names(root))
    parts = re.split(rf"^({titles})\n-+\n", done.stdout, flags=re.MULTILINE)
    found = [Broken(name, _short(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)]
    return found or [Broken("import-linter cannot run", done.stdout[-2000:] + done.stderr[-2000:])]


def _short(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    guidance = next((n for n, line in enumerate(lines) if line.startswith("Limit:")), len(lines))
    more = [f"... and {guidance - LINES_SHOWN} more lines"] if guidance > LINES_SHOWN else []
    return "\n".join([*lines[: min(guidance, LINES_SHOWN)], *more, *lines[guidance:]])
