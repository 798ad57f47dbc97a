"""The step names of a day, read from its source without importing the client that it needs; it runs nothing."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = ("official", "pykalshi")


def step_names(client: str) -> list[str]:
    """Every step of one client's scripts: the second argument of each `@step(...)`."""
    return [name for path in sorted(HERE.glob(f"{client}_*.py")) for name in _names(path)]


def _names(path: Path) -> list[str]:
    return [
        str(ast.literal_eval(mark.args[1]))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "step"
    ]
