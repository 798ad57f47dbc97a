"""Private keys in files: read one that signs, or say what is wrong with the file; what stands in it is never repeated."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from recio.errors import BadConfig, of_the_machine
from recio.settings.file_access import gone_with_its_unit, others_with_access

LONGEST_FILE = 65_536
"""Bytes; a private key has a few thousand."""
FEWEST_BITS = 2_048
UNCHANGED = "save there the key file that Kalshi offered when the API key was made, unchanged"
BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_private_key(path: Path) -> RSAPrivateKey | Ed25519PrivateKey:
    """The key of a PEM file that only its owner can read. Raises BadConfig naming what is wrong with the file."""
    pem = _content(path)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is dropped on purpose: parsers like to quote what they could not parse.
        raise BadConfig(f"{_named(path)} {_what_is_wrong(pem)}") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise BadConfig(
            f"{_named(path)} is neither an RSA nor an Ed25519 key; Kalshi takes no other kind: make a new API key there"
        )
    if isinstance(key, RSAPrivateKey) and key.key_size < FEWEST_BITS:
        raise BadConfig(
            f"{_named(path)} is an RSA key of {key.key_size} bits; Kalshi's have {FEWEST_BITS} or more: {UNCHANGED}"
        )
    return key


def _named(path: Path) -> str:
    return f"kalshi.key_path = {str(path)!r}"


def _content(path: Path) -> bytes:
    try:
        # A pipe that nobody writes to would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            _refuse_unfit(path, os.fstat(descriptor))
            return stream.read(LONGEST_FILE)
    except OSError as error:
        fix = "give the path of the private key that belongs to kalshi.key_id, readable by this user"
        raise of_the_machine(
            f"{_named(path)}: {error.strerror}; {gone_with_its_unit(path) or fix}", error
        ) from error


def _refuse_unfit(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadConfig(f"{_named(path)} is not a file; it must be the private key in PEM form")
    if others := others_with_access(path):
        raise BadConfig(
            f"{_named(path)} is readable by others ({', '.join(others)}); run: chmod 600 '{path}'"
        )
    if status.st_size > LONGEST_FILE:
        raise BadConfig(f"{_named(path)} has {status.st_size:,} bytes, which no private key has; {UNCHANGED}")


def _what_is_wrong(pem: bytes) -> str:
    """The most likely cause, judged by what surrounds the key and never by the key."""
    if not pem.strip():
        return f"is empty; {UNCHANGED}"
    if pem.startswith(BOMS) or b"\0" in pem:
        return f"is not plain text (UTF-16, or no text at all): save it as plain text; {UNCHANGED}"
    for sign, what in (
        (b"OPENSSH PRIVATE KEY", "is a key of OpenSSH: convert a copy with ssh-keygen -p -m pkcs8 -f COPY"),
        (b"ENCRYPTED", "has a password: take it out of a copy with openssl pkey -in KEY -out COPY"),
        (b"PUBLIC KEY", f"is the public half of a key; {UNCHANGED}"),
        (b"CERTIFICATE", f"is a certificate; {UNCHANGED}"),
    ):
        if sign in pem:
            return what
    if b"PRIVATE KEY-----" not in pem:
        return f"is not a private key in PEM form; {UNCHANGED}"
    if b"\\n" in pem:
        return r"has \n written where its lines end: put real line breaks there"
    if b"-----BEGIN " not in pem:
        return f"lacks its first line, which is -----BEGIN PRIVATE KEY----- with five hyphens on each side; {UNCHANGED}"
    if b"-----END " not in pem:
        return f"is cut off: its last line is missing; {UNCHANGED}"
    return f"is not a whole private key in PEM form; {UNCHANGED}"
