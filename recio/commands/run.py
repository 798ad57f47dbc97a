"""`recio run`: the daemon on the venue that the config names, until a signal; it decides nothing itself."""

from __future__ import annotations

import argparse

from recio import log
from recio.commands.event_loop import until_signal
from recio.commands.options import add_config, config_of
from recio.daemon import app, own_process, systemd
from recio.daemon.venue import find_venue
from recio.errors import ExitCode
from recio.supervisor import leading_fault


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    try:
        return _run(options)
    except Exception as error:
        # systemctl status shows the last line of it for as long as the unit is down
        systemd.notify(f"STATUS=ended: {' '.join(str(leading_fault(error)).split())}")
        raise


def _run(options: argparse.Namespace) -> ExitCode:
    own_process.prepare_for_a_crash()  # before there is a key in memory
    own_process.allow_open_files()
    config = config_of(options.config)
    venue = find_venue(config)
    log.configure(config.log, venue.clock)
    return until_signal(lambda stop: app.run(config, venue, stop))
