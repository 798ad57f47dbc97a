"""Verifies signed requests against the registered keys and names what is wrong; it grants nothing else."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from recio.exchange_sim.engine.orders import Refused

KEY_HEADER = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER = "KALSHI-ACCESS-SIGNATURE"
TOLERANCE_MS = 25_000
SALT_LENGTH = 32

NO_HEADERS = Refused(code="token_authentication_failure", message="token authentication failure")
NO_SIGNATURE = Refused(code="signature_is_missing_from_headers", message="signature is missing from headers")
EXPIRED = Refused(code="header_timestamp_expired", message="header timestamp expired")
UNKNOWN_KEY = Refused(code="authentication_error", message="authentication_error", details="NOT_FOUND")
BAD_SIGNATURE = Refused(
    code="authentication_error",
    message="authentication_error",
    details="INCORRECT_API_KEY_SIGNATURE",
)

_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=SALT_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyholder:
    """One member's key."""

    member: int
    public_key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Knows every key by its id."""

    keys: Mapping[str, Keyholder]
    tolerance_ms: int = TOLERANCE_MS

    def member_of(self, headers: Mapping[str, str]) -> int | None:
        """Whose key a request names, rightly or not; None for none of ours."""
        holder = self.keys.get(headers.get(KEY_HEADER, ""))
        return None if holder is None else holder.member

    def key_ids(self, member: int) -> list[str]:
        return [key_id for key_id, holder in self.keys.items() if holder.member == member]

    def refusal(self, method: str, path: str, headers: Mapping[str, str], now_ms: int) -> Refused | None:
        """Why a request is not authenticated; None when it is. `path` is without the query."""
        signature = headers.get(SIGNATURE_HEADER)
        key_id = headers.get(KEY_HEADER)
        if signature is None:
            return NO_HEADERS if key_id is None else NO_SIGNATURE
        holder = self.keys.get(key_id or "")
        if holder is None:
            return UNKNOWN_KEY
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        if not self._is_current(timestamp, now_ms):
            return EXPIRED
        signed = f"{timestamp}{method}{path}"
        return None if _verifies(holder.public_key, signature, signed) else BAD_SIGNATURE

    def _is_current(self, timestamp: str, now_ms: int) -> bool:
        # 13 digits reach the year 2286; a longer text is not worth the conversion.
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 13:
            return False
        return abs(int(timestamp) - now_ms) <= self.tolerance_ms


def _verifies(public_key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey, signature: str, text: str) -> bool:
    try:
        raw = b64decode(signature, validate=True)
        if isinstance(public_key, ed25519.Ed25519PublicKey):
            public_key.verify(raw, text.encode())
        else:
            public_key.verify(raw, text.encode(), _PSS, hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


VERIFIER = web.AppKey("verifier", Verifier)
