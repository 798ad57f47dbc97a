"""Each order of live beside what replay and paper say of the same instant; it judges luck nowhere, since both have the same.

The decision is made again from what was recorded. The order meets, on paper, the book that was recorded when it would have arrived,
and not one from which live had already taken: an order of live that was filled sooner meets the book of that moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from recio.errors import BadRecording
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import OrderPurpose, PlaceOrder
from recio.paper.marks import Marks
from recio.paper.matching import MET_AFTER, Answer, meet
from recio.recording.decode import EntryKept, Kept, Segment
from recio.replay.decisions import differences_of, settings_of, strategies_of
from recio.replay.own_recording import LONGEST_PAUSE
from recio.rules.account.lifecycle import client_order_id
from recio.rules.decision.strategy import Strategy
from recio.rules.market import market_board
from recio.rules.pricing.model import Model
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.units import (
    BookSide,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    payout_of,
    yes_value,
)

NOT_RECORDED = "no book was recorded when the order arrived"
TAG = "parity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What an order got: of what it bought or sold the value in prices of its own side, and the fees."""

    quantity: Quantity
    value: Money
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOrder:
    """An order of live as its rows have it."""

    purpose: OrderPurpose
    book_side: BookSide
    price: Price
    """YES terms."""
    quantity: Quantity
    ordered_at: datetime
    """An entry's decision; of an exit the moment of its row."""
    filled_at: datetime | None
    """Its first fill, by the venue."""
    got: Got


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTrade:
    trade_id: TradeId
    strategy: str
    ticker: Ticker
    side: Side
    decided_at: datetime
    closes_at: datetime
    orders: tuple[LiveOrder, ...]
    """In the order in which they were made."""
    pnl: Money | None
    """After fees; None while it is held."""
    result: Side | None
    """Of its market, where the account was paid by it."""
    value: Price | None = None
    """What one contract of YES paid where neither side won."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPair:
    order: LiveOrder
    paper: Got | None
    """None where no book was recorded."""
    note: str
    """Why paper got less than was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePair:
    """A trade of live and what paper made of its instants."""

    trade: LiveTrade
    orders: tuple[OrderPair, ...]
    decisions: int
    """Of this trade that were recorded, of entry and exit."""
    decided_otherwise: tuple[str, ...]
    """Those that come out otherwise when they are made again, in words."""
    live_pnl: Money | None
    paper_pnl: Money | None
    """None where an end or a book is not known."""
    held_apart: Quantity
    """Contracts by which live and paper differed at the end: the luck that both do not share."""

    @property
    def difference(self) -> Money | None:
        """Live less paper."""
        if self.live_pnl is None or self.paper_pnl is None:
            return None
        return Money(self.live_pnl - self.paper_pnl)


@dataclass(slots=True)
class _Paper:
    """One trade of live on paper, while the recording is read."""

    trade: LiveTrade
    waiting: list[LiveOrder]
    """Those that have not arrived yet."""
    pairs: list[OrderPair] = field(default_factory=list[OrderPair])
    marks: Marks = field(default_factory=Marks)
    bought: int = 0
    sold: int = 0
    cash: int = 0
    decisions: int = 0
    otherwise: list[str] = field(default_factory=list[str])

    @property
    def held(self) -> Quantity:
        return Quantity(self.bought - self.sold)

    def arrives_at(self) -> datetime | None:
        return _arrival(self.waiting[0]) if self.waiting else None

    def meet(self, board: MarketBoard | None, longest_age: float) -> None:
        """The next order meets the book that is shown; `board` None: nobody recorded one."""
        order = self.waiting.pop(0)
        wanted = (
            order.quantity
            if order.purpose is OrderPurpose.ENTRY
            else Quantity(min(order.quantity, self.held))
        )
        if board is None:
            self.pairs.append(OrderPair(order=order, paper=None, note=NOT_RECORDED))
            return
        answer = (
            Answer(note="paper holds nothing to sell")
            if wanted <= 0
            else self._answer(order, wanted, board, longest_age)
        )
        got = Got(quantity=answer.quantity, value=answer.value(self.trade.side), fees=answer.fees)
        if order.purpose is OrderPurpose.ENTRY:
            self.bought += got.quantity
            self.cash -= got.value + got.fees
        else:
            self.sold += got.quantity
            self.cash += got.value - got.fees
        self.pairs.append(OrderPair(order=order, paper=got, note=answer.note))

    def _answer(self, order: LiveOrder, wanted: Quantity, board: MarketBoard, longest_age: float) -> Answer:
        now = _arrival(order)
        placed = PlaceOrder(
            client_order_id=client_order_id(TAG, self.trade.trade_id, order.purpose, len(self.pairs) + 1),
            ticker=self.trade.ticker,
            exchange_index=None,
            book_side=order.book_side,
            quantity=wanted,
            price=order.price,
            reduce_only=order.purpose is OrderPurpose.EXIT,
            send_before=now,
        )
        return meet(placed, self.trade.closes_at, board, self.marks, now, longest_age)

    def pair(self, ends: Mapping[Ticker, Price]) -> TradePair:
        self.pairs += [OrderPair(order=each, paper=None, note=NOT_RECORDED) for each in self.waiting]
        paid = yes_value(self.trade.result, self.trade.value)
        value = ends.get(self.trade.ticker) if paid is None else paid
        live = _held_by_live(self.trade)
        return TradePair(
            trade=self.trade,
            orders=tuple(self.pairs),
            decisions=self.decisions,
            decided_otherwise=tuple(self.otherwise),
            live_pnl=self.trade.pnl,
            paper_pnl=self._pnl(value),
            held_apart=Quantity(abs(live - self.held)),
        )

    def _pnl(self, value: Price | None) -> Money | None:
        if any(each.paper is None for each in self.pairs) or (value is None and self.held > 0):
            return None
        payout = 0 if value is None else payout_of(self.trade.side, self.held, value)
        return Money(self.cash + payout)


def compare(
    segments: Sequence[Segment], trades: Sequence[LiveTrade], tables: Model | None
) -> tuple[TradePair, ...]:
    """All trades with what the recording says of their instants. Raises BadRecording."""
    on_paper = [_Paper(trade, list(trade.orders)) for trade in trades]
    beside = _Beside(on_paper)
    ends: dict[Ticker, Price] = {}
    for segment in segments:
        strategies: list[Strategy] = []
        for kept in segment.decisions():
            settings = settings_of(segment)
            strategies = strategies or strategies_of(segment, settings, tables)
            beside.pass_until(kept, strategies)
            beside.decide_again(segment, kept, strategies, settings.risk)
        for ticker, ended in segment.ends.items():
            if (value := yes_value(ended.result, ended.value)) is not None:
                ends[ticker] = value
    beside.finish()
    return tuple(each.pair(ends) for each in on_paper)


def of_time(segments: Sequence[Segment], since: datetime, until: datetime) -> list[Segment]:
    """Those that may hold anything of this time, by when they begin: each goes on until the next."""
    begun = [(_began(each), each) for each in segments]
    following = [at for at, _ in begun[1:]] + [until]
    return [each for (at, each), ends in zip(begun, following, strict=True) if at < until and ends > since]


def _began(segment: Segment) -> datetime:
    """By its name, which is when it began. Raises BadRecording."""
    try:
        return datetime.strptime(segment.path.name.partition("Z.")[0], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRecording(f"{segment.path} does not say in its name when it began") from error


def live_strategies(segments: Sequence[Segment]) -> set[str]:
    """By the settings of what was read."""
    read = (each.settings for each in segments if each.settings is not None)
    return {
        name for settings in read for name, each in settings.strategies.items() if each.stage is Stage.LIVE
    }


@dataclass(slots=True)
class _Beside:
    """The recorded board, and live's orders as they come to it."""

    papers: list[_Paper]
    board: MarketBoard | None = None
    last_at: datetime | None = None
    is_whole: bool = False
    by_entry: dict[tuple[str, Ticker, datetime], _Paper] = field(init=False)
    by_trade: dict[TradeId, _Paper] = field(init=False)

    def __post_init__(self) -> None:
        self.by_entry = {(p.trade.strategy, p.trade.ticker, p.trade.decided_at): p for p in self.papers}
        self.by_trade = {paper.trade.trade_id: paper for paper in self.papers}

    def pass_until(self, kept: Kept, strategies: Sequence[Strategy]) -> None:
        """Orders that arrived before this decision meet the board as it was until then."""
        at = kept.look.at
        shown = self.board if self.last_at is not None and at - self.last_at <= LONGEST_PAUSE else None
        for paper, due in self._due(at):
            nobody_was_there = self.last_at is None or due < self.last_at
            paper.meet(None if nobody_was_there else shown, _longest_age(paper, strategies))
        if isinstance(kept, EntryKept):
            self.board = None if kept.look.board is None else market_board.apply(self.board, kept.look.board)
        self.last_at = max(at, self.last_at or at)

    def _due(self, before: datetime) -> Iterator[tuple[_Paper, datetime]]:
        for paper in self.papers:
            while (due := paper.arrives_at()) is not None and due < before:
                yield paper, due

    def decide_again(
        self, segment: Segment, kept: Kept, strategies: Sequence[Strategy], limits: RiskSection
    ) -> None:
        """Where this is a decision that live ordered by, see that the same comes out."""
        found = self._ordered_by(kept)
        for paper in found:
            name = paper.trade.strategy
            own = (
                EntryKept(look=kept.look, told={name: kept.told[name]})
                if isinstance(kept, EntryKept)
                else kept
            )
            paper.decisions += 1
            paper.otherwise += [
                f"was {was}; is {now}" for was, now in differences_of(segment, own, strategies, limits)
            ]

    def _ordered_by(self, kept: Kept) -> list[_Paper]:
        if isinstance(kept, EntryKept):
            wanted = (each for each in kept.told.values() if isinstance(each, OpenIntent))
            keys = ((each.strategy, each.ticker, each.decided_at) for each in wanted)
            return [self.by_entry[key] for key in keys if key in self.by_entry]
        paper = self.by_trade.get(kept.look.trade.trade_id)
        return [paper] if paper is not None and isinstance(kept.told, CloseIntent) else []

    def finish(self) -> None:
        """What arrived within a pause of the last decision met the last board."""
        if self.last_at is None:
            return
        for paper, due in self._due(self.last_at + LONGEST_PAUSE):
            paper.meet(self.board if due >= self.last_at else None, LONGEST_PAUSE / timedelta(seconds=1))


def _arrival(order: LiveOrder) -> datetime:
    on_paper = order.ordered_at + MET_AFTER
    return on_paper if order.filled_at is None else max(order.ordered_at, min(on_paper, order.filled_at))


def _longest_age(paper: _Paper, strategies: Sequence[Strategy]) -> float:
    strategy = next((each for each in strategies if each.name == paper.trade.strategy), strategies[0])
    is_entry = paper.waiting[0].purpose is OrderPurpose.ENTRY
    return strategy.entry.max_book_age_seconds if is_entry else strategy.exit.max_book_age_seconds


def _held_by_live(trade: LiveTrade) -> int:
    signs = ((1 if each.purpose is OrderPurpose.ENTRY else -1, each.got.quantity) for each in trade.orders)
    return sum(sign * quantity for sign, quantity in signs)
