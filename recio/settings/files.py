"""recio.toml as a file: read into a table, and where the paths that it names are; it judges no setting and opens no other file."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from recio.errors import BadConfig, of_the_machine

MARKER = "recio-data.json"
"""The file by which a data directory is known as one."""
RESTORED = "restored"
"""The file by which `recio restore` says that the database of a data directory is the one in it."""
LONGEST_CONFIG = 1_000_000
"""Bytes; whatever is longer is no config."""
KEY_TUPLE = re.compile(r"\((?:'[^']*',? ?)+\)")
QUOTED = re.compile(r"'([^']*)'")
VARIABLE = re.compile(r"^\$\{?\w+\}?(/|$)")


def read_toml(path: Path) -> dict[str, Any]:
    """The table as it is written. Raises BadConfig."""
    try:
        if path.is_dir():
            raise BadConfig(f"{path} is a directory: give the file in it, {path / 'recio.toml'}")
        with path.open("rb") as stream:
            raw = stream.read(LONGEST_CONFIG + 1)
    except OSError as error:
        raise of_the_machine(f"cannot read the config {path}: {error.strerror}", error) from error
    if len(raw) > LONGEST_CONFIG:
        raise BadConfig(f"{path} is longer than {LONGEST_CONFIG:,} bytes: it is no config of recio")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(
            f"{path} is not UTF-8 text (line {raw[: error.start].count(10) + 1}): save it as UTF-8"
        ) from None
    return table_of(text, str(path))


def table_of(text: str, source: str) -> dict[str, Any]:
    """The table that a config's text is; `source` names it in errors. Raises BadConfig."""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{source} is not valid TOML: {_in_toml(str(error))}") from error
    except RecursionError:
        raise BadConfig(f"{source} is not valid TOML: too many brackets in each other") from None


def _in_toml(said: str) -> str:
    """The parser names a table as ('entry',), which recio.toml writes as [entry]."""
    return KEY_TUPLE.sub(lambda found: f"[{'.'.join(QUOTED.findall(found[0]))}]", said)


def anchored(written: str, config: Path) -> str:
    """A relative path counts from the folder of the config, not from where a command happens to be started."""
    if not written:
        return written
    return str(config.absolute().parent / Path(written).expanduser())


def data_dir_of(written: str, config: Path) -> str:
    """Where `data_dir` is. Raises BadConfig for what cannot be meant, and rather than begin an empty one beside an old one."""
    if VARIABLE.match(written):
        raise BadConfig(
            f'data_dir = "{written}": recio replaces no variables; write the path itself, or one that begins with ~/'
        )
    if written != written.strip() or any(ord(each) < 32 for each in written):
        raise BadConfig(
            f"data_dir = {written!r} begins or ends with a blank or has a line break: take it out"
        )
    here, there = Path(written).absolute(), Path(anchored(written, config))
    if here != there and _is_data_dir(here) and not _is_data_dir(there):
        raise BadConfig(
            f'data_dir = "{written}" counts from the folder of the config, which makes it {there};'
            f' a data directory of recio is in {here}: write data_dir = "{here}" if that is meant'
        )
    return str(there)


def _is_data_dir(path: Path) -> bool:
    try:
        return (path / MARKER).exists()
    except OSError:  # what may not be looked into is not ours
        return False
