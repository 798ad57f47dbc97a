"""Brings a database to the present schema, step by step, and refuses one that is newer than the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from recio.db.connection import Connection
from recio.errors import BadConfig

_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_version (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""
_PRESENT = "SELECT max(version) FROM schema_version"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
_RECORD = "INSERT INTO schema_version (version, name) VALUES ($1, $2)"
_ALONE = "SELECT pg_advisory_xact_lock($1)"
MIGRATION_LOCK = 0x7265_636D


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from `version` - 1 to `version`."""

    version: int
    name: str
    sql: str


STEPS: tuple[Migration, ...] = (
    Migration(
        version=2,
        name="what is read of a market's rules",
        sql="""
            ALTER TABLE markets ADD COLUMN rules_secondary text NOT NULL DEFAULT '';
            ALTER TABLE markets ADD COLUMN doubt text NOT NULL DEFAULT '';
        """,
    ),
    Migration(
        version=3,
        name="each journal row seals the one before it",
        sql="""
            ALTER TABLE journal ADD COLUMN seal bytea;
            CREATE OR REPLACE FUNCTION journal_seal(previous bytea, sealed journal) RETURNS bytea LANGUAGE sql STABLE AS $$
                SELECT sha256(coalesce(previous, ''::bytea) || convert_to(jsonb_build_array(
                    sealed.seq, to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), sealed.kind,
                    sealed.trade_id, sealed.client_order_id, sealed.detail)::text, 'UTF8'))
            $$;
            ALTER TABLE journal DISABLE TRIGGER journal_is_append_only;
            DO $$
            DECLARE
                entry journal;
                previous bytea;
            BEGIN
                FOR entry IN SELECT * FROM journal ORDER BY seq LOOP
                    previous := journal_seal(previous, entry);
                    UPDATE journal SET seal = previous WHERE seq = entry.seq;
                END LOOP;
            END $$;
            ALTER TABLE journal ENABLE TRIGGER journal_is_append_only;
            ALTER TABLE journal ALTER COLUMN seal SET NOT NULL;
        """,
    ),
    Migration(
        version=4,
        name="double entry",
        # New tables and functions only: schema.sql, applied after the last step, makes them and posts what is there.
        sql="SELECT 1",
    ),
    Migration(
        version=6,
        name="three brakes, two switches",
        sql="""
            ALTER TABLE halts ADD COLUMN brake text NOT NULL DEFAULT 'halt'
                CHECK (brake IN ('halt', 'flatten', 'stop'));
            ALTER TABLE halts ADD COLUMN set_at timestamptz NOT NULL DEFAULT clock_timestamp();
        """,
    ),
    Migration(
        version=7,
        name="risk limits are rows",
        sql="""
            ALTER TABLE halts ADD COLUMN after_trade bigint;
            ALTER TABLE orders ADD COLUMN ask numeric(6, 4) CHECK (ask > 0 AND ask < 1);
            ALTER TABLE orders ADD COLUMN fair numeric(8, 6) CHECK (fair >= 0 AND fair <= 1);
        """,
    ),
    Migration(
        version=8,
        name="an account for rounding",
        sql="""
            ALTER TABLE markets ADD COLUMN fee_multiplier numeric;
            ALTER TABLE IF EXISTS entries DROP CONSTRAINT IF EXISTS entries_account_check;
            ALTER TABLE IF EXISTS entries ADD CONSTRAINT entries_account_check
                CHECK (account IN ('cash', 'contracts', 'fees', 'rounding', 'settlement', 'result'));
        """,
    ),
    Migration(
        version=9,
        name="fingerprint models",
        # New tables only: schema.sql, applied after the last step, makes them.
        sql="SELECT 1",
    ),
    Migration(version=10, name="why not", sql="SELECT 1"),
    Migration(version=11, name="shadows, and trades that a person asks for", sql="SELECT 1"),
    Migration(
        version=12,
        name="exits of shadows",
        sql="""
            ALTER TABLE IF EXISTS shadow_trades
                ADD COLUMN sold numeric(14, 2) NOT NULL DEFAULT 0,
                ADD COLUMN proceeds numeric(18, 6) NOT NULL DEFAULT 0,
                ADD COLUMN sold_at timestamptz,
                ADD CONSTRAINT shadow_trades_sold
                    CHECK (sold BETWEEN 0 AND quantity AND proceeds >= 0 AND (sold > 0 OR proceeds = 0)),
                ADD CONSTRAINT shadow_trades_sold_out CHECK ((sold_at IS NOT NULL) = (quantity > 0 AND sold = quantity));
            DROP INDEX IF EXISTS shadow_trades_one_live_per_market;
        """,
    ),
)
"""Every step after the first schema, ascending; schema.sql is always the sum of all."""

FIRST_VERSION = 1


def schema_version(steps: Sequence[Migration] = STEPS) -> int:
    return max((step.version for step in steps), default=FIRST_VERSION)


def schema_text() -> str:
    """schema.sql, from the installed package or the source tree."""
    packaged = files("recio").joinpath("schema.sql")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "schema.sql").read_text(encoding="utf-8")


async def migrate(connection: Connection, schema: str, steps: Sequence[Migration] = STEPS) -> int:
    """Bring the database to the present version inside the caller's transaction; returns it.

    An empty database gets `schema` whole. Raises BadConfig for a database newer than the code, or one
    that somebody else's tables are in.
    """
    await connection.execute(_ALONE, MIGRATION_LOCK)
    await _refuse_strangers(connection)
    await connection.execute(_TABLE)
    found: int | None = await connection.fetchval(_PRESENT)
    newest = schema_version(steps)
    if found is not None and found > newest:
        raise BadConfig(
            f"the database has schema version {found}, this recio knows {newest}:"
            " install the newer recio, or use the database of this one"
        )
    if found is None:
        await connection.execute(schema)
        await connection.execute(_RECORD, newest, "schema.sql")
        return newest
    for step in steps:
        if step.version > found:
            await connection.execute(step.sql)
            await connection.execute(_RECORD, step.version, step.name)
    if found < newest:
        # Steps move tables; functions, triggers and views are replaced by their present text.
        await connection.execute(schema)
    return newest


async def _refuse_strangers(connection: Connection) -> None:
    """A table of another program with one of our names would pass for ours."""
    names: list[str] = [row["tablename"] for row in await connection.fetch(_TABLES)]
    if names and "schema_version" not in names:
        raise BadConfig(
            f"the database holds tables that recio did not make ({', '.join(names[:3])}"
            f"{', ...' if len(names) > 3 else ''}): give recio a database of its own"
        )
