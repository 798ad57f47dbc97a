"""No order is lost, doubled or forgotten, whatever happens in whatever order: thousands of random histories.

RECIO_MODEL_STEPS asks for a long run and RECIO_MODEL_SEED for another one; `make model` sets both.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import asyncpg
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from recio.db.embedded import EmbeddedServer
from recio.db.pool import prepare
from tests.conftest import TEMPLATE
from tests.faults.proof_reports import PROOF, commit, write
from tests.model.order_machine import OrderMachine

BOUNDED_EXAMPLES = 60
EXAMPLES_AT_ONCE = 200


async def _connected(server: EmbeddedServer) -> asyncpg.Connection[asyncpg.Record]:
    first = await asyncpg.connect(server.dsn("postgres"))
    await first.execute(f'CREATE DATABASE model TEMPLATE "{TEMPLATE}"')
    await first.close()
    connection = await asyncpg.connect(server.dsn("model"))
    await prepare(connection)
    return connection


def _explore(examples: int, number: int) -> None:
    # A seed belongs to a function of its own; the machine's class is shared by all runs.
    machine = seed(number)(type("Seeded", (OrderMachine,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            database=None,
            print_blob=True,
            # Its metaclass has an __iter__ without types, of which pyright makes the metaclass itself.
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        ),
    )


@pytest.mark.timeout(0 if "RECIO_MODEL_STEPS" in os.environ else 180)
def test_rows_and_venue_agree_after_any_history_and_no_order_is_doubled(postgres: EmbeddedServer):
    asked = int(os.environ.get("RECIO_MODEL_STEPS", "0"))
    first = int(os.environ.get("RECIO_MODEL_SEED", "1"))
    began, number = time.monotonic(), first
    with asyncio.Runner() as runner:
        OrderMachine.runner = runner
        OrderMachine.connection = runner.run(_connected(postgres))
        OrderMachine.steps = 0
        _explore(EXAMPLES_AT_ONCE if asked else BOUNDED_EXAMPLES, number)
        while OrderMachine.steps < asked:
            number += 1
            _explore(EXAMPLES_AT_ONCE, number)
        runner.run(OrderMachine.connection.close())
    assert OrderMachine.steps >= max(asked, BOUNDED_EXAMPLES)
    took = time.monotonic() - began
    if asked:
        seeds = {"first_seed": first, "last_seed": number}
        report = {"steps": OrderMachine.steps, "failures": 0, "seconds": round(took), **seeds}
        write(PROOF / "model.json", {"commit": commit(), **report})
    sys.stdout.write(f"\nmodel: {OrderMachine.steps} steps, seeds {first} to {number}, {took:.0f} s\n")
