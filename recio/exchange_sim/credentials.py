"""The key pair and the file that tells a client where this run listens; it writes nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from recio.exchange_sim.clock import VenueClock

KEY_FILE = "private_key.pem"
CREDENTIALS_FILE = "credentials.json"
_KEY_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOrigin:
    speed: float
    host_origin: float
    venue_origin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything a client on this machine needs to trade here."""

    key_id: str
    key_path: str
    rest_url: str
    ws_url: str
    price_url: str
    instance: str
    pid: int
    clock: ClockOrigin


def load_or_make_key(directory: Path) -> rsa.RSAPrivateKey:
    """The directory's private key; a new RSA-2048 one is written there when there is none."""
    path = directory / KEY_FILE
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    fresh = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
    pem = fresh.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, pem)
    return fresh


def announce(directory: Path, *, host: str, port: int, instance: str, clock: VenueClock) -> Credentials:
    """Write the credentials file at once and whole."""
    credentials = Credentials(
        key_id=str(uuid4()),
        key_path=str((directory / KEY_FILE).absolute()),
        rest_url=f"http://{host}:{port}/trade-api/v2",
        ws_url=f"ws://{host}:{port}/trade-api/ws/v2",
        price_url=f"ws://{host}:{port}/coinbase",
        instance=instance,
        pid=os.getpid(),
        clock=ClockOrigin(speed=clock.speed, host_origin=clock.host_origin, venue_origin=clock.venue_origin),
    )
    encoded = msgspec.json.format(msgspec.json.encode(credentials), indent=2)
    write_private(directory / CREDENTIALS_FILE, encoded)
    return credentials


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one move, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    draft.replace(path)
