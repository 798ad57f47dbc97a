"""The data directory: private to its owner, and bound for ever to one mode and environment."""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
from pathlib import Path

from pydantic import SecretStr

from recio.db.placement import make_private
from recio.errors import BadConfig, of_the_machine
from recio.settings.config import Config
from recio.settings.files import MARKER, RESTORED

FORMER_TOKEN = "brake-token"
"""What the file was called before: whoever has its token keeps it."""
HALT_TOKEN = "halt-token"
DRAFT = ".new"
"""The end of the name of a file until it is whole."""


def place_of(config: Config) -> Path:
    return Path(config.data_dir).expanduser().absolute()


def claim(config: Config) -> Path:
    """Create the directory or check that it is ours. Raises BadConfig; changes nothing if it is not."""
    path, draft = place_of(config), MARKER + DRAFT
    if is_ours(config):
        return path
    try:
        make_private(path)
        fresh = path / draft
        fresh.write_text(json.dumps(_wanted(config)) + "\n", encoding="utf-8")
        os.replace(fresh, path / MARKER)
    except OSError as error:
        raise of_the_machine(f"data_dir = {str(path)!r} cannot be used: {error.strerror}", error) from error
    return path


def is_ours(config: Config) -> bool:
    """False where a new one may be made. Raises BadConfig for a directory that is not, or may not be, one of this config's."""
    path = place_of(config)
    try:
        if (path / MARKER).exists():
            _check(path / MARKER, _wanted(config))
            _refuse_other_database(config, path / RESTORED)
            return True
        if path.exists() and any(each.name != MARKER + DRAFT for each in path.iterdir()):
            raise BadConfig(
                f"data_dir = {str(path)!r} holds files but no {MARKER}: it is not a data directory of recio;"
                " choose an empty one"
            )
    except OSError as error:
        raise of_the_machine(f"data_dir = {str(path)!r} cannot be used: {error.strerror}", error) from error
    return False


def _refuse_other_database(config: Config, mark: Path) -> None:
    """A restored database that nobody would use: the config still names the one that it was to replace."""
    if config.database.dsn.get_secret_value() and mark.exists():
        raise BadConfig(
            f"data_dir = {str(mark.parent)!r} is a restored backup with its database in it, and database.dsn names another,"
            ' which would be used instead: write dsn = "", or choose another data_dir'
        )


def refuse_unwritable(config: Config) -> None:
    """Raises BadConfig where no data directory could be made or written to; makes none."""
    path = place_of(config)
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if not nearest.is_dir():
        raise BadConfig(f"data_dir = {str(path)!r} cannot be used: {nearest} is not a directory")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BadConfig(f"data_dir = {str(path)!r} cannot be used: this user may not write to {nearest}")


def _wanted(config: Config) -> dict[str, str]:
    return {"mode": config.mode.value, "environment": config.kalshi.environment.value}


def halt_token(root: Path) -> SecretStr:
    """The token that the status page asks for; made at the first start, readable by its owner only."""
    path = root / HALT_TOKEN
    try:
        if not path.exists() and (root / FORMER_TOKEN).exists():
            os.replace(root / FORMER_TOKEN, path)
        if not path.exists():
            fresh = root / (HALT_TOKEN + DRAFT)
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
            os.replace(fresh, path)
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path} cannot be used: {error}; remove it and a new one is made") from error
    if not token:
        raise BadConfig(f"{path} is empty; remove it and a new one is made")
    return SecretStr(token)


def _check(marker: Path, wanted: dict[str, str]) -> None:
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadConfig(f"{marker} is damaged: {error}; restore it or choose another data_dir") from error
    if found != wanted:
        raise BadConfig(
            f"data_dir = {str(marker.parent)!r} belongs to mode {found.get('mode')}, environment"
            f" {found.get('environment')}; the config says mode {wanted['mode']}, environment"
            f" {wanted['environment']}: choose another data_dir"
        )


def refuse_taken_port(port: int, host: str = "127.0.0.1") -> None:
    """Raises BadConfig if something listens on the status port already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise BadConfig(
                    f"status.port = {port} may be used by root only: choose one above 1023"
                ) from error
            if error.errno != errno.EADDRINUSE:
                raise BadConfig(
                    f"status.bind = {host!r} cannot be listened on: {error.strerror}; write an address of this machine"
                ) from error
            raise BadConfig(
                f"status.port = {port} is taken on {host}: stop what listens there or choose another port"
            ) from error
