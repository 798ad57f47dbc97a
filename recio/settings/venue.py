"""[kalshi] and [market]: which venue is traded on, how it is reached and watched; it holds no secret itself."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from recio.settings.addresses import REST_PATH, SOCKET_PATH, checked_url, environment_of
from recio.settings.section import Section
from recio.settings.units import Seconds

KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
USUAL_KEY_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""As Kalshi makes them; of another shape it is most likely mistyped."""


class Mode(StrEnum):
    DEMO = "demo"
    LIVE = "live"


class Environment(StrEnum):
    SIM = "sim"
    DEMO = "demo"
    PROD = "prod"


class KalshiSection(Section):
    environment: Environment = Environment.SIM
    key_id: str = ""
    key_path: str = ""
    credentials_dir: str = ""
    rest_url: str = ""
    ws_url: str = ""
    request_timeout_seconds: Seconds = 10.0
    idle_timeout_seconds: Seconds = 25.0
    reconcile_every_seconds: Seconds = 15.0

    @field_validator("key_id")
    @classmethod
    def as_kalshi_shows_it(cls, value: str) -> str:
        if value and not KEY_ID.fullmatch(value):
            raise ValueError(
                "is no API key id: it has letters, digits and hyphens only, no blanks, quotes or line breaks;"
                " copy it anew from Kalshi's page of API keys"
            )
        return value

    @field_validator("key_path")
    @classmethod
    def a_path_and_no_key(cls, value: str) -> str:
        if "PRIVATE KEY" in value or any(ord(each) < 32 for each in value):
            raise ValueError(
                "must be the path of the key's file; the key itself belongs into that file, and nowhere else"
            )
        return value

    @field_validator("rest_url")
    @classmethod
    def rest_address(cls, value: str) -> str:
        return checked_url(value, ("https", "http"), REST_PATH) if value else value

    @field_validator("ws_url")
    @classmethod
    def socket_address(cls, value: str) -> str:
        return checked_url(value, ("wss", "ws"), SOCKET_PATH) if value else value

    @model_validator(mode="after")
    def hosts_of_its_environment(self) -> KalshiSection:
        for name in ("rest_url", "ws_url"):
            url: str = getattr(self, name)
            theirs = environment_of(url) if url else None
            if theirs not in (None, self.environment.value):
                raise ValueError(
                    f'{name} = "{url}" is a host of Kalshi\'s environment "{theirs}", and environment = "{self.environment}":'
                    f' leave {name} empty for the documented host, or write environment = "{theirs}"'
                )
        return self


class MarketSection(Section):
    discover_every_seconds: Seconds = 5.0
    pause_margin_seconds: float = Field(default=300, ge=0, le=86_400)
