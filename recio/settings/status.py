"""[status]: where the page listens, under which names, and what makes another address than loopback safe; it opens no file."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from recio.settings.section import Section
from recio.settings.units import Port

HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
LOOPBACK = "127.0.0.1"


def _address(value: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError('write an IP address of this machine, such as "127.0.0.1" or "0.0.0.0"') from None


class StatusSection(Section):
    port: Port = 8710
    bind: str = LOOPBACK
    hosts: tuple[Annotated[str, Field(pattern=HOST)], ...] = ()
    certificate_path: str = ""
    private_key_path: str = ""
    proxies: tuple[str, ...] = ()
    session_hours: Annotated[int, Field(ge=1, le=720)] = 12

    @field_validator("bind")
    @classmethod
    def an_address(cls, value: str) -> str:
        return str(_address(value))

    @field_validator("proxies")
    @classmethod
    def addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(ip_address(each)) for each in value)
        except ValueError:
            raise ValueError(
                'write the IP addresses that the proxy comes from, such as ["127.0.0.1"]'
            ) from None

    @field_validator("hosts")
    @classmethod
    def in_small_letters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.lower() for each in value)

    @model_validator(mode="after")
    def safe_where_others_reach_it(self) -> StatusSection:
        if bool(self.certificate_path) != bool(self.private_key_path):
            pair = ("certificate_path", "private_key_path")
            there, missing = pair if self.certificate_path else reversed(pair)
            raise ValueError(
                f"status.{there} is set and status.{missing} is empty: a certificate and its private key go together"
            )
        if self.is_loopback:
            self._refuse_half_a_proxy()
            return self
        if not self.certificate_path and not self.proxies:
            raise ValueError(
                f'status.bind = "{self.bind}" is reached from other machines, and without TLS: write'
                " status.certificate_path and status.private_key_path, or name the proxy that has the certificate in"
                f' status.proxies; status.bind = "{LOOPBACK}" is for this machine alone'
            )
        if not self.hosts:
            raise ValueError(
                f'status.hosts is empty: with status.bind = "{self.bind}" write the names under which the page is'
                ' asked for, such as ["recio.example.org"]'
            )
        return self

    def _refuse_half_a_proxy(self) -> None:
        if self.certificate_path:
            raise ValueError(
                f'status.certificate_path is set, and status.bind = "{self.bind}" is for this machine alone, which needs'
                ' none: take it out, or bind to an address that others reach, such as "0.0.0.0"'
            )
        if self.hosts and not self.proxies:
            raise ValueError(
                f'status.hosts = ["{self.hosts[0]}"] is a name for other machines, and status.bind = "{self.bind}" is'
                ' for this one alone: name the proxy that brings them in status.proxies, such as ["127.0.0.1"]'
            )
        if self.proxies and not self.hosts:
            raise ValueError(
                "status.hosts is empty: write the names under which the proxy of status.proxies is asked for the page,"
                ' such as ["recio.example.org"]'
            )

    @property
    def is_loopback(self) -> bool:
        return ip_address(self.bind).is_loopback

    @property
    def is_reached_from_afar(self) -> bool:
        """Whether anybody but this machine can ask for the page: then nobody may without a login."""
        return not self.is_loopback or bool(self.proxies)
