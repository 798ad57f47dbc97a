"""WebSocket commands: subscribe, update, list, unsubscribe, with the venue's error table; it sends no events."""

from __future__ import annotations

import time
from collections.abc import Collection
from math import inf

from aiohttp import web

from recio.exchange_sim.engine.execution import figures_of
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.ws.command_bodies import (
    Command,
    CommandError,
    CommandParams,
    check_shards,
    read_command,
    read_params,
)
from recio.exchange_sim.wire.ws.hub import Hub
from recio.exchange_sim.wire.ws.index_frames import index_ids
from recio.exchange_sim.wire.ws.subscriptions import (
    BOOK,
    CHANNELS,
    COMMUNICATIONS,
    FILTERED,
    INDEX_CHANNELS,
    PYTH,
    TICKER,
    Session,
    Subscription,
)

EVERY_INDEX = "all"
_MARKET_ACTIONS = frozenset({"add_markets", "delete_markets", "get_snapshot"})
_INDEX_ACTIONS = frozenset({"subscribe_indices", "unsubscribe_indices", "indexlist"})


class SessionCommands:
    """Answers the commands of every session."""

    def __init__(self, venue: Venue, listings: Listings, hub: Hub) -> None:
        self._venue = venue
        self._listings = listings
        self._hub = hub
        self._rules = hub.rules

    def answer(self, session: Session, text: str) -> None:
        """Carry out one command. Whatever is wrong with it becomes an error message."""
        command = Command()
        try:
            command = read_command(text)
            self._count(session)
            self._carry_out(session, command)
        except CommandError as error:
            about = {} if error.sid is None else {"sid": error.sid}
            message = {"code": error.code, "msg": str(error), **error.about}
            session.say(_envelope("error", command, **about, msg=message))

    def _count(self, session: Session) -> None:
        second = int(time.time())
        if second != session.second:
            session.second, session.commands = second, 0
        session.commands += 1
        if session.commands > self._rules.commands_per_second:
            raise CommandError(27)

    def _carry_out(self, session: Session, command: Command) -> None:
        match command.cmd:
            case "subscribe":
                self._subscribe(session, command, read_params(command))
            case "unsubscribe":
                self._unsubscribe(session, command, read_params(command))
            case "update_subscription":
                self._update(session, command, read_params(command))
            case "list_subscriptions":
                listed = [{"channel": sub.channel, "sid": sub.sid} for sub in session.subscriptions.values()]
                session.say(_envelope("ok", command, msg=listed))
            case _:
                raise CommandError(5)

    def _subscribe(self, session: Session, command: Command, params: CommandParams) -> None:
        """Every channel is acknowledged before the first book is sent."""
        if self._hub.faults.take(FaultKind.REFUSE_SUBSCRIBE):
            raise CommandError(18)
        if not params.channels:
            raise CommandError(3)
        if any(channel not in CHANNELS for channel in params.channels):
            raise CommandError(8)
        wanted = {channel: self._keys(channel, params) for channel in params.channels}
        for channel, keys in wanted.items():
            self._check_room(session.on_channel(channel), keys or ())
        opened = [self._open(session, command, channel, keys, params) for channel, keys in wanted.items()]
        for subscription, fresh in opened:
            self._start(subscription, fresh, params)

    def _keys(self, channel: str, params: CommandParams) -> list[str] | None:
        """The markets or indices that a subscription to this channel will name; None for every one."""
        if channel == PYTH:
            raise CommandError(9 if params.underlying_tickers else 28)
        if channel == COMMUNICATIONS:
            check_shards(params)
        if channel in INDEX_CHANNELS:
            return self._index_keys(params)
        if channel not in FILTERED:
            return None
        if channel == BOOK and not params.tickers():
            raise CommandError(14)
        return self._market_keys(channel, params) or None

    def _index_keys(self, params: CommandParams) -> list[str] | None:
        if not self._rules.index_channels:
            raise CommandError(9)
        named = params.index_ids or []
        if EVERY_INDEX in named:
            return None
        unknown = [name for name in named if name not in index_ids(self._listings)]
        if unknown:
            raise CommandError(11, index_ids=unknown)
        return named

    def _market_keys(self, channel: str, params: CommandParams) -> list[str]:
        """The tickers of the markets that are named by ticker or, on the ticker channel, by id."""
        named = params.tickers()
        unknown = [ticker for ticker in named if ticker not in self._listings.markets]
        if unknown:
            raise CommandError(11, market_tickers=unknown)
        ids = params.ids()
        if not ids:
            return named
        if channel != TICKER:
            raise CommandError(14 if channel == BOOK else 11)
        known = {market.market_id: ticker for ticker, market in self._listings.markets.items()}
        if any(market_id not in known for market_id in ids):
            raise CommandError(11, market_ids=[market_id for market_id in ids if market_id not in known])
        return named + [known[market_id] for market_id in ids]

    def _check_room(self, found: Subscription | None, keys: Collection[str]) -> None:
        held = set[str]() if found is None or found.keys is None else found.keys
        if len(held.union(keys)) > self._rules.most_markets:
            raise CommandError(26, sid=None if found is None else found.sid)

    def _open(
        self, session: Session, command: Command, channel: str, keys: list[str] | None, params: CommandParams
    ) -> tuple[Subscription, list[str] | None]:
        """Acknowledge one channel. A channel that is already subscribed keeps its sid and gets wider."""
        found = session.on_channel(channel)
        fresh = keys
        if found is None:
            named = None if keys is None else set(keys)
            by_id = bool(params.ids())
            found = session.subscribe(
                channel, named, yes_price=self._rules.yes_prices.apply(params.use_yes_price), by_id=by_id
            )
            found.skip_list = params.skip_ticker_ack is True
        elif keys is None:
            session.audience.dismiss(found)
            session.audience.admit(found, None)
        else:
            fresh = [key for key in keys if not found.wants(key)]
            session.audience.widen(found, keys)
        body = {"channel": channel, "sid": found.sid}
        session.say(_envelope("subscribed", command, msg=body))
        return found, fresh

    def _start(self, found: Subscription, fresh: list[str] | None, params: CommandParams) -> None:
        """What a subscription begins with: the books, or the quotes if asked for."""
        if found.channel == BOOK:
            for market in self._named(fresh or ()):
                self._hub.send_snapshot(found, market)
        elif found.channel == TICKER and params.send_initial_snapshot:
            markets = self._listings.active_markets() if fresh is None else self._named(fresh)
            for market in markets:
                self._hub.send_ticker(found, figures_of(self._venue, market))

    def _named(self, tickers: Collection[str]) -> list[Market]:
        return [self._listings.markets[ticker] for ticker in tickers]

    def _unsubscribe(self, session: Session, command: Command, params: CommandParams) -> None:
        if not params.sids:
            raise CommandError(4)
        for sid in params.sids:
            found = _found(session, sid)
            # A numbered reply brings along what is numbered before it.
            found.arrive(inf)
            reply = _envelope("unsubscribed", command, sid=sid, seq=found.number())
            session.say(reply)
            session.end(found)

    def _update(self, session: Session, command: Command, params: CommandParams) -> None:
        sids = [*(params.sids or ()), *(() if params.sid is None else (params.sid,))]
        if len(sids) != 1:
            raise CommandError(12)
        found = _found(session, sids[0])
        try:
            self._act(command, found, params)
        except CommandError as error:
            error.sid = found.sid
            raise

    def _act(self, command: Command, found: Subscription, params: CommandParams) -> None:
        if params.action is None:
            raise CommandError(15)
        if params.action in _MARKET_ACTIONS:
            self._change_markets(command, found, params)
        elif params.action in _INDEX_ACTIONS and found.channel in INDEX_CHANNELS:
            self._change_indices(command, found, params)
        else:
            raise CommandError(13)

    def _change_markets(self, command: Command, found: Subscription, params: CommandParams) -> None:
        if not params.tickers() and not params.ids():
            raise CommandError(14)
        if found.channel not in FILTERED:
            raise CommandError(13)
        named = self._market_keys(found.channel, params)
        if params.action == "get_snapshot":
            self._send_again(command, found, named)
            return
        fresh = list[str]()
        if params.action == "delete_markets":
            found.session.audience.narrow(found, named)
        else:
            self._check_room(found, named)
            fresh = [ticker for ticker in named if not found.wants(ticker)]
            found.session.audience.widen(found, named)
        self._updated(command, found, skip_list=params.skip_ticker_ack is True)
        self._start(found, fresh, params)

    def _send_again(self, command: Command, found: Subscription, named: list[str]) -> None:
        """Books on demand, whether or not the subscription names their markets; it stays as it is."""
        if found.channel != BOOK:
            raise CommandError(13)
        for market in self._named(named):
            self._hub.send_snapshot(found, market, command.id or 0)

    def _updated(self, command: Command, found: Subscription, *, skip_list: bool) -> None:
        """The full list after an update, unless the client asked to be spared it."""
        body: dict[str, object] = {}
        if not (skip_list or found.skip_list):
            tickers = sorted(found.keys or ())
            ids = sorted(market.market_id for market in self._named(tickers)) if found.by_id else []
            body = {"market_ids": ids} if found.by_id else {"market_tickers": tickers}
        found.arrive(inf)
        reply = _envelope("ok", command, sid=found.sid, seq=found.number(), msg=body)
        found.session.say(reply)

    def _change_indices(self, command: Command, found: Subscription, params: CommandParams) -> None:
        if params.action == "indexlist":
            kind = f"{found.channel}_indexlist"
            body: dict[str, object] = {"index_ids": list(index_ids(self._listings))}
        else:
            if not params.index_ids:
                raise CommandError(24)
            self._follow(found, self._index_keys(params), adding=params.action == "subscribe_indices")
            kind = "ok"
            followed = index_ids(self._listings) if found.keys is None else sorted(found.keys)
            body = {"index_ids": list(followed)}
        found.arrive(inf)
        reply = _envelope(kind, command, sid=found.sid, seq=found.number(), msg=body)
        found.session.say(reply)

    def _follow(self, found: Subscription, named: list[str] | None, *, adding: bool) -> None:
        audience = found.session.audience
        if adding and named is not None:
            audience.widen(found, named)
            return
        kept = set(index_ids(self._listings)) if found.keys is None else set(found.keys)
        audience.dismiss(found)
        if adding:
            audience.admit(found, None)
        else:
            audience.admit(found, set() if named is None else kept - set(named))


def _found(session: Session, sid: int) -> Subscription:
    found = session.subscriptions.get(sid)
    if found is None:
        raise CommandError(7)
    return found


def _envelope(kind: str, command: Command, **rest: object) -> dict[str, object]:
    """The reply's frame; an id of 0 counts as none."""
    head: dict[str, object] = {"type": kind}
    if command.id:
        head["id"] = command.id
    return head | rest


COMMANDS = web.AppKey("commands", SessionCommands)
