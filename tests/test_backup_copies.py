"""Copies of backups in a bucket: whole or not there, encrypted, summed, and what goes wrong is named; against a server of S3 that runs here."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import pytest

from recio.commands import backups as command
from recio.commands.installation import Installation
from recio.db import backup_bucket
from recio.db.backup_bucket import Bucket, bucket_at, copies_in, expire_copies, fetch, put
from recio.db.backups import DUMP, FACTS, SUMS, Backup, Kind, take
from recio.db.encryption import new_key, read_key
from recio.db.restores import proven, restored
from recio.errors import BadConfig, ExitCode, Fatal
from tests.conftest import unused_port
from tests.test_backups import folder, kinds_in, live

__all__ = ["folder"]
boto3: Any = pytest.importorskip("boto3", reason="boto3 is not installed: make install")
pytest.importorskip("moto", reason="moto is not installed: make install")
pytestmark = pytest.mark.timeout(120)

ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
FREE = 4
"""Requests that the server takes from anybody: those that make the user, his rights, his key and the bucket."""


@pytest.fixture(scope="module")
def server() -> Generator[dict[str, str]]:
    """The environment in which S3's tools reach it, with the key of a user."""
    port = unused_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(FREE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_open(running, port)
        yield _prepared(f"http://127.0.0.1:{port}")
    finally:
        running.terminate()
        running.wait(10)


def _until_open(running: subprocess.Popen[bytes], port: int) -> None:
    while True:
        assert running.poll() is None, "the server of S3 ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            continue
        return


def _prepared(endpoint: str) -> dict[str, str]:
    first = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "first",
        "aws_secret_access_key": "first",
    }
    iam = boto3.client("iam", **first)
    iam.create_user(UserName="keeper")
    iam.put_user_policy(UserName="keeper", PolicyName="all", PolicyDocument=ALL)
    key = iam.create_access_key(UserName="keeper")["AccessKey"]
    boto3.client("s3", **first).create_bucket(Bucket="backups")
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }


@pytest.fixture(autouse=True)
def environment(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def made(folder: Path) -> Backup:
    """One that is encrypted."""
    async with live(folder) as (client, _):
        return await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC), [new_key(folder / "key")])


def test_what_goes_wrong_is_named_without_a_word_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BadConfig, match="no such bucket"):
        copies_in(bucket_at("s3://nobodys/place"))
    for address in ("s3://", "s3://UPPER/x", "https://backups"):
        with pytest.raises(BadConfig, match="s3://BUCKET/FOLDER"):
            bucket_at(address)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr(backup_bucket, "TRIES", 1)
    with pytest.raises(Fatal, match="does not answer") as away:
        copies_in(bucket_at("s3://backups"))
    assert away.value.exit_code is ExitCode.TEMPORARY
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(BadConfig, match="no key: set AWS_ACCESS_KEY_ID"):
        copies_in(bucket_at("s3://backups"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL_S3", "someone:SECRET@minio.example:9000"),
        ("AWS_PROFILE", "SECRET"),
        ("AWS_DEFAULT_REGION", "SECRET region!"),
        ("AWS_CONFIG_FILE", __file__),
    ],
)
def test_settings_that_lead_to_no_server_are_told_as_such_and_not_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadConfig, match=r"settings are wrong \(\w+\): check AWS_ENDPOINT_URL_S3") as told:
        bucket_at("s3://backups")
    assert "SECRET" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ACCESS_KEY_ID", "AKIAWRONG"), ("AWS_SECRET_ACCESS_KEY", "WRONGSECRET")]
)
def test_a_wrong_key_is_told_from_a_wrong_bucket(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadConfig, match="knows no such key") as refused:
        copies_in(bucket_at("s3://backups"))
    assert value not in str(refused.value)


async def test_a_copy_is_fetched_restored_and_proven_and_a_changed_or_broken_off_one_is_none(
    folder: Path, made: Backup
):
    bucket = bucket_at("s3://backups/round-trip")
    assert put(bucket, made) == f"s3://backups/round-trip/base/{made.folder.name}/"
    assert copies_in(bucket) == [made.folder.name]
    again = fetch(bucket, made.folder.name, folder / "fetched")
    key = read_key(folder / "key", folder / "fetched")
    async with restored(again, None, folder / "again", key=key) as (_, dsn):
        await proven(dsn)
        assert await kinds_in(dsn) == ["one", "two", "three"]
    where = f"round-trip/base/{made.folder.name}/"
    bucket.client.put_object(Bucket="backups", Key=f"{where}recio.dump.age", Body=b"other")
    with pytest.raises(Fatal, match="has changed"):
        fetch(bucket, made.folder.name, folder / "changed")
    for gone in (SUMS, FACTS):
        bucket.client.delete_object(Bucket="backups", Key=where + gone)
        with pytest.raises(Fatal, match="no whole backup"):
            fetch(bucket, made.folder.name, folder / f"without {gone}")
    assert copies_in(bucket) == []


async def test_what_can_be_read_never_leaves(folder: Path, made: Backup):
    async with live(folder) as (client, _):
        plain = await take(client, folder / "plain", Kind.DUMP, datetime.now(UTC))
    bucket = bucket_at("s3://backups/plain")
    with pytest.raises(BadConfig, match="not encrypted and stays here"):
        put(bucket, plain)
    (made.folder / "opened-by-hand.dump").write_bytes((plain.folder / DUMP).read_bytes())
    with pytest.raises(BadConfig, match=r"opened-by-hand\.dump can be read, and nothing was sent"):
        put(bucket, made)
    assert "Contents" not in bucket.client.list_objects_v2(Bucket="backups", Prefix="plain")


def _kept(bucket: Bucket, name: str, *files: str) -> None:
    for each in files:
        bucket.client.put_object(Bucket=bucket.name, Key=f"{bucket.prefix}base/{name}/{each}", Body=b"x")


def test_old_copies_go_but_the_newest_and_what_recio_did_not_name_stay():
    bucket, now = bucket_at("s3://backups/old"), datetime(2026, 11, 29, tzinfo=UTC)
    for name in ("20260901T000000Z", "20261001T000000Z", "20261002T000000Z", "20261128T000000Z"):
        _kept(bucket, name, SUMS, FACTS)
    _kept(bucket, "20260915T000000Z", SUMS)
    _kept(bucket, "somebodys", FACTS)
    gone = expire_copies(bucket, now, keep=3, days=30)
    assert sorted(gone) == ["20260901T000000Z", "20260915T000000Z"]
    assert copies_in(bucket) == ["20261001T000000Z", "20261002T000000Z", "20261128T000000Z"]
    assert expire_copies(bucket, now + timedelta(days=900), keep=3, days=30) == []
    listed = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix="old/base/somebodys/")
    assert listed["KeyCount"] == 1


async def test_a_copy_that_fails_has_a_row_that_says_why_and_the_backup_stays_and_old_ones_go(folder: Path):
    public = new_key(folder / "key")
    async with live(folder) as (client, pool):
        place = Installation(data_dir=folder / "data", dsn=client.dsn)
        copied = bucket_at("s3://backups/rows")
        await command.backup(place, folder / "backups", Kind.DUMP, 7, 30, [public], copied)
        await anyio.sleep(1.1)  # backups are named by the second
        (first,) = (folder / "backups" / "base").iterdir()
        old = first.with_name("20200101T000000Z")
        shutil.copytree(first, old)
        facts = json.loads((old / FACTS).read_text()) | {"finished_at": "2020-01-01T00:00:09+00:00"}
        (old / FACTS).write_text(json.dumps(facts))
        with pytest.raises(BadConfig, match="no such bucket"):
            lost = bucket_at("s3://lost-one/rows")
            await command.backup(place, folder / "backups", Kind.DUMP, 2, 30, [public], lost)
        rows = await pool.fetch("SELECT place, error FROM backups ORDER BY backup_id")
    assert [each["place"].startswith("s3://") for each in rows] == [False, True, False, True]
    assert ["no such bucket" in each["error"] for each in rows] == [False, False, False, True]
    assert len(list((folder / "backups" / "base").iterdir())) == 2
    assert (first.exists(), old.exists()) == (True, False)


def full(bucket: Bucket) -> Bucket:
    """One whose provider has no room for rows left, as it says so."""

    def refuse(params: dict[str, Any], **_: object) -> None:
        if DUMP in params["url_path"]:
            error = {"Error": {"Code": "QuotaExceeded", "Message": "quota"}}
            raise import_module("botocore.exceptions").ClientError(error, "PutObject")

    bucket.client.meta.events.register("before-call.s3.PutObject", refuse)
    return bucket


async def test_a_full_bucket_is_left_without_what_broke_off_and_without_what_is_old(folder: Path):
    """Else it would be full for ever: nothing would go before a copy has come, and each try would leave some more."""
    public = new_key(folder / "key")
    async with live(folder) as (client, pool):
        place = Installation(data_dir=folder / "data", dsn=client.dsn)
        bucket = bucket_at("s3://backups/full")
        for name in ("20200101T000000Z", "20200102T000000Z"):
            for file in (SUMS, FACTS):
                bucket.client.put_object(Bucket="backups", Key=f"full/base/{name}/{file}", Body=b"{}")
        with pytest.raises(Fatal, match="the server refused \\(QuotaExceeded\\)") as refused:
            await command.backup(place, folder / "backups", Kind.DUMP, 1, 30, [public], full(bucket))
        assert refused.value.exit_code is ExitCode.TEMPORARY
        assert "QuotaExceeded" in await pool.fetchval("SELECT error FROM backups WHERE place LIKE 's3:%'")
    left = bucket.client.list_objects_v2(Bucket="backups", Prefix="full/")["Contents"]
    assert {each["Key"].split("/")[2] for each in left} == {"20200102T000000Z"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--to", "s3://backups/x"], "--copy-to s3://... sends a copy"),
        (["--to", "/nowhere", "--copy-to", "s3://backups/x"], "name a key with --encrypt-for"),
        (["--to", "/nowhere", "--copy-to", "backups"], "s3://BUCKET/FOLDER"),
    ],
)
def test_wrong_use_is_told_before_anything_is_made(given: list[str], said: str):
    parser = argparse.ArgumentParser()
    command.add_options("backup", parser)
    options = parser.parse_args(given)
    with pytest.raises(BadConfig, match=said):
        options.command(options)


def test_a_restore_from_a_bucket_names_what_a_bucket_has_not(tmp_path: Path):
    parser = argparse.ArgumentParser()
    command.add_options("restore", parser)
    into = ["--from", "s3://backups/nothing-here", "--into", str(tmp_path / "new")]
    for more, said in (
        ([], "has no backup"),
        (["--at", "2026-11-29T12:00Z"], "has no backup from before 2026-11-29"),
    ):
        options = parser.parse_args([*into, *more])
        with pytest.raises(BadConfig, match=said):
            options.command(options)
    assert not (tmp_path / "new").exists()


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadConfig, match=r"pip install 'recio\[s3\]'"):
        bucket_at("s3://backups")
