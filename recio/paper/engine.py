"""One cycle for every strategy that trades on paper, at each event: exits, then entries, as live they decide; and what came of the orders.

It asks the rules and keeps the accounts. Where time, books and prices come from is the affair of who feeds it: the shadow
task, the replay of a recorded session, or of the daemon's own recording. Nothing it decides ever leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace as changed

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import BoardChange, MarketBoard, MarketView
from recio.messages.orders import OpenTrades, PlaceOrder, TradeState, TradeView
from recio.messages.prices import Prices
from recio.paper.account import Account
from recio.paper.matching import DELIVERY, MET_AFTER, Answer, meet
from recio.rules.account import risk
from recio.rules.account.limits import lowered
from recio.rules.decision import cycles, entry
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.attention import Attention, ExitAttention
from recio.rules.decision.cycles import NO_CONTROLS, Cycle, EntryCycle, EntryLook
from recio.rules.decision.momentum_pause import Pauses
from recio.rules.decision.strategy import Strategy, named
from recio.rules.market.quotes import ask_on
from recio.rules.market.taken import board_without
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.units import Money, Price, Ticker, TradeId

START_BALANCE = Money(1_000 * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something came of a trade on paper; the trade as it is now."""

    trade: TradeView
    at: datetime
    intent: OpenIntent | CloseIntent | None
    """Whose order was answered; None: the market was settled."""
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An order that has not arrived yet."""

    arrives_at: datetime
    order: PlaceOrder
    intent: OpenIntent | CloseIntent
    strategy: Strategy
    closes_at: datetime


def nobody(_cycle: Cycle) -> None:
    """Told of every decision, and keeps none."""


@dataclass(slots=True, kw_only=True)
class Engine:
    strategies: Sequence[Strategy]
    """All of stage shadow: each has an account of its own, and the balance is one."""
    limits: RiskSection
    told: Callable[[Cycle], None] = nobody
    """Every decision, when it is made."""
    board: MarketBoard | None = None
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    balance: Money = START_BALANCE
    attention: Attention = field(default_factory=Attention)
    exit_attention: ExitAttention = field(default_factory=ExitAttention)
    exits: dict[TradeId, exit_rule.ExitMemory] = field(default_factory=dict[TradeId, exit_rule.ExitMemory])
    under_way: list[_UnderWay] = field(default_factory=list[_UnderWay])
    """The next to arrive first: all of them take as long."""
    happened: list[Happened] = field(default_factory=list[Happened])
    pauses: Mapping[str, Pauses] = field(default_factory=dict[str, Pauses])
    """What each strategy remembers of pauses for momentum."""
    newest: int = 0
    """The id of the newest trade."""
    _paper: Mapping[str, OpenTrades] = field(default_factory=dict[str, OpenTrades])
    _account: AccountView | None = None

    def __post_init__(self) -> None:
        self.accounts = {each.name: self.accounts.get(each.name) or Account() for each in self.strategies}

    def look(
        self, prices: Prices, change: BoardChange, now: datetime, controls: TradingControls = NO_CONTROLS
    ) -> None:
        """Everything that happens at one event; `change` is what is new on `board`, which shows it already."""
        self.see(change.views)
        self.arrive(now)
        self.ask_exits(prices, controls, now)
        while self._ask_entries(prices, change, controls, now):
            # An order changes what the next may want, and live that is looked at as soon as its row is there.
            change = changed(change, views=(), tickers=None)

    def see(self, views: Iterable[MarketView]) -> None:
        """Books that have changed."""
        for account in self.accounts.values():
            if account.marks.levels:
                for view in views:
                    account.see(view)

    def arrive(self, now: datetime) -> None:
        """Orders whose time has come meet the book that is shown."""
        while self.under_way and self.under_way[0].arrives_at <= now:
            sent = self.under_way.pop(0)
            account, strategy = self.accounts[sent.strategy.name], sent.strategy
            is_entry = isinstance(sent.intent, OpenIntent)
            age = strategy.entry.max_book_age_seconds if is_entry else strategy.exit.max_book_age_seconds
            # The book shown now is the one that the venue had a delivery ago, when the order was there.
            answer = meet(sent.order, sent.closes_at, self.board, account.marks, now - DELIVERY, age)
            self._answer(sent, answer, now)

    def give_up(self, note: str, now: datetime) -> None:
        """Nobody knows what the orders under way would have met: they get nothing."""
        for sent in self.under_way:
            self._answer(sent, Answer(note=note), now)
        self.under_way = []

    def _answer(self, sent: _UnderWay, answer: Answer, now: datetime) -> None:
        account = self.accounts[sent.strategy.name]
        before = account.held.trades[account.held.orders[sent.order.client_order_id].trade_id]
        trade = account.answer(sent.order, answer, now)
        self._pay(before, trade)
        self.happened.append(Happened(trade=trade, at=now, intent=sent.intent, answer=answer))

    def settle(self, ticker: Ticker, value: Price, at: datetime) -> None:
        """A market has ended, and one contract of YES pays `value`: what is held of it is paid out."""
        for account in self.accounts.values():
            before = dict(account.held.trades)
            for trade in account.settle(ticker, value, at):
                self._pay(before[trade.trade_id], trade)
                self.happened.append(Happened(trade=trade, at=at, intent=None))

    def _pay(self, before: TradeView, after: TradeView) -> None:
        self.balance = Money(self.balance + after.pnl - before.pnl)
        self._account = None

    def ask_exits(self, prices: Prices | None, controls: TradingControls, now: datetime) -> None:
        """The exit rule over every open trade that something new concerns."""
        for strategy in self.strategies:
            account = self.accounts[strategy.name]
            for trade in tuple(account.held.trades.values()):
                if trade.state is TradeState.OPEN and self.exit_attention.wants(
                    trade, self.board, prices, controls, now
                ):
                    self._ask_exit(trade, strategy, prices, controls, now)

    def _ask_exit(
        self,
        trade: TradeView,
        strategy: Strategy,
        prices: Prices | None,
        controls: TradingControls,
        now: datetime,
    ) -> None:
        account = self.accounts[strategy.name]
        before = self.exits.get(trade.trade_id, exit_rule.NOTHING)
        taken = account.marks.told()
        cycle = cycles.of_exit(trade, self.board, prices, controls, before, strategy, now, taken)
        self.told(cycle)
        remembered = self.exits[trade.trade_id] = cycle.decided.remembered
        next_at = exit_rule.next_moment(trade, remembered, strategy.exit, now)
        self.exit_attention.looked(trade, self.board, prices, controls, next_at)
        outcome = cycle.decided.outcome
        if isinstance(outcome, CloseIntent):
            self.sell(outcome, trade, now)

    def sell(self, intent: CloseIntent, trade: TradeView, now: datetime) -> None:
        """Order what exit wants, if anything is held that is not on its way out already."""
        order = self.accounts[trade.strategy].record_exit(intent, now, self._deadline())
        if order is not None:
            self._send(order, intent, named(self.strategies, trade.strategy), trade.closes_at, now)

    def _ask_entries(
        self, prices: Prices, change: BoardChange, controls: TradingControls, now: datetime
    ) -> bool:
        """Whether anything was ordered."""
        board, account = self.board, self.account_view(now)
        self.pauses = cycles.remember_pauses(prices, self.strategies, self.pauses, now)
        noticed = EntryLook(
            at=now,
            tickers=None,
            board=change,
            prices=prices,
            trades=None,
            paper=self.paper(now),
            account=account,
            controls=controls,
            pauses=self.pauses,
        )
        look = self.attention.look(noticed, board)
        if look.tickers is None:
            self.attention.next_at = min(
                entry.next_moment(cycles.inputs_of(look, board, each), each.entry, now)
                for each in self.strategies
            )
        elif not look.tickers:
            return False
        outcomes = cycles.entered(look, board, self.strategies, self.limits)
        self.told(EntryCycle(look=look, outcomes=outcomes))
        wanted = [each for each in outcomes.values() if isinstance(each, OpenIntent)]
        refused = [self.want(each, account, now, controls) for each in wanted]
        return "" in refused

    def want(
        self,
        intent: OpenIntent,
        account: AccountView | None,
        now: datetime,
        controls: TradingControls = NO_CONTROLS,
    ) -> str:
        """Order what entry wants, unless a limit refuses it by now, as trade_manager and the rows would; says which."""
        strategy, own = named(self.strategies, intent.strategy), self.accounts[intent.strategy]
        rows = own.open_trades(now)
        ask = ask_on(board_without(self.board, rows.taken), intent.ticker, intent.side)
        exposure = risk.Exposure(trades=rows, account=account, ask=ask)
        limits = lowered(self.limits, controls.lowered)
        match risk.approve(intent, exposure, limits, now, strategy.budget):
            case risk.Denied(reason=reason):
                return reason
            case risk.Approved() as approved:
                self.newest += 1
                order = own.record_entry(TradeId(self.newest), approved, now, self._deadline())
                self._send(order, intent, strategy, intent.closes_at, now)
                return ""

    def _send(
        self,
        order: PlaceOrder,
        intent: OpenIntent | CloseIntent,
        strategy: Strategy,
        closes_at: datetime,
        now: datetime,
    ) -> None:
        self.under_way.append(_UnderWay(now + MET_AFTER, order, intent, strategy, closes_at))

    def _deadline(self) -> timedelta:
        return timedelta(seconds=self.limits.max_send_delay_seconds)

    def paper(self, now: datetime) -> Mapping[str, OpenTrades]:
        """What stands in the place of real trades, by strategy: the same object for as long as nothing changed."""
        for name, account in self.accounts.items():
            if self._paper.get(name) is not account.open_trades(now):
                self._paper = {each: of.open_trades(now) for each, of in self.accounts.items()}
                break
        return self._paper

    def account_view(self, now: datetime) -> AccountView:
        """What the venue would show of an account with these trades; the same object until money moves."""
        if self._account is None:
            self._account = AccountView(
                balance=self.balance, positions={}, differences=(), external=(), reconciled_at=now
            )
        return self._account

    def next_at(self, now: datetime) -> datetime:
        """When an order arrives, or time alone may change what is decided, if nothing else does before."""
        return self.due(self.attention.next_at or now)

    def due(self, longest: datetime) -> datetime:
        """The same without entries, for who asks them elsewhere; at most `longest`."""
        next_at = longest
        for account in self.accounts.values():
            if account.held.trades:
                open_ones = (each for each in account.held.trades.values() if each.state is TradeState.OPEN)
                next_at = min(next_at, self.exit_attention.next_at(open_ones, next_at))
        return min(next_at, self.under_way[0].arrives_at) if self.under_way else next_at

    def forget_ended(self) -> None:
        """What is known of a trade goes with it."""
        live = [each for account in self.accounts.values() for each in account.held.trades.values()]
        self.exit_attention.keep_only(live)
        kept = {each.trade_id for each in live}
        self.exits = {key: value for key, value in self.exits.items() if key in kept}


def on_paper(strategy: Strategy) -> Strategy:
    """The strategy as one that orders nothing, its entries switched on whatever the config says."""
    settings = strategy.entry.model_copy(update={"enabled": True})
    return Strategy(
        name=strategy.name,
        stage=Stage.SHADOW,
        budget=strategy.budget,
        entry=settings,
        exit=strategy.exit,
        model=strategy.model,
        model_settings=strategy.model_settings,
    )
