"""One good row of every table, and for each constraint a change of it that this constraint alone refuses.

`test_constraints.py` reads the catalog and wants a breach here for every constraint, and a constraint there for every breach.
"""

from __future__ import annotations

from typing import Any

T = "2026-11-23T12:00:00Z"
LATER = "2026-11-23T12:15:00Z"
TICKER = "KXBTC15M-26NOV231215-T118249.99"
EVENT = "KXBTC15M-26NOV231215"
Row = dict[str, Any]

ENDED: Row = {"state": "closed", "closed_at": LATER, "ended_by": "exit"}
SETTLED: Row = {**ENDED, "ended_by": "settlement"}
_OLD: Row = {"mode": "prod", "ticker": TICKER}

GOOD: dict[str, Row] = {
    "identity": {
        "only_row": True, "mode": "live", "environment": "prod", "account": "a", "tag": "abcd1234", "created_at": T,
    },
    "runs": {"fencing": 1, "version": "0", "pid": 1, "started_at": T, "settings": {}},
    "markets": {
        "ticker": TICKER, "event_ticker": EVENT, "series_ticker": "KXBTC15M", "strike_type": "greater",
        "floor_strike": 1, "cap_strike": 2, "open_time": T, "close_time": LATER, "status": "active",
        "rules_primary": "", "rules_secondary": "", "fee_multiplier": 1, "untradable": "", "first_seen": T, "last_seen": T,
    },
    "price_seconds": {"symbol": "BTC", "second": 1, "price": 1},
    "trades": {
        "trade_id": 1, "strategy": "average", "ticker": TICKER, "event_ticker": EVENT, "exchange_index": 0, "side": "yes",
        "state": "opening", "opened_at": T, "closes_at": LATER, "closed_at": None, "ended_by": None, "payout": 0, "why": "",
        "inputs": {}, "entry_quantity": 0, "entry_cost": 0, "exit_quantity": 0, "exit_proceeds": 0, "fees": 0, "exits_met": 0,
    },
    "orders": {
        "client_order_id": "o1", "trade_id": 1, "purpose": "entry", "attempt": 1, "ticker": TICKER, "exchange_index": 0,
        "book_side": "bid", "price": 0.5, "quantity": 10, "filled": 0, "reserved": 5, "ask": 0.5, "model_value": 0.6,
        "state": "pending", "venue_order_id": None, "fencing": 1, "created_at": T, "ended_at": None, "note": "", "by_fills": 0,
    },
    "fills": {
        "fill_id": "f1", "venue_order_id": "v1", "ticker": TICKER, "book_side": "bid", "price": 0.5, "quantity": 10,
        "fee": 0.1, "is_taker": True, "at": T,
    },
    "settlements": {
        "ticker": TICKER, "result": "yes", "value": 1, "settled_at": LATER, "revenue_cents": 1000, "revision": 1,
    },
    "halts": {
        "halt_id": 1, "level": "halt", "cause": "c", "since": T, "set_by": "me", "resolution": "r", "cleared_at": None,
        "cleared_by": None, "set_at": T, "after_trade": 1,
    },
    "halt_verifications": {"halt_id": 1, "cancelled": 0, "verified_at": T, "flat_at": T},
    "order_groups": {"group_id": "g", "exchange_index": 0, "made_at": T, "gone_at": None},
    "opening_balances": {
        "opening_balance_id": 1, "at": T, "venue_balance": 1, "ledger_cash": 1, "halts_before": 0,
    },
    "switches": {"switch_id": 1, "name": "entry", "is_on": True, "at": T, "set_by": "me", "why": ""},
    "audit_log": {
        "seq": 1, "at": T, "kind": "k", "trade_id": 1, "client_order_id": "o1", "detail": {}, "seal": "\\x00",
    },
    "day_figures": {"day": "2026-11-23", "realised": 0, "fees": 0, "wins": 0, "losses": 0},
    "event_entries": {"event_ticker": EVENT, "closes_at": LATER, "entries": 0},
    "market_entries": {"ticker": TICKER, "closes_at": LATER, "entries": 0, "last_entry_at": T},
    "loss_run": {"trade_id": 1, "closed_at": T, "lost": False},
    "rejections": {
        "event_ticker": EVENT, "strategy": "average", "gate": "g", "cycles": 1, "first_at": T, "last_at": T, "sentence": "",
    },
    "momentum_pauses": {"strategy": "average", "symbol": "BTC", "minute": 1, "peak": 1, "calm": 0},
    "exit_memories": {"trade_id": 1, "memory": {}},
    "trade_requests": {
        "request_id": 1, "ticker": TICKER, "side": "yes", "quantity": 1, "price": 0.5, "asked_by": "me", "why": "",
        "asked_at": T, "expires_at": LATER, "guard": "exit", "stop_price": None, "take_profit": None,
    },
    "trade_answers": {"request_id": 1, "accepted": True, "sentence": "", "answered_at": T},
    "trade_closes": {"trade_id": 1, "floor": 0.5, "asked_by": "me", "why": "", "asked_at": T},
    "paper_trades": {
        "paper_trade_id": 1, "strategy": "average", "ticker": TICKER, "event_ticker": EVENT, "side": "yes", "quantity": 10,
        "cost": 5, "fees": 0.1, "probability": 0.6, "why": "", "decided_at": T, "closes_at": LATER, "result": None,
        "settled_at": None, "sold": 0, "proceeds": 0, "sold_at": None, "exit_orders_at": [],
    },
    "empirical_models": {
        "model_id": 1, "symbol": "BTC", "digest": "a" * 64, "built_at": T, "candles_from": T, "candles_to": LATER,
        "minutes": 1, "parameters": {},
    },
    "empirical_buckets": {"model_id": 1, "bucket": 0, "samples": 0, "up": [0] * 2460, "down": [1] * 2460},
    "risk_limits": {"fencing": 1, "name": "max_open_trades", "amount": 1},
    "limit_grants": {"grant_id": 1, "name": "n", "amount": 1, "granted_by": "me", "at": T, "after_run": 1},
    "ledger_transactions": {
        "transaction_id": 1, "at": T, "kind": "fill", "ticker": TICKER, "fill_id": "f1", "settled_ticker": None,
        "revision": None,
    },
    "postings": {"transaction_id": 1, "account": "cash", "amount": 1},
    "ledger_balances": {"account": "cash", "amount": 1},
    "market_positions": {"ticker": TICKER, "yes": 1, "no": 0, "cost": 1},
    "imported_fills": {
        **_OLD, "fill_id": "f", "order_id": "o", "side": "yes", "action": "buy", "quantity": 1, "price": 0.5, "fee": 0,
        "at": T, "doubtful": False, "trust": 3,
    },
    "imported_orders": {
        **_OLD, "order_id": "o", "side": "yes", "action": "buy", "status": "s", "filled": 1, "cost": 1, "fees": 0, "at": T,
        "trust": 3,
    },
    "imported_settlements": {
        **_OLD, "settled_at": T, "result": "yes", "yes_quantity": 1, "yes_cost": 1, "no_quantity": 0, "no_cost": 0,
        "revenue": 1, "fees": 0, "value": 1, "trust": 3,
    },
    "imported_ledger_rows": {
        **_OLD, "key": "k", "old_row": "trades 1", "side": "yes", "status": "s", "quantity": 1, "buy_price": 0.5,
        "sell_price": 0.6, "fees": 0, "pnl": 0.1, "win_loss": "W", "opened_at": T, "closed_at": LATER, "doubtful": False,
        "strategy": "", "entry_method": "", "close_method": "", "is_test": False, "has_fees": True, "whole": True,
        "original": "{}",
    },
    "imported_trades": {
        **_OLD, "number": 1, "side": "yes", "source": "fills", "quantity": 1, "entry_cost": 1, "exit_proceeds": 2,
        "payout": 0, "fees": 0, "net_pnl": 1, "opened_at": T, "closed_at": LATER, "doubtful": False, "ledger_key": None,
        "disagreements": [],
    },
    "imported_prices": {"symbol": "BTC", "second": 1, "price": 1, "doubtful": False},
    "imported_settings": {"mode": "prod", "name": "n", "value": "v"},
    "imported_sources": {"mode": "prod", "path": "p", "table_name": "t", "stamp": "s", "rows": 1, "newest": None},
    "audit_checkpoints": {"seq": 1, "seal": "\\x00", "at": T},
    "backups": {
        "backup_id": 1, "kind": "base", "place": "p", "started_at": T, "finished_at": T, "bytes": 1, "error": "",
    },
    "drills": {"drill_id": 1, "place": "p", "at": T, "rto_seconds": 1, "rpo_seconds": 1, "error": ""},
    "restores": {
        "restore_id": 1, "place": "p", "target": None, "newest_at": T, "restored_at": T, "old_tag": "a", "new_tag": "b",
    },
    "schema_migrations": {"version": 99, "name": "n", "applied_at": T},
}  # fmt: skip
"""By table, a row that every constraint lets in once the rows that it refers to are there."""

CHECKS: dict[str, tuple[str, Row]] = {
    "identity_account_check": ("identity", {"account": ""}),
    "identity_environment_check": ("identity", {"environment": "odd"}),
    "identity_mode_check": ("identity", {"mode": "odd"}),
    "identity_only_row_check": ("identity", {"only_row": False}),
    "identity_tag_check": ("identity", {"tag": "ABCD1234"}),
    "runs_settings_check": ("runs", {"settings": []}),
    "price_seconds_price_check": ("price_seconds", {"price": 0}),
    "trades_check": ("trades", {**ENDED, "closed_at": None}),
    "trades_check1": ("trades", {**ENDED, "ended_by": None}),
    "trades_check2": ("trades", {**ENDED, "payout": 1}),
    "trades_ended_by_check": ("trades", {**ENDED, "ended_by": "odd"}),
    "trades_payout_check": ("trades", {**SETTLED, "payout": -1}),
    "trades_side_check": ("trades", {"side": "odd"}),
    "trades_state_check": ("trades", {"state": "odd"}),
    "orders_ask_check": ("orders", {"ask": 1}),
    "orders_attempt_check": ("orders", {"attempt": 0}),
    "orders_book_side_check": ("orders", {"book_side": "odd"}),
    "orders_by_fills_check": ("orders", {"by_fills": -1}),
    "orders_check": ("orders", {"filled": 11}),
    "orders_check1": ("orders", {"state": "rejected"}),
    "orders_check2": ("orders", {"state": "resting"}),
    "orders_check3": ("orders", {"state": "rejected", "ended_at": T, "filled": 1}),
    "orders_client_order_id_check": ("orders", {"client_order_id": "o" * 65}),
    "orders_model_value_check": ("orders", {"model_value": 1.1}),
    "orders_price_check": ("orders", {"price": 1}),
    "orders_purpose_check": ("orders", {"purpose": "odd"}),
    "orders_quantity_check": ("orders", {"quantity": 0}),
    "orders_reserved_check": ("orders", {"reserved": -1}),
    "orders_state_check": ("orders", {"state": "odd"}),
    "fills_book_side_check": ("fills", {"book_side": "odd"}),
    "fills_price_check": ("fills", {"price": 0}),
    "fills_quantity_check": ("fills", {"quantity": 0}),
    "settlements_result_check": ("settlements", {"result": "odd"}),
    "settlements_revision_check": ("settlements", {"revision": 0}),
    "settlements_value_check": ("settlements", {"result": "scalar", "value": 1.5}),
    "settlements_value_of_result": ("settlements", {"result": "no"}),
    "halts_check": ("halts", {"cleared_at": T}),
    "halts_level_check": ("halts", {"level": "odd"}),
    "halt_verifications_cancelled_check": ("halt_verifications", {"cancelled": -1}),
    "switches_name_check": ("switches", {"name": "odd"}),
    "switches_set_by_check": ("switches", {"set_by": ""}),
    "event_entries_entries_check": ("event_entries", {"entries": -1}),
    "market_entries_entries_check": ("market_entries", {"entries": -1}),
    "rejections_check": ("rejections", {"first_at": LATER}),
    "rejections_cycles_check": ("rejections", {"cycles": 0}),
    "rejections_gate_check": ("rejections", {"gate": ""}),
    "momentum_pauses_calm_check": ("momentum_pauses", {"calm": -1}),
    "momentum_pauses_minute_check": ("momentum_pauses", {"minute": 0}),
    "momentum_pauses_peak_check": ("momentum_pauses", {"peak": -1}),
    "exit_memories_memory_check": ("exit_memories", {"memory": []}),
    "trade_requests_asked_by_check": ("trade_requests", {"asked_by": ""}),
    "trade_requests_check": ("trade_requests", {"expires_at": T}),
    "trade_requests_check1": ("trade_requests", {"stop_price": 0.1}),
    "trade_requests_guard_check": ("trade_requests", {"guard": "odd"}),
    "trade_requests_price_check": ("trade_requests", {"price": 1}),
    "trade_requests_quantity_check": ("trade_requests", {"quantity": 0}),
    "trade_requests_side_check": ("trade_requests", {"side": "odd"}),
    "trade_requests_stop_price_check": ("trade_requests", {"guard": "own", "stop_price": 0}),
    "trade_requests_take_profit_check": ("trade_requests", {"guard": "own", "take_profit": 1}),
    "trade_requests_ticker_check": ("trade_requests", {"ticker": ""}),
    "trade_closes_asked_by_check": ("trade_closes", {"asked_by": ""}),
    "trade_closes_floor_check": ("trade_closes", {"floor": 0}),
    "paper_trades_check": ("paper_trades", {"closes_at": T}),
    "paper_trades_check1": ("paper_trades", {"result": "yes"}),
    "paper_trades_check2": ("paper_trades", {"quantity": 0}),
    "paper_trades_cost_check": ("paper_trades", {"cost": -1}),
    "paper_trades_fees_check": ("paper_trades", {"fees": -1}),
    "paper_trades_probability_check": ("paper_trades", {"probability": 1.1}),
    "paper_trades_quantity_check": ("paper_trades", {"quantity": -1, "cost": 0, "fees": 0}),
    "paper_trades_result_check": ("paper_trades", {"result": "odd", "settled_at": T}),
    "paper_trades_side_check": ("paper_trades", {"side": "odd"}),
    "paper_trades_sold": ("paper_trades", {"sold": 11}),
    "paper_trades_sold_out": ("paper_trades", {"sold_at": T}),
    "paper_trades_strategy_check": ("paper_trades", {"strategy": ""}),
    "empirical_models_check": ("empirical_models", {"candles_to": T}),
    "empirical_models_digest_check": ("empirical_models", {"digest": "A" * 64}),
    "empirical_models_minutes_check": ("empirical_models", {"minutes": 0}),
    "empirical_models_symbol_check": ("empirical_models", {"symbol": ""}),
    "empirical_buckets_bucket_check": ("empirical_buckets", {"bucket": 31}),
    "empirical_buckets_down_check": ("empirical_buckets", {"down": [1.1] * 2460}),
    "empirical_buckets_samples_check": ("empirical_buckets", {"samples": -1}),
    "empirical_buckets_up_check": ("empirical_buckets", {"up": [0] * 2459}),
    "risk_limits_amount_check": ("risk_limits", {"amount": -1}),
    "risk_limits_name_check": ("risk_limits", {"name": "odd"}),
    "limit_grants_amount_check": ("limit_grants", {"amount": -1}),
    "limit_grants_granted_by_check": ("limit_grants", {"granted_by": ""}),
    "ledger_transactions_check": ("ledger_transactions", {"fill_id": None}),
    "ledger_transactions_check1": ("ledger_transactions", {"settled_ticker": TICKER}),
    "ledger_transactions_check2": (
        "ledger_transactions",
        {"kind": "settlement", "fill_id": None, "settled_ticker": TICKER, "ticker": "another"},
    ),
    "ledger_transactions_kind_check": ("ledger_transactions", {"kind": "odd", "fill_id": None}),
    "ledger_transactions_revision": ("ledger_transactions", {"revision": 2}),
    "postings_account_check": ("postings", {"account": "odd"}),
    "imported_fills_action_check": ("imported_fills", {"action": "odd"}),
    "imported_fills_mode_check": ("imported_fills", {"mode": "odd"}),
    "imported_fills_price_check": ("imported_fills", {"price": 1}),
    "imported_fills_quantity_check": ("imported_fills", {"quantity": 0}),
    "imported_fills_side_check": ("imported_fills", {"side": "odd"}),
    "imported_orders_action_check": ("imported_orders", {"action": "odd"}),
    "imported_orders_filled_check": ("imported_orders", {"filled": -1}),
    "imported_orders_mode_check": ("imported_orders", {"mode": "odd"}),
    "imported_orders_side_check": ("imported_orders", {"side": "odd"}),
    "imported_settlements_mode_check": ("imported_settlements", {"mode": "odd"}),
    "imported_ledger_rows_mode_check": ("imported_ledger_rows", {"mode": "odd"}),
    "imported_ledger_rows_side_check": ("imported_ledger_rows", {"side": "odd"}),
    "imported_trades_check": ("imported_trades", {"net_pnl": 2}),
    "imported_trades_mode_check": ("imported_trades", {"mode": "odd"}),
    "imported_trades_number_check": ("imported_trades", {"number": 0}),
    "imported_trades_quantity_check": ("imported_trades", {"quantity": 0}),
    "imported_trades_side_check": ("imported_trades", {"side": "odd"}),
    "imported_trades_source_check": ("imported_trades", {"source": "odd"}),
    "imported_prices_price_check": ("imported_prices", {"price": 0}),
    "imported_settings_mode_check": ("imported_settings", {"mode": "odd"}),
    "imported_sources_mode_check": ("imported_sources", {"mode": "odd"}),
    "backups_bytes_check": ("backups", {"bytes": -1}),
    "backups_check": ("backups", {"started_at": LATER}),
    "backups_kind_check": ("backups", {"kind": "odd"}),
    "backups_place_check": ("backups", {"place": ""}),
    "drills_check": ("drills", {"error": "e"}),
    "drills_place_check": ("drills", {"place": ""}),
    "drills_rpo_seconds_check": ("drills", {"rpo_seconds": -1}),
    "drills_rto_seconds_check": ("drills", {"rto_seconds": -1}),
    "restores_check": ("restores", {"new_tag": "a"}),
    "restores_place_check": ("restores", {"place": ""}),
}
"""By the name of a check: its table, and what makes the good row a breach of it."""

REFERENCES: dict[str, tuple[str, Row]] = {
    "orders_fencing_fkey": ("orders", {"fencing": -1}),
    "orders_trade_id_fkey": ("orders", {"trade_id": -1}),
    "halt_verifications_halt_id_fkey": ("halt_verifications", {"halt_id": -1}),
    "audit_log_client_order_id_fkey": ("audit_log", {"client_order_id": "absent"}),
    "audit_log_trade_id_fkey": ("audit_log", {"trade_id": -1}),
    "audit_checkpoints_seq_fkey": ("audit_checkpoints", {"seq": -1}),
    "loss_run_trade_id_fkey": ("loss_run", {"trade_id": -1}),
    "exit_memories_trade_id_fkey": ("exit_memories", {"trade_id": -1}),
    "trade_answers_request_id_fkey": ("trade_answers", {"request_id": -1}),
    "trade_closes_trade_id_fkey": ("trade_closes", {"trade_id": -1}),
    "empirical_buckets_model_id_fkey": ("empirical_buckets", {"model_id": -1}),
    "risk_limits_fencing_fkey": ("risk_limits", {"fencing": -1}),
    "limit_grants_after_run_fkey": ("limit_grants", {"after_run": -1}),
    "ledger_transactions_fill_id_fkey": ("ledger_transactions", {"fill_id": "absent"}),
    "ledger_transactions_settled_ticker_fkey": (
        "ledger_transactions",
        {"kind": "settlement", "fill_id": None, "settled_ticker": "absent", "ticker": "absent"},
    ),
    "postings_transaction_id_fkey": ("postings", {"transaction_id": -1}),
}
"""By the name of a foreign key: its table, and a row that refers to nothing."""

_CORRECTION: Row = {"kind": "correction", "fill_id": None, "revision": 2}
_SETTLEMENT: Row = {"kind": "settlement", "fill_id": None, "settled_ticker": TICKER}
UNIQUE: dict[str, tuple[str, Row, Row]] = {
    "trades_one_live_per_market": ("trades", {}, {"trade_id": 2}),
    "orders_trade_id_purpose_attempt_key": (
        "orders",
        {"state": "rejected", "ended_at": T},
        {"client_order_id": "o2"},
    ),
    "orders_venue_order_id_key": (
        "orders",
        {"state": "cancelled", "ended_at": T, "venue_order_id": "v1"},
        {"client_order_id": "o2", "attempt": 2},
    ),
    "orders_one_unproven_per_trade": ("orders", {}, {"client_order_id": "o2", "attempt": 2}),
    "halts_one_per_cause": ("halts", {}, {"halt_id": 2}),
    "loss_run_one_gain": ("loss_run", {}, {"trade_id": 2}),
    "paper_trades_one_held_per_market": ("paper_trades", {}, {"paper_trade_id": 2}),
    "empirical_models_digest_key": ("empirical_models", {}, {"model_id": 2}),
    "ledger_transactions_fill_id_key": ("ledger_transactions", {}, {"transaction_id": 2}),
    "ledger_transactions_settled_ticker_key": ("ledger_transactions", _SETTLEMENT, {"transaction_id": 2}),
    "ledger_transactions_one_correction": ("ledger_transactions", _CORRECTION, {"transaction_id": 2}),
}
"""By the name of a unique constraint or index that is no primary key: its table, what the first row has, and what the second."""
