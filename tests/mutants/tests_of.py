"""Which tests must notice a break of which module: near ones that take seconds, and for what they miss, those of the whole area."""

from __future__ import annotations

import re
from pathlib import Path

AREAS = {
    "rules": ("recio/rules/**/*.py",),
    "order path": (
        "recio/tasks/executor.py",
        "recio/tasks/trade_manager.py",
        "recio/tasks/exit.py",
        "recio/tasks/entry.py",
        "recio/db/orders.py",
        "recio/db/trades.py",
        "recio/db/trade_store.py",
        "recio/db/moves.py",
        "recio/db/held_rows.py",
    ),
}
"""What is broken, by the name of its area."""

_TASKS = "tests/tasks/test_order_path_tasks.py"
_ROWS = "tests/db/test_trade_store.py"
_STATEMENTS = "tests/db/test_order_statements.py"
_HELD = "tests/tasks/test_held_rows.py"
_PATH = {
    "executor": (_TASKS,),
    "trade_manager": (
        _TASKS,
        _HELD,
        "tests/tasks/test_sales_in_one_turn.py",
        "tests/tasks/test_settling_by_hand.py",
        "tests/tasks/test_facts_survive_the_database.py",
    ),
    "exit": (
        "tests/tasks/test_exit_task.py",
        "tests/db/test_rule_memories.py",
        "tests/tasks/test_sales_in_one_turn.py",
    ),
    "entry": (
        "tests/tasks/test_entry_task.py",
        "tests/tasks/test_requests_of_people.py",
        "tests/tasks/test_reasons_of_no_entry.py",
        "tests/db/test_rejection_rows.py",
        "tests/db/test_request_rows.py",
        "tests/db/test_rule_memories.py",
    ),
    "orders": (_STATEMENTS, _ROWS, _TASKS, "tests/db/test_settled_by_hand.py"),
    "trades": (_STATEMENTS, _ROWS, _HELD, "tests/db/test_losses_in_a_row.py"),
    "trade_store": (_ROWS, _TASKS, "tests/db/test_limits_of_the_database.py"),
    "moves": (_ROWS, _TASKS, "tests/db/test_losses_in_a_row.py"),
    "held_rows": (_STATEMENTS, _HELD, _ROWS, "tests/db/test_losses_in_a_row.py"),
}
"""Of the order path, by the name of the module."""
_RULES = {
    "manual_settlement": ("tests/rules/test_reconcile_rules.py", "tests/rules/test_cash_rules.py"),
    "exposure": ("tests/rules/test_risk_rules.py", "tests/rules/test_properties_of_trading.py"),
    "at_most": ("tests/test_cli.py", "tests/web/test_acts.py"),
    "backups": ("tests/rules/test_alert_rules.py", "tests/tasks/test_alerts_task.py"),
    "held": ("tests/db/test_trade_store.py", "tests/tasks/test_held_rows.py"),
    "losses": ("tests/db/test_losses_in_a_row.py",),
    "market_facts": ("tests/db/test_market_rows.py", "tests/db/test_trade_store.py"),
    "entry_gates": ("tests/rules/test_entry_rules.py", "tests/rules/test_spike_rules.py"),
    "exit_reasons": ("tests/rules/test_exit_rules.py", "tests/rules/test_properties_of_trading.py"),
    "guard": ("tests/rules/test_exit_rules.py", "tests/rules/test_condition_rules.py"),
    "intents": ("tests/rules/test_entry_rules.py", "tests/rules/test_sizing_rules.py"),
    "keeping_gates": ("tests/rules/test_entry_rules.py", "tests/rules/test_properties_of_trading.py"),
    "clock_offset": ("tests/kalshi/test_clock_offset.py",),
    "reasons_to_halt": ("tests/rules/test_condition_rules.py", "tests/tasks/test_halt_on_difference.py"),
    "stream_lag": ("tests/rules/test_condition_rules.py",),
    "taken": ("tests/paper/test_what_an_order_gets.py",),
    "index_prints": ("tests/rules/test_coin_price_rules.py", "tests/rules/test_closing_minute_rules.py"),
    "assessment": ("tests/rules/test_entry_rules.py", "tests/rules/test_money_rules.py"),
    "bounds": ("tests/rules/test_model_rules.py", "tests/rules/test_price_chain_properties.py"),
    "order_book": ("tests/rules/test_order_book_rules.py",),
    "quotes": ("tests/rules/test_entry_rules.py", "tests/rules/test_exit_rules.py"),
}
"""Rules that no test names: they are asked through others."""
SLOW = {
    "tests/rules/test_price_chain_properties.py": "test_the_bounds_hold_the_truth_as_often_as_they_say",
}
"""Tests that take too long for every break, and notice only those that others notice too."""
SCHEMA = (
    ("tests/db/test_constraints.py",),
    (
        "tests/db/test_cost_of_statements.py",
        "tests/db/test_locks_of_the_schema.py",
        "tests/db/test_trade_store.py",
    ),
)
"""The tests of the catalog, and those for what they miss: an index that is there for speed alone."""
FUNCTIONS = (
    ("tests/db/test_constraints.py", "tests/db/test_order_statements.py"),
    (
        "tests/db/test_general_ledger.py",
        "tests/db/test_limits_of_the_database.py",
        "tests/db/test_settled_by_hand.py",
        "tests/db/test_losses_in_a_row.py",
    ),
    ("tests/db/test_trade_store.py", "tests/db/test_audit_trail.py", "tests/tasks/test_order_path_tasks.py"),
)
"""For what the schema's functions do inside: the quickest tests first."""
FAR_RULES = ("tests/rules", "tests/paper", "tests/score/test_scoring_rules.py", "tests/alerting")


def near(root: Path, file: str) -> list[str]:
    """Tests that name the module, those that name it most first; of the order path its own."""
    if not file.startswith("recio/rules/"):
        return list(_PATH[Path(file).stem])
    module = file.removesuffix(".py").replace("/", ".")
    package, name = module.rsplit(".", 1)
    named = re.compile(rf"{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b")
    found = [
        (each, len(named.findall(each.read_text(encoding="utf-8"))))
        for each in sorted((root / "tests/rules").glob("test_*.py"))
    ]
    own = sorted((each for each in found if each[1]), key=lambda each: (name not in each[0].name, -each[1]))
    others = [each for each in _RULES.get(name, ()) if (root / each).exists()]
    return list(dict.fromkeys([*(str(each.relative_to(root)) for each, _ in own), *others]))


def far(file: str) -> list[str]:
    """Tests of the whole area, for what the near ones missed."""
    return list(FAR_RULES) if file.startswith("recio/rules/") else ["tests/db", "tests/tasks"]
