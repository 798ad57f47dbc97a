"""Series and events as the wire shows them; it only reads."""

from __future__ import annotations

from collections.abc import Sequence

from recio.exchange_sim.clock import iso
from recio.exchange_sim.market import descriptions
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import FIFTEEN_MINUTES, HOUR, Asset, Kind, SeriesSpec
from recio.exchange_sim.wire.rest.market_json import market_json
from recio.exchange_sim.wire.texts import Json, count

_DOCUMENTS = "https://kalshi-public-docs.s3.amazonaws.com"
_FREQUENCIES = {FIFTEEN_MINUTES: "fifteen_min", HOUR: "hourly"}


def event_json(markets: Sequence[Market], *, nested: bool) -> Json:
    """An event by its markets, of which there is at least one."""
    first = markets[0]
    body: Json = {
        "event_ticker": first.event_ticker,
        "series_ticker": first.series,
        "title": descriptions.event_title(first),
        "sub_title": descriptions.event_subtitle(first),
        "collateral_return_type": first.spec.collateral_return,
        "mutually_exclusive": first.spec.mutually_exclusive,
        "category": "Crypto",
        "strike_date": iso(first.close_ms),
        "strike_period": "",
        "settlement_sources": sources(first.spec.asset),
        "last_updated_ts": iso(max(market.updated_ms for market in markets)),
        "product_metadata": {"cadence": _frequency(first.spec)},
        "exchange_index": first.spec.shard,
    }
    if nested:
        body["markets"] = [market_json(market) for market in markets]
    return body


def event_metadata_json(markets: Sequence[Market]) -> Json:
    spec = markets[0].spec
    return {
        "image_url": "",
        "featured_image_url": "",
        "market_details": [
            {"market_ticker": market.ticker, "image_url": "", "color_code": ""} for market in markets
        ],
        "settlement_sources": sources(spec.asset),
        "competition": None,
        "competition_scope": None,
    }


def series_json(spec: SeriesSpec, updated_ms: int, volume: int | None) -> Json:
    name = "CRYPTO15M" if spec.kind is Kind.WINDOW else "CRYPTO"
    body: Json = {
        "ticker": spec.ticker,
        "frequency": _frequency(spec),
        "title": descriptions.series_title(spec),
        "category": "Crypto",
        "categories": ["Crypto"],
        "tags": tags(spec),
        "settlement_sources": sources(spec.asset),
        "contract_url": f"{_DOCUMENTS}/regulatory/product-certifications/{name}.pdf",
        "contract_terms_url": f"{_DOCUMENTS}/contract_terms/{name}.pdf",
        "product_metadata": {},
        "fee_type": spec.fee_type,
        "fee_multiplier": _number(spec.fee_multiplier),
        "additional_prohibitions": None,
        "last_updated_ts": iso(updated_ms),
        "exchange_index": spec.shard,
    }
    if volume is not None:
        body["volume_fp"] = count(volume)
    return body


def tags(spec: SeriesSpec) -> list[str]:
    symbol = spec.asset.symbol
    return [symbol, "15 min"] if spec.kind is Kind.WINDOW else ["Hourly", symbol]


def sources(asset: Asset) -> list[Json]:
    url = f"https://www.cfbenchmarks.com/data/indices/{asset.index_id}"
    return [{"name": "CF Benchmarks", "url": url}]


def _frequency(spec: SeriesSpec) -> str:
    """The venue's word for the kind, also where a test runs it faster."""
    return _FREQUENCIES[FIFTEEN_MINUTES if spec.kind is Kind.WINDOW else HOUR]


def _number(value: float) -> float:
    """Whole numbers without a point, as the venue writes them."""
    return int(value) if value.is_integer() else value
