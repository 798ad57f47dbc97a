"""Signing: what Kalshi verifies verifies, every key form loads, and no key ever shows."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recio.errors import BadConfig
from recio.kalshi.signing import load_signer

RSA = rsa.generate_private_key(65537, 2048)
ED = Ed25519PrivateKey.generate()


def stored(tmp_path: Path, pem: bytes) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_an_rsa_signature_verifies_with_a_salt_of_the_digests_length(tmp_path: Path, form: PrivateFormat):
    path = stored(tmp_path, RSA.private_bytes(Encoding.PEM, form, NoEncryption()))
    headers = load_signer("key-1", path).headers(
        "post", "/trade-api/v2/portfolio/events/orders", 1700000000123
    )
    assert headers["KALSHI-ACCESS-KEY"] == "key-1"
    RSA.public_key().verify(
        base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"]),
        b"1700000000123POST/trade-api/v2/portfolio/events/orders",
        padding.PSS(padding.MGF1(hashes.SHA256()), 32),
        hashes.SHA256(),
    )


def test_an_ed25519_signature_verifies(tmp_path: Path):
    path = stored(tmp_path, ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    headers = load_signer("key-1", path).headers("GET", "/trade-api/ws/v2", 5)
    ED.public_key().verify(base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"]), b"5GET/trade-api/ws/v2")


def test_two_requests_never_share_a_signature(tmp_path: Path):
    path = stored(tmp_path, RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signer = load_signer("key-1", path)
    assert signer.headers("GET", "/x", 1) != signer.headers("GET", "/x", 2)


@pytest.mark.parametrize(
    "pem",
    [
        b"not a key SECRETSTUFF",
        b"-----BEGIN PRIVATE KEY-----\nSECRETSTUFF\n-----END PRIVATE KEY-----\n",
        RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ],
)
def test_a_file_that_is_no_usable_key_is_named_and_not_quoted(tmp_path: Path, pem: bytes):
    with pytest.raises(BadConfig, match=r"kalshi\.key_path.*key\.pem") as caught:
        load_signer("key-1", stored(tmp_path, pem))
    assert "SECRETSTUFF" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_private_key_never_shows_in_a_repr(tmp_path: Path):
    path = stored(tmp_path, RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert repr(load_signer("key-1", path)) == "Signer(key_id='key-1')"
