"""`recio trade`: asks the running daemon to buy, waits for its answer and for what became of it; it sends nothing itself."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import anyio
import asyncpg

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.options import price_option, some_words
from recio.db import requests
from recio.db.connection import single_statement, transaction
from recio.db.requests import CameOfIt, RequestAnswer
from recio.errors import BadConfig, ExitCode, Fatal
from recio.messages.orders import Guard, TradeState
from recio.texts import writable
from recio.units import Price, Quantity, Side, Ticker, UnitError, quantity, quantity_text

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
    guard: Guard | None
    by: str
    why: str


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("side", choices=("yes", "no"), metavar="yes|no")
    parser.add_argument("ticker", type=some_words, metavar="TICKER")
    parser.add_argument("--contracts", required=True, metavar="N")
    parser.add_argument(
        "--max-price", required=True, metavar="DOLLARS", help="the most to pay for one contract"
    )
    parser.add_argument(
        "--by", required=True, type=some_words, metavar="NAME", help="who asks for it, for the record"
    )
    parser.add_argument(
        "--stop-price", metavar="DOLLARS", help="sell at or below this bid, and by no stop of [exit]"
    )
    parser.add_argument(
        "--take-profit", metavar="DOLLARS", help="sell at or above this bid, and by no stop of [exit]"
    )
    parser.add_argument(
        "--no-stop",
        action="store_true",
        help="leave it to the settlement; without any of the three, [exit] sells it",
    )
    parser.add_argument("--why", default="", type=writable, metavar="TEXT", help="the reason, for the record")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    guard = wanted_guard(options.stop_price, options.take_profit, options.no_stop)
    what = wanted(
        options.ticker, options.side, options.contracts, options.max_price, options.by, options.why, guard
    )
    place, truth = find_installation(options), _Truth("nothing was asked for, and nothing ordered")
    return to_the_end(lambda: trade(place, what, truth), lambda: truth.sentence)


def wanted_guard(stop_price: str | None, take_profit: str | None, no_stop: bool) -> Guard | None:
    """None: guarded by [exit]. Raises BadConfig naming the option."""
    stop = None if stop_price is None else price_option("--stop-price", stop_price)
    goal = None if take_profit is None else price_option("--take-profit", take_profit)
    if no_stop and (stop is not None or goal is not None):
        raise BadConfig(
            "--no-stop does not go with --stop-price or --take-profit: it is guarded by them or by nothing"
        )
    if stop is not None and goal is not None and goal <= stop:
        raise BadConfig(f"--take-profit {take_profit} is refused: it must be above --stop-price {stop_price}")
    return Guard(stop_price=stop, take_profit=goal) if no_stop or stop or goal else None


def wanted(
    ticker: str, side: str, contracts: str, max_price: str, by: str, why: str, guard: Guard | None
) -> Wanted:
    """Raises BadConfig naming the option."""
    limit = price_option("--max-price", max_price)
    if guard is not None and guard.stop_price is not None and guard.stop_price >= limit:
        raise BadConfig(
            "--stop-price is refused: it must be below --max-price, or all that is bought is sold at once"
        )
    return Wanted(
        ticker=Ticker(ticker),
        side=Side(side),
        quantity=_contracts(contracts),
        limit=limit,
        guard=guard,
        by=by,
        why=why,
    )


@dataclass(slots=True)
class _Truth:
    """What is so at this moment, for whoever interrupts."""

    sentence: str


async def trade(place: Installation, what: Wanted, truth: _Truth) -> ExitCode:
    """Say what became of it. Raises Fatal where nobody answered or the answer was no."""
    number = 0
    async with pool_of(place, NAME) as pool:
        with anyio.CancelScope(shield=True):
            number = await _ask(pool, what)
            truth.sentence = (
                f"request {number} stands and may still be carried out within {ANSWER_WITHIN:g} s of its time;"
                " the page and the log say what becomes of it"
            )
        answer = await _answer(pool, number)
        if answer is None:
            raise Fatal(
                f"request {number} was not answered within {ANSWER_WITHIN:g} s and has expired, nothing was ordered:"
                " is the daemon running?",
                ExitCode.TEMPORARY,
            )
        if not answer.accepted:
            raise Fatal(f"request {number} was refused, nothing was ordered: {answer.sentence}")
        truth.sentence = f"request {number} {answer.sentence}; the page shows what becomes of its trade"
        print(f"request {number} {answer.sentence}", flush=True)
        found = await _end(pool, number)
        print(_told(found))
        return _code(found)


def _code(found: CameOfIt | None) -> ExitCode:
    """0 only where something was bought."""
    if found is None or found.state is TradeState.OPENING:
        return ExitCode.TEMPORARY
    return ExitCode.FATAL if found.state is TradeState.VOID else ExitCode.OK


async def _ask(pool: asyncpg.Pool[asyncpg.Record], what: Wanted) -> int:
    number = 0
    with said_of_rows():
        async with transaction(pool) as connection:
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
                what.guard,
            )
    return number


async def _answer(pool: asyncpg.Pool[asyncpg.Record], number: int) -> RequestAnswer | None:
    # A little longer than anybody may take to act on it.
    with anyio.move_on_after(ANSWER_WITHIN + 2):
        while True:
            async with transaction(pool) as connection:
                found = await requests.answered(connection, number)
            if found is not None:
                return found
            await anyio.sleep(LOOK_EVERY)
    async with single_statement(pool) as connection:
        return await requests.last_answer(connection, number)


async def _end(pool: asyncpg.Pool[asyncpg.Record], number: int) -> CameOfIt | None:
    """The trade once its entry is proven, or as it is when patience ends."""
    found: CameOfIt | None = None
    with anyio.move_on_after(ENDS_WITHIN):
        while found is None or found.state is TradeState.OPENING:
            await anyio.sleep(LOOK_EVERY)
            async with transaction(pool) as connection:
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
