"""The stream of changes in a bucket: its files packed, encrypted and summed before they leave, fetched and checked again; it follows no server.

A file of the stream lies there as `wal/NAME.gz.age`, and the last one, which is not full yet, as `wal/NAME.partial.gz.age`.
"""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from recio.db.backup_bucket import Bucket, copies_in, keys_below, sent, told_by
from recio.db.backups import MANIFEST, SEGMENT_BYTES, segment_in, segment_number
from recio.db.encryption import SUFFIX, Identity, decrypt, encrypt
from recio.errors import ExitCode, Fatal, of_the_machine
from recio.scratch import scratch_folder

PARTIAL = ".partial"
PACKED = ".gz"
QUICKLY = 1
"""Of gzip: zeros and repetitions are most of a file, and the machine has other work."""
_NAME = re.compile(r"[0-9A-F]{24}(\.partial)?")
_HEAD = struct.Struct("<HHIQ")
"""How each file begins, in the writing of the machines that PostgreSQL runs on here: magic, flags, timeline, place."""


def is_file(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def key_of(bucket: Bucket, name: str) -> str:
    return f"{bucket.prefix}wal/{name}{PACKED}{SUFFIX}"


def files_in(bucket: Bucket) -> list[str]:
    """Names of the files of the stream that are there, oldest first; a full one comes before what it was while it was not."""
    end = PACKED + SUFFIX
    found = (each.removesuffix(end) for each in keys_below(bucket, "wal/") if each.endswith(end))
    return sorted(each for each in found if is_file(each))


def send(bucket: Bucket, file: Path, recipients: Sequence[str]) -> None:
    """One file of the stream, as far as it is written. Raises BadConfig and Fatal."""
    try:
        with scratch_folder(".sending-", file.parent) as scratch:
            packed = scratch / (file.name + PACKED)
            with file.open("rb") as source, gzip.open(packed, "wb", compresslevel=QUICKLY) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            encrypt(packed, scratch, recipients)
            sent(bucket, scratch / (packed.name + SUFFIX), key_of(bucket, file.name))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise of_the_machine(f"{file} cannot be sent: {error.strerror}", error) from error


def remove(bucket: Bucket, name: str) -> None:
    with told_by(bucket.shown):
        bucket.client.delete_object(Bucket=bucket.name, Key=key_of(bucket, name))


def fetch_stream(bucket: Bucket, first: str, into: Path, key: Identity | None) -> int:
    """The stream from a file on, readable, as a folder of the stream has it; how many files. Raises BadConfig and Fatal."""
    names = files_in(bucket)
    full = {each for each in names if not each.endswith(PARTIAL)}
    wanted = [
        each
        for each in names
        if each[8:24] >= first[8:] and not (each.endswith(PARTIAL) and each.removesuffix(PARTIAL) in full)
    ]
    if not wanted:
        return 0
    if key is None:
        raise Fatal(f"{bucket.shown}wal/ is encrypted: name its key with --key FILE", ExitCode.CONFIG)
    try:
        into.mkdir(mode=0o700, parents=True)
        with scratch_folder("recio-fetched-") as scratch:
            for name in wanted:
                _fetch(bucket, name, scratch, into, key)
    except OSError as error:
        raise of_the_machine(f"{bucket.shown} cannot be fetched: {error.strerror}", error) from error
    return len(wanted)


def _fetch(bucket: Bucket, name: str, scratch: Path, into: Path, key: Identity) -> None:
    closed, packed = scratch / f"{name}{PACKED}{SUFFIX}", scratch / f"{name}{PACKED}"
    shown = f"{bucket.shown}wal/{name}"
    with told_by(bucket.shown):
        bucket.client.download_file(bucket.name, key_of(bucket, name), str(closed))
    decrypt(closed, key, packed)
    try:
        with gzip.open(packed, "rb") as source, (into / name).open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Fatal(f"{shown} is damaged: it cannot be unpacked", ExitCode.DATA) from error
    closed.unlink()
    packed.unlink()
    _refuse_other(into / name, shown)


def _refuse_other(file: Path, shown: str) -> None:
    """A file under another's name would end recovery there without a word."""
    with file.open("rb") as source:
        head = source.read(_HEAD.size)
    size = file.stat().st_size
    if size != SEGMENT_BYTES or len(head) != _HEAD.size:
        raise Fatal(f"{shown} is damaged: it has {size:,} bytes, not {SEGMENT_BYTES:,}", ExitCode.DATA)
    _, _, timeline, place = _HEAD.unpack(head)
    if not any(head):  # begun and nothing written yet
        return
    if place != segment_number(file.name) * SEGMENT_BYTES or timeline > int(file.name[:8], 16):
        raise Fatal(f"{shown} is another file of the stream under that name", ExitCode.DATA)


def expire_stream(bucket: Bucket) -> list[str]:
    """Removes what no base backup that is there needs; nothing while there is none. Returns what went."""
    first = oldest_needed(bucket)
    old = [] if first is None else [each for each in files_in(bucket) if each[8:24] < first[8:]]
    for each in old:
        remove(bucket, each)
    return old


def oldest_needed(bucket: Bucket) -> str | None:
    """The first file of the stream that the oldest base backup there needs."""
    for name in copies_in(bucket):
        if MANIFEST not in keys_below(bucket, f"base/{name}/"):
            continue
        with told_by(bucket.shown):
            answer = bucket.client.get_object(
                Bucket=bucket.name, Key=f"{bucket.prefix}base/{name}/{MANIFEST}"
            )
            body = answer["Body"].read()
        try:
            return segment_in(body.decode(), "Start-LSN")
        except (ValueError, LookupError, TypeError) as error:
            raise Fatal(f"{bucket.shown}base/{name}/{MANIFEST} cannot be read", ExitCode.DATA) from error
    return None
