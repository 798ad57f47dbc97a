"""What an import read, rebuilt and refused, as one JSON object or as text for a person; it holds no path's password."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from recio.old_data.compare import Disagreement, disagreements
from recio.old_data.harvest import Harvest
from recio.old_data.old_settings import as_recio
from recio.old_data.rebuild import Trade, rebuilt
from recio.times import time_text

Told = tuple[Trade, Sequence[Disagreement]]
SHOWN = 20
"""Disagreements that the text lists; the JSON has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    mode: str
    kept: bool
    """False: nothing was written, as asked or because there was nothing."""
    harvest: Harvest
    imported: dict[str, int]
    totals: dict[str, int]
    trades: Sequence[Told]
    prices_seen: int

    @property
    def is_empty(self) -> bool:
        """Nothing could be imported: no source was of use, or none of its rows."""
        return not any(each.used and (each.rows or 0) > each.bad for each in self.harvest.sources)


def rebuilt_with_disagreements(harvest: Harvest) -> Iterator[Told]:
    """Every trade, each disagreement of its ticker beside the trade it is about, or beside the ticker's first."""
    for of in harvest.by_ticker():
        trades = rebuilt(of)
        told = list(disagreements(of, trades))
        for number, trade in enumerate(trades):
            row = trade.row.old_row if trade.row else None
            yield (
                trade,
                [
                    each
                    for each in told
                    if (each.old_row == row and row is not None)
                    or (number == 0 and not _is_told(each, trades))
                ],
            )
        if not trades:
            harvest.bad += [each for each in told if each not in harvest.bad]


def _is_told(each: Disagreement, trades: Sequence[Trade]) -> bool:
    return each.old_row is not None and any(
        trade.row and trade.row.old_row == each.old_row for trade in trades
    )


def _all_disagreements(report: Report) -> list[Disagreement]:
    return [*report.harvest.bad, *(each for _, told in report.trades for each in told)]


def _net(report: Report) -> Decimal:
    return sum((each.net_pnl for each, _ in report.trades if each.net_pnl is not None), Decimal(0))


def as_json(report: Report) -> str:
    harvest = report.harvest
    return json.dumps(
        {
            "mode": report.mode,
            "dry_run": not report.kept,
            "sources": [
                {
                    "path": each.path,
                    "table": each.table,
                    "kind": each.kind,
                    "layout": each.layout,
                    "rows": each.rows,
                    "used": each.used,
                }
                for each in harvest.sources
            ],
            "imported": report.imported,
            "totals": report.totals,
            "trades": [_trade(each) for each, _ in report.trades],
            "net_pnl": _money(_net(report)),
            "disagreements": [asdict(each) for each in _all_disagreements(report)],
            "settings": {"old": harvest.settings, "recio": as_recio(harvest.settings)},
            "refused": [{"path": path, "why": why} for path, why in harvest.refused],
        },
        indent=2,
    )


def nothing_as_json(mode: str, refused: Sequence[tuple[str, str]]) -> str:
    """The object of an import that did not come to its end."""
    counts: dict[str, int] = dict.fromkeys(("fills", "orders", "settlements", "trades"), 0)
    return as_json(
        Report(
            mode=mode,
            kept=False,
            harvest=Harvest(refused=[*refused]),
            imported=counts | {"prices": 0},
            totals=counts,
            trades=(),
            prices_seen=0,
        )
    )


def _trade(trade: Trade) -> dict[str, Any]:
    row = trade.row
    return {
        "ticker": trade.ticker,
        "side": trade.side,
        "quantity": f"{trade.quantity:.2f}",
        "entry_cost": _money(trade.entry_cost),
        "exit_proceeds": _money(trade.exit_proceeds),
        "payout": _money(trade.payout),
        "fees": _money(trade.fees),
        "net_pnl": _money(trade.net_pnl),
        "source": trade.source,
        "opened_at": time_text(trade.opened_at) if trade.opened_at else None,
        "closed_at": time_text(trade.closed_at) if trade.closed_at else None,
        "time_doubtful": trade.doubtful or bool(row and row.doubtful),
        "is_test": bool(row and row.is_test),
        "old": None
        if row is None
        else {
            "row": row.old_row,
            "status": row.status,
            "quantity": _plain(row.quantity),
            "buy_price": _plain(row.buy_price),
            "sell_price": _plain(row.sell_price),
            "fees": _plain(row.fees),
            "pnl": _plain(row.pnl),
            "times": row.original,
        },
    }


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.6f}"


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def as_text(report: Report) -> str:
    harvest = report.harvest
    lines = [f"{'rows':>10}  used  kind          layout          source"]
    for each in harvest.sources:
        rows = "-" if each.rows is None else f"{each.rows:,}"
        used = "yes" if each.used else "no"
        lines.append(f"{rows:>10}  {used:<4}  {each.kind:<12}  {each.layout:<14}  {each.path} ({each.table})")
    lines += [f"refused: {path}: {why}" for path, why in harvest.refused]
    did = "imported" if report.kept else "would import"
    lines.append(f"{did}: " + ", ".join(f"{count:,} {name}" for name, count in report.imported.items()))
    lines.append("all together: " + ", ".join(f"{count:,} {name}" for name, count in report.totals.items()))
    unknown = sum(1 for each, _ in report.trades if each.net_pnl is None)
    lines.append(
        f"net result of {len(report.trades) - unknown} trades: ${_net(report):,.2f}; {unknown} have none yet, or none that can be known"
    )
    found = _all_disagreements(report)
    counts = Counter(each.field for each in found)
    lines.append(
        f"disagreements with the old ledger: {len(found)}"
        + "".join(f"; {name} {count}" for name, count in counts.most_common())
    )
    lines += [
        f"  {each.ticker} row {each.old_row}: {each.field} was {each.theirs}, is {each.ours}"
        for each in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more: --json has all")
    if harvest.settings:
        lines.append(
            "old settings as those of recio.toml (nothing was set; entries stay off until you turn them on):"
        )
        lines += [f"  {key} = {value}" for key, value in as_recio(harvest.settings).items()]
    return "\n".join(lines)
