"""Small breaks of Python source, one at a time: what a slip of the hand would make of it; it runs nothing and writes nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Site = tuple[ast.AST, str, object]
"""A node of the tree, and the field and value that break it; a node in the field's place replaces what stands there."""

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
IN_SQL = {
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " = ANY": " <> ALL", " <> ": " = ", " AND ": " OR ",
    " OR ": " AND ", " + ": " - ", " - ": " + ", "max(": "min(", "min(": "max(", " IS NULL": " IS NOT NULL",
    " IS NOT NULL": " IS NULL", "'entry'": "'exit'", "'exit'": "'entry'", " DESC": " ASC",
}  # fmt: skip
SHOWN = 110
"""Letters of a change that are shown."""
FITTED = 12
"""A row of so many numbers was measured; no test knows it by heart."""
ONLY_SAID = {"say", "debug", "info", "warning", "error", "exception", "stand_aside", "reached", "cycle_of"}
"""Calls that only tell a person something, or are there for tests that crash a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One place of a module, and in words what is done to it."""

    root: Path
    file: str
    nth: int
    line: int
    source: str
    """The line as it stands, without its indentation."""
    change: str

    @property
    def name(self) -> str:
        return f"{self.file}: {self.source} [{self.change}]"

    def tree(self) -> ast.Module:
        """The broken module."""
        tree = ast.parse((self.root / self.file).read_text(encoding="utf-8"))
        node, field, value = list(_sites(tree))[self.nth]
        if field:
            setattr(node, field, value)
        else:
            _replace(tree, node, value)
        return ast.fix_missing_locations(tree)

    def function(self) -> tuple[str, ...]:
        """The names that lead to the outermost function around it, of classes first; empty: it is in none."""
        tree = ast.parse((self.root / self.file).read_text(encoding="utf-8"))
        return _way_to(tree, list(_sites(tree))[self.nth][0]) or ()

    def is_constant(self) -> bool:
        """It is in a name of the module that is given one number, text or time."""
        tree = ast.parse((self.root / self.file).read_text(encoding="utf-8"))
        node = list(_sites(tree))[self.nth][0]
        return any(
            isinstance(each, ast.Assign | ast.AnnAssign)
            and _is_plain(each.value)
            and any(part is node for part in ast.walk(each))
            for each in tree.body
        )


def _is_plain(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.BinOp() | ast.UnaryOp():
            return True
        case ast.Call(func=ast.Name(id="Decimal" | "timedelta")):
            return True
        case _:
            return False


def _way_to(place: ast.AST, node: ast.AST) -> tuple[str, ...] | None:
    for child in ast.iter_child_nodes(place):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            # What stands outside its body is worked out once, when it is made.
            if any(each is node for part in child.body for each in ast.walk(part)):
                return (child.name,)
        elif isinstance(child, ast.ClassDef):
            way = _way_to(child, node)
            if way:
                return (child.name, *way)
    return None


def breaks_of(root: Path, file: str) -> list[Break]:
    """Every break of one module, in the order of its lines."""
    text = (root / file).read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    found: list[Break] = []
    for nth, (node, field, value) in enumerate(list(_sites(tree))):
        line: int = getattr(node, "lineno", 1)
        change = _change(ast.unparse(node), _unparsed(node, field, value))
        source = lines[line - 1].strip()
        found.append(Break(root=root, file=file, nth=nth, line=line, source=source, change=change))
    return sorted(found, key=lambda each: each.line)


def _unparsed(node: ast.AST, field: str, value: object) -> str:
    """What the node would be; it is left as it was."""
    if not field:
        assert isinstance(value, ast.AST)
        return ast.unparse(value)
    before = getattr(node, field)
    setattr(node, field, value)
    try:
        return ast.unparse(node)
    finally:
        setattr(node, field, before)


def _change(before: str, after: str) -> str:
    """Of a long text what is around the place where it changes."""
    old, new = (" ".join(each.replace("\\n", " ").split()) for each in (before, after))
    same = next((nth for nth, (was, is_now) in enumerate(zip(old, new, strict=False)) if was != is_now), 0)
    begins = max(0, same - SHOWN // 2) if len(old) > SHOWN else 0
    return f"{old[begins : begins + SHOWN]} -> {new[begins : begins + SHOWN]}"


def _replace(tree: ast.AST, old: ast.AST, new: object) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(each is old for each in value):
                setattr(parent, name, [new if each is old else each for each in value])
                return


def _sites(tree: ast.Module) -> Iterator[Site]:
    for node in _that_matter(tree):
        yield from _of(node)


def _that_matter(node: ast.AST) -> Iterator[ast.AST]:
    """Without what is only said: docstrings, sentences, names for a log, messages of errors, annotations, decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "keywords") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_only_said(child):
                continue
            yield child
            yield from _that_matter(child)


def _is_only_said(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.keyword(
            arg="sentence" | "why" | "detail" | "note" | "reason" | "slots" | "frozen" | "kw_only"
        ):
            return True
        case ast.Call(func=ast.Name(id=called)) | ast.Call(func=ast.Attribute(attr=called)):
            return called in ONLY_SAID
        case ast.Expr(value=ast.Call() as call) | ast.Expr(value=ast.Await(value=ast.Call() as call)):
            return _is_only_said(call)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return len(elements) >= FITTED
        case _:
            return False


def _of(node: ast.AST) -> Iterator[Site]:
    match node:
        case ast.Constant(value=value):
            yield from _of_constant(node, value)
        case ast.Compare() | ast.BoolOp() | ast.BinOp() | ast.UnaryOp():
            yield from _of_operator(node)
        case ast.Call():
            yield from _of_call(node)
        case ast.If() | ast.IfExp() if not isinstance(node.test, ast.Compare | ast.BoolOp):
            yield node, "test", ast.Constant(not isinstance(node.test, ast.UnaryOp))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "", ast.Pass()
        case ast.AugAssign(op=ast.Add()):
            yield node, "op", ast.Sub()
        case ast.Return(value=ast.Call() | ast.BoolOp()):
            yield node, "value", ast.Constant(None)
        case _:
            pass


def _of_operator(node: ast.AST) -> Iterator[Site]:
    match node:
        case ast.Compare(ops=[op]):
            for other in COMPARED.get(type(op), ()):
                yield node, "ops", [other()]
        case ast.BoolOp(op=op):
            yield node, "op", ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.BinOp(op=op) if type(op) in COUNTED and not _is_text(node):
            yield node, "op", COUNTED[type(op)]()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, "", operand
        case _:
            pass


def _of_call(node: ast.Call) -> Iterator[Site]:
    match node.func:
        case ast.Name(id=called) as name if called in NAMES and node.args:
            yield node, "func", ast.Name(id=NAMES[called], ctx=name.ctx)
        case ast.Attribute(attr="floor" | "ceil" as called) as name:
            yield node, "func", ast.Attribute(value=name.value, attr=NAMES[called], ctx=name.ctx)
        case _:
            pass


def _of_constant(node: ast.Constant, value: object) -> Iterator[Site]:
    if isinstance(value, bool):
        yield node, "value", not value
    elif isinstance(value, int | float):
        yield node, "value", value + 1
    elif isinstance(value, str) and SQL.match(value):
        for old, new in IN_SQL.items():
            for nth in range(value.count(old)):
                yield node, "value", _nth_replaced(value, old, new, nth)


def _nth_replaced(text: str, old: str, new: str, nth: int) -> str:
    parts = text.split(old)
    return old.join(parts[: nth + 1]) + new + old.join(parts[nth + 1 :])


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )
