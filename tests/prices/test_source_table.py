"""A price source is a line of the table and a file of the same name, and neither stands alone."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from recio import prices
from recio.prices.feed import Source
from recio.prices.sources import source_named
from recio.settings.price_sources import SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_every_line_of_the_table_has_a_file_that_speaks_its_protocol(name: str):
    product = SOURCES[name].product_of("BTC")
    source = source_named(name, SOURCES[name].url, {product: "BTC"})
    assert isinstance(source, Source)
    assert (source.name, source.url) == (name, SOURCES[name].url)
    assert product.lower() in str(source.subscribe).lower()


def test_every_file_that_speaks_a_protocol_stands_in_the_table():
    files = {path.stem for path in Path(str(prices.__file__)).parent.glob("*.py")} - {"__init__", "sources"}
    speaking = {name for name in files if hasattr(import_module(f"recio.prices.{name}"), "parser")}
    assert speaking == set(SOURCES)
