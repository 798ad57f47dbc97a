"""One signed HTTP request to Kalshi, sent once; reads that fail are Transient, refusals are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from recio.clock import Clock
from recio.errors import BadConfig, Transient
from recio.kalshi.signing import Signer

T = TypeVar("T")
PAGES_AT_MOST = 1_000
BUSY = 429
SERVER_FAULTS = 500


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
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """One attempt: no redirect, no retry. Raises what aiohttp raises."""
        url = self.base_url + path
        headers = {"Accept": "application/json"}
        if self.signer is not None:
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

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """The body of a read. Raises Transient for what passes, VenueRefused for what the venue refuses."""
        try:
            answer = await self.send("GET", path, params=params)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"GET {path}: {type(error).__name__}: {error}") from error
        if answer.status == 200:
            return answer.body
        raise self._fault(path, answer)

    def _fault(self, path: str, answer: Answer) -> Exception:
        code, text = error_words(answer.body)
        if answer.status == BUSY or answer.status >= SERVER_FAULTS or code == "header_timestamp_expired":
            return Transient(f"GET {path}: {answer.status} {code} {text}".strip())
        if answer.status == 401:
            host = urlsplit(self.base_url).hostname
            return BadConfig(
                f"{host} refuses the API key {self.signer.key_id if self.signer else '(none)'}:"
                f" {code} {text}; does kalshi.key_id belong to kalshi.key_path and to this environment?"
            )
        return VenueRefused(answer.status, code, text)

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


def decoded(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Transient(f"{what}: {error}") from error


class _Fault(msgspec.Struct):
    code: str = ""
    message: str = ""
    details: str = ""
    msg: str = ""


class _Nested(msgspec.Struct):
    error: _Fault | str


def error_words(body: bytes) -> tuple[str, str]:
    """(code, text) of any of the venue's four error shapes; plain text becomes the text."""
    for kind in (_Nested, _Fault):
        try:
            found = msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        fault = found.error if isinstance(found, _Nested) else found
        if isinstance(fault, str):
            return fault.replace(" ", "_"), fault
        return fault.code, "; ".join(filter(None, (fault.message, fault.details, fault.msg)))
    return "", body[:200].decode("utf-8", "replace").strip()
