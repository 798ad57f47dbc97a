"""The command line: each command a few lines over the rest; no traceback ever reaches a user."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio

from recio import __version__, exchange_command
from recio.clock import Clock
from recio.errors import ExitCode, Fatal
from recio.settings.config import Config, load
from recio.settings.sections import LogSection
from recio.supervisor import leading_fault

DEFAULT_CONFIG = "recio.toml"
BRAKES = {
    "halt": "stop new orders until somebody resumes; exits go on",
    "flatten": "stop new orders and sell everything held while its market is open",
    "stop": "stop new orders, end the daemon, and let it not start until somebody resumes",
}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Parse, run, and end with one of the exit codes that the README lists."""
    options = _parser().parse_args(arguments)
    sys.exit(int(_guarded(lambda: options.command(options))))


def _guarded(command: Callable[[], ExitCode | None]) -> ExitCode:
    try:
        return command() or ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.OK
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line: a sentence instead of a traceback
        return _explain(leading_fault(error))


def _explain(fault: BaseException) -> ExitCode:
    if isinstance(fault, Fatal):
        with suppress(OSError):  # the exit code has to arrive, whether its sentence can be written or not
            print(f"recio: {fault}", file=sys.stderr)
        return fault.exit_code
    print(
        f"recio: unexpected {type(fault).__name__}: {fault} (a bug; its traceback is in the log)",
        file=sys.stderr,
    )
    _log_bug(fault)
    return ExitCode.FATAL


def _log_bug(fault: BaseException) -> None:
    import structlog  # the log is configured by the command that ran

    structlog.get_logger().error("recio broke", exc_info=fault)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recio", description="A trading daemon for Kalshi's crypto threshold contracts."
    )
    parser.add_argument("--version", action="version", version=f"recio {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run everything on this machine: exchange, database, daemon")
    _config_option(demo)
    demo.add_argument("--windows", type=_positive, metavar="N", help="end after N settled windows")
    demo.add_argument("--speed", type=float, metavar="X", help="market seconds per host second, 1 to 60")
    demo.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same market")
    demo.add_argument("--port", type=int, metavar="P", help="port of the status page")
    demo.add_argument("--data-dir", metavar="DIR", help="where the demo keeps its database and exchange")
    demo.set_defaults(command=_demo)

    run = commands.add_parser("run", help="run the daemon on the venue that the config names")
    _config_option(run)
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="check a config without starting anything; exit 0 or 78")
    check.add_argument("config", type=Path, metavar="CONFIG", nargs="?", default=Path(DEFAULT_CONFIG))
    check.set_defaults(command=_check)

    exchange = commands.add_parser("exchange", help="serve a Kalshi that runs here until stopped")
    exchange_command.add_options(exchange)
    exchange.set_defaults(command=_exchange)

    _recording_commands(commands.add_parser)
    _model_commands(commands.add_parser("model", help="what a probability is made of: build, fit, list"))

    tail = commands.add_parser("tail", help="render JSON log lines for a person")
    tail.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: standard input")
    tail.set_defaults(command=_tail)
    _operator_commands(commands.add_parser)
    return parser


def _recording_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What is learnt from recordings."""
    replay = add("replay", help="run recorded sessions through the same rules")
    _config_option(replay)
    replay.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    replay.add_argument("--json", action="store_true", help="print one JSON object")
    replay.add_argument(
        "--paper", action="store_true", help="trade the daemon's own recordings by this config's settings"
    )
    replay.add_argument(
        "--model", type=Path, metavar="FILE", help="fingerprint tables of `recio model build --out`"
    )
    _strategy_option(replay)
    replay.set_defaults(command=_replay)

    score = add("score", help="how good the probabilities were on recordings")
    _config_option(score)
    score.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="sessions, own recordings, or folders of quotes.csv and prices.csv",
    )
    score.add_argument("--json", action="store_true", help="print one JSON object")
    score.add_argument(
        "--model", type=Path, metavar="FILE", help="fingerprint tables of `recio model build --out`"
    )
    score.add_argument("--plots", type=Path, metavar="DIR", help="draw calibration and loss as SVG")
    _strategy_option(score)
    score.set_defaults(command=_score)


def _strategy_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--strategy", default="", metavar="NAME", help="one of the config's strategies")


def _model_commands(model: argparse.ArgumentParser) -> None:
    actions = model.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser("build", help="count the moves of one-minute candles by momentum")
    _config_option(build)
    build.add_argument(
        "paths", type=Path, nargs="+", metavar="CANDLES", help="CSV files, plain or gzipped, or folders"
    )
    build.add_argument("--symbol", default="BTC", metavar="COIN", help="default: BTC")
    build.add_argument("--out", type=Path, metavar="FILE", help="write a file and touch no database")
    build.set_defaults(command=_build_model)
    fit = actions.add_parser(
        "fit", help="fit the settlement average's numbers to one-minute candles, and print them"
    )
    fit.add_argument(
        "paths", type=Path, nargs="+", metavar="CANDLES", help="CSV files, plain or gzipped, or folders"
    )
    fit.add_argument(
        "--judge", type=Path, metavar="CANDLES", help="later candles, to see how the fit does on them"
    )
    fit.set_defaults(command=_fit_model)
    shown = actions.add_parser("list", help="every model that the database keeps")
    _config_option(shown)
    shown.set_defaults(command=_list_models)


def _operator_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What a person does to a daemon's rows, whether it runs or not."""
    resume = add("resume", help="clear every halt; first find out why it was set")
    _config_option(resume)
    resume.add_argument("--by", required=True, metavar="NAME", help="who clears it, for the record")
    resume.set_defaults(command=_resume)

    for brake, does in BRAKES.items():
        pull = add(brake, help=does)
        _config_option(pull)
        pull.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")
        pull.add_argument("--by", default="command line", metavar="NAME", help="who does it, for the record")
        pull.set_defaults(command=_brake, brake=brake)

    switch = add("switch", help="switch entry or exit off and on, each by itself")
    _config_option(switch)
    switch.add_argument("name", choices=("entry", "exit"))
    switch.add_argument("position", choices=("on", "off"))
    switch.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")
    switch.add_argument("--by", default="command line", metavar="NAME", help="who does it, for the record")
    switch.set_defaults(command=_switch)

    trade = add("trade", help="ask the running daemon to buy, through its gates and limits")
    _config_option(trade)
    trade.add_argument("side", choices=("yes", "no"))
    trade.add_argument("ticker", metavar="TICKER")
    trade.add_argument("--contracts", required=True, metavar="N")
    trade.add_argument(
        "--max-price", required=True, metavar="DOLLARS", help="the most to pay for one contract"
    )
    trade.add_argument("--by", required=True, metavar="NAME", help="who asks for it, for the record")
    trade.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")
    trade.set_defaults(command=_trade)

    limits = add("limits", help="show the risk limits in force; grant higher ones to the next start")
    _config_option(limits)
    limits.add_argument("action", choices=("show", "grant"), nargs="?", default="show")
    limits.add_argument("--by", default="", metavar="NAME", help="who grants them, for the record")
    limits.set_defaults(command=_limits)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_CONFIG} if it is there"
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above zero")
    return value


def _load(path: Path | None) -> Config:
    if path is None and not Path(DEFAULT_CONFIG).exists():
        return Config()
    return load(path or Path(DEFAULT_CONFIG))


def _demo(options: argparse.Namespace) -> ExitCode:
    from recio import demo

    config = demo.configure(
        _load(options.config),
        speed=options.speed,
        seed=options.seed,
        port=options.port,
        data_dir=options.data_dir,
    )
    return _until_signal(lambda stop: demo.run(config, stop, windows=options.windows))


def _run(options: argparse.Namespace) -> ExitCode:
    from recio import log
    from recio.daemon import app
    from recio.daemon.venue import find_venue

    config = _load(options.config)
    venue = find_venue(config)
    log.configure(config.log, venue.clock)
    return _until_signal(lambda stop: app.run(config, venue, stop))


def _check(options: argparse.Namespace) -> None:
    config = load(options.config)
    print(f"{options.config}: good (mode {config.mode}, environment {config.kalshi.environment})")


def _exchange(options: argparse.Namespace) -> ExitCode:
    from recio import log

    log.configure(LogSection(), Clock())
    try:
        return _until_signal(exchange_command.work(options))
    except Exception as error:
        raise exchange_command.explained(options, leading_fault(error)) from error


def _replay(options: argparse.Namespace) -> None:
    from recio import model_command
    from recio.replay import decisions
    from recio.replay.report import as_json, as_text
    from recio.replay.run import replay
    from recio.tape.decode import is_tape

    own = [] if options.paper else [path for path in options.paths if is_tape(path)]
    others = [path for path in options.paths if path not in own]
    config, told = _load(options.config).as_strategy(options.strategy), list[str]()
    if own:
        tables = None if options.model is None else model_command.of_file(config, options.model)
        found = decisions.decide_again(own, tables)
        told.append(
            json.dumps(decisions.as_json(found), indent=1) if options.json else decisions.as_text(found)
        )
    if others or not own:
        report = replay(others, config, model_command.of_file(config, options.model))
        told.append(json.dumps(as_json(report), indent=1) if options.json else as_text(report))
    print("\n".join(told))


def _score(options: argparse.Namespace) -> None:
    from recio import score_command

    config = _load(options.config).as_strategy(options.strategy)
    scores = score_command.scored(options.paths, config, options.model)
    if options.plots:
        sys.stderr.write(score_command.draw(scores, options.plots) + "\n")
    print(score_command.as_json(scores) if options.json else score_command.as_text(scores))


def _tail(options: argparse.Namespace) -> None:
    from recio.log import tail

    if options.file is None:
        tail(sys.stdin, sys.stdout)
        return
    try:
        with options.file.open(encoding="utf-8", errors="replace") as lines:
            tail(lines, sys.stdout)
    except OSError as error:
        raise Fatal(f"cannot read {options.file}: {error.strerror}", ExitCode.USAGE) from error


def _resume(options: argparse.Namespace) -> None:
    from recio import operator

    config = _load(options.config)
    causes = anyio.run(operator.resume, config, options.by)
    print("\n".join(f"cleared: {cause}" for cause in causes) if causes else "nothing was halted")


def _brake(options: argparse.Namespace) -> None:
    from recio import operator
    from recio.messages import Brake

    brake = Brake(options.brake)
    print(anyio.run(operator.pull, _load(options.config), brake, options.why, options.by))


def _switch(options: argparse.Namespace) -> None:
    from recio import operator
    from recio.messages import Switch

    config, is_on = _load(options.config), options.position == "on"
    print(anyio.run(operator.turn_switch, config, Switch(options.name), is_on, options.why, options.by))


def _build_model(options: argparse.Namespace) -> None:
    from recio import model_command

    config = _load(options.config)
    built = model_command.make(options.paths, options.symbol)
    print(
        model_command.save(built, options.out)
        if options.out
        else anyio.run(model_command.keep, config, built)
    )


def _fit_model(options: argparse.Namespace) -> None:
    from recio import model_command

    print(model_command.fitted(options.paths, options.judge))


def _list_models(options: argparse.Namespace) -> None:
    from recio import model_command

    print(anyio.run(model_command.listed, _load(options.config)))


def _trade(options: argparse.Namespace) -> None:
    from recio import trade_command

    what = trade_command.wanted(
        options.ticker, options.side, options.contracts, options.max_price, options.by, options.why
    )
    print(anyio.run(trade_command.trade, _load(options.config), what))


def _limits(options: argparse.Namespace) -> None:
    from recio import operator

    config = _load(options.config)
    if options.action == "show":
        print(anyio.run(operator.show_limits, config))
        return
    if not options.by.strip():
        raise Fatal(
            "recio limits grant raises what may be lost: say who does it with --by NAME", ExitCode.USAGE
        )
    print(anyio.run(operator.grant_limits, config, options.by))


def _until_signal(work: Callable[[anyio.Event], Awaitable[None]]) -> ExitCode:
    """Run the event loop until the work ends; SIGTERM and SIGINT ask it to stop, a second one insists."""

    async def main() -> None:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, stop, group.cancel_scope)
            await work(stop)
            group.cancel_scope.cancel()

    anyio.run(main, backend="asyncio", backend_options={"use_uvloop": sys.platform != "win32"})
    return ExitCode.OK


async def _watch_signals(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            if stop.is_set():
                scope.cancel()
            stop.set()
