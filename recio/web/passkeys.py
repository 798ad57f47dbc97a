"""Passkeys: what a browser is asked for and whether its answer proves who it says; it keeps no secret and begins no session.

A challenge is proven by its own seal, so that a flood of them is remembered nowhere and drives nobody else's out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from recio.db.page_passkeys import Passkey
from recio.web.reach import Arrival
from recio.web.refusals import NotAsked

ANSWERED_WITHIN = 120.0
"""Host seconds for which a challenge may be answered."""
LOGIN, NEW = "log in", "new "
_NONCE, _ENDS, _SEAL = 16, 8, 32


class Unproven(Exception):
    """The answer proves nothing. Its text names no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    credential: bytes
    public_key: bytes
    sign_count: int


@dataclass(slots=True)
class Challenges:
    """Each is answered once, within its time, for what it was made for; a restart forgets them all."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _used: dict[bytes, float] = field(default_factory=dict[bytes, float])
    """Until when it has to be remembered; only what proved somebody is in here."""

    def draw(self, purpose: str) -> bytes:
        ends = int((time.monotonic() + ANSWERED_WITHIN) * 1_000).to_bytes(_ENDS, "big")
        drawn = secrets.token_bytes(_NONCE) + ends
        return drawn + self._seal(purpose, drawn)

    def check(self, purpose: str, shown: bytes) -> None:
        """Raises Unproven for one that was not drawn here for this, is too old, or was used."""
        drawn, seal = shown[:-_SEAL], shown[-_SEAL:]
        if len(shown) != _NONCE + _ENDS + _SEAL or not hmac.compare_digest(self._seal(purpose, drawn), seal):
            raise Unproven("the challenge is not one of this run for this purpose: begin anew")
        if int.from_bytes(drawn[_NONCE:], "big") < time.monotonic() * 1_000:
            raise Unproven(f"it took longer than {ANSWERED_WITHIN:.0f} s: begin anew")
        if shown in self._used:
            raise Unproven("the challenge was answered before: begin anew")

    def use(self, shown: bytes) -> None:
        now = time.monotonic()
        self._used = {each: until for each, until in self._used.items() if until > now}
        self._used[shown] = now + ANSWERED_WITHIN

    def _seal(self, purpose: str, drawn: bytes) -> bytes:
        return hmac.new(self.key, purpose.encode() + b"\0" + drawn, hashlib.sha256).digest()


def site_of(arrival: Arrival) -> str:
    """The name that a passkey is bound to. Raises NotAsked(409) where the page is asked for by a number."""
    name = urlsplit(arrival.origins[-1]).hostname or ""
    if not any(each.isalpha() for each in name) or ":" in name:
        raise NotAsked(
            409,
            f"{name}: a passkey needs a name; open the page as http://localhost or under a name of status.hosts",
        )
    return name


def asked_to_log_in(arrival: Arrival, challenge: bytes) -> dict[str, Any]:
    """As a browser takes it; the device knows which passkeys it has here."""
    options = webauthn.generate_authentication_options(
        rp_id=site_of(arrival), challenge=challenge, timeout=int(ANSWERED_WITHIN * 1_000),
        user_verification=UserVerificationRequirement.REQUIRED,
    )  # fmt: skip
    return json.loads(options_to_json(options))


def asked_to_make(arrival: Arrival, login: str, known: Sequence[Passkey], challenge: bytes) -> dict[str, Any]:
    options = webauthn.generate_registration_options(
        rp_id=site_of(arrival), rp_name="recio", user_name=login,
        user_id=hashlib.sha256(f"recio {login}".encode()).digest(), challenge=challenge,
        timeout=int(ANSWERED_WITHIN * 1_000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential) for each in known],
    )  # fmt: skip
    return json.loads(options_to_json(options))


def proves_new(
    arrival: Arrival, challenges: Challenges, login: str, credential: str, client_data: str, attestation: str
) -> Proven:
    """Raises Unproven."""
    challenge = _challenge_in(client_data)
    challenges.check(NEW + login, challenge)
    answer = {"clientDataJSON": client_data, "attestationObject": attestation}
    try:
        found = webauthn.verify_registration_response(
            credential=_credential(credential, answer), expected_challenge=challenge,
            expected_rp_id=site_of(arrival), expected_origin=list(arrival.origins), require_user_verification=True,
        )  # fmt: skip
    except NotAsked:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes make its parsers raise is a refusal
        raise Unproven(f"the passkey is refused: {type(error).__name__}") from None
    challenges.use(challenge)
    return Proven(
        credential=found.credential_id, public_key=found.credential_public_key, sign_count=found.sign_count
    )


def proves_login(
    arrival: Arrival,
    challenges: Challenges,
    passkey: Passkey,
    client_data: str,
    authenticator_data: str,
    signature: str,
) -> Proven:
    """Raises Unproven."""
    challenge = _challenge_in(client_data)
    challenges.check(LOGIN, challenge)
    answer = {"clientDataJSON": client_data, "authenticatorData": authenticator_data, "signature": signature}
    try:
        found = webauthn.verify_authentication_response(
            credential=_credential(webauthn.helpers.bytes_to_base64url(passkey.credential), answer),
            expected_challenge=challenge, expected_rp_id=site_of(arrival), expected_origin=list(arrival.origins),
            credential_public_key=passkey.public_key, credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )  # fmt: skip
    except NotAsked:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise Unproven(f"the passkey is refused: {type(error).__name__}") from None
    challenges.use(challenge)
    return Proven(
        credential=passkey.credential, public_key=passkey.public_key, sign_count=found.new_sign_count
    )


def credential_of(text: str) -> bytes:
    """Raises Unproven."""
    try:
        return base64url_to_bytes(text)
    except ValueError:
        raise Unproven("the passkey's id is not base64url") from None


def _credential(credential: str, answer: dict[str, str]) -> dict[str, Any]:
    return {"id": credential, "rawId": credential, "type": "public-key", "response": answer}


def _challenge_in(client_data: str) -> bytes:
    """What the browser says it answered; its seal and the signature are checked after. Raises Unproven."""
    try:
        return base64url_to_bytes(json.loads(base64url_to_bytes(client_data))["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unproven("client_data has no challenge") from None
