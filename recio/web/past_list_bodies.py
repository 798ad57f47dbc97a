"""What the routes of the lists take and give, as models made from the lists themselves; they say what may be asked and ask nothing."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypeAlias

from pydantic import BaseModel, Field, create_model

from recio.db.past_lists import Place
from recio.report.past_lists import Of, PastList
from recio.report.past_trades import Kind
from recio.web.answers import LINE, DecimalText, Given, Moment, Taken, TickerText

MOST = 200
"""Rows on one page."""
USUAL = 50
PlaceText: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,1000}$")]
StrategyText: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z0-9 _-]{1,64}$")]
Searched: TypeAlias = Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
UNITS = {
    Of.TIME: "UTC",
    Of.DOLLARS: "dollars",
    Of.PRICE: "dollars for one contract",
    Of.CONTRACTS: "contracts",
    Of.COUNT: "a whole number",
    Of.PROBABILITY: "0 to 1",
    Of.TRADE: "number of a trade",
}
_SHAPES: dict[Of, Any] = {
    Of.DOLLARS: DecimalText,
    Of.PRICE: DecimalText,
    Of.CONTRACTS: DecimalText,
    Of.PROBABILITY: DecimalText,
    Of.COUNT: int,
}


class ColumnTold(Given):
    name: str
    title: str
    of: Of
    unit: str
    is_shown: bool
    """In the page's table; JSON and files have every column."""


class KindTold(Given):
    kind: Kind
    columns: list[ColumnTold]


class ListTold(Given):
    name: str
    title: str
    time: str
    """The column that since and until bound."""
    has_ticker: bool
    has_strategy: bool
    picks: dict[str, list[str]]
    """Columns that a word chooses by, each with its words."""
    kinds: list[KindTold]


class Lists(Given):
    """Which lists of the past there are, and how each may be asked."""

    lists: list[ListTold]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A row's place, with the order in which it stands there."""

    of: str
    kind: str
    sort: str
    down: bool
    place: Place

    def text(self) -> str:
        said = json.dumps([self.of, self.kind, self.sort, self.down, self.place.value, self.place.key])
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def bookmark(text: str) -> Bookmark | None:
    """None for a text that is none."""
    try:
        said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        of, kind, sort, down, value, key = said
    except (binascii.Error, ValueError, TypeError):
        return None
    if not all(isinstance(each, str) for each in (of, kind, sort, key)) or not isinstance(value, str | None):
        return None
    return Bookmark(of=of, kind=kind, sort=sort, down=bool(down), place=Place(value=value, key=key))


def told(of: PastList) -> ListTold:
    return ListTold(
        name=of.name,
        title=of.title,
        time=of.time,
        has_ticker=of.has("ticker"),
        has_strategy=of.has("strategy"),
        picks={name: list(words) for name, words in of.picks.items()},
        kinds=[KindTold(kind=each, columns=columns_told(of, each)) for each in Kind if each in of.kinds],
    )


def columns_told(of: PastList, kind: Kind) -> list[ColumnTold]:
    return [
        ColumnTold(
            name=each.name,
            title=each.title,
            of=each.of,
            unit=UNITS.get(each.of, ""),
            is_shown=kind in each.shown,
        )
        for each in of.columns_of(kind)
    ]


def query_of(of: PastList, *, is_file: bool) -> type[Taken]:
    """A file has every row, so it has no pages."""
    first = next(each for each in Kind if each in of.kinds)
    fields: dict[str, Any] = {
        "kind": (Literal[tuple(each.value for each in Kind if each in of.kinds)], first.value),
        "since": _perhaps(Moment),
        "until": _perhaps(Moment),
        "text": _perhaps(Searched),
        "sort": (Literal[tuple(each.name for each in of.columns)], of.time),
        "order": (Literal["down", "up"], "down"),
        **{name: _perhaps(Literal[words]) for name, words in of.picks.items()},
    }
    if Kind.IMPORTED in of.kinds:
        fields["mode"] = (Literal["prod", "demo"], "prod")
    if of.has("ticker"):
        fields["ticker"] = _perhaps(TickerText)
    if of.has("strategy"):
        fields["strategy"] = _perhaps(StrategyText)
    if not is_file:
        fields |= {
            "after": _perhaps(PlaceText),
            "before": _perhaps(PlaceText),
            "most": (Annotated[int, Field(ge=1, le=MOST)], USUAL),
        }
    return create_model(f"{of.title}Asked", __base__=Taken, **fields)


def _perhaps(of: Any) -> Any:
    """A field that may be left out."""
    return (Optional[of], None)  # noqa: UP045 - `of` is a value here


def rows_of(of: PastList) -> type[Given]:
    """One page. Every column of the list; null is unknown, not yet, or not kept of this kind."""
    columns: dict[str, Any] = {each.name: _field(each.of, each.title) for each in of.columns}
    row = create_model(f"{of.title}Row", __base__=Given, **columns)
    fields: dict[str, Any] = {
        "kind": (Kind, ...),
        "columns": (list[ColumnTold], ...),
        "rows": (list[row], ...),
        "before": (Optional[PlaceText], ...),  # noqa: UP045 - `|` is not for annotated values
        "after": (Optional[PlaceText], ...),  # noqa: UP045
    }
    page = create_model(f"{of.title}Page", __base__=Given, **fields)
    page.__doc__ = "One page; before and after ask for the ones beside it, and are null where there is none."
    return page


def _field(of: Of, title: str) -> Any:
    unit = UNITS.get(of)
    return (
        _SHAPES.get(of, str) | None,
        Field(default=None, description=f"{title}; {unit}" if unit else title),
    )


def values(query: BaseModel) -> dict[str, Any]:
    return {name: getattr(query, name) for name in type(query).model_fields}
