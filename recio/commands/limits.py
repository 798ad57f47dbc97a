"""`recio limits`: the risk limits in force beside the config's, and leave for the next start to raise them; it raises none itself."""

from __future__ import annotations

import argparse

import anyio

from recio.commands.database import rows_of
from recio.commands.options import add_config, config_of
from recio.daemon.database import dsn_of
from recio.db import limits
from recio.errors import BadConfig, ExitCode, Fatal
from recio.rules.account.limits import wanted
from recio.settings.config import Config


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("action", choices=("show", "grant"), nargs="?", default="show")
    parser.add_argument("--by", default="", metavar="NAME", help="who grants them, for the record")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    config = config_of(options.config)
    if options.action == "show":
        print(anyio.run(show_limits, config))
        return
    if not options.by.strip():
        raise Fatal(
            "recio limits grant raises what may be lost: say who does it with --by NAME", ExitCode.USAGE
        )
    print(anyio.run(grant_limits, config, options.by))


async def show_limits(config: Config) -> str:
    """Each limit in force beside the one that the config asks for."""
    async with dsn_of(config) as dsn, rows_of(dsn, "recio limits") as connection:
        now = await limits.newest(connection)
    lines = [f"{'limit':<28}{'in force':>14}{'config':>14}"]
    for name, amount in wanted(config.risk).items():
        stands = f"{now[name].normalize():f}" if name in now else "-"
        lines.append(f"{name:<28}{stands:>14}{amount.normalize():>14f}")
    return "\n".join(lines)


async def grant_limits(config: Config, by: str) -> str:
    """Let the next start raise the limits to what the config asks for; says which ones that are."""
    async with dsn_of(config) as dsn, rows_of(dsn, "recio limits") as connection:
        now = await limits.newest(connection)
        if not now:
            raise BadConfig(
                "no daemon has started on this database: its first start takes the config's limits"
            )
        higher = [
            (name, amount) for name, amount in wanted(config.risk).items() if amount > now.get(name, amount)
        ]
        await limits.grant(connection, higher, by)
    told = [f"{name}: {now[name].normalize():f} may become {amount.normalize():f}" for name, amount in higher]
    return (
        "\n".join([*told, "in force from the next start on"])
        if told
        else "no limit of the config is above the one in force"
    )
