"""Reads recio/ as text and syntax and resolves names through its imports; it never imports what it reads.

Every wall takes a `Tree`, so that the same wall can be held against a copy that breaks it on purpose.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHOWN = 5
"""Faults of one wall that a failing test shows; the rest are counted."""
SIMULATOR = "exchange_sim"
"""A program of its own: walls inside the daemon do not reach into it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing beyond a wall: where, what was found against which limit, and what to do."""

    where: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}\n    remedy: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Wall:
    """One rule about the tree; it stands if `faults` finds none."""

    name: str
    faults: Callable[[Tree], Iterable[Fault]]


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One file of recio/: its dotted name, its path below the root, its syntax, what its imports call what."""

    name: str
    path: str
    text: str
    syntax: ast.Module
    imports: Mapping[str, str]
    """The name in this file -> the dotted name it stands for."""
    own: frozenset[str]
    """Names that the file defines at its top level."""

    @property
    def room(self) -> str:
        """The first folder below recio/; empty for a file of the top level."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 else ""

    @property
    def stem(self) -> str:
        return self.path.rsplit("/", 1)[-1].removesuffix(".py")

    def meaning(self, node: ast.AST) -> str:
        """The dotted name that a name or attribute of this file stands for; empty for anything else."""
        if isinstance(node, ast.Name):
            return f"{self.name}.{node.id}" if node.id in self.own else self.imports.get(node.id, "")
        if isinstance(node, ast.Attribute) and (owner := self.meaning(node.value)):
            return f"{owner}.{node.attr}"
        return ""


@dataclass(frozen=True, slots=True)
class Tree:
    """Every file of recio/ below one root."""

    root: Path
    modules: tuple[Module, ...]

    def of_daemon(self) -> Iterator[Module]:
        """All but the exchange simulator."""
        return (each for each in self.modules if each.room != SIMULATOR)

    def definitions(self) -> dict[str, tuple[Module, ast.stmt]]:
        """Every statement of a top level by the dotted name that it defines."""
        return {
            f"{module.name}.{name}": (module, statement)
            for module in self.of_daemon()
            for statement in module.syntax.body
            for name in defined_by(statement)
        }


def read_tree(root: Path = ROOT) -> Tree:
    paths = sorted((root / "recio").rglob("*.py"))
    return Tree(
        root, tuple(_parsed(str(path.relative_to(root)), path.read_text(encoding="utf-8")) for path in paths)
    )


@cache
def _parsed(path: str, text: str) -> Module:
    syntax = ast.parse(text)
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Module(
        name=name,
        path=path,
        text=text,
        syntax=syntax,
        imports=_bindings(syntax),
        own=frozenset(name for statement in syntax.body for name in defined_by(statement)),
    )


@cache
def nodes(module: Module) -> tuple[ast.AST, ...]:
    """Everything in the file, in the order of `ast.walk`."""
    return tuple(ast.walk(module.syntax))


def defined_by(statement: ast.stmt) -> list[str]:
    """The names that a statement of the top level gives; its line in brackets if it gives none."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    names = [each.id for each in targets if isinstance(each, ast.Name)]
    return names or [f"<line {statement.lineno}>"]


def imported(syntax: ast.AST) -> Iterator[tuple[str, str]]:
    """(dotted name, what the file calls it) of each import, those inside functions too."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            # `import a.b` calls a by its name, and reaches b through it.
            yield from ((each.name, each.asname or each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            # ruff refuses relative imports (TID252), so `module` is whole.
            yield from ((f"{node.module}.{each.name}", each.asname or each.name) for each in node.names)


def _bindings(syntax: ast.AST) -> Mapping[str, str]:
    found = {as_: of for of, as_ in imported(syntax)}
    return {as_.split(".")[0]: as_.split(".")[0] if "." in as_ else of for as_, of in found.items()}


def told(wall: Wall, faults: Iterable[Fault]) -> str:
    """What a failing test says: the first faults in two lines each, and how many more there are."""
    found = list(faults)
    more = [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "\n".join([f"wall broken: {wall.name}", *map(str, found[:SHOWN]), *more])
