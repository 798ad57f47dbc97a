"""`recio init`: asks for what has no good default and writes a config with all its comments; it overwrites nothing, and writes only what is good."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from recio.commands.options import DEFAULT_CONFIG
from recio.errors import BadConfig, ExitCode, of_the_machine
from recio.settings.config import parse
from recio.settings.files import table_of
from recio.settings.venue import USUAL_KEY_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One key of recio.toml; `default` as it is written there."""

    key: str
    asks: str
    default: str
    is_text: bool = True
    shape: re.Pattern[str] | None = None
    """What an answer has to look like as a whole, beyond what the settings take."""
    like: str = ""
    """Told to whoever answers something of another shape."""


LIVE = (
    Question(
        key="kalshi.key_id",
        asks="API key id, as Kalshi shows it",
        default="",
        shape=USUAL_KEY_ID,
        like="an API key id of Kalshi is 36 letters and hyphens like 2f6f3d1e-1111-2222-3333-444455556666: it stands in Kalshi under"
        " Account and security, API keys",
    ),
    Question(key="kalshi.key_path", asks="path of its private key (PEM, readable by you alone)", default=""),
)
QUESTIONS = (
    Question(key="data_dir", asks="folder of the data", default=".recio"),
    Question(key="database.dsn", asks="DSN of a PostgreSQL of your own; empty: recio starts its own", default=""),
    Question(key="status.port", asks="port of the status page on 127.0.0.1", default="8710", is_text=False),
    Question(key="entry.contracts", asks="contracts per entry", default="10", is_text=False),
    Question(key="risk.max_open_cost_dollars", asks="dollars that may be open at the same time", default="100", is_text=False),
    Question(key="risk.max_daily_loss_dollars", asks="dollars that may be lost in a day", default="50", is_text=False),
    Question(key="alerts.channels_path", asks="file of alert channels (docs/operate/alerts.md); empty: nobody is called", default=""),
)  # fmt: skip
ENVIRONMENTS = ("sim", "demo", "prod")


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config",
        type=Path,
        nargs="?",
        default=Path(DEFAULT_CONFIG),
        metavar="CONFIG",
        help="where to write it",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    path: Path = options.config
    _refuse_to_overwrite(path)
    text = asked_for(template(), _ask)
    _write(path, text)
    print(f"{path}: written. Entries are off. Next: recio check {path}, then recio doctor --config {path}")
    return ExitCode.OK


def template() -> str:
    """The shipped recio.toml, from the installed package or the source tree."""
    packaged = files("recio").joinpath("recio.toml")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "recio.toml").read_text(encoding="utf-8")


def asked_for(text: str, ask: Callable[[Question], str]) -> str:
    """The config with every answer in it. Each is checked at once, and asked again while it is refused."""
    where = Question(
        key="kalshi.environment", asks="where: sim (this machine), demo (play money) or prod", default="demo"
    )
    environment = ask(where)
    while environment not in ENVIRONMENTS:
        print(f"  write one of {', '.join(ENVIRONMENTS)}")
        environment = ask(where)
    text = with_value(text, "kalshi.environment", json.dumps(environment))
    text = with_value(text, "mode", json.dumps("demo" if environment == "sim" else "live"))
    if environment == "sim":
        print("  the simulated exchange makes its own key: none is asked for")
    for question in (() if environment == "sim" else LIVE) + QUESTIONS:
        text = _answered(text, question, ask, may_lack_key=question.key == "kalshi.key_id")
    return text


def _answered(text: str, question: Question, ask: Callable[[Question], str], *, may_lack_key: bool) -> str:
    while True:
        answer = ask(question)
        if question.shape is not None and not question.shape.fullmatch(answer):
            print(f"  {question.key} = {answer!r} is refused: {question.like}")
            continue
        written = json.dumps(answer, ensure_ascii=False) if question.is_text else answer
        candidate = with_value(text, question.key, written)
        try:
            table = table_of(candidate, "your answer")
            if may_lack_key:  # its path is asked for next
                table["kalshi"]["key_path"] = table["kalshi"]["key_path"] or "asked for next"
            parse(table, "your answer")
        except BadConfig as error:
            print(f"  {error}")
        else:
            return candidate


def with_value(text: str, key: str, written: str) -> str:
    """The same file with another value at this key; every comment stays."""
    section, _, name = key.rpartition(".")
    lines, here = text.splitlines(), ""
    for index, line in enumerate(lines):
        if heading := re.fullmatch(r"\[([\w.]+)\]", line.strip()):
            here = heading[1]
        elif here == section and re.match(rf"{name}\s*=", line):
            lines[index] = f"{name} = {written}"
            return "\n".join(lines) + "\n"
    raise AssertionError(f"recio.toml has no {key}: that is a bug in recio")


def _ask(question: Question) -> str:
    shown = f" [{question.default}]" if question.default else ""
    try:
        return input(f"{question.asks}{shown}: ").strip() or question.default
    except EOFError:
        raise BadConfig(
            f"recio init asks for {question.key}, and its input has ended: answer in a terminal, or copy recio.toml;"
            " nothing was written"
        ) from None


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise BadConfig(f"{path} is there already, and recio init overwrites nothing: name another file")
    if not path.absolute().parent.is_dir():
        raise BadConfig(f"{path.absolute().parent} is no folder: make it first, or name another file")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise BadConfig(
            f"{path.absolute()} cannot be written: you may not make files in its folder; name another file"
        )


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a DSN in it is nobody else's business."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        _refuse_to_overwrite(path)
        raise
    except OSError as error:
        raise of_the_machine(f"{path} cannot be written: {error.strerror}", error) from error
