"""Recorded trades of the spot exchange, row by row and strictly; it knows no feed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from recio.exchange_sim.recorded.files import bad_line, lines
from recio.exchange_sim.recorded.frames import EARLIEST_MS, LATEST_MS, NS_PER_MS

COLUMNS = ("recv_ns", "exchange_ts", "price")
KINDS = ("match", "last_match")


class SpotRow(NamedTuple):
    """One trade. `price` is exact, `at` is the spot exchange's own stamp."""

    received_ns: int
    price: Decimal
    at: datetime
    trade_id: int
    kind: str


def read_spot(path: Path) -> Iterator[SpotRow]:
    """Every trade in the order received. Raises BadSession at the first row that is none."""
    columns: list[str] = []
    for number, raw in lines(path):
        try:
            cells = next(csv.reader([raw.decode()], strict=True), list[str]())
        except (UnicodeDecodeError, csv.Error) as error:
            raise bad_line(path, number, f"not a CSV row: {error}") from error
        if number == 1:
            columns = cells
            _check_header(path, columns)
        elif len(cells) != len(columns):
            raise bad_line(path, number, f"{len(cells)} fields where the header names {len(columns)}")
        else:
            yield _row(path, number, dict(zip(columns, cells, strict=True)))


def _check_header(path: Path, columns: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise bad_line(path, 1, f"the header lacks {', '.join(missing)}")


def _row(path: Path, number: int, cells: dict[str, str]) -> SpotRow:
    try:
        kind = cells.get("type", "match")
        if kind not in KINDS:
            raise ValueError(f"type {kind!r} is none of {', '.join(KINDS)}")
        received = int(cells["recv_ns"])
        if not EARLIEST_MS <= received // NS_PER_MS <= LATEST_MS:
            raise ValueError(f"recv_ns {received} is not between the years 2000 and 2100")
        trade_id = int(cells.get("trade_id") or number - 1)
        return SpotRow(received, _price(cells["price"]), _moment(cells["exchange_ts"]), trade_id, kind)
    except (ValueError, InvalidOperation) as error:
        raise bad_line(path, number, f"not a trade: {error}") from error


def _price(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or not 0 < value < 10**9:
        raise ValueError(f"price {text!r} is not a positive amount")
    return value


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"exchange_ts {text!r} has no time zone")
    return at.astimezone(UTC)
