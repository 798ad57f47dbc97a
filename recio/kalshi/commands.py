"""Makes the commands to the venue's socket, as data; it never sends one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from recio.units import Ticker

BOOKS = "orderbook_delta"
LIFECYCLE = "market_lifecycle_v2"
PRIVATE = ("fill", "user_orders")
INDEX = "cfbenchmarks_value"
TICKERS_PER_COMMAND = 200
NO_IN_YES_TERMS = True
"""Whether NO levels are asked for, and read, at YES prices. The venue's default is announced to become this, and the choice
to go away: it is asked for by name, and the books are held against REST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its name and parameters as the venue wants them, and what it is about."""

    name: str
    params: dict[str, object]
    channels: tuple[str, ...]
    """What it is about, for its answer."""
    tickers: tuple[Ticker, ...] = ()
    action: str = ""


def subscribe(channels: Sequence[str], *, indexes: Sequence[str] = ()) -> Command:
    """Channels that cover every market of the account or the exchange, or the indexes named."""
    params: dict[str, object] = {"channels": list(channels)}
    if indexes:
        params["index_ids"] = list(indexes)
    return Command(name="subscribe", params=params, channels=tuple(channels))


def subscribe_books(tickers: Sequence[Ticker]) -> Command:
    """The books of some markets, at most TICKERS_PER_COMMAND."""
    params: dict[str, object] = {
        "channels": [BOOKS],
        "market_tickers": list(tickers),
        "use_yes_price": NO_IN_YES_TERMS,
    }
    return Command(name="subscribe", params=params, channels=(BOOKS,), tickers=tuple(tickers))


def update_books(sid: int, action: str, tickers: Iterable[Ticker]) -> tuple[Command, ...]:
    """add_markets, delete_markets or get_snapshot, in as many commands as it takes."""
    return tuple(_update(sid, action, chunk) for chunk in chunks(tickers))


def unsubscribe(sid: int, channel: str) -> Command:
    return Command(name="unsubscribe", params={"sids": [sid]}, channels=(channel,))


def list_subscriptions() -> Command:
    return Command(name="list_subscriptions", params={}, channels=())


def in_few(commands: Iterable[Command]) -> list[Command]:
    """The same requests in order, with those for snapshots of one subscription that follow each other in as few commands as it takes.

    A ladder whose far strikes are empty asks for each of them by itself, since an empty snapshot is believed at the second time.
    """
    few: list[Command] = []
    for each in commands:
        if few and _is_one_with(few[-1], each):
            tickers = (*few[-1].tickers, *each.tickers)
            each = replace(each, params={**each.params, "market_tickers": list(tickers)}, tickers=tickers)
            few.pop()
        few.append(each)
    return few


def _is_one_with(before: Command, each: Command) -> bool:
    return (
        before.action == each.action == "get_snapshot"
        and before.params["sids"] == each.params["sids"]
        and len(before.tickers) + len(each.tickers) <= TICKERS_PER_COMMAND
    )


def chunks(tickers: Iterable[Ticker], size: int = TICKERS_PER_COMMAND) -> Iterator[list[Ticker]]:
    """In order, so that the same wish always makes the same commands."""
    ordered = sorted(tickers)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _update(sid: int, action: str, tickers: list[Ticker]) -> Command:
    params: dict[str, object] = {"sids": [sid], "action": action, "market_tickers": tickers}
    return Command(
        name="update_subscription", params=params, channels=(BOOKS,), tickers=tuple(tickers), action=action
    )
