"""The status page's files as they are served; reads them and must never fill them in with figures."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

KINDS = {
    "html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}  # fmt: skip
CHARTS = ("chart_scale.js", "chart_parts.js", "market_chart.js", "performance.js")
LISTS = ("lists.js",)
STORIES = ("story.js", "imported.js")
DEVICE = ("device.js", "worker.js", "push.js", "manifest.webmanifest", "icon.svg")
ICONS = ("icon-180.png", "icon-512.png")
ABOUT = ("about.js",)
LOGIN = ("passkeys.js",)
LATER = (*CHARTS, *LISTS, *STORIES, *DEVICE, *ABOUT, *LOGIN)
"""Fetched by a page when a chart, or the past, is looked at, a figure is asked about or somebody logs in, or by a browser that may install it."""
FILES = (
    "index.html", "style.css", "page.js", "parts.js", "text.js", "now.js", "markets.js", "health.js", "past.js",
    "acts.js", "charts.js", "charts.css", *LATER,
)  # fmt: skip


def page_files() -> Mapping[str, tuple[str, str]]:
    """Text, without its indentation, and content type by name; no file holds a figure, every one is fetched or pushed.

    Each call reads the disk: call it once, before serving.
    """
    folder = files(__name__)
    return {
        name: (_unindented(folder.joinpath(name).read_text(encoding="utf-8")), KINDS[name.rsplit(".", 1)[-1]])
        for name in FILES
    }


def page_icons() -> Mapping[str, bytes]:
    """PNG by name. Each call reads the disk."""
    folder = files(__name__)
    return {name: folder.joinpath(name).read_bytes() for name in ICONS}


def _unindented(text: str) -> str:
    """A phone on a slow line need not wait for blanks."""
    return "\n".join(line.lstrip(" ") for line in text.split("\n"))
