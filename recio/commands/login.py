"""`recio login`: who may log in at the page, tokens for scripts, and which sessions run; it needs no daemon, and asks for a password only at the terminal."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path

from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.options import some_words
from recio.daemon import data_dir
from recio.db import page_sessions
from recio.errors import BadConfig, ExitCode, Fatal
from recio.settings.config import load
from recio.settings.files import MARKER
from recio.times import time_text
from recio.web.logins import (
    FILE,
    NAME,
    Login,
    Logins,
    Role,
    Token,
    change,
    digest_of,
    hashed,
    is_name,
    new_token,
    read,
)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="ACTION")
    add = verbs.add_parser("add", help="let somebody log in, or give him another password or role")
    add.add_argument("name", type=some_words, metavar="NAME")
    add.add_argument("--role", required=True, choices=[each.value for each in Role])
    add.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, as a script does",
    )
    add.set_defaults(command=run_add)
    token = verbs.add_parser("token", help="make a token that only reads, and show it once")
    token.add_argument("name", type=some_words, metavar="NAME")
    token.set_defaults(command=run_token)
    remove = verbs.add_parser("remove", help="take a login or a token away; its sessions end")
    remove.add_argument("name", type=some_words, metavar="NAME")
    remove.set_defaults(command=run_remove)
    end = verbs.add_parser("end", help="end every session of a login")
    end.add_argument("name", type=some_words, metavar="NAME")
    end.set_defaults(command=run_end)
    listed = verbs.add_parser("list", help="list logins and tokens")
    listed.set_defaults(command=run_list)
    sessions = verbs.add_parser("sessions", help="list the sessions that run")
    sessions.set_defaults(command=run_sessions)
    for each in (add, token, remove, end, listed, sessions):
        add_installation(each)


def run_add(options: argparse.Namespace) -> ExitCode:
    path, name = _file(options), _named(options.name)
    password = _password(name, from_stdin=options.password_stdin)
    login = Login(
        name=name, role=Role(options.role), password=hashed(password), sessions_since=datetime.now(UTC)
    )
    if read(path).token_named(name) is not None:
        raise BadConfig(f"{name} is a token already: choose another name, or recio login remove {name}")
    change(path, lambda logins: logins.with_login(login))
    print(f"{name} may log in as {options.role}; sessions of before have ended")
    return ExitCode.OK


def run_token(options: argparse.Namespace) -> ExitCode:
    path, name, shown = _file(options), _named(options.name), new_token()
    if read(path).login(name) is not None:
        raise BadConfig(f"{name} is a login already: choose another name")
    token = Token(name=name, digest=digest_of(shown), made_at=datetime.now(UTC))
    change(path, lambda logins: logins.with_token(token))
    print(shown)
    print(
        "recio: it reads, and never acts; it is shown this once: send it as Authorization: Bearer",
        file=sys.stderr,
    )
    return ExitCode.OK


def run_remove(options: argparse.Namespace) -> ExitCode:
    path, name = _file(options), options.name
    known = read(path)
    if known.login(name) is None and known.token_named(name) is None:
        raise BadConfig(f"there is no login and no token {name}: {_names(known)}")
    left = change(path, lambda logins: logins.without(name))
    print(f"{name} is taken away, and sessions of it have ended")
    if not left.logins:
        print("recio: nobody can log in any more; loopback stays open", file=sys.stderr)
    return ExitCode.OK


def run_end(options: argparse.Namespace) -> ExitCode:
    path, name = _file(options), options.name
    login = read(path).login(name)
    if login is None:
        raise BadConfig(f"there is no login {name}: {_names(read(path))}")
    ended = login.model_copy(update={"sessions_since": datetime.now(UTC)})
    change(path, lambda logins: logins.with_login(ended))
    print(f"every session of {name} has ended; a running daemon follows within seconds")
    return ExitCode.OK


def run_list(options: argparse.Namespace) -> ExitCode:
    known = read(_file(options))
    for login in known.logins:
        print(f"{login.name:<24} {login.role:<10} sessions since {time_text(login.sessions_since)}")
    for token in known.tokens:
        print(f"{token.name:<24} {'token':<10} made at {time_text(token.made_at)}")
    if not known.logins and not known.tokens:
        print("no login and no token: recio login add NAME --role operator")
    return ExitCode.OK


def run_sessions(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(
        lambda: _list_sessions(place, read(place.data_dir / FILE)), lambda: "nothing was changed"
    )


async def _list_sessions(place: Installation, known: Logins) -> ExitCode:
    async with rows_in(place, "recio login") as connection:
        found = await page_sessions.running(connection, datetime.now(UTC))
    running = [
        each
        for each in found
        if (login := known.login(each.login)) is not None and each.began_at >= login.sessions_since
    ]
    for each in running:
        print(
            f"{each.session_id:>6} {each.login:<24} from {each.address:<20} since {time_text(each.began_at)}"
            f" until {time_text(each.ends_at)}"
        )
    if not running:
        print("no session runs")
    return ExitCode.OK


def _file(options: argparse.Namespace) -> Path:
    """The file of logins. A first login comes before the first start, so it may be what makes the data directory."""
    place = find_installation(options)
    if not (place.data_dir / MARKER).exists():
        if place.config is None:
            raise BadConfig(f"{place.data_dir} is no data directory of recio: say --config FILE")
        data_dir.claim(load(place.config))
    return place.data_dir / FILE


def _named(name: str) -> str:
    if not is_name(name):
        raise BadConfig(f"NAME {name[:80]!r} is refused: write letters, digits and . _ @ - only ({NAME})")
    return name


def _names(known: Logins) -> str:
    names = [each.name for each in (*known.logins, *known.tokens)]
    return f"recio login list has {', '.join(names)}" if names else "there is none"


def _password(name: str, *, from_stdin: bool) -> str:
    """Raises Fatal where it cannot be asked for, or was not written the same twice."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise Fatal(
            "there is no terminal to ask for the password at: --password-stdin reads it", ExitCode.USAGE
        )
    password = getpass.getpass(f"password of {name}: ")
    if getpass.getpass("again: ") != password:
        raise BadConfig("the two passwords differ: nothing was changed")
    return password
