"""The routes of acts: each is asked for once by its key, in the rows that commands use as well, and answered by what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import anyio
import asyncpg
import structlog

from recio.db import closes, limits, page_acts, requests, switches, trades
from recio.db.connection import Connection, transaction
from recio.db.page_acts import Act
from recio.errors import Transient
from recio.messages.alerts import Acknowledge, TryChannels
from recio.messages.controls import (
    HaltLevel,
    HaltRequest,
    HaltVerification,
    ResumeRequest,
    Switch,
    TradingControls,
)
from recio.messages.orders import Guard
from recio.rules.account.lifecycle import ENDED_TRADES
from recio.rules.account.limits import fault_of_cut, lowered
from recio.settings.risk import RiskSection
from recio.units import Side, Ticker, TradeId
from recio.web import act_bodies as bodies
from recio.web import outcomes, raising
from recio.web.act_bodies import CameOfIt, contracts_of_text, price_of_text
from recio.web.answers import Nothing
from recio.web.gate import By, Visitor
from recio.web.interface import Asked, May, Route
from recio.web.logins import Role
from recio.web.outcomes import SoFar
from recio.web.refusals import NotAsked

log: structlog.stdlib.BoundLogger = structlog.get_logger()
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Do = Callable[[Connection], Awaitable[int | None]]
Made: TypeAlias = "Asked[Nothing, Any, Nothing]"

ANSWER_WITHIN = 10.0
"""Host seconds after which a request for a trade has expired."""
LATE_AFTER = timedelta(seconds=ANSWER_WITHIN + 2)
SETTLES_WITHIN = 3.0
"""Host seconds for which an answer waits for an act to come to its end."""
LOOK_EVERY = 0.2
ROWS_WITHIN = 2.0
"""Host seconds that a halt waits for its row of the page: it does not need it."""
REMEMBERED = 256
DONE = {HaltLevel.HALT: "halted", HaltLevel.FLATTEN: "flattened", HaltLevel.STOP: "stopped"}
HALTS = tuple(each.value for each in HaltLevel)


@dataclass(slots=True, kw_only=True)
class Acting:
    pool: Pool
    halt: Callable[[HaltRequest | ResumeRequest], Awaitable[None]]
    alert: Callable[[Acknowledge | TryChannels], None]
    controls: Callable[[], TradingControls | None]
    proofs: Callable[[], tuple[HaltVerification, ...]]
    now: Callable[[], datetime]
    """Market time."""
    limits: RiskSection
    """Those of the start."""
    strategies: tuple[str, ...]
    """Their names in recio.toml."""
    _halts: dict[str, Act] = field(default_factory=dict[str, Act])
    """By key, what went to the failure detector in this run: a halt does not wait for the database."""

    async def by_rows(self, asked: Made, kind: str, do: Do) -> CameOfIt:
        """Do it in one transaction with the row of its key. Raises NotAsked: 409 for a key of another act, 503."""
        told, by = _told(asked.body), asked.who.name
        if (halt := self._halts.get(asked.body.key)) is not None:  # its row may be on its way
            _refuse_another(halt, kind, told)
        try:
            async with transaction(self.pool) as connection:
                act = await page_acts.before(connection, asked.body.key)
                if act is None:
                    number = await do(connection)
                    await page_acts.keep(connection, asked.body.key, kind, told, by, number)
                    act = await page_acts.find(connection, asked.body.key)
                    log.warning("asked on the page", act=kind, by=by, number=number)
        except Transient as error:
            raise NotAsked(
                503, "the database is away: ask again with the same key, it is done once", 2.0
            ) from error
        assert act is not None
        _refuse_another(act, kind, told)
        return await self._settled(act)

    async def at_once(
        self, asked: Made, kind: str, request: HaltRequest | ResumeRequest, told: dict[str, Any]
    ) -> CameOfIt:
        """A halt or its end: by the wire, with or without a database."""
        key = asked.body.key
        if (act := self._halts.get(key)) is None:
            act = Act(
                key=key,
                kind=kind,
                asked=told,
                asked_by=asked.who.name,
                asked_at=datetime.now(UTC),
                number=None,
            )
            while len(self._halts) >= REMEMBERED:
                del self._halts[next(iter(self._halts))]
            self._halts[key] = (
                act  # before anything is waited for: a second tap at this instant is the same act
            )
            act = await self._begin(act, request)
        _refuse_another(act, kind, told)
        return await self._settled(act)

    async def _begin(self, act: Act, request: HaltRequest | ResumeRequest) -> Act:
        """Ask for it, unless its key has a row of an earlier run: then that one."""
        try:
            if (before := await self._row(act.key)) is not None:
                self._halts[act.key] = before
                return before
            log.warning("asked on the page", act=act.kind, by=act.asked_by)
            await self.halt(request)
        except BaseException:
            self._halts.pop(act.key, None)  # nothing was asked for: the next tap asks
            raise
        await self._keep(act)
        return act

    async def _row(self, key: str) -> Act | None:
        """None also where it cannot be read: then the halt itself is what is set once only."""
        with anyio.move_on_after(ROWS_WITHIN):
            try:
                async with transaction(self.pool) as connection:
                    return await page_acts.find(connection, key)
            except Transient:
                pass
        return None

    async def _keep(self, act: Act) -> None:
        try:
            async with transaction(self.pool) as connection:
                await page_acts.keep(connection, act.key, act.kind, act.asked, act.asked_by, None)
        except Transient as error:
            log.warning("an act has no row", act=act.kind, key=act.key, why=str(error))

    async def look(self, key: str) -> CameOfIt:
        """Raises NotAsked: 404, 503."""
        act = self._halts.get(key) or await self._row(key)
        if act is None:
            raise NotAsked(404, f"key = {key!r}: no such act is known")
        return outcomes.told(act, await self._so_far(act))

    async def _settled(self, act: Act) -> CameOfIt:
        """Once it has come to its end, or as it is when patience ends: the address of its key says how it goes on."""
        so_far = await self._so_far(act)
        with anyio.move_on_after(SETTLES_WITHIN):
            while not so_far.finished:
                await anyio.sleep(LOOK_EVERY)
                so_far = await self._so_far(act)
        return outcomes.told(act, so_far)

    def limits_now(self) -> RiskSection:
        """Those of the start, less what was lowered since."""
        controls = self.controls()
        return lowered(self.limits, controls.lowered if controls else ())

    async def _so_far(self, act: Act) -> SoFar:
        told = dict(act.asked)
        if act.kind in HALTS:
            return outcomes.of_halt(told, self.controls(), self.proofs())
        if act.kind == "resume":
            return outcomes.of_resume(told, self.controls())
        if act.kind == "switch":
            return outcomes.of_switch(told, self.controls())
        if act.kind == "lower":
            return outcomes.of_lower(told, self.limits, self.controls())
        if act.kind == "raise":
            sentence = raising.granted(str(told["limit"]), Decimal(told["amount"]), self.limits_now())
            return SoFar(finished=True, worked=True, sentence=sentence)
        if act.kind not in ("close", "trade") or act.number is None:
            return SoFar(
                finished=True,
                worked=True,
                sentence="handed to the alerts: their table shows what became of it",
            )
        try:
            async with transaction(self.pool) as connection:
                if act.kind == "close":
                    return await outcomes.of_close(connection, act.number)
                is_late = datetime.now(UTC) - act.asked_at > LATE_AFTER
                return await outcomes.of_trade(connection, act.number, is_late=is_late)
        except Transient as error:
            raise NotAsked(503, "the database is away: what came of it is not known yet", 2.0) from error


def acting_routes(acting: Acting) -> list[Route]:
    """Every act, and the way to what came of one."""
    by_rows = (
        ("close", bodies.CloseAct, _close),
        ("trade", bodies.TradeAct, _trade),
        ("switch", bodies.SwitchAct, _switch),
        ("lower", bodies.LowerAct, _lower),
        ("raise", bodies.RaiseAct, _raise),
        ("acknowledge", bodies.AcknowledgeAct, _acknowledge),
        ("test-alert", bodies.AlertTestAct, _try_channels),
    )
    return [
        *(_route(name, body, do, may) for name, body, do, may in _halting(acting)),
        *(_route(name, body, partial(do, acting), May.OPERATOR) for name, body, do in by_rows),
        Route(
            method="GET",
            path="/limits/raise",
            name="see_raise",
            summary="What a limit would become, and what could then be lost at most",
            gives=raising.Raise,
            do=partial(_see_raise, acting),
            query=raising.RaiseQuery,
            refusals=(409,),
        ),
        Route(
            method="GET",
            path="/outcomes/{key}",
            name="outcome",
            summary="What came of an act",
            gives=CameOfIt,
            do=partial(_look, acting),
            parts=bodies.ActPath,
            refusals=(404,),
        ),
    ]


def _route(name: str, body: type[bodies.Act], do: Callable[[Any], Awaitable[CameOfIt]], may: May) -> Route:
    return Route(
        method="POST",
        path=f"/acts/{name}",
        name=f"act_{name.replace('-', '_')}",
        summary=(body.__doc__ or name).strip(),
        gives=CameOfIt,
        do=do,
        may=may,
        body=body,
        refusals=(404, 409),
    )


async def _close(acting: Acting, asked: Asked[Nothing, bodies.CloseAct, Nothing]) -> CameOfIt:
    body = asked.body

    async def do(connection: Connection) -> int:
        try:
            trade = await trades.one(connection, TradeId(body.trade_id))
        except KeyError:
            raise NotAsked(404, f"trade_id = {body.trade_id}: there is no such trade") from None
        if trade.state in ENDED_TRADES:
            raise NotAsked(409, f"trade_id = {body.trade_id}: it has ended by {trade.ended_by}")
        floor = None if body.min_price is None else price_of_text(body.min_price)
        await closes.ask(connection, TradeId(body.trade_id), floor, asked.who.name, body.why)
        return body.trade_id

    return await acting.by_rows(asked, "close", do)


async def _trade(acting: Acting, asked: Asked[Nothing, bodies.TradeAct, Nothing]) -> CameOfIt:
    body = asked.body
    if wrong := body.contradiction():
        raise NotAsked(409, wrong)

    async def do(connection: Connection) -> int:
        return await requests.ask(
            connection,
            Ticker(body.ticker),
            Side(body.side),
            contracts_of_text(body.contracts),
            price_of_text(body.max_price),
            asked.who.name,
            body.why,
            ANSWER_WITHIN,
            _guard(body),
        )

    return await acting.by_rows(asked, "trade", do)


async def _switch(acting: Acting, asked: Asked[Nothing, bodies.SwitchAct, Nothing]) -> CameOfIt:
    body, strategy = asked.body, asked.body.strategy or ""
    if strategy and body.name != Switch.ENTRY:
        raise NotAsked(409, 'strategy goes with name = "entry": exits are switched for all')
    if strategy and strategy not in acting.strategies:
        raise NotAsked(404, f"strategy = {strategy!r}: choose {', '.join(acting.strategies)}")

    async def do(connection: Connection) -> None:
        now, by = acting.now(), asked.who.name
        await switches.turn(connection, Switch(body.name), body.is_on, now, by, body.why, strategy)

    return await acting.by_rows(asked, "switch", do)


async def _lower(acting: Acting, asked: Asked[Nothing, bodies.LowerAct, Nothing]) -> CameOfIt:
    body, amount = asked.body, Decimal(asked.body.amount)

    async def do(connection: Connection) -> None:
        if wrong := fault_of_cut(acting.limits_now(), body.limit, amount):
            raise NotAsked(409, wrong)
        if not await limits.cut(connection, body.limit, amount, asked.who.name, body.why):
            raise NotAsked(409, f"amount = {body.amount}: {body.limit} is no higher already")

    return await acting.by_rows(asked, "lower", do)


async def _raise(acting: Acting, asked: Asked[Nothing, bodies.RaiseAct, Nothing]) -> CameOfIt:
    body, amount = asked.body, Decimal(asked.body.amount)

    async def do(connection: Connection) -> None:
        await limits.hold(connection)
        now = await raising.look(connection, acting.limits, body.limit, amount)
        if now.sentence != body.shown:
            raise NotAsked(409, f"shown: it is no longer so, and nothing was granted. Now {now.sentence}")
        await limits.grant(connection, [(body.limit, amount)], asked.who.name)

    return await acting.by_rows(asked, "raise", do)


async def _see_raise(acting: Acting, asked: Asked[raising.RaiseQuery, Nothing, Nothing]) -> raising.Raise:
    return await raising.seen(acting.pool, acting.limits, asked.query.limit, Decimal(asked.query.amount))


async def _acknowledge(acting: Acting, asked: Asked[Nothing, bodies.AcknowledgeAct, Nothing]) -> CameOfIt:
    async def do(_connection: Connection) -> None:
        acting.alert(Acknowledge(cause=asked.body.cause, by=asked.who.name))

    return await acting.by_rows(asked, "acknowledge", do)


async def _try_channels(acting: Acting, asked: Asked[Nothing, bodies.AlertTestAct, Nothing]) -> CameOfIt:
    async def do(_connection: Connection) -> None:
        acting.alert(TryChannels(by=asked.who.name))

    return await acting.by_rows(asked, "test-alert", do)


async def _look(acting: Acting, asked: Asked[Nothing, Nothing, bodies.ActPath]) -> CameOfIt:
    return await acting.look(asked.path.key)


def _halting(acting: Acting) -> list[tuple[str, type[bodies.Act], Callable[[Any], Awaitable[CameOfIt]], May]]:
    def of(level: HaltLevel) -> Callable[[Any], Awaitable[CameOfIt]]:
        async def do(asked: Made) -> CameOfIt:
            if level is HaltLevel.HALT:
                _insist_on_a_hand(asked.who)
            why = f": {asked.body.why}" if asked.body.why else ""
            cause = f"{DONE[level]} by {asked.who.name}{why}"
            request = HaltRequest(level=level, cause=cause, by=asked.who.name, at=acting.now())
            return await acting.at_once(asked, level.value, request, {"cause": cause})

        return do

    async def resume(asked: Asked[Nothing, bodies.ResumeAct, Nothing]) -> CameOfIt:
        if wrong := asked.body.contradiction():
            raise NotAsked(409, wrong)
        request = asked.body.request(asked.who.name, acting.now())
        return await acting.at_once(asked, "resume", request, asked.body.told())

    return [
        ("halt", bodies.HaltAct, of(HaltLevel.HALT), May.READER),
        ("flatten", bodies.FlattenAct, of(HaltLevel.FLATTEN), May.OPERATOR),
        ("stop", bodies.StopAct, of(HaltLevel.STOP), May.OPERATOR),
        ("resume", bodies.ResumeAct, resume, May.OPERATOR),
    ]


def _insist_on_a_hand(visitor: Visitor) -> None:
    """Anybody at this machine may halt; from elsewhere only operators."""
    if visitor.by is not By.LOOPBACK and visitor.role is not Role.OPERATOR:
        raise NotAsked(403, "a reader halts at the machine only: log in as an operator")


def _guard(body: bodies.TradeAct) -> Guard | None:
    if body.guard == "exit":
        return None
    stop, goal = (
        None if each is None else price_of_text(each) for each in (body.stop_price, body.take_profit)
    )
    return Guard(stop_price=stop, take_profit=goal)


def _told(body: bodies.Act) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude={"key", "confirm"})


def _refuse_another(act: Act, kind: str, told: Mapping[str, Any]) -> None:
    if act.kind != kind or dict(act.asked) != dict(told):
        raise NotAsked(409, f"key = {act.key!r}: it was used for another act ({act.kind}); draw a new one")
