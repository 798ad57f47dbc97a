"""Signs requests as Kalshi wants them: time, method and path, with RSA-PSS or Ed25519; a private key never leaves it."""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from recio.errors import BadConfig
from recio.kalshi.key_files import UNCHANGED, read_private_key

PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """An API key; its private half never shows in a repr."""

    key_id: str
    key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def kind(self) -> str:
        """Type and size, for a person: they are no secret."""
        return "Ed25519" if isinstance(self.key, Ed25519PrivateKey) else f"RSA, {self.key.key_size} bits"

    def headers(self, method: str, path: str, timestamp_ms: int) -> dict[str, str]:
        """The three headers of one request. `path` has /trade-api/v2 and no query string."""
        text = f"{timestamp_ms}{method.upper()}{path}".encode()
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": str(timestamp_ms),
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(self._sign(text)).decode(),
        }

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(text)
        return self.key.sign(text, PSS, hashes.SHA256())


@dataclass(slots=True)
class KeyProof:
    """Whether the venue has taken a signature of our key since this process began: after that a refusal is one of its faults."""

    accepted: bool = False


FRESH_MS = 4_000
"""How old a prepared signature may be when it is used: the venue is known to take five seconds."""
AHEAD_MS = 1_000
"""How far its stamp may lie ahead: stamps are made distinct, so those of one instant run on a little."""
READY_AT_MOST = 2
"""An entry and an exit may go out at once."""


@dataclass(slots=True)
class PreparedSignatures:
    """Signatures made ahead, while nothing waits for them; each is given out once and only while fresh.

    A signature covers the time, the method and the path, not the body: one made early fits any order.
    """

    _ready: deque[tuple[str, str, int, dict[str, str]]] = field(
        default_factory=deque[tuple[str, str, int, dict[str, str]]]
    )

    @property
    def is_full(self) -> bool:
        """Whether one more would only take the place of the oldest."""
        return len(self._ready) >= READY_AT_MOST

    def prepare(self, signer: Signer, method: str, path: str, stamp_ms: int) -> None:
        """Sign once ahead; the oldest makes room."""
        self._ready.append((method, path, stamp_ms, signer.headers(method, path, stamp_ms)))
        while len(self._ready) > READY_AT_MOST:
            self._ready.popleft()

    def take(self, method: str, path: str, now_ms: int) -> dict[str, str] | None:
        """The headers of a prepared signature for this request, never again; None if none is fresh."""
        while self._ready:
            made_for, where, stamp_ms, headers = self._ready.pop()
            if (made_for, where) == (method, path) and -AHEAD_MS <= now_ms - stamp_ms <= FRESH_MS:
                return headers
        return None


def load_signer(key_id: str, key_path: Path) -> Signer:
    """Read a private key in PEM form (RSA in PKCS#1 or PKCS#8, or Ed25519) and prove that it signs. Raises BadConfig."""
    signer = Signer(key_id=key_id, key=read_private_key(key_path))
    try:
        signer.headers("GET", "/", 0)
    except ValueError:
        raise BadConfig(f"kalshi.key_path = {str(key_path)!r} cannot sign a request; {UNCHANGED}") from None
    return signer
