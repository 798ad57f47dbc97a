"""Every guard that keeps an order from being lost, doubled or forgotten, with a change that disables it.

A guard that can be taken out without a test failing guards nothing: run.py takes them out one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from recio.rules.account.limits import IN_ROWS

ORDER_PATH = "tests/tasks/test_order_path_tasks.py"
TRADE_ROWS = "tests/db/test_trade_store.py"
ENTRY = "tests/rules/test_entry_rules.py"
RISK = "tests/rules/test_risk_rules.py"
DATABASE_LIMITS = "tests/db/test_limits_of_the_database.py"
RECONCILE = "tests/rules/test_reconcile_rules.py"
CONDITIONS = "tests/rules/test_condition_rules.py"
PLACING = "tests/kalshi/test_place_order.py"
HALTING = "tests/tasks/test_halt_on_difference.py"
KILL_SWITCH = "tests/tasks/test_kill_switch.py"
HELD = "tests/tasks/test_held_rows.py"
BY_HAND = "tests/db/test_settled_by_hand.py"
FENCED = "tests/db/test_locks_of_the_schema.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """`text` stands exactly once in `file`; with `without` in its place one of `noticed_by` must fail."""

    name: str
    file: str
    text: str
    without: str
    noticed_by: tuple[str, ...]


def _guard(name: str, file: str, text: str, without: str, *noticed_by: str) -> Guard:
    return Guard(name=name, file=file, text=text, without=without, noticed_by=noticed_by)


LOCKS = (
    _guard(
        "advisory lock",
        "recio/db/pool.py",
        'await connection.execute("SELECT pg_advisory_lock($1)", key)',
        'await connection.execute("SELECT $1::bigint", key)',
        "tests/db/test_pool_and_schema.py",
    ),
    _guard(
        "no sending without the lock",
        "recio/tasks/executor.py",
        "if not self.may_send():",
        "if False:",
        ORDER_PATH,
    ),
    _guard(
        "a sale goes before whatever else waits for the rows",
        "recio/tasks/trade_manager.py",
        "async with nullcontext() if of_sale else self.behind_sales, self.one_at_a_time:",
        "async with self.behind_sales, self.one_at_a_time:",
        ORDER_PATH,
    ),
    _guard(
        "sales that are due together share one turn",
        "recio/tasks/trade_manager.py",
        "sale = self.close_intents.receive_waiting()",
        "sale = None",
        "tests/tasks/test_sales_in_one_turn.py",
    ),
    _guard(
        "a sale that died with its reader is not waited for",
        "recio/wires.py",
        "self._unfinished -= self._in_hands",
        "pass",
        "tests/test_wires.py",
    ),
    _guard(
        "a sale that the rows have nothing for is held against memory",
        "recio/tasks/trade_manager.py",
        "            await self._compare(memory)\n            return f",
        "            return f",
        "tests/tasks/test_sales_in_one_turn.py",
    ),
    _guard(
        "of one view entry wants one thing",
        "recio/tasks/entry.py",
        "            await self.open_intents.finished()",
        "            await anyio.sleep(0)",
        "tests/tasks/test_entry_waits_for_its_intent.py",
    ),
    _guard(
        "a sale that became no order waits for no pause",
        "recio/tasks/exit.py",
        "= exit_rule.not_tried(decided.remembered, before)",
        "= decided.remembered",
        "tests/tasks/test_exit_task.py",
    ),
    _guard(
        "fencing: an order names a run that began",
        "schema.sql",
        "fencing bigint NOT NULL REFERENCES runs,\n    created_at",
        "fencing bigint NOT NULL,\n    created_at",
        FENCED,
    ),
    _guard(
        "fencing: a run that is over writes nothing",
        "schema.sql",
        "IF NEW.fencing < (SELECT max(fencing) FROM runs) THEN",
        "IF false THEN",
        FENCED,
    ),
    _guard(
        "a proof of being alone grows old",
        "recio/db/pool.py",
        "return not self.lost.is_set() and time.monotonic() - self.proven_at <= PROOF_HOLDS",
        "return not self.lost.is_set()",
        "tests/db/test_pool_and_schema.py",
    ),
    _guard(
        "fencing: an order's run cannot change",
        "schema.sql",
        "OLD.quantity, OLD.ask, OLD.model_value, OLD.reserved, OLD.fencing, OLD.created_at) THEN",
        "OLD.quantity, OLD.ask, OLD.model_value, OLD.reserved, NEW.fencing, OLD.created_at) THEN",
        FENCED,
    ),
    _guard(
        "one live trade per market",
        "schema.sql",
        "CREATE UNIQUE INDEX IF NOT EXISTS trades_one_live_per_market",
        "CREATE INDEX IF NOT EXISTS trades_one_live_per_market",
        TRADE_ROWS,
    ),
    _guard(
        "one unproven order per trade",
        "schema.sql",
        "CREATE UNIQUE INDEX IF NOT EXISTS orders_one_unproven_per_trade",
        "CREATE INDEX IF NOT EXISTS orders_one_unproven_per_trade",
        FENCED,
    ),
    _guard(
        "legal moves of an order",
        "schema.sql",
        "CREATE OR REPLACE TRIGGER orders_move_legally BEFORE UPDATE ON orders",
        "CREATE OR REPLACE TRIGGER orders_move_legally BEFORE UPDATE OF attempt ON orders",
        TRADE_ROWS,
    ),
    _guard(
        "a new order is pending",
        "schema.sql",
        "IF NEW.state <> 'pending' OR NEW.filled <> 0 OR NEW.venue_order_id IS NOT NULL THEN",
        "IF false THEN",
        TRADE_ROWS,
    ),
    _guard(
        "the audit log is append-only",
        "schema.sql",
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log",
        "BEFORE TRUNCATE ON audit_log",
        TRADE_ROWS,
    ),
)

DECISIONS = (
    _guard(
        "nobody enters before a book was held against REST",
        "recio/tasks/market_sync.py",
        "    if unproven is None:",
        "    if unproven is None or True:",
        "tests/tasks/test_broken_books_on_the_board.py",
    ),
    _guard(
        "a mirrored side is noticed",
        "recio/rules/market/book_comparison.py",
        "    if turned > same:",
        "    if False:",
        "tests/rules/test_book_comparison_rules.py",
    ),
    _guard(
        "each subscription is compared anew",
        "recio/kalshi/book_channel.py",
        "        self.proof.begin_anew(self.asked)",
        "        pass",
        "tests/kalshi/test_book_proof.py",
    ),
    _guard(
        "a strike of an unknown kind is a doubt about its market",
        "recio/rules/market/market_news.py",
        "    if says.unread:",
        "    if False:",
        "tests/tasks/test_discovery_task.py",
    ),
    _guard(
        "a 429 on one read leaves the others alone",
        "recio/kalshi/rate_limit.py",
        "        if bill.pause is not None:",
        "        if bill.pause is not None and not refused:",
        "tests/kalshi/test_rate_limit.py",
    ),
    _guard(
        "stale price",
        "recio/rules/decision/entry_gates.py",
        "if age > settings.max_price_age_seconds:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "stale book",
        "recio/rules/decision/entry_gates.py",
        "if age > settings.max_book_age_seconds:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "an unreliable price",
        "recio/rules/decision/entry_gates.py",
        "if price.unreliable:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "a price that may be too far off",
        "recio/rules/decision/entry_gates.py",
        "if price.doubt:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "seconds that nobody saw",
        "recio/rules/price/volatility.py",
        "for each in range(past, second if is_confirmed else past + 1):",
        "for each in range(past, second):",
        "tests/rules/test_volatility_rules.py",
    ),
    _guard(
        "an index that repeats itself",
        "recio/rules/price/coin_price.py",
        "if moved and newest is not None:",
        "if newest is not None:",
        "tests/rules/test_coin_price_rules.py",
    ),
    _guard(
        "an untradable market",
        "recio/rules/decision/entry_gates.py",
        "if view.market.untradable:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "re-entry",
        "recio/rules/decision/entry_gates.py",
        "if most is not None and entries >= most:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "a spike pauses entries",
        "recio/rules/decision/entry_gates.py",
        "return _spike(view, price, settings, now, pauses) or price",
        "return price",
        ENTRY,
    ),
    _guard(
        "no entry beside an unknown order",
        "recio/rules/decision/entry_gates.py",
        "if order.ticker == ticker and order.state in UNPROVEN:",
        "if False:",
        ENTRY,
    ),
    _guard(
        "unknown market wording",
        "recio/rules/market/contract_terms.py",
        'return f"rules text not known: {text[:QUOTED]!r}"',
        'return ""',
        "tests/rules/test_contract_terms.py",
    ),
    _guard(
        "price divergence",
        "recio/rules/price/consensus.py",
        'unreliable=f"{one.source} and {other.source} differ by {apart_bp(first, second):.1f} bp",',
        'unreliable="",',
        "tests/rules/test_consensus_rules.py",
    ),
    _guard(
        "Kraken's checksum",
        "recio/prices/kraken.py",
        "return zlib.crc32(text.encode()) == change.checksum",
        "return zlib.crc32(text.encode()) >= 0",
        "tests/prices/test_kraken_feed.py",
    ),
    _guard(
        "gap in a book's sequence",
        "recio/rules/market/order_book.py",
        "if last is None or seq == last + 1:",
        "if last is None or seq >= last:",
        "tests/rules/test_order_book_rules.py",
    ),
    _guard(
        "clock offset",
        "recio/rules/health/conditions.py",
        "if offset is not None and abs(offset) > limit * seen.speed:",
        "if False:",
        CONDITIONS,
    ),
    _guard(
        "entries blocked while an order is unknown",
        "recio/rules/health/conditions.py",
        "    if unknown:\n",
        "    if False:\n",
        CONDITIONS,
    ),
)

LIMITS = (
    _guard(
        "decision deadline",
        "recio/rules/account/risk.py",
        "if age > limits.max_send_delay_seconds:",
        "if False:",
        RISK,
    ),
    _guard(
        "order size",
        "recio/rules/account/risk.py",
        "if intent.quantity > limits.max_contracts_per_order:",
        "if False:",
        RISK,
    ),
    _guard(
        "one trade per market",
        "recio/rules/account/risk.py",
        "if any(trade.ticker == intent.ticker for trade in trades.trades):",
        "if False:",
        RISK,
    ),
    _guard(
        "entries per event",
        "recio/rules/account/risk.py",
        "if entries >= limits.max_entries_per_event:",
        "if False:",
        RISK,
    ),
    _guard(
        "open trades",
        "recio/rules/account/risk.py",
        "if live >= limits.max_open_trades:",
        "if False:",
        RISK,
    ),
    _guard(
        "open cost",
        "recio/rules/account/risk.py",
        "if total > limits.max_open_cost_dollars:",
        "if False:",
        RISK,
    ),
    _guard(
        "open cost counts what is unproven",
        "recio/rules/account/exposure.py",
        "return Money(sum(map(worst_loss, live.values())) + pending)",
        "return Money(sum(map(worst_loss, live.values())))",
        RISK,
    ),
    _guard(
        "balance",
        "recio/rules/account/risk.py",
        "    if reserved > left:",
        "    if False:",
        RISK,
    ),
    _guard(
        "daily loss",
        "recio/rules/account/risk.py",
        "if worst > limits.max_daily_loss_dollars:",
        "if False:",
        RISK,
    ),
    _guard(
        "the day's loss counts what is open as lost",
        "recio/rules/account/risk.py",
        "worst = Money(_worst_of_the_day(exposure) + reserved)",
        "worst = Money(reserved - exposure.trades.realised_today)",
        RISK,
    ),
    _guard(
        "what was made by hand counts",
        "recio/rules/account/risk.py",
        "return Money(own + external)",
        "return own",
        RISK,
    ),
    _guard(
        "contracts per strike",
        "recio/rules/account/risk.py",
        "if total > limits.max_contracts_per_strike:",
        "if False:",
        RISK,
    ),
    _guard(
        "cost per event",
        "recio/rules/account/risk.py",
        "if event > limits.max_event_cost_dollars:",
        "if False:",
        RISK,
    ),
    _guard(
        "order rate",
        "recio/rules/account/risk.py",
        "if trades.orders_last_minute >= limits.max_orders_per_minute:",
        "if False:",
        RISK,
    ),
    _guard(
        "losses in a row",
        "recio/rules/account/risk.py",
        "if trades.losses_in_a_row >= limits.max_consecutive_losses:",
        "if False:",
        RISK,
    ),
    _guard(
        "losses in a row halt",
        "recio/rules/health/reasons_to_halt.py",
        "if _is_losing(trades, seen.limits) and not told.losses:",
        "if False:",
        HALTING,
    ),
    _guard(
        "price collar",
        "recio/rules/account/risk.py",
        "if intent.limit > highest:",
        "if False:",
        RISK,
    ),
    _guard(
        "price collar against the model",
        "recio/rules/account/risk.py",
        "min(Decimal(ask), model_value * ONE_DOLLAR)",
        "Decimal(ask)",
        RISK,
    ),
    _guard(
        "the balance is not spent twice",
        "recio/rules/account/risk.py",
        "left = Money(account.balance - spoken_for)",
        "left = account.balance",
        RISK,
    ),
    _guard(
        "a start only lowers a limit",
        "recio/rules/account/limits.py",
        "if name in ceilings and amount > ceilings[name]",
        "if False",
        "tests/rules/test_limit_rules.py",
    ),
    _guard(
        "a start only lowers a limit, in the database",
        "schema.sql",
        "    IF NEW.amount > limit_ceiling(NEW.fencing, NEW.name) THEN",
        "    IF false THEN",
        DATABASE_LIMITS,
    ),
    _guard(
        "a limit in force never changes",
        "schema.sql",
        "CREATE OR REPLACE TRIGGER risk_limits_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_limits",
        "CREATE OR REPLACE TRIGGER risk_limits_are_append_only BEFORE TRUNCATE ON risk_limits",
        DATABASE_LIMITS,
    ),
    _guard(
        "a grant is used once",
        "schema.sql",
        "WHERE g.name = limit_name AND g.after_run >= before.fencing",
        "WHERE g.name = limit_name",
        DATABASE_LIMITS,
    ),
    *(
        _guard(
            f"the database keeps {name}",
            "schema.sql",
            f", '{name}', (",
            f", '{name}', 0 * (",
            DATABASE_LIMITS,
        )
        for name in IN_ROWS
    ),
)

EXITS = (
    _guard(
        "a bid that a person rests keeps no sale from selling",
        "recio/kalshi/orders.py",
        "EXIT_MEETS_OWN if order.reduce_only else ENTRY_MEETS_OWN",
        "ENTRY_MEETS_OWN",
        PLACING,
    ),
    _guard(
        "the time to a close by our clock and the venue's",
        "recio/rules/decision/exit.py",
        "return min(ours, theirs), max(ours, theirs)",
        "return ours, ours",
        "tests/rules/test_exit_rules.py",
    ),
    _guard(
        "a book is as old as the venue's clock says",
        "recio/kalshi/socket.py",
        "there = now + timedelta(seconds=offset.proven if offset else 0.0)",
        "there = now",
        "tests/kalshi/test_socket_frames.py",
    ),
    _guard(
        "a count of more than was asked for moves no order",
        "recio/db/trade_store.py",
        "if order is None or seen.filled > order.quantity:",
        "if order is None:",
        TRADE_ROWS,
    ),
    _guard(
        "a stop is judged by the bid while price or model are missing",
        "recio/rules/decision/exit_reasons.py",
        "        or (seen.is_blind and _blind_stop(seen, blind_since, settings, now))\n",
        "",
        "tests/rules/test_exit_rules.py",
    ),
    _guard(
        "no floor below what the reason justifies, on the grid too",
        "recio/rules/decision/exit.py",
        "return floor if floor >= lowest else sellable_least(ranges, trade.side, lowest)",
        "return floor",
        "tests/rules/test_exit_rules.py",
    ),
    _guard(
        "nothing is bought that its own exit would sell",
        "recio/rules/decision/cycles.py",
        "strategy.model, strategy.name, strategy.exit, allowed)\n",
        "strategy.model, strategy.name, None, allowed)\n",
        "tests/rules/test_strategy_rules.py",
    ),
    _guard(
        "nothing is bought where somebody else holds or rests something",
        "recio/rules/account/risk.py",
        "        or _external(intent, exposure.account)\n",
        "",
        RISK,
    ),
    _guard(
        "the database refuses a market where fills of others left a position",
        "schema.sql",
        "    IF held <> 0 THEN",
        "    IF false THEN",
        DATABASE_LIMITS,
    ),
    _guard(
        "fees that were paid may be lost too",
        "schema.sql",
        "greatest(t.entry_cost + t.fees - t.exit_proceeds, 0)",
        "greatest(t.entry_cost - t.exit_proceeds, 0)",
        DATABASE_LIMITS,
    ),
    _guard(
        "a gain of today raises no limit",
        "recio/rules/account/risk.py",
        "return Money(open_cost(exposure) - min(0, exposure.trades.realised_today))",
        "return Money(open_cost(exposure) - exposure.trades.realised_today)",
        RISK,
    ),
    _guard(
        "a balance is as old as its own read",
        "recio/rules/account/risk.py",
        "_not_in(account.balance_at or account.reconciled_at, exposure.trades)",
        "_not_in(account.reconciled_at, exposure.trades)",
        RISK,
    ),
)

HALTS = (
    _guard(
        "entry rule asks for halts",
        "recio/rules/decision/entry.py",
        "for halt in seen.controls.halts:",
        "for halt in ():",
        ENTRY,
    ),
    _guard(
        "the database asks for halts before it has a row for an entry",
        "schema.sql",
        "FROM halts AS h WHERE h.cleared_at IS NULL ORDER BY h.halt_id LIMIT 1;",
        "FROM halts AS h WHERE false LIMIT 1;",
        ORDER_PATH,
    ),
    _guard(
        "executor asks for halts",
        "recio/tasks/executor.py",
        "return seen.halts[0].cause if seen.halts else None",
        "return None",
        ORDER_PATH,
    ),
    _guard(
        "what waited for the rate limit is held against halts and the lock once more",
        "recio/kalshi/writes.py",
        "if why_not is not None and (reason := why_not()):",
        "if why_not is not None and (reason := ''):",
        ORDER_PATH,
    ),
    _guard(
        "a position difference halts",
        "recio/rules/health/reasons_to_halt.py",
        "yield from (difference_cause(each) for each in account.differences)",
        "yield from ()",
        HALTING,
    ),
    _guard(
        "an external position is no difference",
        "recio/tasks/account_sync.py",
        "differences=tuple(each for each in differences if each.ours != 0 or each.ticker in traded),",
        "differences=differences,",
        "tests/tasks/test_account_comparison.py",
    ),
)

LATE_WORDS = (
    _guard(
        "absence is proven by the venue's clock, with its lead",
        "recio/comparing/absences.py",
        "return self.arrives_within + venue_ahead_at_most(self.rest)",
        "return self.arrives_within",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "absence: an order may arrive for as long after its row is there, however old what stands in it is",
        "recio/rules/account/reconcile.py",
        "        if before is None\n",
        "        if True\n",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "absence: an order of a clock that was set back waits no longer than one of now",
        "recio/rules/account/reconcile.py",
        "max(now - order.created_at, timedelta(0))",
        "now - order.created_at",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "absence: a clock that is set forward makes no order older",
        "recio/comparing/absences.py",
        "return clock.utc() - there_for + self.margin",
        "return datetime.fromtimestamp(since.get(name, now), clock.utc().tzinfo) + self.margin",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "the list of orders is asked for from no later than the venue's present",
        "recio/tasks/account_sync.py",
        "since = min([as_of or self.clock.utc(), *(each.created_at for each in trades.orders)]) - OVERLAP",
        "since = min((each.created_at for each in trades.orders), default=self.clock.utc()) - OVERLAP",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "a row that was set aside may be the order that is looked for",
        "recio/comparing/absences.py",
        "found=may_be_there, as_of=as_of",
        "found=name in found, as_of=as_of",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "an order that counts as never arrived and is at the venue halts",
        "recio/tasks/account_sync.py",
        "        memory.contradicted |= await sifting.contradicted(self.pool, ours)\n",
        "",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "nothing happened between the reads that make up a difference",
        "recio/rules/account/reconcile.py",
        "        and known.ledger == ledgers.get(each.ticker)\n",
        "",
        RECONCILE,
    ),
    _guard(
        "a settlement that is corrected changes the money",
        "schema.sql",
        "    VALUES (number, 'cash', difference), (number, 'settlement', -difference);",
        "    VALUES (number, 'cash', 0), (number, 'settlement', 0);",
        "tests/db/test_general_ledger.py",
    ),
    _guard(
        "a settlement that is corrected changes what its trade was paid",
        "schema.sql",
        "WHERE t.ticker = on_ticker AND t.ended_by = 'settlement'",
        "WHERE false",
        TRADE_ROWS,
    ),
    _guard(
        "what the venue settled never yields to a person",
        "recio/rules/account/manual_settlement.py",
        "    if known is not None and not known.set_by:\n",
        "    if False:\n",
        BY_HAND,
    ),
    _guard(
        "what a person settled yields to any word of the venue",
        "schema.sql",
        "        ELSE by_whom = '' OR worth <> was.value END;",
        "        ELSE by_whom <> '' AND worth <> was.value END;",
        BY_HAND,
    ),
    _guard(
        "a settlement by hand waits for the close",
        "recio/rules/account/manual_settlement.py",
        "    if waiting.closes_at > now:\n",
        "    if False:\n",
        BY_HAND,
    ),
    _guard(
        "what was moved explains a difference to the last digit only",
        "recio/rules/account/cash.py",
        "    return 0 <= missing <= most\n",
        "    return -10_000 <= missing <= most + 10_000\n",
        "tests/rules/test_cash_rules.py",
    ),
    _guard(
        "cash differs only where the ledger stood still between the reads",
        "recio/rules/account/cash.py",
        "same = (found.unexplained, found.in_ledger) == (self.amount, self.in_ledger)",
        "same = found.unexplained == self.amount",
        "tests/rules/test_cash_rules.py",
    ),
    _guard(
        "a movement of cash is taken in once",
        "recio/db/cash.py",
        "if each.name not in taken and _may_explain(each, opening))",
        "if _may_explain(each, opening))",
        "tests/tasks/test_cash_comparison.py",
    ),
    _guard(
        "what was moved before the cash agreed explains nothing later",
        "recio/db/cash.py",
        "    return each.at > opening.known_at - (MARGIN if each.is_timed else UNTIMED)",
        "    return True",
        "tests/tasks/test_cash_comparison.py",
    ),
    _guard(
        "refusals that somebody has looked at halt nothing",
        "recio/rules/account/refusals.py",
        "found = refusals(trades, after=forgiven)",
        "found = refusals(trades)",
        HALTING,
    ),
    _guard(
        "last words are remembered as unsent until they left",
        "recio/daemon/calling.py",
        "last = LastWords(said=said, unsent=dispatcher.tell(last_words(said), Severity.CRITICAL))",
        "last = LastWords(said=said); dispatcher.tell(last_words(said), Severity.CRITICAL)",
        "tests/alerting/test_last_words.py",
    ),
    _guard(
        "fills of another subaccount are not ours",
        "recio/tasks/account_sync.py",
        "        if fill.subaccount and not memory.is_locked and not may_be_of(fill, self.open_trades.get()):\n",
        "        if False:\n",
        "tests/tasks/test_cash_comparison.py",
    ),
    _guard(
        "entries wait after a start until the cash was explained",
        "recio/rules/health/conditions.py",
        "    if not account.cash_agreed:\n",
        "    if False:\n",
        CONDITIONS,
    ),
)

HALT_LEVELS = (
    _guard(
        "a halt cancels only what is ours",
        "recio/tasks/kill_switch.py",
        "for each in await answer_of(account.resting(self.rest)) if self._is_ours(each)]",
        "for each in await answer_of(account.resting(self.rest))]",
        KILL_SWITCH,
    ),
    _guard(
        "a halt is verified by a listing newer than itself",
        "recio/tasks/kill_switch.py",
        "rests = bool(listed) or as_of < began or self._unresolved()",
        "rests = bool(listed) or self._unresolved()",
        KILL_SWITCH,
    ),
    _guard(
        "a halt is not verified while an order is unknown",
        "recio/tasks/kill_switch.py",
        "rests = bool(listed) or as_of < began or self._unresolved()",
        "rests = bool(listed) or as_of < began",
        KILL_SWITCH,
    ),
    _guard(
        "exits do not ride in the order group that a halt stops",
        "recio/tasks/executor.py",
        "if order.reduce_only or group is None or group.exchange_index != order.exchange_index:",
        "if group is None or group.exchange_index != order.exchange_index:",
        ORDER_PATH,
    ),
    _guard(
        "exits that a person switched off stay off",
        "recio/rules/decision/exit.py",
        '    if off is not None:\n        return f"exit was',
        '    if False:\n        return f"exit was',
        "tests/rules/test_exit_rules.py",
    ),
    _guard(
        "the token of the page's halts",
        "recio/web/acts.py",
        'if not hmac.compare_digest(_text(fields, "token").encode(), token.encode()):',
        "if False:",
        "tests/tasks/test_status_page.py",
    ),
    _guard(
        "a difference of cash halts",
        "recio/rules/health/reasons_to_halt.py",
        "if account.cash_difference is not None and (cause := cash_cause(account.cash_difference)) != told.cash:",
        "if False and (cause := cash_cause(account.cash_difference)):",
        HALTING,
    ),
    _guard(
        "an order of ours without a row halts",
        "recio/rules/health/reasons_to_halt.py",
        "for each in unaccepted_orders(seen.account, told):",
        "for each in unaccepted_orders(seen.account, told)[:0]:",
        HALTING,
    ),
    _guard(
        "entries that are all refused halt",
        "recio/rules/health/reasons_to_halt.py",
        "if found is not None and found.last.client_order_id != told.refusal:",
        "if False:",
        HALTING,
    ),
    _guard(
        "a refused entry is tried later",
        "recio/rules/account/risk.py",
        "or _refused_before(intent, exposure.trades, now)",
        "or None",
        "tests/rules/test_risk_rules.py",
    ),
)

RESOLUTION = (
    _guard(
        "a fill is told until its row is there",
        "recio/db/sifting.py",
        "return [each for each in listed if each.fill_id in missing]",
        "return []",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "fill dedupe",
        "recio/db/orders.py",
        "ON CONFLICT (fill_id) DO NOTHING RETURNING fill_id",
        "ON CONFLICT (fill_id) DO UPDATE SET quantity = fills.quantity + excluded.quantity RETURNING fill_id",
        TRADE_ROWS,
    ),
    _guard(
        "settlement dedupe",
        "recio/db/orders.py",
        "ON CONFLICT (ticker) DO NOTHING RETURNING ticker",
        "ON CONFLICT (ticker) DO UPDATE SET result = excluded.result RETURNING ticker",
        FENCED,
    ),
    _guard(
        "absence: the read is newer than the sending",
        "recio/rules/account/reconcile.py",
        "if as_of <= sent_by or (self.last_as_of is not None and as_of <= self.last_as_of):",
        "if self.last_as_of is not None and as_of <= self.last_as_of:",
        RECONCILE,
    ),
    _guard(
        "absence: two reads that differ in time",
        "recio/rules/account/reconcile.py",
        "if as_of <= sent_by or (self.last_as_of is not None and as_of <= self.last_as_of):",
        "if as_of <= sent_by:",
        RECONCILE,
    ),
    _guard(
        "absence: two reads",
        "recio/rules/account/reconcile.py",
        "READS_THAT_PROVE = 2",
        "READS_THAT_PROVE = 1",
        RECONCILE,
    ),
    _guard(
        "an unknown order is not rejected by a late word",
        "recio/rules/account/lifecycle.py",
        "{OrderState.RESTING, OrderState.FILLED, OrderState.CANCELLED, OrderState.NOT_FOUND}\n",
        "{OrderState.RESTING, OrderState.FILLED, OrderState.CANCELLED, OrderState.NOT_FOUND, OrderState.REJECTED}\n",
        TRADE_ROWS,
    ),
    _guard(
        "no answer is unknown and not rejected",
        "recio/kalshi/orders.py",
        "        case OutcomeUnknown(why=why):\n            return unknown(rest, order, why)",
        '        case OutcomeUnknown(why=why):\n            return rejected(rest, order, "timeout", why)',
        PLACING,
    ),
    _guard(
        "an order without an answer is never sent again",
        "recio/kalshi/orders.py",
        "result = await attempt(rest, request, body=body, wait_seconds=wait_seconds, why_not=why_not)\n",
        "result = await attempt(rest, request, body=body, wait_seconds=wait_seconds, why_not=why_not)\n"
        "    if isinstance(verdict(result, OK_OR_CREATED), OutcomeUnknown):\n"
        "        result = await attempt(rest, request, body=body, wait_seconds=wait_seconds, why_not=why_not)\n",
        PLACING,
    ),
    _guard(
        "what was given up is not sent on by the system",
        "recio/kalshi/connections.py",
        "TCPConnector(socket_factory=_bounded)",
        "TCPConnector()",
        "tests/kalshi/test_given_up_requests.py",
    ),
    _guard(
        "an order past its deadline is not sent",
        "recio/tasks/executor.py",
        "if now > order.send_before:",
        "if False:",
        ORDER_PATH,
    ),
    _guard(
        "an exit that was decided too long ago is not sent",
        "recio/tasks/trade_manager.py",
        "if (late := risk.stale(intent.decided_at, self.limits, now)) is not None:",
        "if (late := None) is not None:",
        HELD,
    ),
    _guard(
        "what is held in memory is what the rows say",
        "recio/tasks/trade_manager.py",
        "if found := differences(memory.held, rows, now):",
        "if found := ():",
        HELD,
    ),
    _guard(
        "a settlement is told until its row is there",
        "recio/db/sifting.py",
        "return [each for each in listed if each.ticker in missing]",
        "return []",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "an order that may move is told",
        "recio/rules/account/lifecycle.py",
        "return state is not None and may_move_order(state, state_from_venue(seen))",
        "return False",
        "tests/tasks/test_account_comparison.py",
    ),
    _guard(
        "a fill adds itself to its trade",
        "schema.sql",
        "CREATE OR REPLACE TRIGGER fills_are_counted AFTER INSERT ON fills",
        "CREATE OR REPLACE TRIGGER fills_are_counted AFTER UPDATE ON fills",
        TRADE_ROWS,
    ),
    _guard(
        "an order finds the fills that came before its answer",
        "schema.sql",
        "WHEN (OLD.venue_order_id IS NULL AND NEW.venue_order_id IS NOT NULL)",
        "WHEN (false)",
        TRADE_ROWS,
    ),
    _guard(
        "counters are proven at each start",
        "recio/db/general_ledger.py",
        "    if counter is not None:",
        "    if False:",
        "tests/db/test_general_ledger.py",
    ),
    _guard(
        "a stopped daemon leaves no order merely pending",
        "recio/tasks/trade_manager.py",
        "                await self._mark_unanswered(memory)",
        "                pass",
        ORDER_PATH,
    ),
)

FENCES = (
    _guard(
        "crash points outside the simulator",
        "recio/test_hooks/arming.py",
        "if not simulated:",
        "if False:",
        "tests/test_crash_points.py",
    ),
    _guard(
        "secrets stay out of the log",
        "recio/log.py",
        'event[key] = SECRET_TEXT.sub("(hidden)", value)',
        "event[key] = value",
        "tests/test_log.py",
    ),
    _guard(
        "a data directory belongs to one mode",
        "recio/daemon/data_dir.py",
        "if found != wanted:",
        "if False:",
        "tests/test_cli.py",
    ),
    _guard(
        "a database belongs to one account",
        "recio/db/identity.py",
        "if (mine.mode, mine.environment, mine.account) != (mode, environment, account):",
        "if False:",
        "tests/db/test_pool_and_schema.py",
    ),
    _guard(
        "mode and environment go together",
        "recio/settings/config.py",
        "if (self.mode is Mode.DEMO) != sim:",
        "if False:",
        "tests/test_config.py",
    ),
    _guard(
        "entry starts switched off",
        "recio/settings/trading.py",
        "    enabled: bool = False",
        "    enabled: bool = True",
        "tests/test_config.py",
    ),
    _guard(
        "a zero that once meant off is refused",
        "recio/settings/units.py",
        "if is_number(value) and value == 0:",
        "if False:",
        "tests/test_config.py",
    ),
)

DROPLET = (
    _guard(
        "a key that others can read is refused",
        "recio/kalshi/key_files.py",
        "    if others := others_with_access(path):\n",
        "    others: list[str] = []\n    if False:\n",
        "tests/test_file_access.py",
    ),
    _guard(
        "the memory of the daemon is not dumped",
        "recio/daemon/own_process.py",
        "    _refuse_dumps()\n",
        "",
        "tests/test_own_process.py",
    ),
    _guard(
        "only what passes is waited for",
        "recio/daemon/runs.py",
        "        if not _passes(fault, waiting):\n            raise fault from error\n",
        "",
        "tests/test_runs.py",
    ),
    _guard(
        "a start that hangs starves the watchdog",
        "recio/daemon/runs.py",
        "if now - waiting.attempted_at <= ATTEMPT_LIMIT:",
        "if True:",
        "tests/test_runs.py",
    ),
    _guard(
        "who makes no progress at the page's port is turned out",
        "recio/web/door.py",
        "elif now > guest.leave_at:",
        "elif False:",
        "tests/tasks/test_status_page_under_attack.py",
    ),
    _guard(
        "a crowd at the page's port has an end",
        "recio/web/door.py",
        "if not self._has_room(most) or",
        "if False or",
        "tests/tasks/test_status_page_under_attack.py",
    ),
    _guard(
        "what a proxy hands on is never taken for this machine's own",
        "recio/web/reach.py",
        "if _is_loopback(peer) and name in LOCAL_NAMES and not handed_on:",
        "if _is_loopback(peer) and name in LOCAL_NAMES:",
        "tests/web/test_reach_and_login.py",
    ),
    _guard(
        "a session's act carries what only a page of ours can read",
        "recio/web/gate.py",
        'if visitor.by is By.SESSION and not _same(headers.get(CSRF_HEADER, ""), visitor.csrf):',
        "if False:",
        "tests/web/test_reach_and_login.py",
    ),
    _guard(
        "two taps are one act",
        "recio/web/acting.py",
        "act = await page_acts.before(connection, asked.body.key)",
        "act = None",
        "tests/web/test_acts.py",
    ),
)

BY_HAND = "tests/rules/test_manual_rules.py"
PEOPLE = (
    _guard(
        "a person's guard replaces every stop of [exit]",
        "recio/rules/decision/exit.py",
        "settings = guarded(settings, trade.guard)",
        "settings = guarded(settings, None)",
        BY_HAND,
    ),
    _guard(
        "a close that a person asks for is carried out",
        "recio/rules/decision/exit.py",
        "(asked := controls.close_of(trade.trade_id))",
        "(asked := NO_CONTROLS.close_of(trade.trade_id))",
        BY_HAND,
    ),
    _guard(
        "what its guard would sell at once is not bought",
        "recio/rules/decision/manual.py",
        "_offer(request, view) or _sold_at_once(request, view, seen, opinion, common, now)",
        "_offer(request, view)",
        BY_HAND,
    ),
    _guard(
        "a halt holds a person too",
        "recio/rules/decision/entry.py",
        "    for halt in seen.controls.halts:",
        "    for halt in ():",
        BY_HAND,
    ),
    _guard(
        "a price per contract is a dollar at most",
        "recio/settings/units.py",
        "    if given > 1:",
        "    if False:",
        "tests/test_config.py",
    ),
)

BROUGHT_IN = "tests/db/test_bringing_in.py"
AFTER_A_RESTORE = "tests/tasks/test_asking_after_a_restore.py"
RESTORED = (
    _guard(
        "nothing is bought before what a backup forgot is brought in",
        "schema.sql",
        "IF restore_to_bring_in() IS NOT NULL THEN",
        "IF false THEN",
        BROUGHT_IN,
    ),
    _guard(
        "past the limits goes only what an earlier tag has ordered",
        "schema.sql",
        "        AND i.tag <> asked.tag AND",
        "        AND",
        BROUGHT_IN,
    ),
    _guard(
        "a start in the middle asks as far back as the first did",
        "recio/db/bringing_in.py",
        "ON CONFLICT (restore_id) DO NOTHING RETURNING",
        "ON CONFLICT (restore_id) DO UPDATE SET read_from = excluded.read_from RETURNING",
        BROUGHT_IN,
    ),
    _guard(
        "the end waits for an order whose market still moves",
        "recio/db/bringing_in.py",
        "SELECT EXISTS (SELECT FROM orders WHERE is_unfinished AND ticker = $1) OR",
        "SELECT",
        BROUGHT_IN,
    ),
    _guard(
        "the end is told by reads that no earlier run can have sent anything after",
        "recio/comparing/restored.py",
        "as_of > self.begun_at + margin",
        "True",
        AFTER_A_RESTORE,
    ),
    _guard(
        "a settlement waits for the forgotten orders of its market",
        "recio/tasks/account_sync.py",
        "if each.ticker not in but_of]",
        "]",
        AFTER_A_RESTORE,
    ),
)

GUARDS = (
    *LOCKS,
    *DECISIONS,
    *LIMITS,
    *EXITS,
    *HALTS,
    *LATE_WORDS,
    *HALT_LEVELS,
    *RESOLUTION,
    *FENCES,
    *DROPLET,
    *PEOPLE,
    *RESTORED,
)
