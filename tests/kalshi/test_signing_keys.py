"""Signing: what Kalshi verifies verifies, every key form loads, and no key ever shows."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from recio.errors import BadConfig
from recio.kalshi.orders import prepare
from recio.kalshi.signing import FRESH_MS, READY_AT_MOST, PreparedSignatures, Signer, load_signer
from tests.kalshi.local_venue import SIGNER, by_path, local_venue

RSA = rsa.generate_private_key(65537, 2048)
ED = Ed25519PrivateKey.generate()


def stored(tmp_path: Path, pem: bytes) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    path.chmod(0o600)
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


PEM = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SECRET = PEM.split(b"\n")[3]
"""A line of the key, which no message may repeat."""


@pytest.mark.parametrize(
    "pem",
    [
        PEM.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PEM,
        b"\n  # my key\n" + PEM + b"trailing\n",
        PEM.replace(b"\n", b" "),
    ],
    ids=["line ends of Windows", "byte order mark", "words around it", "one line"],
)
def test_a_key_file_as_people_have_it_is_taken(tmp_path: Path, pem: bytes):
    assert load_signer("key-1", stored(tmp_path, pem)).kind == "RSA, 2048 bits"


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        (b"", "is empty"),
        (b"not a key SECRETSTUFF", "is not a private key in PEM form"),
        (
            b"-----BEGIN PRIVATE KEY-----\nSECRETSTUFF\nX\n-----END PRIVATE KEY-----\n",
            "is not a whole private key",
        ),
        (
            RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")),
            "password",
        ),
        (RSA.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "OpenSSH"),
        (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "public half"),
        (PEM.decode().encode("utf-16"), "not plain text"),
        (PEM[:400], "is cut off"),
        (PEM.partition(b"\n")[2], "lacks its first line"),
        (PEM.replace(b"-----BEGIN", "—-BEGIN".encode()), "with five hyphens"),
        (PEM.replace(b"-----BEGIN", b"----- BEGIN"), "lacks its first line"),
        (PEM.replace(b"\n", b"\\n"), r"has \n written where its lines end"),
        (b"x" * 100_000, "100,000 bytes"),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "neither an RSA nor an Ed25519 key",
        ),
        (
            rsa.generate_private_key(65537, 1024).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "1024 bits",
        ),
    ],
)
def test_a_file_that_is_no_usable_key_is_named_with_what_is_wrong_and_not_quoted(
    tmp_path: Path, pem: bytes, told: str
):
    with pytest.raises(BadConfig, match=r"kalshi\.key_path.*key\.pem") as caught:
        load_signer("key-1", stored(tmp_path, pem))
    assert told in str(caught.value)
    assert "SECRETSTUFF" not in str(caught.value)
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_no_file_that_only_its_owner_reads_is_refused_and_a_pipe_is_not_waited_for(tmp_path: Path):
    path = stored(tmp_path, PEM)
    path.chmod(0o604)
    with pytest.raises(BadConfig, match="chmod 600"):
        load_signer("key-1", path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(BadConfig, match="is not a file"):
        load_signer("key-1", tmp_path / "pipe")
    with pytest.raises(BadConfig, match="Is a directory"):
        load_signer("key-1", tmp_path)
    with pytest.raises(BadConfig, match=r"kalshi\.key_path.*No such file"):
        load_signer("key-1", tmp_path / "gone.pem")


def test_the_private_key_never_shows_in_a_repr(tmp_path: Path):
    path = stored(tmp_path, RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert repr(load_signer("key-1", path)) == "Signer(key_id='key-1')"


ORDERS = ("POST", "/trade-api/v2/portfolio/events/orders")


def ready(*stamps: int) -> PreparedSignatures:
    prepared = PreparedSignatures()
    for stamp in stamps:
        prepared.prepare(SIGNER, *ORDERS, stamp)
    return prepared


def test_a_prepared_signature_is_given_out_once_and_the_newest_first():
    prepared = ready(1_000, 2_000)
    taken = [prepared.take(*ORDERS, 2_500) for _ in range(3)]
    assert [each and each["KALSHI-ACCESS-TIMESTAMP"] for each in taken] == ["2000", "1000", None]


@pytest.mark.parametrize(
    ("age", "given"), [(0, True), (FRESH_MS, True), (FRESH_MS + 1, False), (-1_001, False)]
)
def test_a_prepared_signature_is_used_only_while_it_is_fresh(age: int, given: bool):
    assert (ready(10_000).take(*ORDERS, 10_000 + age) is not None) is given


def test_one_that_was_too_old_is_never_given_out_later():
    prepared = ready(10_000)
    assert prepared.take(*ORDERS, 99_000) is None
    assert prepared.take(*ORDERS, 10_000) is None


def test_no_more_than_a_few_are_kept():
    prepared = ready(*range(1_000, 1_010))
    assert sum(prepared.take(*ORDERS, 1_010) is not None for _ in range(20)) == READY_AT_MOST


@pytest.mark.parametrize(("method", "path"), [("DELETE", ORDERS[1]), ("POST", ORDERS[1] + "/batched")])
def test_a_prepared_signature_fits_no_other_request(method: str, path: str):
    assert ready(1_000).take(method, path, 1_000) is None


@pytest.mark.parametrize("key", [RSA, ED])
async def test_an_order_goes_out_with_a_prepared_signature_and_each_one_differs(key: object):
    seen: list[tuple[str, str]] = []

    def created(request: web.Request) -> object:
        names = ("KALSHI-ACCESS-TIMESTAMP", "KALSHI-ACCESS-SIGNATURE")
        seen.append((request.headers[names[0]], request.headers[names[1]]))
        return {}

    async with local_venue(by_path(orders=created)) as venue:
        rest = replace(venue.rest(), signer=Signer(key_id="k", key=key))  # type: ignore[arg-type]
        prepare(rest)
        prepare(rest)
        for _ in range(4):
            await rest.send("POST", "/portfolio/events/orders", body={})
    assert len(set(seen)) == 4
    assert int(seen[0][0]) > int(seen[1][0])
    public = key.public_key()  # type: ignore[attr-defined]
    for stamp, signature in seen:
        text = f"{stamp}POST/trade-api/v2/portfolio/events/orders".encode()
        if key is ED:
            public.verify(base64.b64decode(signature), text)
        else:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            public.verify(base64.b64decode(signature), text, pss, hashes.SHA256())
