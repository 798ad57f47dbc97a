"""Where the recorded wire is, and how to read it; tests skip, and say so, where it is absent."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("RECIO_DATA") or Path(__file__).parents[3] / "shared" / "data")


def recorded(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip("recorded markets are not on this machine (RECIO_DATA)")
    return path


def lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from (line for line in file if line.strip())


def demo_answer(name: str) -> tuple[int, str, dict[str, Any]]:
    """(status, body to the byte, request body) of one recorded exchange with the demo venue."""
    body = recorded("kalshi_demo_wire", f"{name}.json").read_text()
    meta = json.loads(recorded("kalshi_demo_wire", f"{name}.meta.json").read_text())
    return meta["status"], body, meta.get("request_body") or {}
