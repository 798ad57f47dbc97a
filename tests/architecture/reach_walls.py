"""A wall about dead code: what no command reaches, by whatever way; it looks at functions, classes and constants of files.

What a reached definition names is reached. Methods are not looked at, nor what a name is put together for at run time.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.architecture.source_tree import Fault, Module, Tree, Wall, defined_by

ENTRANCES = re.compile(
    r"recio\.(cli\.main|__getattr__|commands\.\w+\.add_options|prices\.\w+\.source|wires\.WRITERS|(.+\.)?(__all__|<line \d+>))"
)
"""The command line, what is looked for by its name, what walls read, and statements that run when a file is loaded."""
FOR_WHOEVER_SPEAKS_TO_THE_VENUE = {
    "recio.kalshi.batches": "several orders in one request",
    "recio.kalshi.order_changes.cancel_all": "every order of the account",
    "recio.kalshi.order_changes.amend": "price and count of a resting order",
    "recio.kalshi.order_groups.delete_group": "the end of a group",
}
"""Requests of the venue's order interface that the daemon does not send, which orders immediate-or-cancel only: they are held
against the exchange simulator and against hostile answers like those that it sends."""


def unreached(tree: Tree) -> Iterator[Fault]:
    defined = {
        f"{module.name}.{name}": (module, statement)
        for module in tree.modules
        for statement in module.syntax.body
        for name in defined_by(statement)
    }
    for name in sorted(defined.keys() - _reached(tree, defined)):
        module, statement = defined[name]
        yield Fault(
            f"{module.path}:{statement.lineno}",
            f"no command reaches {name.rsplit('.', 1)[1]}",
            "delete it, with the tests that alone use it",
        )


def _reached(tree: Tree, defined: dict[str, tuple[Module, ast.stmt]]) -> set[str]:
    modules = {each.name: each for each in tree.modules}
    todo = [name for name in defined if ENTRANCES.fullmatch(name) or _is_kept(name)]
    seen = set(todo)
    while todo:
        module, statement = defined[todo.pop()]
        fresh = {_defined(name, defined, modules) for name in _named_in(module, statement)} - seen - {""}
        seen |= fresh
        todo.extend(fresh)
    return seen


def _is_kept(name: str) -> bool:
    return any(name == kept or name.startswith(kept + ".") for kept in FOR_WHOEVER_SPEAKS_TO_THE_VENUE)


@cache
def _named_in(module: Module, statement: ast.stmt) -> frozenset[str]:
    """Dotted names of all that a statement names, also in the quotes of `cast`."""
    names = {module.meaning(node) for node in ast.walk(statement)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names.add(module.meaning(ast.Name(node.value)))
    return frozenset(names)


def _defined(name: str, defined: dict[str, tuple[Module, ast.stmt]], modules: dict[str, Module]) -> str:
    """The definition that a dotted name leads to, through files that hand a name on; empty if it is none of recio's."""
    while name and name not in defined:
        owner, _, last = name.rpartition(".")
        name = modules[owner].imports.get(last, "") if owner in modules else owner
    return name


REACH_WALLS = (Wall("everything is reached from a command", unreached),)
