"""The alerts part of GET /status: whom recio can call, for what it calls now, and what it sent last; it reads only, and knows no address."""

from __future__ import annotations

from typing import Any

from recio.messages.alerts import AlertsView, Delivery
from recio.times import time_text


def alert_rows(view: AlertsView) -> dict[str, Any]:
    return {
        "channels": [_channel(name, least.value, view) for name, least in view.channels.items()],
        "open": [
            {
                "cause": each.cause,
                "severity": each.severity.value,
                "sentence": each.sentence,
                "resolution": each.resolution,
                "since": time_text(each.began_at),
                "told": each.told,
                "acknowledged_by": each.acknowledged_by or None,
            }
            for each in view.open
        ],
        "sent": [_delivery(each) for each in view.deliveries],
        "ping": view.ping or None,
    }


def _channel(name: str, least: str, view: AlertsView) -> dict[str, Any]:
    """`last` is what became of its newest message."""
    newest = next((each for each in view.deliveries if each.channel == name), None)
    waiting = sum(each.channel == name and each.done_at is None for each in view.deliveries)
    return {
        "name": name,
        "least": least,
        "waiting": waiting,
        "last": None if newest is None else newest.state.value,
    }


def _delivery(each: Delivery) -> dict[str, Any]:
    return {
        "channel": each.channel,
        "severity": each.severity.value,
        "text": each.text,
        "at": time_text(each.at),
        "state": each.state.value,
        "attempts": each.attempts,
        "why": each.why,
    }
