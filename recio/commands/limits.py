"""`recio limits`: the risk limits in force beside the config's, lowered at once, or leave for the next start to raise them; it raises none itself."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation

from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.db import limits
from recio.errors import BadConfig, ExitCode, Fatal
from recio.rules.account.limits import as_section, fault_of_cut, wanted
from recio.settings.risk import RiskSection
from recio.texts import writable


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("action", choices=("show", "grant", "lower"), nargs="?", default="show")
    parser.add_argument("limit", nargs="?", default="", help="of lower: its name in [risk]")
    parser.add_argument("amount", nargs="?", default="", help="of lower: what it becomes")
    parser.add_argument(
        "--by", default="", type=writable, metavar="NAME", help="who changes them, for the record"
    )
    parser.add_argument("--why", default="", type=writable, metavar="TEXT", help="the reason, for the record")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    risk = place.risk()
    if options.action == "show":
        return to_the_end(lambda: show_limits(place, risk), lambda: "nothing was changed")
    if options.action == "lower":
        if not options.by.strip():
            raise Fatal(
                "recio limits lower changes what may be risked: say who does it with --by NAME",
                ExitCode.USAGE,
            )
        amount = _amount(options.amount)
        return to_the_end(
            lambda: lower_limit(place, options.limit, amount, options.by, options.why),
            lambda: "recio limits shows what is in force: repeat the command if it is not what was meant",
        )
    if not options.by.strip():
        raise Fatal(
            "recio limits grant raises what may be lost: say who does it with --by NAME", ExitCode.USAGE
        )
    return to_the_end(
        lambda: grant_limits(place, risk, options.by),
        lambda: "recio limits shows what was granted: repeat the command if it is not what was meant",
    )


def _amount(text: str) -> Decimal:
    """Raises Fatal for what is no number."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise Fatal(
            f"{text!r} is no amount: write recio limits lower max_open_trades 2 --by NAME", ExitCode.USAGE
        )
    return amount


async def lower_limit(place: Installation, name: str, amount: Decimal, by: str, why: str) -> ExitCode:
    """Lower a limit at once and for later starts; a running daemon's next order is held to it."""
    async with rows_in(place, "recio limits") as connection:
        now, following = await limits.standing(connection)
        if not now:
            raise BadConfig(
                "no daemon has started on this database: its first start takes the config's limits"
            )
        if wrong := fault_of_cut(as_section(now), name, amount):
            raise BadConfig(wrong)
        if not await limits.cut(connection, name, amount, by, why):
            raise BadConfig(f"{name} is no higher than {amount.normalize():f} already")
    print(f"{name} is {amount.normalize():f} now, it was {now[name].normalize():f}")
    if following[name] > now[name]:
        print(
            f"the leave to raise it to {following[name].normalize():f} at the next start ends with that: recio limits grant gives it anew"
        )
    return ExitCode.OK


async def show_limits(place: Installation, risk: RiskSection) -> ExitCode:
    """Each limit in force beside the one that the config asks for."""
    async with rows_in(place, "recio limits") as connection:
        now, following = await limits.standing(connection)
    lines = [f"{'limit':<28}{'in force':>14}{'config':>14}"]
    for name, amount in wanted(risk).items():
        stands = f"{now[name].normalize():f}" if name in now else "-"
        line = f"{name:<28}{stands:>14}{amount.normalize():>14f}"
        if name in now and following[name] > now[name]:
            line += f"  granted: {following[name].normalize():f} at most from the next start on"
        lines.append(line)
    print("\n".join(lines))
    return ExitCode.OK


async def grant_limits(place: Installation, risk: RiskSection, by: str) -> ExitCode:
    """Let the next start raise the limits to what the config asks for; says which ones that are."""
    async with rows_in(place, "recio limits") as connection:
        now = await limits.newest(connection)
        if not now:
            raise BadConfig(
                "no daemon has started on this database: its first start takes the config's limits"
            )
        higher = [(name, amount) for name, amount in wanted(risk).items() if amount > now.get(name, amount)]
        await limits.grant(connection, higher, by)
    told = [f"{name}: {now[name].normalize():f} may become {amount.normalize():f}" for name, amount in higher]
    print(
        "\n".join([*told, "in force from the next start on"])
        if told
        else "no limit of the config is above the one in force"
    )
    return ExitCode.OK
