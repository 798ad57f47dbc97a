"""One offending line per wall and contract, and what has to be said about it; nothing here is run."""

from __future__ import annotations

from typing import NamedTuple


class Breach(NamedTuple):
    """An offending line; where it goes in the copy, and what must be said about it."""

    wall: str
    path: str
    line: str
    says: tuple[str, ...]
    """Path, limit and remedy."""
    instead_of: str = ""
    """Text of the file that the line takes the place of; without it the line goes to the end of the file."""


IN_RULES = "recio/rules/account/offends.py"
LONG_FUNCTION = "def offends() -> None:\n" + "    print()\n" * 61

BREACHES = (
    Breach(
        "every file begins by saying what it is for",
        "recio/offends.py",
        "X = 1",
        ("recio/offends.py: ", "at least 16", "begin the file with one sentence"),
    ),
    Breach(
        "no file is called a drawer for anything",
        "recio/kalshi/order_utils.py",
        '"""Whatever comes to mind about orders."""',
        ("recio/kalshi/order_utils.py: ", "fits any content", "the one thing that it does"),
    ),
    Breach(
        "files stay small",
        "recio/offends.py",
        "X = 1\n" * 400 + "X = 1",
        ("recio/offends.py: ", "401 lines, limit 400", "split it by subject"),
    ),
    Breach(
        "functions stay small",
        "recio/offends.py",
        LONG_FUNCTION,
        ("recio/offends.py:1: ", "61 lines, limit 60", "each step"),
    ),
    Breach(
        "inheritance is for exceptions, data and protocols only",
        "recio/offends.py",
        "class Faster(Executor): ...",
        ("recio/offends.py:1: ", "inherits Executor; only exceptions", "in a field"),
    ),
    Breach(
        "mocks stay rare",
        "tests/test_offends.py",
        ("Magic" + "Mock()\n") * 3,
        ("tests/: ", "limit 3 in a thousand", "the real thing"),
    ),
    Breach(
        "rules and the exchange simulator know only what is named",
        IN_RULES,
        "from recio.recording import segments",
        (IN_RULES, "imports recio.recording.segments; recio/rules may know recio.messages", "as an argument"),
    ),
    Breach(
        "rules and the exchange simulator know only what is named",
        "recio/exchange_sim/offends.py",
        "def late():\n    from recio.model import fit",
        ("recio/exchange_sim/offends.py", "imports recio.model.fit; recio/exchange_sim may know", "socket"),
    ),
    Breach(
        "rules use pure libraries only",
        IN_RULES,
        "import random",
        (IN_RULES, "imports random; rules may know only", "as an argument"),
    ),
    Breach(
        "rules neither wait nor look at a clock",
        IN_RULES,
        "AT = datetime.now(UTC)",
        (f"{IN_RULES}:1", "datetime.now; rules neither wait nor", "as an argument"),
    ),
    Breach(
        "rules neither wait nor look at a clock",
        IN_RULES,
        "async def offends() -> None: ...",
        (f"{IN_RULES}:1", "it waits; rules neither wait nor", "as an argument"),
    ),
    Breach(
        "rules neither wait nor look at a clock",
        IN_RULES,
        "from datetime import datetime as moment\nAT = moment.now(UTC)",
        (f"{IN_RULES}:2", "moment.now; rules neither wait nor", "as an argument"),
    ),
    Breach(
        "rules neither wait nor look at a clock",
        IN_RULES,
        'SAID = open("/etc/hostname").read()',
        (f"{IN_RULES}:1", "open; rules neither wait nor look at a clock, a file", "as an argument"),
    ),
    Breach(
        "money rooms never parse a float",
        "recio/tasks/offends.py",
        'DOLLARS = float("0.07")',
        ("recio/tasks/offends.py:", "no float() in db, kalshi, rules, tasks", "integers of recio/units.py"),
    ),
    Breach(
        "money rooms never parse a float",
        "recio/tasks/offends.py",
        'DOLLARS = list(map(float, ["0.07"]))',
        ("recio/tasks/offends.py:1", "map(float", "integers of recio/units.py"),
    ),
    Breach(
        "money rooms never parse a float",
        "recio/tasks/offends.py",
        "DOLLARS = Decimal(0.07)",
        ("recio/tasks/offends.py:1", "Decimal(0.07)", "integers of recio/units.py"),
    ),
    Breach(
        "SQL lives in the database room only",
        "recio/web/offends.py",
        '_ALL = "SELECT trade_id FROM trades"',
        ("recio/web/offends.py:1: ", "SQL lives in recio/db only", "a function in recio/db"),
    ),
    Breach(
        "SQL lives in the database room only",
        "recio/commands/offends.py",
        "async def late(connection, said):\n    await connection.execute(said)",
        ("recio/commands/offends.py:2: ", "connection.execute", "a function in recio/db"),
    ),
    Breach(
        "only commands know the exchange simulator",
        "recio/kalshi/offends.py",
        'SIM = import_module("recio.exchange_sim.server")',
        ("recio/kalshi/offends.py: ", "only recio/commands knows it", "HTTP and sockets"),
    ),
    Breach(
        "one file of tasks is one task",
        "recio/tasks/offends.py",
        "CENTS = 100",
        ("recio/tasks/offends.py: ", "0 classes with a method run, limit exactly 1", "one task"),
    ),
    Breach(
        "no task reaches another by way of their room",
        "recio/tasks/offends.py",
        "from recio import tasks\nOTHER = tasks.entry",
        ("recio/tasks/offends.py: ", "imports recio.tasks as a whole", "over a wire"),
    ),
    Breach(
        "nothing is reached past the walls",
        "recio/tasks/offends.py",
        'import importlib\nOTHER = importlib.import_module("recio.tasks.entry")',
        ("recio/tasks/offends.py:2: ", "uses importlib.import_module; only recio/cli.py", "by its name"),
    ),
    Breach(
        "nothing is reached past the walls",
        "recio/web/offends.py",
        '__import__("recio.tasks.entry")',
        ("recio/web/offends.py:1: ", "uses __import__; only nobody may", "by its name"),
    ),
    Breach(
        "nothing is reached past the walls",
        "recio/web/offends.py",
        "import sys\nGIVEN = sys.argv[1:]",
        ("recio/web/offends.py:2: ", "uses sys.argv; only recio/cli.py", "as an argument"),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/tasks/offends.py",
        "from recio.wires import Sends\nclass Offends:\n    close_intents: Sends[CloseIntent]",
        ("recio/tasks/offends.py: ", "offends writes close_intents; WRITERS says exit", "declared writer"),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/web/offends.py",
        "def late(wires: Wires) -> None:\n    wires.controls.set(TradingControls())",
        (
            "recio/web/offends.py:2: ",
            "offends writes controls; WRITERS says failure_detector",
            "wire of its",
        ),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/daemon/offends.py",
        "from functools import partial\nfrom recio.wires import Sends, Wires\n"
        "async def late(anything: Sends[OpenIntent]) -> None: ...\n"
        "partial(late, Wires().open_intents)",
        ("recio/daemon/offends.py: ", "offends writes open_intents; WRITERS says entry", "declared writer"),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/web/offends.py",
        "def late(seen):\n    last = seen.controls\n    last.set(1)",
        ("recio/web/offends.py:3: ", "offends writes controls; WRITERS says failure_detector", "wire of its"),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/web/offends.py",
        "def late(seen):\n    return seen.controls.set",
        ("recio/web/offends.py:2: ", "offends writes controls; WRITERS says failure_detector", "wire of its"),
    ),
    Breach(
        "every wire is written by whom WRITERS declares",
        "recio/wires.py",
        '"board": "entry",',
        ("recio/wires.py: ", "entry writes board, and it never does", "take it out of WRITERS"),
        instead_of='"board": "market_sync",',
    ),
    Breach(
        "every writing end is the end of a wire",
        "recio/web/offends.py",
        "from recio.wires import Sends\nasync def ask(anything: Sends[HaltRequest]) -> None: ...",
        ("recio/web/offends.py: ", "which wire anything of recio.web.offends.ask writes", "after its wire"),
    ),
    Breach(
        "nobody asks for a whole wire",
        "recio/tasks/offends.py",
        "from recio.wires import Queue\nclass Offends:\n    orders: Queue[PlaceOrder]",
        ("recio/tasks/offends.py: ", "orders of recio.tasks.offends.Offends is a whole wire", "Reads"),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/tasks/offends.py",
        "from recio.db import trades\nasync def late(connection):\n    await trades.move(connection, 1, 2)",
        (
            "recio/tasks/offends.py: ",
            "can write table trades; schema.sql says its writer is trade_manager",
            "message",
        ),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/commands/offends.py",
        "import recio.db.general_ledger\nrecio.db.general_ledger.post_fill()",
        ("recio/commands/offends.py: ", "can write table postings; schema.sql says its writer is", "message"),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/tasks/offends.py",
        'TEXT = "COPY trades FROM STDIN"',
        (
            "recio/tasks/offends.py: ",
            "can write table trades; schema.sql says its writer is trade_manager",
            "message",
        ),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/tasks/offends.py",
        "TEXT = 'UPDATE public.\"trades\" SET state = 1'",
        (
            "recio/tasks/offends.py: ",
            "can write table trades; schema.sql says its writer is trade_manager",
            "message",
        ),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/tasks/offends.py",
        'TEXT = "UPDATE filled_trades SET state = 1"',
        (
            "recio/tasks/offends.py: ",
            "can write table filled_trades; schema.sql says its writer is nobody",
            "message",
        ),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "recio/tasks/offends.py",
        'async def late(connection):\n    await connection.copy_records_to_table("trades", records=[])',
        (
            "recio/tasks/offends.py: ",
            "can write table trades; schema.sql says its writer is trade_manager",
            "message",
        ),
    ),
    Breach(
        "every table that is written is named",
        "recio/db/offends.py",
        'def late(table: str) -> str:\n    return f"UPDATE {table} SET state = 1"',
        ("recio/db/offends.py:2: ", "put together at run time", "one statement for each table"),
    ),
    Breach(
        "every table that is written is named",
        "recio/db/offends.py",
        "async def late(connection, table):\n    await connection.copy_records_to_table(table, records=[])",
        ("recio/db/offends.py:2: ", "put together at run time", "one statement for each table"),
    ),
    Breach(
        "every table that is written is named",
        "schema.sql",
        "CREATE FUNCTION late(which text) RETURNS void LANGUAGE plpgsql AS $body$\n"
        "BEGIN EXECUTE format('UPDATE %I SET state = state', which); END $body$;",
        ("schema.sql: ", "function late puts a statement together", "name of its table in it"),
    ),
    Breach(
        "every table is written by whom schema.sql declares",
        "schema.sql",
        "-- Writer: shadow.",
        (
            "schema.sql: ",
            "says shadow writes table price_seconds, and recio.tasks.shadow never",
            "name the task",
        ),
        instead_of="-- Writer: price_feed.",
    ),
    Breach(
        "every table has one writer",
        "schema.sql",
        "CREATE TABLE IF NOT EXISTS offends (id bigint);",
        ("schema.sql: ", "table offends has no comment `-- Writer:`", "name its one writer"),
    ),
    Breach(
        "every table has one writer",
        "schema.sql",
        "-- Writer: discovery and entry.",
        ("schema.sql: ", "table markets has 2 writers (discovery and entry), limit 1", "TWO_WRITERS"),
        instead_of="-- Writer: discovery.",
    ),
    Breach(
        "everything is reached from a command",
        "recio/rules/account/exposure.py",
        "def offends() -> int:\n    return 1",
        ("recio/rules/account/exposure.py:", "no command reaches offends", "delete it"),
    ),
    Breach(
        "ARCHITECTURE.md names what there is",
        "recio/tasks/offends.py",
        "X = 1",
        ("recio/tasks/offends.py: ", "ARCHITECTURE.md does not name it", "what lives in `offends`"),
    ),
    Breach(
        "ARCHITECTURE.md names what there is",
        "ARCHITECTURE.md",
        "| `old_news/`",
        ("recio/old_data: ", "ARCHITECTURE.md does not name it", "what lives in `old_data`"),
        instead_of="| `old_data/`",
    ),
    Breach(
        "ARCHITECTURE.md tells the layers that are held",
        "ARCHITECTURE.md",
        "`cli` > `commands`, `score` > `daemon`",
        ("ARCHITECTURE.md: ", "says the layer commands, score; it is commands", "write it so"),
        instead_of="`cli` > `commands` > `score` > `daemon`",
    ),
    Breach(
        "layers",
        "recio/messages/offends.py",
        "from recio.tasks import entry",
        ("recio.messages.offends -> recio.tasks.entry", "rooms below its own only", "as an argument"),
    ),
    Breach(
        "layers",
        "recio/offends.py",
        "X = 1",
        ("offends", "every room stands in the list", "gets its line in pyproject.toml"),
    ),
    Breach(
        "tasks never import each other",
        "recio/tasks/offends.py",
        "from recio.tasks import entry",
        ("recio.tasks.offends -> recio.tasks.entry", "imports no other file of recio/tasks", "over a wire"),
    ),
    Breach(
        "commands never import each other",
        "recio/commands/tail.py",
        "from recio.commands import halts",
        ("recio.commands.tail -> recio.commands.halts", "imports no other command", "below recio/commands"),
    ),
    Breach(
        "commands never import each other",
        "recio/commands/offends.py",
        "X = 1",
        ("offends", "a new file stands in the list", "move what both need"),
    ),
    Breach(
        "rooms of the daemon",
        "recio/daemon/data_dir.py",
        "from recio.daemon import startup",
        ("recio.daemon.data_dir -> recio.daemon.startup", "files below its own only", "hand the thing in"),
    ),
    Breach(
        "rooms of the settings",
        "recio/settings/risk.py",
        "from recio.settings import config",
        ("recio.settings.risk -> recio.settings.config", "never the other way", "belongs to its section"),
    ),
    Breach(
        "rooms of the rules",
        "recio/rules/price/offends.py",
        "from recio.rules.decision import entry",
        (
            "recio.rules.price.offends -> recio.rules.decision.entry",
            "rooms below its own only",
            "as an argument",
        ),
    ),
    Breach(
        "no circles inside a room",
        "recio/kalshi/offends.py",
        "from recio.kalshi import offends_too",
        (".offends_too -> .offends", "in one direction only", "a file of its own below them"),
    ),
    Breach(
        "no circles inside a room",
        "recio/kalshi/offends_too.py",
        "from recio.kalshi import offends",
        ("No cycles are allowed in recio.kalshi", "in one direction only", "a file of its own below them"),
    ),
    Breach(
        "rules are pure",
        IN_RULES,
        "import threading",
        ("recio.rules.account.offends -> threading", "rules neither wait", "let the task do it"),
    ),
    Breach(
        "only the composition knows the tasks",
        "recio/daemon/watchdog.py",
        "from recio.tasks import entry",
        (
            "recio.daemon.watchdog -> recio.tasks.entry",
            "only recio/daemon/composition.py",
            "give the task a wire",
        ),
    ),
    Breach(
        "only commands start the exchange simulator",
        "recio/prices/offends.py",
        "from recio.exchange_sim import server",
        (
            "recio.prices.offends -> recio.exchange_sim.server",
            "only recio/commands imports",
            "HTTP and sockets",
        ),
    ),
    Breach(
        "nothing else parses arguments",
        "recio/web/offends.py",
        "import argparse",
        (
            "recio.web.offends -> argparse",
            "only recio/cli.py and recio/commands import argparse",
            "as an argument",
        ),
    ),
    Breach(
        "nothing else reads TOML",
        "recio/model/offends.py",
        "import tomllib",
        ("recio.model.offends -> tomllib", "only recio/settings imports tomllib", "add a key to a section"),
    ),
    Breach(
        "the exchange simulator imports nothing of recio's but itself",
        "recio/exchange_sim/engine/offends.py",
        "from recio.units import price",
        ("recio.exchange_sim.engine.offends", "recio.units", "a program of its own", "units of its own"),
    ),
    Breach(
        "the rooms of the exchange simulator",
        "recio/exchange_sim/engine/offends_too.py",
        "from recio.exchange_sim.market import series",
        (
            "recio.exchange_sim.engine.offends_too -> recio.exchange_sim.market.series",
            "look downwards only",
            "Protocol",
        ),
    ),
    Breach(
        "the interfaces of the exchange simulator",
        "recio/exchange_sim/wire/texts.py",
        "from recio.exchange_sim.wire.rest import routing",
        (
            "recio.exchange_sim.wire.texts -> recio.exchange_sim.wire.rest.routing",
            "look downwards only",
            "below both",
        ),
    ),
)
