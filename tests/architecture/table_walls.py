"""Walls about tables: who can reach a statement that writes one, against the comment `-- Writer:` in schema.sql.

Reach is followed through names, upward from the statement in recio/db to the first task, command or daemon that uses
the function: whatever is named counts as called. A statement of the database room whose table is put together at run
time is a fault of its own, and so is one inside a function of schema.sql. Migrations are not seen, which rewrite rows
once, before any task runs.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from tests.architecture.source_tree import Fault, Module, Tree, Wall, defined_by

SCHEMA = "schema.sql"
WRITING_ROOMS = {"tasks", "commands", "daemon"}
MIGRATIONS = "recio.db.schema"
OF_THEIR_OWN = {"recio.old_data.staging": "a file of SQLite that ends with the import"}
"""Modules whose statements reach no table of recio's database, and what they do reach."""
TWO_WRITERS = {
    "audit_log": "what people and watchers do is logged by triggers, in the transaction of whoever does it",
    "brought_in": "a person ends the wait for what the venue can never tell, also while no daemon runs",
    "identity": "a start claims an empty database; a restore draws a new tag, before any daemon may start on it",
    "limit_cuts": "a person lowers a limit on the page or by command, and the command needs no daemon",
    "limit_grants": "a person grants a limit on the page or by command, and the command needs no daemon",
    "switches": "a person switches on the page or by command, and the command needs no daemon",
    "trade_closes": "a person closes on the page or by command, in the one row that exit follows",
    "trade_requests": "a person asks on the page or by command, in the one row that entry answers",
    "halts": "the failure detector halts by itself; a person halts and resumes, also while no daemon runs",
}
"""Tables with more than one declared writer, and why."""
TEMPORARY = {"new_rows", "new_prices", "touched", "came"}
"""Tables of one transaction, which end with it."""
_NAME = r'(?:"?public"?\.)?"?(\w+)"?'
_WRITTEN = re.compile(
    rf"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?{_NAME}"
    rf"|\bUPDATE\s+(?:ONLY\s+)?(?!SET\b){_NAME}(?:\s+(?:AS\s+)?\w+)?\s+SET\b"
    rf"|\bCOPY\s+{_NAME}\s+(?:\([^)]*\)\s*)?FROM\b",
    re.IGNORECASE,
)
_CUT_OFF = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|UPDATE(?:\s+ONLY)?|COPY)\s+\W*$"
)
"""A text that ends where the name of the table would stand."""
COPYING = {"copy_records_to_table", "copy_to_table"}
"""Calls that write the table they are given, without a statement."""
_TABLE = re.compile(r"((?:^--.*\n)*)^CREATE TABLE IF NOT EXISTS (\w+)", re.MULTILINE)
_FUNCTION = re.compile(
    r"^ *CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) (\w+)\(.*?(\$\w*\$)(.*?)\2", re.MULTILINE | re.DOTALL
)
_PUT_TOGETHER = re.compile(r"\bEXECUTE\s+(?!FUNCTION\b|PROCEDURE\b|ON\b)", re.IGNORECASE)
_TRIGGER = re.compile(
    r"^ *CREATE (?:OR REPLACE|CONSTRAINT) TRIGGER \w+ [ \w]+? ON (\w+).*?FUNCTION (\w+)\(",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"^-- Writer: ([^.,:;\n]+)", re.MULTILINE)


def undeclared_writers(tree: Tree) -> Iterator[Fault]:
    found, declared = _writers(tree), _declared(tree)
    for table in sorted(found.keys() | declared.keys()):
        said, seen = declared.get(table, []), found.get(table, {})
        names = " and ".join(said) or "nobody"
        meant = {_writer_named(tree, name) for name in said}
        for writer in sorted(seen.keys() - meant):
            yield Fault(
                seen[writer],
                f"can write table {table}; {SCHEMA} says its writer is {names}",
                "send the declared writer a message, or let it call the function",
            )
        for writer in sorted(meant - seen.keys()):
            yield Fault(
                SCHEMA,
                f"says {names} writes table {table}, and {writer} never does",
                "name the task, `recio COMMAND` or file of recio/daemon that writes it: -- Writer: NAME.",
            )


def tables_without_one_writer(tree: Tree) -> Iterator[Fault]:
    for table, said in _declared(tree).items():
        if not said:
            yield Fault(
                SCHEMA,
                f"table {table} has no comment `-- Writer:` right above it",
                "name its one writer: -- Writer: NAME.",
            )
        if len(said) > 1 and table not in TWO_WRITERS:
            yield Fault(
                SCHEMA,
                f"table {table} has {len(said)} writers ({' and '.join(said)}), limit 1",
                "let one of them write it for both, or say in TWO_WRITERS why there are two",
            )
        if len(said) == 1 and table in TWO_WRITERS:
            yield Fault(SCHEMA, f"table {table} has one writer", "take it out of TWO_WRITERS")


def _declared(tree: Tree) -> dict[str, list[str]]:
    """By table, the writers its comment names: `-- Writer: a and b, whatever else is said.`"""
    schema = (tree.root / SCHEMA).read_text(encoding="utf-8")
    return {
        table: _COMMENT.findall(comment)[0].split(" and ") if _COMMENT.search(comment) else []
        for comment, table in _TABLE.findall(schema)
    }


def _writer_named(tree: Tree, name: str) -> str:
    """The writer that a comment calls so: a task, a file of the daemon, or `recio COMMAND ...` in backticks."""
    if command := re.match(r"`recio (\w+)", name):
        commands = ast.literal_eval(getattr(tree.definitions()["recio.cli.COMMANDS"][1], "value"))  # noqa: B009
        return f"recio.commands.{commands.get(command[1], ('(no such command)',))[0]}"
    rooms = {each.room for each in tree.modules if each.stem == name and each.room in ("tasks", "daemon")}
    return (
        f"recio.tasks.{name}" if "tasks" in rooms else "recio.daemon" if rooms else f"{name} (no such file)"
    )


def _writers(tree: Tree) -> dict[str, dict[str, str]]:
    """By table, each writer that can reach a statement on it, with the writer's path."""
    definitions, users = tree.definitions(), _users(tree)
    schema = (tree.root / SCHEMA).read_text(encoding="utf-8")
    triggered, in_functions = _triggered(schema), _tables_of_functions(schema)
    found = defaultdict[str, dict[str, str]](dict)
    for name, (module, statement) in definitions.items():
        texts = _texts(statement) if module.name not in (MIGRATIONS, *OF_THEIR_OWN) else ()
        tables = {table for text in texts for table in _written_by(text, in_functions, triggered)}
        tables |= {table for table, _ in _copied(statement) if table}
        tables -= TEMPORARY
        for writer, path in _reached_from(name, users, definitions) if tables else ():
            for table in tables:
                found[table][writer] = path
    return found


def tables_named_at_run_time(tree: Tree) -> Iterator[Fault]:
    for module, statement in tree.definitions().values():
        if module.room != "db" or module.name == MIGRATIONS:
            continue
        for line in _unnamed(statement):
            yield Fault(
                f"{module.path}:{line}",
                "writes a table whose name is put together at run time, where no wall sees it",
                "write one statement for each table, with its name in it",
            )
    schema = (tree.root / SCHEMA).read_text(encoding="utf-8")
    for name, _, body in _FUNCTION.findall(schema):
        if _PUT_TOGETHER.search(body):
            yield Fault(
                SCHEMA,
                f"function {name} puts a statement together at run time, where no wall sees it",
                "write the statement with the name of its table in it",
            )


def _unnamed(statement: ast.stmt) -> Iterator[int]:
    """The line of each text that ends where a table's name would stand, and of each copy into a table that is not named."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CUT_OFF.search(node.value):
            yield node.lineno
    yield from (line for table, line in _copied(statement) if not table)


def _copied(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    """(table, line) of each call that copies rows into one; the table is empty where a name stands for it."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COPYING:
            table = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
            yield str(table), node.lineno


@cache
def _texts(statement: ast.stmt) -> tuple[str, ...]:
    values = (node.value for node in ast.walk(statement) if isinstance(node, ast.Constant))
    return tuple(value for value in values if isinstance(value, str))


def _tables_written(text: str, in_functions: dict[str, set[str]]) -> set[str]:
    named = {table for pair in _WRITTEN.findall(text) for table in pair if table}
    called = (tables for function, tables in in_functions.items() if f"{function}(" in text)
    return named.union(*called)


def _tables_of_functions(schema: str) -> dict[str, set[str]]:
    """The functions of the database that write, and what: by themselves, by functions they call, and by triggers."""
    bodies, triggered = {name: body for name, _, body in _FUNCTION.findall(schema)}, _triggered(schema)
    written: dict[str, set[str]] = {}
    while (more := {name: _written_by(body, written, triggered) for name, body in bodies.items()}) != written:
        written = more
    return {name: tables for name, tables in written.items() if tables}


def _triggered(schema: str) -> dict[str, set[str]]:
    """By table, the functions that its triggers run."""
    triggered = defaultdict[str, set[str]](set)
    for table, function in _TRIGGER.findall(schema):
        triggered[table].add(function)
    return triggered


def _written_by(body: str, written: dict[str, set[str]], triggered: dict[str, set[str]]) -> set[str]:
    tables = _tables_written(body, written)
    return tables.union(
        *(written.get(each, set()) for table in tables for each in triggered.get(table, set()))
    )


def _users(tree: Tree) -> dict[str, set[str]]:
    """By definition, the definitions that name it."""
    users = defaultdict[str, set[str]](set)
    for module in tree.of_daemon():
        for used, user in _uses_in(module):
            users[used].add(user)
    return users


@cache
def _uses_in(module: Module) -> frozenset[tuple[str, str]]:
    """(what is named, the definition of this file that names it)."""
    return frozenset(
        (used, f"{module.name}.{user}")
        for statement in module.syntax.body
        for user in defined_by(statement)
        for node in ast.walk(statement)
        if (used := module.meaning(node))
    )


def _reached_from(
    start: str, users: dict[str, set[str]], definitions: dict[str, tuple[Module, ast.stmt]]
) -> Iterator[tuple[str, str]]:
    """(writer, its path) of each first task, command or daemon on the ways up from a definition."""
    todo, seen = [start], {start}
    while todo:
        name = todo.pop()
        module = definitions[name][0]
        if module.room in WRITING_ROOMS:
            yield ("recio.daemon" if module.room == "daemon" else module.name), module.path
            continue
        fresh = users.get(name, set()) - seen
        seen |= fresh
        todo.extend(fresh)


TABLE_WALLS = (
    Wall("every table is written by whom schema.sql declares", undeclared_writers),
    Wall("every table has one writer", tables_without_one_writer),
    Wall("every table that is written is named", tables_named_at_run_time),
)
