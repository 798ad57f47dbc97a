"""The status as one page of text and tables, for a browser without scripts and for paper; it shows what was so when it was made, and says when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

UNKNOWN = "\u2014"
POSITIONS = (
    ("Trade", "id"), ("Market", "ticker"), ("Side", "side"), ("Contracts", "quantity"), ("Paid each, $", "average_price"),
    ("Bid, $", "mark"), ("Net, $", "pnl"), ("At worst, $", "worst"), ("State", "state"), ("Closes (UTC)", "closes_at"),
    ("Without a stop because", "unguarded_why"),
)  # fmt: skip
MARKETS = (
    ("Market", "ticker"), ("Strike, $", "strike"), ("YES bid, $", "yes_bid"), ("YES ask, $", "yes_ask"),
    ("Model", "probability"), ("Closes (UTC)", "closes_at"), ("Why not traded", "note"),
)  # fmt: skip
LIMITS = (("Limit", "name"), ("Taken at worst", "used"), ("May be", "limit"))
ALERTS = (("Alert", "cause"), ("Severity", "severity"), ("Since (UTC)", "since"), ("What it is", "sentence"))
TASKS = (("Task", "name"), ("State", "state"), ("Seconds ago", "age_seconds"), ("Did last", "sentence"))


def plain_page(status: Mapping[str, Any]) -> str:
    """HTML of the keys of GET /status; whatever stands in them is text here."""
    pnl, positions = status["pnl"], status["positions"]
    held = [each for each in status["trades"] if each["state"] not in ("closed", "void")]
    # Anything that is not known to be harmless is called real money.
    is_play = status["mode"] in ("demo", "paper") or (
        status["mode"] == "live" and status["environment"] in ("demo", "sim")
    )
    facts = {
        "Money": "play money" if is_play else "REAL MONEY",
        "Mode, environment, account": " ".join(
            map(_text, (status["mode"], status["environment"], status["account"]))
        ),
        "Could it trade then": "yes" if status["ready"] else "no: " + "; ".join(status["reasons"]),
        "Net today, $": pnl["realised_today"],
        "Held, worth then, $": None if positions is None else positions["value"],
        "Held, at worst, $": None if positions is None else positions["worst"],
        "Cash at the venue, $": pnl["balance"],
        "Entries": _position(status["switches"]["entry"]),
        "Exits": _position(status["switches"]["exit"]),
    }
    halts = [
        f"{each['level']}: {each['cause']}, since {each['since']} by {each['by']}" for each in status["halts"]
    ]
    parts = [
        f"<h1>recio, as it was at {_cell(status['now'])}</h1>",
        '<p>This page stands still and cannot act: <a href="plain">make it anew</a>. recio halt stops entries.</p>',
        *(f"<p><strong>HALTED: {_cell(each)}</strong></p>" for each in halts),
        "<dl>"
        + "".join(f"<dt>{_cell(name)}</dt><dd>{_cell(value)}</dd>" for name, value in facts.items())
        + "</dl>",
        *_table("Positions", POSITIONS, held),
        *_table("Markets", MARKETS, status["board"]),
        *_table("Limits", LIMITS, status["limits"]),
        *_table("Alerts", ALERTS, status["alerts"]["open"]),
        *_table("Health", TASKS, [{"name": name} | task for name, task in status["tasks"].items()]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width, initial-scale=1"><title>recio, plain</title>'
        f'<link rel="stylesheet" href="../../style.css"></head><body class="plain"><main>{"".join(parts)}</main></body></html>\n'
    )


def _table(
    title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]
) -> Iterable[str]:
    """Roles are spelled out: a row that is laid out as a card on a phone would lose them."""
    yield f"<h2>{_cell(title)}</h2>"
    if not rows:
        yield "<p>none</p>"
        return
    heads = "".join(f'<th scope="col" role="columnheader">{_cell(head)}</th>' for head, _ in columns)
    yield f'<table role="table" aria-label="{_cell(title)}"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
    yield '<tbody role="rowgroup">'
    for row in rows:
        (_, first), *others = columns
        yield f'<tr role="row"><th scope="row" role="rowheader" class="id wide">{_cell(row.get(first))}</th>'
        yield "".join(
            f'<td role="cell" data-label="{_cell(head)}">{_cell(row.get(key))}</td>' for head, key in others
        )
        yield "</tr>"
    yield "</tbody></table>"


def _position(is_on: bool) -> str:
    return "on" if is_on else "OFF"


def _text(value: object) -> str:
    return UNKNOWN if value is None or value == "" else str(value)


def _cell(value: object) -> str:
    return escape(_text(value))
