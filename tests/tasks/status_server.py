"""The status page's task on a port of its own, for tests of what it shows and of what it bears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import asyncpg
from pydantic import SecretStr

from recio.clock import Clock
from recio.settings.risk import RiskSection
from recio.tasks.status_http import StatusHttp
from recio.web.logins import LoginsFile
from recio.web.push_devices import PushSetup
from recio.web.reach import Reach
from recio.wires import Wires
from tests.builders import NOW
from tests.conftest import unused_port

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TOKEN = "a-token-of-somebody"
METRICS = b"recio_ready 1.0\n"


def a_page(
    port: int,
    body: Callable[[bool], dict[str, Any]],
    wires: Wires,
    pool: Pool | None = None,
    metrics: Callable[[], bytes] = lambda: METRICS,
    *,
    reach: Reach | None = None,
    logins: Path = Path("/nowhere/logins"),
    limits: RiskSection | None = None,
    push: PushSetup | None = None,
) -> StatusHttp:
    """Without a pool it has no past to show."""
    return StatusHttp(
        pool=cast("Pool", pool),
        reach=reach or Reach(port=port),
        logins=LoginsFile(logins),
        status=body,
        clients=set(),
        clock=Clock(speed=1e-9, venue_origin=NOW.timestamp()),
        token=SecretStr(TOKEN),
        controls=wires.controls,
        halt_requests=wires.halt_requests,
        halt_verifications=wires.halt_verifications,
        alert_requests=wires.alert_requests,
        alerts=wires.alerts,
        push=push,
        metrics=metrics,
        limits=limits or RiskSection(),
    )


@asynccontextmanager
async def started(page: StatusHttp) -> AsyncIterator[str]:
    """Its address, once it listens."""
    listens = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(page.run, lambda _sentence: listens.set())
        with anyio.fail_after(5):
            await listens.wait()
        yield f"http://127.0.0.1:{page.reach.port}"
        group.cancel_scope.cancel()


@asynccontextmanager
async def served(
    body: dict[str, Any],
    wires: Wires | None = None,
    pool: Pool | None = None,
    limits: RiskSection | None = None,
) -> AsyncIterator[str]:
    of_our_own = Wires()
    page = a_page(unused_port(), lambda _whole: body, wires or of_our_own, pool, limits=limits)
    async with started(page) as url:
        yield url
    of_our_own.close()
