"""Our key for Web Push: made at the first start that wants it, a file of the data directory that only its owner reads; the daemon keeps its public half alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from recio.daemon.data_dir import DRAFT, place_of
from recio.errors import BadConfig, of_the_machine
from recio.settings.config import Config
from recio.settings.file_access import others_with_access
from recio.web.push_devices import PushSetup

FILE = "push-key"


def push_setup(config: Config) -> PushSetup | None:
    """None where no device is told by push. Raises BadConfig."""
    if not config.alerts.push_contact:
        return None
    path = place_of(config) / FILE
    return PushSetup(contact=config.alerts.push_contact, key_file=path, public_key=public_key_of(path))


def public_key_of(path: Path) -> str:
    """As base64url, for browsers; the file is made where there is none. Raises BadConfig."""
    try:
        if not path.exists():
            _make(path)
        if others := others_with_access(path):
            raise BadConfig(f"{path} is readable by others ({', '.join(others)}); run: chmod 600 '{path}'")
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise of_the_machine(f"{path} cannot be used: {error.strerror}", error) from error
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadConfig(
            f"{path} is no key of P-256 in PEM; remove it and a new one is made, with which each device subscribes again"
        )
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _make(path: Path) -> None:
    fresh = path.with_name(path.name + DRAFT)
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    os.replace(fresh, path)
