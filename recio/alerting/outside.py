"""Connections of Web Push: to addresses of the internet alone, whatever a name means when a message is sent; they know nothing of messages."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

GIVEN_OUT = IPv6Network("2000::/3")
"""All that is given out as addresses of the internet."""
TRANSLATED = IPv6Network("64:ff9b::/96")
"""An IPv4 address stands in its end: so a network without IPv4 reaches one."""


class Inside(Exception):
    """The name means this machine or its network now: nothing was sent there."""


def is_outside(text: str) -> bool:
    """Whether it is an address of the internet, and none of this machine's own."""
    found = ip_address(text.split("%", 1)[0])
    if found in TRANSLATED:
        found = IPv4Address(found.packed[-4:])
    if isinstance(found, IPv4Address):
        is_public = found.is_global and not found.is_multicast and not found.is_reserved
    else:  # an IPv4 address may stand in one of 6to4 or Teredo, which nobody uses any more
        is_public = found in GIVEN_OUT and found.is_global and not found.sixtofour and not found.teredo
    return is_public and not _is_our_own(str(found))


def _is_our_own(address: str) -> bool:
    """Nothing leaves for it: the kernel only says from which of ours it would."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((address, 443))
        except OSError:
            return False
        return asked.getsockname()[0] == address


def pinned(session: requests.Session, endpoint: str) -> list[str]:
    """The same endpoint by each of its addresses, one after another to be tried; its certificate is still held against the name.

    Nothing looks the name up again. Raises Inside, and OSError where it is not found.
    """
    parts = urlsplit(endpoint)
    host, port = str(parts.hostname), parts.port or 443
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("no name") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not all(map(is_outside, addresses)):
        raise Inside
    adapter = HTTPAdapter()
    adapter.poolmanager.connection_pool_kw |= {"server_hostname": host, "assert_hostname": host}
    session.mount("https://", adapter)
    session.headers["Host"] = parts.netloc
    return [
        parts._replace(netloc=f"[{each}]:{port}" if ":" in each else f"{each}:{port}").geturl()
        for each in addresses
    ]
