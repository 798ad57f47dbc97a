"""`recio demo`: an exchange of our own, an embedded database and the whole daemon, with a readable account.

The exchange is a process of its own that outlives a killed daemon: the next demo finds it, adopts it
with its database, and goes on where the killed one was.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import aiohttp
import anyio
import structlog

from recio import log as logging
from recio.commands.event_loop import until_signal
from recio.commands.market_clock import DEMO_EXCHANGE
from recio.commands.options import add_config, config_of, positive, whole
from recio.daemon import app, data_dir
from recio.daemon.app import Daemon
from recio.daemon.database import demo_database
from recio.daemon.venue import Credentials, Venue, read_credentials, simulated
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.kalshi import account
from recio.kalshi.markets import MarketResult, read_result
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import MarketStatus
from recio.messages.orders import OpenTrades
from recio.settings.config import Config, parse
from recio.settings.system import LogFormat
from recio.settings.venue import Environment, Mode
from recio.supervisor import leading_fault
from recio.units import Money, Ticker, money_decimal

log: structlog.stdlib.BoundLogger = structlog.get_logger()

IDLE_EXIT = 180
"""Host seconds after which an exchange that nobody came back to ends by itself."""
START_LIMIT = 15.0
STARTS_AT_MOST = 5
RESTART_WAIT = 1.0
LOOK_EVERY = 0.2
SETTLED = (MarketStatus.FINALIZED,)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--windows", type=positive, metavar="N", help="end after N settled windows")
    parser.add_argument("--speed", type=float, metavar="X", help="market seconds per host second, 1 to 60")
    parser.add_argument("--seed", type=whole, metavar="N", help="the same seed gives the same market")
    parser.add_argument("--port", type=whole, metavar="P", help="port of the status page")
    parser.add_argument("--data-dir", metavar="DIR", help="where the demo keeps its database and exchange")
    parser.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> ExitCode:
    config = configure(
        config_of(options.config),
        speed=options.speed,
        seed=options.seed,
        port=options.port,
        data_dir=options.data_dir,
    )
    return until_signal(lambda stop: run(config, stop, windows=options.windows))


def configure(
    config: Config, *, speed: float | None, seed: int | None, port: int | None, data_dir: str | None
) -> Config:
    """The config with the demo's own settings: its mode, trading on, and limits that suit its speed."""
    table = config.model_dump()
    table["mode"] = Mode.DEMO
    table["kalshi"] |= {
        "environment": Environment.SIM,
        "key_id": "",
        "key_path": "",
        "reconcile_every_seconds": 5.0,
    }
    table["entry"] |= {"enabled": True, "max_price_age_seconds": 15.0, "max_book_age_seconds": 15.0}
    table["exit"] |= {"max_price_age_seconds": 20.0}
    table["prices"] |= {"warmup_seconds": 60}
    table["model"] |= {"time_of_day": False}
    table["risk"] |= {"max_send_delay_seconds": 15.0}
    table["demo"] |= {name: value for name, value in (("speed", speed), ("seed", seed)) if value is not None}
    if port is not None:
        table["status"]["port"] = port
    if data_dir is not None:
        table["data_dir"] = data_dir
    if table["log"]["format"] is LogFormat.AUTO:
        table["log"]["format"] = LogFormat.TEXT
    return parse(table, "recio demo")


async def run(config: Config, stop: anyio.Event, *, windows: int | None) -> None:
    """Run the demo until `stop`, or until `windows` windows have settled."""
    data_dir.refuse_taken_port(config.status.port)
    root = data_dir.claim(config)
    async with _exchange(config, root / DEMO_EXCHANGE) as credentials:
        venue = simulated(credentials)
        logging.configure(config.log, venue.clock)
        narrator = _Narrator(windows=windows, exchange_pid=credentials.pid)
        print(
            f"recio demo: a Kalshi of its own at {credentials.rest_url}\n"
            f"one second here is {venue.clock.speed:g} seconds of its market; times below are market time\n"
            f"status page: http://127.0.0.1:{config.status.port}/\n",
            flush=True,
        )
        try:
            await _start_until_done(config, venue, stop, demo_database(credentials.instance), narrator)
        finally:
            print("\n" + narrator.summary(), flush=True)


async def _start_until_done(
    config: Config, venue: Venue, stop: anyio.Event, database: str, narrator: _Narrator
) -> None:
    """What systemd does for a droplet: start the daemon anew when it ended for a passing reason."""
    for left in range(STARTS_AT_MOST - 1, -1, -1):
        try:
            await app.run(config, venue, stop, database=database, companion=narrator.follow)
            return
        except Exception as error:
            fault = leading_fault(error)
            if not isinstance(fault, Fatal) or fault.exit_code is not ExitCode.TEMPORARY or not left:
                raise
            log.error("daemon ended", why=str(fault), then="starts anew")
            await anyio.sleep(RESTART_WAIT)


@dataclass(slots=True)
class _Narrator:
    """Tells of each settled window and counts them; looks on and touches nothing."""

    windows: int | None
    exchange_pid: int
    settled: int = 0
    last: OpenTrades | None = None
    balance: Money | None = None
    told: set[Ticker] = field(default_factory=set[Ticker])

    async def follow(self, daemon: Daemon) -> None:
        """Ends when enough windows have settled and every trade of theirs has ended."""
        waiting: dict[Ticker, Decimal | None] = {}
        while self.windows is None or self.settled < self.windows:
            self._look(daemon, waiting)
            await anyio.sleep(LOOK_EVERY)
            if _ended(self.exchange_pid):
                raise Fatal("the demo's exchange has ended, and its market with it: run recio demo again")
            with suppress(Transient):  # the daemon's own tasks tell of a venue that is away
                await self._ask(daemon, waiting)

    async def _ask(self, daemon: Daemon, waiting: dict[Ticker, Decimal | None]) -> None:
        """How far the settlement of each window is that was open before."""
        for ticker, strike in list(waiting.items()):
            result = await read_result(daemon.rest, ticker)
            if result.status in SETTLED and not self._still_in(ticker):
                del waiting[ticker]
                self._tell(result, strike)

    def _look(self, daemon: Daemon, waiting: dict[Ticker, Decimal | None]) -> None:
        self.last = daemon.wires.open_trades.get()
        view = daemon.wires.account.get()
        self.balance = view.balance if view else self.balance
        board = daemon.wires.board.get()
        now = daemon.venue.clock.utc()
        for view in board.markets if board else ():
            market = view.market
            if (
                market.status is MarketStatus.ACTIVE
                and market.ticker not in self.told
                and market.close_time > now
            ):
                self.told.add(market.ticker)
                waiting[market.ticker] = market.floor_strike

    def _still_in(self, ticker: Ticker) -> bool:
        return any(trade.ticker == ticker for trade in (self.last.trades if self.last else ()))

    def _tell(self, result: MarketResult, strike: Decimal | None) -> None:
        self.settled += 1
        log.info(
            "window settled",
            ticker=result.ticker,
            result=result.result.value if result.result else "unknown",
            strike=str(strike),
            value=result.settlement_value_text,
        )

    def summary(self) -> str:
        trades = self.last
        if trades is None:
            return "recio demo ended before it could trade"
        ended = trades.wins_today + trades.losses_today
        profit = _signed(trades.realised_today)
        balance = "unknown" if self.balance is None else f"${money_decimal(self.balance):,.2f}"
        return (
            f"recio demo: {_count(self.settled, 'window')} settled; {_count(ended, 'trade')} ended today"
            f" ({trades.wins_today} won, {trades.losses_today} lost), {len(trades.trades)} still open;"
            f" profit today {profit} after ${money_decimal(trades.fees_today):.2f} of fees; balance {balance}"
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _signed(amount: Money) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(money_decimal(amount)):,.2f}"


@asynccontextmanager
async def _exchange(config: Config, directory: Path) -> AsyncGenerator[Credentials]:
    """The exchange of this data directory: the one that is still running, or a new one."""
    credentials = await _running(directory)
    if credentials is None:
        credentials = await _start(config, directory)
    else:
        print("found the exchange of an earlier demo still running: going on where that one was", flush=True)
    try:
        yield credentials
    finally:
        with anyio.move_on_after(5, shield=True):
            await _end(credentials)


async def _running(directory: Path) -> Credentials | None:
    if not (directory / "credentials.json").exists():
        return None
    try:
        credentials = read_credentials(directory)
    except BadConfig:
        return None
    return credentials if await _answers(credentials) else None


async def _answers(credentials: Credentials) -> bool:
    """Whether the exchange that wrote these credentials serves there now: it knows the key."""
    venue = simulated(credentials)
    async with aiohttp.ClientSession() as session:
        rest = KalshiRest(
            session=session,
            base_url=venue.rest_url,
            signer=venue.signer,
            clock=venue.clock,
            timeout_seconds=2,
        )
        try:
            await account.balance(rest, None)
        except (Transient, VenueRefused, BadConfig):
            return False
    return True


async def _start(config: Config, directory: Path) -> Credentials:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - a single local call
    (directory / "credentials.json").unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "recio", "exchange", "--credentials", str(directory), "--align"),
        *("--speed", str(config.demo.speed), "--seed", str(config.demo.seed)),
        *("--window-seconds", str(config.demo.window_seconds), "--series", ",".join(config.series)),
        *("--idle-exit", str(IDLE_EXIT)),
    ]
    with (directory / "exchange.log").open("wb") as output:
        # A session of its own: neither Ctrl-C nor the death of this process reaches it.
        process = subprocess.Popen(  # noqa: ASYNC220 - starts at once and is not waited for
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    with anyio.move_on_after(START_LIMIT):
        while process.poll() is None:
            if (directory / "credentials.json").exists():
                return read_credentials(directory)
            await anyio.sleep(0.02)
    said = (directory / "exchange.log").read_text(encoding="utf-8", errors="replace").strip()
    process.kill()
    raise Fatal(f"the demo's exchange did not start: {said[-500:] or 'it said nothing'}")


async def _end(credentials: Credentials) -> None:
    with suppress(ProcessLookupError):
        os.kill(credentials.pid, signal.SIGTERM)
        while not _ended(credentials.pid):  # noqa: ASYNC110 - another process has no event of ours
            await anyio.sleep(0.02)


def _ended(pid: int) -> bool:
    """Whether the process is gone; if it was our child it is reaped, or it would only seem alive."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
