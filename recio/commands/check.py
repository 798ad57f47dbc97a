"""`recio check`: says whether a config is good, by the code of `recio run`, and what it may risk; it starts and changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

import anyio

from recio.alerting.channels import NO_CHANNEL, read_channels
from recio.alerting.delivery import why_unknown
from recio.commands.options import DEFAULT_CONFIG
from recio.commands.own_page import page_of
from recio.daemon import data_dir
from recio.daemon.venue import find_venue
from recio.errors import BadConfig
from recio.rules.account.at_most import HIGHEST, of_order
from recio.settings.config import Config, load
from recio.settings.contradictions import bought_only_to_be_sold, bought_unwatched
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection
from recio.settings.venue import USUAL_KEY_ID, Environment
from recio.texts import counted
from recio.units import Money, Price, Quantity, money_decimal, price_text, quantity_text
from recio.web.reach import reach_of

CENT = Decimal("0.01")


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", nargs="?")
    parser.add_argument("--config", type=Path, dest="named", metavar="FILE", help="the same as CONFIG")
    parser.set_defaults(command=check)


def check(options: argparse.Namespace) -> None:
    path = options.named or options.config or Path(DEFAULT_CONFIG)
    config = load(path)
    looked_at = list(_looked_at(config))
    print(f"{path}: good (mode {config.mode}, environment {config.kalshi.environment})")
    print("\n".join([*looked_at, *_notes(config), *_risked(config)]))


def _looked_at(config: Config) -> Iterator[str]:
    """What was opened, with what it is. Raises BadConfig as a start of the daemon would."""
    if config.kalshi.environment is not Environment.SIM:
        yield f"key         {config.kalshi.key_path}: {find_venue(config).signer.kind}"
    elif config.kalshi.credentials_dir:
        yield f"exchange    {find_venue(config).rest_url} by {config.kalshi.credentials_dir}"
    yield _data_directory(config)
    yield f"status page {_page(config)}"
    yield f"alerts      {_channels(config)}"
    yield "not asked   the venue, the price sources and the database: they are asked by recio run"


def _channels(config: Config) -> str:
    """Raises BadConfig for a file or a line that cannot be used; sends nothing."""
    known = read_channels(config.alerts.channels_path)
    for each in known.channels:
        if why := anyio.run(why_unknown, each.url):
            raise BadConfig(f"alerts.channels_path: {each.name}: {why}")
    names = ", ".join(f"{each.name} ({each.least})" for each in known.channels)
    return names or f"nobody is called: {NO_CHANNEL}"


def _data_directory(config: Config) -> str:
    path = data_dir.place_of(config)
    is_there = data_dir.is_ours(config)
    data_dir.refuse_unwritable(config)
    return f"data        {path} ({'in use by this mode and environment' if is_there else 'will be made'})"


def _page(config: Config) -> str:
    """Raises BadConfig where others would reach it without what makes that safe."""
    port, reach = config.status.port, reach_of(config.status, data_dir.place_of(config))
    here = f"http://127.0.0.1:{port}/ {_port(port, reach.listens)}"
    if not reach.is_from_afar:
        return here
    by = "with its own certificate" if reach.certificate else f"by way of {', '.join(sorted(reach.proxies))}"
    return f"{here}; with a login as https://{', '.join(sorted(reach.hosts))} {by}"


def _port(port: int, hosts: tuple[str, ...]) -> str:
    """A port that is taken may be taken by this very daemon, so it is no fault of the config."""
    try:
        for host in hosts:
            data_dir.refuse_taken_port(port, host)
    except BadConfig as error:
        if found := anyio.run(page_of, port):
            return f"(recio runs there now: account {found.get('account', 'not known')})"
        return f"(not free, and no recio answers there: {error})"
    return "(free)"


def _notes(config: Config) -> Iterator[str]:
    if config.kalshi.environment is Environment.SIM and not config.kalshi.credentials_dir:
        yield 'note: recio demo needs no more; recio run needs kalshi.credentials_dir or mode = "live"'
    if config.kalshi.key_id and not USUAL_KEY_ID.fullmatch(config.kalshi.key_id):
        yield f"note: kalshi.key_id = {config.kalshi.key_id} does not look like Kalshi's (8-4-4-4-12 letters and digits)"
    yield from (f"note: {each}" for each in _sold_at_once(config))
    entries = {name: each for name, each in _buying(config).items() if each.enabled}
    if not entries:
        yield "note: recio buys nothing by itself with this config: no strategy is live with entry.enabled = true"


def _sold_at_once(config: Config) -> Iterator[str]:
    if not config.strategies:
        yield from bought_only_to_be_sold(config.entry, config.exit)
        yield from bought_unwatched(config.entry, config.exit)
    for name, own in config.strategies.items():
        yield from bought_only_to_be_sold(own.entry, own.exit, f"strategies.{name}.")
        yield from bought_unwatched(own.entry, own.exit, f"strategies.{name}.")


def _buying(config: Config) -> dict[str, EntrySection]:
    """By its name, the entry settings of each strategy that may order."""
    if not config.strategies:
        return {"entry": config.entry}
    return {name: each.entry for name, each in config.strategies.items() if each.stage is Stage.LIVE}


def _risked(config: Config) -> Iterator[str]:
    """What may be lost at most, in words and figures; the rows of a database may hold lower limits, never higher ones."""
    risk = config.risk
    yield "risked at most, fees included:"
    for name, entry in _buying(config).items():
        size = Quantity(min(entry.contracts, risk.max_contracts_per_order))
        yield _line(
            "order",
            of_order(size, entry.max_price_dollars, risk),
            f"{name}: {_words(size, entry.max_price_dollars)}",
        )
    manual = of_order(risk.max_contracts_per_order, HIGHEST, risk)
    yield _line("order", manual, f"recio trade: {_words(risk.max_contracts_per_order, HIGHEST)}")
    yield _line("event", risk.max_event_cost_dollars, counted(risk.max_entries_per_event, "entry", "entries"))
    yield _line(
        "open",
        risk.max_open_cost_dollars,
        f"{counted(risk.max_open_trades, 'trade', 'trades')} at the same time",
    )
    yield _line("day", risk.max_daily_loss_dollars, "since midnight UTC; what is open counts as lost")
    yield "a limit that was lower at the last start stays lower until recio limits grant"


def _words(size: Quantity, price: Price) -> str:
    return f"{quantity_text(size)} contracts at ${price_text(price)}"


def _line(what: str, amount: Money, words: str) -> str:
    """At most is never a part of a cent too little."""
    return f"  {what:<6}${money_decimal(amount).quantize(CENT, ROUND_CEILING):>10,}  {words}"
