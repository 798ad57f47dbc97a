"""`python -m tests.imports_picture`: draws docs/imports.md from the import statements; it changes no module.

A room is a folder or a single file of recio/. The drawing leaves out an arrow that others already imply.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "imports.md"
Arrows = Mapping[str, frozenset[str]]
"""Each room with the rooms that it imports."""


def arrows(package: Path = ROOT / "recio") -> Arrows:
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        room = _room(path.relative_to(package).with_suffix("").parts)
        found.setdefault(room, set()).update(
            target for target in _imports(path, package) if target not in (room, "")
        )
    return {room: frozenset(targets) for room, targets in found.items() if room}


def circle(of: Arrows) -> tuple[str, ...]:
    """The rooms of one circle in order, or nothing."""
    done: set[str] = set()

    def walk(room: str, way: tuple[str, ...]) -> tuple[str, ...]:
        if room in way:
            return (*way[way.index(room) :], room)
        if room in done:
            return ()
        for target in sorted(of.get(room, ())):
            if found := walk(target, (*way, room)):
                return found
        done.add(room)
        return ()

    return next((found for room in sorted(of) if (found := walk(room, ()))), ())


def page(of: Arrows) -> str:
    count = sum(map(len, of.values()))
    lines = [
        "# Who imports whom",
        "",
        "`make imports` from the code; nobody edits it by hand, and a test compares it.",
        "",
        f"{len(of)} rooms, {count} arrows, no circle. Upper rooms import lower ones; an arrow that others imply is not drawn.",
        "",
        "```mermaid",
        "graph TD",
        *(f"  {room} --> {target}" for room, target in _needed(of)),
        "```",
        "",
        "| room | imports |",
        "|---|---|",
        *(f"| {room} | {', '.join(sorted(targets)) or '-'} |" for room, targets in sorted(of.items())),
    ]
    return "\n".join(lines) + "\n"


def _needed(of: Arrows) -> Iterator[tuple[str, str]]:
    for room, targets in sorted(of.items()):
        for target in sorted(targets):
            if not any(target in _below(other, of) for other in targets - {target}):
                yield room, target


def _below(room: str, of: Arrows) -> frozenset[str]:
    found: set[str] = set()
    todo = list(of.get(room, ()))
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo.extend(of.get(each, ()))
    return frozenset(found)


def _room(parts: tuple[str, ...]) -> str:
    """The first name below recio; empty for the package itself, whose version everybody may read."""
    return "" if parts[0] in ("__init__", "__main__") else parts[0]


def _imports(path: Path, package: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package.name:
            below = tuple((node.module or "").split(".")[1:])
            for name in node.names:
                yield _room(below or (name.name if _is_module(package / name.name) else "__init__",))


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


if __name__ == "__main__":
    PAGE.write_text(page(arrows()), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is drawn\n")
