"""From where the page is asked for: whether under a name that is ours, from this machine, and by whom on behalf of whom; it lets nobody in by itself."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from recio.errors import BadConfig, of_the_machine
from recio.settings.file_access import others_with_access
from recio.settings.status import LOOPBACK, StatusSection
from recio.web.logins import FILE, read

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""What a proxy adds: a request that carries one of them was not made on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where one request comes from."""

    is_local: bool
    """Made on this machine, under a name of loopback, and handed on by nobody."""
    address: str
    """Of whoever asks, as far as it is to be believed."""
    origins: tuple[str, ...]
    """What a page of ours calls itself in a browser that asks so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What [status] says of who may ask."""

    port: int
    bind: str = LOOPBACK
    hosts: frozenset[str] = frozenset()
    proxies: frozenset[str] = frozenset()
    certificate: ssl.SSLContext | None = None

    @property
    def listens(self) -> tuple[str, ...]:
        """Loopback is always among them: what commands and a person at this machine rely on."""
        covers = self.bind == LOOPBACK or ip_address(self.bind).is_unspecified
        return (self.bind,) if covers else (self.bind, LOOPBACK)

    @property
    def is_from_afar(self) -> bool:
        return bool(self.hosts)

    def encrypts(self, peer: str) -> bool:
        """Whether this peer has to speak TLS: everybody but loopback and the proxies, where we have a certificate."""
        return self.certificate is not None and not _is_loopback(peer) and _plain(peer) not in self.proxies

    def arrival(self, host: str, peer: str, headers: Mapping[str, str]) -> Arrival | str:
        """Or why it is refused."""
        name, address = host_name(host), _plain(peer)
        handed_on = any(each in headers for each in FORWARDED)
        if _is_loopback(peer) and name in LOCAL_NAMES and not handed_on:
            return Arrival(is_local=True, address=address, origins=(f"http://{host}",))
        if not self.is_from_afar:
            return "only by its loopback address"
        if name not in self.hosts:
            return "not under this name: status.hosts has the names"
        is_proxy = address in self.proxies
        if not is_proxy and not self.encrypts(peer):
            return "only by way of the proxies in status.proxies"
        origins = (f"https://{host}", f"https://{name}")
        asker = _asker(headers) if is_proxy else None
        return Arrival(is_local=False, address=asker or address, origins=origins)


def host_name(host: str) -> str:
    """Without its port, in small letters."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()


def _asker(headers: Mapping[str, str]) -> str | None:
    """The address that the proxy itself saw: the last it wrote, as whatever stands before may come from the asker."""
    last = headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return None


def _ip(peer: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(peer.split("%", 1)[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _plain(peer: str) -> str:
    return str(_ip(peer) or peer)


def _is_loopback(peer: str) -> bool:
    found = _ip(peer)
    return found is not None and found.is_loopback


def reach_of(status: StatusSection, data_dir: Path) -> Reach:
    """Raises BadConfig, with field, value and fix, where the page would be reached without what makes that safe."""
    if status.is_reached_from_afar and not read(data_dir / FILE).logins:
        named = (
            f'status.bind = "{status.bind}"'
            if not status.is_loopback
            else f"status.hosts = {list(status.hosts)}"
        )
        raise BadConfig(
            f"{named} lets others reach the page, and {data_dir / FILE} has no login: make one with"
            " recio login add NAME --role operator"
        )
    return Reach(
        port=status.port,
        bind=status.bind,
        hosts=frozenset(status.hosts),
        proxies=frozenset(status.proxies),
        certificate=_certificate(status) if status.certificate_path else None,
    )


def _certificate(status: StatusSection) -> ssl.SSLContext:
    key = Path(status.private_key_path)
    try:
        if others := others_with_access(key):
            raise BadConfig(
                f"status.private_key_path = {str(key)!r} is readable by others ({', '.join(others)}); run: chmod 600 '{key}'"
            )
    except OSError as error:
        raise of_the_machine(
            f"status.private_key_path = {str(key)!r} cannot be read: {error.strerror}", error
        ) from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of its own OpenSSL would ask for one at the terminal.
        context.load_cert_chain(status.certificate_path, key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(
            f"status.certificate_path = {status.certificate_path!r} and status.private_key_path = {str(key)!r} are"
            f" not a certificate and its key without a password: {error.strerror or error}"
        ) from error
    return context
