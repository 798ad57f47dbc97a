"""One signed HTTP request to Kalshi, sent once; reads that fail are Transient, refusals are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from recio.clock import Clock
from recio.errors import BadConfig, Transient
from recio.kalshi.signing import Signer

T = TypeVar("T")
PAGES_AT_MOST = 1_000
PASSING = frozenset({408, 429})
SERVER_FAULTS = 500
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that a body can raise while it is decoded: JSON nested too deep is a RecursionError."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its zone; one that does not is refused and never taken for UTC."""


class VenueRefused(Exception):
    """The venue understood a read and said no."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}".strip())
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KalshiRest:
    """Where the REST interface is and who asks."""

    session: aiohttp.ClientSession
    base_url: str
    signer: Signer | None
    clock: Clock
    timeout_seconds: float

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        signed: bool = True,
    ) -> Answer:
        """One attempt: no redirect, no retry. Raises what aiohttp raises."""
        url = self.base_url + path
        headers = {"Accept": "application/json"}
        if signed and self.signer is not None:
            stamp = int(self.clock.unix() * 1000)
            headers |= self.signer.headers(method, urlsplit(url).path, stamp)
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        async with self.session.request(
            method,
            url,
            params=params,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=self.timeout_seconds),
        ) as response:
            return Answer(response.status, await response.read())

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        signed: bool = True,
        answers: Collection[int] = (200,),
    ) -> bytes:
        """The body of a read. Raises Transient for what passes, VenueRefused for what the venue refuses."""
        try:
            answer = await self.send("GET", path, params=params, signed=signed)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"GET {path}: {type(error).__name__}: {error}") from error
        if answer.status in answers:
            return answer.body
        raise fault(f"GET {path}", self.base_url, self.signer, answer)

    async def read(self, path: str, kind: type[T], params: Mapping[str, str] | None = None) -> T:
        """A read decoded strictly. Raises Transient naming the field when the body is not of that kind."""
        return decoded(await self.get(path, params), kind, path)

    async def pages(self, path: str, kind: type[T], params: Mapping[str, str]) -> list[T]:
        """Every page of a list; `kind` has a field `cursor`. A cursor that repeats is Transient."""
        pages: list[T] = []
        cursor, seen = "", set[str]()
        for _ in range(PAGES_AT_MOST):
            page = await self.read(path, kind, {**params, **({"cursor": cursor} if cursor else {})})
            pages.append(page)
            cursor = getattr(page, "cursor", "") or ""
            if not cursor:
                return pages
            if cursor in seen:
                raise Transient(f"GET {path}: the venue repeats page {cursor!r}")
            seen.add(cursor)
        raise Transient(f"GET {path}: more than {PAGES_AT_MOST} pages")


def fault(what: str, url: str, signer: Signer | None, answer: Answer) -> Exception:
    """The exception for an answer that is none. Only words of the venue's own make a refusal."""
    words = error_words(answer.body)
    code, text = words or ("", answer.body[:200].decode("utf-8", "replace").strip())
    passing = answer.status in PASSING or answer.status >= SERVER_FAULTS
    if passing or code == "header_timestamp_expired":
        return Transient(f"{what}: {answer.status} {code} {text}".strip())
    if answer.status == 401:
        key = signer.key_id if signer else "(none)"
        return BadConfig(
            f"{urlsplit(url).hostname} refuses the API key {key}: {code} {text};"
            " does kalshi.key_id belong to kalshi.key_path and to this environment?"
        )
    if words is None:
        # A page of a proxy or a balancer in between: not Kalshi's word, and it will pass.
        return Transient(f"{what}: {answer.status} without an error of the venue's: {text}".strip(": "))
    return VenueRefused(answer.status, code, text)


def decoded(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise Transient(f"{what}: {error}") from error


class _Fault(msgspec.Struct):
    code: str = ""
    message: str = ""
    details: str = ""
    msg: str = ""


class _Nested(msgspec.Struct):
    error: _Fault | str


def error_words(body: bytes) -> tuple[str, str] | None:
    """(code, text) of any of the venue's four error shapes; None if the body has none of them."""
    for kind in (_Nested, _Fault):
        try:
            found = msgspec.json.decode(body, type=kind)
        except UNREADABLE:
            continue
        said = found.error if isinstance(found, _Nested) else found
        if isinstance(said, str):
            return said.replace(" ", "_"), said
        text = "; ".join(filter(None, (said.message, said.details, said.msg)))
        return (said.code, text) if said.code or text else None
    return None
