"""WebSocket commands: subscribe, update, list, unsubscribe, with the venue's error table; it sends no events."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.matching.execution import publish_ticker
from recio.exchange_sim.venue import Venue
from recio.exchange_sim.ws.frames import INDEX_ID
from recio.exchange_sim.ws.hub import Hub
from recio.exchange_sim.ws.subscriptions import CHANNELS, Session, Subscription


class Params(msgspec.Struct):
    channels: list[str] | None = None
    market_ticker: str | None = None
    market_tickers: list[str] | None = None
    use_yes_price: bool = False
    index_ids: list[str] | None = None
    sid: int | None = None
    sids: list[int] | None = None
    action: str | None = None
    send_initial_snapshot: bool = False

    def tickers(self) -> list[str]:
        named = list(self.market_tickers or [])
        if self.market_ticker and self.market_ticker not in named:
            named.append(self.market_ticker)
        return named


class Command(msgspec.Struct):
    cmd: str = ""
    id: int = 0
    params: Params | None = None


class CommandError(Exception):
    """A command that the venue answers with a numbered error."""

    def __init__(self, code: int, text: str, **about: object) -> None:
        super().__init__(text)
        self.code = code
        self.about = about


_decoder = msgspec.json.Decoder(Command)


class CommandDesk:
    """Answers the commands of every session."""

    def __init__(self, venue: Venue, hub: Hub) -> None:
        self._venue = venue
        self._hub = hub

    def answer(self, session: Session, text: str) -> None:
        """Carry out one command. Whatever is wrong with it becomes an error message."""
        command = Command()
        try:
            try:
                command = _decoder.decode(text)
            except (msgspec.DecodeError, UnicodeEncodeError) as error:
                raise CommandError(1, "unable to process message") from error
            self._carry_out(session, command)
        except CommandError as error:
            message = {"code": error.code, "msg": str(error), **error.about}
            session.send_object(_envelope("error", command, msg=message))

    def _carry_out(self, session: Session, command: Command) -> None:
        match command.cmd:
            case "subscribe":
                self._subscribe(session, command, _params(command))
            case "unsubscribe":
                self._unsubscribe(session, command, _params(command))
            case "update_subscription":
                self._update(session, command, _params(command))
            case "list_subscriptions":
                listed = [{"channel": sub.channel, "sid": sub.sid} for sub in session.subscriptions.values()]
                session.send_object(_envelope("ok", command, msg=listed))
            case _:
                raise CommandError(5, "unknown command")

    def _subscribe(self, session: Session, command: Command, params: Params) -> None:
        if not params.channels:
            raise CommandError(3, "channels required")
        for channel in params.channels:
            if channel not in CHANNELS:
                raise CommandError(8, "unknown channel name")
        if "orderbook_delta" in params.channels and not params.tickers():
            raise CommandError(14, "market ticker required")
        if "cfbenchmarks_value" in params.channels and INDEX_ID not in (params.index_ids or ()):
            raise CommandError(24, "index ids required")
        self._check_known(params.tickers())
        for channel in dict.fromkeys(params.channels):
            self._open(session, command, channel, params)

    def _open(self, session: Session, command: Command, channel: str, params: Params) -> None:
        """One channel: acknowledged first, then the books it starts from."""
        named = params.tickers()
        found = session.on_channel(channel)
        fresh = [ticker for ticker in named if found is None or not found.wants(ticker)]
        unfiltered = not named or channel in ("market_lifecycle_v2", "cfbenchmarks_value")
        if found is None:
            markets = None if unfiltered else set(named)
            found = session.subscribe(channel, markets, yes_price=params.use_yes_price)
        elif found.markets is not None:
            found.markets |= set(named)
        body = {"channel": channel, "sid": found.sid}
        session.send_object(_envelope("subscribed", command, msg=body))
        self._snapshots(found, fresh)
        if channel == "ticker" and params.send_initial_snapshot:
            for ticker in fresh:
                publish_ticker(self._venue, self._venue.markets[ticker])
            self._hub.publish(self._venue.collect())

    def _unsubscribe(self, session: Session, command: Command, params: Params) -> None:
        if not params.sids:
            raise CommandError(4, "subscription ids required")
        for sid in params.sids:
            found = _found(session, sid)
            session.send_object(_envelope("unsubscribed", command, sid=sid, seq=found.number()))
            session.end(found)

    def _update(self, session: Session, command: Command, params: Params) -> None:
        sids = params.sids or ([] if params.sid is None else [params.sid])
        if len(sids) != 1:
            raise CommandError(12, "exactly one sid required")
        found = _found(session, sids[0])
        named = params.tickers()
        if params.action in ("add_markets", "delete_markets", "get_snapshot") and not named:
            raise CommandError(14, "market ticker required")
        self._check_known(named)
        match params.action:
            case "add_markets":
                fresh = [ticker for ticker in named if not found.wants(ticker)]
                found.markets = None if found.markets is None else found.markets | set(named)
                self._updated(session, command, found)
                self._snapshots(found, fresh)
            case "delete_markets":
                found.markets = (found.markets or set()) - set(named)
                self._updated(session, command, found)
            case "get_snapshot":
                if found.channel != "orderbook_delta":
                    raise CommandError(13, "unsupported action")
                for ticker in named:
                    self._hub.send_snapshot(found, self._venue.markets[ticker], command.id)
            case None:
                raise CommandError(15, "action required")
            case _:
                raise CommandError(13, "unsupported action")

    def _updated(self, session: Session, command: Command, found: Subscription) -> None:
        body = {"market_tickers": sorted(found.markets or ())}
        session.send_object(_envelope("ok", command, sid=found.sid, seq=found.number(), msg=body))

    def _snapshots(self, found: Subscription, tickers: list[str]) -> None:
        if found.channel == "orderbook_delta":
            for ticker in tickers:
                self._hub.send_snapshot(found, self._venue.markets[ticker])

    def _check_known(self, tickers: list[str]) -> None:
        unknown = [ticker for ticker in tickers if ticker not in self._venue.markets]
        if unknown:
            raise CommandError(11, "invalid parameter", market_tickers=unknown)


def _params(command: Command) -> Params:
    if command.params is None:
        raise CommandError(2, "params required")
    return command.params


def _found(session: Session, sid: int) -> Subscription:
    found = session.subscriptions.get(sid)
    if found is None:
        raise CommandError(7, "unknown subscription id")
    return found


def _envelope(kind: str, command: Command, **rest: object) -> dict[str, object]:
    """The reply's frame; an id of 0 counts as none."""
    head: dict[str, object] = {"type": kind}
    if command.id:
        head["id"] = command.id
    return head | rest
