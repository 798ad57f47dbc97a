"""The breaks that are made are slips that matter, each in one place, and the runner tells those that tests notice from those that none does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from tests.db.looks import LOOKS
from tests.mutants.accepted import ACCEPTED, why_accepted
from tests.mutants.breaks import Break, breaks_of
from tests.mutants.function_breaks import broken_bodies, function_breaks
from tests.mutants.schema_breaks import schema_breaks
from tests.mutants.schema_looks import looked_at
from tests.mutants.tests_of import AREAS, far, near

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ROOT = Path(__file__).parents[2]
SOURCE = '''"""Says nothing."""
def limit(asked: int, most: int = 3) -> str:
    """Least and most."""
    if asked > most and not asked == 7:
        log.info("too much", asked=asked + 1)
        return f"{asked + 1} is too much"
    return min(str(asked), "x")
'''


def made_of(tmp_path: Path, source: str) -> list[Break]:
    (tmp_path / "some.py").write_text(source, encoding="utf-8")
    return breaks_of(tmp_path, "some.py")


def test_what_is_compared_joined_and_chosen_is_broken_and_what_is_only_said_is_not(tmp_path: Path):
    assert [each.change for each in made_of(tmp_path, SOURCE)] == [
        "3 -> 4",
        "asked > most and (not asked == 7) -> asked > most or not asked == 7",
        "asked > most -> asked >= most",
        "asked > most -> asked <= most",
        "not asked == 7 -> asked == 7",
        "asked == 7 -> asked != 7",
        "7 -> 8",
        'return min(str(asked), \'x\') -> return None',
        "min(str(asked), 'x') -> max(str(asked), 'x')",
    ]  # fmt: skip


def test_each_break_changes_one_place_and_leaves_the_rest_as_it_was(tmp_path: Path):
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    for each in made_of(tmp_path, SOURCE):
        broken = ast.unparse(each.tree()).splitlines()
        apart = [(old, new) for old, new in zip(whole, broken, strict=True) if old != new]
        assert len(apart) == 1, each.name


def test_statements_in_sql_are_broken_too(tmp_path: Path):
    source = "READ = 'SELECT a FROM b WHERE a > 1 AND a < 9 ORDER BY a DESC'\n"
    texts = [ast.unparse(each.tree()) for each in made_of(tmp_path, source)]
    assert len(texts) == 4
    assert any("a > 1 OR a < 9" in each for each in texts)


def test_every_module_has_tests_that_must_notice_and_they_are_there():
    for area, patterns in AREAS.items():
        files = [str(each.relative_to(ROOT)) for pattern in patterns for each in ROOT.glob(pattern)]
        assert files, area
        for file in files:
            if not breaks_of(ROOT, file):
                continue
            tests = [*near(ROOT, file), *far(file)]
            assert near(ROOT, file), file
            assert all((ROOT / each).exists() for each in tests), file


async def test_what_is_accepted_is_a_break_that_can_be_made_and_says_why(pool: Pool):
    every = [
        each.name
        for patterns in AREAS.values()
        for pattern in patterns
        for file in ROOT.glob(pattern)
        for each in breaks_of(ROOT, str(file.relative_to(ROOT)))
    ]
    async with pool.acquire() as connection:
        every += [each.name for each in await schema_breaks(connection)]
        every += [each.name for each in await function_breaks(connection)]
    for part, why in ACCEPTED.items():
        assert any(part in name for name in every), part
        assert len(why) > 10


async def test_each_check_trigger_and_index_of_the_schema_can_be_broken_by_itself(
    pool: Pool,
):
    async with pool.acquire() as connection:
        found = await schema_breaks(connection)
        assert {each.kind for each in found} == LOOKS.keys() | {"trigger"}
        assert len({each.name for each in found}) == len(found)
        for each in found:
            attempt = connection.transaction()
            await attempt.start()
            await connection.execute(each.statement)
            await attempt.rollback()


FUNCTION = """CREATE OR REPLACE FUNCTION public.some(asked integer)
 RETURNS integer LANGUAGE plpgsql AS $function$
BEGIN
    -- More than three = too many.
    IF asked > 3 THEN
        RAISE EXCEPTION 'asked > 3';
    END IF;
    UPDATE seen SET times = times + 1;
    RETURN asked;
END $function$
"""


def test_the_inside_of_a_function_is_broken_and_what_it_says_is_not():
    whole = FUNCTION.splitlines()
    changed = [
        [new.strip() for old, new in zip(whole, broken.splitlines(), strict=True) if old != new]
        for _, broken in broken_bodies(FUNCTION)
    ]
    assert sorted(changed) == [
        ["IF asked >= 3 THEN"],
        ["IF false THEN"],
        ["IF true THEN"],
        ["NULL;"],
        ["UPDATE seen SET times <> times + 1;"],
        ["UPDATE seen SET times = times - 1;"],
    ]


async def test_each_function_of_an_order_is_broken_from_inside_and_only_into_what_is_a_function(pool: Pool):
    async with pool.acquire() as connection:
        found = await function_breaks(connection)
    of_orders = {"place_entry", "place_exit", "check_entry_limits", "post_fill", "correct_settlement"}
    assert of_orders <= {each.subject for each in found}
    assert not any(re.search(r"\bSET \w+ <> ", each.statement) for each in found)


async def test_one_break_of_each_kind_is_noticed_by_the_look_for_its_name_and_what_is_whole_is_not(
    pool: Pool, database_dsn: str
):
    async with pool.acquire() as connection:
        found = [each for each in await schema_breaks(connection) if not why_accepted(each.name)]
    of_each_kind = list({each.kind: each for each in found}.values())
    unbroken = replace(of_each_kind[0], statement="SELECT")
    verdicts = await looked_at(database_dsn, [*of_each_kind, unbroken])
    assert {broken.kind for broken, noticed in verdicts if noticed} == {each.kind for each in of_each_kind}
    assert [broken for broken, noticed in verdicts if not noticed] == [unbroken]


@pytest.mark.timeout(600)
@pytest.mark.long
def test_what_a_look_notices_the_tests_notice_too():
    run = [sys.executable, "-m", "tests.mutants.run", "--tests", "--each", "6", "--only", "constraints"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert (done.returncode, ", 6 noticed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.timeout(240)
@pytest.mark.long
def test_breaks_of_the_fee_are_all_noticed():
    run = [sys.executable, "-m", "tests.mutants.run", "--each", "6", "--only", "rules/pricing/fees.py"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=220, check=False)
    assert (done.returncode, "rules: 6 tried, 6 noticed" in done.stdout) == (0, True), (
        done.stdout + done.stderr
    )
