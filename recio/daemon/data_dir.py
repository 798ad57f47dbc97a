"""The data directory: private to its owner, and bound for ever to one mode and environment."""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path

from pydantic import SecretStr

from recio.errors import BadConfig
from recio.settings.config import Config

MARKER = "recio-data.json"
FORMER_TOKEN = "brake-token"
"""What the file was called before: whoever has its token keeps it."""
HALT_TOKEN = "halt-token"


def place_of(config: Config) -> Path:
    return Path(config.data_dir).expanduser().absolute()


def claim(config: Config) -> Path:
    """Create the directory or check that it is ours. Raises BadConfig; changes nothing if it is not."""
    path = place_of(config)
    marker = path / MARKER
    wanted = {"mode": config.mode.value, "environment": config.kalshi.environment.value}
    try:
        if marker.exists():
            _check(marker, wanted)
            return path
        if path.exists() and any(path.iterdir()):
            raise BadConfig(
                f"data_dir = {str(path)!r} holds files but no {MARKER}: it is not a data directory of recio;"
                " choose an empty one"
            )
        # Root's own directory lets the database's account pass through; its files stay private.
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        fresh = path / (MARKER + ".new")
        fresh.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
        os.replace(fresh, marker)
    except OSError as error:
        raise BadConfig(f"data_dir = {str(path)!r} cannot be used: {error.strerror}") from error
    return path


def halt_token(root: Path) -> SecretStr:
    """The token that the status page asks for; made at the first start, readable by its owner only."""
    path = root / HALT_TOKEN
    try:
        if not path.exists() and (root / FORMER_TOKEN).exists():
            os.replace(root / FORMER_TOKEN, path)
        if not path.exists():
            fresh = root / (HALT_TOKEN + ".new")
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
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadConfig(
                f"status.port = {port} is taken on {host}: stop what listens there or choose another port"
            ) from error
