"""Shows tests that were collected once to one break after another: each break lives in a fork, or in a database of its own."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import CodeType
from typing import Any

import _pytest.main
import anyio
import asyncpg
import pytest

from recio.db.embedded import EmbeddedServer
from tests.mutants.breaks import Break
from tests.mutants.schema_breaks import SchemaBreak

ROOT = Path(__file__).resolve().parents[2]
SOUND_LIMIT = 1_200.0
"""Seconds for the tests without a break, on a machine that has other things to do."""
TRIES = 3
CONSTANTS = (str, int, float, timedelta, Decimal, frozenset, tuple)
TESTS_FAILED = 1
TEMPLATE = "mutants_template"
MUTANT = "mutant"


class Breaker:
    """Runs the collected tests for one break after another, each in a fork: a function with broken code, or a broken schema."""

    def __init__(self, server: OneServer, breaks: Sequence[Break | SchemaBreak], told: int) -> None:
        self.server, self.breaks, self.told = server, breaks, told
        self.failed = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        began = time.monotonic()
        if self._failing(session, None, SOUND_LIMIT):
            os.write(self.told, b"tests fail without a break\n")
            return True
        limit = 20.0 + 10.0 * (time.monotonic() - began)
        for nth, broken in enumerate(self.breaks):
            os.write(self.told, f"{nth} {int(self._is_noticed(session, broken, limit))}\n".encode())
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid

    def _is_noticed(self, session: pytest.Session, broken: Break | SchemaBreak, limit: float) -> bool:
        """A test fails, and is well again without the break: on a busy machine one may fail for want of time."""
        whole = session.items
        for _ in range(TRIES):
            failing = self._failing(session, broken, limit)
            session.items = [each for each in whole if each.nodeid == failing]
            try:
                if not failing or not session.items or not self._failing(session, None, limit):
                    return bool(failing)
            finally:
                session.items = whole
        return False

    def _failing(self, session: pytest.Session, broken: Break | SchemaBreak | None, limit: float) -> str:
        """The test that fails, or the end of a run that took too long; empty: none does."""
        if isinstance(broken, SchemaBreak):
            anyio.run(_broken_template, self.server.server, MUTANT, broken.statement)
        hears, told = os.pipe()

        def run() -> int:
            if isinstance(broken, SchemaBreak):
                self.server.template = MUTANT
            elif broken is not None:
                put_in_place(broken)
            with suppress(pytest.Session.Failed, pytest.Session.Interrupted):
                _pytest.main.pytest_runtestloop(session)
            os.write(told, self.failed.encode())
            return int(bool(self.failed))

        ended = forked(run, limit)
        os.close(told)
        with os.fdopen(hears) as said:
            return said.read() or ("" if ended == 0 else "the run did not end")


def put_in_place(broken: Break) -> None:
    """Give the function or the constant that is broken its broken code or value; whoever imported it has it too."""
    module = importlib.import_module(broken.file.removesuffix(".py").replace("/", "."))
    code = compile(broken.tree(), str(ROOT / broken.file), "exec", dont_inherit=True)
    if not broken.function():
        _put_constants(vars(module), code)
        return
    found: Any = module
    for name in broken.function():
        code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name)
        found = vars(found)[name]
    for wrapped in ("fget", "__func__", "func"):
        found = getattr(found, wrapped, found)
    inspect.unwrap(found).__code__ = code


def _put_constants(module: dict[str, Any], code: CodeType) -> None:
    """Each that comes to something else, those that are made of the broken one included."""
    anew = {name: value for name, value in module.items() if name.startswith("__")}
    exec(code, anew)
    for name, value in anew.items():
        old = module.get(name)
        if isinstance(value, CONSTANTS) and value != old:
            for each in list(sys.modules.values()):
                if vars(each).get(name) is old:
                    setattr(each, name, value)


class OneServer:
    """Lets every test session use the database server that runs already."""

    def __init__(self, server: EmbeddedServer, template: str) -> None:
        self.server, self.template = server, template

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> object:
        if fixturedef.argname != "postgres":
            return None
        for plugin in request.config.pluginmanager.get_plugins():
            if hasattr(plugin, "_with_template"):
                plugin.TEMPLATE = self.template
                plugin._numbers = iter(range(os.getpid() * 1000, os.getpid() * 1000 + 1000))
        fixturedef.cached_result = (self.server, fixturedef.cache_key(request), None)
        return self.server


def forked(work: Callable[[], int], limit: float) -> int | None:
    """What the work comes to in a process of its own; None: it had to be ended."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os.setpgid(0, 0)
            os._exit(work())
        except BaseException:  # noqa: BLE001 - whatever it is, the fork ends here
            traceback.print_exc()
            os._exit(TESTS_FAILED)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    for each in (child, -child):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


async def _broken_template(server: EmbeddedServer, name: str, statement: str) -> None:
    first = await asyncpg.connect(server.dsn("postgres"))
    await first.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await first.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
    await first.close()
    connection = await asyncpg.connect(server.dsn(name))
    await connection.execute(statement)
    await connection.close()
