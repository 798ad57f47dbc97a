"""`recio alert`: tries every channel, tells something through them, or pings a check; it needs no database, no key and no daemon."""

from __future__ import annotations

import argparse
import socket
import sys
from functools import partial
from pathlib import Path

import aiohttp
import anyio

from recio.alerting import delivery
from recio.alerting.channels import LONGEST_FILE, NO_CHANNEL, Channel, Channels, channels_in, read_channels
from recio.alerting.pings import Ping, ping
from recio.commands.event_loop import to_the_end
from recio.commands.installation import add_installation, find_installation
from recio.daemon.calling import title_of
from recio.errors import BadConfig, ExitCode
from recio.messages.alerts import Severity
from recio.settings.config import Config, load

EXAMPLE = "phone critical ntfys://ntfy.sh/TOPIC"
TEST = "This is a test: recio can call you here"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="ACTION")
    test = verbs.add_parser("test", help="send a test message by every channel, and say what came of each")
    test.add_argument("channel", nargs="?", default="", metavar="CHANNEL", help="this one only")
    test.set_defaults(command=run_test)
    tell = verbs.add_parser("send", help="send a text by every channel that takes its severity")
    tell.add_argument("text", metavar="TEXT")
    tell.add_argument(
        "--severity", choices=[each.value for each in Severity], default=Severity.CRITICAL.value
    )
    tell.set_defaults(command=run_send)
    check = verbs.add_parser("ping", help="ping a check of the file of channels, as a timer does")
    check.add_argument("check", metavar="CHECK")
    check.add_argument("which", choices=[each.value for each in Ping], nargs="?", default=Ping.SUCCESS.value)
    check.set_defaults(command=run_ping)
    check.add_argument(
        "--if-named", action="store_true", help="nothing is wrong where the file names no such check"
    )
    for each in (test, tell, check):
        add_installation(each)
        each.add_argument(
            "--channels",
            metavar="FILE",
            help="instead of alerts.channels_path; - reads standard input, as where only root may read the file",
        )


def run_test(options: argparse.Namespace) -> ExitCode:
    known, title = _known(options)
    if not known.channels:
        raise BadConfig(f"nobody is called: {NO_CHANNEL}; write a line there such as {EXAMPLE}")
    chosen = [each for each in known.channels if options.channel in ("", each.name)]
    if not chosen:
        names = ", ".join(each.name for each in known.channels)
        raise BadConfig(f"no channel is called {options.channel!r}: alerts.channels_path names {names}")
    return to_the_end(
        lambda: _send(title, chosen, TEST, Severity.INFO), lambda: "some messages may have been sent"
    )


def run_send(options: argparse.Namespace) -> ExitCode:
    severity, (known, title) = Severity(options.severity), _known(options)
    chosen = [each for each in known.channels if each.takes(severity)]
    if not chosen:
        raise BadConfig(f"no channel of alerts.channels_path takes what is {severity}: nothing was sent")
    return to_the_end(
        lambda: _send(title, chosen, options.text, severity), lambda: "some messages may have been sent"
    )


def run_ping(options: argparse.Namespace) -> ExitCode:
    pings = _known(options)[0].pings
    url = pings.get(options.check)
    if url is None and options.if_named:
        return ExitCode.OK
    if url is None:
        raise BadConfig(
            f"no check is called {options.check!r}: alerts.channels_path names {', '.join(pings) or 'none'};"
            f" add a line: {options.check} ping https://..."
        )

    async def work() -> ExitCode:
        async with aiohttp.ClientSession() as session:
            why = await ping(session, url, Ping(options.which))
        print(f"{options.check:<16} {why or 'pinged'}")
        return ExitCode.TEMPORARY if why else ExitCode.OK

    return to_the_end(work, lambda: "the ping may have been sent")


def _known(options: argparse.Namespace) -> tuple[Channels, str]:
    """The channels, and what a message begins with. Given a file, nobody needs a good config to be called."""
    if options.channels:
        return _given(options.channels), _title_without_fail(options)
    config = _config(options)
    if not config.alerts.channels_path:
        raise BadConfig(
            f"alerts.channels_path is empty, so nobody is called: write the path of a file with a line such as {EXAMPLE}"
        )
    return read_channels(config.alerts.channels_path), title_of(config)


def _given(file: str) -> Channels:
    if file == "-":
        return channels_in(sys.stdin.buffer.read(LONGEST_FILE + 1), "standard input")
    return read_channels(str(Path(file).expanduser().absolute()))


def _title_without_fail(options: argparse.Namespace) -> str:
    try:
        return title_of(_config(options))
    except BadConfig:
        return f"recio on {socket.gethostname()}"


def _config(options: argparse.Namespace) -> Config:
    place = find_installation(options)
    if place.config is None:
        raise BadConfig("the channels stand in a config: say --config FILE")
    return load(place.config)


async def _send(title: str, chosen: list[Channel], text: str, severity: Severity) -> ExitCode:
    """To all at once; each says what came of it."""
    failed: list[str] = []

    async def one(channel: Channel) -> None:
        why = await delivery.send(channel.url, f"{title}: {severity}", text, severity)
        print(f"{channel.name:<16} {why or 'sent'}", flush=True)
        if why:
            failed.append(channel.name)

    async with anyio.create_task_group() as group:
        for each in chosen:
            group.start_soon(partial(one, each))
    return ExitCode.TEMPORARY if failed else ExitCode.OK
