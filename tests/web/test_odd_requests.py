"""Requests that no browser sends are refused with a word: none is a bug in the log, and none gets more than it asked for."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from tests.tasks.status_server import TOKEN, served

BODY = {"ready": True, "reasons": []}
NO_TEXT = b"\xff\xfe"


async def asked(url: str, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of the answer to one request, written as it is."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sized = b"Content-Length: %d\r\n" % len(body) if body else b""
    writer.write(head + b"\r\nHost: localhost\r\nConnection: close\r\n" + sized + b"\r\n" + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "header",
    [
        b"Cookie: __Host-recio=",
        b"Authorization: Bearer ",
        b"X-Halt-Token: ",
        b"X-CSRF-Token: ",
        b"Origin: ",
        b"X-Odd: ",
    ],
)
@pytest.mark.parametrize("of", [b"GET /api/v1/status", b"POST /api/v1/acts/flatten", b"GET /style.css"])
async def test_a_header_that_is_no_text_is_refused_and_is_no_bug(of: bytes, header: bytes):
    with capture_logs() as lines:
        async with served(BODY) as url:
            status, said = await asked(url, of + b" HTTP/1.1\r\n" + header + NO_TEXT)
    assert (status, b"no text" in said) == (400, True), said
    assert [each for each in lines if each["log_level"] == "error"] == []


@pytest.mark.parametrize("path", [b"/halt", b"/resume", b"/api/v1/acts/halt"])
async def test_a_body_of_lists_in_lists_without_end_is_not_json(path: bytes):
    async with served(BODY) as url:
        head = b"POST " + path + b" HTTP/1.1\r\nContent-Type: application/json"
        status, said = await asked(url, head, b"[" * 60_000 + b"]" * 60_000)
    assert (status, "JSON" in json.loads(said)["error"]) == (400, True), said


@pytest.mark.parametrize("path", [b"/halt", b"/api/v1/acts/halt"])
@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
async def test_a_body_that_is_not_packed_as_it_says_is_refused(path: bytes, encoding: bytes):
    async with served(BODY) as url:
        head = (
            b"POST " + path + b" HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: " + encoding
        )
        status, said = await asked(url, head + b"\r\nX-Halt-Token: " + TOKEN.encode(), b"not packed")
    assert (status, "Content-Encoding" in json.loads(said)["error"]) == (400, True), said


async def test_what_is_pushed_has_no_answer_without_a_body():
    """It would never end, and what follows on its connection would be read as the next answer."""
    async with served(BODY) as url:
        assert await asked(url, b"HEAD /events HTTP/1.1") == (405, b"")
