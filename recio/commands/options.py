"""Options that several commands share, and the config they lead to; it runs nothing."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from recio.errors import BadConfig
from recio.report.past_trades import Kind
from recio.settings.config import Config, load
from recio.texts import writable
from recio.times import time_text
from recio.units import ONE_DOLLAR, Price, UnitError, price

DEFAULT_CONFIG = "recio.toml"


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_CONFIG} if it is there"
    )


def add_strategy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strategy", default="", metavar="NAME", help="one of the config's strategies")


def add_who_and_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", default="", type=writable, metavar="TEXT", help="the reason, for the record")
    parser.add_argument(
        "--by", default="command line", type=some_words, metavar="NAME", help="who does it, for the record"
    )


def some_words(text: str) -> str:
    """Whoever does something for the record has a name. Raises ArgumentTypeError for a blank one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return writable(text)


def moment(text: str) -> datetime:
    """2026-11-01 is its first instant in UTC; a time of day needs its zone. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no day or time: write 2026-11-01 or 2026-11-01T15:00Z"
        ) from None
    if len(text) > len("2026-11-01"):
        raise argparse.ArgumentTypeError(f"{text!r} names no zone: write {text}Z for UTC")
    return found.replace(tzinfo=UTC)


def price_option(name: str, text: str) -> Price:
    """Dollars for one contract. Raises BadConfig naming the option."""
    try:
        value = price(text)
    except UnitError as error:
        raise BadConfig(f"{name} {text} is refused: {error}") from error
    if not 0 < value < ONE_DOLLAR:
        cents = f"; did you mean 0.{text}?" if text.isdecimal() and len(text) == 2 else ""
        raise BadConfig(f"{name} {text} is refused: dollars for one contract, above 0 and below 1{cents}")
    return value


def positive(text: str) -> int:
    return _whole(text, 1, None)


def port_number(text: str) -> int:
    return _whole(text, 1, 65_535)


def whole(text: str) -> int:
    return _whole(text, None, None)


def _whole(text: str, least: int | None, most: int | None) -> int:
    """Raises ArgumentTypeError with what may be written."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or (least is not None and value < least) or (most is not None and value > most):
        wanted = f" from {least} to {most}" if most is not None else "" if least is None else " above zero"
        raise argparse.ArgumentTypeError(f"{text} is not a whole number{wanted}")
    return value


def kind_of_trade(text: str) -> Kind:
    """Raises ArgumentTypeError with the kinds there are."""
    try:
        return Kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no kind: write {', '.join(Kind)}") from None


def refuse_backward(since: datetime | None, until: datetime | None) -> None:
    """Raises BadConfig for a time that ends before it begins, in which there is nothing, ever."""
    if since is not None and until is not None and since >= until:
        raise BadConfig(
            f"--since {time_text(since)} is not before --until {time_text(until)}: nothing lies between; turn them round"
        )


def config_of(path: Path | None) -> Config:
    """The named config, the one of this folder, or the defaults. Raises BadConfig."""
    if path is None and not Path(DEFAULT_CONFIG).exists():
        return Config()
    return load(path or Path(DEFAULT_CONFIG))
