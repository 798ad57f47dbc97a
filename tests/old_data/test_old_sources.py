"""Where old data stands: links, logs beside files, packed and damaged files, addresses with passwords; each is read whole or named."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from recio.commands import import_old
from recio.db import old_server
from recio.errors import BadConfig
from recio.old_data import folders, parts, sqlite_files
from tests.conftest import EmbeddedServer
from tests.old_data import old_system as old
from tests.old_data.old_system import STRIKE
from tests.old_data.test_import import Report, config_file, fields, imported

FILLS = [old.fill(1, "yes", 10, 0.60), old.fill(2, "yes", 5, 0.70)]
HEADER = "trade_id,ticker,order_id,side,action,count,yes_price,created_time"
ROW = f"f-1,{STRIKE},o-1,yes,buy,10,0.60,2025-08-20T17:45:00Z"
NO_ROWS = (
    f"CREATE TABLE users.fills_0001 (\n    {HEADER.replace(',', ' text,' + chr(10) + '    ')} text\n);\n"
)
BEGIN, END = "-- PostgreSQL database dump\n", "-- PostgreSQL database dump complete\n"


def kept(report: Report) -> int:
    return report["totals"]["fills"]


def why(report: Report) -> list[str]:
    return [each["why"] for each in report["refused"]]


def test_data_that_was_moved_behind_a_link_is_found_once(tmp_path: Path):
    old.recio_folder(tmp_path / "disk", fills=FILLS)
    root = tmp_path / "REC.IO"
    (root / "backend").mkdir(parents=True)
    (root / "backend" / "data").symlink_to(tmp_path / "disk" / "backend" / "data")
    (root / "up").symlink_to(root)
    report = imported(root)
    assert kept(report) == 2
    assert [each["kind"] for each in report["sources"]].count("fills") == 1


def test_a_link_up_does_not_lead_over_the_whole_disk(tmp_path: Path):
    (tmp_path / "stranger.db").write_bytes(b"junk")
    root = tmp_path / "REC.IO"
    old.recio_folder(root, fills=FILLS)
    (root / "home").symlink_to(tmp_path)
    assert imported(root)["refused"] == []


def test_a_link_to_a_part_of_the_data_hides_nothing_of_the_rest(tmp_path: Path):
    """As one that somebody made for convenience, whose name comes before that of the folder it leads into."""
    old.recio_folder(tmp_path, fills=FILLS, trades=[old.trade(1, "yes", 10, 0.6)])
    (tmp_path / "accounts").symlink_to(tmp_path / "backend" / "data" / "users" / "user_0001" / "accounts")
    kinds = [each["kind"] for each in imported(tmp_path)["sources"]]
    assert sorted(kinds) == ["fills", "orders", "settlements", "trades"]


def test_a_link_to_keys_is_passed_by(tmp_path: Path):
    keys = tmp_path / "credentials"
    keys.mkdir()
    (keys / "notes.csv").write_text(f"{HEADER}\n{ROW}\n")
    root = tmp_path / "REC.IO"
    old.recio_folder(root, fills=FILLS)
    (root / "backend" / "mine").symlink_to(keys)
    assert kept(imported(root)) == 2


def test_the_log_beside_a_file_is_read_through_a_link_as_well(tmp_path: Path):
    path = old.sqlite(tmp_path / "real.db", "fills", old.FILLS, [], wal=True)
    link = tmp_path / "prod" / "fills.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        old.add(writer, "fills", FILLS)
        writer.commit()
        assert kept(imported(link)) == 2


def test_a_folder_above_the_old_system_says_nothing_of_its_account(tmp_path: Path):
    root = tmp_path / "prod" / "REC.IO"
    rows = [old.trade(1, "yes", 10, 0.9, sell_price=1.0, fees=0.07, pnl=0.93)]
    old.recio_folder(root, mode="demo", trades=rows)
    assert imported(root, mode="demo")["totals"]["trades"] == 1
    file = Path("/x/prod/backend/accounts/kalshi/demo/fills.db")
    assert [folders.mode_of(file, given) for given in (file, file.parent, Path("/x"))] == ["demo"] * 3


def test_a_home_that_is_called_as_an_account_is_none(tmp_path: Path):
    home = tmp_path / "demo"
    exported = home / "exports/fills.csv"
    exported.parent.mkdir(parents=True)
    exported.write_text(f"{HEADER}\n{ROW}\n")
    assert kept(imported(exported)) == 1
    assert imported(home, code=65)["refused"] == []  # both accounts lie side by side: it is the other one's
    beside = home / "fills.csv"
    beside.write_text(f"{HEADER}\n{ROW}\n")
    assert "--mode demo" in why(imported(beside, code=65))[0]
    assert kept(imported(beside, mode="demo")) == 1


def test_an_export_without_its_last_line_break_counts_and_is_told_each_time(
    tmp_path: Path, database_dsn: str
):
    path, config = tmp_path / "fills.csv", config_file(tmp_path, database_dsn)
    whole = ["trade_id", "ticker", "order_id", "side", "action", "yes_price", "created_time", "count"]
    cells = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | {"count": "25"}
    path.write_text(f"{','.join(whole)}\n{','.join(cells[each] for each in whole)}")
    for _ in range(2):
        assert ("fills", "end of file") in fields(imported(path, options=("--config", str(config))))
    with path.open("a") as file:
        file.write("\n")
    assert ("fills", "end of file") not in fields(imported(path, options=("--config", str(config))))


def test_a_letter_that_is_no_utf_8_costs_no_row_of_an_export(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_bytes(f"{HEADER},note\n{ROW},S".encode() + b"\xe3o Paulo\n")
    assert kept(imported(path)) == 1


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_an_export_may_be_parted_by_other_characters(tmp_path: Path, delimiter: str):
    path = tmp_path / "fills.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n".replace(",", delimiter).encode())
    assert imported(path)["trades"][0]["entry_cost"] == "6.000000"


def test_an_export_may_end_with_lines_of_blanks(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_text(f"{HEADER}\n{ROW}\n\n  \n")
    assert kept(imported(path)) == 1


@pytest.mark.parametrize("name", ["x.csv.gz", "x.sql.gz", "x.csv", "x.sql"])
@pytest.mark.parametrize("damage", ["cut short", "cut within", "changed within"])
def test_a_damaged_packed_file_is_named_and_the_others_are_read(tmp_path: Path, name: str, damage: str):
    rows = "".join(f"{ROW.replace('f-1', f'f-{each}')}\n" for each in range(500))
    copied = rows.replace(",", "\t")
    dump = f"{BEGIN}{NO_ROWS}COPY users.fills_0001 ({HEADER}) FROM stdin;\n{copied}\\.\n{END}"
    whole = gzip.compress((f"{HEADER}\n{rows}" if "csv" in name else dump).encode())
    told = {
        "cut short": whole[:12],
        "cut within": whole[: len(whole) - 20],
        "changed within": whole[:40] + b"\0\xff" * 60 + whole[160:],
    }
    (tmp_path / name).write_bytes(told[damage])
    good = old.sqlite(tmp_path / "fills.db", "fills", old.FILLS, FILLS)
    report = imported(tmp_path / name, good)
    assert kept(report) == 2
    assert [each["path"] for each in report["refused"]] == [str(tmp_path / name)]


def test_a_broken_source_within_a_folder_is_named_and_a_strangers_file_is_not(tmp_path: Path):
    old.recio_folder(tmp_path, fills=FILLS)
    (tmp_path / "backup.dump").write_bytes(b"PGDMP\1\2\3")
    (tmp_path / "wide.sql").write_bytes(f"{BEGIN}{END}".encode("utf-16"))
    (tmp_path / "notes.csv").write_text("one,two\n1,2\n")
    (tmp_path / "._fills.db").write_bytes(b"\0\5\x16\7")
    report = imported(tmp_path)
    assert [Path(each["path"]).name for each in report["refused"]] == ["backup.dump", "wide.sql"]
    assert "pg_restore" in why(report)[0]
    assert "UTF-16" in why(report)[1]


@pytest.mark.parametrize("name", ["trades.csv", "rec_io.sql", "rec_io.pgsql"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \n", b"\0" * 9_000])
def test_an_export_that_came_to_nothing_is_named_within_a_folder_too(
    tmp_path: Path, name: str, content: bytes
):
    old.recio_folder(tmp_path, fills=FILLS)
    (tmp_path / name).write_bytes(content)
    report = imported(tmp_path)
    assert kept(report) == 2
    assert [Path(each["path"]).name for each in report["refused"]] == [name]
    assert "write it again" in why(report)[0]
    assert "write it again" in why(imported(tmp_path / name, code=65))[0]


@pytest.mark.parametrize("name", ["pipe.db", "pipe.csv", "pipe.sql", "pipe"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)
    assert "pipe" in why(imported(tmp_path / name, code=65))[0]


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO users.fills_0001 ({names}) OVERRIDING SYSTEM VALUE VALUES ({values});\n",
        "INSERT INTO users.fills_0001 VALUES ({values});\n",
        "INSERT INTO users.fills_0001 VALUES\n\t({values}),\n\t({other});\n",
    ],
)
def test_every_insert_of_pg_dump_is_read(tmp_path: Path, insert: str):
    values = ", ".join(f"'{each}'" for each in ROW.split(","))
    text = insert.format(names=HEADER, values=values, other=values.replace("f-1", "f;),(''2"))
    path = tmp_path / "dump.sql"
    path.write_text(f"{BEGIN}{NO_ROWS}{text}{END}")
    assert kept(imported(path)) == 1 + ("other" in insert)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users.fills_0001\n({names})\nVALUES({values});\n",
        "  insert into users.fills_0001 ({names})\n  values\n    ({values});\n",
        "INSERT INTO users.fills_0001 ({names}) VALUES ({values}) ON CONFLICT (trade_id) DO NOTHING;\n",
        "INSERT INTO users.fills_0001 VALUES ({values}); SELECT setval('fills_id_seq', 1);\n",
        "copy users.fills_0001\n({names})\nfrom stdin;\n{copied}\n\\.\n",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\nINSERT INTO log SELECT 1;\nEND $$;\n"
        "INSERT INTO users.fills_0001 VALUES ({values});\n",
        "CREATE TABLE users.fills_0001\n(\n{declared}\n);\nINSERT INTO users.fills_0001 VALUES ({values});\n",
    ],
)
def test_statements_as_other_programs_write_them_are_read(tmp_path: Path, statement: str):
    values = ", ".join(f"'{each}'" for each in ROW.split(","))
    declared = ",\n".join(f"{each} text" for each in HEADER.split(","))
    copied = ROW.replace(",", "\t")
    text = statement.format(names=HEADER, values=values, copied=copied, declared=declared)
    path = tmp_path / "dump.sql"
    path.write_text(f"{BEGIN}{'' if 'CREATE TABLE' in text else NO_ROWS}{text}{END}")
    report = imported(path)
    assert (kept(report), fields(report)) == (1, {(None, "row")})


@pytest.mark.parametrize("begins", [b"PGDMP\x01\x0e", b"toc.dat" + bytes(93)])
def test_a_dump_that_is_no_text_is_named_as_what_it_is(tmp_path: Path, begins: bytes):
    (tmp_path / "x.dump").write_bytes(begins + bytes(600))
    assert "pg_restore --file=dump.sql" in why(imported(tmp_path / "x.dump", code=65))[0]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users.fills_0001 SELECT * FROM elsewhere;\n",
        "INSERT INTO users.fills_0001 VALUES ({values}); INSERT INTO users.orders_0001 VALUES ({values});\n",
        "COPY users.fills_0001 ({names}) FROM stdin WITH (FORMAT csv);\n{row}\n\\.\n",
    ],
)
def test_a_statement_whose_rows_cannot_be_told_is_named_and_not_left_out(tmp_path: Path, statement: str):
    values = ", ".join(f"'{each}'" for each in ROW.split(","))
    path = tmp_path / "dump.sql"
    path.write_text(f"{BEGIN}{NO_ROWS}{statement.format(names=HEADER, values=values, row=ROW)}{END}")
    assert "pg_dump --file=dump.sql" in why(imported(path, code=65))[0]


def test_a_dump_of_a_whole_server_that_is_cut_in_its_second_database_is_truncated(tmp_path: Path):
    path = tmp_path / "all.sql"
    copied = f"COPY users.fills_0001 ({HEADER}) FROM stdin;\n{ROW.replace(',', chr(9))}\n\\.\n"
    path.write_text(f"{BEGIN}{END}{BEGIN}{NO_ROWS}{copied}")
    assert "truncated" in why(imported(path, code=65))[0]


def test_nothing_comes_of_a_source_whose_rows_say_nothing(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_text(f"{HEADER}\n{ROW.replace(STRIKE, '')}\n")
    assert imported(path, code=65)["disagreements"] != []


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:SECRET/x@127.0.0.1:1/db",
        "postgresql://u:12/SECRET@127.0.0.1:1/db",
        "postgresql://u:SECRET#x@127.0.0.1:1/db",
        "postgresql://u:SECRET[x@127.0.0.1:1/db",
        "postgresql://u:SECRET@127.0.0.1:99999/db",
        "postgresql://u:SECRET@127.0.0.1:1,127.0.0.1:2/db",
        "postgresql://127.0.0.1:1/db?user=u&password=x@SECRET",
        "POSTGRESQL://u:SECRET@127.0.0.1:1/db",
        "postgresql+psycopg2://u:SECRET@127.0.0.1:1/db",
        "host=127.0.0.1 dbname=db user=u password=SECRET",
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
):
    good = old.sqlite(tmp_path / "fills.db", "fills", old.FILLS, FILLS)
    report = imported(address, good)
    assert kept(report) == 2
    assert len(report["refused"]) == 1
    assert "SECRET" not in json.dumps(report) + "".join(capsys.readouterr())


@pytest.mark.parametrize("user", ["0001", "0002"])
def test_accounts_of_two_users_are_never_summed(tmp_path: Path, user: str):
    for number, count in (("0001", 10), ("0002", 30)):
        told = old.fill(int(number), "yes", count, 0.60)
        path = (
            tmp_path
            / "backend"
            / "data"
            / "users"
            / f"user_{number}"
            / "accounts"
            / "kalshi"
            / "prod"
            / "fills.db"
        )
        path.parent.mkdir(parents=True)
        old.sqlite(path, "fills", old.FILLS, [told])
    options = ("--dry-run", "--user", user) if user == "0002" else ("--dry-run",)
    report = imported(tmp_path, options=options)
    assert [each["quantity"] for each in report["trades"]] == ["10.00" if user == "0001" else "30.00"]
    assert [f"user {user}:" in said for said in why(report)] == [True]


def test_two_users_in_one_dump_are_told_apart_and_one_alone_needs_no_word(tmp_path: Path):
    def block(number: str) -> str:
        row = ROW.replace("f-1", f"f-{number}").replace(",", "\t")
        return f"COPY users.fills_{number} ({HEADER}) FROM stdin;\n{row}\n\\.\n"

    both, one = tmp_path / "both.sql", tmp_path / "one.sql"
    both.write_text(BEGIN + block("0002") + block("0003") + END)
    one.write_text(BEGIN + block("0003") + END)
    assert (kept(imported(both)), len(imported(both)["refused"])) == (1, 1)
    assert (kept(imported(one)), imported(one)["refused"]) == (1, [])


@pytest.mark.parametrize("options", [("--mode", "live"), (), ("--mode", "prod", "--config", "/nowhere.toml")])
def test_json_is_one_object_whatever_happens(
    tmp_path: Path, options: Sequence[str], capsys: pytest.CaptureFixture[str]
):
    parser = argparse.ArgumentParser()
    import_old.add_options("import", parser)
    with pytest.raises(BadConfig) as refused:
        import_old.run(parser.parse_args(["postgresql://u:SECRET@h/db", "--json", *options]))
    said = capsys.readouterr().out
    assert json.loads(said)["refused"] == [{"path": "postgresql://h/db", "why": str(refused.value)}]
    assert "SECRET" not in said


def test_two_tickets_of_one_second_are_two_trades_and_a_row_that_is_there_twice_is_one(tmp_path: Path):
    first = old.trade(1, "yes", 10, 0.9, sell_price=1.0, fees=0.1, pnl=0.9)
    second = old.trade(2, "yes", 20, 0.9, sell_price=1.0, fees=0.2, pnl=1.8)
    rows = [first | {"ticket_id": "T-1"}, second | {"time": first["time"], "ticket_id": "T-2"}]
    rows += [first | {"id": 3, "ticket_id": "T-1"}]
    old.recio_folder(tmp_path, trades=rows)
    assert [each["quantity"] for each in imported(tmp_path)["trades"]] == ["10.00", "20.00"]


def test_a_long_ledger_of_single_inserts_is_read_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    looked = list[int]()

    def look(figures: parts.Figures) -> bool:
        looked.append(figures.told)
        return False

    monkeypatch.setattr(parts, "looks_rounded", look)
    rows = [old.trade(each, "yes", 10, 0.9, f"{STRIKE}-{each}", sell_price=1.0, pnl=1) for each in range(50)]
    path = tmp_path / "dump.sql"
    path.write_text(old.dumped({"users.trades_0001": (old.JUL_TRADES, rows)}, inserts=True))
    assert imported(path)["totals"]["trades"] == 50
    assert looked == [50]


OLD_TABLES = """
    CREATE SCHEMA users;
    CREATE TABLE users.fills_0001 (trade_id text, ticker text, order_id text, side text, action text, count integer,
        yes_price real, no_price real, created_time text);
    CREATE VIEW users.fills_view AS SELECT * FROM users.fills_0001;
    CREATE TABLE users."Orders_0001" ("Order_ID" text, ticker text, side text, action text, fill_count integer,
        taker_fees integer, taker_fill_cost integer, created_time text) PARTITION BY LIST (side);
    CREATE TABLE users.orders_yes PARTITION OF users."Orders_0001" FOR VALUES IN ('yes');
    CREATE TABLE users.settlements_0001 (ticker text, market_result text, settled_time text);
"""


async def _asked(connection: asyncpg.Connection[Any], name: str) -> None:
    await connection.execute(OLD_TABLES)
    await connection.execute(
        "INSERT INTO users.fills_0001 VALUES ('f-1', $1, 'o-1', 'yes', 'buy', 10, 0.6, 0.4, '2025-08-20T17:45:00Z')",
        name,
    )
    await connection.execute(
        "INSERT INTO users.\"Orders_0001\" VALUES ('o-1', $1, 'yes', 'buy', 10, 7, 600, '2025-08-20T17:45:00Z')",
        name,
    )


async def test_a_server_with_views_and_parts_and_a_locked_table_gives_all_it_can(
    database_dsn: str, tmp_path: Path
):
    owner = await asyncpg.connect(database_dsn)
    await _asked(owner, STRIKE)
    async with owner.transaction():
        await owner.execute("LOCK users.settlements_0001 IN ACCESS EXCLUSIVE MODE")
        tables, refused = await old_server.fetched(database_dsn, tmp_path)
    await owner.close()
    assert {each.name: len(list(each.rows(None))) for each in tables if "users." in each.name} == {
        "users.Orders_0001".lower(): 1,
        "users.fills_0001": 1,
    }
    assert [(path.rsplit(" ", 1)[1], "locked" in said) for path, said in refused] == [
        ("(users.settlements_0001)", True)
    ]


async def test_a_table_that_this_user_may_not_read_is_named(
    database_dsn: str, postgres: EmbeddedServer, tmp_path: Path
):
    owner = await asyncpg.connect(database_dsn)
    await _asked(owner, STRIKE)
    await owner.execute(
        "CREATE ROLE old_reader LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA users TO old_reader"
    )
    await owner.execute("GRANT SELECT ON users.fills_0001 TO old_reader")
    try:
        dsn = database_dsn.replace("user=recio&", "user=old_reader&")
        tables, refused = await old_server.fetched(dsn, tmp_path)
    finally:
        await owner.execute("DROP OWNED BY old_reader; DROP ROLE old_reader")
        await owner.close()
    assert "users.fills_0001" in {each.name for each in tables}
    assert all("GRANT SELECT" in said for _, said in refused)
    assert {path.rsplit(" ", 1)[1] for path, _ in refused} >= {"(users.settlements_0001)"}


def test_the_text_of_an_sqlite_dump_is_named_as_what_it_is(tmp_path: Path):
    source = old.sqlite(tmp_path / "fills.db", "fills", old.FILLS, FILLS)
    with closing(sqlite3.connect(source)) as connection:
        (tmp_path / "fills.sql").write_text("\n".join(["PRAGMA foreign_keys=OFF;", *connection.iterdump()]))
        (tmp_path / "python.sql").write_text("\n".join(connection.iterdump()))
    for name in ("fills.sql", "python.sql"):
        assert "SQLite" in why(imported(tmp_path / name, code=65))[0]


def test_an_unknown_option_is_wrong_use(tmp_path: Path):
    for options in (["--mode", "prod", "--dryrun"], ["--mode"]):
        done = subprocess.run(
            [sys.executable, "-m", "recio", "import", str(tmp_path), *options],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 78, done.stderr


def test_a_second_users_account_is_kept_out_of_the_first_ones_history(tmp_path: Path, database_dsn: str):
    for number in ("0001", "0002"):
        path = tmp_path / f"backend/data/users/user_{number}/accounts/kalshi/prod/fills.db"
        old.sqlite(path, "fills", old.FILLS, [old.fill(int(number), "yes", 10, 0.60)])
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first = imported(tmp_path / "backend/data/users/user_0001", options=options)
    with pytest.raises(BadConfig, match="user 0001"):
        imported(tmp_path, options=(*options, "--user", "0002"), code=78)
    later = imported(tmp_path / "backend/data/users/user_0002", options=options, code=65)
    assert "user 0002" in why(later)[0]
    assert later["trades"] == first["trades"]
    assert [each["quantity"] for each in later["trades"]] == ["10.00"]


def test_a_dry_run_with_a_config_counts_what_an_import_would_add_and_adds_nothing(
    tmp_path: Path, database_dsn: str
):
    source = old.sqlite(tmp_path / "fills.db", "fills", old.FILLS, FILLS[:1])
    prices = old.prices(tmp_path / "btc_price_history.db", [("2025-08-20T13:00:00", 117500.25)])
    config = ("--config", str(config_file(tmp_path, database_dsn)))
    nothing = {"fills": 0, "orders": 0, "settlements": 0, "trades": 0, "prices": 0}
    imported(source, prices, options=config)
    assert imported(source, prices, options=(*config, "--dry-run"))["imported"] == nothing
    with closing(sqlite3.connect(source)) as writer:
        old.add(writer, "fills", FILLS[1:])
    old.prices_add(prices, [("2025-08-20T13:00:01", 117500.5)])
    for _ in range(2):
        report = imported(source, prices, options=(*config, "--dry-run"))
        assert report["imported"] == nothing | {"fills": 1, "trades": 2, "prices": 1}
        assert (report["dry_run"], report["compared"]) == (True, True)
    assert not imported(source, prices, options=("--dry-run",))["compared"]
    assert imported(source, prices, options=config)["imported"]["fills"] == 1


def test_a_text_that_is_no_utf_8_costs_no_other_row_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_files, "BATCH", 3)
    fills = [old.fill(each, "yes", 1, 0.5) for each in range(10)]
    file = old.sqlite(tmp_path / "fills.db", "fills", old.FILLS, fills)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("UPDATE fills SET order_id = CAST(x'ff41' AS TEXT) WHERE trade_id = 'fill-7'")
        writer.commit()
    with sqlite_files.opened(file) as connection:
        (table,) = sqlite_files.tables_of(file, connection, None)
        rows = [dict(zip(table.names, row, strict=True)) for row in table.rows(None)]
    assert [row["trade_id"] for row in rows] == [f"fill-{each}" for each in range(10)]
    assert rows[7]["order_id"] == "\ufffdA"
