"""Walls about wires: who is handed a writing end, wherever in recio/ that is, against WRITERS; it runs no task.

A writer is seen in three ways, and each is enough: a field or parameter that is annotated with a writing end and is
named after a wire; a wire that is handed to such a parameter under another name, also by way of `partial` or
`start_soon`; `set`, `send` or `put` of an attribute that is named after a wire, called or handed on, also where a name of
the function stands for the attribute. The first of these needs no call, the last no annotation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from tests.architecture.source_tree import Fault, Module, Tree, Wall, nodes

WIRES = "recio.wires"
WRITING_ENDS = {f"{WIRES}.{name}" for name in ("Writes", "WritesBoard", "Sends", "Notes")}
WHOLE = {f"{WIRES}.{name}" for name in ("Latest", "Queue", "RingBuffer")} | {"recio.board_wire.BoardWire"}
WRITING_CALLS = {"set", "send", "put", "lay_out", "publish"}
HANDING_ON = ("partial", "start_soon", "start")
"""Calls whose first argument is called later with the others."""


class End(NamedTuple):
    """A field or parameter that is annotated with an end of a wire."""

    owner: str
    """Dotted name of the class or function."""
    name: str
    position: int
    """Among the fields, or among the parameters without self."""
    means: frozenset[str]
    """Dotted names in its annotation."""
    module: Module


def undeclared_writers(tree: Tree) -> Iterator[Fault]:
    declared, found = _declared(tree), _writers(tree)
    for wire in sorted(declared.keys() | found.keys()):
        said, seen = declared.get(wire, set()), found.get(wire, {})
        for writer in sorted(seen.keys() - said):
            yield Fault(
                seen[writer],
                f"{writer} writes {wire}; WRITERS says {', '.join(sorted(said)) or 'nobody'}",
                "let the declared writer write it, or give this one a wire of its own; where there are two with"
                " reason, WRITERS names both and says why",
            )
        for writer in sorted(said - seen.keys()):
            yield Fault(
                "recio/wires.py",
                f"WRITERS says {writer} writes {wire}, and it never does",
                "take it out of WRITERS, or hand the end to its writer",
            )


def ends_of_no_wire(tree: Tree) -> Iterator[Fault]:
    wires, handed = _wires(tree), {end[:2] for _, end in _handings(tree)}
    for end in _ends(tree):
        if end.means & WRITING_ENDS and end.name not in wires and end[:2] not in handed:
            yield Fault(
                end.module.path,
                f"nobody can see which wire {end.name} of {end.owner} writes",
                "name it after its wire",
            )


def whole_wires(tree: Tree) -> Iterator[Fault]:
    for end in _ends(tree):
        if end.means & WHOLE and end.module.name != WIRES:
            yield Fault(
                end.module.path,
                f"{end.name} of {end.owner} is a whole wire; one holds a reading or a writing end, never both",
                "annotate it with Reads, ReadsBoard, Receives, Takes, or with Writes, WritesBoard, Sends, Notes",
            )


def _wires(tree: Tree) -> set[str]:
    fields = tree.definitions()[f"{WIRES}.Wires"][1]
    return {end.name for end in _ends(tree) if end.owner == f"{WIRES}.{getattr(fields, 'name', '')}"}


def _declared(tree: Tree) -> dict[str, set[str]]:
    statement = tree.definitions()[f"{WIRES}.WRITERS"][1]
    said: Mapping[str, str | tuple[str, ...]] = ast.literal_eval(getattr(statement, "value"))  # noqa: B009
    return {wire: {who} if isinstance(who, str) else set(who) for wire, who in said.items()}


def _writers(tree: Tree) -> dict[str, dict[str, str]]:
    """By wire, each writer with the place that shows it."""
    wires, found = _wires(tree), dict[str, dict[str, str]]()
    for end in _ends(tree):
        if end.means & WRITING_ENDS and end.name in wires:
            found.setdefault(end.name, {})[end.module.stem] = end.module.path
    for wire, end in _handings(tree):
        if end.means & WRITING_ENDS and wire in wires:
            found.setdefault(wire, {})[end.module.stem] = end.module.path
    for module in tree.of_daemon():
        for node in nodes(module):
            for wire, line in _written_without_an_end(node):
                if wire in wires and module.name != WIRES:
                    found.setdefault(wire, {})[module.stem] = f"{module.path}:{line}"
    return found


def _written_without_an_end(node: ast.AST) -> Iterator[tuple[str, int]]:
    """(attribute, line) of `seen.controls.set`, and in a function of `last.set` after `last = seen.controls`."""
    if isinstance(node, ast.Attribute) and node.attr in WRITING_CALLS:
        yield _unwrapped(node.value), node.lineno
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        named = _named_anew(node)
        for each in ast.walk(node) if named else ():
            if isinstance(each, ast.Attribute) and each.attr in WRITING_CALLS:
                yield named.get(getattr(each.value, "id", ""), ""), each.lineno


def _named_anew(function: ast.AST) -> dict[str, str]:
    """By each name of a function, the attribute that it stands for."""
    return {
        target.id: _unwrapped(each.value)
        for each in ast.walk(function)
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name) and _unwrapped(each.value)
    }


def _unwrapped(value: ast.expr) -> str:
    """The attribute that is meant, also where `cast` stands round it."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "cast":
        value = value.args[-1]
    return getattr(value, "attr", "")


def _ends(tree: Tree) -> Iterator[End]:
    for module in tree.of_daemon():
        yield from _ends_in(module)


@cache
def _ends_in(module: Module) -> tuple[End, ...]:
    if f"from {WIRES} import" not in module.text and module.name != WIRES:
        return ()
    found: list[End] = []
    for node in nodes(module):
        for position, (name, annotation) in enumerate(_annotated(node)):
            means = frozenset(module.meaning(each) for each in ast.walk(annotation))
            if means & (WRITING_ENDS | WHOLE):
                found.append(End(f"{module.name}.{getattr(node, 'name', '')}", name, position, means, module))
    return tuple(found)


def _annotated(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Fields of a class, parameters of a function, each with its annotation."""
    if isinstance(node, ast.ClassDef):
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        return [(ast.unparse(each.target), _unquoted(each.annotation)) for each in fields]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        nothing = ast.Constant(None)
        return [
            (each.arg, _unquoted(each.annotation or nothing)) for each in parameters if each.arg != "self"
        ]
    return []


def _unquoted(annotation: ast.expr) -> ast.expr:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _handings(tree: Tree) -> list[tuple[str, End]]:
    """(attribute that is handed over, the end that receives it)."""
    by_owner: dict[str, list[End]] = {}
    for end in _ends(tree):
        by_owner.setdefault(end.owner, []).append(end)
    return [
        (attribute, end)
        for module in tree.of_daemon()
        for callee, place, attribute in _arguments_in(module)
        for end in by_owner.get(callee, ())
        if place in (end.name, end.position)
    ]


@cache
def _arguments_in(module: Module) -> tuple[tuple[str, str | int, str], ...]:
    """(dotted name of the callee, keyword or position, attribute) of every attribute that is an argument."""
    return tuple(
        (callee, place, argument.attr)
        for node in nodes(module)
        if isinstance(node, ast.Call)
        for callee, place, argument in _arguments(module, node)
        if isinstance(argument, ast.Attribute)
    )


def _arguments(module: Module, call: ast.Call) -> Iterator[tuple[str, str | int, ast.expr]]:
    called, given = call.func, call.args
    if ast.unparse(called).split(".")[-1] in HANDING_ON and given:
        called, given = given[0], given[1:]
    callee = module.meaning(called)
    yield from ((callee, position, argument) for position, argument in enumerate(given))
    yield from ((callee, each.arg, each.value) for each in call.keywords if each.arg)


WIRE_WALLS = (
    Wall("every wire is written by whom WRITERS declares", undeclared_writers),
    Wall("every writing end is the end of a wire", ends_of_no_wire),
    Wall("nobody asks for a whole wire", whole_wires),
)
