"""Walls about what a room may do or import; who imports whom in layers is import-linter's, not theirs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from tests.architecture.source_tree import SIMULATOR, Fault, Module, Tree, Wall, imported, nodes

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "rules": frozenset(
        {"recio.rules", "recio.messages", "recio.settings", "recio.texts", "recio.times", "recio.units"}
    ),
    SIMULATOR: frozenset({f"recio.{SIMULATOR}"}),
}
"""By room, all that it may know of recio: a room that is new tomorrow is forbidden from its first day."""
PURE_LIBRARIES = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "math",
    "msgspec",
    "re",
    "statistics",
    "typing",
    "zoneinfo",
}
"""All that rules may know beyond recio: none of them waits, draws by chance or reaches out of the process."""
CLOCKS = {"now", "utcnow", "today", "monotonic", "time_ns", "perf_counter"}
MONEY_ROOMS = {"rules", "db", "tasks", "kalshi"}
PROBABILITY_FILES = {
    "probability.py",
    "market_probability.py",
    "volatility.py",
    "momentum.py",
    "price_error.py",
    "closing_minute.py",
    "empirical.py",
}
ROOMS_WITH_SQL = {"db", "old_data"}
"""The second reads SQLite files of the system before, and knows nothing of recio's tables."""
ASKS_THE_DATABASE = {
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "copy_records_to_table",
    "copy_to_table",
    "copy_from_query",
}
"""Calls by which a statement leaves, whatever it says and however its text was put together."""
RESERVED: Mapping[str, tuple[str, ...]] = {
    "importlib.import_module": ("recio/cli.py", "recio/prices/sources.py", "recio/db/backup_bucket.py"),
    "importlib.util": ("recio/db/postgres_programs.py",),
    "__import__": (),
    "eval": (),
    "exec": (),
    "sys.modules": (),
    "sys.argv": ("recio/cli.py",),
    "getopt": (),
    "optparse": (),
    "click": (),
    "tomli": (),
}
"""By name, the files that may use it: the first five reach past every import that a wall could see, the next parse
arguments, as argparse does, and the last reads TOML, as tomllib does."""
OUT_OF_THE_PROCESS = {"open", "input", "print", "breakpoint"}
STATEMENT = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s\w+\sSET|DELETE FROM)\b|\b(select\s[\w*, ]+\sfrom\s\w+\s+where|insert into|update\s\w+\sset\s|delete from)\b",
    re.DOTALL,
)


def imports_beyond(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        allowed = MAY_IMPORT.get(module.room)
        for name, _ in imported(module.syntax) if allowed else ():
            if _below(name, "recio") and not any(_below(name, each) for each in allowed or ()):
                yield Fault(
                    module.path,
                    f"imports {name}; recio/{module.room} may know {', '.join(sorted(allowed or ()))}",
                    "hand the thing in as an argument (rules) or send it over a socket (exchange simulator)",
                )


def impure_libraries(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        if module.room != "rules":
            continue
        for name, _ in imported(module.syntax):
            if name.split(".")[0] not in PURE_LIBRARIES | {"recio"}:
                yield Fault(
                    module.path,
                    f"imports {name}; rules may know only {', '.join(sorted(PURE_LIBRARIES))}",
                    "hand the thing in as an argument; if the library is pure, add it to PURE_LIBRARIES",
                )


def waiting_rules(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        for node in nodes(module) if module.room == "rules" else ():
            clock = ast.unparse(node) if isinstance(node, ast.Attribute) and node.attr in CLOCKS else ""
            waits = isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
            reaches = _called(node) if _called(node) in OUT_OF_THE_PROCESS else ""
            if waits or reaches or (clock and _names_a_clock(module.meaning(node) or clock)):
                yield Fault(
                    f"{module.path}:{getattr(node, 'lineno', 0)}",
                    f"{clock or reaches or 'it waits'}; rules neither wait nor look at a clock, a file or a screen",
                    "hand the moment or the result in as an argument",
                )


def _names_a_clock(attribute: str) -> bool:
    """datetime.now, under whichever name, but no field that is called so: a value such as `seen.now` was handed in."""
    return attribute.split(".")[0] in {"datetime", "date", "time"}


def _called(node: ast.AST) -> str:
    """The plain name that is called here; empty for anything else."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def floats_in_money_rooms(tree: Tree) -> Iterator[Fault]:
    """float() may meet prices in the probability model only: never money, never a quantity."""
    for module in tree.modules:
        if module.room not in MONEY_ROOMS or module.path.rsplit("/", 1)[-1] in PROBABILITY_FILES:
            continue
        for node in nodes(module):
            if isinstance(node, ast.Call | ast.Assign) and _makes_a_float(node):
                yield Fault(
                    f"{module.path}:{node.lineno}",
                    f"{ast.unparse(node)}; no float() in {', '.join(sorted(MONEY_ROOMS))}",
                    "count in the integers of recio/units.py",
                )


def _makes_a_float(node: ast.Call | ast.Assign) -> bool:
    """float("0.1"), float under another name or in another's hands, Decimal(0.1)."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.value) == "float"
    given = [*node.args, *(each.value for each in node.keywords)]
    if ast.unparse(node.func).split(".")[-1] == "Decimal":
        return any(isinstance(each, ast.Constant) and isinstance(each.value, float) for each in given)
    return _called(node) == "float" or (
        _called(node) != "isinstance" and any(ast.unparse(each) == "float" for each in given)
    )


def sql_elsewhere(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        for line, text in _statements(module) if module.room not in ROOMS_WITH_SQL else ():
            yield Fault(
                f"{module.path}:{line}",
                f"{text[:40]!r}; SQL lives in recio/db only",
                "give the statement a function in recio/db",
            )


def _statements(module: Module) -> Iterator[tuple[int, str]]:
    """(line, text) of the first text that is SQL, and of every call that sends a statement, whatever it says."""
    if found := STATEMENT.search(module.text):
        yield module.text.count("\n", 0, found.start()) + 1, found.group()
    for node in nodes(module):
        if isinstance(node, ast.Attribute) and node.attr in ASKS_THE_DATABASE:
            yield node.lineno, ast.unparse(node)


def reserved_names(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        for line, name in _reserved(module):
            if module.path not in RESERVED[name]:
                yield Fault(
                    f"{module.path}:{line}",
                    f"uses {name}; only {', '.join(RESERVED[name]) or 'nobody'} may",
                    "import it by its name, where the walls see it; what a command was given comes as an argument",
                )


def _reserved(module: Module) -> Iterator[tuple[int, str]]:
    for node in nodes(module):
        if isinstance(node, ast.Name):
            names = [] if node.id in module.own | module.imports.keys() else [node.id]
        elif isinstance(node, ast.Attribute):
            names = [module.meaning(node)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [name for name, _ in imported(node)]
        else:
            continue
        for name in names:
            yield from ((node.lineno, each) for each in RESERVED if _below(name, each))


def tasks_by_way_of_their_room(tree: Tree) -> Iterator[Fault]:
    """`from recio import tasks` is an import of no task that import-linter could see, and reaches each of them."""
    for module in tree.modules:
        for name, _ in imported(module.syntax) if module.room == "tasks" else ():
            if name == "recio.tasks":
                yield Fault(
                    module.path,
                    "imports recio.tasks as a whole; a task knows no other task",
                    "send it over a wire, or move what both need to the rules",
                )


def mentions_of_the_simulator(tree: Tree) -> Iterator[Fault]:
    for module in tree.of_daemon():
        if module.room != "commands" and SIMULATOR in module.text:
            yield Fault(
                module.path,
                f"names {SIMULATOR}; only recio/commands knows it",
                "speak to it over HTTP and sockets, as to Kalshi",
            )


def tasks_without_one_class(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        if module.room == "tasks" and module.stem != "__init__" and len(task_classes(module)) != 1:
            yield Fault(
                module.path,
                f"{len(task_classes(module))} classes with a method run, limit exactly 1",
                "one file of recio/tasks is one task; what is no task belongs to another room",
            )


def task_classes(module: Module) -> list[ast.ClassDef]:
    return [
        node
        for node in module.syntax.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(each, ast.AsyncFunctionDef) and each.name == "run" for each in node.body)
    ]


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


ROOM_WALLS = (
    Wall("rules and the exchange simulator know only what is named", imports_beyond),
    Wall("rules use pure libraries only", impure_libraries),
    Wall("rules neither wait nor look at a clock", waiting_rules),
    Wall("money rooms never parse a float", floats_in_money_rooms),
    Wall("SQL lives in the database room only", sql_elsewhere),
    Wall("only commands know the exchange simulator", mentions_of_the_simulator),
    Wall("one file of tasks is one task", tasks_without_one_class),
    Wall("no task reaches another by way of their room", tasks_by_way_of_their_room),
    Wall("nothing is reached past the walls", reserved_names),
)
