"""The status page's three texts as packaged files; reads them and must never fill them in with figures."""

from __future__ import annotations

from importlib.resources import files


def index_html() -> str:
    """The page itself; it holds no figure, every one arrives over `/events`.

    Each call reads the disk: call the three once, before serving.
    """
    return _packaged("index.html")


def style_css() -> str:
    return _packaged("style.css")


def page_js() -> str:
    return _packaged("page.js")


def _packaged(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
