"""TLS to a PostgreSQL on another machine: verify-full with an authority of one's own, and nothing that is not exactly that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from recio.db.pool import advisory_lock, open_pool
from recio.errors import Fatal
from tests.db.other_servers import Server, programs, server

pytestmark = pytest.mark.timeout(120)
IS_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        built = built.add_extension(alternative, critical=False)
    return built.sign(by, hashes.SHA256())


def authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, certificate(name, key, named(name), key, ca=True))


@pytest.fixture(scope="module")
def ours() -> Authority:
    return authority("our authority")


@pytest.fixture(scope="module")
def encrypted(ours: Authority) -> Iterator[Server]:
    key = ec.generate_private_key(ec.SECP256R1())
    of_server = certificate("db", key, ours.certificate.subject, ours.key, ca=False)
    files = {
        "server.crt": of_server.public_bytes(Encoding.PEM),
        "server.key": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    }
    with server(programs(15), ("ssl=on",), files) as started:
        yield started


def root_of(folder: Path, authority: Authority) -> Path:
    path = folder / "root.crt"
    path.write_bytes(authority.pem)
    return path


async def test_a_server_of_our_own_authority_and_name_is_trusted_for_rows_and_for_the_lock(
    encrypted: Server, ours: Authority, tmp_path: Path
):
    dsn = encrypted.dsn(more=f"sslmode=verify-full&sslrootcert={root_of(tmp_path, ours)}")
    async with advisory_lock(dsn, 1) as lock, open_pool(dsn, application_name="t") as pool:
        assert lock.is_proven()
        assert await pool.fetchval(IS_ENCRYPTED)


async def test_a_server_of_another_authority_is_refused_with_a_sentence_without_the_password(
    encrypted: Server, tmp_path: Path
):
    stranger = root_of(tmp_path, authority("another"))
    with pytest.raises(Fatal, match=r"cannot be trusted.*sslrootcert") as refused:
        async with open_pool(
            encrypted.dsn(more=f"sslmode=verify-full&sslrootcert={stranger}"), application_name="t"
        ):
            pass
    assert "secret" not in str(refused.value)


async def test_a_server_under_another_name_is_refused_by_verify_full(
    encrypted: Server, ours: Authority, tmp_path: Path
):
    dsn = encrypted.dsn(more=f"sslmode=verify-full&sslrootcert={root_of(tmp_path, ours)}")
    with pytest.raises(Fatal, match="cannot be trusted"):
        async with open_pool(dsn.replace("127.0.0.1", "localhost"), application_name="t"):
            pass


async def test_an_authority_whose_file_is_not_there_is_refused_by_name(encrypted: Server):
    with pytest.raises(Fatal, match="sslrootcert"):
        async with open_pool(
            encrypted.dsn(more="sslmode=verify-full&sslrootcert=/nowhere/root.crt"), application_name="t"
        ):
            pass


async def test_a_server_without_tls_is_refused_where_it_is_asked_for(ours: Authority, tmp_path: Path):
    with server(programs(15)) as plain:
        dsn = plain.dsn(more=f"sslmode=verify-full&sslrootcert={root_of(tmp_path, ours)}")
        with pytest.raises(Fatal, match=r"rejected SSL|TLS"):
            async with open_pool(dsn, application_name="t"):
                pass
