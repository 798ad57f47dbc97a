"""Rows of alerts and of their deliveries: kept, read back by the next process, and forgotten after some months; written by alerts only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recio.db.connection import Connection
from recio.messages.alerts import Alert, Delivery, DeliveryState, Severity

KEEP_DAYS = 90
_OF_ALERTS = (
    "alert_id, cause, severity, sentence, resolution, began_at, told, told_at, ended_at, acknowledged_by"
)
_OF_DELIVERIES = "delivery_id, channel, severity, text, at, state, attempts, done_at, why"
_KEEP_ALERT = f"""
    INSERT INTO alerts ({_OF_ALERTS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, sentence = excluded.sentence,
        resolution = excluded.resolution, told = excluded.told, told_at = excluded.told_at, ended_at = excluded.ended_at,
        acknowledged_by = excluded.acknowledged_by
"""
_KEEP_DELIVERY = f"""
    INSERT INTO alert_deliveries ({_OF_DELIVERIES}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (delivery_id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
        done_at = excluded.done_at, why = excluded.why
"""
_OPEN = f"SELECT {_OF_ALERTS} FROM alerts WHERE ended_at IS NULL ORDER BY began_at"
_WAITING = f"SELECT {_OF_DELIVERIES} FROM alert_deliveries WHERE state = 'waiting' ORDER BY at"
_FORGET_ALERTS = "DELETE FROM alerts WHERE ended_at < now() - make_interval(days => $1)"
_FORGET_DELIVERIES = "DELETE FROM alert_deliveries WHERE done_at < now() - make_interval(days => $1)"


async def keep(connection: Connection, alerts: Iterable[Alert], deliveries: Iterable[Delivery]) -> None:
    """New rows, and changes of those that are there. What has ended goes first, so that its cause may begin anew."""
    for each in sorted(alerts, key=lambda one: one.ended_at is None):
        await connection.execute(
            _KEEP_ALERT,
            each.alert_id,
            each.cause,
            each.severity.value,
            each.sentence,
            each.resolution,
            each.began_at,
            each.told,
            each.told_at,
            each.ended_at,
            each.acknowledged_by,
        )
    await connection.executemany(
        _KEEP_DELIVERY,
        [
            (
                each.delivery_id,
                each.channel,
                each.severity.value,
                each.text,
                each.at,
                each.state.value,
                each.attempts,
                each.done_at,
                each.why,
            )
            for each in deliveries
        ],
    )


async def still_open(connection: Connection) -> list[Alert]:
    """That nobody has seen the end of."""
    return [_alert(dict(row)) for row in await connection.fetch(_OPEN)]


async def still_waiting(connection: Connection) -> list[Delivery]:
    """That were not sent and not given up."""
    return [_delivery(dict(row)) for row in await connection.fetch(_WAITING)]


def _alert(row: dict[str, Any]) -> Alert:
    row["severity"] = Severity(row["severity"])
    return Alert(**row)


def _delivery(row: dict[str, Any]) -> Delivery:
    row["severity"], row["state"] = Severity(row["severity"]), DeliveryState(row["state"])
    return Delivery(**row)


async def forget(connection: Connection) -> None:
    await connection.execute(_FORGET_ALERTS, KEEP_DAYS)
    await connection.execute(_FORGET_DELIVERIES, KEEP_DAYS)
