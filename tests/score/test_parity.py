"""Live's orders stand beside what paper gets of the same instants: equal where they were equal, apart where they were not, unknown in a hole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import asyncpg
import pytest
from msgspec.structs import replace as changed

from recio.db import controls, parity_days
from recio.db.connection import transaction
from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import BookView, MarketEnded
from recio.messages.orders import OrderPurpose
from recio.recording.decode import segments_under
from recio.recording.encode import Encoder, ended
from recio.recording.segments import Segments
from recio.report.parity import SPAN, ParityDay, over_span
from recio.rules.decision import cycles
from recio.rules.decision.cycles import EntryCycle, EntryLook
from recio.rules.decision.entry import Waits
from recio.rules.decision.strategy import Strategy
from recio.rules.market import market_board
from recio.rules.pricing.fees import taker_fee
from recio.score.parity import Got, LiveOrder, LiveTrade, TradePair, compare, of_time
from recio.score.parity_days import day_of, lines, verdict
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection
from recio.units import BookSide, Money, Price, Quantity, Side, TradeId
from tests.builders import NOW, TICKER, account, board, market, open_trades, price, prices, view

STRATEGY = Strategy(entry=EntrySection(enabled=True, only_what_exit_keeps=False))
DAY = date(2026, 11, 1)
CENT = Money(10_000)


def asked(at: int, size: int) -> BookView:
    return BookView(bids=((Price(3_000), Quantity(5_000)),), asks=((Price(at), Quantity(size)),))


class Recorded:
    """A recording in which entry bought at the first look; afterwards the books that are shown."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoder = Encoder(limits=RiskSection(), strategies=(STRATEGY,), symbols=("BTC",))
        self.lines = [self.encoder.begin(NOW)]
        self.intent = self.decided(0, asked(5_000, 5_000))

    def decided(self, second: float, book: BookView, *, otherwise: bool = False) -> OpenIntent:
        look = self.look(second, book)
        shown = board(view(market(floor_strike=Decimal("84000.00")), book), heard_at=look.at)
        made = cycles.entered(look, shown, (STRATEGY,), RiskSection())[STRATEGY.name]
        assert isinstance(made, OpenIntent)
        told = replace(made, limit=Price(made.limit - 100)) if otherwise else made
        self.lines.append(self.encoder.cycle(EntryCycle(look=look, outcomes={STRATEGY.name: told})))
        return told

    def shows(self, second: float, book: BookView) -> None:
        waits = Waits(gate="already in", sentence="")
        look = self.look(second, book)
        self.lines.append(self.encoder.cycle(EntryCycle(look=look, outcomes={STRATEGY.name: waits})))

    def look(self, second: float, book: BookView) -> EntryLook:
        now = NOW + timedelta(seconds=second)
        spot = price("84100.00")
        spot = replace(spot, tick=replace(spot.tick, at=now, received_at=now), heard_at=now)
        shown = board(view(market(floor_strike=Decimal("84000.00")), book), heard_at=now)
        return EntryLook(
            at=now,
            tickers=None,
            board=market_board.everything(shown),
            prices=prices(spot),
            trades=open_trades(),
            paper={},
            account=account(),
            controls=TradingControls(),
        )

    def ended(self, result: Side) -> None:
        self.lines.append(ended(MarketEnded(ticker=TICKER, result=result, heard_at=NOW)))

    def beside(self, *trades: LiveTrade) -> tuple[TradePair, ...]:
        files = Segments(
            folder=self.folder, longest=timedelta(hours=1), keep=timedelta(days=1), keep_bytes=10_000_000
        )
        files.begin(NOW)
        files.append(b"".join(self.lines))
        segments = of_time(segments_under([self.folder]), NOW - timedelta(days=1), NOW + timedelta(days=1))
        return compare(segments, trades, None)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "recording")


def lived(
    intent: OpenIntent,
    *,
    at: int = 5_000,
    got: int = 1_000,
    filled_after: float = 0.09,
    won: bool | None = True,
) -> LiveTrade:
    """Bought in one go and held to the end."""
    value, fees = Money(at * got), taker_fee(Price(at), Quantity(got), Decimal(1))
    payout = got * 10_000 if won else 0
    return LiveTrade(
        trade_id=TradeId(1),
        strategy=STRATEGY.name,
        ticker=TICKER,
        side=Side.YES,
        decided_at=intent.decided_at,
        closes_at=intent.closes_at,
        pnl=None if won is None else Money(payout - value - fees),
        result=None if won is None else Side.YES if won else Side.NO,
        orders=(
            LiveOrder(
                purpose=OrderPurpose.ENTRY,
                book_side=BookSide.BID,
                price=intent.limit,
                quantity=intent.quantity,
                ordered_at=intent.decided_at,
                filled_at=NOW + timedelta(seconds=filled_after) if got else None,
                got=Got(quantity=Quantity(got), value=value, fees=fees),
            ),
        ),
    )


def test_what_live_got_as_shown_is_equal_to_the_last_cent_and_decided_again(recorded: Recorded):
    recorded.shows(0.5, asked(5_300, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent))
    assert pair.orders[0].paper == pair.orders[0].order.got
    assert (pair.difference, pair.held_apart) == (0, 0)
    assert (pair.decisions, pair.decided_otherwise) == (1, ())


def test_a_dearer_fill_is_told_in_price_fee_and_profit(recorded: Recorded):
    recorded.shows(0.5, asked(5_000, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent, at=5_100))
    day = day_of(DAY, STRATEGY.name, [pair])
    assert day.price_difference == 10 * CENT
    assert day.fee_difference == taker_fee(Price(5_100), Quantity(1_000), Decimal(1)) - taker_fee(
        Price(5_000), Quantity(1_000), Decimal(1)
    )
    assert day.difference == -day.price_difference - day.fee_difference
    assert "live paid 0.100000 more in prices" in "\n".join(lines(day, over_span([day]), [pair]))


def test_what_was_gone_when_the_order_arrived_paper_does_not_get_and_luck_is_counted_as_luck(
    recorded: Recorded,
):
    recorded.shows(0.05, asked(5_900, 9_000))
    recorded.shows(0.5, asked(5_900, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent))
    assert pair.orders[0].paper == Got(quantity=Quantity(0), value=Money(0), fees=Money(0))
    assert pair.held_apart == 1_000
    day = day_of(DAY, STRATEGY.name, [pair])
    assert day.luck == 25 * 10**12
    assert day.difference == pair.live_pnl


def test_what_live_itself_took_from_the_book_is_there_for_paper(recorded: Recorded):
    """Live was filled after 40 ms, and at 60 ms its own size was gone from the book."""
    recorded.shows(0.06, asked(5_900, 9_000))
    recorded.shows(0.5, asked(5_900, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent, filled_after=0.04))
    assert pair.difference == 0


def test_in_a_hole_of_the_recording_nothing_is_compared(recorded: Recorded):
    recorded.shows(30, asked(5_000, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent))
    assert pair.orders[0].paper is None
    day = day_of(DAY, STRATEGY.name, [pair])
    assert (day.unrecorded, day.compared, day.closes, day.difference) == (1, 0, 0, 0)


def test_a_decision_that_comes_out_otherwise_is_said(tmp_path: Path):
    recorded = Recorded(tmp_path / "recording")
    intent = recorded.decided(1, asked(5_000, 5_000), otherwise=True)
    recorded.shows(1.5, asked(5_000, 9_000))
    (pair,) = recorded.beside(lived(intent, filled_after=1.09))
    assert len(pair.decided_otherwise) == 1
    assert "DECIDED OTHERWISE" in "\n".join(
        lines(
            day_of(DAY, "x", [pair]), over_span([]), [replace(pair, trade=replace(pair.trade, strategy="x"))]
        )
    )


def test_a_trade_that_live_did_not_get_is_settled_on_paper_by_the_recorded_end(recorded: Recorded):
    recorded.shows(0.5, asked(5_000, 9_000))
    recorded.ended(Side.NO)
    (pair,) = recorded.beside(replace(lived(recorded.intent, got=0), pnl=Money(0), result=None))
    assert pair.paper_pnl == -10 * 500_000 - taker_fee(Price(5_000), Quantity(1_000), Decimal(1))
    assert pair.live_pnl == 0


def test_a_trade_that_is_held_is_not_compared_yet(recorded: Recorded):
    recorded.shows(0.5, asked(5_000, 9_000))
    (pair,) = recorded.beside(lived(recorded.intent, won=None))
    assert pair.difference is None
    assert day_of(DAY, STRATEGY.name, [pair]).compared == 0


def a_day(number: int, differences: list[int]) -> ParityDay:
    """Micro-dollars of difference, one for each close."""
    return ParityDay(
        day=DAY + timedelta(days=number),
        strategy=STRATEGY.name,
        trades=len(differences),
        orders=len(differences),
        unrecorded=0,
        decisions=len(differences),
        decided_otherwise=0,
        live_contracts=Quantity(0),
        paper_contracts=Quantity(0),
        price_difference=Money(0),
        fee_difference=Money(0),
        compared=len(differences),
        live_pnl=Money(sum(differences)),
        paper_pnl=Money(0),
        closes=len(differences),
        squares=sum(each**2 for each in differences),
        luck=0,
    )


def test_nights_without_a_difference_part_in_hardly_any_month_and_a_cent_a_contract_does():
    parted = 0
    for seed in range(200):
        dice = Random(seed)
        days = [a_day(n, [round(dice.gauss(0, 50_000)) for _ in range(4)]) for n in range(SPAN.days)]
        parted += any(over_span(days[:nights]).parted for nights in range(1, SPAN.days + 1))
    assert parted <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5
    worse = [a_day(n, [-100_000 + Random(n).randrange(20_000) for _ in range(4)]) for n in range(5)]
    assert over_span(worse).parted
    assert verdict(over_span(worse)).startswith("LIVE AND PAPER PART BEYOND CHANCE")
    assert not over_span(worse[:1]).parted
    assert verdict(over_span(worse[:1])).startswith("not known")


async def test_rows_come_back_and_the_newest_of_each_strategy_says_whether_it_has_parted(
    pool: asyncpg.Pool[asyncpg.Record],
):
    first, again = (a_day(n, [-100_000 - n * each for each in range(12)]) for n in (0, 1))
    calm = a_day(2, [-1, 1] * 6)
    async with transaction(pool) as connection:
        for day in (first, first, again):
            await parity_days.keep(connection, day, over_span([day]), NOW)
        assert await parity_days.before(connection, STRATEGY.name, DAY - SPAN, DAY + timedelta(days=2)) == [
            first,
            again,
        ]
        assert [each.parted for each in await parity_days.newest(connection, 10)] == [True, True]
        assert (await controls.read(connection, ())).parted == (STRATEGY.name,)
        await parity_days.keep(connection, calm, over_span([calm]), NOW)
        assert (await controls.read(connection, ())).parted == ()


@pytest.mark.parametrize(
    ("stage", "asked_to_stop", "stops"),
    [(Stage.LIVE, True, True), (Stage.LIVE, False, False), (Stage.SHADOW, True, False)],
)
def test_a_live_strategy_that_has_parted_opens_nothing_where_its_settings_say_so(
    recorded: Recorded, stage: Stage, asked_to_stop: bool, stops: bool
):
    entry = STRATEGY.entry.model_copy(update={"stop_when_parted": asked_to_stop})
    strategy = replace(STRATEGY, stage=stage, entry=entry)
    book = asked(5_000, 5_000)
    look = recorded.look(0, book)
    seen = {"paper": {strategy.name: open_trades()}, "controls": TradingControls(parted=(strategy.name,))}
    shown = board(view(market(floor_strike=Decimal("84000.00")), book), heard_at=look.at)
    made = cycles.entered(changed(look, **seen), shown, (strategy,), RiskSection())
    outcome = made[strategy.name]
    assert isinstance(outcome, Waits) == stops
    if isinstance(outcome, Waits):
        assert outcome.gate == "parity"
