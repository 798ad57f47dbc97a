"""[kalshi] and [market]: which venue is traded on, how it is reached and watched; it holds no secret itself."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from recio.settings.section import Section
from recio.settings.units import Seconds


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


class MarketSection(Section):
    discover_every_seconds: Seconds = 5.0
    pause_margin_seconds: float = Field(default=300, ge=0, le=86_400)
