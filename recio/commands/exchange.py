"""`recio exchange`: its options and how they become the settings of an exchange; it serves until it is told to stop."""

from __future__ import annotations

import argparse
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from recio import log
from recio.clock import Clock
from recio.commands.event_loop import until_signal
from recio.commands.options import positive, whole
from recio.errors import BadConfig, BadRecording, ExitCode, Fatal
from recio.exchange_sim.credentials import CREDENTIALS_FILE, Credentials, KeyType, PemFormat, member_folder
from recio.exchange_sim.engine.account import Correction
from recio.exchange_sim.engine.units import UnitError, read_money
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.recorded.files import BadSession
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws.rules import SocketRules, YesPrices
from recio.settings.system import LogSection
from recio.supervisor import leading_fault

GRACE_SECONDS = 10.0
"""How long clients may still read fills and settlements of a recording that is over."""
SIMULATED: dict[str, Any] = {
    "series": "KXBTC15M",
    "window_seconds": 900,
    "ladder_seconds": 3600,
    "ladder_strikes": 186,
    "settlement_factor": 1.0,
    "strike_delay": 0.5,
    "strike_jitter": 0.0,
    "plain_strikes": False,
    "weekly_pause": False,
    "align": False,
    "quiet": False,
}
"""The options that shape a simulated market, with their defaults; a recorded one has its own shape."""


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=run)
    parser.add_argument("--port", type=whole, default=0, metavar="P", help="0: any free port")
    parser.add_argument("--credentials", type=Path, required=True, metavar="DIR", help="where its key goes")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="0.1 to 60")
    parser.add_argument(
        "--seed", type=whole, default=1, metavar="N", help="the same seed gives the same market"
    )
    parser.add_argument(
        "--idle-exit", type=float, metavar="S", help="end after S host seconds without a client"
    )
    _market_options(parser)
    _account_options(parser)
    _venue_options(parser)


def _market_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("simulated markets")
    group.add_argument("--series", metavar="LIST", help="tickers with commas between, as KXBTC15M,KXBTCD")
    group.add_argument("--window-seconds", type=positive, metavar="S", help="length of a window")
    group.add_argument("--ladder-seconds", type=positive, metavar="S", help="of a ladder's hour")
    group.add_argument("--ladder-strikes", type=positive, metavar="N", help="3 to 290")
    group.add_argument("--settlement-factor", type=float, metavar="X", help="stretches close to settlement")
    group.add_argument(
        "--strike-delay", type=float, metavar="S", help="from a window's opening to its strike"
    )
    group.add_argument(
        "--strike-jitter", type=float, metavar="S", help="the most that a strike is later still"
    )
    group.add_argument("--plain-strikes", action="store_true", help="no custom strikes of small coins")
    group.add_argument(
        "--weekly-pause", action="store_true", help="no trading Thursdays 03:00 to 05:00 New York"
    )
    group.add_argument("--align", action="store_true", help="begin just after the opening of a window")
    group.add_argument("--quiet", action="store_true", help="no other traders")
    parser.set_defaults(**SIMULATED)
    recorded = parser.add_argument_group("recorded markets, instead of simulated ones")
    recorded.add_argument("--recording", type=Path, metavar="DIR", help="the folder of a recorded session")
    recorded.add_argument("--exit-at-end", action="store_true", help="end once it was played and settled")


def _account_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("account")
    group.add_argument("--balance", type=_dollars, default="1000.00", metavar="DOLLARS", help="its cash")
    group.add_argument(
        "--members", type=positive, default=1, metavar="N", help="how many trade here, each with a key"
    )
    group.add_argument("--key-type", choices=("rsa", "ed25519"), default="rsa")
    group.add_argument("--pem-format", choices=("pkcs1", "pkcs8"), default="pkcs8")
    group.add_argument(
        "--tolerance", type=float, default=25.0, metavar="S", help="age at which a signature is refused"
    )
    group.add_argument(
        "--rate-limits",
        default="auto",
        metavar="TIER",
        help="basic to prestige, none, or auto: basic at speed 1",
    )
    group.add_argument(
        "--read-lag", type=float, default=0.0, metavar="S", help="account reads are so many seconds old"
    )
    group.add_argument(
        "--no-index", action="store_true", help="the account may not read the settlement index"
    )
    group.add_argument(
        "--lenient-shards",
        action="store_true",
        help="a cancel that names no shard finds its order all the same",
    )


def _venue_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the real venue does now and then, or may do one day")
    group.add_argument(
        "--refusals-as-400",
        action="store_true",
        help="pauses, a failed fill-or-kill and a wrong content type are answered with 400",
    )
    group.add_argument(
        "--yes-prices",
        choices=tuple(YesPrices),
        type=YesPrices,
        default=YesPrices.ASKED,
        help="when asks of a book are told at YES prices: where asked for, unless refused, or always",
    )
    group.add_argument(
        "--latency",
        type=float,
        default=0.0,
        metavar="S",
        help="median seconds that every message is under way",
    )
    group.add_argument("--latency-spread", type=float, default=0.5, metavar="X", help="0: always the same")
    group.add_argument(
        "--list-cache",
        type=float,
        default=0.0,
        metavar="S",
        help="lists of markets are up to so many seconds old",
    )
    group.add_argument("--incentives", action="store_true", help="rewards for the liquidity of every window")
    group.add_argument("--no-live-data", action="store_true", help="no settlement index without a key")
    group.add_argument("--no-shard-list", action="store_true", help="its status lists no shards")
    group.add_argument("--most-sockets", type=positive, default=200, metavar="N", help="one more is refused")
    group.add_argument(
        "--pong-timeout",
        type=float,
        default=30.0,
        metavar="S",
        help="a client that answers no ping is cut; 0: never",
    )
    group.add_argument("--no-sending-times", action="store_true", help="frames without sending_ts_ms")
    group.add_argument(
        "--cent-alignment", action="store_true", help="money on whole cents, as of members who are not direct"
    )
    group.add_argument(
        "--locked-to",
        type=positive,
        metavar="N",
        help="the key is locked to this subaccount; default: to none",
    )
    group.add_argument(
        "--corrections",
        choices=[each.value for each in Correction],
        default=Correction.REPLACED.value,
        help="how a settlement that is corrected after it was paid shows among the settlements",
    )
    group.add_argument(
        "--groups-stop-beyond", action="store_true", help="an order group stops beyond its limit, not at it"
    )


def run(options: argparse.Namespace) -> ExitCode:
    log.configure(LogSection(), Clock())
    try:
        return until_signal(work(options))
    except Exception as error:
        raise explained(options, leading_fault(error)) from error


def work(options: argparse.Namespace) -> Callable[[anyio.Event], Awaitable[None]]:
    """Serve until the event is set or the exchange ends by itself."""
    _refuse_unused(options)
    settings = _settings(options)

    async def until(stop: anyio.Event) -> None:
        async with anyio.create_task_group() as group:

            async def serving() -> None:
                await serve(
                    settings, started=lambda given: print(welcome(given, settings.members), flush=True)
                )
                stop.set()

            group.start_soon(serving)
            await stop.wait()
            group.cancel_scope.cancel()

    return until


def welcome(given: Credentials, members: int) -> str:
    """All that a client needs; of the private key only where it lies."""
    folder = Path(given.key_path).parent
    others = tuple(
        f"  member {member + 1:<3}   {member_folder(folder, member) / CREDENTIALS_FILE}"
        for member in range(1, members)
    )
    return "\n".join(
        (
            f"serving {given.rest_url}",
            f"  WebSocket    {given.ws_url}",
            f"  API key      {given.key_id}",
            f"  private key  {given.key_path}",
            f"  spot feeds   {given.price_url} and {given.kraken_url}",
            f"  faults       {given.rest_url.removesuffix('/trade-api/v2')}/admin/faults",
            f"  as a file    {folder / CREDENTIALS_FILE}",
            *others,
        )
    )


def explained(options: argparse.Namespace, fault: BaseException) -> Exception:
    """A sentence for what the exchange could not do with its options; anything else as it is."""
    match fault:
        case Fatal():
            return fault
        case OSError(errno=errno.EADDRINUSE):
            return BadConfig(f"--port {options.port} is taken; choose another port")
        case OSError():
            return BadConfig(f"--credentials {options.credentials}: {fault.strerror}")
        case BadSession():
            return BadRecording(str(fault))
        case ValueError():
            return BadConfig(str(fault))
        case Exception():
            return fault
        case _:
            return RuntimeError(str(fault))


def _refuse_unused(options: argparse.Namespace) -> None:
    """What would be ignored is refused: whoever asked for it would believe it holds. Raises BadConfig."""
    if options.recording is None:
        if options.exit_at_end:
            raise BadConfig("--exit-at-end needs --recording: a simulated market has no end")
        return
    for name, default in SIMULATED.items():
        if getattr(options, name) != default:
            option = "--" + name.replace("_", "-")
            raise BadConfig(f"{option} shapes a simulated market and --recording has its own: leave it out")


def _settings(options: argparse.Namespace) -> ExchangeSettings:
    return ExchangeSettings(
        credentials_dir=options.credentials,
        port=options.port,
        seed=options.seed,
        speed=options.speed,
        window_seconds=options.window_seconds,
        series=options.series,
        timetable=Timetable(
            window_seconds=options.window_seconds,
            ladder_seconds=options.ladder_seconds,
            ladder_strikes=options.ladder_strikes,
            settlement_factor=options.settlement_factor,
            strike_delay_seconds=options.strike_delay,
            strike_jitter_seconds=options.strike_jitter,
            plain_strikes=options.plain_strikes,
            weekly_pause=options.weekly_pause,
        ),
        align=options.align,
        recording=options.recording,
        exit_after_end_seconds=GRACE_SECONDS if options.exit_at_end else None,
        balance_dollars=options.balance,
        members=options.members,
        idle_exit_seconds=options.idle_exit,
        strict_shards=not options.lenient_shards,
        quiet_traders=options.quiet,
        key_type=KeyType(options.key_type),
        pem_format=PemFormat(options.pem_format),
        tolerance_seconds=options.tolerance,
        rate_limits=None if options.rate_limits == "none" else options.rate_limits,
        read_lag_seconds=options.read_lag,
        rest=RestRules(
            refusals_as_400=options.refusals_as_400,
            list_cache_seconds=options.list_cache,
            incentives=options.incentives,
            locked_to=options.locked_to,
            live_data=not options.no_live_data,
            shard_list=not options.no_shard_list,
            index_history=not options.no_index,
        ),
        latency_seconds=options.latency,
        latency_spread=options.latency_spread,
        sockets=SocketRules(
            index_channels=not options.no_index,
            sending_times=not options.no_sending_times,
            yes_prices=options.yes_prices,
            most_connections=options.most_sockets,
            locked_to=options.locked_to,
            pong_seconds=options.pong_timeout or None,
        ),
        cent_alignment=options.cent_alignment,
        groups_stop_beyond=options.groups_stop_beyond,
        correction=Correction(options.corrections),
    )


def _speed(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 60")
    return value


def _dollars(text: str) -> str:
    try:
        if read_money(text) >= 0:
            return text
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    raise argparse.ArgumentTypeError(f"{text} is below zero")
