"""Where the old ledger and the trades rebuilt from the venue's records disagree; it corrects neither.

Old figures are rounded to whole cents: what is within half a cent agrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from recio.old_data.matching import NEVER_HELD
from recio.old_data.rebuild import Records, Trade, newest_settlement

HALF_A_CENT = Decimal("0.005")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    ticker: str
    old_row: str | None
    """The id of the ledger's row; None: the ledger has none."""
    field: str
    theirs: str | None
    ours: str | None


def disagreements(of: Records, trades: Sequence[Trade]) -> Iterator[Disagreement]:
    """All of one ticker."""
    told = {each.row.key for each in trades if each.row is not None}
    for trade in trades:
        if trade.row is None:
            if of.ledger or trade.source != "ledger":
                yield _one(trade, "row", None, f"a trade of {trade.quantity} {trade.side}")
            continue
        yield from _figures(trade)
    for row in of.ledger:
        if row.key in told:
            continue
        ours = "unresolved" if row.status in NEVER_HELD else None
        yield Disagreement(
            ticker=of.ticker, old_row=row.old_row, field="status", theirs=row.status or None, ours=ours
        )
    yield from _settled(of, trades)


def _figures(trade: Trade) -> Iterator[Disagreement]:
    row = trade.row
    assert row is not None
    if trade.source == "ledger":
        yield from _of_its_own(trade)
        return
    if row.status in NEVER_HELD:
        yield _one(trade, "status", row.status or None, "filled")
        return
    if row.quantity != trade.quantity:
        yield _one(trade, "position", row.quantity, trade.quantity)
    entry = _each(trade.entry_cost, trade.quantity)
    if _differ(row.buy_price, entry):
        yield _one(trade, "buy_price", row.buy_price, entry)
    if row.status == "closed":
        yield from _ended(trade, row.sell_price)
    if (
        trade.net_pnl is not None
        and row.status in ("expired", "closing", "open")
        and trade.closed_at is not None
    ):
        yield _one(trade, "status", row.status, "closed")


def _ended(trade: Trade, sell_price: Decimal | None) -> Iterator[Disagreement]:
    row = trade.row
    assert row is not None
    got = None if trade.exit_proceeds is None or trade.payout is None else trade.exit_proceeds + trade.payout
    exit_price = _each(got, trade.quantity)
    if _differ(sell_price, exit_price):
        yield _one(trade, "sell_price", sell_price, exit_price)
    if (
        row.has_fees
        and trade.fees is not None
        and (row.fees is None or abs(row.fees - trade.fees) > HALF_A_CENT)
    ):
        yield _one(trade, "fees", row.fees, trade.fees)
    if row.pnl is not None and _differ(row.pnl, trade.net_pnl):
        yield _one(trade, "pnl", row.pnl, trade.net_pnl)
    yield from _word(trade)


def _word(trade: Trade) -> Iterator[Disagreement]:
    net, row = trade.net_pnl, trade.row
    if net is None or row is None or not row.win_loss:
        return
    ours = "W" if net > 0 else "L" if net < 0 else "D"
    if row.win_loss != ours:
        yield _one(trade, "win_loss", row.win_loss, ours)


def _of_its_own(trade: Trade) -> Iterator[Disagreement]:
    """A trade that only the ledger knows can still contradict itself."""
    row = trade.row
    assert row is not None
    if row.pnl is not None and _differ(row.pnl, trade.net_pnl):
        yield _one(trade, "pnl", row.pnl, trade.net_pnl)
    if row.fees is not None and trade.fees is None:
        yield _one(trade, "fees", row.fees, None)
    yield from _word(trade)


def _settled(of: Records, trades: Sequence[Trade]) -> Iterator[Disagreement]:
    settled = newest_settlement(of)
    payouts = [each.payout for each in trades]
    if settled is None or settled.revenue is None or not trades or None in payouts:
        return
    ours = sum((each for each in payouts if each is not None), Decimal(0))
    netted = min(settled.yes_quantity or Decimal(0), settled.no_quantity or Decimal(0))
    if settled.result in ("yes", "no") and settled.revenue not in (ours, ours + netted):
        yield Disagreement(
            ticker=of.ticker,
            old_row="settlement",
            field="revenue",
            theirs=_text(settled.revenue),
            ours=_text(ours),
        )


def _each(total: Decimal | None, quantity: Decimal) -> Decimal | None:
    return None if total is None or not quantity else (total / quantity).quantize(Decimal("0.000001"))


def _differ(theirs: Decimal | None, ours: Decimal | None) -> bool:
    return theirs is not None and ours is not None and abs(theirs - ours) > HALF_A_CENT


def _one(trade: Trade, field: str, theirs: Decimal | str | None, ours: Decimal | str | None) -> Disagreement:
    return Disagreement(
        ticker=trade.ticker,
        old_row=None if trade.row is None else trade.row.old_row,
        field=field,
        theirs=_text(theirs),
        ours=_text(ours),
    )


def _text(value: Decimal | str | None) -> str | None:
    return f"{value:f}" if isinstance(value, Decimal) else value
