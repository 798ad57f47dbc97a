"""What is pushed: the whole once, then what changed; a reader of the changes sees what a reader of everything sees, for little."""

from __future__ import annotations

import copy
import json
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.units import Ticker
from recio.web import feed as feeds
from recio.web.feed import YOUNGER, Feed, Reader, aged, apply, changed, rates
from tests.builders import book, market, show, view
from tests.tasks.test_status_page import filled_wires, status

STRIKES = 186
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("a", "b", "ticker")), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    before=st.dictionaries(st.sampled_from(("a", "b", "c")), values),
    after=st.dictionaries(st.sampled_from(("a", "b", "c")), values),
)
def test_the_changes_make_the_new_of_the_old(before: dict[str, Any], after: dict[str, Any]):
    tree = copy.deepcopy(before)
    found = [[list(path), *(() if to is feeds.GONE else (to,))] for path, to in changed(before, after, {})]
    apply(tree, found)
    assert tree == after
    assert found == [] if before == after else found


def test_an_age_that_merely_grew_is_no_change_and_none_is_shown_younger_than_it_is():
    by = rates(2.0)
    before = {
        "tasks": {"entry": {"age_seconds": 1.0}},
        "board": [{"ticker": "T", "book_age_seconds": 1.0, "seconds_to_close": 9.0}],
    }
    aged(before, 0.5, by)
    as_it_is = {
        "tasks": {"entry": {"age_seconds": 1.5}},
        "board": [{"ticker": "T", "book_age_seconds": 2.0, "seconds_to_close": 8.0}],
    }
    assert list(changed(before, as_it_is, by)) == []
    as_it_is["tasks"]["entry"]["age_seconds"] = 1.5 + YOUNGER + 0.01
    assert list(changed(before, as_it_is, by)) == [(("tasks", "entry", "age_seconds"), 1.76)]


def told(reader: Reader, unpack: Any) -> tuple[list[dict[str, Any]], int]:
    packed = reader.take()
    text = unpack.decompress(packed)
    return [json.loads(line[6:]) for line in text.split(b"\n\n") if line], len(packed)


def a_ladder(tick: int) -> dict[str, Any]:
    """Books of a ladder that move a little at each push, as they do."""
    wires = filled_wires()
    views = [
        view(
            market(
                ticker=Ticker(f"KXBTCD-26NOV2312-T{80_000 + 50 * each}"),
                floor_strike=Decimal(80_000 + 50 * each),
            ),
            book(4_900 + (tick + each) % 7 * 10, 5_100 + (tick * 3 + each) % 5 * 10),
        )
        for each in range(STRIKES)
    ]
    show(wires.board, view(), *views)
    found = status(wires)
    found["now"] = f"2026-11-23T12:00:{tick * 0.5:06.3f}Z"
    return found


def test_a_ladder_costs_a_reader_less_than_two_kilobytes_a_second(monkeypatch: pytest.MonkeyPatch):
    at = [0.0]
    monkeypatch.setattr(feeds.time, "monotonic", lambda: at[0])
    seconds, pushes = 15, 30
    bodies = [a_ladder(tick) for tick in range(pushes + 1)]
    feed = Feed(status=lambda: bodies[round(at[0] * 2)], rates=rates(1.0), every=0.5)
    reader, unpack, kept, sent = feed.reader(changes=True, packed=True), zlib.decompressobj(31), {}, 0
    for tick in range(pushes + 1):
        at[0] = tick * 0.5
        messages, size = told(reader, unpack)
        sent += size if tick else 0
        for each in messages:
            if "whole" in each:
                kept = each["whole"]
            else:
                aged(kept, each["passed"], each.get("rates", rates(1.0)))
                apply(kept, each["changes"])
    assert [row["yes_bid"] for row in kept["board"]] == [row["yes_bid"] for row in bodies[-1]["board"]]
    assert kept["now"] == bodies[-1]["now"]
    whole = len(json.dumps(bodies[-1])) * 2
    assert sent / seconds < 2_048, f"{sent / seconds:.0f} B/s; whole pushes would be {whole} B/s"


def test_a_reader_that_fell_behind_begins_anew_and_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch):
    at = [0.0]
    monkeypatch.setattr(feeds.time, "monotonic", lambda: at[0])
    feed = Feed(status=lambda: {"n": at[0]}, rates={}, every=0.5)
    late, steady = feed.reader(changes=True, packed=False), feed.reader(changes=True, packed=False)
    for tick in range(feeds.KEPT + 5):
        at[0] = float(tick)
        if tick == 0:
            late.take()
        assert (b'"whole"' in steady.take()) == (tick == 0)
    assert b'"whole"' in late.take()


def test_readers_share_what_is_made_and_nothing_is_made_twice_for_one_push(monkeypatch: pytest.MonkeyPatch):
    made = [0]

    def status() -> dict[str, Any]:
        made[0] += 1
        return {"n": made[0]}

    monkeypatch.setattr(feeds.time, "monotonic", lambda: 1.0)
    feed = Feed(status=status, rates={}, every=0.5)
    for _ in range(200):
        feed.reader(changes=True, packed=False).take()
    assert made == [1]
