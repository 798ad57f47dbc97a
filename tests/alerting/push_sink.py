"""A push service that runs here: it takes what is signed by whoever the device subscribed to, and is the device as well, which alone can read it."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from tests.alerting.sinks import SECRET
from tests.conftest import unused_port

KEY_PLACE, LONGEST_TOKEN = 21, 86_400


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


@dataclass(frozen=True, slots=True)
class Device:
    """A browser's subscription, with what the browser keeps for itself."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen bytes ok"

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def reads(self, body: bytes) -> bytes:
        """RFC 8291: one record that only this device can read."""
        salt, length = body[:16], body[KEY_PLACE - 1]
        theirs, sealed = body[KEY_PLACE : KEY_PLACE + length], body[KEY_PLACE + length :]
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        )
        secret = derived(shared, self.auth, b"WebPush: info\0" + self.point + theirs, 32)
        key = derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = derived(secret, salt, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert padded[-1:] == b"\2", "the last record ends with 2"
        return padded[:-1]


@dataclass(slots=True)
class PushService:
    certificate: Path
    public_key: str
    """The one that devices subscribed with."""
    port: int = field(default_factory=unused_port)
    devices: dict[str, Device] = field(default_factory=dict[str, Device])
    gone: set[str] = field(default_factory=set[str])
    got: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    """Device, and what it read."""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    refused: list[str] = field(default_factory=list[str])
    asked: int = 0
    endless: bool = False
    """Its answers have no end."""

    def endpoint(self, name: str) -> str:
        return f"https://localhost:{self.port}/{SECRET}/{name}"

    def subscribe(self, name: str) -> dict[str, str]:
        """As a browser tells it to its page."""
        device = self.devices[name] = Device()
        return {
            "endpoint": self.endpoint(name),
            "public_key": encoded(device.point),
            "auth": encoded(device.auth),
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked += 1
        if why := self._why_not(request.headers.get("Authorization", "")):
            self.refused.append(why)
            return web.Response(status=403, text=why)
        if name in self.gone or name not in self.devices:
            return web.Response(status=410)
        self.headers.append(dict(request.headers))
        self.got.append((name, json.loads(self.devices[name].reads(await request.read()))))
        return await self._without_end(request) if self.endless else web.Response(status=201)

    async def _without_end(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        with suppress(ConnectionError):
            # A write after the client has gone is dropped in silence, under TLS for a minute.
            while request.transport is not None and not request.transport.is_closing():
                await response.write(b"more " * 10_000)
                await anyio.lowlevel.checkpoint()
        return response

    def _why_not(self, authorization: str) -> str:
        """RFC 8292."""
        told = dict(part.strip().split("=", 1) for part in authorization.removeprefix("vapid ").split(","))
        signed, _, signature = told["t"].rpartition(".")
        claims: dict[str, Any] = json.loads(decoded(signed.split(".")[1]))
        if told["k"] != self.public_key:
            return "signed by another key than the device subscribed with"
        if claims["aud"] != f"https://localhost:{self.port}":
            return f"made for {claims['aud']}"
        if not 0 < claims["exp"] - time.time() < LONGEST_TOKEN or not claims["sub"].startswith("mailto:"):
            return "too old, too long, or from nobody"
        raw, key = (
            decoded(signature),
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(told["k"])),
        )
        numbers = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        try:
            key.verify(numbers, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return "not signed"
        return ""


@asynccontextmanager
async def a_push_service(folder: Path, public_key: str) -> AsyncIterator[PushService]:
    """Under TLS, by a certificate that requests trusts where REQUESTS_CA_BUNDLE names it."""
    certificate, key = a_certificate(folder)
    service = PushService(certificate, public_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_post(f"/{SECRET}/{{name}}", service.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", service.port, ssl_context=context).start()
    try:
        yield service
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


def a_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "push-certificate.pem", folder / "push-certificate-key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].touch(0o600)
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths
