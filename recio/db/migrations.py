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
    afterwards: str = "SELECT 1"
    """What remains to be done once the present schema stands."""


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
    Migration(
        version=13,
        name="the words of the trade",
        # Sealed rows of the audit log keep their words: their seals cover them.
        sql="""
            DROP FUNCTION IF EXISTS refuse_journal_change, seal_journal_row, journal_seal, journal_breaks_at CASCADE;
            DROP FUNCTION IF EXISTS check_order_birth, check_limit_falls, limit_ceiling, keep_limit CASCADE;
            DROP FUNCTION IF EXISTS refuse_books_change, check_posting, rounding_of, held_of CASCADE;
            DROP TRIGGER IF EXISTS models_stand ON fingerprint_models;
            DROP TRIGGER IF EXISTS buckets_stand ON fingerprint_buckets;
            DROP TRIGGER IF EXISTS limits_stand ON risk_limits;

            ALTER TABLE daemon_lives RENAME TO runs;
            ALTER TABLE journal RENAME TO audit_log;
            ALTER TABLE IF EXISTS brake_checks RENAME TO halt_verifications;
            ALTER TABLE IF EXISTS cash_openings RENAME TO opening_balances;
            ALTER TABLE IF EXISTS why_not RENAME TO rejections;
            ALTER TABLE IF EXISTS shadow_trades RENAME TO paper_trades;
            ALTER TABLE IF EXISTS fingerprint_models RENAME TO empirical_models;
            ALTER TABLE IF EXISTS fingerprint_buckets RENAME TO empirical_buckets;
            ALTER TABLE IF EXISTS postings RENAME TO ledger_transactions;
            ALTER TABLE IF EXISTS entries RENAME TO postings;

            ALTER TABLE markets RENAME COLUMN doubt TO untradable;
            ALTER TABLE orders RENAME COLUMN fair TO model_value;
            ALTER TABLE halts RENAME COLUMN brake TO level;
            ALTER TABLE halts RENAME COLUMN way_out TO resolution;
            ALTER TABLE IF EXISTS opening_balances RENAME COLUMN opening_id TO opening_balance_id;
            ALTER TABLE IF EXISTS opening_balances RENAME COLUMN balance TO venue_balance;
            ALTER TABLE IF EXISTS opening_balances RENAME COLUMN booked TO ledger_cash;
            ALTER TABLE IF EXISTS trade_answers RENAME COLUMN wished TO accepted;
            ALTER TABLE IF EXISTS paper_trades RENAME COLUMN shadow_id TO paper_trade_id;
            ALTER TABLE IF EXISTS paper_trades RENAME COLUMN chance TO probability;
            ALTER TABLE IF EXISTS paper_trades ADD COLUMN exit_orders_at timestamptz[] NOT NULL DEFAULT '{}';
            ALTER TABLE IF EXISTS limit_grants RENAME COLUMN after_life TO after_run;
            ALTER TABLE IF EXISTS ledger_transactions RENAME COLUMN posting_id TO transaction_id;
            ALTER TABLE IF EXISTS postings RENAME COLUMN posting_id TO transaction_id;

            -- Constraints and sequences were named after their old tables and columns.
            DO $$
            DECLARE
                word record;
                named record;
            BEGIN
                FOR word IN SELECT * FROM (VALUES
                    (1, 'runs', '^daemon_lives_', 'runs_'), (1, 'audit_log', '^journal_', 'audit_log_'),
                    (1, 'halt_verifications', '^brake_checks_', 'halt_verifications_'),
                    (1, 'opening_balances', '^cash_openings_', 'opening_balances_'),
                    (1, 'rejections', '^why_not_', 'rejections_'), (1, 'paper_trades', '^shadow_trades_', 'paper_trades_'),
                    (1, 'empirical_models', '^fingerprint_models_', 'empirical_models_'),
                    (1, 'empirical_buckets', '^fingerprint_buckets_', 'empirical_buckets_'),
                    (1, 'ledger_transactions', '^postings_', 'ledger_transactions_'), (2, 'postings', '^entries_', 'postings_'),
                    (3, 'ledger_transactions', '_posting_id_', '_transaction_id_'),
                    (3, 'postings', '_posting_id_', '_transaction_id_'),
                    (3, 'markets', '_doubt_', '_untradable_'), (3, 'orders', '_fair_', '_model_value_'),
                    (3, 'halts', '_brake_', '_level_'), (3, 'halts', '_way_out_', '_resolution_'),
                    (3, 'opening_balances', '_opening_id_', '_opening_balance_id_'),
                    (3, 'opening_balances', '_balance_not', '_venue_balance_not'),
                    (3, 'opening_balances', '_booked_', '_ledger_cash_'), (3, 'trade_answers', '_wished_', '_accepted_'),
                    (3, 'paper_trades', '_shadow_id_', '_paper_trade_id_'), (3, 'paper_trades', '_chance_', '_probability_'),
                    (3, 'limit_grants', '_after_life_', '_after_run_')
                ) AS words (turn, of_table, was, becomes) ORDER BY turn LOOP
                    FOR named IN SELECT conname AS name FROM pg_constraint
                        WHERE conrelid = to_regclass(word.of_table) AND conname ~ word.was LOOP
                        EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', word.of_table, named.name,
                            regexp_replace(named.name, word.was, word.becomes));
                    END LOOP;
                    FOR named IN SELECT relname AS name FROM pg_class JOIN pg_depend AS d ON d.objid = oid
                        WHERE relkind = 'S' AND d.refobjid = to_regclass(word.of_table) AND relname ~ word.was LOOP
                        EXECUTE format('ALTER SEQUENCE %I RENAME TO %I', named.name,
                            regexp_replace(named.name, word.was, word.becomes));
                    END LOOP;
                END LOOP;
            END $$;
            ALTER INDEX journal_by_trade RENAME TO audit_log_by_trade;
            ALTER INDEX IF EXISTS why_not_by_time RENAME TO rejections_by_time;
            ALTER INDEX IF EXISTS shadow_trades_one_held_per_market RENAME TO paper_trades_one_held_per_market;
            ALTER INDEX IF EXISTS shadow_trades_by_time RENAME TO paper_trades_by_time;
            ALTER INDEX IF EXISTS postings_by_ticker RENAME TO ledger_transactions_by_ticker;

            -- Words in rows. Their checks are made anew with the new words; the guards of the rows rest meanwhile.
            DO $$
            DECLARE
                checked record;
                again text[] := '{}';
            BEGIN
                FOR checked IN SELECT conrelid::regclass AS of_table, conname, pg_get_constraintdef(oid) AS rule
                    FROM pg_constraint
                    WHERE contype = 'c' AND (
                        (conrelid = to_regclass('orders') AND pg_get_constraintdef(oid) ~ '''(intended|absent)''')
                        OR (conrelid = to_regclass('postings') AND pg_get_constraintdef(oid) ~ '''result''')) LOOP
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', checked.of_table, checked.conname);
                    again := again || format('ALTER TABLE %s ADD CONSTRAINT %I %s', checked.of_table, checked.conname,
                        replace(replace(replace(checked.rule, '''intended''', '''pending'''), '''absent''',
                            '''not_found'''), '''result''', '''realised_pnl'''));
                END LOOP;
                DROP INDEX orders_one_unproven_per_trade;
                ALTER TABLE orders DISABLE TRIGGER orders_move_legally;
                UPDATE orders SET state = CASE state WHEN 'intended' THEN 'pending' ELSE 'not_found' END
                    WHERE state IN ('intended', 'absent');
                ALTER TABLE orders ENABLE TRIGGER orders_move_legally;
                IF to_regclass('postings') IS NOT NULL THEN
                    UPDATE postings SET account = 'realised_pnl' WHERE account = 'result';
                END IF;
                FOR checked IN SELECT unnest(again) AS sentence LOOP
                    EXECUTE checked.sentence;
                END LOOP;
            END $$;
            UPDATE halts SET cause = replace(cause, 'dollars from the books:', 'dollars from the ledger:');
        """,
    ),
    Migration(
        version=14,
        name="what is unfinished, and counters",
        sql="""
            DROP VIEW IF EXISTS live_exposure;
            DROP VIEW IF EXISTS trade_figures;
            DROP INDEX IF EXISTS trades_by_event;
            DROP INDEX IF EXISTS trades_by_end;
            ALTER TABLE trades
                ADD COLUMN entry_quantity numeric(14, 2) NOT NULL DEFAULT 0,
                ADD COLUMN entry_cost numeric(18, 6) NOT NULL DEFAULT 0,
                ADD COLUMN exit_quantity numeric(14, 2) NOT NULL DEFAULT 0,
                ADD COLUMN exit_proceeds numeric(18, 6) NOT NULL DEFAULT 0,
                ADD COLUMN fees numeric(18, 6) NOT NULL DEFAULT 0,
                ADD COLUMN is_live boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('closed', 'void')) STORED;
            ALTER TABLE orders
                ADD COLUMN by_fills numeric(14, 2) NOT NULL DEFAULT 0 CHECK (by_fills >= 0),
                ADD COLUMN is_unfinished boolean NOT NULL
                    GENERATED ALWAYS AS (state IN ('pending', 'unknown', 'resting') OR by_fills < filled) STORED;
        """,
        afterwards="SELECT count_anew()",
    ),
    Migration(version=15, name="imported history", sql="SELECT 1"),
    Migration(
        version=16,
        name="exits that met a book",
        sql="ALTER TABLE trades ADD COLUMN exits_met integer NOT NULL DEFAULT 0",
        afterwards="SELECT count_anew()",
    ),
    Migration(version=17, name="what rules remember", sql="SELECT 1"),
    Migration(
        version=18,
        name="settlements at a value, and their corrections",
        sql="""
            ALTER TABLE settlements
                ADD COLUMN value numeric(6, 4) CHECK (value BETWEEN 0 AND 1),
                ADD COLUMN revision integer NOT NULL DEFAULT 1 CHECK (revision > 0),
                DROP CONSTRAINT settlements_result_check,
                ADD CONSTRAINT settlements_result_check CHECK (result IN ('yes', 'no', 'scalar'));
            UPDATE settlements SET value = (result = 'yes')::integer;
            ALTER TABLE settlements ALTER COLUMN value SET NOT NULL,
                ADD CONSTRAINT settlements_value_of_result
                    CHECK (CASE result WHEN 'yes' THEN value = 1 WHEN 'no' THEN value = 0 ELSE true END);
            DO $$
            BEGIN
                IF to_regclass('ledger_transactions') IS NOT NULL THEN
                    ALTER TABLE ledger_transactions
                        ADD COLUMN revision integer,
                        DROP CONSTRAINT IF EXISTS ledger_transactions_kind_check,
                        DROP CONSTRAINT IF EXISTS postings_kind_check;
                    ALTER TABLE ledger_transactions
                        ADD CONSTRAINT ledger_transactions_kind_check CHECK (kind IN ('fill', 'settlement', 'correction')),
                        ADD CONSTRAINT ledger_transactions_revision CHECK ((kind = 'correction') = (revision IS NOT NULL));
                END IF;
            END $$;
            DROP FUNCTION IF EXISTS winning_quantity(text, numeric, numeric);
        """,
    ),
    Migration(
        version=19,
        name="what a person asks of a trade",
        sql="""
            ALTER TABLE IF EXISTS trade_requests
                ADD COLUMN guard text NOT NULL DEFAULT 'exit' CHECK (guard IN ('exit', 'own')),
                ADD COLUMN stop_price numeric(6, 4) CHECK (stop_price > 0 AND stop_price < 1),
                ADD COLUMN take_profit numeric(6, 4) CHECK (take_profit > 0 AND take_profit < 1),
                ADD CHECK (guard = 'own' OR (stop_price IS NULL AND take_profit IS NULL));
        """,
    ),
    Migration(
        version=20,
        name="settlements by hand, and money that is moved",
        sql="""
            ALTER TABLE settlements ADD COLUMN set_by text NOT NULL DEFAULT '';
            DROP FUNCTION IF EXISTS correct_settlement(text, text, numeric, timestamptz, bigint, timestamptz);
        """,
    ),
    Migration(version=21, name="live beside paper", sql="SELECT 1"),
    # schema.sql makes its tables.
    Migration(version=22, name="for what somebody was called", sql="SELECT 1"),
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
    missing = [step for step in steps if step.version > found]
    for step in missing:
        await connection.execute(step.sql)
        await connection.execute(_RECORD, step.version, step.name)
    if missing:
        # Steps move tables; functions, triggers and views are replaced by their present text.
        await connection.execute(schema)
    for step in missing:
        await connection.execute(step.afterwards)
    return newest


async def version_of(connection: Connection) -> int | None:
    """The version of a database that recio made; None for any other, an empty one included."""
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        return None
    return await connection.fetchval(_PRESENT)


async def _refuse_strangers(connection: Connection) -> None:
    """A table of another program with one of our names would pass for ours."""
    names: list[str] = [row["tablename"] for row in await connection.fetch(_TABLES)]
    if names and "schema_version" not in names:
        raise BadConfig(
            f"the database holds tables that recio did not make ({', '.join(names[:3])}"
            f"{', ...' if len(names) > 3 else ''}): give recio a database of its own"
        )
