"""What an import read, rebuilt and refused, as one JSON object or as text for a person; it holds no path's password."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import IO, Any

from recio.old_data.compare import Disagreement, disagreements
from recio.old_data.harvest import Harvest
from recio.old_data.old_settings import as_recio
from recio.old_data.rebuild import Records, Trade, rebuilt
from recio.times import time_text

Told = tuple[Trade, Sequence[Disagreement]]
Print = Callable[[str], object]
SHOWN = 20
"""Disagreements that the text lists; the JSON has them all."""


class Lines:
    """JSON lines of one list, outside of memory."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def add(self, told: Any) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="recio-import-")  # noqa: SIM115
        self._file.write(json.dumps(told) + "\n")

    def print(self, out: Print) -> None:
        out("[")
        if self._file is not None:
            self._file.seek(0)
            for number, line in enumerate(self._file):
                out(f"{',' if number else ''}\n    {line.rstrip()}")
        out("\n  ]")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(slots=True)
class Found:
    """Sums of trades and disagreements, and outside of memory all of them as they will be printed."""

    lists: bool = True
    """False: nobody asked for JSON, and the sums are enough."""
    trades: int = 0
    unknown: int = 0
    """Trades without a result."""
    net: Decimal = Decimal(0)
    disagreements: int = 0
    by_field: Counter[str] = field(default_factory=Counter[str])
    first: list[Disagreement] = field(default_factory=list[Disagreement])
    trade_lines: Lines = field(default_factory=Lines)
    disagreement_lines: Lines = field(default_factory=Lines)

    def add(self, trade: Trade) -> None:
        if self.lists:
            self.trade_lines.add(_trade(trade))
        self.trades += 1
        if trade.net_pnl is None:
            self.unknown += 1
        else:
            self.net += trade.net_pnl

    def add_told(self, told: Told) -> None:
        """A trade and what the old ledger says otherwise of it."""
        trade, disagreements = told
        self.add(trade)
        for each in disagreements:
            self.add_disagreement(each)

    def add_disagreement(self, told: Disagreement) -> None:
        if self.lists:
            self.disagreement_lines.add(asdict(told))
        self.disagreements += 1
        self.by_field[told.field] += 1
        if len(self.first) < SHOWN:
            self.first.append(told)

    def close(self) -> None:
        self.trade_lines.close()
        self.disagreement_lines.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    mode: str
    kept: bool
    """False: nothing was written, as asked or because there was nothing."""
    compared: bool
    """Whether what an earlier import brought is left out of `imported`."""
    harvest: Harvest
    imported: dict[str, int]
    totals: dict[str, int]
    found: Found

    @property
    def is_empty(self) -> bool:
        """Nothing could be imported: no source was of use, or none of its rows."""
        return not any(each.used and (each.rows or 0) > each.bad for each in self.harvest.sources)


def trades_of(of: Records, loose: Callable[[Disagreement], object]) -> Iterator[Told]:
    """The trades of a ticker, each disagreement beside the trade it is about, or beside the ticker's first; `loose` gets those of none."""
    trades = rebuilt(of)
    by_row = defaultdict[str | None, list[Disagreement]](list)
    rows = {trade.row.old_row for trade in trades if trade.row}
    for each in disagreements(of, trades):
        if not trades:
            loose(each)
        by_row[each.old_row if each.old_row in rows else None].append(each)
    for number, trade in enumerate(trades):
        yield (
            trade,
            [
                *(by_row.pop(trade.row.old_row, ()) if trade.row else ()),
                *(by_row[None] if number == 0 else ()),
            ],
        )


def print_json(report: Report, out: Print) -> None:
    """One object, a trade a line."""
    harvest, found = report.harvest, report.found
    before: dict[str, object] = {
        "mode": report.mode,
        "dry_run": not report.kept,
        "compared": report.compared,
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
        "net_pnl": _money(found.net),
        "settings": {"old": harvest.settings, "recio": as_recio(harvest.settings)},
        "refused": [{"path": path, "why": why} for path, why in harvest.refused],
    }
    out(json.dumps(before, indent=2).removesuffix("\n}"))
    out(',\n  "trades": ')
    found.trade_lines.print(out)
    out(',\n  "disagreements": ')
    found.disagreement_lines.print(out)
    out("\n}\n")


def nothing_of(mode: str, refused: Sequence[tuple[str, str]]) -> Report:
    """Of an import that did not come to its end."""
    counts: dict[str, int] = dict.fromkeys(("fills", "orders", "settlements", "trades"), 0)
    return Report(
        mode=mode,
        kept=False,
        compared=False,
        harvest=Harvest(refused=[*refused]),
        imported=counts | {"prices": 0},
        totals=counts,
        found=Found(),
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
    did = (
        "imported"
        if report.kept
        else "would import"
        if report.compared
        else "would import into an empty recio (--config FILE compares with what its database has)"
    )
    lines.append(f"{did}: " + ", ".join(f"{count:,} {name}" for name, count in report.imported.items()))
    lines.append("all together: " + ", ".join(f"{count:,} {name}" for name, count in report.totals.items()))
    found = report.found
    lines.append(
        f"net result of {found.trades - found.unknown} trades: ${found.net:,.2f};"
        f" {found.unknown} have none yet, or none that can be known"
    )
    lines.append(
        f"disagreements with the old ledger: {found.disagreements}"
        + "".join(f"; {name} {count}" for name, count in found.by_field.most_common())
    )
    lines += [
        f"  {each.ticker} row {each.old_row}: {each.field} was {each.theirs}, is {each.ours}"
        for each in found.first
    ]
    if found.disagreements > SHOWN:
        lines.append(f"  and {found.disagreements - SHOWN} more: --json has all")
    if harvest.settings:
        lines.append(
            "old settings as those of recio.toml (nothing was set; entries stay off until you turn them on):"
        )
        lines += [f"  {key} = {value}" for key, value in as_recio(harvest.settings).items()]
    return "\n".join(lines)
