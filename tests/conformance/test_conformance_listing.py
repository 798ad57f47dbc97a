"""The scripted days name a step for everything that `make conformance` promises; the clients are not needed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conformance.listing import CLIENTS, HERE, step_names

PROMISED: dict[str, tuple[str, str]] = {
    # what the day must show: (a step of the official client, a step of pykalshi)
    "discovery: exchange status": ("exchange status with the crypto shard", "exchange status"),
    "discovery: schedule": ("exchange schedule of seven days", "exchange schedule of seven days"),
    "discovery: series": ("series list and single series", "series list and single series"),
    "discovery: events": ("events in pages with nested markets", "events in pages"),
    "discovery: single event": (
        "single event by ticker, unknown event not found",
        "single event with its markets",
    ),
    "discovery: markets in pages": ("markets in pages", "markets in pages"),
    "discovery: single market": ("single market by ticker", "single market by ticker"),
    "discovery: unknown market": (
        "unknown market is the client's not-found error",
        "unknown market is the client's not-found error",
    ),
    "books over REST": (
        "book over REST agrees with the market's quotes",
        "book over REST agrees with the market's quotes",
    ),
    "public trades": ("public trades in pages", "public trades in pages"),
    "candles": ("candlesticks of the market", "candlesticks of one market and of several"),
    "balance": ("balance by shard", "balance"),
    "orders: maker": (
        "a good-till-cancelled order rests and binds its cost",
        "a good-till-cancelled order rests and is read back",
    ),
    "orders: post-only and its refusal": (
        "post-only rests, a crossing post-only is refused",
        "post-only rests, a crossing post-only is refused",
    ),
    "orders: immediate or cancel": (
        "immediate-or-cancel takes, at the resting price and with the taker fee",
        "immediate-or-cancel takes and shows up in the fills",
    ),
    "orders: fill or kill": (
        "fill-or-kill is refused whole or filled whole",
        "fill-or-kill is refused whole or filled whole",
    ),
    "orders: reduce-only": (
        "reduce-only closes part of the position and never turns it round",
        "reduce-only closes part of the position",
    ),
    "orders: expiring": ("an order that expires ends by itself", "an order that expires ends by itself"),
    "orders: batch create": ("a batch creates each order for itself", "a batch creates and a batch cancels"),
    "orders: batch cancel": ("a batch cancels each order for itself", "a batch creates and a batch cancels"),
    "orders: cancel all": ("cancel all leaves nothing resting", "cancel all leaves nothing resting"),
    "partial fill": (
        "a large order fills partly and the rest of it rests",
        "a large order fills partly and the rest of it rests",
    ),
    "cancel and repeated cancel": (
        "cancel gives back the count, a repeated cancel is not found",
        "cancel, and a repeated cancel is not found",
    ),
    "amend": (
        "amend moves the price and the count, the id stays",
        "amend moves the price and the count, decrease takes away",
    ),
    "decrease": ("decrease by and decrease to", "amend moves the price and the count, decrease takes away"),
    "duplicate id": (
        "duplicate client id is the client's conflict, also after a cancel",
        "duplicate client id is refused with 409",
    ),
    "insufficient balance": (
        "insufficient balance is refused by name",
        "insufficient balance is the client's insufficient funds",
    ),
    "off-grid price": (
        "an off-grid price and a bad count are refused by name",
        "an off-grid price is the client's rejected order",
    ),
    "order groups": (
        "a triggered order group cancels its orders and takes no new one until reset",
        "an order group is created, takes an order, triggers, resets and goes",
    ),
    "queue position": ("queue position of one order and of all", "queue position of one order and of all"),
    "account limits": ("account limits", "account limits and endpoint costs"),
    "endpoint costs": ("endpoint costs", "account limits and endpoint costs"),
    "settlement": (
        "the market is finalized with a result and a value",
        "the market is finalized with a result and a value",
    ),
    "settlements list": (
        "the settlements list has the held position and its payout",
        "the settlements list has the held position, its payout and the client's own profit",
    ),
    "pages of fills": (
        "fills in pages, each once, the same as each order's count and fees",
        "fills in pages, each once, and they make the position",
    ),
    "positions": (
        "the position is the sum of the fills",
        "fills in pages, each once, and they make the position",
    ),
    "money": (
        "cash is what the fills, fees and payouts make it, exactly",
        "cash is what the fills, fees and payouts make it, exactly",
    ),
}

SOCKET = {
    "books over WebSocket": "the book rebuilt from snapshot and deltas equals the book over REST",
    "ticker": "ticker frames agree with the market over REST",
    "trade": "trade frames are the trades over REST",
    "fill": "a fill frame, the public trade and the fill over REST are one",
    "user_orders": "an own order's delta carries its client id, user_orders its life",
    "market_positions": "market_positions frames agree with the position over REST",
}
"""The official client has no WebSocket."""


@pytest.mark.parametrize("promise", PROMISED)
def test_both_days_have_a_step_for(promise: str) -> None:
    for client, wanted in zip(CLIENTS, PROMISED[promise], strict=True):
        assert wanted in step_names(client), client


@pytest.mark.parametrize("channel", SOCKET)
def test_the_day_over_the_socket_has_a_step_for(channel: str) -> None:
    assert SOCKET[channel] in step_names("pykalshi")


@pytest.mark.parametrize("client", CLIENTS)
def test_every_step_of_a_day_has_a_name_of_its_own(client: str) -> None:
    names = step_names(client)
    assert len(names) == len(set(names)) > 40


@pytest.mark.parametrize("client", CLIENTS)
def test_every_script_with_steps_is_part_of_its_day(client: str) -> None:
    day = (HERE / f"{client}_day.py").read_text()
    with_steps = [path.stem for path in HERE.glob(f"{client}_*.py") if "@step(" in path.read_text()]
    assert len(with_steps) > 2
    for module in with_steps:
        assert f"*{module}.STEPS" in day, module


def test_no_client_is_needed_to_read_the_steps() -> None:
    assert not {"kalshi_python_async", "pykalshi"} & set(sys.modules)


@pytest.mark.parametrize("lock", ["requirements.lock", "official.lock"])
def test_every_package_is_pinned_with_a_hash(lock: str) -> None:
    lines = Path(HERE / lock).read_text().splitlines()
    packages = [number for number, line in enumerate(lines) if line and line[0] not in "# "]
    assert packages
    for number in packages:
        assert "==" in lines[number], lines[number]
        assert "--hash=sha256:" in lines[number + 1], lines[number]
