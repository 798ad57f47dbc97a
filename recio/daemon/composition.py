"""The composition: every task with all that it may touch; the one file that knows them all, and it runs none.

Adding a task is one function here; in which order they stop stands in `recio/daemon/app.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import aiohttp
import asyncpg

from recio.alerting.dispatcher import Dispatcher
from recio.daemon import data_dir
from recio.daemon.push_key import push_setup
from recio.daemon.venue import Venue
from recio.db.placement import disks_of
from recio.db.pool import AccountLock
from recio.db.trade_store import Writer
from recio.kalshi.rest import KalshiRest
from recio.measurements import Measurements
from recio.messages.controls import Halt
from recio.messages.markets import Traded
from recio.recording.decode import RECORDING
from recio.recording.encode import Encoder
from recio.recording.instants import instant_of
from recio.recording.segments import Segments
from recio.rules.decision.strategy import Strategy, named_by_config, of_the_forgotten
from recio.settings.config import Config
from recio.settings.strategies import Stage
from recio.supervisor import HealthByTask, Run
from recio.tasks.account_sync import AccountSync
from recio.tasks.alerts import Alerts
from recio.tasks.discovery import Discovery
from recio.tasks.entry import Entry
from recio.tasks.executor import Executor
from recio.tasks.exit import Exit
from recio.tasks.failure_detector import FailureDetector
from recio.tasks.kill_switch import KillSwitch
from recio.tasks.market_sync import MarketSync
from recio.tasks.price_feed import PriceFeed
from recio.tasks.recorder import Recorder
from recio.tasks.shadow import Shadow
from recio.tasks.status_http import StatusHttp
from recio.tasks.trade_manager import TradeManager
from recio.web.logins import FILE as LOGINS
from recio.web.logins import LoginsFile
from recio.web.market_history import Seen
from recio.web.metrics import exposition
from recio.web.push_devices import PushDevices
from recio.web.reach import reach_of
from recio.web.snapshot import Facts, snapshot
from recio.wires import Wires


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Everything a companion of the daemon (the demo's narrator) may look at."""

    config: Config
    venue: Venue
    wires: Wires
    task_health: HealthByTask
    rest: KalshiRest
    pool: asyncpg.Pool[asyncpg.Record]
    strategies: tuple[Strategy, ...]
    """The common one first."""
    measurements: Measurements = field(default_factory=Measurements)
    unwritten: list[Halt] = field(default_factory=list[Halt])
    """Halts that are in force and have no row yet; they outlive the run whose database went."""


def decider_tasks(daemon: Daemon, session: aiohttp.ClientSession) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "price_feed",
            PriceFeed(
                session=session,
                pool=daemon.pool,
                clock=venue.clock,
                settings=config.prices,
                urls=venue.price_urls,
                symbols=config.symbols,
                index=wires.index,
                prices=wires.prices,
            ).run,
        ),
        (
            "exit",
            Exit(
                clock=venue.clock,
                strategies=daemon.strategies,
                prices=wires.prices,
                board=wires.board,
                open_trades=wires.open_trades,
                controls=wires.controls,
                close_intents=wires.close_intents,
                cycles=wires.cycles,
                pool=daemon.pool,
            ).run,
        ),
        (
            "entry",
            Entry(
                clock=venue.clock,
                strategies=daemon.strategies,
                limits=config.risk,
                prices=wires.prices,
                board=wires.board,
                account=wires.account,
                open_trades=wires.open_trades,
                controls=wires.controls,
                assessments=wires.assessments,
                open_intents=wires.open_intents,
                cycles=wires.cycles,
                paper_trades=wires.paper_trades,
                shadow_intents=wires.shadow_intents,
                pool=daemon.pool,
            ).run,
        ),
    ]


def shadow_tasks(daemon: Daemon) -> list[tuple[str, Run]]:
    """Only where there is a shadow."""
    shadows, wires = [each for each in daemon.strategies if each.stage is Stage.SHADOW], daemon.wires
    shadow = Shadow(
        pool=daemon.pool,
        rest=daemon.rest,
        clock=daemon.venue.clock,
        strategies=shadows,
        board=wires.board,
        prices=wires.prices,
        account=wires.account,
        limits=daemon.config.risk,
        controls=wires.controls,
        shadow_intents=wires.shadow_intents,
        paper_trades=wires.paper_trades,
        shadow_scores=wires.shadow_scores,
        cycles=wires.cycles,
    )
    return [("shadow", shadow.run)] if shadows else []


def recorder_tasks(daemon: Daemon) -> list[tuple[str, Run]]:
    """Keeps what those who decide have seen, if that is wanted: it outlives them, to keep their last cycles."""
    config, wires = daemon.config, daemon.wires
    if not config.recorder.enabled:
        return []
    recorder = Recorder(
        clock=daemon.venue.clock,
        encoder=Encoder(limits=config.risk, strategies=daemon.strategies, symbols=tuple(config.symbols)),
        segments=Segments.under(data_dir.place_of(config), config.recorder),
        cycles=wires.cycles,
        market_ends=wires.market_ends,
        rest=daemon.rest,
    )
    return [("recorder", recorder.run)]


def alert_tasks(daemon: Daemon, dispatcher: Dispatcher) -> list[tuple[str, Run]]:
    """Calls somebody. The dispatcher outlives the run."""
    config, wires = daemon.config, daemon.wires
    push = push_setup(config)
    logins = LoginsFile(data_dir.place_of(config) / LOGINS)
    alerts = Alerts(
        pool=daemon.pool,
        clock=daemon.venue.clock,
        config=config,
        strategies=daemon.strategies,
        dispatcher=dispatcher,
        task_health=daemon.task_health,
        disks=disks_of(data_dir.place_of(config)),
        controls=wires.controls,
        open_trades=wires.open_trades,
        account=wires.account,
        board=wires.board,
        prices=wires.prices,
        assessments=wires.assessments,
        alert_requests=wires.alert_requests,
        alerts=wires.alerts,
        devices=None if push is None else PushDevices(setup=push, logins=logins).channels,
    )
    return [("alerts", alerts.run)]


def sender_tasks(daemon: Daemon, lock: AccountLock) -> list[tuple[str, Run]]:
    return [
        (
            "executor",
            Executor(
                rest=daemon.rest,
                clock=daemon.venue.clock,
                may_send=lock.is_proven,
                controls=daemon.wires.controls,
                order_group=daemon.wires.order_group,
                orders=daemon.wires.orders,
                outcomes=daemon.wires.outcomes,
                measurements=daemon.measurements,
            ).run,
        )
    ]


def listener_tasks(daemon: Daemon, session: aiohttp.ClientSession, writer: Writer) -> list[tuple[str, Run]]:
    """Who hears the venue: they outlive those who decide and those who send."""
    return [*_of_markets(daemon, session), *_of_the_account(daemon, writer)]


def _of_markets(daemon: Daemon, session: aiohttp.ClientSession) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "market_sync",
            MarketSync(
                session=session,
                venue_clock=daemon.rest.venue_clock,
                key_proof=daemon.rest.key_proof,
                signer=venue.signer,
                ws_url=venue.ws_url,
                clock=venue.clock,
                venue=config.kalshi,
                traded=_traded(config),
                use_index=config.prices.use_index,
                listings=wires.listings,
                open_trades=wires.open_trades,
                prints_before=wires.index,
                board=wires.board,
                index=wires.index,
                account_hints=wires.account_hints,
                market_ends=wires.market_ends,
                market_news=wires.market_news,
                books_to_compare=wires.books_to_compare,
                rest_books=wires.rest_books,
                private_stream=wires.private_stream,
                rest_index=wires.rest_index,
            ).run,
        ),
        (
            "discovery",
            Discovery(
                pool=daemon.pool,
                rest=daemon.rest,
                clock=venue.clock,
                settings=config.market,
                traded=_traded(config),
                open_trades=wires.open_trades,
                market_news=wires.market_news,
                known_before=wires.listings,
                listings=wires.listings,
                books_to_compare=wires.books_to_compare,
                rest_books=wires.rest_books,
                use_index=config.prices.use_index,
                index=wires.index,
                rest_index=wires.rest_index,
            ).run,
        ),
    ]


def _of_the_account(daemon: Daemon, writer: Writer) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "account_sync",
            AccountSync(
                pool=daemon.pool,
                rest=daemon.rest,
                clock=venue.clock,
                venue=config.kalshi,
                deadline_seconds=config.risk.max_send_delay_seconds,
                began_at=venue.clock.utc(),
                tag=writer.tag,
                account_hints=wires.account_hints,
                board=wires.board,
                listings=wires.listings,
                open_trades=wires.open_trades,
                venue_facts=wires.venue_facts,
                account=wires.account,
                forgotten_strategy=of_the_forgotten(daemon.strategies),
            ).run,
        ),
        (
            "kill_switch",
            KillSwitch(
                pool=daemon.pool,
                rest=daemon.rest,
                clock=venue.clock,
                limits=config.risk,
                tag=writer.tag,
                board=wires.board,
                open_trades=wires.open_trades,
                controls=wires.controls,
                halt_verifications=wires.halt_verifications,
                order_group=wires.order_group,
            ).run,
        ),
    ]


def _traded(config: Config) -> tuple[Traded, ...]:
    return tuple(
        Traded(series=series, symbol=symbol, index_id=config.symbols[symbol].index)
        for series, symbol in config.series.items()
    )


def keeper_tasks(daemon: Daemon, writer: Writer) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "trade_manager",
            TradeManager(
                pool=daemon.pool,
                clock=venue.clock,
                limits=config.risk,
                budgets={each.name: each.budget for each in daemon.strategies if each.budget is not None},
                writer=writer,
                account=wires.account,
                board=wires.board,
                open_intents=wires.open_intents,
                close_intents=wires.close_intents,
                outcomes=wires.outcomes,
                venue_facts=wires.venue_facts,
                open_trades=wires.open_trades,
                orders=wires.orders,
                measurements=daemon.measurements,
            ).run,
        ),
        (
            "failure_detector",
            FailureDetector(
                pool=daemon.pool,
                clock=venue.clock,
                config=config,
                task_health=daemon.task_health,
                depths=wires.depths,
                disks=disks_of(data_dir.place_of(config)),
                prices=wires.prices,
                board=wires.board,
                listings=wires.listings,
                account=wires.account,
                open_trades=wires.open_trades,
                halt_requests=wires.halt_requests,
                controls=wires.controls,
                measurements=daemon.measurements,
                unwritten=daemon.unwritten,
            ).run,
        ),
        ("status_http", _status_page(daemon).run),
    ]


def _status_page(daemon: Daemon) -> StatusHttp:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    facts = Facts(
        config=config,
        strategies=daemon.strategies,
        account=venue.account[:8],
        started_at=venue.clock.utc(),
        limits=daemon.rest.limits.view,
    )
    root = data_dir.place_of(config)
    return StatusHttp(
        reach=reach_of(config.status, root),
        logins=LoginsFile(root / LOGINS),
        session_hours=config.status.session_hours,
        clock=venue.clock,
        token=data_dir.halt_token(root),
        controls=wires.controls,
        halt_requests=wires.halt_requests,
        halt_verifications=wires.halt_verifications,
        alert_requests=wires.alert_requests,
        alerts=wires.alerts,
        push=push_setup(config),
        status=lambda whole: snapshot(wires, daemon.task_health, facts, venue.clock, whole_board=whole),
        pool=daemon.pool,
        clients=set(),
        metrics=lambda: exposition(wires, daemon.task_health, facts, venue.clock, daemon.measurements),
        limits=config.risk,
        recorded=partial(instant_of, root / RECORDING, timedelta(minutes=config.recorder.segment_minutes)),
        strategies=tuple(each.name for each in named_by_config(daemon.strategies)),
        measurements=daemon.measurements,
        series=config.series,
        strikes=facts.strikes,
        seen=lambda: Seen(
            board=wires.board.get(),
            prices=wires.prices.get(),
            assessments=wires.assessments.get(),
            trades=wires.open_trades.get(),
            paper=wires.paper_trades.get() or {},
        ),
    )
