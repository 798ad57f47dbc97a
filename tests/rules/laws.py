"""`python -m tests.rules.laws --cases 1000000`: four laws of trading over drawn cases; each case is a seed, which tells it again.

Nothing is bought that its own exit sells on the same sight; no sale takes less than its reason justifies; the worst case
bounds every outcome, on each day; and exposure is conserved: whatever is spent, freed or lost of it is found again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import BookView, MarketView, StrikeType
from recio.messages.orders import OpenTrades, OrderState, OrderView, TradeView
from recio.messages.prices import Momentum, PriceView
from recio.rules.account.exposure import cost_at_worst, cost_of, worst_loss
from recio.rules.account.risk import Approved, Exposure, approve, open_cost
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.decision.exit import NOTHING, ExitMemory
from recio.rules.market.quotes import bid_of
from recio.rules.pricing.fees import max_fee, taker_fee
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection, ExitSection
from recio.units import (
    ONE_DOLLAR,
    ClientOrderId,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    notional,
)
from tests.builders import NOW, account, board, market, open_trades, order, price, prices, section, trade
from tests.faults.proof_reports import PROOF, commit, write

LONG_AGO = NOW - timedelta(days=1)
STRIKES = ((StrikeType.GREATER_OR_EQUAL, "84000.00", None), (StrikeType.GREATER, "84000.00", None),
           (StrikeType.LESS, None, "84000.00"), (StrikeType.BETWEEN, "83980.00", "84020.00"))  # fmt: skip
SETTINGS_DRAWN = 400


def _some(draw: random.Random, likely: float, low: float, high: float, places: int = 4) -> Decimal | str:
    """A setting that may be off."""
    return Decimal(f"{draw.uniform(low, high):.{places}f}") if draw.random() < likely else "off"


@cache
def exits_of(number: int) -> ExitSection:
    """The shipped settings for every fourth number; checked as a file of settings is."""
    draw = random.Random(number)
    if number % 4 == 0:
        return ExitSection()
    stop = Decimal(f"{draw.uniform(0.02, 0.99):.3f}")
    return section(
        ExitSection,
        stop_probability=stop,
        hard_stop_probability=_some(draw, 0.3, 0.01, float(stop)),
        stop_confirm_seconds=draw.choice((0, 0, 20)),
        min_hold_seconds=draw.choice((0, 0, 60)),
        momentum_stop_bp=_some(draw, 0.3, 1, 50),
        time_stop_seconds_to_close=_some(draw, 0.2, 20, 800),
        stop_price_dollars=_some(draw, 0.4, 0.01, 0.4),
        take_profit_dollars=_some(draw, 0.4, 0.41, 0.99),
        min_value_fraction=_some(draw, 0.7, 0.01, 1),
        blind_stop_fraction=_some(draw, 0.7, 0.01, 1),
        blind_stop_after_seconds=draw.choice((0, 10)),
        max_slippage_dollars=_some(draw, 1, 0.01, 0.9),
        floor_step_dollars=_some(draw, 1, 0.01, 0.9),
        min_floor_dollars=_some(draw, 0.3, 0.01, 0.9),
        max_price_age_seconds=draw.choice((3, 10)),
    )


@cache
def entries_of(number: int) -> EntrySection:
    draw = random.Random(number)
    if number % 4 == 0:
        return EntrySection(enabled=True)
    kelly = draw.random() < 0.3
    return section(
        EntrySection,
        enabled=True,
        contracts=draw.choice((1, 10, 50)),
        sizing="kelly" if kelly else "fixed",
        kelly_bankroll_dollars=500 if kelly else "off",
        min_edge_dollars=_some(draw, 1, 0, 0.05),
        min_price_dollars=Decimal("0.02"),
        max_price_dollars=Decimal("0.98"),
        min_seconds_to_close=draw.choice((0, 75)),
        max_price_age_seconds=draw.choice((5, 15)),
    )


def a_view(draw: random.Random, seconds_to_close: float) -> MarketView:
    bid = draw.randint(1, 97)
    ask = min(99, bid + draw.choice((1, 1, 2, 5, 20, 60)))
    kind, floor, cap = draw.choice(STRIKES)
    asked = market(
        strike_type=kind,
        floor_strike=None if floor is None else Decimal(floor),
        cap_strike=None if cap is None else Decimal(cap),
        close_time=NOW + timedelta(seconds=seconds_to_close),
    )
    levels = BookView(
        bids=((Price(bid * 100), Quantity(draw.randint(1, 5_000))),) if draw.random() < 0.9 else (),
        asks=((Price(ask * 100), Quantity(draw.randint(1, 5_000))),),
    )
    return MarketView(market=asked, book=levels)


def a_price(draw: random.Random) -> PriceView:
    runs = None if draw.random() < 0.3 else Momentum(bp=draw.uniform(-60, 60), whole=True)
    spot = price(f"{draw.gauss(84_000, 60):.2f}", age=draw.choice((0.2, 0.2, 4.0, 12.0)))
    return replace(spot, momentum=runs)


def nothing_is_bought_that_its_own_exit_sells(draw: random.Random) -> bool:
    """On the same sight, at once or once it has been confirmed for as long as the settings want."""
    seconds = draw.choice((20.0, 80.0, 300.0, 600.0, 800.0))
    view, spot = a_view(draw, seconds), a_price(draw)
    exits, entries = exits_of(draw.randrange(SETTINGS_DRAWN)), entries_of(draw.randrange(SETTINGS_DRAWN))
    seen = EntryInputs(
        board=board(view),
        prices=prices(spot),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    wanted = decide(seen, entries, NOW, exits=exits).outcome
    if not isinstance(wanted, OpenIntent):
        return False
    assert wanted.quantity >= entries.min_contracts
    paid = Price(draw.randint(1, wanted.limit))
    bought = trade(
        side=wanted.side,
        opened_at=draw.choice((NOW, LONG_AGO)),
        closes_at=view.market.close_time,
        entry_quantity=wanted.quantity,
        entry_cost=notional(draw.choice((paid, wanted.limit)), wanted.quantity),
    )
    for before in (NOTHING, ExitMemory(falling_since=LONG_AGO)):
        said = exit_rule.decide(bought, board(view), prices(spot), before, exits, NOW).outcome
        assert not isinstance(said, CloseIntent), said.why
        assert "to be sold" not in said.sentence, said.sentence
    return True


def no_sale_takes_less_than_its_reason_justifies(draw: random.Random) -> bool:
    view, side = a_view(draw, draw.choice((80.0, 600.0))), draw.choice(list(Side))
    spot = None if draw.random() < 0.3 else a_price(draw)
    exits = exits_of(draw.randrange(SETTINGS_DRAWN))
    held = trade(
        side=side,
        exits_met=draw.randint(0, 50),
        opened_at=LONG_AGO,
        closes_at=view.market.close_time,
        entry_cost=Money(draw.randint(1, 9_900) * 1_000),
    )
    reason = draw.choice(("", "stop", "take profit", "time stop", "price stop", "blind stop"))
    before = ExitMemory(
        reason=reason,
        met_before=draw.randint(0, held.exits_met),
        blind_since=LONG_AGO,
        falling_since=LONG_AGO,
    )
    sale = exit_rule.decide(
        held, board(view), None if spot is None else prices(spot), before, exits, NOW
    ).outcome
    if not isinstance(sale, CloseIntent):
        return False
    bid = bid_of(view, side)
    assert bid is not None
    assert 0 < sale.floor <= bid[0]
    assert sale.quantity == held.held
    takes_no_less_than_justified(sale, exits)
    return True


def takes_no_less_than_justified(sale: CloseIntent, exits: ExitSection) -> None:
    """The floor of a sale against its settings, and against the reason that it states."""
    assert sale.floor >= (exits.min_floor_dollars or 0)
    if sale.why.startswith("take profit"):
        assert exits.take_profit_dollars is not None
        assert sale.floor >= exits.take_profit_dollars
    elif exits.min_value_fraction is not None and "model gives" in sale.why:
        given = float(sale.why.split("%")[0].rsplit(" ", 1)[1]) / 100
        assert sale.floor >= (given - 0.001) * exits.min_value_fraction * ONE_DOLLAR - 1


# --- the worst case, and what becomes of it -----------------------------------------------------------------------------

LIMITS = section(
    RiskSection,
    max_daily_loss_dollars=Decimal(20),
    max_open_trades=100,
    max_entries_per_event=1000,
    max_event_cost_dollars=Decimal(100000),
    max_open_cost_dollars=Decimal(100000),
    max_orders_per_minute=1000,
    max_consecutive_losses=100000,
    max_contracts_per_order=Decimal(100000),
    max_contracts_per_strike=Decimal(100000),
)
SMALLEST_FILL = 10
"""A tenth of a contract: where less is sold for less than a cent, the least fee is above what the sale brings."""


def an_intent(limit: Price, quantity: Quantity, number: int) -> OpenIntent:
    return OpenIntent(
        strategy="average",
        ticker=Ticker(f"KX-{number}-1"),
        event_ticker=EventTicker(f"KX-{number}"),
        exchange_index=2,
        side=Side.YES,
        quantity=quantity,
        limit=limit,
        probability=0.999,
        fee_estimate=max_fee(Price(100), limit, quantity, Decimal(1)),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="drawn",
        inputs={},
    )


def bought_with(intent: OpenIntent, draw: random.Random, number: int) -> TradeView:
    """What an order may become: any part of it, at any price up to its limit."""
    part = Quantity(draw.randint(min(SMALLEST_FILL, intent.quantity), intent.quantity))
    paid = Price(draw.randint(10, intent.limit)) if intent.limit > 10 else intent.limit
    return trade(
        trade_id=TradeId(number),
        ticker=intent.ticker,
        event_ticker=intent.event_ticker,
        entry_quantity=part,
        entry_cost=notional(paid, part),
        fees=taker_fee(paid, part, Decimal(1)),
    )


def sold_of(held: TradeView, draw: random.Random) -> TradeView:
    """A part of what is held, at any price on any grid."""
    part = Quantity(draw.randint(min(SMALLEST_FILL, held.held), held.held))
    if held.held - part < SMALLEST_FILL:
        part = held.held
    at = Price(draw.randint(10, 9_990))
    return replace(
        held,
        exit_quantity=Quantity(held.exit_quantity + part),
        exit_proceeds=Money(held.exit_proceeds + notional(at, part)),
        fees=Money(held.fees + taker_fee(at, part, Decimal(1))),
    )


def no_day_loses_more_than_its_limit(draw: random.Random) -> bool:
    """Whatever is asked for, whatever of it fills, is sold or settled at any value, before midnight or after."""
    held: list[TradeView] = []
    realised = worst = 0
    made = 0
    for _ in range(draw.randint(3, 14)):
        move = draw.random()
        if move < 0.6:
            asked = an_intent(
                Price(draw.randint(10, 9_990)), Quantity(draw.choice((10, 100, 999, 2_500))), made
            )
            seen = Exposure(
                trades=open_trades(trades=tuple(held), realised_today=Money(realised)),
                account=account(),
                ask=asked.limit,
            )
            if isinstance(approve(asked, seen, LIMITS, NOW), Approved):
                made += 1
                held.append(bought_with(asked, draw, made))
        elif move < 0.65:
            realised = 0
        elif held:
            nth = draw.randrange(len(held))
            ended = sold_of(held[nth], draw) if draw.random() < 0.6 else held[nth]
            if ended.held and ended is not held[nth]:
                held[nth] = ended
                continue
            value = draw.choice((0, 0, 10_000, draw.randint(0, 10_000)))
            realised += replace(held.pop(nth), **_settled(ended, value)).pnl
            worst = min(worst, realised)
    for each in held:
        realised += each.pnl
    worst = min(worst, realised)
    assert worst >= -LIMITS.max_daily_loss_dollars, worst
    return made > 1


def _settled(ended: TradeView, value: int) -> dict[str, Money | Quantity]:
    return {
        "exit_quantity": ended.exit_quantity,
        "exit_proceeds": ended.exit_proceeds,
        "fees": ended.fees,
        "payout": Money(ended.held * value),
    }


def exposure_is_conserved(draw: random.Random) -> bool:
    """The whole is the sum of its events and of its strategies; a fill frees what it spared, an end turns the rest into a loss."""
    trades: list[TradeView] = []
    orders: list[OrderView] = []
    for number in range(1, draw.randint(2, 6)):
        asked = an_intent(
            Price(draw.randint(10, 9_990)), Quantity(draw.randint(100, 5_000)), draw.randint(1, 3)
        )
        asked = replace(asked, ticker=Ticker(f"{asked.event_ticker}-T{number}"))
        strategy = draw.choice(("a", "b"))
        if draw.random() < 0.5:
            none_yet = trade(
                trade_id=TradeId(number), ticker=asked.ticker, event_ticker=asked.event_ticker, strategy=strategy,
                entry_quantity=Quantity(0), entry_cost=Money(0), fees=Money(0),
            )  # fmt: skip
            trades.append(none_yet)
            orders.append(
                order(
                    client_order_id=ClientOrderId(f"o{number}"),
                    trade_id=TradeId(number),
                    ticker=asked.ticker,
                    price=asked.limit,
                    quantity=asked.quantity,
                    reserved=Money(notional(asked.limit, asked.quantity) + asked.fee_estimate),
                    state=draw.choice((OrderState.PENDING, OrderState.UNKNOWN)),
                )
            )
        else:
            one = replace(bought_with(asked, draw, number), strategy=strategy)
            trades.append(sold_of(one, draw) if draw.random() < 0.4 else one)
    seen = open_trades(trades=tuple(trades), orders=tuple(orders))
    whole = cost_at_worst(seen)
    events = {each.event_ticker for each in trades}
    nobody = Exposure(trades=seen, account=None, ask=None)
    assert whole == sum(open_cost(nobody, each) for each in events) == open_cost(nobody)
    assert whole == sum(cost_of(each, seen) for each in ("a", "b"))
    stranger = _made_by_hand(draw, nobody, events)
    assert stranger.account is not None
    assert open_cost(stranger) == whole + sum(stranger.account.external_cost.values())
    for each in orders:
        assert _after_fill(seen, each, draw) <= whole
    for each in trades:
        assert worst_loss(each) >= max(0, -replace(each, payout=Money(0)).pnl)
        rest = replace(seen, trades=tuple(other for other in trades if other is not each), orders=())
        assert cost_at_worst(replace(seen, orders=())) - cost_at_worst(rest) == max(0, -each.pnl)
    return bool(orders)


def _made_by_hand(draw: random.Random, seen: Exposure, events: set[EventTicker]) -> Exposure:
    """The same beside positions of a person, in our events and elsewhere."""
    names = [
        Ticker(f"{draw.choice([*sorted(events), 'KXELSE-9'])}-H{nth}") for nth in range(draw.randint(1, 3))
    ]
    external = {name: Money(draw.randint(1, 50_000_000)) for name in names}
    beside: AccountView = account(external=tuple(external), external_cost=external)
    return replace(seen, account=beside)


def _after_fill(seen: OpenTrades, filled: OrderView, draw: random.Random) -> Money:
    """What is at stake once any part of an order has filled at any price up to its limit, and the rest is gone."""
    part = Quantity(draw.randint(0, filled.quantity))
    paid = Price(draw.randint(min(10, filled.price), filled.price))
    bought = tuple(
        replace(
            each,
            entry_quantity=part,
            entry_cost=notional(paid, part),
            fees=taker_fee(paid, part, Decimal(1)) if part else Money(0),
        )
        if each.trade_id == filled.trade_id
        else each
        for each in seen.trades
    )
    left = tuple(each for each in seen.orders if each is not filled)
    return cost_at_worst(replace(seen, trades=bought, orders=left))


LAWS: tuple[Callable[[random.Random], bool], ...] = (
    nothing_is_bought_that_its_own_exit_sells,
    no_sale_takes_less_than_its_reason_justifies,
    no_day_loses_more_than_its_limit,
    exposure_is_conserved,
)
"""Each draws one case and asserts; whether the case said anything."""


def hold(law: Callable[[random.Random], bool], cases: int, seed: int = 0) -> int:
    """How many of so many cases said something. Raises AssertionError with the seed that tells the case again."""
    telling = 0
    for number in range(seed, seed + cases):
        try:
            telling += law(random.Random(number))
        except AssertionError as broken:
            broken.add_note(f"tell it again: {law.__name__}(random.Random({number}))")
            raise
    return telling


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--cases", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=1_000_000)
    asked.add_argument(
        "--minutes", type=float, default=600.0, help="give up after so long and say how far it came"
    )
    asked.add_argument("--report", default="")
    options = asked.parse_args()
    began, step, tried = time.monotonic(), 1_000, commit()
    told = {law.__name__: 0 for law in LAWS}
    done, broken = 0, list[str]()
    while done < options.cases and not broken and time.monotonic() - began < options.minutes * 60:
        for law in LAWS:
            try:
                told[law.__name__] += hold(law, step // len(LAWS), options.seed + done)
            except AssertionError as error:
                broken.append(f"{error}; {'; '.join(error.__notes__)}")
        done += step
    took = round(time.monotonic() - began)
    sys.stdout.write(
        f"{done:,} cases in {took} s, telling: {told}\n" + "".join(f"{each}\n" for each in broken)
    )
    if options.report:
        found = {"commit": tried, "cases": done, "first_seed": options.seed, "seconds": took}
        write(PROOF / options.report, found | {"telling": told, "broken": broken})
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
