"""Where the venue is and who we are there: Kalshi's hosts, or the credentials that `recio exchange` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from recio.clock import Clock
from recio.errors import BadConfig
from recio.kalshi.signing import Signer, load_signer
from recio.settings.config import Config
from recio.settings.price_sources import SIMULATED
from recio.settings.venue import Environment

REST_URLS = {
    Environment.DEMO: "https://external-api.demo.kalshi.co/trade-api/v2",
    Environment.PROD: "https://external-api.kalshi.com/trade-api/v2",
}
WS_URLS = {
    Environment.DEMO: "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
    Environment.PROD: "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    rest_url: str
    ws_url: str
    price_urls: Mapping[str, str]
    """Where each price source is; a simulated venue brings its own."""
    signer: Signer
    account: str
    """What the database is bound to: a short digest of the key id, or the simulator's instance."""
    clock: Clock


class _ClockOrigin(msgspec.Struct, frozen=True):
    speed: float
    host_origin: float
    venue_origin: float


class Credentials(msgspec.Struct, frozen=True):
    """credentials.json of a simulated exchange."""

    key_id: str
    key_path: str
    rest_url: str
    ws_url: str
    price_url: str
    instance: str
    pid: int
    clock: _ClockOrigin
    kraken_url: str = ""


def read_credentials(directory: Path) -> Credentials:
    """Raises BadConfig when the file is missing or not what `recio exchange` writes."""
    path = directory / "credentials.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except OSError as error:
        raise BadConfig(
            f"kalshi.credentials_dir = {str(directory)!r}: cannot read {path.name}: {error.strerror};"
            f" start one with: recio exchange --credentials {directory}"
        ) from error
    except msgspec.MsgspecError as error:
        raise BadConfig(f"{path} is not the credentials file of a recio exchange: {error}") from error


def find_venue(config: Config) -> Venue:
    """The venue that the config names. Raises BadConfig naming the key at fault."""
    if config.kalshi.environment is Environment.SIM:
        if not config.kalshi.credentials_dir:
            raise BadConfig(
                'kalshi.credentials_dir is empty: environment "sim" needs the directory given to'
                " `recio exchange --credentials`; or run `recio demo`, which starts everything itself"
            )
        _refuse_unfed(config)
        return simulated(read_credentials(Path(config.kalshi.credentials_dir)))
    environment = config.kalshi.environment
    return Venue(
        rest_url=config.kalshi.rest_url or REST_URLS[environment],
        ws_url=config.kalshi.ws_url or WS_URLS[environment],
        price_urls=config.prices.urls,
        signer=load_signer(config.kalshi.key_id, Path(config.kalshi.key_path)),
        account=hashlib.sha256(config.kalshi.key_id.encode()).hexdigest()[:12],
        clock=Clock(),
    )


def _refuse_unfed(config: Config) -> None:
    """A source that was asked for and never heard would look like a source that is down."""
    for source in config.prices.sources:
        if source not in SIMULATED:
            raise BadConfig(
                f'prices.sources names "{source}": the exchange of `recio exchange` has feeds of'
                f' {" and ".join(SIMULATED)} only; take it out for environment "sim"'
            )


def _feeds(credentials: Credentials) -> dict[str, str]:
    feeds = {"coinbase": credentials.price_url}
    return feeds | ({"kraken": credentials.kraken_url} if credentials.kraken_url else {})


def simulated(credentials: Credentials) -> Venue:
    return Venue(
        rest_url=credentials.rest_url,
        ws_url=credentials.ws_url,
        price_urls=_feeds(credentials),
        signer=load_signer(credentials.key_id, Path(credentials.key_path)),
        account=credentials.instance,
        clock=clock_of(credentials),
    )


def clock_of(credentials: Credentials) -> Clock:
    told = credentials.clock
    return Clock(speed=told.speed, host_origin=told.host_origin, venue_origin=told.venue_origin)
