"""The bodies of messages about the life of markets and events, one function per kind; they change nothing."""

from __future__ import annotations

from recio.exchange_sim.market import descriptions
from recio.exchange_sim.market.events import (
    CloseDateChanged,
    EventFeeChanged,
    GridChanged,
    MarketActivated,
    MarketCreated,
    MarketDeactivated,
    MarketDetermined,
    MarketSettled,
    StrikeSet,
)
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.market_fields import EXPECTED_EXPIRATION_MS, grid_json, payout_text, strike_json
from recio.exchange_sim.wire.texts import Json

LifecycleEvent = (
    MarketCreated
    | StrikeSet
    | MarketDetermined
    | MarketSettled
    | MarketDeactivated
    | MarketActivated
    | CloseDateChanged
    | GridChanged
    | EventFeeChanged
)
_MARKET = b"market_lifecycle_v2"


def messages(event: LifecycleEvent) -> list[tuple[bytes, Json]]:
    """Type and body of what the lifecycle channel says about an event, in order."""
    match event:
        case MarketCreated():
            market = event.market
            event_first = [(b"event_lifecycle", event_created(market))] if event.with_event else []
            return [*event_first, (_MARKET, market_created(market))]
        case EventFeeChanged():
            return [(b"event_fee_update", fee_changed(event))]
        case StrikeSet():
            return [(_MARKET, strike_set(event.market))]
        case MarketDetermined():
            return [(_MARKET, determined(event.market))]
        case MarketSettled():
            return [(_MARKET, settled(event.market))]
        case _:
            return [(_MARKET, _changed(event))]


def _changed(event: MarketDeactivated | MarketActivated | CloseDateChanged | GridChanged) -> Json:
    """A market that stops, goes on, closes at another time or changes its prices."""
    market = event.market
    match event:
        case MarketDeactivated():
            return _about(market, "deactivated") | {"is_deactivated": True}
        case MarketActivated():
            return _about(market, "activated") | {"is_deactivated": False}
        case CloseDateChanged():
            return _about(market, "close_date_updated") | {"close_ts": market.close_ms // 1000}
        case GridChanged():
            return _about(market, "price_level_structure_updated") | grid_json(market)


def _about(market: Market, event_type: str) -> Json:
    return {"market_ticker": market.ticker, "event_type": event_type, "exchange_index": market.spec.shard}


def fee_changed(event: EventFeeChanged) -> Json:
    return {
        "event_ticker": event.event_ticker,
        "fee_type_override": event.fee_type,
        "fee_multiplier_override": event.fee_multiplier,
    }


def market_created(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "created",
        "exchange_index": market.spec.shard,
        "open_ts": market.open_ms // 1000,
        "close_ts": market.close_ms // 1000,
        "price_level_structure": market.grid.name,
        "additional_metadata": {
            "name": descriptions.title(market),
            "title": descriptions.title(market),
            "yes_sub_title": descriptions.yes_sub_title(market),
            "no_sub_title": descriptions.no_sub_title(market),
            "rules_primary": descriptions.rules_primary(market),
            "rules_secondary": descriptions.rules_secondary(market.spec),
            "can_close_early": True,
            "event_ticker": market.event_ticker,
            "expected_expiration_ts": (market.close_ms + EXPECTED_EXPIRATION_MS) // 1000,
            **strike_json(market),
        },
    }


def event_created(market: Market) -> Json:
    return {
        "event_ticker": market.event_ticker,
        "exchange_index": market.spec.shard,
        "title": descriptions.event_title(market),
        "subtitle": descriptions.event_subtitle(market),
        "collateral_return_type": market.spec.collateral_return,
        "series_ticker": market.series,
        "strike_date": market.close_ms // 1000,
    }


def strike_set(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "metadata_updated",
        "yes_sub_title": descriptions.yes_sub_title(market),
        **strike_json(market),
    }


def determined(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "determined",
        "exchange_index": market.spec.shard,
        "determination_ts": market.determined_ms // 1000,
        "result": market.result,
        "settlement_value": payout_text(market),
    }


def settled(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "settled",
        "exchange_index": market.spec.shard,
        "settled_ts": market.settled_ms // 1000,
    }
