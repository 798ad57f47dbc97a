"""Finds the files of a recorded session and reads their lines; what is broken is refused with its line number."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FRAMES = "kalshi_ws.jsonl"
MATCHES = "coinbase_matches.csv"
DESCRIPTION = "session.json"
BUFFER_BYTES = 1 << 20


class BadSession(ValueError):
    """A recorded session that cannot be served, with the file, the line and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFiles:
    name: str
    frames: Path
    matches: Path | None
    description: Path


def find_files(folder: Path) -> SessionFiles:
    """The files of the session in this folder, each plain or compressed. Raises BadSession."""
    if not folder.is_dir():
        raise BadSession(f"{folder} is no folder: give the folder of one session, with {FRAMES}.gz in it")
    frames, matches = _only(folder, FRAMES), _only(folder, MATCHES)
    if frames is None:
        raise BadSession(f"{folder} has no {FRAMES}.gz and no {FRAMES}: a session needs the venue's frames")
    description = folder / DESCRIPTION
    if not description.exists():
        raise BadSession(f"{folder} has no {DESCRIPTION}: it says when the recorded markets closed")
    return SessionFiles(name=folder.resolve().name, frames=frames, matches=matches, description=description)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every line with its number, from 1. Raises BadSession where the file breaks off or is no gzip stream."""
    number = 0
    try:
        with _opened(path) as stream:
            for raw in stream:
                number += 1
                yield number, raw
    except EOFError as error:
        raise bad_line(path, number + 1, "the gzip stream ends early: copy the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise bad_line(path, number + 1, f"not a whole gzip stream ({error}): copy it again") from error
    except OSError as error:
        raise BadSession(f"{path} cannot be read: {error.strerror or error}") from error
    if number == 0:
        raise BadSession(f"{path} is empty: there is nothing to serve")


def bad_line(path: Path, number: int, fault: str) -> BadSession:
    return BadSession(f"{path} line {number}: {fault}")


def _only(folder: Path, name: str) -> Path | None:
    found = [path for path in (folder / f"{name}.gz", folder / name) if path.exists()]
    if len(found) > 1:
        raise BadSession(f"{folder} has both {name}.gz and {name}: keep the one that is to be served")
    return found[0] if found else None


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(path, "rb"), BUFFER_BYTES)
    return path.open("rb", buffering=BUFFER_BYTES)
