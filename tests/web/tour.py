"""Makes the pictures of the README's tour: a demo of its own, a real browser, real commands. It never draws what a newcomer would not see.

`make tour` writes them to docs/tour; the test beside it makes them in a folder of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import anyio
from PIL import Image

from tests.conftest import unused_port
from tests.stories.world import until
from tests.web.browser import PHONE, Page, a_phone

DESK = (1280, 860)
PICTURES = ("terminal.png", "now.png", "phone.png", "halted.png", "market.png", "story.png")
AT_MOST = 600_000
"""Bytes of all pictures together: the README is read over slow lines too."""
Colour: TypeAlias = "tuple[int, int, int]"
COMMON, RARE = 176, 80
"""Colours of a picture, 256 together."""
PATIENCE = 240
"""Host seconds until the demo has bought, which a slow machine may do in its second window only."""
HELD = "/^[+$]|^\u2212/.test(document.querySelector('.position .figure')?.textContent ?? '')"
ENDED = "/^(Sold|Settled) /.test(document.querySelector('#activity li a')?.textContent ?? '')"
DRAWN = (
    "[...document.querySelectorAll('figure.chart svg')].filter((each) => each.checkVisibility()).length >= {}"
)
TERMINAL_SIZE = (1120, 400)
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #10151b; color: #dfe5ec; font: 13px/1.45 ui-monospace, "Liberation Mono", monospace; }
pre { margin: 0; padding: 16px 20px; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
b { color: #7fb4f0; }
</style><pre>%s</pre>"""
ASKED = (("status", "--port", "{port}"), ("trades",), ("report", "--by", "exit_reason"))
"""What the terminal's picture shows, after what the demo says."""
FIRST_LINES, LAST_LINES = 13, 8


@dataclass(frozen=True, slots=True)
class Demo:
    """A running `recio demo`: where its page is, and what it said."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def said(self) -> str:
        return (self.folder / "demo.log").read_text(encoding="utf-8")

    async def asks(self, *words: str) -> str:
        """What a command says in a second terminal, without what it says beside it of where it looked."""
        done = await anyio.run_process(
            [sys.executable, "-m", "recio", *words], cwd=self.folder, check=False, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout.decode()


@contextmanager
def a_demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="recio-tour-", ignore_cleanup_errors=True) as made:
        folder, port = Path(made), unused_port()
        folder.chmod(0o711)
        with (folder / "demo.log").open("wb") as output:
            demo = subprocess.Popen(
                [sys.executable, "-m", "recio", "demo", "--port", str(port)],
                cwd=folder, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            yield Demo(folder, port)
        finally:
            demo.terminate()
            demo.wait(60)


async def make(folder: Path) -> list[str]:
    """Writes every picture to the folder; what the page threw or wrote to its console as an error."""
    with (
        a_demo() as demo,
        tempfile.TemporaryDirectory(prefix="recio-browser-", ignore_cleanup_errors=True) as browser,
    ):
        async with a_phone(Path(browser)) as page:
            await _opened(page, demo)
            market = await _held(page, folder)
            await _halted(page, demo, folder)
            await _ended(page, market, folder)
            faults = list(page.faults)
            await _terminal(page, demo, folder)
    for name in PICTURES:
        _smaller(folder / name)
    return faults


def _smaller(path: Path) -> None:
    """A page has few colours: those that fill it are kept to the last shade, the others are taken for the nearest."""
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    counted = sorted(whole.getcolors(whole.width * whole.height) or [], reverse=True)
    met = [cast("Colour", colour) for _, colour in counted]
    rare = (
        whole.quantize(RARE, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).getpalette() or []
    )
    table = [*met[:COMMON], *zip(rare[0::3], rare[1::3], rare[2::3], strict=True)][:256]
    place = {colour: _nearest(colour, table) for colour in met}
    few = Image.new("P", whole.size)
    few.putpalette([part for colour in table for part in colour])
    few.putdata([place[cast("Colour", pixel)] for pixel in whole.get_flattened_data()])
    few.save(path, optimize=True)


def _nearest(colour: Colour, table: Sequence[Colour]) -> int:
    def apart(index: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, table[index], strict=True))

    return min(range(len(table)), key=apart)


async def _opened(page: Page, demo: Demo) -> None:
    await page.size(*DESK)
    await until(lambda: "trade open" in demo.said(), PATIENCE)
    await page.go(demo.url)


async def _held(page: Page, folder: Path) -> str:
    """The address of the market of what is held."""
    await page.until(HELD, PATIENCE)  # what was bought first may be sold before a slow machine has shown it
    await page.view(folder / "now.png")
    await page.size(*PHONE, dark=True, sharp=2)
    await page.view(folder / "phone.png")
    return str(await page.value("document.querySelector('.position a').getAttribute('href')"))


async def _halted(page: Page, demo: Demo, folder: Path) -> None:
    await page.size(*PHONE, sharp=2)
    await page.value("document.querySelector('#halt').click()")
    await page.until("document.querySelector('#act-said').textContent.startsWith('Done')")
    await page.until("document.querySelector('#halts li')?.textContent.includes('verified after')")
    await page.view(folder / "halted.png")
    await demo.asks("resume", "--by", "you")


async def _ended(page: Page, market: str, folder: Path) -> None:
    """The charts of the market that was bought in, and the trade's story, once it has ended."""
    await page.size(*DESK, dark=True)
    await page.until(ENDED, PATIENCE)
    story = await page.value("document.querySelector('#activity li a').getAttribute('href')")
    await page.value(f"location.hash = '{market}'")
    await page.until(DRAWN.format(3))
    await page.view(folder / "market.png")
    await page.size(*DESK)
    await page.value(f"location.hash = '{story}'")
    await page.until(DRAWN.format(2))
    await page.view(folder / "story.png")


def _until_the_first_trade(lines: list[str]) -> list[str]:
    """How it begins and how it comes to its first trade; what it waited for in between is left out, and that is said."""
    last = next(index for index, line in enumerate(lines) if "trade open" in line) + 1
    if last <= FIRST_LINES + LAST_LINES:
        return lines[:last]
    return [*lines[:FIRST_LINES], "...", *lines[last - LAST_LINES : last]]


async def _terminal(page: Page, demo: Demo, folder: Path) -> None:
    told = "\n".join(
        ["<b>$ make demo</b>", *map(html.escape, _until_the_first_trade(demo.said().splitlines()))]
    )
    for words in (tuple(each.format(port=demo.port) for each in words) for words in ASKED):
        told += f"\n\n<b>$ recio {' '.join(words)}</b>\n{html.escape((await demo.asks(*words)).rstrip())}"
    source = demo.folder / "terminal.html"
    source.write_text(TERMINAL % told, encoding="utf-8")
    await page.size(*TERMINAL_SIZE)
    await page.go(source.as_uri())
    await page.picture(folder / "terminal.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    asyncio.run(make(parser.parse_args().folder))


if __name__ == "__main__":
    main()
