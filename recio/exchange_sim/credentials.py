"""The key pair and the file that tells a client where this run listens; it writes nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from recio.exchange_sim.clock import VenueClock

KEY_FILE = "private_key.pem"
CREDENTIALS_FILE = "credentials.json"
_KEY_BITS = 2048

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class KeyType(StrEnum):
    """What the account signs with."""

    RSA = "rsa"
    ED25519 = "ed25519"


class PemFormat(StrEnum):
    """How the private key is written. The venue hands out RSA keys as PKCS#1 and Ed25519 keys as PKCS#8."""

    PKCS1 = "pkcs1"
    PKCS8 = "pkcs8"


_KEY_CLASSES: dict[KeyType, type[PrivateKey]] = {
    KeyType.RSA: rsa.RSAPrivateKey,
    KeyType.ED25519: ed25519.Ed25519PrivateKey,
}
_FORMATS = {
    PemFormat.PKCS1: serialization.PrivateFormat.TraditionalOpenSSL,
    PemFormat.PKCS8: serialization.PrivateFormat.PKCS8,
}


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
    kraken_url: str
    instance: str
    pid: int
    clock: ClockOrigin


def member_folder(directory: Path, member: int) -> Path:
    """Where a member's key goes: the first one's into the folder itself, the others' below it."""
    return directory if member == 0 else directory / f"member-{member + 1}"


def load_or_make_key(
    directory: Path, key_type: KeyType = KeyType.RSA, pem_format: PemFormat = PemFormat.PKCS8
) -> PrivateKey:
    """The directory's private key; a new one is written there when it holds none of this type.

    A key of the right type stays the same and is written anew when the format is another.
    """
    if key_type is KeyType.ED25519 and pem_format is PemFormat.PKCS1:
        raise ValueError("PKCS#1 is for RSA keys only")
    path = directory / KEY_FILE
    key = _loaded(path, key_type) or _fresh(key_type)
    pem = key.private_bytes(serialization.Encoding.PEM, _FORMATS[pem_format], serialization.NoEncryption())
    if not path.exists() or path.read_bytes() != pem:
        write_private(path, pem)
    return key


def _loaded(path: Path, key_type: KeyType) -> PrivateKey | None:
    if not path.exists():
        return None
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    fits = isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey)
    return key if fits and isinstance(key, _KEY_CLASSES[key_type]) else None


def _fresh(key_type: KeyType) -> PrivateKey:
    if key_type is KeyType.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)


def announce(directory: Path, *, host: str, port: int, instance: str, clock: VenueClock) -> Credentials:
    """Write the credentials file at once and whole."""
    credentials = Credentials(
        key_id=str(uuid4()),
        key_path=str((directory / KEY_FILE).absolute()),
        rest_url=f"http://{host}:{port}/trade-api/v2",
        ws_url=f"ws://{host}:{port}/trade-api/ws/v2",
        price_url=f"ws://{host}:{port}/coinbase",
        kraken_url=f"ws://{host}:{port}/kraken",
        instance=instance,
        pid=os.getpid(),
        clock=_origin(clock),
    )
    _write(directory, credentials)
    return credentials


def announce_clock(directory: Path, credentials: Credentials, clock: VenueClock) -> None:
    """Write the credentials file anew with another clock."""
    _write(directory, replace(credentials, clock=_origin(clock)))


def _origin(clock: VenueClock) -> ClockOrigin:
    return ClockOrigin(speed=clock.speed, host_origin=clock.host_origin, venue_origin=clock.venue_origin)


def _write(directory: Path, credentials: Credentials) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(credentials), indent=2)
    write_private(directory / CREDENTIALS_FILE, encoded)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one move, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    draft.replace(path)
