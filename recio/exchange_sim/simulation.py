"""Runs the venue in steps of 50 ms of its own time, and what traders do between them; it never waits and sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recio.exchange_sim.engine.account import Account
from recio.exchange_sim.engine.execution import publish_ticker
from recio.exchange_sim.engine.order_entry import expire
from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.candle_recorder import CandleRecorder
from recio.exchange_sim.market.events import IndexPrinted, IndexTicked
from recio.exchange_sim.market.index import TICK_MS, IndexPath
from recio.exchange_sim.market.interventions import Interventions
from recio.exchange_sim.market.lifecycle import MarketCalendar
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.retention import Retention
from recio.exchange_sim.market.series import SHARD, Kind, SeriesSpec, Timetable, chosen
from recio.exchange_sim.order_flow.ladder_order_flow import LadderOrderFlow
from recio.exchange_sim.order_flow.window_order_flow import STEP_MS, WindowOrderFlow

HISTORY_SECONDS = 3_600
TICKER_MS = 1_000
INDEX_TICK_MS = 200


class Simulation:
    """The venue and everything that moves it except its clients."""

    def __init__(
        self,
        *,
        seed: int,
        instance: str,
        now_ms: int,
        series: Iterable[str],
        timetable: Timetable | None = None,
        balance: int,
        user_id: str,
        traders: bool,
        other_users: Sequence[str] = (),
    ) -> None:
        """`balance` is what each member begins with, the first and those of `other_users`."""
        table = timetable or Timetable()
        start_ms = now_ms // STEP_MS * STEP_MS
        self.specs = chosen(tuple(series), table)
        account = Account(user_id=user_id, cash={0: 0, SHARD: balance}, deposits=balance)
        horizon = account.horizon
        paths = _paths(seed, self.specs, start_ms, table)
        self.listings = Listings(markets={}, indices={path.asset.index_id: path for path in paths})
        self.venue = Venue(account=account, markets=self.listings.markets, instance=instance, now_ms=start_ms)
        for user in other_users:
            cash = {0: 0, SHARD: balance}
            self.venue.admit(Account(user_id=user, cash=cash, deposits=balance, horizon=horizon))
        self.venue.pauses = Pauses(weekly=table.weekly_pause)
        self.started_ms = start_ms
        self._stepped_ms = start_ms
        self.retention = Retention(
            self.venue, self.listings, history_ms=table.history_seconds * 1000, most=table.kept_markets
        )
        self.retention.step()
        self.calendar = MarketCalendar(self.venue, self.listings, self.specs, self.retention)
        self.interventions = Interventions(self.venue, self.listings, self.calendar)
        self._acting: list[WindowOrderFlow | LadderOrderFlow] = []
        """Those who act between two steps."""
        self.candle_recorder = CandleRecorder(self.venue, self.listings)
        self.order_flows = (
            {spec.ticker: _order_flow(self.venue, self.listings, seed, spec) for spec in self.specs}
            if traders
            else {}
        )

    def advance(self, to_ms: int, *, most_steps: int) -> bool:
        """Take the steps that are due, at most so many. True when the venue has caught up."""
        for _ in range(most_steps):
            if self._stepped_ms + STEP_MS > to_ms:
                break
            self._act_until(self._stepped_ms + STEP_MS - 1)
            self._stepped_ms += STEP_MS
            self._step(self._stepped_ms)
        caught_up = self._stepped_ms + STEP_MS > to_ms
        if caught_up:
            self._act_until(to_ms)
            # What a client does between two steps is stamped with its own time, not the step's.
            self.venue.now_ms = max(self.venue.now_ms, to_ms)
        return caught_up

    def _act_until(self, to_ms: int) -> None:
        """Whatever traders do up to this moment, each at its own millisecond; nothing once a pause has begun."""
        if self.venue.trading_paused(self.venue.now_ms):
            self._acting = []
        while self._acting:
            first = min(self._acting, key=_due_ms)
            if first.due_ms > to_ms:
                return
            self.venue.now_ms = max(self.venue.now_ms, int(first.due_ms))
            first.act()

    def _step(self, now_ms: int) -> None:
        venue = self.venue
        venue.now_ms = max(venue.now_ms, now_ms)
        if now_ms % TICK_MS == 0:
            self._move_indices(now_ms)
        self.calendar.step()
        expire(venue)
        self._trade(now_ms)
        if now_ms % TICKER_MS == 0:
            self._every_second()

    def _move_indices(self, now_ms: int) -> None:
        fast = now_ms % INDEX_TICK_MS == 0
        for name, path in self.listings.indices.items():
            printed = path.tick(now_ms)
            if printed is not None:
                self.venue.emit(IndexPrinted(now_ms // 1000, printed, name))
            if fast:
                self.venue.emit(IndexTicked(name, path.value_e8, now_ms, path.exact_e8))

    def _trade(self, now_ms: int) -> None:
        self._acting = []
        if not self.order_flows or self.venue.trading_paused(now_ms):
            return
        for series, order_flow in self.order_flows.items():
            event = self.calendar.open_event(series)
            if event is not None:
                order_flow.step(event)
                self._acting.append(order_flow)

    def _every_second(self) -> None:
        self.candle_recorder.catch_up()
        for spec in self.specs:
            event = self.calendar.open_event(spec.ticker)
            for market in event.markets if event else ():
                if market.quotes_changed:
                    publish_ticker(self.venue, market)
                    self.candle_recorder.quote(market)
        self.retention.step()


def _paths(seed: int, specs: tuple[SeriesSpec, ...], start_ms: int, table: Timetable) -> list[IndexPath]:
    """A path for every asset that a series settles on, with what came before the start."""
    history = max(HISTORY_SECONDS, table.window_seconds + 120)
    assets = {spec.asset.symbol: spec.asset for spec in specs}
    return [
        IndexPath(seed, start_second=start_ms // 1000, history_seconds=history, asset=asset)
        for asset in assets.values()
    ]


def _due_ms(order_flow: WindowOrderFlow | LadderOrderFlow) -> float:
    return order_flow.due_ms


def _order_flow(
    venue: Venue, listings: Listings, seed: int, spec: SeriesSpec
) -> WindowOrderFlow | LadderOrderFlow:
    return (WindowOrderFlow if spec.kind is Kind.WINDOW else LadderOrderFlow)(venue, listings, seed, spec)
