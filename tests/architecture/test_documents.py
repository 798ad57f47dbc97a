"""Every link, path and make target that a document names is there; a name that is gone sends a reader nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source_tree import ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
PATH = re.compile(r"`((?:recio|tests|docs|deploy|benchmarks|systemd)/[\w./-]+)`")
TARGET = re.compile(r"`make ([a-z-]+)")
AS_IT_WAS = {"CHANGELOG.md"}
"""What it says of earlier versions stays."""
PARTS = {"benchmarks/evidence_head.md": "docs", "benchmarks/page_head.md": "docs"}
"""Files that become part of a page in another folder, from which their links are followed."""


def documents() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.md")):
        name = path.relative_to(ROOT)
        if not any(part.startswith(".") for part in name.parts):
            yield str(name), path.read_text(encoding="utf-8")


def test_every_link_between_documents_leads_somewhere():
    gone = [
        f"{name}: {link}"
        for name, text in documents()
        for link in LINK.findall(text)
        if not _leads_somewhere(ROOT / PARTS.get(name, Path(name).parent), ROOT / name, link)
    ]
    assert gone == []


def test_every_path_that_a_document_names_is_there():
    gone = [
        f"{name}: {path}"
        for name, text in documents()
        if name not in AS_IT_WAS
        for path in PATH.findall(text)
        if "NNNN" not in path and not (ROOT / path).exists()
    ]
    assert gone == []


def test_every_make_target_that_a_document_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    gone = [
        f"{name}: make {target}"
        for name, text in documents()
        for target in TARGET.findall(text)
        if target not in targets
    ]
    assert gone == []


def _leads_somewhere(folder: Path, own: Path, link: str) -> bool:
    place, _, heading = link.partition("#")
    file = folder / place if place else own
    return file.exists() and (not heading or heading in _headings(file))


def _headings(file: Path) -> set[str]:
    """As they are named in an address: small letters, without signs, a hyphen for each blank."""
    found = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.strip().lower()).replace(" ", "-") for each in found}
