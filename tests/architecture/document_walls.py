"""Walls about ARCHITECTURE.md: it names every room, task and file that there is, and its layers are those of import-linter."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from tests.architecture.source_tree import Fault, Tree, Wall

PAGE = "ARCHITECTURE.md"
FILE_BY_FILE = {"tasks", "daemon", ""}
"""Rooms of which the page names each file; the last is the top of recio/."""


def unnamed_on_the_page(tree: Tree) -> Iterator[Fault]:
    """In one of its tables, where a sentence stands beside each name."""
    lines = (tree.root / PAGE).read_text(encoding="utf-8").splitlines()
    page = "\n".join(line for line in lines if line.startswith("|"))
    for module in tree.modules:
        if (
            module.room in FILE_BY_FILE
            and not module.stem.startswith("__")
            and not _is_named(module.stem, page)
        ):
            yield _unnamed(module.path, module.stem)
    rooms = {each.room for each in tree.modules} | {
        each.path.split("/")[1] + "/" + each.path.split("/")[2]
        for each in tree.modules
        if each.room == "rules"
    }
    for room in sorted(each for each in rooms - {"", "rules"} if not each.endswith(".py")):
        if not _is_named(room, page):
            yield _unnamed(f"recio/{room}", room)


def layers_on_the_page(tree: Tree) -> Iterator[Fault]:
    """The page's chain of layers in the words of the contract, except for `__main__`."""
    page = (tree.root / PAGE).read_text(encoding="utf-8")
    chain = page.split("## Layers\n")[1].split(". Within")[0]
    said = [set(re.findall(r"`(\w+)`", each)) for each in chain.split(">")]
    config = tomllib.loads((tree.root / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in config["tool"]["importlinter"]["contracts"] if each["name"] == "layers")
    held = [set(re.findall(r"\w+", each)) for each in contract["layers"]][1:]
    for told, is_so in zip(said, held, strict=False):
        if told != is_so:
            yield Fault(
                PAGE,
                f"says the layer {', '.join(sorted(told))}; it is {', '.join(sorted(is_so))}",
                "write it so",
            )
    if len(said) != len(held):
        yield Fault(
            PAGE, f"says {len(said)} layers; there are {len(held)}", "write the layers of pyproject.toml"
        )


def _is_named(name: str, page: str) -> bool:
    return re.search(rf"`{re.escape(name)}(?:/|\.py)?`", page) is not None


def _unnamed(path: str, name: str) -> Fault:
    return Fault(path, f"{PAGE} does not name it", f"say in one line of {PAGE} what lives in `{name}`")


DOCUMENT_WALLS = (
    Wall("ARCHITECTURE.md names what there is", unnamed_on_the_page),
    Wall("ARCHITECTURE.md tells the layers that are held", layers_on_the_page),
)
