"""Encrypts the files of a backup for those who may read it, and opens them with their key, in the format of age; it makes no backup.

What is encrypted needs a public word alone: the machine that makes backups cannot read them, nor can who takes it over.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pyrage
from pyrage import x25519  # pyright: ignore[reportMissingModuleSource] - it is compiled

from recio.errors import BadConfig, ExitCode, Fatal, of_the_machine
from recio.settings.file_access import others_with_access

Identity: TypeAlias = x25519.Identity
Recipient: TypeAlias = x25519.Recipient
SUFFIX = ".age"
_SECRET = "AGE-SECRET-KEY-1"


def checked_recipient(word: str) -> str:
    """The public word of a key, as `age-keygen` or `recio backup --new-key` prints it. Raises ValueError."""
    try:
        return str(Recipient.from_str(word))
    except pyrage.RecipientError:
        raise ValueError(f"{word!r} is no public key of age: it begins with age1") from None


def new_key(file: Path) -> str:
    """A key in a new file that its owner alone may read; returns its public word. Raises BadConfig."""
    key = Identity.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadConfig(
            f"--new-key {file}: {error.strerror}; a key that is there is never replaced"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f"# public key: {key.to_public()}\n{key}\n")
        stream.flush()
        os.fsync(descriptor)
    return str(key.to_public())


def read_key(file: Path, backups: Path) -> Identity:
    """Raises BadConfig without a word of the key, also for one that lies among the backups that it opens."""
    try:
        others = others_with_access(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"--key {file} cannot be read: {type(error).__name__}") from error
    if others:
        raise BadConfig(f"--key {file} can be read by {', '.join(others)}: chmod 600 {file}")
    if file.resolve().is_relative_to(backups.resolve()):
        raise BadConfig(
            f"--key {file} lies among the backups: who gets them gets their key: keep it elsewhere"
        )
    secrets = [line.strip() for line in lines if line.strip().startswith(_SECRET)]
    try:
        (secret,) = secrets
        return Identity.from_str(secret)
    except (ValueError, pyrage.IdentityError):
        raise BadConfig(
            f"--key {file} holds {len(secrets)} keys of age that can be read; it must hold one line {_SECRET}..."
        ) from None


def encrypt(file: Path, into: Path, recipients: Sequence[str]) -> None:
    """Into another folder, with the suffix; the readable one is gone afterwards."""
    whom = [Recipient.from_str(each) for each in recipients]
    try:
        with file.open("rb") as source, (into / (file.name + SUFFIX)).open("xb") as target:
            pyrage.encrypt_io(source, target, whom)
        file.unlink()
    except (OSError, pyrage.EncryptError) as error:
        raise _of(f"{file.name} cannot be encrypted", error) from error


def refuse_wrong_key(key: Identity | None, folder: Path, recipients: Sequence[str]) -> None:
    """Before anything is written. Raises BadConfig."""
    if not recipients:
        return
    whom = ", ".join(recipients)
    if key is None:
        raise BadConfig(
            f"the backup {folder} is encrypted for {whom}: name the file of that key with --key FILE"
        )
    if str(key.to_public()) not in recipients:
        raise BadConfig(
            f"the key is the wrong one: it opens what is encrypted for {key.to_public()}, and the backup {folder} is for {whom}"
        )


def decrypt(file: Path, key: Identity, target: Path) -> None:
    """Raises Fatal for what the key does not open, or what is not whole."""
    try:
        with file.open("rb") as source, target.open("xb") as opened:
            os.fchmod(opened.fileno(), 0o600)
            pyrage.decrypt_io(source, opened, [key])
    except (OSError, pyrage.DecryptError) as error:
        raise _of(f"{file} cannot be decrypted", error) from error


def _of(what: str, error: Exception) -> Fatal:
    """A full disk passes; anything else is a file that is not what it was."""
    if isinstance(error, OSError) and error.errno is not None:
        return of_the_machine(f"{what}: {error.strerror}", error)
    return Fatal(f"{what}: {error}", ExitCode.DATA)
