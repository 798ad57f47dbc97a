"""`recio trade`: asks the running daemon to buy, waits for its answer and for what became of it; it sends nothing itself."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import anyio

from recio.commands.database import rows_of
from recio.commands.options import add_config, config_of, some_words
from recio.daemon.database import dsn_of
from recio.db import requests
from recio.db.requests import CameOfIt, RequestAnswer
from recio.errors import BadConfig, ExitCode, Fatal
from recio.messages.orders import TradeState
from recio.settings.config import Config
from recio.units import ONE_DOLLAR, Price, Quantity, Side, Ticker, UnitError, price, quantity, quantity_text

ANSWER_WITHIN = 10.0
"""Host seconds after which a request has expired."""
ENDS_WITHIN = 20.0
"""Host seconds to wait for the trade itself; its row holds either way."""
LOOK_EVERY = 0.2
NAME = "recio trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    ticker: Ticker
    side: Side
    quantity: Quantity
    limit: Price
    by: str
    why: str


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("side", choices=("yes", "no"))
    parser.add_argument("ticker", type=some_words, metavar="TICKER")
    parser.add_argument("--contracts", required=True, metavar="N")
    parser.add_argument(
        "--max-price", required=True, metavar="DOLLARS", help="the most to pay for one contract"
    )
    parser.add_argument(
        "--by", required=True, type=some_words, metavar="NAME", help="who asks for it, for the record"
    )
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    what = wanted(options.ticker, options.side, options.contracts, options.max_price, options.by, options.why)
    print(anyio.run(trade, config_of(options.config), what))


def wanted(ticker: str, side: str, contracts: str, max_price: str, by: str, why: str) -> Wanted:
    """Raises BadConfig naming the option."""
    return Wanted(
        ticker=Ticker(ticker),
        side=Side(side),
        quantity=_contracts(contracts),
        limit=_price(max_price),
        by=by,
        why=why,
    )


async def trade(config: Config, what: Wanted) -> str:
    """What became of it. Raises Fatal where nobody answered or the answer was no."""
    async with dsn_of(config) as dsn:
        async with rows_of(dsn, NAME) as connection:
            # On a database of another version the answer could not be read: then nothing is asked either.
            await requests.answered(connection, 0)
            number = await requests.ask(
                connection,
                what.ticker,
                what.side,
                what.quantity,
                what.limit,
                what.by,
                what.why,
                ANSWER_WITHIN,
            )
        answer = await _answer(dsn, number)
        if answer is None:
            raise Fatal(
                f"request {number} was not answered within {ANSWER_WITHIN:g} s and has expired, nothing was ordered:"
                " is the daemon running?",
                ExitCode.TEMPORARY,
            )
        if not answer.accepted:
            raise Fatal(f"request {number} was refused, nothing was ordered: {answer.sentence}")
        return f"request {number} {answer.sentence}\n{_told(await _end(dsn, number))}"


async def _answer(dsn: str, number: int) -> RequestAnswer | None:
    # A little longer than anybody may take to act on it.
    with anyio.move_on_after(ANSWER_WITHIN + 2):
        while True:
            async with rows_of(dsn, NAME) as connection:
                found = await requests.answered(connection, number)
            if found is not None:
                return found
            await anyio.sleep(LOOK_EVERY)
    async with rows_of(dsn, NAME) as connection:
        return await requests.last_answer(connection, number)


async def _end(dsn: str, number: int) -> CameOfIt | None:
    """The trade once its entry is proven, or as it is when patience ends."""
    found: CameOfIt | None = None
    with anyio.move_on_after(ENDS_WITHIN):
        while found is None or found.state is TradeState.OPENING:
            await anyio.sleep(LOOK_EVERY)
            async with rows_of(dsn, NAME) as connection:
                found = await requests.came_of_it(connection, number)
    return found


def _told(found: CameOfIt | None) -> str:
    if found is None:
        return (
            "no trade has come of it: trade_manager refused it, or the daemon ended before; the log says why"
        )
    if found.state is TradeState.VOID:
        return f"trade {found.trade_id} bought nothing: {found.ended_by}"
    if found.state is TradeState.OPENING:
        return f"trade {found.trade_id}: its order is not proven yet; the page shows what becomes of it"
    return f"trade {found.trade_id} is {found.state} with {quantity_text(found.bought)} contracts"


def _contracts(text: str) -> Quantity:
    try:
        value = quantity(text)
    except UnitError as error:
        raise BadConfig(f"--contracts {text} is refused: {error}") from error
    if value <= 0:
        raise BadConfig(f"--contracts {text} is refused: it must be more than 0")
    return value


def _price(text: str) -> Price:
    try:
        value = price(text)
    except UnitError as error:
        raise BadConfig(f"--max-price {text} is refused: {error}") from error
    if not 0 < value < ONE_DOLLAR:
        raise BadConfig(f"--max-price {text} is refused: dollars for one contract, above 0 and below 1")
    return value
