"""What a running daemon sells, told as its rows say it, to whoever waits for it; it reads and sells nothing itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterable, Sequence

import anyio

from recio.messages.orders import TradeState, TradeView
from recio.rules.account.lifecycle import ENDED_TRADES
from recio.units import Money, Quantity, money_decimal, quantity_decimal, quantity_text

LOOK_EVERY = 0.1
TELL_EVERY = 3.0
"""Host seconds between two words to whoever waits."""


def tell_sale(before: TradeView | None, now: TradeView) -> None:
    quantity = now.exit_quantity - (before.exit_quantity if before else 0)
    if quantity > 0:
        proceeds = now.exit_proceeds - (before.exit_proceeds if before else 0)
        print(f"sold {amount_of(now, Quantity(quantity))} at {_each(proceeds, quantity)}", flush=True)
    was_live = before is None or before.state not in ENDED_TRADES
    if was_live and now.state in ENDED_TRADES and now.held > 0:
        print(f"{amount_of(now, now.held)} ended by {now.ended_by}: paid {dollars(now.payout)}", flush=True)


def left_of(every: Iterable[TradeView]) -> list[TradeView]:
    """What is held, and what may be: the entry of a trade that is opening may have bought and not been heard of yet.
    Of one that a settlement ended the contracts count as unsold for good, and nothing is held."""
    live = [each for each in every if each.state not in ENDED_TRADES]
    return [each for each in live if each.held > 0 or each.state is TradeState.OPENING]


def listed(left: Sequence[TradeView]) -> str:
    return ", ".join(f"{_held(each)}, which closes {each.closes_at:%Y-%m-%d %H:%M:%S} UTC" for each in left)


def _held(trade: TradeView) -> str:
    if trade.state is TradeState.OPENING:
        return f"what the entry of trade {trade.trade_id} on {trade.ticker} bought, which is not known yet"
    return amount_of(trade, trade.held)


def amount_of(trade: TradeView, quantity: Quantity) -> str:
    return f"{quantity_text(quantity)} {trade.side} of {trade.ticker} (trade {trade.trade_id})"


def _each(proceeds: int, quantity: int) -> str:
    return f"${money_decimal(Money(proceeds)) / quantity_decimal(Quantity(quantity)):.4f}"


def dollars(amount: int) -> str:
    return f"${money_decimal(Money(amount)):.2f}"


async def patiently(seconds: float, what: str) -> AsyncGenerator[float]:  # noqa: ASYNC900 - it holds nothing that has to be closed
    """Host seconds passed, again and again until patience ends; whoever waits is told now and then for what."""
    began = told = anyio.current_time()
    while (passed := anyio.current_time() - began) < seconds:
        yield passed
        if anyio.current_time() - told >= TELL_EVERY:
            told = anyio.current_time()
            print(
                f"recio: {what} ({passed:.0f} of {seconds:g} s); Ctrl-C gives up the waiting only",
                file=sys.stderr,
            )
        await anyio.sleep(LOOK_EVERY)
