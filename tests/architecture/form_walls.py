"""Walls about the form of a file: its first sentence, its name, its size, its classes; they judge no import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source_tree import Fault, Tree, Wall, nodes

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
SHORTEST_SENTENCE = 16
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|common|helpers?|base|manager|handler)(_|$|\.)")
NAMED_BY_THE_FIELD = {"trade_manager.py"}
"""The standard term of trading systems, not a drawer."""
INHERITABLE = {
    "Exception",
    "ValueError",
    "Fatal",
    "Protocol",
    "StrEnum",
    "IntEnum",
    "Generic",
    "NamedTuple",
    "Section",
    "BaseModel",
    "Given",
    "Act",
    "Taken",
    "Struct",
    "WSListener",
}
"""Act, Given and Taken of the interface hold what all of them have; the last is what the WebSocket library calls back."""
MOCK = re.compile(
    r"\b(" + "|".join(["Magic" + "Mock", "mock" + r"\.patch", r"monkeypatch\.set" + "attr"]) + r")\b"
)
MOCKS_PER_THOUSAND_LINES = 3


def without_first_sentence(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        said = (ast.get_docstring(module.syntax) or "").split("\n")[0]
        if len(said) < SHORTEST_SENTENCE:
            yield Fault(
                module.path,
                f"its first sentence has {len(said)} characters, at least {SHORTEST_SENTENCE}",
                "begin the file with one sentence that says what it does and what it must never do",
            )


def drawers_for_anything(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        name = module.path.rsplit("/", 1)[-1]
        if FORBIDDEN_NAMES.search(name) and name not in NAMED_BY_THE_FIELD:
            yield Fault(
                module.path, "the name fits any content", "name the file after the one thing that it does"
            )


def long_files(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        lines = len(module.text.splitlines())
        if lines > LONGEST_FILE:
            yield Fault(module.path, f"{lines} lines, limit {LONGEST_FILE}", "split it by subject")


def long_functions(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        for node in nodes(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno
                if lines > LONGEST_FUNCTION:
                    yield Fault(
                        f"{module.path}:{node.lineno}",
                        f"{node.name} has {lines} lines, limit {LONGEST_FUNCTION}",
                        "give each step of it a function with a name of its own",
                    )


def inheritance(tree: Tree) -> Iterator[Fault]:
    for module in tree.modules:
        for node in nodes(module):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
                if bases - INHERITABLE:
                    yield Fault(
                        f"{module.path}:{node.lineno}",
                        f"class {node.name} inherits {', '.join(sorted(bases - INHERITABLE))};"
                        " only exceptions, data and protocols inherit",
                        "hold the other object in a field, or write a function",
                    )


def mocks(tree: Tree) -> Iterator[Fault]:
    texts = [path.read_text(encoding="utf-8") for path in (tree.root / "tests").rglob("*.py")]
    lines = sum(len(text.splitlines()) for text in texts)
    uses = sum(len(MOCK.findall(text)) for text in texts)
    if uses * 1000 >= MOCKS_PER_THOUSAND_LINES * lines and uses:
        yield Fault(
            "tests/",
            f"{uses} mocks in {lines} lines, limit {MOCKS_PER_THOUSAND_LINES} in a thousand",
            "test against the real thing: PostgreSQL, a socket, the exchange simulator",
        )


FORM_WALLS = (
    Wall("every file begins by saying what it is for", without_first_sentence),
    Wall("no file is called a drawer for anything", drawers_for_anything),
    Wall("files stay small", long_files),
    Wall("functions stay small", long_functions),
    Wall("inheritance is for exceptions, data and protocols only", inheritance),
    Wall("mocks stay rare", mocks),
)
