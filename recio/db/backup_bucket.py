"""Copies whole, encrypted backups into an S3 bucket and fetches them; it makes no backup, and never sends one that can be read.

A copy counts once its facts are there, which go last. Keys, region and endpoint come from where S3's own tools have them
(AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3, ~/.aws): recio keeps none of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from recio.db.backups import FACTS, MANIFEST, STAMP, SUMS, Backup, Kind, check_sums, read_backup
from recio.db.encryption import SUFFIX
from recio.errors import BadConfig, ExitCode, Fatal, of_the_machine

SCHEME = "s3://"
CONNECT_LIMIT, READ_LIMIT, TRIES = 10, 60, 3
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\w.=/-]*))?")
_WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "401"}
_NO_RIGHT = {"AccessDenied", "403"}
_NO_BUCKET = {"NoSuchBucket", "404"}


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    prefix: str
    """Empty, or with a slash at its end."""
    client: Any
    """boto3's, which has no types of its own."""

    @property
    def shown(self) -> str:
        return f"{SCHEME}{self.name}/{self.prefix}"


def bucket_at(address: str) -> Bucket:
    """Raises BadConfig for what is no address, and where boto3 is not installed."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise BadConfig(f"{address!r} is no place of backups: write s3://BUCKET/FOLDER")
    try:  # an extra: who has no bucket needs none of it
        boto3: Any = import_module("boto3")
        config: Any = import_module("botocore.config")
    except ImportError as error:
        raise BadConfig(f"{address}: the library for S3 is not installed: pip install 'recio[s3]'") from error
    limits = config.Config(
        connect_timeout=CONNECT_LIMIT, read_timeout=READ_LIMIT, retries={"total_max_attempts": TRIES}
    )
    client = _client(boto3, address, limits)
    prefix = (found[2] or "").strip("/")
    return Bucket(found[1], f"{prefix}/" if prefix else "", client)


def _client(boto3: Any, address: str, limits: Any) -> Any:
    """It asks nobody yet, so what is wrong is in the settings, which may hold a secret and are not repeated. Raises BadConfig."""
    exceptions: Any = import_module("botocore.exceptions")
    with told_by(address):
        try:
            return boto3.session.Session().client("s3", config=limits)
        except exceptions.PartialCredentialsError:
            raise
        except (exceptions.BotoCoreError, ValueError) as error:
            raise BadConfig(
                f"{address}: S3's own settings are wrong ({type(error).__name__}): check AWS_ENDPOINT_URL_S3, which is"
                " https://HOST, AWS_DEFAULT_REGION, AWS_PROFILE and the files in ~/.aws"
            ) from None


@contextmanager
def told_by(where: str) -> Generator[None]:
    """Raises BadConfig for a wrong key or bucket, Fatal with 75 for what may pass; no word of a key is in either."""
    exceptions: Any = import_module("botocore.exceptions")
    of_transfers: Any = import_module("boto3.exceptions")
    try:
        yield
    except exceptions.ClientError as error:
        raise _of_code(where, str(error.response.get("Error", {}).get("Code", ""))) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise BadConfig(
            f"{where}: no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials"
        ) from error
    except of_transfers.Boto3Error as error:
        code = re.search(r"\((\w+)\) when calling", str(error))
        raise (_of_code(where, code[1]) if code else _away(where, error)) from error
    except exceptions.BotoCoreError as error:
        raise _away(where, error) from error


def _away(where: str, error: Exception) -> Fatal:
    """Also for what began to come and did not come whole."""
    return Fatal(
        f"{where} does not answer ({type(error).__name__}): check AWS_ENDPOINT_URL_S3 and the network, then try again",
        ExitCode.TEMPORARY,
    )


def _of_code(where: str, code: str) -> Fatal:
    if code in _WRONG_KEY:
        return BadConfig(f"{where}: the server knows no such key, or its secret is another ({code})")
    if code in _NO_RIGHT:
        return BadConfig(
            f"{where}: this key may not do it ({code}): it needs to list, read, write and delete there"
        )
    if code in _NO_BUCKET:
        return BadConfig(f"{where}: there is no such bucket ({code}): make it, or check its name and region")
    return Fatal(f"{where}: the server refused ({code or 'no code'}): try again", ExitCode.TEMPORARY)


def put(bucket: Bucket, backup: Backup) -> str:
    """Where it is. Each file with its SHA-256, which the server compares. Raises BadConfig and Fatal."""
    if not backup.recipients:
        raise BadConfig(
            f"{backup.folder} is not encrypted and stays here: a copy in a bucket needs --encrypt-for"
        )
    if readable := sorted(each.name for each in backup.folder.iterdir() if not _may_leave(each.name)):
        raise BadConfig(
            f"{backup.folder / readable[0]} can be read, and nothing was sent: remove it, recio did not make it"
        )
    check_sums(backup)
    place = f"{bucket.prefix}base/{backup.folder.name}/"
    files = sorted(backup.folder.iterdir(), key=lambda each: (each.name == FACTS, each.name))
    try:
        for each in files:
            sent(bucket, each, place + each.name)
    except Fatal:
        # What broke off is no copy: in a bucket that is full it would keep the next one out.
        with suppress(Fatal):
            _remove(bucket, backup.folder.name, keys_below(bucket, f"base/{backup.folder.name}/"))
        raise
    return f"{SCHEME}{bucket.name}/{place}"


def _remove(bucket: Bucket, name: str, files: Sequence[str]) -> None:
    """The facts first: half a copy is none."""
    with told_by(bucket.shown):
        for each in sorted(files, key=lambda file: file != FACTS):
            bucket.client.delete_object(Bucket=bucket.name, Key=f"{bucket.prefix}base/{name}/{each}")


def sent(bucket: Bucket, file: Path, key: str) -> None:
    """One file, with the sum that the server compares."""
    with told_by(bucket.shown):
        bucket.client.upload_file(str(file), bucket.name, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
        size = bucket.client.head_object(Bucket=bucket.name, Key=key)["ContentLength"]
    if size != file.stat().st_size:
        raise Fatal(f"{bucket.shown}: {file.name} arrived with {size} bytes: try again", ExitCode.TEMPORARY)


def _may_leave(name: str) -> bool:
    """Of an encrypted backup: what is encrypted, and what has no row of the database."""
    return name.endswith(SUFFIX) or name in (MANIFEST, SUMS, FACTS)


def copies_in(bucket: Bucket) -> list[str]:
    """Names of the whole ones, oldest first."""
    return _whole(_files(bucket))


def _whole(files: Mapping[str, Sequence[str]]) -> list[str]:
    """What recio did not name is none of them: it would stand for the newest, and in the place of one that is kept."""
    return sorted(name for name in files if FACTS in files[name] and _began(name) is not None)


def _files(bucket: Bucket) -> dict[str, list[str]]:
    """By backup, whole or not, its files."""
    found: dict[str, list[str]] = {}
    for each in keys_below(bucket, "base/"):
        name, _, file = each.partition("/")
        found.setdefault(name, []).append(file)
    return found


def keys_below(bucket: Bucket, place: str) -> list[str]:
    """What lies there, named from there on."""
    begin = f"{bucket.prefix}{place}"
    with told_by(bucket.shown):
        pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=begin)
        return [str(each["Key"])[len(begin) :] for page in pages for each in page.get("Contents", ())]


def newest_copy(bucket: Bucket, at: datetime | None = None) -> str | None:
    """The name of the newest that reaches `at`: a base backup that had ended by then. Raises BadConfig and Fatal."""
    names = copies_in(bucket)
    if at is None:
        return names[-1] if names else None
    for name in reversed(names):
        with told_by(bucket.shown):
            answer = bucket.client.get_object(Bucket=bucket.name, Key=f"{bucket.prefix}base/{name}/{FACTS}")
            body = answer["Body"].read()
        try:
            facts = json.loads(body)
            if facts["kind"] == Kind.BASE and datetime.fromisoformat(facts["finished_at"]) <= at:
                return name
        except (ValueError, KeyError, TypeError) as error:
            raise Fatal(f"{bucket.shown}base/{name}/{FACTS} cannot be read", ExitCode.DATA) from error
    return None


def fetch(bucket: Bucket, name: str, into: Path) -> Backup:
    """The copy as a backup below `into`, as it was summed when it was made. Raises BadConfig and Fatal."""
    folder = into / "base" / name
    files = _files(bucket).get(name, [])
    if any("/" in each or each in ("", "..") for each in files) or not {FACTS, SUMS} <= {*files}:
        raise Fatal(f"{bucket.shown}base/{name} is no whole backup of recio", ExitCode.DATA)
    try:
        folder.mkdir(mode=0o700, parents=True)
        with told_by(bucket.shown):
            for each in files:
                key = f"{bucket.prefix}base/{name}/{each}"
                bucket.client.download_file(bucket.name, key, str(folder / each))
    except OSError as error:
        raise of_the_machine(f"{bucket.shown} cannot be fetched: {error.strerror}", error) from error
    found = read_backup(folder)
    check_sums(found)
    return found


def expire_copies(bucket: Bucket, now: datetime, *, keep: int, days: int) -> list[str]:
    """Removes copies older than `days` but the newest `keep`, and what broke off before then; returns what went."""
    files, before = _files(bucket), now - timedelta(days=days)
    whole = _whole(files)
    kept = set(whole[max(len(whole) - keep, 0) :])
    old = [
        name for name in files if name not in kept and (began := _began(name)) is not None and began < before
    ]
    for name in old:
        _remove(bucket, name, files[name])
    return old


def _began(name: str) -> datetime | None:
    """By its name; None for what recio did not name, which is never old."""
    try:
        return datetime.strptime(name, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
