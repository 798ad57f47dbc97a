"""Finds the file that speaks a source's protocol by the source's name; it opens nothing.

Which sources there are stands in `recio/settings/price_sources.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from recio.prices.feed import Source


class SourceFile(Protocol):
    def source(self, url: str, names: Mapping[str, str]) -> Source:
        """`names` maps what the source calls each coin to its symbol."""
        ...


def source_named(name: str, url: str, names: Mapping[str, str]) -> Source:
    return cast("SourceFile", import_module(f"recio.prices.{name}")).source(url, names)
