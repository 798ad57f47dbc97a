"""The dispatcher: what is called for at the moment, and every message on its way to every channel; whoever hands something in never waits.

It outlives the runs of the daemon, because a database that is away is one of the things to tell. Each channel is served by
itself: one that hangs holds up no other.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import anyio
import structlog

from recio.alerting import delivery
from recio.alerting.channels import Channel, Channels
from recio.alerting.push_address import GONE
from recio.clock import Clock
from recio.messages.alerts import Alarm, Alert, AlertsView, Delivery, DeliveryState, Severity
from recio.messages.orders import TradeView
from recio.rules.alerts.alarms import Remembered
from recio.rules.alerts.follow import Followed, follow
from recio.rules.alerts.sending import ATTEMPTS, joined, reason_to_wait, wait_after
from recio.settings.alerts import AlertsSection
from recio.texts import writable

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 1.0
"""Host seconds between two looks at what waits, beside the bell."""
MOST_WAITING = 500
"""For one channel; then the oldest that is not critical is given up."""
MOST_UNKEPT = 2_000
SHOWN = 50
Send = Callable[[Channel, str, str, Severity], Awaitable[str]]


async def by_process(channel: Channel, title: str, text: str, severity: Severity) -> str:
    return await delivery.send(channel.url, title, text, severity)


@dataclass(slots=True, kw_only=True)
class _Outgoing:
    """One channel's messages."""

    channel: Channel
    waiting: list[Delivery] = field(default_factory=list[Delivery])
    sent: deque[float] = field(default_factory=lambda: deque[float](maxlen=1_000))
    """When messages left, in host monotonic seconds."""
    next_at: float = 0.0
    """No attempt before this host monotonic second."""
    bell: anyio.Event = field(default_factory=anyio.Event)
    turn: anyio.Lock = field(default_factory=anyio.Lock)


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    settings: AlertsSection
    channels: Channels
    clock: Clock
    title: str = "recio"
    """What messages are headed with, before their severity."""
    send: Send = by_process
    followed: tuple[Followed, ...] = ()
    remembered: Remembered = field(default_factory=Remembered)
    guarded_at: float = -1e9
    """When a run was last seen to guard what is held, in host monotonic seconds."""
    held: tuple[TradeView, ...] | None = None
    """What the last run knew to be held; None before any did, and where an order on its way may have bought something."""
    ping: str = ""
    has_rows: bool = False
    """Whether the rows of earlier processes were read."""
    over: frozenset[str] = frozenset()
    """Devices that their push services know no more: they are told no more, and their rows are to end."""
    _devices: frozenset[str] = frozenset()
    """Channels that are no line of the file."""
    _outgoing: dict[str, _Outgoing] = field(default_factory=dict[str, _Outgoing])
    _recent: dict[str, Delivery] = field(default_factory=dict[str, Delivery])
    _alerts: dict[str, Alert] = field(default_factory=dict[str, Alert])
    _deliveries: dict[str, Delivery] = field(default_factory=dict[str, Delivery])
    """Without a row, or with an old one."""
    _others: anyio.Event = field(default_factory=anyio.Event)
    """Set when there are other channels to be served than before."""

    def __post_init__(self) -> None:
        self._outgoing = {each.name: _Outgoing(channel=each) for each in self.channels.channels}

    def reach(self, devices: Sequence[Channel]) -> None:
        """These devices beside the channels of the file, and no others: who is gone is told no more, from now on."""
        wanted = {each.name: each for each in devices}
        self.over = self.over.intersection(wanted)
        for name in self._devices.difference(wanted):
            self._leave(name, "its device is to be told no more")
        for name in wanted.keys() - self._outgoing.keys() - self.over:
            self._outgoing[name] = _Outgoing(channel=wanted[name])
            self._devices = self._devices.union({name})
            self._others.set()

    def _leave(self, name: str, why: str) -> None:
        """A device; what waits for it is given up."""
        outgoing, now = self._outgoing.pop(name), self.clock.utc()
        self._devices = self._devices.difference({name})
        for each in outgoing.waiting:
            self._note(replace(each, state=DeliveryState.FAILED, done_at=max(now, each.at), why=why))
        self._others.set()

    def look(self, alarms: Sequence[Alarm]) -> None:
        """What is called for now; tells what has to be told."""
        self._follow(self.followed, (), alarms)

    def look_beside(self, alarm: Alarm) -> None:
        """This one alone, while nobody can look for the others: they are neither seen nor over."""
        now = self.clock.utc()
        same = [each for each in self.followed if each.alert.cause == alarm.cause]
        others = [replace(each, seen_at=now) for each in self.followed if each not in same]
        self._follow(same, others, [alarm])

    def _follow(
        self, before: Sequence[Followed], others: Sequence[Followed], alarms: Sequence[Alarm]
    ) -> None:
        step = follow(before, alarms, self.clock.utc(), self.clock.speed, self.settings, new_id)
        self.followed = (*others, *step.open)
        for alert in step.changed:
            self._alerts[alert.alert_id] = alert
        for told in step.told:
            log.warning("alert", cause=told.alert.cause, severity=told.severity.value, sentence=told.text)
            self.tell(told.text, told.severity)

    def acknowledge(self, cause: str, by: str) -> None:
        """It is not told again, unless it becomes graver; what is over stays over."""
        followed: list[Followed] = []
        for each in self.followed:
            if each.alert.cause == cause and each.alert.told:
                each = replace(each, alert=replace(each.alert, acknowledged_by=by))
                self._alerts[each.alert.alert_id] = each.alert
            followed.append(each)
        self.followed = tuple(followed)

    def test(self, by: str) -> None:
        """To every channel, whatever it takes otherwise."""
        self.tell(f"This is a test that {by} asked for: recio can call you here", Severity.CRITICAL)

    def tell(self, text: str, severity: Severity) -> dict[str, str]:
        """To every channel that takes this severity; returns the number of the message for each of them."""
        takers = (each.channel for each in self._outgoing.values() if each.channel.takes(severity))
        numbers = {each.name: new_id() for each in takers}
        self.tell_again(text, severity, numbers)
        return numbers

    def tell_again(self, text: str, severity: Severity, numbers: Mapping[str, str]) -> None:
        """Under numbers that it was told by before, perhaps in an earlier process: what is known already is not told twice."""
        for name, number in numbers.items():
            outgoing = self._outgoing.get(name)
            if outgoing is not None and number not in self._recent:
                told = Delivery(
                    delivery_id=number,
                    channel=name,
                    severity=severity,
                    text=writable(text),
                    at=self.clock.utc(),
                )
                self._enqueue(outgoing, told)

    def unsent(self, numbers: Mapping[str, str]) -> dict[str, str]:
        """Those of the messages that still wait for their channel."""
        waiting = {each.delivery_id for outgoing in self._outgoing.values() for each in outgoing.waiting}
        return {name: number for name, number in numbers.items() if number in waiting}

    def resume(self, alerts: Iterable[Alert], deliveries: Iterable[Delivery]) -> None:
        """What earlier processes left in their rows: told already, or still to be sent."""
        now, known = self.clock.utc(), {each.alert.cause for each in self.followed}
        for alert in alerts:
            if alert.cause in known:  # told anew meanwhile: the old row ends
                self._alerts[alert.alert_id] = replace(alert, ended_at=max(now, alert.began_at))
            else:
                self.followed = (*self.followed, Followed(alert=alert, seen_at=now))
        for each in deliveries:
            outgoing = self._outgoing.get(each.channel)
            if each.delivery_id in self._recent:
                continue  # told anew meanwhile
            if outgoing is not None:
                self._enqueue(outgoing, each)
            else:
                self._note(replace(each, state=DeliveryState.FAILED, done_at=now, why="its channel is gone"))
        self.has_rows = True

    def view(self) -> AlertsView:
        return AlertsView(
            channels={each.channel.name: each.channel.least for each in self._outgoing.values()},
            open=tuple(each.alert for each in self.followed if each.alert.told),
            deliveries=tuple(reversed(self._recent.values())),
            ping=self.ping,
            over=self.over,
        )

    def take_unkept(self) -> tuple[tuple[Alert, ...], tuple[Delivery, ...]]:
        """What needs a row."""
        taken = tuple(self._alerts.values()), tuple(self._deliveries.values())
        self._alerts, self._deliveries = {}, {}
        return taken

    def give_back(self, alerts: Iterable[Alert], deliveries: Iterable[Delivery]) -> None:
        """They could not be kept, and what came later counts."""
        self._alerts = {each.alert_id: each for each in alerts} | self._alerts
        self._deliveries = {each.delivery_id: each for each in deliveries} | self._deliveries
        for unkept in (self._alerts, self._deliveries):
            for oldest in list(unkept)[:-MOST_UNKEPT]:
                del unkept[oldest]

    async def serve(self) -> None:
        """Send what waits, for ever, to whoever there is at the time."""
        served: dict[str, anyio.CancelScope] = {}
        async with anyio.create_task_group() as group:
            while True:
                self._others = anyio.Event()
                for name in served.keys() - self._outgoing.keys():
                    served.pop(name).cancel()
                for name in self._outgoing.keys() - served.keys():
                    served[name] = anyio.CancelScope()
                    group.start_soon(self._serve_within, served[name], self._outgoing[name])
                await self._others.wait()

    async def _serve_within(self, scope: anyio.CancelScope, outgoing: _Outgoing) -> None:
        with scope:
            await self._serve(outgoing)

    async def flush(self, seconds: float) -> None:
        """Give what waits a last chance; what cannot leave by then stays in its row for the next process."""
        with anyio.move_on_after(seconds, shield=True):
            async with anyio.create_task_group() as group:
                for outgoing in self._outgoing.values():
                    group.start_soon(partial(self._attempt, outgoing))

    async def _serve(self, outgoing: _Outgoing) -> None:
        while True:
            with anyio.move_on_after(LOOK_EVERY):
                await outgoing.bell.wait()
            outgoing.bell = anyio.Event()
            if time.monotonic() >= outgoing.next_at:
                await self._attempt(outgoing)

    async def _attempt(self, outgoing: _Outgoing) -> None:
        """Everything that may leave now, as one message."""
        async with outgoing.turn:
            leaving = self._leaving(outgoing)
            if leaving:
                text, severity = joined(leaving)
                several = f" ({len(leaving)} messages)" if len(leaving) > 1 else ""
                title = f"{self.title}: {severity}{several}"
                self._settle(outgoing, leaving, await self.send(outgoing.channel, title, text, severity))

    def _leaving(self, outgoing: _Outgoing) -> list[Delivery]:
        now, host = self.clock.utc(), time.monotonic()
        leaving: list[Delivery] = []
        for index, each in enumerate(outgoing.waiting):
            why = reason_to_wait(each.severity, now, outgoing.sent, host, self.settings)
            if not why:
                leaving.append(each)
            elif why != each.why:
                outgoing.waiting[index] = replace(each, why=why)
                self._note(outgoing.waiting[index])
        return leaving

    def _settle(self, outgoing: _Outgoing, tried: Sequence[Delivery], why: str) -> None:
        now, ids = self.clock.utc(), {each.delivery_id for each in tried}
        rest = [each for each in outgoing.waiting if each.delivery_id not in ids]
        after = [_after(each, why, now) for each in tried]
        outgoing.waiting = [*(each for each in after if each.state is DeliveryState.WAITING), *rest]
        for each in after:
            self._note(each)
        if why == GONE:
            self._forget_device(outgoing.channel.name)
        elif why:
            attempts = max(each.attempts for each in after)
            outgoing.next_at = time.monotonic() + wait_after(attempts)
            log.warning("alert not sent", channel=outgoing.channel.name, why=why, attempts=attempts)
        else:
            outgoing.sent.append(time.monotonic())
            outgoing.next_at = 0.0

    def _forget_device(self, name: str) -> None:
        """It is silent from now on, which somebody else has to be told."""
        log.warning("a device is told no more", channel=name, why=GONE)
        self.over = self.over.union({name})
        if name in self._devices:
            self._leave(name, GONE)
        self.tell(f"{name} is told no more: {GONE}; subscribe the device again", Severity.WARNING)

    def _enqueue(self, outgoing: _Outgoing, each: Delivery) -> None:
        outgoing.waiting.append(each)
        self._note(each)
        if len(outgoing.waiting) > MOST_WAITING:
            lesser = (each for each in outgoing.waiting if each.severity is not Severity.CRITICAL)
            given_up = next(lesser, outgoing.waiting[0])
            outgoing.waiting.remove(given_up)
            why = f"more than {MOST_WAITING} messages waited"
            self._note(
                replace(
                    given_up, state=DeliveryState.FAILED, done_at=max(self.clock.utc(), given_up.at), why=why
                )
            )
        outgoing.bell.set()

    def _note(self, each: Delivery) -> None:
        """For the page, and for its row."""
        self._deliveries[each.delivery_id] = each
        self._recent[each.delivery_id] = each
        while len(self._recent) > SHOWN:
            del self._recent[next(iter(self._recent))]


def _after(each: Delivery, why: str, now: datetime) -> Delivery:
    """What one attempt has made of it."""
    attempts, done_at = each.attempts + 1, max(now, each.at)
    if why == GONE:
        return replace(each, state=DeliveryState.FAILED, attempts=attempts, done_at=done_at, why=why)
    if not why:
        return replace(each, state=DeliveryState.SENT, attempts=attempts, done_at=done_at, why="")
    if attempts >= ATTEMPTS:
        return replace(each, state=DeliveryState.FAILED, attempts=attempts, done_at=done_at, why=why)
    return replace(each, attempts=attempts, why=why)


def new_id() -> str:
    return uuid.uuid4().hex
