"""What doctor says of the socket's books against a real exchange: they are those of REST, or it is told which are not and why."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from recio.commands import examine_books
from recio.commands.finding import Finding, Grade
from recio.exchange_sim.server import ExchangeSettings
from tests.kalshi.running_exchange import client_of_exchange

SERIES = "KXBTC15M"


async def found(directory: Path, series: str) -> Finding:
    settings = ExchangeSettings(credentials_dir=directory, align=True)
    async with client_of_exchange(settings) as (venue, session, rest):
        assert rest.signer is not None
        stamp = rest.venue_clock.stamp_ms(rest.clock)
        headers = rest.signer.headers("GET", urlsplit(venue.ws_url).path, stamp)
        async with session.ws_connect(venue.ws_url, headers=headers) as ws:
            return await examine_books.books(ws, rest, series)


async def test_books_that_are_those_of_rest_are_good(tmp_path: Path):
    said = await found(tmp_path, SERIES)
    assert (said.grade, said.says) == (Grade.GOOD, "1 of the socket are those of REST")


async def test_books_whose_no_prices_are_read_the_other_way_are_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        examine_books, "NO_IN_YES_TERMS", False
    )  # what we believe of the wire; it stays as it was
    monkeypatch.setattr(examine_books, "WITHIN", 2.0)
    said = await found(tmp_path, SERIES)
    assert said.grade is Grade.BAD
    assert "NO side is the mirror of the venue's REST book" in said.says


async def test_a_series_without_an_open_market_is_noted(tmp_path: Path):
    said = await found(tmp_path, "KXNONE15M")
    assert (said.grade, said.says) == (Grade.NOTE, "no market is open now")
