"""Pointed at another host, over TLS and in real time, in mode live: nothing but the host and the key changes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(400)


@pytest.mark.long
async def test_the_daemon_trades_in_mode_live_over_tls(monkeypatch: pytest.MonkeyPatch):
    with a_world() as world:
        world.speed = 1.0
        certificate = make_certificate(world.root)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await world.start_exchange("--window-seconds", "180", "--read-lag", "0.5", align=False)
        plain = urlsplit(world.credentials["rest_url"]).port
        assert plain is not None
        async with tls_in_front(plain, certificate) as port:
            world.start_daemon(settings=lambda text: live(text, world, port))
            await until(lambda: world.events("trade open"), patience=240)
            status = world.status()
            assert (status["mode"], status["environment"]) == ("live", "demo")
            assert status["venue"]["limits"]["tier"] == "basic"
            await books_come_to_agree(world)
            assert world.stop() == 0


def live(text: str, world: World, port: int) -> str:
    """The stories' settings, for mode live on the host of the terminator."""
    told = world.credentials
    address = f"localhost:{port}"
    kalshi = f"""environment = "demo"
key_id = "{told["key_id"]}"
key_path = "{told["key_path"]}"
rest_url = "https://{address}/trade-api/v2"
ws_url = "wss://{address}/trade-api/ws/v2"
"""
    before, _, after = text.partition('environment = "sim"\n')
    rest = after.partition("\n")[2]
    prices = f"""[prices]
coinbase_url = "wss://{address}/coinbase"
kraken_url = "wss://{address}/kraken"
"""
    return (before + kalshi + rest).replace('mode = "demo"', 'mode = "live"').replace("[prices]\n", prices)


@asynccontextmanager
async def tls_in_front(plain: int, certificate: Path) -> AsyncIterator[int]:
    """A terminator before the exchange's port, as a proxy stands before the real one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", plain)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while said := await reader.read(65_536):
            writer.write(said)
            await writer.drain()
    writer.close()


def make_certificate(folder: Path) -> Path:
    """A certificate for localhost that nobody else trusts, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
