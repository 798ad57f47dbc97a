"""Addresses of other machines as settings: scheme, host and path as recio will use them; it opens no connection and shows no password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

REST_PATH = "/trade-api/v2"
SOCKET_PATH = "/trade-api/ws/v2"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DSN_SCHEMES = ("postgresql", "postgres")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
WRITE_DSN = "write postgresql://user:password@host:port/name, with every special character of the password percent-encoded"


def checked_url(value: str, schemes: tuple[str, str], path: str | None = None) -> str:
    """A URL of one of two schemes, the first for other machines and the second for this one. Raises ValueError with the fix."""
    if value != value.strip() or re.search(r"\s", value):
        raise ValueError("has a blank in it: take it out")
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
        if parts.netloc.endswith(":"):  # a scheme written twice is a host with a colon
            raise ValueError
    except ValueError:
        raise ValueError(f"is no address: write {schemes[0]}://HOST{path or '/...'}") from None
    if parts.scheme not in schemes or not host:
        raise ValueError(f"must begin with {schemes[0]}:// and a host")
    if parts.scheme == schemes[1] and host not in LOOPBACK:
        raise ValueError(f"goes to another machine unencrypted: begin it with {schemes[0]}://")
    if parts.username or parts.password:
        raise ValueError("must not hold a user or a password: recio signs its requests with the key")
    if path is not None and (parts.path != path or parts.query or parts.fragment):
        raise ValueError(f"must end with {path}: write {parts.scheme}://{parts.netloc}{path}")
    return value


def environment_of(url: str) -> str | None:
    """ "demo" or "prod" for a host of Kalshi's, None for any other."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if not host.endswith((".kalshi.com", ".kalshi.co", ".kalshi.dev")):
        return None
    return "prod" if host.endswith(".kalshi.com") and "demo" not in host else "demo"


def checked_dsn(value: str) -> str:
    """A DSN that the driver will take. Raises ValueError with the fix, and without a word of the DSN."""
    if not value:
        return value
    if value != value.strip() or re.search(r"[\x00-\x1f]", value):
        raise ValueError(f"begins or ends with a blank or has a line break: {WRITE_DSN}")
    if not value.startswith(tuple(f"{scheme}://" for scheme in DSN_SCHEMES)):
        raise ValueError(f"must begin with postgresql://: {WRITE_DSN}")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError(f"cannot be read: {WRITE_DSN}") from None
    _check_authority(parts)
    for name, _, given in (each.partition("=") for each in parts.query.split("&") if each):
        if name == "sslmode" and unquote(given) not in SSL_MODES:
            raise ValueError(f"has an unknown sslmode: there are {', '.join(SSL_MODES)}")
    return value


def _check_authority(parts: SplitResult) -> None:
    """User, password, host and port; several hosts stand with commas between them."""
    login, _, hosts = parts.netloc.rpartition("@")
    if "@" in login or "/" in login:
        raise ValueError(f"has an @ or / in its password that is not percent-encoded: {WRITE_DSN}")
    for host in hosts.split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not (port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError("has a port that is no number from 1 to 65535")
