"""What calls for somebody, from what is known at one moment: each cause once, with what to do; it tells nobody and stops nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recio.messages.account import AccountView
from recio.messages.alerts import Alarm, Severity
from recio.messages.backups import BackupsSeen
from recio.messages.controls import BY_COMMAND, Halt, HaltLevel, RootCause, TradingControls
from recio.messages.decisions import Assessments
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades, OrderState, TradeView
from recio.messages.prices import Prices, SourceState, SourceView
from recio.rules.account.cash import cash_cause
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.account.reconcile import difference_cause
from recio.rules.alerts import backups, disk, lanes
from recio.rules.decision.guard import why_unguarded
from recio.rules.decision.strategy import Strategy, named
from recio.rules.market.quotes import bid_of, market_on
from recio.rules.price.coin_price import INDEX
from recio.settings.alerts import AlertsSection
from recio.settings.config import Config, Mode
from recio.settings.strategies import Stage
from recio.units import Money, money_decimal, notional

COMPUTED = "failure_detector"
"""Who sets a halt that no person asked for."""
KEY_REFUSED = "refuses the API key"
TOO_OLD = "deprecated"
"""In the venue's word for a request that it takes no more."""
TOLD_OTHERWISE = frozenset(
    {"position differs", "order unrecorded", "order unknown", "order unanswered", "maintenance"}
)
"""Causes of blocks that have an alarm of their own, or need none."""
OUTSIDE = frozenset({"network away", "venue away", "database trouble", "starting", "venue paused"})
"""Causes that make tasks start anew again and again, and are told themselves."""
PATIENCE = {"starting": 180.0, "no market": 1_800.0, "venue paused": 600.0}
"""Host seconds for causes that usually pass by themselves."""
RESTARTS_WITHIN = timedelta(minutes=10)
NO_ENTRIES = "no entries: "
"""How a cause is told by itself. Where stops are blind the exits matter."""
BY_ITSELF = "trading goes on by itself once it is over"
WHAT_TO_DO = {
    "network away": f"Look at the machine's network; {BY_ITSELF}",
    "venue away": f"Look at the venue's status page and at the machine's network; {BY_ITSELF}",
    "venue paused": f"Nothing to do: {BY_ITSELF}",
    "price sources silent": f"Look at the machine's network and at prices.sources; {BY_ITSELF}",
    "database trouble": f"Look at PostgreSQL and at the disk: systemctl status postgresql, df -h; {BY_ITSELF}",
    "disk nearly full": f"Free space under data_dir: df -h, du -sh; {BY_ITSELF}",
    "clock off": f"Set the machine's clock: timedatectl, chronyc tracking; {BY_ITSELF}",
}
UNDER_A_HALT: Mapping[HaltLevel, str] = {
    HaltLevel.HALT: "Entries are stopped, exits go on.",
    HaltLevel.FLATTEN: "Entries are stopped, and what is held is sold.",
    HaltLevel.STOP: "recio ends: no stop sells what is held until it runs again.",
}
LOOK = "Look at the page's Health view and at journalctl -u recio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What alarms are found in, as it is at one moment; None where nothing is known yet."""

    now: datetime
    speed: float
    config: Config
    strategies: Sequence[Strategy]
    controls: TradingControls | None
    trades: OpenTrades | None
    account: AccountView | None
    board: MarketBoard | None
    prices: Prices | None
    assessments: Assessments | None
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tasks that wait to be started anew, with the fault that ended them."""
    restarts: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each task was started anew in this run."""
    free_bytes: int | None = None
    backups: BackupsSeen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What alarms need of the past."""

    lanes: lanes.Lanes = field(default_factory=lanes.Lanes)
    disk: disk.Samples = ()
    restarts: Mapping[str, int] = field(default_factory=dict[str, int])
    """As they were counted at the last look."""
    began_anew: tuple[tuple[datetime, str], ...] = ()
    """When which task was started anew lately."""


def remember(before: Remembered, seen: Seen) -> Remembered:
    live = {each.name for each in seen.strategies if each.stage is Stage.LIVE}
    said, trades = seen.assessments, seen.trades
    return Remembered(
        lanes=before.lanes
        if said is None
        else lanes.remember(before.lanes, said.rejections, live, trades.entries_by_event if trades else {}),
        disk=disk.remember(before.disk, seen.now, seen.free_bytes),
        restarts=dict(seen.restarts),
        began_anew=_began_anew(before, seen),
    )


def _began_anew(before: Remembered, seen: Seen) -> tuple[tuple[datetime, str], ...]:
    """An outage makes tasks start anew again and again: it counts once, and not at all when it is called for itself."""
    outside = [each.since for each in _from_outside(seen)]
    told = timedelta(seconds=seen.config.alerts.after_seconds * seen.speed)
    if outside and seen.now - min(outside) >= told:
        return ()
    recent = [each for each in before.began_anew if seen.now - each[0] <= RESTARTS_WITHIN * seen.speed]
    for name, count in seen.restarts.items():
        new = max(0, count - before.restarts.get(name, 0))
        last = max((at for at, who in recent if who == name), default=None)
        if outside and new:
            new = int(last is None or seen.now - last >= told)
        recent.extend([(seen.now, name)] * new)
    return tuple(recent)


def alarms(seen: Seen, remembered: Remembered) -> tuple[Alarm, ...]:
    """Everything that calls for somebody now, the gravest kind first."""
    blind = tuple(_blind(seen))
    settings = seen.config.alerts
    return (
        *_halts(seen),
        *_unknown_orders(seen),
        *blind,
        *_key_refused(seen),
        *_too_old(seen),
        *_daily_loss(seen),
        *(_within(each) if blind else each for each in _causes(seen)),
        *_coins(seen),
        *_restarting(seen, remembered),
        *disk.alarms(remembered.disk, settings.min_disk_days),
        *backup_alarms(seen.backups, seen.config),
        *lanes.alarms(remembered.lanes, settings.idle_windows),
    )


def backup_alarms(seen: BackupsSeen | None, config: Config) -> tuple[Alarm, ...]:
    """What is wrong with the backups; nothing while that is not known."""
    if seen is None:
        return ()
    return tuple(backups.alarms(seen, config.alerts, is_live=config.mode is Mode.LIVE))


def database_away(why: str, known: Sequence[TradeView] | None, settings: AlertsSection) -> Alarm:
    """While no run of the daemon has its database: then nobody trades, and no stop can sell. `known`: what is held, None if unknown."""
    what = "; whether anything is held is not known" if known is None else ""
    what = f"; {_positions(known)} without a stop" if known else what
    is_grave = known is None or bool(known)
    return Alarm(
        cause="database away",
        severity=Severity.CRITICAL if is_grave else Severity.WARNING,
        sentence=f"recio waits for its database ({why}){what}",
        resolution=WHAT_TO_DO["database trouble"],
        after=settings.blind_after_seconds if is_grave else settings.after_seconds,
    )


def last_words(fault: str) -> str:
    """Of a daemon that ends by itself."""
    return (
        f"recio ends by itself: {fault}. Positions may be open."
        " Look at journalctl -u recio and at the venue's own page"
    )


def late_words(fault: str) -> str:
    """Of one that could not say so before it ended."""
    return f"recio had ended by itself and could not say so then: {fault}"


def _within(alarm: Alarm) -> Alarm:
    """Told already as the reason of something graver: by itself it calls nobody."""
    return replace(alarm, severity=Severity.WARNING, after=math.inf)


def _halts(seen: Seen) -> Iterator[Alarm]:
    drift = _drift(seen.account)
    for halt in seen.controls.halts if seen.controls else ():
        what = "drift" if halt.cause in drift else "halt"
        yield Alarm(
            cause=f"{what}: {halt.cause}",
            severity=Severity.CRITICAL if halt.by == COMPUTED else Severity.WARNING,
            sentence=_halt_sentence(halt),
            resolution=f"{UNDER_A_HALT[halt.level]} To end it: {halt.resolution}",
        )


def _halt_sentence(halt: Halt) -> str:
    by = "" if halt.by == COMPUTED else f" by {halt.by}"
    cause = halt.cause
    for done in ("halted", "flattened", "stopped"):
        cause = cause.removeprefix(f"{done}{BY_COMMAND}")
    why = cause.removeprefix(": ")
    return f"{halt.level.value}{by}: {why}" if why else f"{halt.level.value}{by}"


def _drift(account: AccountView | None) -> frozenset[str]:
    if account is None:
        return frozenset()
    cash = () if account.cash_difference is None else (cash_cause(account.cash_difference),)
    return frozenset((*map(difference_cause, account.differences), *cash))


def _unknown_orders(seen: Seen) -> Iterator[Alarm]:
    limit = seen.config.health.max_unresolved_order_seconds
    overdue = [
        each
        for each in (seen.trades.orders if seen.trades else ())
        if (seen.now - each.created_at).total_seconds() / seen.speed > limit
    ]
    if overdue:
        first = overdue[0]
        what = "has no proven end" if first.state in UNPROVEN else "lacks some of its fills"
        others = f", and {len(overdue) - 1} more" if len(overdue) > 1 else ""
        yield Alarm(
            cause="unknown order",
            severity=Severity.CRITICAL,
            sentence=f"order {first.client_order_id} on {first.ticker} {what}{others}",
            resolution="Look for it on the venue's own page; entries stay blocked until its end is proven",
        )


def _blind(seen: Seen) -> Iterator[Alarm]:
    """Positions whose stops cannot be judged: how many, worth what, and why."""
    blind = [(each, why) for each in _held(seen.trades) if (why := _why_unguarded(seen, each))]
    if not blind:
        return
    told = [each for each in _causes(seen) if math.isfinite(each.after)]
    because = told[0].sentence.removeprefix(NO_ENTRIES) if told else blind[0][1]
    yield Alarm(
        cause="blind stops",
        severity=Severity.CRITICAL,
        sentence=f"{_positions([each for each, _ in blind], seen.board)} without a stop: {because}",
        resolution="Sell by hand on the venue's own page if it lasts; stops go on by themselves once it is over",
        after=seen.config.alerts.blind_after_seconds,
    )


def _why_unguarded(seen: Seen, trade: TradeView) -> str:
    settings = named(seen.strategies or (Strategy(),), trade.strategy).exit
    return why_unguarded(trade, seen.board, seen.prices, seen.controls, settings, seen.now)


def held_or_bought(trades: OpenTrades) -> tuple[TradeView, ...] | None:
    """What is held; None where nothing is and an order on its way may change that."""
    found = tuple(_held(trades))
    return None if not found and trades.orders else found


def _held(trades: OpenTrades | None) -> Iterator[TradeView]:
    yield from (each for each in (trades.trades if trades else ()) if each.held > 0)


def _positions(trades: Sequence[TradeView], board: MarketBoard | None = None) -> str:
    """How many, and worth what: what their bids would fetch where every one has a bid, and otherwise what they cost."""
    cost = Money(sum(each.entry_cost - each.exit_proceeds for each in trades))
    bids = [_bid_value(each, board) for each in trades]
    known = [each for each in bids if each is not None]
    worth = f"worth ${money_decimal(Money(sum(known))):.2f}, " if len(known) == len(bids) else ""
    count = "1 position" if len(trades) == 1 else f"{len(trades)} positions"
    return f"{count} ({worth}cost ${money_decimal(cost):.2f})"


def _bid_value(trade: TradeView, board: MarketBoard | None) -> Money | None:
    view = None if board is None else market_on(board, trade.ticker)
    quote = None if view is None else bid_of(view, trade.side)
    return None if quote is None else notional(quote[0], trade.held)


def _key_refused(seen: Seen) -> Iterator[Alarm]:
    said = [each for each in seen.faults.values() if KEY_REFUSED in each]
    if said:
        yield Alarm(
            cause="key refused",
            severity=Severity.CRITICAL,
            sentence=f"the venue no longer takes the API key: {said[0]}",
            resolution="Look at the key on the venue's own page; put a new one in place and restart recio",
        )


def _too_old(seen: Seen) -> Iterator[Alarm]:
    for order in seen.trades.recent_orders if seen.trades else ():
        if order.state is OrderState.REJECTED and TOO_OLD in order.note:
            yield Alarm(
                cause="too old",
                severity=Severity.CRITICAL,
                sentence=f"this recio is too old for the venue, which refuses its orders: {order.note}",
                resolution="Install a newer recio; until then no order, and so no stop, gets through",
            )
            return


def _daily_loss(seen: Seen) -> Iterator[Alarm]:
    if seen.trades is None:
        return
    lost, most = -seen.trades.realised_today, seen.config.risk.max_daily_loss_dollars
    if lost > 0 and lost >= most * seen.config.alerts.daily_loss_fraction:
        yield Alarm(
            cause=f"daily loss of {seen.now:%Y-%m-%d}",
            severity=Severity.CRITICAL,
            sentence=f"${money_decimal(Money(lost)):.2f} lost today"
            f" (risk.max_daily_loss_dollars = {money_decimal(most):.2f})",
            resolution="Entries stop by themselves at the limit, until midnight UTC; look at recio report",
        )


def _causes(seen: Seen) -> Iterator[Alarm]:
    """What the failure detector found behind its blocks."""
    grave = Severity.CRITICAL if any(_held(seen.trades)) else Severity.WARNING
    for each in seen.controls.causes if seen.controls else ():
        if each.cause not in TOLD_OTHERWISE and KEY_REFUSED not in each.sentence:
            yield Alarm(
                cause=each.cause,
                severity=Severity.INFO if each.cause == "venue paused" else grave,
                sentence=f"{NO_ENTRIES}{each.cause}: {each.sentence}",
                resolution=WHAT_TO_DO.get(each.cause, f"{LOOK}; {BY_ITSELF}"),
                after=PATIENCE.get(each.cause, seen.config.alerts.after_seconds),
            )


def _coins(seen: Seen) -> Iterator[Alarm]:
    """A coin of which no source is good. Of all coins without any price the failure detector tells; while the settlement
    index carries them nothing is blocked, and it tells of none."""
    sources = (seen.prices or Prices()).sources
    dead = [symbol for symbol, views in sources.items() if views and not _any_good(_of_exchanges(views))]
    priceless = [symbol for symbol in dead if not _any_good(sources[symbol])]
    for symbol in dead:
        if symbol not in priceless:
            sentence = f"no price source of {symbol} is good: its price is the settlement index alone"
        elif len(priceless) < len(sources):
            sentence = f"no source of {symbol} is good: its markets are not traded"
        else:
            continue
        yield Alarm(
            cause=f"no price of {symbol}",
            severity=Severity.WARNING,
            sentence=sentence,
            resolution=f"Look at the page's Markets view and at [symbols.{symbol}]; {BY_ITSELF}",
            after=seen.config.alerts.after_seconds,
        )


def _of_exchanges(views: Sequence[SourceView]) -> Sequence[SourceView]:
    return [each for each in views if each.source != INDEX]


def _any_good(views: Sequence[SourceView]) -> bool:
    return any(each.state is SourceState.GOOD for each in views)


def _from_outside(seen: Seen) -> tuple[RootCause, ...]:
    return tuple(each for each in (seen.controls.causes if seen.controls else ()) if each.cause in OUTSIDE)


def _restarting(seen: Seen, remembered: Remembered) -> Iterator[Alarm]:
    counts: dict[str, int] = {}
    for _, name in remembered.began_anew:
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        if count >= seen.config.alerts.max_restarts:
            fault = seen.faults.get(name)
            yield Alarm(
                cause=f"{name} keeps restarting",
                severity=Severity.WARNING,
                sentence=f"task {name} was started anew {count} times in ten minutes"
                + (f": {fault}" if fault else ""),
                resolution=LOOK,
            )
