"""What somebody is called for, and what became of the call; no behaviour, and never an address of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from recio.messages.backups import BackupsSeen


class Severity(StrEnum):
    """How much it matters; a channel takes its least severity and what is graver."""

    CRITICAL = "critical"
    """Money is at stake without a guard, or nothing trades until somebody acts: at any hour."""
    WARNING = "warning"
    """Somebody should look today: not in the quiet hours."""
    INFO = "info"
    """Good to know."""

    @property
    def rank(self) -> int:
        """0 is the gravest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that calls for somebody, as it is at one moment."""

    cause: str
    """By which it is known from one look to the next: the same cause is told once."""
    severity: Severity
    sentence: str
    """What is so, with its figures."""
    resolution: str
    """What to do."""
    after: float = 0.0
    """Host seconds that it has to last before anybody is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alarm from its beginning to its end."""

    alert_id: str
    cause: str
    severity: Severity
    sentence: str
    """As it was told last."""
    resolution: str
    began_at: datetime
    told: int = 0
    """How often it was told; 0: it has not lasted long enough yet."""
    told_at: datetime | None = None
    ended_at: datetime | None = None
    acknowledged_by: str = ""
    """Who looks after it, so that it is told again only if it becomes graver; empty: nobody said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Somebody looks after the alert of this cause."""

    cause: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryChannels:
    """Somebody wants to see that every channel reaches him."""

    by: str


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message on its way to one channel."""

    delivery_id: str
    channel: str
    severity: Severity
    text: str
    at: datetime
    """When it was to be sent."""
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    done_at: datetime | None = None
    why: str = ""
    """Why the last attempt failed, or what it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsView:
    """Whom recio can call, for what it calls now, and what it sent last."""

    channels: Mapping[str, Severity] = field(default_factory=dict[str, Severity])
    """Each by its name, with the least severity that it takes."""
    open: tuple[Alert, ...] = ()
    """That were told and last on."""
    deliveries: tuple[Delivery, ...] = ()
    """The newest first."""
    ping: str = ""
    """What became of the last ping to the outside service; empty where there is none."""
    backups: BackupsSeen | None = None
    """None while the rows were not read yet."""
    over: frozenset[str] = frozenset()
    """Devices that their push services know no more, by the names of their channels."""
