-- The whole schema of recio as it is now. Rules live here as constraints where they can; Python checks come second.
-- Running this file on a database that already has this schema changes nothing.
-- Money is NUMERIC in dollars, prices NUMERIC in dollars per contract in YES terms, time is timestamptz.
-- The line above each table says who writes it. Nobody else may. The comments on tables and columns, which `make schema-page`
-- puts into docs/schema.md, say unit and source of each value.

-- Writer: app and `recio restore`.
CREATE TABLE IF NOT EXISTS identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mode text NOT NULL CHECK (mode IN ('demo', 'live')),
    environment text NOT NULL CHECK (environment IN ('sim', 'demo', 'prod')),
    account text NOT NULL CHECK (account <> ''),
    tag text NOT NULL CHECK (tag ~ '^[0-9a-z]{8}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE identity IS 'Writer: app and `recio restore`. A database belongs to one mode, one environment and one account. Written once, at the first start; a restore draws a new tag.';
COMMENT ON COLUMN identity.only_row IS 'Always true: the table has one row.';
COMMENT ON COLUMN identity.mode IS 'demo or live; from recio.toml at the first start.';
COMMENT ON COLUMN identity.environment IS 'sim, demo or prod of the venue; from recio.toml at the first start.';
COMMENT ON COLUMN identity.account IS 'Hash of the key''s account; from the venue''s credentials.';
COMMENT ON COLUMN identity.tag IS 'Eight letters drawn at the first start. Part of every client order id, so that two databases never use the same one.';
COMMENT ON COLUMN identity.created_at IS 'UTC, by the database''s clock.';

-- Writer: app, one row per start of the daemon.
CREATE TABLE IF NOT EXISTS runs (
    fencing bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object')
);
COMMENT ON TABLE runs IS 'Writer: app, one row per start of the daemon. `fencing` is the number of the run; each order carries that of its run.';
COMMENT ON COLUMN runs.fencing IS 'Number of the run; each order carries that of its run.';
COMMENT ON COLUMN runs.version IS 'Version of recio that ran.';
COMMENT ON COLUMN runs.pid IS 'Process number of the daemon.';
COMMENT ON COLUMN runs.started_at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN runs.settings IS 'Every setting that it ran with, by section.key, without DSN and key.';

-- Writer: discovery.
CREATE TABLE IF NOT EXISTS markets (
    ticker text PRIMARY KEY,
    event_ticker text NOT NULL,
    series_ticker text NOT NULL,
    strike_type text NOT NULL,
    floor_strike numeric,
    cap_strike numeric,
    open_time timestamptz NOT NULL,
    close_time timestamptz NOT NULL,
    status text NOT NULL,
    rules_primary text NOT NULL,
    rules_secondary text NOT NULL DEFAULT '',
    fee_multiplier numeric,
    untradable text NOT NULL DEFAULT '',
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE markets IS 'Writer: discovery. The markets of the venue. What can change is as it was last seen.';
COMMENT ON COLUMN markets.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN markets.event_ticker IS 'The venue''s name of the event that the market belongs to.';
COMMENT ON COLUMN markets.series_ticker IS 'The venue''s name of the series.';
COMMENT ON COLUMN markets.strike_type IS 'greater, less, between and so on, from the venue. Empty: not set by it yet, or of a kind that recio does not read.';
COMMENT ON COLUMN markets.floor_strike IS 'Dollars of the coin, from the venue; NULL: this kind has none, or it is not set yet.';
COMMENT ON COLUMN markets.cap_strike IS 'Dollars of the coin, from the venue; NULL as above.';
COMMENT ON COLUMN markets.open_time IS 'UTC, from the venue.';
COMMENT ON COLUMN markets.close_time IS 'UTC, from the venue.';
COMMENT ON COLUMN markets.status IS 'The venue''s word, as last seen.';
COMMENT ON COLUMN markets.rules_primary IS 'The venue''s first rules text.';
COMMENT ON COLUMN markets.rules_secondary IS 'The venue''s second rules text.';
COMMENT ON COLUMN markets.fee_multiplier IS 'The usual fee times this is the fee here; from the venue''s series. NULL: not known.';
COMMENT ON COLUMN markets.untradable IS 'Why recio does not trade this market: it did not understand the rules, the fee or the strike. Empty: it may trade.';
COMMENT ON COLUMN markets.first_seen IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN markets.last_seen IS 'UTC, by the database''s clock.';

-- Closed markets are forgotten after some days.
CREATE INDEX IF NOT EXISTS markets_by_close ON markets (close_time);

-- Writer: price_feed.
CREATE TABLE IF NOT EXISTS price_seconds (
    symbol text NOT NULL,
    second bigint NOT NULL,
    price numeric NOT NULL CHECK (price > 0),
    PRIMARY KEY (symbol, second)
);
COMMENT ON TABLE price_seconds IS 'Writer: price_feed. The last price of each second, so that a restart has its price history at once.';
COMMENT ON COLUMN price_seconds.symbol IS 'Coin, as BTC.';
COMMENT ON COLUMN price_seconds.second IS 'Unix second.';
COMMENT ON COLUMN price_seconds.price IS 'Dollars per coin: the last price of that second, from the price feed.';

-- Whether a trade is over. rules/account/lifecycle.py calls it ENDED_TRADES.
CREATE OR REPLACE FUNCTION has_ended(trade_state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT trade_state IN ('closed', 'void')
$$;
-- The price of a side, from the price of YES.
CREATE OR REPLACE FUNCTION own_price(side text, yes_price numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE side WHEN 'yes' THEN yes_price ELSE 1 - yes_price END
$$;

-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS trades (
    trade_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy text NOT NULL,
    ticker text NOT NULL,
    event_ticker text NOT NULL,
    exchange_index integer,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    state text NOT NULL CHECK (state IN ('opening', 'open', 'closing', 'closed', 'void')),
    opened_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    closed_at timestamptz,
    ended_by text CHECK (ended_by IN ('exit', 'settlement', 'no fill')),
    payout numeric(18, 6) NOT NULL DEFAULT 0 CHECK (payout >= 0),
    why text NOT NULL,
    inputs jsonb NOT NULL,
    entry_quantity numeric(14, 2) NOT NULL DEFAULT 0,
    entry_cost numeric(18, 6) NOT NULL DEFAULT 0,
    exit_quantity numeric(14, 2) NOT NULL DEFAULT 0,
    exit_proceeds numeric(18, 6) NOT NULL DEFAULT 0,
    fees numeric(18, 6) NOT NULL DEFAULT 0,
    exits_met integer NOT NULL DEFAULT 0,
    is_live boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('closed', 'void')) STORED,
    CHECK ((state IN ('closed', 'void')) = (closed_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'void')) = (ended_by IS NOT NULL)),
    CHECK (payout = 0 OR ended_by = 'settlement')
);
COMMENT ON TABLE trades IS 'Writer: trade_manager. A trade is one position, from its entry order to its exit or settlement.';
COMMENT ON COLUMN trades.trade_id IS 'Number of the trade.';
COMMENT ON COLUMN trades.strategy IS 'Name of the strategy in recio.toml; manual for trades that a person asked for.';
COMMENT ON COLUMN trades.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN trades.event_ticker IS 'The venue''s name of the event that the market belongs to.';
COMMENT ON COLUMN trades.exchange_index IS 'Shard of the venue; from its event, NULL while it named none.';
COMMENT ON COLUMN trades.side IS 'yes or no: which contract is held.';
COMMENT ON COLUMN trades.state IS 'opening, open, closing, closed or void; the legal moves are a trigger''s.';
COMMENT ON COLUMN trades.opened_at IS 'UTC, when the entry was decided.';
COMMENT ON COLUMN trades.closes_at IS 'UTC, when the market closes; from the venue.';
COMMENT ON COLUMN trades.closed_at IS 'UTC, when it ended; NULL while it is live.';
COMMENT ON COLUMN trades.ended_by IS 'exit, settlement or no fill; NULL while it is live.';
COMMENT ON COLUMN trades.payout IS 'Dollars that the settlement paid, before fees.';
COMMENT ON COLUMN trades.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN trades.inputs IS 'What the decision saw: JSON by name.';
COMMENT ON COLUMN trades.entry_quantity IS 'Contracts bought; each fill adds itself.';
COMMENT ON COLUMN trades.entry_cost IS 'Dollars paid for them, in prices of the side bought, without fees.';
COMMENT ON COLUMN trades.exit_quantity IS 'Contracts sold; each fill adds itself.';
COMMENT ON COLUMN trades.exit_proceeds IS 'Dollars received for them, in prices of the side bought, without fees.';
COMMENT ON COLUMN trades.fees IS 'Dollars of fees of all its fills, from the venue.';
COMMENT ON COLUMN trades.exits_met IS 'Exit orders that met a book, whatever they got of it: each lets the next be content with less.';
COMMENT ON COLUMN trades.is_live IS 'Made from state: it is neither closed nor void. Not has_ended, which a test compares with it.';

-- One live trade per market at most. The states are those of has_ended; a test compares them.
CREATE UNIQUE INDEX IF NOT EXISTS trades_one_live_per_market
    ON trades (ticker) WHERE state NOT IN ('closed', 'void');
CREATE INDEX IF NOT EXISTS trades_settled ON trades (ticker) WHERE ended_by = 'settlement';
CREATE INDEX IF NOT EXISTS trades_live ON trades (trade_id) WHERE is_live;
CREATE INDEX IF NOT EXISTS trades_by_end ON trades (closed_at, trade_id) WHERE NOT is_live;

-- True while an order may still trade or may still turn out to have traded. rules/account/lifecycle.py calls it UNPROVEN.
CREATE OR REPLACE FUNCTION is_unproven(order_state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT order_state IN ('pending', 'unknown', 'resting')
$$;

-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS orders (
    client_order_id text PRIMARY KEY CHECK (length(client_order_id) <= 64),
    trade_id bigint NOT NULL REFERENCES trades,
    purpose text NOT NULL CHECK (purpose IN ('entry', 'exit')),
    attempt integer NOT NULL CHECK (attempt > 0),
    ticker text NOT NULL,
    exchange_index integer,
    book_side text NOT NULL CHECK (book_side IN ('bid', 'ask')),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    filled numeric(14, 2) NOT NULL DEFAULT 0 CHECK (filled >= 0 AND filled <= quantity),
    reserved numeric(18, 6) NOT NULL CHECK (reserved >= 0),
    ask numeric(6, 4) CHECK (ask > 0 AND ask < 1),
    model_value numeric(8, 6) CHECK (model_value >= 0 AND model_value <= 1),
    state text NOT NULL
        CHECK (state IN ('pending', 'unknown', 'resting', 'filled', 'cancelled', 'rejected', 'not_found')),
    venue_order_id text UNIQUE,
    fencing bigint NOT NULL REFERENCES runs,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    note text NOT NULL DEFAULT '',
    by_fills numeric(14, 2) NOT NULL DEFAULT 0 CHECK (by_fills >= 0),
    is_unfinished boolean NOT NULL
        GENERATED ALWAYS AS (state IN ('pending', 'unknown', 'resting') OR by_fills < filled) STORED,
    UNIQUE (trade_id, purpose, attempt),
    CHECK ((state IN ('filled', 'cancelled', 'rejected', 'not_found')) = (ended_at IS NOT NULL)),
    CHECK (state NOT IN ('resting', 'filled', 'cancelled') OR venue_order_id IS NOT NULL),
    CHECK (state NOT IN ('rejected', 'not_found') OR filled = 0)
);
COMMENT ON TABLE orders IS 'Writer: trade_manager. The row is committed before the request is sent. pending: not answered yet. unknown: sent, but nobody knows what became of it. not_found: proven never to have existed at the venue.';
COMMENT ON COLUMN orders.client_order_id IS 'Our key for the order, sent to the venue: recio-TAG-TRADE-PURPOSE-ATTEMPT.';
COMMENT ON COLUMN orders.trade_id IS 'The trade.';
COMMENT ON COLUMN orders.purpose IS 'entry or exit.';
COMMENT ON COLUMN orders.attempt IS 'Which order of its trade and purpose, from 1.';
COMMENT ON COLUMN orders.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN orders.exchange_index IS 'Shard of the venue; from its event, NULL while it named none.';
COMMENT ON COLUMN orders.book_side IS 'bid or ask in the one YES book: a bid buys YES or sells NO.';
COMMENT ON COLUMN orders.price IS 'Dollars per contract in YES terms: the limit.';
COMMENT ON COLUMN orders.quantity IS 'Contracts asked for.';
COMMENT ON COLUMN orders.filled IS 'Contracts filled, as the venue''s answers say.';
COMMENT ON COLUMN orders.reserved IS 'Dollars: the most the order can cost. It counts against the limits until the order has a proven end.';
COMMENT ON COLUMN orders.ask IS 'Dollars per contract of the side bought: the best ask when it was decided. NULL for exits.';
COMMENT ON COLUMN orders.model_value IS 'Dollars per contract of the side bought: what the model said it is worth. NULL for exits.';
COMMENT ON COLUMN orders.state IS 'pending: not answered yet. unknown: sent, and nobody knows what became of it. resting, filled, cancelled, rejected: as the venue says. not_found: proven never to have existed there.';
COMMENT ON COLUMN orders.venue_order_id IS 'The venue''s key for the order; NULL until its answer.';
COMMENT ON COLUMN orders.fencing IS 'The run that wrote it.';
COMMENT ON COLUMN orders.created_at IS 'UTC, by recio''s clock: when the row was written, before the request.';
COMMENT ON COLUMN orders.ended_at IS 'UTC, by recio''s clock; NULL until it has a proven end.';
COMMENT ON COLUMN orders.note IS 'The venue''s words about its end.';
COMMENT ON COLUMN orders.by_fills IS 'Contracts of its fills. They may come before its answer, or after it.';
COMMENT ON COLUMN orders.is_unfinished IS 'Made from state and fills: it is unproven, or fills that the venue counted are still to come. What is unproven stands in rules/account/lifecycle.py too; a test compares them.';

CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at);
CREATE INDEX IF NOT EXISTS orders_unfinished ON orders (created_at) WHERE is_unfinished;
CREATE INDEX IF NOT EXISTS orders_unfinished_by_trade ON orders (trade_id) WHERE is_unfinished;
-- One unproven order per trade at most. The states are those of is_unproven; a test compares them.
CREATE UNIQUE INDEX IF NOT EXISTS orders_one_unproven_per_trade
    ON orders (trade_id) WHERE state IN ('pending', 'unknown', 'resting');

-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS fills (
    fill_id text PRIMARY KEY,
    venue_order_id text NOT NULL,
    ticker text NOT NULL,
    book_side text NOT NULL CHECK (book_side IN ('bid', 'ask')),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    fee numeric(18, 6) NOT NULL,
    is_taker boolean NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE fills IS 'Writer: trade_manager. Every fill of the account, also of orders that recio did not place. A fill may arrive before the answer to its order. So it carries the venue''s order id, not ours.';
COMMENT ON COLUMN fills.fill_id IS 'The venue''s trade id.';
COMMENT ON COLUMN fills.venue_order_id IS 'The venue''s order id; the order may not know it yet.';
COMMENT ON COLUMN fills.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN fills.book_side IS 'bid or ask in the one YES book: a bid buys YES or sells NO.';
COMMENT ON COLUMN fills.price IS 'Dollars per contract in YES terms, from the venue.';
COMMENT ON COLUMN fills.quantity IS 'Contracts, from the venue.';
COMMENT ON COLUMN fills.fee IS 'Dollars that the venue charged, rounding included; negative: a rebate.';
COMMENT ON COLUMN fills.is_taker IS 'Whether our order took liquidity, from the venue.';
COMMENT ON COLUMN fills.at IS 'UTC, from the venue.';
CREATE INDEX IF NOT EXISTS fills_by_order ON fills (venue_order_id);
CREATE INDEX IF NOT EXISTS fills_by_time ON fills (at);

-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS settlements (
    ticker text PRIMARY KEY,
    result text NOT NULL CHECK (result IN ('yes', 'no', 'scalar')),
    value numeric(6, 4) NOT NULL CHECK (value BETWEEN 0 AND 1),
    settled_at timestamptz NOT NULL,
    revenue_cents bigint NOT NULL,
    revision integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    set_by text NOT NULL DEFAULT '',
    CONSTRAINT settlements_value_of_result CHECK (CASE result WHEN 'yes' THEN value = 1 WHEN 'no' THEN value = 0 ELSE true END)
);
COMMENT ON TABLE settlements IS 'Writer: trade_manager. How the markets settled that the account held. The venue may correct itself later: the row is its last word, and each word before has its own posting. A person may settle a market whose end cannot be known (settlement_requests); any word of the venue outweighs that.';
COMMENT ON COLUMN settlements.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN settlements.result IS 'yes, no or scalar, from the venue.';
COMMENT ON COLUMN settlements.value IS 'Dollars that one contract of YES pays; one of NO pays the rest of the dollar.';
COMMENT ON COLUMN settlements.settled_at IS 'UTC, from the venue.';
COMMENT ON COLUMN settlements.revenue_cents IS 'Cents that the venue says it paid for the position.';
COMMENT ON COLUMN settlements.revision IS 'Which word of the venue this is, from 1; it may correct itself.';
COMMENT ON COLUMN settlements.set_by IS 'Who settled it manually. Empty: the venue.';

CREATE INDEX IF NOT EXISTS settlements_manual ON settlements (settled_at) WHERE set_by <> '';

-- Writer: failure_detector and `recio halt`; `recio resume` clears.
CREATE TABLE IF NOT EXISTS halts (
    halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level text NOT NULL DEFAULT 'halt' CHECK (level IN ('halt', 'flatten', 'stop')),
    cause text NOT NULL,
    since timestamptz NOT NULL,
    set_by text NOT NULL,
    resolution text NOT NULL,
    cleared_at timestamptz,
    cleared_by text,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_trade bigint,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);
COMMENT ON TABLE halts IS 'Writer: failure_detector and `recio halt`; `recio resume` clears. A halt stays in force over restarts.';
COMMENT ON COLUMN halts.halt_id IS 'Number of the halt.';
COMMENT ON COLUMN halts.level IS 'halt: no entries. flatten: sell as well. stop: end the daemon as well.';
COMMENT ON COLUMN halts.cause IS 'Why, in words; one in force per cause.';
COMMENT ON COLUMN halts.since IS 'UTC, by the clock of whoever set it.';
COMMENT ON COLUMN halts.set_by IS 'A task, or a person''s name.';
COMMENT ON COLUMN halts.resolution IS 'What ends it, in words.';
COMMENT ON COLUMN halts.cleared_at IS 'UTC; NULL: in force.';
COMMENT ON COLUMN halts.cleared_by IS 'A person''s name; NULL: in force.';
COMMENT ON COLUMN halts.set_at IS 'UTC, by the database''s clock. Times to verification are measured from here.';
COMMENT ON COLUMN halts.after_trade IS 'The newest trade when the halt was set. Once it is cleared, losses and refusals up to this trade no longer count.';
CREATE UNIQUE INDEX IF NOT EXISTS halts_one_per_cause ON halts (cause) WHERE cleared_at IS NULL;
CREATE INDEX IF NOT EXISTS halts_in_force ON halts (halt_id) WHERE cleared_at IS NULL;
CREATE INDEX IF NOT EXISTS halts_cleared ON halts (cause, halt_id) WHERE cleared_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS halts_forgiving ON halts (after_trade) WHERE cleared_at IS NOT NULL;

-- Writer: kill_switch.
CREATE TABLE IF NOT EXISTS halt_verifications (
    halt_id bigint PRIMARY KEY REFERENCES halts,
    cancelled integer NOT NULL CHECK (cancelled >= 0),
    verified_at timestamptz,
    flat_at timestamptz
);
COMMENT ON TABLE halt_verifications IS 'Writer: kill_switch. Proof at the venue that a halt took effect: no resting order (verified), no position (flat).';
COMMENT ON COLUMN halt_verifications.halt_id IS 'The halt.';
COMMENT ON COLUMN halt_verifications.cancelled IS 'Orders that were cancelled at the venue.';
COMMENT ON COLUMN halt_verifications.verified_at IS 'UTC, when the venue showed no resting order; NULL: not yet.';
COMMENT ON COLUMN halt_verifications.flat_at IS 'UTC, when the venue showed no position; NULL: not yet, or not asked for.';

-- Writer: kill_switch.
CREATE TABLE IF NOT EXISTS order_groups (
    group_id text PRIMARY KEY,
    exchange_index integer,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone_at timestamptz
);
COMMENT ON TABLE order_groups IS 'Writer: kill_switch. The venue''s order groups that entries are placed in. The newest of a shard is in use.';
COMMENT ON COLUMN order_groups.group_id IS 'The venue''s id of the group.';
COMMENT ON COLUMN order_groups.exchange_index IS 'Shard of the venue; from its event, NULL while it named none.';
COMMENT ON COLUMN order_groups.made_at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN order_groups.gone_at IS 'UTC, when the venue no longer had it; NULL: in use.';
CREATE INDEX IF NOT EXISTS order_groups_in_use ON order_groups (made_at) WHERE gone_at IS NULL;

-- Writer: account_sync.
CREATE TABLE IF NOT EXISTS opening_balances (
    opening_balance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    venue_balance numeric(18, 6) NOT NULL,
    ledger_cash numeric(18, 6) NOT NULL,
    halts_before bigint NOT NULL,
    under_way text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE opening_balances IS 'Writer: account_sync. The opening balance is venue_balance - ledger_cash: deposits, withdrawals and all that happened before the ledger began. The newest row is in force. A new one needs movements that the venue lists (cash_movements) or a person''s consent: a halt about the cash difference, newer than `halts_before`, that somebody cleared.';
COMMENT ON COLUMN opening_balances.opening_balance_id IS 'Number of the row; the newest is in force.';
COMMENT ON COLUMN opening_balances.at IS 'UTC, by the venue''s clock: since when its balance was this.';
COMMENT ON COLUMN opening_balances.venue_balance IS 'Dollars, from the venue.';
COMMENT ON COLUMN opening_balances.ledger_cash IS 'Dollars: the ledger''s cash at that moment.';
COMMENT ON COLUMN opening_balances.halts_before IS 'The newest halt then; a new row needs a halt about cash, newer than this, that somebody cleared.';
COMMENT ON COLUMN opening_balances.under_way IS 'Movements of money that the venue listed as under way then: they are not in the balance.';

-- Writer: account_sync.
CREATE TABLE IF NOT EXISTS cash_agreement (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL
);
COMMENT ON TABLE cash_agreement IS 'Writer: account_sync. When the venue''s balance was last what ledger and opening balance make of it, noted every ten minutes at most: what was moved before explains no later difference.';
COMMENT ON COLUMN cash_agreement.only_row IS 'There is one row.';
COMMENT ON COLUMN cash_agreement.at IS 'UTC, by the venue''s clock.';

-- Writer: account_sync.
CREATE TABLE IF NOT EXISTS cash_movements (
    name text PRIMARY KEY CHECK (name <> ''),
    amount numeric(18, 6) NOT NULL,
    at timestamptz NOT NULL,
    opening_balance_id bigint NOT NULL REFERENCES opening_balances
);
COMMENT ON TABLE cash_movements IS 'Writer: account_sync. Money that was moved at the venue without a trade, and the opening balance that has it in it.';
COMMENT ON COLUMN cash_movements.name IS 'The kind and the venue''s own number: one of each.';
COMMENT ON COLUMN cash_movements.amount IS 'Dollars, from the venue; negative: it left the account.';
COMMENT ON COLUMN cash_movements.at IS 'UTC, from the venue.';
COMMENT ON COLUMN cash_movements.opening_balance_id IS 'The opening balance that has it in it.';

-- Writer: status_http and `recio switch`.
CREATE TABLE IF NOT EXISTS switches (
    switch_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL CHECK (name IN ('entry', 'exit')),
    is_on boolean NOT NULL,
    at timestamptz NOT NULL,
    set_by text NOT NULL CHECK (set_by <> ''),
    why text NOT NULL DEFAULT '',
    strategy text NOT NULL DEFAULT '',
    -- No index by number alone: the newest row of a strategy that was never switched would be looked for through all rows.
    PRIMARY KEY (name, strategy, switch_id),
    CONSTRAINT switches_of_a_strategy CHECK (strategy = '' OR name = 'entry')
);
COMMENT ON TABLE switches IS 'Writer: status_http and `recio switch`. The newest row of a name and a strategy says whether it is on. Without a row it is on.';
COMMENT ON COLUMN switches.switch_id IS 'Number of the row; the newest of a name and a strategy is in force.';
COMMENT ON COLUMN switches.name IS 'entry or exit.';
COMMENT ON COLUMN switches.is_on IS 'Whether it is on from here on.';
COMMENT ON COLUMN switches.at IS 'UTC, by the clock of whoever switched.';
COMMENT ON COLUMN switches.set_by IS 'A person''s name.';
COMMENT ON COLUMN switches.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN switches.strategy IS 'Name of the strategy in recio.toml whose entries it switches; empty: those of all.';

-- Writer: trade_manager and failure_detector and app and status_http and `recio close` and `recio forgo` and `recio halt` and `recio limits` and `recio switch` and `recio trade`.
CREATE TABLE IF NOT EXISTS audit_log (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    trade_id bigint REFERENCES trades,
    client_order_id text REFERENCES orders,
    detail jsonb NOT NULL,
    seal bytea NOT NULL
);
COMMENT ON TABLE audit_log IS 'Writer: trade_manager and failure_detector and app and status_http and `recio close` and `recio forgo` and `recio halt` and `recio limits` and `recio switch` and `recio trade`. What was decided and done, written in the transaction that does it. Append-only.';
COMMENT ON COLUMN audit_log.seq IS 'Number of the row, ascending.';
COMMENT ON COLUMN audit_log.at IS 'UTC, by the clock of whoever did it.';
COMMENT ON COLUMN audit_log.kind IS 'What was decided or done.';
COMMENT ON COLUMN audit_log.trade_id IS 'The trade it is about; NULL: none.';
COMMENT ON COLUMN audit_log.client_order_id IS 'The order it is about; NULL: none.';
COMMENT ON COLUMN audit_log.detail IS 'What else is to be known: JSON by name, money as decimal strings.';
COMMENT ON COLUMN audit_log.seal IS 'SHA-256 over the row and the seal before it.';
CREATE INDEX IF NOT EXISTS audit_log_by_trade ON audit_log (trade_id);

CREATE OR REPLACE FUNCTION refuse_audit_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_log_change();

-- A hash chain: each seal covers its row and the seal before. A changed, removed or inserted row breaks the chain.
CREATE OR REPLACE FUNCTION audit_log_seal(previous bytea, sealed audit_log) RETURNS bytea LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN sha256(coalesce(previous, ''::bytea) || convert_to(jsonb_build_array(
        sealed.seq, to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), sealed.kind,
        sealed.trade_id, sealed.client_order_id, sealed.detail)::text, 'UTF8'));
END $$;
CREATE OR REPLACE FUNCTION seal_audit_log_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_seq bigint;
    last_seal bytea;
BEGIN
    -- The number is given under the lock: whoever drew one before would be refused when another was faster.
    PERFORM pg_advisory_xact_lock(1919247210);
    SELECT seq, seal INTO last_seq, last_seal FROM audit_log ORDER BY seq DESC LIMIT 1;
    NEW.seq := coalesce(last_seq, 0) + 1;
    NEW.seal := audit_log_seal(last_seal, NEW);
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER audit_log_rows_are_sealed BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION seal_audit_log_row();

-- The first row after `since` whose seal does not match. NULL: the chain is intact.
CREATE OR REPLACE FUNCTION audit_log_breaks_at(since bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT min(linked.seq) FROM (
        SELECT logged.seq, logged.seal IS DISTINCT FROM audit_log_seal(lag(logged.seal) OVER (ORDER BY logged.seq), logged)
            AS broken
        FROM audit_log AS logged WHERE logged.seq >= since
    ) AS linked
    WHERE linked.broken AND linked.seq > since
$$;

-- The legal state changes of an order (rules/account/lifecycle.py has the same), and the columns that never change.
CREATE OR REPLACE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.client_order_id, NEW.trade_id, NEW.purpose, NEW.attempt, NEW.ticker, NEW.book_side, NEW.price,
        NEW.quantity, NEW.ask, NEW.model_value, NEW.reserved, NEW.fencing, NEW.created_at)
       IS DISTINCT FROM
       (OLD.client_order_id, OLD.trade_id, OLD.purpose, OLD.attempt, OLD.ticker, OLD.book_side, OLD.price,
        OLD.quantity, OLD.ask, OLD.model_value, OLD.reserved, OLD.fencing, OLD.created_at) THEN
        RAISE EXCEPTION 'order %: an intent cannot change', OLD.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.venue_order_id IS NOT NULL AND NEW.venue_order_id IS DISTINCT FROM OLD.venue_order_id THEN
        RAISE EXCEPTION 'order %: the venue order id cannot change', OLD.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.filled < OLD.filled THEN
        RAISE EXCEPTION 'order %: filled cannot shrink', OLD.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (CASE OLD.state
        WHEN 'pending' THEN
            NEW.state IN ('unknown', 'resting', 'filled', 'cancelled', 'rejected', 'not_found')
        WHEN 'unknown' THEN NEW.state IN ('resting', 'filled', 'cancelled', 'not_found')
        WHEN 'resting' THEN NEW.state IN ('filled', 'cancelled')
        ELSE false
    END) THEN
        RAISE EXCEPTION 'order %: % cannot become %', OLD.client_order_id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER orders_move_legally BEFORE UPDATE ON orders
    FOR EACH ROW EXECUTE FUNCTION check_order_move();

CREATE OR REPLACE FUNCTION check_trade_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND NOT (CASE OLD.state
        WHEN 'opening' THEN NEW.state IN ('open', 'void')
        WHEN 'open' THEN NEW.state IN ('closing', 'closed')
        WHEN 'closing' THEN NEW.state IN ('open', 'closed')
        ELSE false
    END) THEN
        RAISE EXCEPTION 'trade %: % cannot become %', OLD.trade_id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER trades_move_legally BEFORE UPDATE ON trades
    FOR EACH ROW EXECUTE FUNCTION check_trade_move();

-- An exit that was accepted has met a book. One that was refused, or never arrived, has not.
CREATE OR REPLACE FUNCTION count_exit_met() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE trades SET exits_met = exits_met + 1 WHERE trade_id = NEW.trade_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER exits_that_met_a_book_are_counted AFTER UPDATE OF state ON orders
    FOR EACH ROW WHEN (NEW.purpose = 'exit' AND NEW.state IN ('filled', 'cancelled') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION count_exit_met();

-- A new order is pending. No row may claim to have been sent already.
CREATE OR REPLACE FUNCTION check_new_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'pending' OR NEW.filled <> 0 OR NEW.venue_order_id IS NOT NULL THEN
        RAISE EXCEPTION 'order %: a new order must be pending', NEW.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Fencing: a daemon that lost its lock without noticing cannot write orders once a later run has begun.
    IF NEW.fencing < (SELECT max(fencing) FROM runs) THEN
        RAISE EXCEPTION 'order %: run % is over, a later run has begun', NEW.client_order_id, NEW.fencing
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER new_orders_are_pending BEFORE INSERT ON orders
    FOR EACH ROW EXECUTE FUNCTION check_new_order();

-- Realised profit of an ended trade; of a live one it is cash out minus cash in so far.
CREATE OR REPLACE FUNCTION pnl_of(trade trades) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT trade.exit_proceeds + trade.payout - trade.entry_cost - trade.fees
$$;
-- The figures of each trade by the names that they have in queries.
CREATE OR REPLACE VIEW trade_figures AS
SELECT t.trade_id, t.entry_quantity, t.entry_cost, t.exit_quantity, t.exit_proceeds, t.fees, pnl_of(t) AS pnl
FROM trades AS t;

-- The same figures summed anew from the fills. Never asked on an order's path: general_ledger.prove() compares both.
CREATE OR REPLACE VIEW filled_trades AS
SELECT o.trade_id,
    coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_quantity,
    coalesce(sum(f.quantity * own_price(t.side, f.price)) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_cost,
    coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_quantity,
    coalesce(sum(f.quantity * own_price(t.side, f.price)) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_proceeds,
    coalesce(sum(f.fee), 0) AS fees
FROM fills AS f JOIN orders AS o ON o.venue_order_id = f.venue_order_id JOIN trades AS t ON t.trade_id = o.trade_id
GROUP BY o.trade_id;

-- Counters. They are kept in the transaction that changes what they count, so that nothing is ever summed on an order's
-- path. count_anew() makes them from the rows. general_ledger.prove() compares both at each start.

-- Writer: trade_manager, with each closed trade.
CREATE TABLE IF NOT EXISTS day_figures (
    day date PRIMARY KEY,
    realised numeric(18, 6) NOT NULL,
    fees numeric(18, 6) NOT NULL,
    wins integer NOT NULL,
    losses integer NOT NULL
);
COMMENT ON TABLE day_figures IS 'Writer: trade_manager, with each closed trade. What the trades of a day of UTC came to.';
COMMENT ON COLUMN day_figures.day IS 'Day of UTC.';
COMMENT ON COLUMN day_figures.realised IS 'Dollars of net profit of the trades that closed that day.';
COMMENT ON COLUMN day_figures.fees IS 'Dollars of their fees.';
COMMENT ON COLUMN day_figures.wins IS 'Trades with a profit.';
COMMENT ON COLUMN day_figures.losses IS 'Trades with a loss.';

-- Writer: trade_manager, with each trade.
CREATE TABLE IF NOT EXISTS event_entries (
    event_ticker text PRIMARY KEY,
    closes_at timestamptz NOT NULL,
    entries integer NOT NULL CHECK (entries >= 0)
);
COMMENT ON TABLE event_entries IS 'Writer: trade_manager, with each trade. Entries of an event, void ones left out.';
COMMENT ON COLUMN event_entries.event_ticker IS 'The venue''s name of the event that the market belongs to.';
COMMENT ON COLUMN event_entries.closes_at IS 'UTC, the last close that its trades were told.';
COMMENT ON COLUMN event_entries.entries IS 'Trades of the event, void ones left out.';
CREATE INDEX IF NOT EXISTS event_entries_by_close ON event_entries (closes_at);

-- Writer: trade_manager, with each trade.
CREATE TABLE IF NOT EXISTS market_entries (
    ticker text PRIMARY KEY,
    closes_at timestamptz NOT NULL,
    entries integer NOT NULL CHECK (entries >= 0),
    last_entry_at timestamptz NOT NULL
);
COMMENT ON TABLE market_entries IS 'Writer: trade_manager, with each trade. Entries of a market, void ones left out; the last entry may be a void one.';
COMMENT ON COLUMN market_entries.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN market_entries.closes_at IS 'UTC, the last close that its trades were told.';
COMMENT ON COLUMN market_entries.entries IS 'Trades of the market, void ones left out.';
COMMENT ON COLUMN market_entries.last_entry_at IS 'UTC, when the last of its trades was decided, void ones included.';
CREATE INDEX IF NOT EXISTS market_entries_by_close ON market_entries (closes_at);

-- Writer: trade_manager, with each closed trade.
CREATE TABLE IF NOT EXISTS loss_run (
    trade_id bigint PRIMARY KEY REFERENCES trades,
    closed_at timestamptz NOT NULL,
    lost boolean NOT NULL
);
COMMENT ON TABLE loss_run IS 'Writer: trade_manager, with each closed trade. The last gain, and the losing trades since. Losses that a cleared halt forgave are taken out with the next loss.';
COMMENT ON COLUMN loss_run.trade_id IS 'The trade.';
COMMENT ON COLUMN loss_run.closed_at IS 'UTC, when the trade closed.';
COMMENT ON COLUMN loss_run.lost IS 'True: a loss since the last gain. False: that gain.';
CREATE UNIQUE INDEX IF NOT EXISTS loss_run_one_gain ON loss_run (lost) WHERE NOT lost;

-- The newest trade whose loss no longer counts: the last cleared halt came after it. 0: none.
CREATE OR REPLACE FUNCTION forgiven_up_to() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT max(after_trade) FROM halts WHERE cleared_at IS NOT NULL), 0)
$$;

-- The losing trades since the last winning one, and since the last halt that somebody cleared.
-- A trade that made exactly nothing neither counts nor ends the run of losses.
CREATE OR REPLACE FUNCTION losing_trades() RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT trade_id FROM loss_run WHERE lost AND trade_id > (SELECT forgiven_up_to()) ORDER BY trade_id)
$$;
-- rules/account/losses.py is the same in Python; a test compares them.
CREATE OR REPLACE FUNCTION losses_in_a_row() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT cardinality(losing_trades())
$$;

CREATE OR REPLACE VIEW counted_loss_run AS
WITH gain AS (
    SELECT t.trade_id, t.closed_at FROM trades AS t WHERE NOT t.is_live AND t.state = 'closed' AND pnl_of(t) > 0
    ORDER BY t.closed_at DESC, t.trade_id DESC LIMIT 1)
SELECT trade_id, closed_at, false AS lost FROM gain
UNION ALL
SELECT t.trade_id, t.closed_at, true FROM trades AS t LEFT JOIN gain AS g ON true
WHERE NOT t.is_live AND t.state = 'closed' AND pnl_of(t) < 0
    AND (g.trade_id IS NULL OR (t.closed_at, t.trade_id) > (g.closed_at, g.trade_id));

-- What a closed trade does to the run of losses. `was` is the sign of its profit before, 0 while it was not closed.
CREATE OR REPLACE FUNCTION count_in_loss_run(trade trades, was numeric, now numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF was > 0 THEN
        -- A late fill or a correction took a gain away: rare, and then only the rows know which gain is the last.
        DELETE FROM loss_run;
        INSERT INTO loss_run SELECT * FROM counted_loss_run;
        RETURN;
    END IF;
    DELETE FROM loss_run WHERE trade_id = trade.trade_id;
    IF now = 0 OR EXISTS (
        SELECT FROM loss_run AS r WHERE NOT r.lost AND (r.closed_at, r.trade_id) > (trade.closed_at, trade.trade_id)) THEN
        RETURN;
    END IF;
    DELETE FROM loss_run AS r WHERE CASE WHEN now > 0
        THEN (r.closed_at, r.trade_id) < (trade.closed_at, trade.trade_id)
        ELSE r.lost AND r.trade_id <= (SELECT forgiven_up_to()) END;
    INSERT INTO loss_run VALUES (trade.trade_id, trade.closed_at, now < 0);
END $$;

CREATE OR REPLACE FUNCTION count_in_day(trade trades, times integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO day_figures AS d (day, realised, fees, wins, losses)
    VALUES ((trade.closed_at AT TIME ZONE 'UTC')::date, times * pnl_of(trade), times * trade.fees,
        times * (pnl_of(trade) > 0)::integer, times * (pnl_of(trade) < 0)::integer)
    ON CONFLICT (day) DO UPDATE SET realised = d.realised + excluded.realised, fees = d.fees + excluded.fees,
        wins = d.wins + excluded.wins, losses = d.losses + excluded.losses
$$;

CREATE OR REPLACE FUNCTION count_entry(trade trades) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event_entries AS e (event_ticker, closes_at, entries)
    VALUES (trade.event_ticker, trade.closes_at, (trade.state <> 'void')::integer)
    ON CONFLICT (event_ticker) DO UPDATE SET
        closes_at = greatest(e.closes_at, excluded.closes_at), entries = e.entries + excluded.entries;
    INSERT INTO market_entries AS m (ticker, closes_at, entries, last_entry_at)
    VALUES (trade.ticker, trade.closes_at, (trade.state <> 'void')::integer, trade.opened_at)
    ON CONFLICT (ticker) DO UPDATE SET closes_at = greatest(m.closes_at, excluded.closes_at),
        entries = m.entries + excluded.entries, last_entry_at = greatest(m.last_entry_at, excluded.last_entry_at);
$$;

CREATE OR REPLACE FUNCTION count_trade() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was numeric := 0;
    is_now numeric := 0;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM count_entry(NEW);
    ELSE
        IF NEW.state = 'void' AND OLD.state <> 'void' THEN
            UPDATE event_entries SET entries = entries - 1 WHERE event_ticker = NEW.event_ticker;
            UPDATE market_entries SET entries = entries - 1 WHERE ticker = NEW.ticker;
        END IF;
        IF OLD.state = 'closed' THEN
            was := sign(pnl_of(OLD));
            PERFORM count_in_day(OLD, -1);
        END IF;
    END IF;
    IF NEW.state = 'closed' THEN
        is_now := sign(pnl_of(NEW));
        PERFORM count_in_day(NEW, 1);
    END IF;
    IF was <> is_now THEN
        PERFORM count_in_loss_run(NEW, was, is_now);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER new_trades_are_counted AFTER INSERT ON trades
    FOR EACH ROW EXECUTE FUNCTION count_trade();
CREATE OR REPLACE TRIGGER ended_trades_are_counted AFTER UPDATE ON trades
    FOR EACH ROW WHEN (NEW.state IN ('closed', 'void') OR OLD.state = 'closed') EXECUTE FUNCTION count_trade();

-- Entries are counted for an hour after the last close that was ever told of them: one that is moved nearer is only said.
CREATE OR REPLACE FUNCTION count_moved_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE event_entries SET closes_at = greatest(closes_at, NEW.closes_at) WHERE event_ticker = NEW.event_ticker;
    UPDATE market_entries SET closes_at = greatest(closes_at, NEW.closes_at) WHERE ticker = NEW.ticker;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER moved_closes_are_counted AFTER UPDATE OF closes_at ON trades
    FOR EACH ROW WHEN (NEW.closes_at > OLD.closes_at) EXECUTE FUNCTION count_moved_close();

-- One fill of a trade's order, added to the trade's figures.
CREATE OR REPLACE FUNCTION add_fill(to_trade bigint, is_entry boolean, added fills) RETURNS void LANGUAGE sql AS $$
    UPDATE trades SET
        entry_quantity = entry_quantity + CASE WHEN is_entry THEN added.quantity ELSE 0 END,
        entry_cost = entry_cost + CASE WHEN is_entry THEN added.quantity * own_price(side, added.price) ELSE 0 END,
        exit_quantity = exit_quantity + CASE WHEN is_entry THEN 0 ELSE added.quantity END,
        exit_proceeds = exit_proceeds + CASE WHEN is_entry THEN 0 ELSE added.quantity * own_price(side, added.price) END,
        fees = fees + added.fee
    WHERE trade_id = to_trade
$$;
-- A fill of an order that has its answer. Any other fill waits for its order below.
CREATE OR REPLACE FUNCTION count_fill() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    filled_order orders;
BEGIN
    UPDATE orders SET by_fills = by_fills + NEW.quantity WHERE venue_order_id = NEW.venue_order_id
        RETURNING * INTO filled_order;
    IF FOUND THEN
        PERFORM add_fill(filled_order.trade_id, filled_order.purpose = 'entry', NEW);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER fills_are_counted AFTER INSERT ON fills
    FOR EACH ROW EXECUTE FUNCTION count_fill();
-- An order that learns its number at the venue finds the fills that came before.
CREATE OR REPLACE FUNCTION count_earlier_fills() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    earlier fills;
BEGIN
    FOR earlier IN SELECT * FROM fills WHERE venue_order_id = NEW.venue_order_id LOOP
        NEW.by_fills := NEW.by_fills + earlier.quantity;
        PERFORM add_fill(NEW.trade_id, NEW.purpose = 'entry', earlier);
    END LOOP;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER orders_find_earlier_fills BEFORE UPDATE OF venue_order_id ON orders
    FOR EACH ROW WHEN (OLD.venue_order_id IS NULL AND NEW.venue_order_id IS NOT NULL)
    EXECUTE FUNCTION count_earlier_fills();

-- Writer: entry, every few seconds.
CREATE TABLE IF NOT EXISTS rejections (
    event_ticker text NOT NULL,
    strategy text NOT NULL,
    gate text NOT NULL CHECK (gate <> ''),
    cycles bigint NOT NULL CHECK (cycles > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL CHECK (last_at >= first_at),
    sentence text NOT NULL,
    PRIMARY KEY (event_ticker, strategy, gate)
);
COMMENT ON TABLE rejections IS 'Writer: entry, every few seconds. Why no trade was opened: how often each gate was the first to refuse.';
COMMENT ON COLUMN rejections.event_ticker IS 'The venue''s name of the event that the market belongs to.';
COMMENT ON COLUMN rejections.strategy IS 'Name of the strategy in recio.toml; manual for trades that a person asked for.';
COMMENT ON COLUMN rejections.gate IS 'Name of the gate that was the first to refuse.';
COMMENT ON COLUMN rejections.cycles IS 'How often.';
COMMENT ON COLUMN rejections.first_at IS 'UTC, by recio''s clock.';
COMMENT ON COLUMN rejections.last_at IS 'UTC, by recio''s clock.';
COMMENT ON COLUMN rejections.sentence IS 'The gate''s words the last time.';
CREATE INDEX IF NOT EXISTS rejections_by_time ON rejections (last_at);

-- Writer: entry, every few seconds.
CREATE TABLE IF NOT EXISTS momentum_pauses (
    strategy text NOT NULL,
    symbol text NOT NULL,
    minute bigint NOT NULL CHECK (minute > 0),
    peak double precision NOT NULL CHECK (peak >= 0),
    calm integer NOT NULL CHECK (calm >= 0),
    PRIMARY KEY (strategy, symbol)
);
COMMENT ON TABLE momentum_pauses IS 'Writer: entry, every few seconds. The pauses for momentum that last, so that a restart does not end them.';
COMMENT ON COLUMN momentum_pauses.strategy IS 'Name of the strategy in recio.toml; manual for trades that a person asked for.';
COMMENT ON COLUMN momentum_pauses.symbol IS 'Coin, as BTC.';
COMMENT ON COLUMN momentum_pauses.minute IS 'Unix minute, the newest that is counted in.';
COMMENT ON COLUMN momentum_pauses.peak IS 'Basis points: the highest momentum since the pause began, without its sign.';
COMMENT ON COLUMN momentum_pauses.calm IS 'Minutes in a row that have been calm so far.';

-- Writer: exit, every second.
CREATE TABLE IF NOT EXISTS exit_memories (
    trade_id bigint PRIMARY KEY REFERENCES trades,
    memory jsonb NOT NULL CHECK (jsonb_typeof(memory) = 'object')
);
COMMENT ON TABLE exit_memories IS 'Writer: exit, every second. What the exit rule remembers of a trade, while it is held.';
COMMENT ON COLUMN exit_memories.trade_id IS 'The trade.';
COMMENT ON COLUMN exit_memories.memory IS 'What the exit rule remembers: a JSON object.';

-- Writer: status_http and `recio trade`.
CREATE TABLE IF NOT EXISTS trade_requests (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL CHECK (ticker <> ''),
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    asked_by text NOT NULL CHECK (asked_by <> ''),
    why text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL CHECK (expires_at > asked_at),
    guard text NOT NULL DEFAULT 'exit' CHECK (guard IN ('exit', 'own')),
    stop_price numeric(6, 4) CHECK (stop_price > 0 AND stop_price < 1),
    take_profit numeric(6, 4) CHECK (take_profit > 0 AND take_profit < 1),
    CHECK (guard = 'own' OR (stop_price IS NULL AND take_profit IS NULL))
);
COMMENT ON TABLE trade_requests IS 'Writer: status_http and `recio trade`. Trades that a person asks for. An expired request is not carried out.';
COMMENT ON COLUMN trade_requests.request_id IS 'Number of the request.';
COMMENT ON COLUMN trade_requests.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN trade_requests.side IS 'yes or no: which contract is held.';
COMMENT ON COLUMN trade_requests.quantity IS 'Contracts asked for.';
COMMENT ON COLUMN trade_requests.price IS 'Dollars per contract of the side: the most to pay.';
COMMENT ON COLUMN trade_requests.asked_by IS 'A person''s name.';
COMMENT ON COLUMN trade_requests.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN trade_requests.asked_at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN trade_requests.expires_at IS 'UTC; not carried out later.';
COMMENT ON COLUMN trade_requests.guard IS 'exit: sold by the common [exit]. own: by the two prices alone, and where both are NULL by nothing.';
COMMENT ON COLUMN trade_requests.stop_price IS 'Dollars per contract of the side: sold at or below it; NULL: no such stop.';
COMMENT ON COLUMN trade_requests.take_profit IS 'Dollars per contract of the side: sold at or above it; NULL: no such order.';
CREATE INDEX IF NOT EXISTS trade_requests_by_expiry ON trade_requests (expires_at);
-- Writer: entry.
CREATE TABLE IF NOT EXISTS trade_answers (
    request_id bigint PRIMARY KEY REFERENCES trade_requests,
    accepted boolean NOT NULL,
    sentence text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE trade_answers IS 'Writer: entry. One answer per request, committed before anything is done about it. So no request is carried out twice.';
COMMENT ON COLUMN trade_answers.request_id IS 'The request.';
COMMENT ON COLUMN trade_answers.accepted IS 'Whether it became a wish to open a trade.';
COMMENT ON COLUMN trade_answers.sentence IS 'The answer, in words.';
COMMENT ON COLUMN trade_answers.answered_at IS 'UTC, by the database''s clock.';

-- Writer: status_http and `recio close`.
CREATE TABLE IF NOT EXISTS trade_closes (
    trade_id bigint PRIMARY KEY REFERENCES trades,
    floor numeric(6, 4) CHECK (floor > 0 AND floor < 1),
    asked_by text NOT NULL CHECK (asked_by <> ''),
    why text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE trade_closes IS 'Writer: status_http and `recio close`. Trades that a person wants sold. It holds until the trade has ended, over restarts too.';
COMMENT ON COLUMN trade_closes.trade_id IS 'The trade.';
COMMENT ON COLUMN trade_closes.floor IS 'Dollars per contract of the side held: the least to accept; NULL: down to the lowest price of the market.';
COMMENT ON COLUMN trade_closes.asked_by IS 'A person''s name.';
COMMENT ON COLUMN trade_closes.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN trade_closes.asked_at IS 'UTC, by the database''s clock.';

-- Writer: `recio settle`.
CREATE TABLE IF NOT EXISTS settlement_requests (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL CHECK (ticker <> ''),
    value numeric(6, 4) NOT NULL CHECK (value BETWEEN 0 AND 1),
    asked_by text NOT NULL CHECK (asked_by <> ''),
    why text NOT NULL CHECK (why <> ''),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE settlement_requests IS 'Writer: `recio settle`. Markets that a person wants settled, because the venue''s word cannot be read or does not come.';
COMMENT ON COLUMN settlement_requests.request_id IS 'Number of the request.';
COMMENT ON COLUMN settlement_requests.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN settlement_requests.value IS 'Dollars that one contract of YES pays.';
COMMENT ON COLUMN settlement_requests.asked_by IS 'A person''s name.';
COMMENT ON COLUMN settlement_requests.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN settlement_requests.asked_at IS 'UTC, by the database''s clock.';
-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS settlement_answers (
    request_id bigint PRIMARY KEY REFERENCES settlement_requests,
    accepted boolean NOT NULL,
    sentence text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE settlement_answers IS 'Writer: trade_manager. Written in the transaction that carries the request out, in the order of their numbers.';
COMMENT ON COLUMN settlement_answers.request_id IS 'The request.';
COMMENT ON COLUMN settlement_answers.accepted IS 'Whether the market was settled so.';
COMMENT ON COLUMN settlement_answers.sentence IS 'The answer, in words.';
COMMENT ON COLUMN settlement_answers.answered_at IS 'UTC, by the database''s clock.';

-- Writer: shadow.
CREATE TABLE IF NOT EXISTS paper_trades (
    paper_trade_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy text NOT NULL CHECK (strategy <> ''),
    ticker text NOT NULL,
    event_ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    quantity numeric(14, 2) NOT NULL CHECK (quantity >= 0),
    cost numeric(18, 6) NOT NULL CHECK (cost >= 0),
    fees numeric(18, 6) NOT NULL CHECK (fees >= 0),
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    why text NOT NULL,
    decided_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL CHECK (closes_at > decided_at),
    result text CHECK (result IN ('yes', 'no', 'scalar')),
    value numeric(6, 4),
    settled_at timestamptz,
    sold numeric(14, 2) NOT NULL DEFAULT 0,
    proceeds numeric(18, 6) NOT NULL DEFAULT 0,
    sold_at timestamptz,
    exit_orders_at timestamptz[] NOT NULL DEFAULT '{}',
    CHECK ((result IS NULL) = (settled_at IS NULL)),
    CHECK (quantity > 0 OR (cost = 0 AND fees = 0 AND result IS NULL)),
    CONSTRAINT paper_trades_sold CHECK (sold BETWEEN 0 AND quantity AND proceeds >= 0 AND (sold > 0 OR proceeds = 0)),
    CONSTRAINT paper_trades_sold_out CHECK ((sold_at IS NOT NULL) = (quantity > 0 AND sold = quantity)),
    CONSTRAINT paper_trades_value_of_scalar CHECK (
        CASE WHEN result = 'scalar' THEN value IS NOT NULL AND value BETWEEN 0 AND 1 ELSE value IS NULL END
    )
);
COMMENT ON TABLE paper_trades IS 'Writer: shadow. Paper trades: what a strategy in stage shadow would have bought and sold. It sends no orders.';
COMMENT ON COLUMN paper_trades.paper_trade_id IS 'Number of the trade on paper.';
COMMENT ON COLUMN paper_trades.strategy IS 'Name of the strategy in recio.toml; manual for trades that a person asked for.';
COMMENT ON COLUMN paper_trades.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN paper_trades.event_ticker IS 'The venue''s name of the event that the market belongs to.';
COMMENT ON COLUMN paper_trades.side IS 'yes or no: which contract is held.';
COMMENT ON COLUMN paper_trades.quantity IS 'Contracts bought. 0: the book had nothing left at the price when the order would have arrived.';
COMMENT ON COLUMN paper_trades.cost IS 'Dollars paid, without fees.';
COMMENT ON COLUMN paper_trades.fees IS 'Dollars of fees of purchase and sales, by the venue''s formula.';
COMMENT ON COLUMN paper_trades.probability IS 'Probability of the side bought, from 0 to 1, by the strategy''s model.';
COMMENT ON COLUMN paper_trades.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN paper_trades.decided_at IS 'UTC, when the entry was decided.';
COMMENT ON COLUMN paper_trades.closes_at IS 'UTC, when the market closes; from the venue.';
COMMENT ON COLUMN paper_trades.result IS 'yes, no or scalar, from the venue; NULL: not settled.';
COMMENT ON COLUMN paper_trades.value IS 'Dollars that one contract of YES pays where neither side won; one of NO pays the rest of the dollar. NULL: a side won, or not settled.';
COMMENT ON COLUMN paper_trades.settled_at IS 'UTC, from the venue; NULL: not settled.';
COMMENT ON COLUMN paper_trades.sold IS 'Contracts sold.';
COMMENT ON COLUMN paper_trades.proceeds IS 'Dollars received for them, without fees.';
COMMENT ON COLUMN paper_trades.sold_at IS 'UTC, when the last contract was sold; NULL: some are held, or it settled.';
COMMENT ON COLUMN paper_trades.exit_orders_at IS 'UTC: when its exit orders of the last minute were decided, filled or not. They count towards the orders per minute.';
CREATE UNIQUE INDEX IF NOT EXISTS paper_trades_one_held_per_market
    ON paper_trades (strategy, ticker) WHERE result IS NULL AND quantity > sold;
CREATE INDEX IF NOT EXISTS paper_trades_by_time ON paper_trades (decided_at);
CREATE INDEX IF NOT EXISTS paper_trades_live ON paper_trades (paper_trade_id) WHERE result IS NULL AND quantity > 0;
CREATE INDEX IF NOT EXISTS paper_trades_by_close ON paper_trades (closes_at);
CREATE INDEX IF NOT EXISTS paper_trades_by_settlement ON paper_trades (settled_at);
CREATE INDEX IF NOT EXISTS paper_trades_by_sale ON paper_trades (sold_at);

-- Writer: `recio model build`.
CREATE TABLE IF NOT EXISTS empirical_models (
    model_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL CHECK (symbol <> ''),
    digest text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    built_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    candles_from timestamptz NOT NULL,
    candles_to timestamptz NOT NULL CHECK (candles_to > candles_from),
    minutes bigint NOT NULL CHECK (minutes > 0),
    parameters jsonb NOT NULL
);
COMMENT ON TABLE empirical_models IS 'Writer: `recio model build`. Past price moves by momentum. A model never changes; the newest of a symbol is used.';
COMMENT ON COLUMN empirical_models.model_id IS 'Number of the model; the newest of a coin is used.';
COMMENT ON COLUMN empirical_models.symbol IS 'Coin, as BTC.';
COMMENT ON COLUMN empirical_models.digest IS 'SHA-256 of candles and parameters. The same hash is the same model.';
COMMENT ON COLUMN empirical_models.built_at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN empirical_models.candles_from IS 'UTC, the first candle.';
COMMENT ON COLUMN empirical_models.candles_to IS 'UTC, after the last candle.';
COMMENT ON COLUMN empirical_models.minutes IS 'Candles of one minute that were read.';
COMMENT ON COLUMN empirical_models.parameters IS 'What it was built with: JSON by name.';
-- Writer: `recio model build`.
CREATE TABLE IF NOT EXISTS empirical_buckets (
    model_id bigint NOT NULL REFERENCES empirical_models,
    bucket integer NOT NULL CHECK (bucket BETWEEN -30 AND 30),
    samples bigint NOT NULL CHECK (samples >= 0),
    worth double precision[] NOT NULL CHECK (cardinality(worth) = 60 AND 0 <= ALL (worth)),
    up double precision[] NOT NULL CHECK (cardinality(up) = 2460 AND 0 <= ALL (up) AND 1 >= ALL (up)),
    down double precision[] NOT NULL CHECK (cardinality(down) = 2460 AND 0 <= ALL (down) AND 1 >= ALL (down)),
    PRIMARY KEY (model_id, bucket)
);
COMMENT ON TABLE empirical_buckets IS 'Writer: `recio model build`. What one model knows, by momentum.';
COMMENT ON COLUMN empirical_buckets.model_id IS 'The model.';
COMMENT ON COLUMN empirical_buckets.bucket IS 'Momentum, in steps of the model.';
COMMENT ON COLUMN empirical_buckets.samples IS 'Minutes that were counted.';
COMMENT ON COLUMN empirical_buckets.worth IS 'For each of 60 horizons: independent draws that would know as much as these minutes.';
COMMENT ON COLUMN empirical_buckets.up IS 'Probabilities of a rise, from 0 to 1: 60 rows (horizons of minutes) of 41 columns (distances), flattened.';
COMMENT ON COLUMN empirical_buckets.down IS 'Probabilities of a fall, from 0 to 1, likewise.';
CREATE OR REPLACE FUNCTION refuse_model_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a model never changes: build another' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER empirical_models_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON empirical_models
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();
CREATE OR REPLACE TRIGGER empirical_buckets_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON empirical_buckets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();

-- Writer: app, at each start.
CREATE TABLE IF NOT EXISTS risk_limits (
    fencing bigint NOT NULL REFERENCES runs,
    name text NOT NULL CHECK (name IN (
        'max_contracts_per_order', 'max_contracts_per_strike', 'max_entries_per_event', 'max_event_cost_dollars',
        'max_open_trades', 'max_open_cost_dollars', 'max_daily_loss_dollars', 'max_orders_per_minute',
        'max_consecutive_losses', 'price_collar_dollars')),
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (fencing, name)
);
COMMENT ON TABLE risk_limits IS 'Writer: app, at each start. The risk limits of one run. Each order is checked against the limits of its run.';
COMMENT ON COLUMN risk_limits.fencing IS 'The run that the limit is in force in.';
COMMENT ON COLUMN risk_limits.name IS 'Name of the limit in [risk] of recio.toml.';
COMMENT ON COLUMN risk_limits.amount IS 'Dollars, contracts, trades or orders, as its name says.';

-- Writer: status_http and `recio limits`.
CREATE TABLE IF NOT EXISTS limit_grants (
    grant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'),
    granted_by text NOT NULL CHECK (granted_by <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_run bigint NOT NULL REFERENCES runs
);
COMMENT ON TABLE limit_grants IS 'Writer: status_http and `recio limits`. A person lets the next start raise a limit up to this amount.';
COMMENT ON COLUMN limit_grants.grant_id IS 'Number of the grant.';
COMMENT ON COLUMN limit_grants.name IS 'Name of the limit in [risk] of recio.toml.';
COMMENT ON COLUMN limit_grants.amount IS 'How high the next start may raise it, in the limit''s own unit.';
COMMENT ON COLUMN limit_grants.granted_by IS 'A person''s name.';
COMMENT ON COLUMN limit_grants.at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN limit_grants.after_run IS 'The newest run at that time. Only the run after it may use the grant.';
CREATE INDEX IF NOT EXISTS limit_grants_by_name ON limit_grants (name, after_run);

-- Writer: status_http and `recio limits`.
CREATE TABLE IF NOT EXISTS limit_cuts (
    cut_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fencing bigint NOT NULL,
    name text NOT NULL,
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    cut_by text NOT NULL CHECK (cut_by <> ''),
    why text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_grant bigint NOT NULL DEFAULT 0,
    FOREIGN KEY (fencing, name) REFERENCES risk_limits
);
COMMENT ON TABLE limit_cuts IS 'Writer: status_http and `recio limits`. A person lowered a limit while its run was the newest. It holds at once and for later runs.';
COMMENT ON COLUMN limit_cuts.cut_id IS 'Number of the row.';
COMMENT ON COLUMN limit_cuts.fencing IS 'The run whose limit was lowered: the newest at that time.';
COMMENT ON COLUMN limit_cuts.name IS 'Name of the limit in [risk] of recio.toml.';
COMMENT ON COLUMN limit_cuts.amount IS 'What it is from here on, in the limit''s own unit; always below what it was.';
COMMENT ON COLUMN limit_cuts.cut_by IS 'A person''s name.';
COMMENT ON COLUMN limit_cuts.why IS 'The reason, in words, as whoever did it gave it.';
COMMENT ON COLUMN limit_cuts.at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN limit_cuts.after_grant IS 'The newest grant of this limit to the run after at that time, which is void from here on; 0: there was none.';
CREATE INDEX IF NOT EXISTS limit_cuts_by_name ON limit_cuts (fencing, name, amount);

-- What each limit of a run is now: as its start had it, or as somebody lowered it since.
CREATE OR REPLACE FUNCTION limits_in_force(run bigint) RETURNS TABLE (name text, amount numeric) LANGUAGE sql STABLE AS $$
    SELECT l.name, least(l.amount, (SELECT min(c.amount) FROM limit_cuts AS c WHERE c.fencing = run AND c.name = l.name))
    FROM risk_limits AS l WHERE l.fencing = run
$$;
-- One of them. NULL: the run has no such limit.
CREATE OR REPLACE FUNCTION limit_in_force(run bigint, limit_name text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT l.amount FROM limits_in_force(run) AS l WHERE l.name = limit_name
$$;

-- Starts, grants and cuts of one limit come one after another, whatever any clock says.
CREATE OR REPLACE FUNCTION hold_limit(limit_name text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('limit ' || limit_name, 0))
$$;

CREATE OR REPLACE FUNCTION check_limit_cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_limit(NEW.name);
    -- A run that began while this waited is the newest by now, and a cut of the one before would hold nobody.
    NEW.fencing := coalesce((SELECT max(l.fencing) FROM risk_limits AS l), NEW.fencing);
    NEW.after_grant := coalesce((SELECT max(g.grant_id + 0) FROM limit_grants AS g
        WHERE g.name = NEW.name AND g.after_run >= NEW.fencing), 0);
    IF NEW.amount >= limit_in_force(NEW.fencing, NEW.name) THEN
        RAISE EXCEPTION 'limit % cannot be lowered to %: it is %', NEW.name, NEW.amount, limit_in_force(NEW.fencing, NEW.name)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'limits are only lowered';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER limit_cuts_only_lower BEFORE INSERT ON limit_cuts
    FOR EACH ROW EXECUTE FUNCTION check_limit_cut();

-- The highest a limit of a new run may be: as in the run before, or as granted since it was lowered last. NULL: no bound.
-- (+ 0: by the index of names and runs, never through all grants there are.)
CREATE OR REPLACE FUNCTION limit_ceiling(run bigint, limit_name text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN before.amount IS NOT NULL THEN greatest(before.amount, (
        SELECT max(g.amount) FROM limit_grants AS g WHERE g.name = limit_name AND g.after_run >= before.fencing
            AND g.grant_id + 0 > coalesce((SELECT c.after_grant FROM limit_cuts AS c
                WHERE c.fencing = before.fencing AND c.name = limit_name ORDER BY c.amount LIMIT 1), 0))) END
    FROM (SELECT 1) AS always LEFT JOIN LATERAL (
        SELECT l.fencing, limit_in_force(l.fencing, limit_name) AS amount
        FROM risk_limits AS l WHERE l.name = limit_name AND l.fencing < run
        ORDER BY l.fencing DESC LIMIT 1
    ) AS before ON true
$$;

CREATE OR REPLACE FUNCTION check_limit_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_limit(NEW.name);
    IF NEW.amount > limit_ceiling(NEW.fencing, NEW.name) THEN
        RAISE EXCEPTION 'limit % cannot rise to % by a start: it is %', NEW.name, NEW.amount,
            limit_ceiling(NEW.fencing, NEW.name) USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER limits_rise_only_by_grant BEFORE INSERT ON risk_limits
    FOR EACH ROW EXECUTE FUNCTION check_limit_rise();

CREATE OR REPLACE FUNCTION refuse_limit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a limit in force cannot change' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER risk_limits_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_limits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_limit_change();
CREATE OR REPLACE TRIGGER limit_cuts_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON limit_cuts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_limit_change();

-- Live trades at their worst: what was paid for contracts and fees less what was sold, plus every entry order that is
-- unproven or whose fills are not all here. rules/account/exposure.py has the same figures.
CREATE OR REPLACE VIEW live_exposure AS
SELECT
    t.trade_id, t.ticker, t.event_ticker,
    greatest(t.entry_cost + t.fees - t.exit_proceeds, 0) + unsettled.cost AS cost,
    t.entry_quantity - t.exit_quantity + unsettled.quantity AS contracts
FROM trades AS t
CROSS JOIN LATERAL (
    SELECT coalesce(sum(o.reserved), 0) AS cost, coalesce(sum(o.quantity), 0) AS quantity
    FROM orders AS o
    WHERE o.trade_id = t.trade_id AND o.is_unfinished AND o.purpose = 'entry'
) AS unsettled
WHERE t.is_live;

-- Realised profit of the trades that closed since `midnight`, which is a midnight of UTC.
CREATE OR REPLACE FUNCTION realised_since(midnight timestamptz) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(realised), 0) FROM day_figures WHERE day >= (midnight AT TIME ZONE 'UTC')::date
$$;

-- The second check of the limits, from the rows alone. An entry beyond a limit gets no row, so no order is sent.
CREATE OR REPLACE FUNCTION check_entry_limits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    trade trades;
    live record;
    held numeric;
    broken record;
BEGIN
    IF may_be_brought_in(NEW.client_order_id) THEN
        -- It was held against its limits when it was decided, and is at the venue whatever they are now.
        RETURN NEW;
    END IF;
    SELECT * INTO STRICT trade FROM trades WHERE trade_id = NEW.trade_id;
    SELECT p.yes - p.no INTO held FROM market_positions AS p WHERE p.ticker = NEW.ticker;
    IF held <> 0 THEN
        -- By the fills of the account: no live trade of ours is there, or this one could not be.
        RAISE EXCEPTION '% has a position of % that was made without recio: it is left alone', NEW.ticker, held
            USING ERRCODE = 'check_violation', CONSTRAINT = 'made externally';
    END IF;
    IF NEW.ask IS NULL OR NEW.model_value IS NULL THEN
        RAISE EXCEPTION 'order %: an entry needs the ask and the model value of its price collar',
            NEW.client_order_id USING ERRCODE = 'check_violation';
    END IF;
    SELECT
        count(*) AS trades, coalesce(sum(cost), 0) AS cost,
        coalesce(sum(cost) FILTER (WHERE event_ticker = trade.event_ticker), 0) AS event_cost,
        coalesce(sum(contracts) FILTER (WHERE ticker = trade.ticker), 0) AS contracts
    INTO live FROM live_exposure;
    -- All limits in one statement: as one for each they were a third of what an entry's rows cost.
    SELECT asked.name, asked.figure, l.amount INTO broken FROM (VALUES
        (1, 'max_contracts_per_order', (NEW.quantity)),
        (2, 'price_collar_dollars', (own_price(trade.side, NEW.price) - least(NEW.ask, NEW.model_value))),
        (3, 'max_contracts_per_strike', (live.contracts + NEW.quantity)),
        (4, 'max_event_cost_dollars', (live.event_cost + NEW.reserved)),
        (5, 'max_open_trades', (live.trades)),
        (6, 'max_open_cost_dollars', (live.cost + NEW.reserved)),
        (7, 'max_entries_per_event', (SELECT e.entries FROM event_entries AS e WHERE e.event_ticker = trade.event_ticker)),
        -- A gain of today allows nothing: what is open may end tomorrow, without it.
        (8, 'max_daily_loss_dollars', (live.cost + NEW.reserved
            - least(realised_since(date_trunc('day', NEW.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'), 0))),
        (9, 'max_orders_per_minute', (SELECT 1 + count(*) FROM orders AS o
            WHERE o.created_at > NEW.created_at - interval '1 minute')),
        (10, 'max_consecutive_losses', (1 + losses_in_a_row()))
    ) AS asked (nth, name, figure) LEFT JOIN limits_in_force(NEW.fencing) AS l USING (name)
    WHERE l.amount IS NULL OR asked.figure > l.amount ORDER BY asked.nth LIMIT 1;
    IF FOUND AND broken.amount IS NULL THEN
        RAISE EXCEPTION 'run % has no limit %', NEW.fencing, broken.name USING ERRCODE = 'check_violation';
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'limit % is %, with this order it would be %', broken.name, broken.amount, broken.figure
            USING ERRCODE = 'check_violation', CONSTRAINT = broken.name,
            DETAIL = format('%s > %s', broken.figure, broken.amount);
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER entries_within_limits BEFORE INSERT ON orders
    FOR EACH ROW WHEN (NEW.purpose = 'entry') EXECUTE FUNCTION check_entry_limits();

-- A new order of a trade, and its audit log row. rules/account/lifecycle.py has the same name, side and price for it.
CREATE OR REPLACE FUNCTION add_order(
    for_trade trades, is_entry boolean, nth integer, of_account text, by_run bigint, contracts numeric, own_limit numeric,
    shard integer, most_cost numeric, best_ask numeric, modelled numeric, moment timestamptz, told jsonb
) RETURNS orders LANGUAGE plpgsql AS $$
DECLARE
    added orders;
    said_purpose text := CASE WHEN is_entry THEN 'entry' ELSE 'exit' END;
    -- Buying YES and selling NO are bids of the one YES book.
    said_side text := CASE WHEN (for_trade.side = 'yes') = is_entry THEN 'bid' ELSE 'ask' END;
BEGIN
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity,
        reserved, state, fencing, created_at, ask, model_value)
    VALUES (concat_ws('-', 'recio', of_account, for_trade.trade_id, said_purpose, nth), for_trade.trade_id, said_purpose, nth,
        for_trade.ticker, shard, said_side, own_price(for_trade.side, own_limit), contracts, most_cost, 'pending', by_run, moment,
        best_ask, modelled)
    RETURNING * INTO added;
    INSERT INTO audit_log (at, kind, trade_id, client_order_id, detail)
    VALUES (moment, 'order pending', added.trade_id, added.client_order_id, jsonb_build_object('purpose', said_purpose,
        'side', said_side, 'price', added.price::text, 'quantity', added.quantity::text) || told);
    RETURN added;
END $$;

-- One entry in one statement: it is held against halts, the switch and the limits, and written, or it is refused and
-- nothing is written. Every refusal is a value: what refuses, its figures if it has any, and a sentence.
CREATE OR REPLACE FUNCTION place_entry(
    of_account text, by_run bigint, of_strategy text, on_ticker text, of_event text, shard integer, bought text,
    contracts numeric, own_limit numeric, most_cost numeric, best_ask numeric, modelled numeric,
    decided timestamptz, ends timestamptz, moment timestamptz, reason text, seen jsonb,
    OUT refused text, OUT figure numeric, OUT most numeric, OUT sentence text,
    OUT trade trades, OUT placed orders, OUT event event_entries, OUT market market_entries
) LANGUAGE plpgsql AS $$
DECLARE
    broken text;
    figures text;
BEGIN
    -- The lock of the audit log, which each order takes anyway: entries are decided one after another.
    PERFORM pg_advisory_xact_lock(1919247210);
    SELECT s.set_by || CASE asked.strategy WHEN '' THEN '' ELSE ' for strategy ' || asked.strategy END INTO sentence
    FROM (VALUES (''), (of_strategy)) AS asked (strategy) CROSS JOIN LATERAL (
        SELECT is_on, set_by FROM switches WHERE name = 'entry' AND strategy = asked.strategy ORDER BY switch_id DESC LIMIT 1
    ) AS s WHERE NOT s.is_on LIMIT 1;
    -- The switch is the program's: who switches it off may still buy by hand.
    IF FOUND AND of_strategy <> 'manual' THEN
        refused := 'switch';
        RETURN;
    END IF;
    SELECT h.cause INTO sentence FROM halts AS h WHERE h.cleared_at IS NULL ORDER BY h.halt_id LIMIT 1;
    IF FOUND THEN
        refused := 'halt';
        RETURN;
    END IF;
    IF restore_to_bring_in() IS NOT NULL THEN
        refused := 'restore';
        RETURN;
    END IF;
    BEGIN
        INSERT INTO trades (strategy, ticker, event_ticker, exchange_index, side, state, opened_at, closes_at, why, inputs)
        VALUES (of_strategy, on_ticker, of_event, shard, bought, 'opening', decided, ends, reason, seen)
        RETURNING * INTO trade;
        placed := add_order(trade, true, 1, of_account, by_run, contracts, own_limit, shard, most_cost, best_ask, modelled,
            -- Its price is the coin's, beside that of the order.
            moment, jsonb_strip_nulls(jsonb_build_object('why', reason, 'coin_price', seen -> 'price')) || seen - 'price');
    EXCEPTION WHEN integrity_constraint_violation THEN
        -- A trigger or an index refused the order: the trade goes with it.
        GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME, figures = PG_EXCEPTION_DETAIL, sentence = MESSAGE_TEXT;
        trade := NULL;
        placed := NULL;
        refused := CASE broken WHEN 'trades_one_live_per_market' THEN 'one trade per market' WHEN '' THEN 'the database'
            ELSE broken END;
        IF EXISTS (SELECT FROM risk_limits AS l WHERE l.fencing = by_run AND l.name = broken) THEN
            figure := split_part(figures, ' > ', 1)::numeric;
            most := split_part(figures, ' > ', 2)::numeric;
        END IF;
        RETURN;
    END;
    SELECT e.* INTO event FROM event_entries AS e WHERE e.event_ticker = of_event;
    SELECT m.* INTO market FROM market_entries AS m WHERE m.ticker = on_ticker;
END $$;

-- One exit in one statement: the trade is closing and its order is written; without a row if it has nothing to sell now.
CREATE OR REPLACE FUNCTION place_exit(
    of_account text, by_run bigint, of_trade bigint, shard integer, contracts numeric, own_floor numeric,
    moment timestamptz, reason text, OUT trade trades, OUT placed orders
) LANGUAGE plpgsql AS $$
DECLARE
    sold numeric;
    nth integer;
BEGIN
    PERFORM pg_advisory_xact_lock(1919247210);
    SELECT t.* INTO trade FROM trades AS t WHERE t.trade_id = of_trade;
    sold := least(contracts, trade.entry_quantity - trade.exit_quantity);
    IF trade.state IS DISTINCT FROM 'open' OR sold <= 0 THEN
        RETURN;
    END IF;
    SELECT coalesce(max(o.attempt), 0) + 1 INTO nth FROM orders AS o WHERE o.trade_id = of_trade AND o.purpose = 'exit';
    UPDATE trades AS t SET state = 'closing' WHERE t.trade_id = of_trade RETURNING t.* INTO trade;
    placed := add_order(trade, false, nth, of_account, by_run, sold, own_floor, shard, 0, NULL, NULL, moment,
        jsonb_build_object('why', reason));
END $$;

-- Writer: trade_manager, together with the fill or settlement.
CREATE TABLE IF NOT EXISTS ledger_transactions (
    transaction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fill', 'settlement', 'correction')),
    ticker text NOT NULL,
    fill_id text UNIQUE REFERENCES fills,
    settled_ticker text UNIQUE REFERENCES settlements,
    revision integer,
    CONSTRAINT ledger_transactions_revision CHECK ((kind = 'correction') = (revision IS NOT NULL)),
    CHECK ((kind = 'fill') = (fill_id IS NOT NULL)),
    CHECK ((kind = 'settlement') = (settled_ticker IS NOT NULL)),
    CHECK (settled_ticker IS NULL OR settled_ticker = ticker)
);
COMMENT ON TABLE ledger_transactions IS 'Writer: trade_manager, together with the fill or settlement. One accounting transaction; its postings sum to 0.';
COMMENT ON COLUMN ledger_transactions.transaction_id IS 'Number of the transaction.';
COMMENT ON COLUMN ledger_transactions.at IS 'UTC, from the venue.';
COMMENT ON COLUMN ledger_transactions.kind IS 'fill, settlement or correction.';
COMMENT ON COLUMN ledger_transactions.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN ledger_transactions.fill_id IS 'Of a fill: which; else NULL.';
COMMENT ON COLUMN ledger_transactions.settled_ticker IS 'Of a settlement: the market; else NULL.';
COMMENT ON COLUMN ledger_transactions.revision IS 'Of a correction: which word of the venue it follows; else NULL.';
CREATE UNIQUE INDEX IF NOT EXISTS ledger_transactions_one_correction ON ledger_transactions (ticker, revision)
    WHERE revision IS NOT NULL;
CREATE INDEX IF NOT EXISTS ledger_transactions_by_ticker ON ledger_transactions (ticker);

-- Writer: trade_manager.
CREATE TABLE IF NOT EXISTS postings (
    transaction_id bigint NOT NULL REFERENCES ledger_transactions,
    account text NOT NULL CHECK (account IN ('cash', 'contracts', 'fees', 'rounding', 'settlement', 'realised_pnl')),
    amount numeric(18, 6) NOT NULL,
    PRIMARY KEY (transaction_id, account)
);
COMMENT ON TABLE postings IS 'Writer: trade_manager. Positive is a debit: cash received, cost of contracts bought, fee paid. Negative is a credit.';
COMMENT ON COLUMN postings.transaction_id IS 'The transaction.';
COMMENT ON COLUMN postings.account IS 'cash, contracts, fees, rounding, settlement or realised_pnl.';
COMMENT ON COLUMN postings.amount IS 'Dollars. Positive is a debit: cash received, cost of contracts bought, fee paid. Negative is a credit.';

-- Writer: trade_manager, with each posting.
CREATE TABLE IF NOT EXISTS ledger_balances (
    account text PRIMARY KEY,
    amount numeric(18, 6) NOT NULL
);
COMMENT ON TABLE ledger_balances IS 'Writer: trade_manager, with each posting. What all postings of an account add up to.';
COMMENT ON COLUMN ledger_balances.account IS 'As in postings.';
COMMENT ON COLUMN ledger_balances.amount IS 'Dollars: what all postings of the account add up to.';
CREATE OR REPLACE FUNCTION count_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_balances AS b (account, amount) SELECT account, sum(amount) FROM posted GROUP BY account
    ON CONFLICT (account) DO UPDATE SET amount = b.amount + excluded.amount;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER postings_are_counted AFTER INSERT ON postings REFERENCING NEW TABLE AS posted
    FOR EACH STATEMENT EXECUTE FUNCTION count_postings();

-- Writer: trade_manager, with each transaction.
CREATE TABLE IF NOT EXISTS market_positions (
    ticker text PRIMARY KEY,
    yes numeric(14, 2) NOT NULL,
    no numeric(14, 2) NOT NULL,
    cost numeric(18, 6) NOT NULL
);
COMMENT ON TABLE market_positions IS 'Writer: trade_manager, with each transaction. YES and NO contracts bought in a market, by the posted fills, and the cost of what is still held.';
COMMENT ON COLUMN market_positions.ticker IS 'The venue''s name of the market.';
COMMENT ON COLUMN market_positions.yes IS 'Contracts of YES bought, by the posted fills.';
COMMENT ON COLUMN market_positions.no IS 'Contracts of NO bought, by the posted fills.';
COMMENT ON COLUMN market_positions.cost IS 'Dollars that what is still held cost.';

CREATE OR REPLACE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER ledger_transactions_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE OR REPLACE TRIGGER postings_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

CREATE OR REPLACE FUNCTION check_transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    SELECT sum(amount) INTO total FROM postings WHERE transaction_id = NEW.transaction_id;
    IF total IS NULL THEN
        RAISE EXCEPTION 'transaction % has no postings', NEW.transaction_id USING ERRCODE = 'check_violation';
    END IF;
    IF total <> 0 THEN
        RAISE EXCEPTION 'transaction % does not balance: %', NEW.transaction_id, total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
-- PostgreSQL has no CREATE OR REPLACE for constraint triggers.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'ledger_transactions_balance' AND tgrelid = 'ledger_transactions'::regclass) THEN
        CREATE CONSTRAINT TRIGGER ledger_transactions_balance AFTER INSERT ON ledger_transactions
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transaction_balances();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'postings_balance' AND tgrelid = 'postings'::regclass) THEN
        CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON postings
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transaction_balances();
    END IF;
END $$;

-- A market's position; all 0 where nothing was posted.
CREATE OR REPLACE FUNCTION posted_position(market text, OUT yes numeric, OUT no numeric, OUT cost numeric)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(p.yes), 0), coalesce(max(p.no), 0), coalesce(max(p.cost), 0) FROM market_positions AS p
    WHERE p.ticker = market
$$;
CREATE OR REPLACE FUNCTION add_to_position(market text, bought fills, dollars numeric) RETURNS void LANGUAGE sql AS $$
    INSERT INTO market_positions AS p (ticker, yes, no, cost)
    VALUES (market, CASE bought.book_side WHEN 'bid' THEN bought.quantity ELSE 0 END,
        CASE bought.book_side WHEN 'ask' THEN bought.quantity ELSE 0 END, dollars)
    ON CONFLICT (ticker) DO UPDATE SET
        yes = p.yes + excluded.yes, no = p.no + excluded.no, cost = p.cost + excluded.cost
$$;

-- The venue reports fee and rounding as one amount. This is the rounding in it: balances are aligned to $0.0001, less
-- rebates, and to $0.01 in accounts of members who are not direct. The fee formula rounds up to $0.000001. If neither explains
-- the amount, all of it is fee.
CREATE OR REPLACE FUNCTION fee_rounding(charged fills) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN abs(charged.fee - model.fee) <= 0.001
            OR (abs(charged.fee - model.fee) < 0.01 AND (own_price(CASE charged.book_side WHEN 'bid' THEN 'yes' ELSE 'no' END,
                charged.price) * charged.quantity + charged.fee) % 0.01 = 0)
        THEN charged.fee - model.fee ELSE 0 END
    FROM (SELECT ceil(0.07 * m.fee_multiplier * charged.quantity * charged.price * (1 - charged.price) * 1000000)
        / 1000000 AS fee FROM markets AS m
        WHERE m.ticker = charged.ticker AND charged.is_taker AND m.fee_multiplier IS NOT NULL
        UNION ALL SELECT charged.fee LIMIT 1) AS model
$$;

-- Posts one fill, once. A YES and a NO of the same market cancel: the venue pays $1 for the pair.
CREATE OR REPLACE FUNCTION post_fill(posted text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    fill fills;
    before record;
    after record;
    number bigint;
    own numeric;
    closing numeric;
    share numeric := 0;
    cost numeric;
    paid numeric;
    payout numeric := 0;
    written_off numeric := 0;
    settled_at_value numeric;
BEGIN
    SELECT * INTO STRICT fill FROM fills WHERE fill_id = posted;
    SELECT * INTO before FROM posted_position(fill.ticker);
    INSERT INTO ledger_transactions (at, kind, ticker, fill_id) VALUES (fill.at, 'fill', fill.ticker, posted)
        ON CONFLICT (fill_id) DO NOTHING RETURNING transaction_id INTO number;
    IF number IS NULL THEN
        RETURN false;
    END IF;
    SELECT * INTO after FROM (SELECT
        before.yes + CASE fill.book_side WHEN 'bid' THEN fill.quantity ELSE 0 END AS yes,
        before.no + CASE fill.book_side WHEN 'ask' THEN fill.quantity ELSE 0 END AS no) AS bought;
    own := CASE fill.book_side WHEN 'bid' THEN fill.price ELSE 1 - fill.price END;
    closing := least(after.yes, after.no) - least(before.yes, before.no);
    SELECT s.value INTO settled_at_value FROM ledger_transactions AS l JOIN settlements AS s ON s.ticker = l.settled_ticker
        WHERE l.settled_ticker = fill.ticker;
    IF closing > 0 THEN
        share := trunc(before.cost * closing / abs(before.yes - before.no), 6);
    END IF;
    cost := own * (fill.quantity - closing) - share;
    paid := closing - own * fill.quantity - fill.fee;
    IF settled_at_value IS NOT NULL THEN
        -- A fill that arrives after its market settled: its contracts are settled here too.
        payout := settled_worth(settled_at_value, after.yes, after.no) - settled_worth(settled_at_value, before.yes, before.no);
        written_off := cost;
    END IF;
    INSERT INTO postings (transaction_id, account, amount)
    SELECT number, booked.account, booked.amount FROM (VALUES
        ('cash', paid + payout),
        ('contracts', cost - written_off),
        ('fees', fill.fee - fee_rounding(fill)),
        ('rounding', fee_rounding(fill)),
        ('settlement', -payout),
        ('realised_pnl', share - closing * (1 - own) + written_off)
    ) AS booked (account, amount);
    PERFORM add_to_position(fill.ticker, fill, cost - written_off);
    RETURN true;
END $$;

-- What a position pays when one contract of YES is settled at `value`: its YES and NO contracts cancel first.
CREATE OR REPLACE FUNCTION settled_worth(value numeric, yes numeric, no numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(yes - no, 0) * value + greatest(no - yes, 0) * (1 - value)
$$;

-- Posts one settlement, once: what its contracts pay comes in, their cost goes out.
CREATE OR REPLACE FUNCTION post_settlement(posted text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    seen settlements;
    held record;
    number bigint;
    payout numeric;
BEGIN
    SELECT * INTO STRICT seen FROM settlements WHERE ticker = posted;
    SELECT * INTO held FROM posted_position(posted);
    INSERT INTO ledger_transactions (at, kind, ticker, settled_ticker) VALUES (seen.settled_at, 'settlement', posted, posted)
        ON CONFLICT (settled_ticker) DO NOTHING RETURNING transaction_id INTO number;
    IF number IS NULL THEN
        RETURN false;
    END IF;
    payout := settled_worth(seen.value, held.yes, held.no);
    INSERT INTO postings (transaction_id, account, amount)
    SELECT number, booked.account, booked.amount FROM (VALUES
        ('cash', payout), ('settlement', -payout), ('contracts', -held.cost), ('realised_pnl', held.cost)
    ) AS booked (account, amount);
    PERFORM add_to_position(posted, NULL, -held.cost);
    RETURN true;
END $$;

-- A later word on a market that is settled: the row, the money and the trade that it ended follow it.
-- A word of the venue that is older than its last, or says the same, changes nothing. What a person settled yields to any word of
-- the venue, and to a person's next one; what the venue settled never yields to a person.
CREATE OR REPLACE FUNCTION correct_settlement(
    on_ticker text, outcome text, worth numeric, happened timestamptz, revenue bigint, by_whom text, moment timestamptz,
    OUT is_new boolean, OUT of_trade bigint
) LANGUAGE plpgsql AS $$
DECLARE
    was settlements;
    seen settlements;
    held record;
    number bigint;
    difference numeric;
    paid numeric;
BEGIN
    SELECT * INTO was FROM settlements AS s WHERE s.ticker = on_ticker FOR UPDATE;
    is_new := CASE WHEN was.set_by = '' THEN by_whom = '' AND worth <> was.value AND happened >= was.settled_at
        ELSE by_whom = '' OR worth <> was.value END;
    IF is_new IS NOT TRUE THEN
        is_new := false;
        RETURN;
    END IF;
    UPDATE settlements AS s SET result = outcome, value = worth, settled_at = happened, revenue_cents = revenue,
        set_by = by_whom, revision = s.revision + (worth <> was.value)::integer
        WHERE s.ticker = on_ticker RETURNING s.* INTO seen;
    IF seen.value = was.value THEN
        SELECT t.trade_id INTO of_trade FROM trades AS t WHERE t.ended_by = 'settlement' AND t.ticker = on_ticker;
        INSERT INTO audit_log (at, kind, trade_id, detail) VALUES (moment, 'settlement confirmed', of_trade,
            jsonb_build_object('ticker', on_ticker, 'value', seen.value::text, 'set by', was.set_by));
        RETURN;
    END IF;
    SELECT * INTO held FROM posted_position(on_ticker);
    difference := settled_worth(seen.value, held.yes, held.no) - settled_worth(was.value, held.yes, held.no);
    INSERT INTO ledger_transactions (at, kind, ticker, revision) VALUES (happened, 'correction', on_ticker, seen.revision)
        RETURNING transaction_id INTO number;
    INSERT INTO postings (transaction_id, account, amount)
    VALUES (number, 'cash', difference), (number, 'settlement', -difference);
    UPDATE trades AS t SET payout = own_price(t.side, seen.value) * (t.entry_quantity - t.exit_quantity)
        WHERE t.ticker = on_ticker AND t.ended_by = 'settlement' RETURNING t.trade_id, t.payout INTO of_trade, paid;
    INSERT INTO audit_log (at, kind, trade_id, detail) VALUES (moment, 'settlement corrected', of_trade, jsonb_build_object(
        'ticker', on_ticker, 'from', was.value::text, 'to', seen.value::text, 'revision', seen.revision, 'payout', paid::text,
        'set by', by_whom));
END $$;

-- What each counter must be, from the rows that it counts.
CREATE OR REPLACE VIEW counted_days AS
SELECT (t.closed_at AT TIME ZONE 'UTC')::date AS day, sum(pnl_of(t)) AS realised, sum(t.fees) AS fees,
    (count(*) FILTER (WHERE pnl_of(t) > 0))::integer AS wins, (count(*) FILTER (WHERE pnl_of(t) < 0))::integer AS losses
FROM trades AS t WHERE t.state = 'closed' GROUP BY 1;
CREATE OR REPLACE VIEW counted_events AS
SELECT event_ticker, max(closes_at) AS closes_at, (count(*) FILTER (WHERE state <> 'void'))::integer AS entries
FROM trades GROUP BY event_ticker;
CREATE OR REPLACE VIEW counted_markets AS
SELECT ticker, max(closes_at) AS closes_at, (count(*) FILTER (WHERE state <> 'void'))::integer AS entries,
    max(opened_at) AS last_entry_at
FROM trades GROUP BY ticker;
CREATE OR REPLACE VIEW exits_that_met AS
SELECT trade_id, (count(*) FILTER (WHERE purpose = 'exit' AND state IN ('filled', 'cancelled')))::integer AS met
FROM orders GROUP BY trade_id;
CREATE OR REPLACE VIEW counted_balances AS SELECT account, sum(amount) AS amount FROM postings GROUP BY account;
CREATE OR REPLACE VIEW counted_positions AS
SELECT p.ticker,
    coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'bid'), 0) AS yes,
    coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'ask'), 0) AS no, coalesce(sum(e.amount), 0) AS cost
FROM ledger_transactions AS p LEFT JOIN fills AS f ON f.fill_id = p.fill_id
LEFT JOIN postings AS e ON e.transaction_id = p.transaction_id AND e.account = 'contracts' GROUP BY p.ticker;

-- Makes every counter anew: after a migration, and wherever triggers were off.
CREATE OR REPLACE FUNCTION count_anew() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE trades DISABLE TRIGGER ended_trades_are_counted;
    UPDATE orders AS o SET by_fills = f.quantity
    FROM (SELECT venue_order_id, sum(quantity) AS quantity FROM fills GROUP BY venue_order_id) AS f
    WHERE f.venue_order_id = o.venue_order_id AND o.by_fills <> f.quantity;
    UPDATE trades AS t SET exits_met = e.met FROM exits_that_met AS e WHERE e.trade_id = t.trade_id AND t.exits_met <> e.met;
    UPDATE trades AS t SET entry_quantity = f.entry_quantity, entry_cost = f.entry_cost, exit_quantity = f.exit_quantity,
        exit_proceeds = f.exit_proceeds, fees = f.fees
    FROM filled_trades AS f WHERE f.trade_id = t.trade_id
        AND (t.entry_quantity, t.entry_cost, t.exit_quantity, t.exit_proceeds, t.fees)
            IS DISTINCT FROM (f.entry_quantity, f.entry_cost, f.exit_quantity, f.exit_proceeds, f.fees);
    ALTER TABLE trades ENABLE TRIGGER ended_trades_are_counted;
    DELETE FROM day_figures;
    INSERT INTO day_figures SELECT * FROM counted_days;
    DELETE FROM event_entries;
    INSERT INTO event_entries SELECT * FROM counted_events;
    DELETE FROM market_entries;
    INSERT INTO market_entries SELECT * FROM counted_markets;
    DELETE FROM loss_run;
    INSERT INTO loss_run SELECT * FROM counted_loss_run;
    DELETE FROM ledger_balances;
    INSERT INTO ledger_balances SELECT * FROM counted_balances;
    DELETE FROM market_positions;
    INSERT INTO market_positions SELECT * FROM counted_positions;
END $$;

-- The first counter that is not what its rows say, in words. NULL: all are.
CREATE OR REPLACE FUNCTION counter_that_differs() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'the fills of order ' || o.client_order_id FROM orders AS o
    WHERE o.by_fills <> (SELECT coalesce(sum(f.quantity), 0) FROM fills AS f WHERE f.venue_order_id = o.venue_order_id)
    UNION ALL SELECT 'the figures of trade ' || t.trade_id FROM trades AS t LEFT JOIN filled_trades AS f USING (trade_id)
    WHERE (t.entry_quantity, t.entry_cost, t.exit_quantity, t.exit_proceeds, t.fees) <> (coalesce(f.entry_quantity, 0),
        coalesce(f.entry_cost, 0), coalesce(f.exit_quantity, 0), coalesce(f.exit_proceeds, 0), coalesce(f.fees, 0))
    UNION ALL SELECT 'the exits of trade ' || t.trade_id FROM trades AS t JOIN exits_that_met AS e USING (trade_id)
    WHERE t.exits_met <> e.met
    UNION ALL SELECT 'the figures of day ' || coalesce(d.day, c.day) FROM day_figures AS d FULL JOIN counted_days AS c USING (day)
    WHERE (coalesce(d.realised, 0), coalesce(d.fees, 0), coalesce(d.wins, 0), coalesce(d.losses, 0))
        <> (coalesce(c.realised, 0), coalesce(c.fees, 0), coalesce(c.wins, 0), coalesce(c.losses, 0))
    UNION ALL SELECT 'the entries of event ' || coalesce(e.event_ticker, c.event_ticker)
    FROM event_entries AS e FULL JOIN counted_events AS c USING (event_ticker)
    WHERE e.entries IS DISTINCT FROM c.entries OR e.closes_at < c.closes_at
    UNION ALL SELECT 'the entries of market ' || coalesce(m.ticker, c.ticker)
    FROM market_entries AS m FULL JOIN counted_markets AS c USING (ticker)
    WHERE (m.entries, m.last_entry_at) IS DISTINCT FROM (c.entries, c.last_entry_at) OR m.closes_at < c.closes_at
    UNION ALL SELECT 'the losses in a row' WHERE losing_trades() <> ARRAY(
        SELECT trade_id FROM counted_loss_run WHERE lost AND trade_id > (SELECT forgiven_up_to()) ORDER BY trade_id)
    UNION ALL SELECT 'the balance of ' || coalesce(b.account, c.account)
    FROM ledger_balances AS b FULL JOIN counted_balances AS c USING (account) WHERE b.amount IS DISTINCT FROM c.amount
    UNION ALL SELECT 'the position on ' || coalesce(p.ticker, c.ticker)
    FROM market_positions AS p FULL JOIN counted_positions AS c USING (ticker)
    WHERE (p.yes, p.no, p.cost) IS DISTINCT FROM (c.yes, c.no, c.cost)
    LIMIT 1
$$;

-- What the system before recio left, as `recio import` read it. No limit, no count and no decision of recio looks at these tables,
-- and the ledger does not hold them: that money moved before recio's first balance.
-- `trust` is how good a witness the row is: 3 the venue's raw record, 2 typed columns, 1 a summary of them.

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_fills (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    fill_id text NOT NULL,
    order_id text NOT NULL,
    ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    action text NOT NULL CHECK (action IN ('buy', 'sell')),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    fee numeric(18, 6),
    at timestamptz NOT NULL,
    doubtful boolean NOT NULL,
    trust integer NOT NULL,
    PRIMARY KEY (mode, fill_id)
);
COMMENT ON TABLE imported_fills IS 'Writer: `recio import`. Fills of the old system, by the venue''s trade id.';
COMMENT ON COLUMN imported_fills.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_fills.fill_id IS 'The venue''s trade id.';
COMMENT ON COLUMN imported_fills.order_id IS 'The venue''s order id.';
COMMENT ON COLUMN imported_fills.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_fills.side IS 'yes or no, as the old row has it.';
COMMENT ON COLUMN imported_fills.action IS 'buy or sell, as the old row has it.';
COMMENT ON COLUMN imported_fills.quantity IS 'Contracts, hundredths at the finest.';
COMMENT ON COLUMN imported_fills.price IS 'Dollars per contract of side.';
COMMENT ON COLUMN imported_fills.fee IS 'Dollars; NULL: the old data does not say.';
COMMENT ON COLUMN imported_fills.at IS 'UTC.';
COMMENT ON COLUMN imported_fills.doubtful IS 'Its New York time had no offset and falls into the hour that autumn has twice.';
COMMENT ON COLUMN imported_fills.trust IS 'How good a witness the row is: 3 the venue''s raw record, 2 typed columns, 1 a summary.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_orders (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    order_id text NOT NULL,
    ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    action text NOT NULL CHECK (action IN ('buy', 'sell')),
    status text NOT NULL,
    filled numeric(14, 2) NOT NULL CHECK (filled >= 0),
    cost numeric(18, 6),
    fees numeric(18, 6),
    at timestamptz,
    trust integer NOT NULL,
    PRIMARY KEY (mode, order_id)
);
COMMENT ON TABLE imported_orders IS 'Writer: `recio import`. Orders of the old system that name what they filled, cost and paid in fees.';
COMMENT ON COLUMN imported_orders.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_orders.order_id IS 'The venue''s order id.';
COMMENT ON COLUMN imported_orders.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_orders.side IS 'yes or no, as the old row has it.';
COMMENT ON COLUMN imported_orders.action IS 'buy or sell, as the old row has it.';
COMMENT ON COLUMN imported_orders.status IS 'The venue''s word.';
COMMENT ON COLUMN imported_orders.filled IS 'Contracts filled.';
COMMENT ON COLUMN imported_orders.cost IS 'Dollars of its fills; NULL: the old data does not say.';
COMMENT ON COLUMN imported_orders.fees IS 'Dollars; NULL: the old data does not say.';
COMMENT ON COLUMN imported_orders.at IS 'UTC; NULL: the old data does not say.';
COMMENT ON COLUMN imported_orders.trust IS 'How good a witness the row is: 3 the venue''s raw record, 2 typed columns, 1 a summary.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_settlements (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    ticker text NOT NULL,
    settled_at timestamptz NOT NULL,
    result text NOT NULL,
    yes_quantity numeric(14, 2),
    yes_cost numeric(18, 6),
    no_quantity numeric(14, 2),
    no_cost numeric(18, 6),
    revenue numeric(18, 6),
    fees numeric(18, 6),
    value numeric(6, 4),
    trust integer NOT NULL,
    PRIMARY KEY (mode, ticker, settled_at)
);
COMMENT ON TABLE imported_settlements IS 'Writer: `recio import`. A market may have settled more than once: the last that names a result counts.';
COMMENT ON COLUMN imported_settlements.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_settlements.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_settlements.settled_at IS 'UTC.';
COMMENT ON COLUMN imported_settlements.result IS 'The venue''s word.';
COMMENT ON COLUMN imported_settlements.yes_quantity IS 'Contracts of YES held; NULL: not said.';
COMMENT ON COLUMN imported_settlements.yes_cost IS 'Dollars that they cost; NULL: not said.';
COMMENT ON COLUMN imported_settlements.no_quantity IS 'Contracts of NO held; NULL: not said.';
COMMENT ON COLUMN imported_settlements.no_cost IS 'Dollars that they cost; NULL: not said.';
COMMENT ON COLUMN imported_settlements.revenue IS 'Dollars paid; NULL: not said.';
COMMENT ON COLUMN imported_settlements.fees IS 'Dollars; NULL: the old data does not say.';
COMMENT ON COLUMN imported_settlements.value IS 'Dollars that one contract of YES paid; NULL: not said.';
COMMENT ON COLUMN imported_settlements.trust IS 'How good a witness the row is: 3 the venue''s raw record, 2 typed columns, 1 a summary.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_ledger_rows (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    key text NOT NULL,
    old_row text NOT NULL,
    ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    status text NOT NULL,
    quantity numeric(14, 2),
    buy_price numeric(6, 4),
    sell_price numeric(6, 4),
    fees numeric(18, 6),
    pnl numeric(18, 6),
    win_loss text NOT NULL,
    opened_at timestamptz,
    closed_at timestamptz,
    doubtful boolean NOT NULL,
    strategy text NOT NULL,
    entry_method text NOT NULL,
    close_method text NOT NULL,
    is_test boolean NOT NULL,
    has_fees boolean NOT NULL,
    whole boolean NOT NULL,
    original text NOT NULL,
    PRIMARY KEY (mode, key)
);
COMMENT ON TABLE imported_ledger_rows IS 'Writer: `recio import`. Rows of the old trades table with the figures that stood there.';
COMMENT ON COLUMN imported_ledger_rows.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_ledger_rows.key IS 'What makes the row the same at the next import.';
COMMENT ON COLUMN imported_ledger_rows.old_row IS 'Table and id of the old row.';
COMMENT ON COLUMN imported_ledger_rows.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_ledger_rows.side IS 'yes or no, as the old row has it.';
COMMENT ON COLUMN imported_ledger_rows.status IS 'The old word.';
COMMENT ON COLUMN imported_ledger_rows.quantity IS 'Contracts; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.buy_price IS 'Dollars per contract; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.sell_price IS 'Dollars per contract; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.fees IS 'Dollars; NULL: the old data does not say.';
COMMENT ON COLUMN imported_ledger_rows.pnl IS 'Dollars, as the old system had it; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.win_loss IS 'The old word.';
COMMENT ON COLUMN imported_ledger_rows.opened_at IS 'UTC; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.closed_at IS 'UTC; NULL: not said.';
COMMENT ON COLUMN imported_ledger_rows.doubtful IS 'Its New York time had no offset and falls into the hour that autumn has twice.';
COMMENT ON COLUMN imported_ledger_rows.strategy IS 'The old name.';
COMMENT ON COLUMN imported_ledger_rows.entry_method IS 'The old word.';
COMMENT ON COLUMN imported_ledger_rows.close_method IS 'The old word.';
COMMENT ON COLUMN imported_ledger_rows.is_test IS 'Whether the old system marked it as a test.';
COMMENT ON COLUMN imported_ledger_rows.has_fees IS 'Whether its figures include fees.';
COMMENT ON COLUMN imported_ledger_rows.whole IS 'Whether it has every figure of a trade.';
COMMENT ON COLUMN imported_ledger_rows.original IS 'The old row as it was, as JSON text without secrets.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_trades (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    ticker text NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    source text NOT NULL CHECK (source IN ('fills', 'orders', 'settlement', 'ledger')),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    entry_cost numeric(18, 6),
    exit_proceeds numeric(18, 6),
    payout numeric(18, 6),
    fees numeric(18, 6),
    net_pnl numeric(18, 6),
    opened_at timestamptz,
    closed_at timestamptz,
    doubtful boolean NOT NULL,
    ledger_key text,
    disagreements jsonb NOT NULL,
    PRIMARY KEY (mode, ticker, number),
    CHECK (net_pnl = exit_proceeds + payout - entry_cost - fees)
);
COMMENT ON TABLE imported_trades IS 'Writer: `recio import`. Trades rebuilt from the four tables above, and where the old ledger disagrees. NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_trades.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_trades.number IS 'Which trade of the market, from 1.';
COMMENT ON COLUMN imported_trades.side IS 'yes or no, as the old row has it.';
COMMENT ON COLUMN imported_trades.source IS 'fills, orders, settlement or ledger: what it was rebuilt from.';
COMMENT ON COLUMN imported_trades.quantity IS 'Contracts, hundredths at the finest.';
COMMENT ON COLUMN imported_trades.entry_cost IS 'Dollars paid, without fees; NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.exit_proceeds IS 'Dollars received by sales, without fees; NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.payout IS 'Dollars paid at settlement; NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.fees IS 'Dollars; NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.net_pnl IS 'Dollars; NULL: it cannot be known.';
COMMENT ON COLUMN imported_trades.opened_at IS 'UTC; NULL: not said.';
COMMENT ON COLUMN imported_trades.closed_at IS 'UTC; NULL: not said.';
COMMENT ON COLUMN imported_trades.doubtful IS 'Its New York time had no offset and falls into the hour that autumn has twice.';
COMMENT ON COLUMN imported_trades.ledger_key IS 'Its row of the old ledger; NULL: none.';
COMMENT ON COLUMN imported_trades.disagreements IS 'Where that row says otherwise: a JSON list.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_trade_fills (
    mode text NOT NULL,
    ticker text NOT NULL,
    number integer NOT NULL,
    fill_id text NOT NULL,
    is_exit boolean NOT NULL,
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    fee numeric(18, 6),
    PRIMARY KEY (mode, ticker, number, fill_id),
    FOREIGN KEY (mode, ticker, number) REFERENCES imported_trades ON DELETE CASCADE,
    FOREIGN KEY (mode, fill_id) REFERENCES imported_fills
);
COMMENT ON TABLE imported_trade_fills IS 'Writer: `recio import`. Which fills an imported trade is of. One fill may end a trade and begin another: its parts add up to it.';
COMMENT ON COLUMN imported_trade_fills.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_trade_fills.ticker IS 'Market of the trade.';
COMMENT ON COLUMN imported_trade_fills.number IS 'Which trade of the market.';
COMMENT ON COLUMN imported_trade_fills.fill_id IS 'The venue''s trade id.';
COMMENT ON COLUMN imported_trade_fills.is_exit IS 'Whether it closed what the trade had bought.';
COMMENT ON COLUMN imported_trade_fills.quantity IS 'Contracts of the fill that are of this trade, hundredths at the finest.';
COMMENT ON COLUMN imported_trade_fills.price IS 'Dollars that one contract of the trade''s side cost, or brought.';
COMMENT ON COLUMN imported_trade_fills.fee IS 'Dollars; NULL: it cannot be known.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_disagreements (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    ticker text NOT NULL,
    old_row text NOT NULL,
    field text NOT NULL CHECK (field <> ''),
    theirs text NOT NULL,
    ours text NOT NULL,
    PRIMARY KEY (mode, ticker, old_row, field, theirs)
);
COMMENT ON TABLE imported_disagreements IS 'Writer: `recio import`. What old rows say otherwise and no imported trade tells: rows without a trade, and two records of one fill that differ.';
COMMENT ON COLUMN imported_disagreements.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_disagreements.ticker IS 'The venue''s name of the market, as the old row has it.';
COMMENT ON COLUMN imported_disagreements.old_row IS 'Id of the old row, or of the fill. Empty: it has none.';
COMMENT ON COLUMN imported_disagreements.field IS 'What they differ about; fill: two records of one fill.';
COMMENT ON COLUMN imported_disagreements.theirs IS 'What the old row says. Empty: nothing.';
COMMENT ON COLUMN imported_disagreements.ours IS 'What is believed. Empty: nothing.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_prices (
    symbol text NOT NULL,
    second bigint NOT NULL,
    price numeric NOT NULL CHECK (price > 0),
    doubtful boolean NOT NULL,
    PRIMARY KEY (symbol, second)
);
COMMENT ON TABLE imported_prices IS 'Writer: `recio import`. Prices of the old system''s log, one a second, whichever account mode it ran in.';
COMMENT ON COLUMN imported_prices.symbol IS 'Coin, as BTC.';
COMMENT ON COLUMN imported_prices.second IS 'Unix second.';
COMMENT ON COLUMN imported_prices.price IS 'Dollars per coin.';
COMMENT ON COLUMN imported_prices.doubtful IS 'Its New York time had no offset and falls into the hour that autumn has twice.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_settings (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    name text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (mode, name)
);
COMMENT ON TABLE imported_settings IS 'Writer: `recio import`. Old settings by name, with the key and value of recio.toml that means the same. Nothing reads them.';
COMMENT ON COLUMN imported_settings.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_settings.name IS 'The old name.';
COMMENT ON COLUMN imported_settings.value IS 'The old value, with the key and value of recio.toml that mean the same.';

-- Writer: `recio import`.
CREATE TABLE IF NOT EXISTS imported_sources (
    mode text NOT NULL CHECK (mode IN ('prod', 'demo')),
    path text NOT NULL,
    table_name text NOT NULL,
    stamp text NOT NULL,
    rows bigint NOT NULL,
    newest text,
    bad bigint NOT NULL CHECK (bad >= 0),
    rounded boolean NOT NULL,
    blocks bytea NOT NULL CHECK (octet_length(blocks) % 12 = 0),
    reading integer NOT NULL CHECK (reading >= 0),
    PRIMARY KEY (mode, path, table_name)
);
COMMENT ON TABLE imported_sources IS 'Writer: `recio import`. How far each table of each source was read, so that the next import reads what is new.';
COMMENT ON COLUMN imported_sources.mode IS 'prod or demo: the account mode that the old system ran in; from --mode.';
COMMENT ON COLUMN imported_sources.path IS 'Path of the file or address of the server, without user and password.';
COMMENT ON COLUMN imported_sources.table_name IS 'The old table.';
COMMENT ON COLUMN imported_sources.stamp IS 'What tells whether the source has changed.';
COMMENT ON COLUMN imported_sources.rows IS 'Rows that were read.';
COMMENT ON COLUMN imported_sources.newest IS 'The newest of its rows; NULL: no order is known.';
COMMENT ON COLUMN imported_sources.bad IS 'Rows that do not say what they must, and are read again each time.';
COMMENT ON COLUMN imported_sources.rounded IS 'Its results and fees look rounded to whole numbers, and are not believed.';
COMMENT ON COLUMN imported_sources.blocks IS 'Sums of 12 bytes, one behind the other: blocks of rows that were taken whole, and are not taken apart again.';
COMMENT ON COLUMN imported_sources.reading IS 'Which way of reading rows and rebuilding trades took them; another takes them again.';

-- Writer: `recio backup`.
CREATE TABLE IF NOT EXISTS backups (
    backup_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('base', 'dump')),
    place text NOT NULL CHECK (place <> ''),
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL CHECK (finished_at >= started_at),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    error text NOT NULL DEFAULT ''
);
COMMENT ON TABLE backups IS 'Writer: `recio backup`. The backups that were tried, and what became of each.';
COMMENT ON COLUMN backups.backup_id IS 'Number of the row.';
COMMENT ON COLUMN backups.kind IS 'base: every file of the cluster. dump: the rows of this database.';
COMMENT ON COLUMN backups.place IS 'Its folder, or the folder that it was meant for.';
COMMENT ON COLUMN backups.started_at IS 'UTC, by the clock of the machine that took it.';
COMMENT ON COLUMN backups.finished_at IS 'UTC, by the clock of the machine that took it.';
COMMENT ON COLUMN backups.bytes IS 'Bytes on the disk; 0 where it failed.';
COMMENT ON COLUMN backups.error IS 'Why there is none. Empty: it is whole and summed.';

-- Writer: `recio backup`.
CREATE TABLE IF NOT EXISTS stream_copies (
    place text PRIMARY KEY CHECK (place <> ''),
    at timestamptz NOT NULL,
    reaches_at timestamptz CHECK (reaches_at <= at),
    waiting integer NOT NULL CHECK (waiting >= 0),
    error text NOT NULL DEFAULT ''
);
COMMENT ON TABLE stream_copies IS 'Writer: `recio backup`. How far the stream of changes is in a bucket, noted once a minute and whenever that begins or ceases to go wrong.';
COMMENT ON COLUMN stream_copies.place IS 'Address of the bucket and the folder in it.';
COMMENT ON COLUMN stream_copies.at IS 'UTC by the database''s clock: when it was noted.';
COMMENT ON COLUMN stream_copies.reaches_at IS 'UTC by the database''s clock: what was committed by then is in the bucket. NULL: nothing is there yet.';
COMMENT ON COLUMN stream_copies.waiting IS 'Full files of the stream that lie here and are not there.';
COMMENT ON COLUMN stream_copies.error IS 'Why the newest try failed. Empty: it did not.';

-- Writer: `recio drill`.
CREATE TABLE IF NOT EXISTS drills (
    drill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place text NOT NULL CHECK (place <> ''),
    at timestamptz NOT NULL,
    rto_seconds numeric(12, 3) NOT NULL CHECK (rto_seconds >= 0),
    rpo_seconds numeric(12, 3) CHECK (rpo_seconds >= 0),
    error text NOT NULL DEFAULT '',
    CHECK ((rpo_seconds IS NULL) = (error <> ''))
);
COMMENT ON TABLE drills IS 'Writer: `recio drill`. Backups that were restored into a server of their own and proven, or not.';
COMMENT ON COLUMN drills.drill_id IS 'Number of the row.';
COMMENT ON COLUMN drills.place IS 'Folder of the backup.';
COMMENT ON COLUMN drills.at IS 'UTC, when it began, by the clock of the machine.';
COMMENT ON COLUMN drills.rto_seconds IS 'Seconds until the restored rows were proven, or refused.';
COMMENT ON COLUMN drills.rpo_seconds IS 'Seconds between the newest audit row that was brought back and the newest of this database. NULL: it failed.';
COMMENT ON COLUMN drills.error IS 'What was not whole. Empty: all was proven.';

-- Writer: `recio restore`.
CREATE TABLE IF NOT EXISTS restores (
    restore_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place text NOT NULL CHECK (place <> ''),
    target timestamptz,
    newest_at timestamptz,
    restored_at timestamptz NOT NULL,
    old_tag text NOT NULL,
    new_tag text NOT NULL CHECK (new_tag <> old_tag)
);
COMMENT ON TABLE restores IS 'Writer: `recio restore`. When this database was brought back from a backup.';
COMMENT ON COLUMN restores.restore_id IS 'Number of the row.';
COMMENT ON COLUMN restores.place IS 'Folder of the backup.';
COMMENT ON COLUMN restores.target IS 'UTC, the instant that was asked for; NULL: the last that could be reached.';
COMMENT ON COLUMN restores.newest_at IS 'UTC, of the newest audit row that was brought back; NULL: there was none.';
COMMENT ON COLUMN restores.restored_at IS 'UTC, by the clock of the machine.';
COMMENT ON COLUMN restores.old_tag IS 'The tag of the client order ids until then.';
COMMENT ON COLUMN restores.new_tag IS 'The tag from then on: trade numbers that the backup forgot come again, and their ids must not.';

-- Writer: trade_manager and `recio forgo`.
CREATE TABLE IF NOT EXISTS brought_in (
    restore_id bigint PRIMARY KEY REFERENCES restores,
    begun_at timestamptz NOT NULL,
    finished_at timestamptz,
    read_from timestamptz NOT NULL,
    after_transaction bigint NOT NULL CHECK (after_transaction >= 0),
    orders integer NOT NULL DEFAULT 0,
    trades integer NOT NULL DEFAULT 0 CHECK (trades >= 0),
    fills integer NOT NULL DEFAULT 0 CHECK (fills >= 0),
    settlements integer NOT NULL DEFAULT 0 CHECK (settlements >= 0),
    left_out text[] NOT NULL DEFAULT '{}',
    CONSTRAINT brought_in_ends_after_it_began CHECK (finished_at >= begun_at),
    CONSTRAINT brought_in_trades_are_of_orders CHECK (trades <= orders),
    CONSTRAINT brought_in_is_counted_at_its_end CHECK (finished_at IS NOT NULL OR (fills = 0 AND settlements = 0))
);
COMMENT ON TABLE brought_in IS 'Writer: trade_manager and `recio forgo`. What the venue knew and the backup of a restore had forgotten. Nothing is bought before the row of the newest restore is finished.';
COMMENT ON COLUMN brought_in.restore_id IS 'The restore.';
COMMENT ON COLUMN brought_in.begun_at IS 'UTC, by recio''s clock: when the first run after the restore read its rows.';
COMMENT ON COLUMN brought_in.finished_at IS 'UTC, by recio''s clock: when all that could be explained had its rows; NULL: not yet.';
COMMENT ON COLUMN brought_in.read_from IS 'UTC: the rows of the backup know all that came before, but for what had no end yet.';
COMMENT ON COLUMN brought_in.after_transaction IS 'The newest transaction of the ledger when it began.';
COMMENT ON COLUMN brought_in.orders IS 'Orders that got their row, each in one transaction.';
COMMENT ON COLUMN brought_in.trades IS 'Trades that were made anew, each from its entry order.';
COMMENT ON COLUMN brought_in.fills IS 'Fills that were booked meanwhile, those of orders that recio did not make among them.';
COMMENT ON COLUMN brought_in.settlements IS 'Settlements that were booked meanwhile.';
COMMENT ON COLUMN brought_in.left_out IS 'Client order ids of ours at the venue that nothing here explains: a halt names them.';

-- The newest restore whose forgotten orders are still to be brought in; NULL: none.
CREATE OR REPLACE FUNCTION restore_to_bring_in() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT r.restore_id FROM (SELECT restore_id FROM restores ORDER BY restore_id DESC LIMIT 1) AS r
    LEFT JOIN brought_in AS b ON b.restore_id = r.restore_id WHERE b.finished_at IS NULL
$$;
-- Whether an order may get a row that no decision of this tag made: one of the same family made it, and a restore is being made
-- good. The family is FAMILY_CHARS of rules/account/reconcile.py; a test compares them.
CREATE OR REPLACE FUNCTION may_be_brought_in(order_name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT restore_to_bring_in() IS NOT NULL AND EXISTS (SELECT FROM identity AS i WHERE left(i.tag, 4) = left(asked.tag, 4)
        AND i.tag <> asked.tag AND length(i.tag) = length(asked.tag))
    FROM (VALUES (split_part(order_name, '-', 2))) AS asked (tag)
$$;

-- What people and watchers do is logged by the database itself, in the transaction that does it: who, when, from, to.
-- At its commit: every order takes the lock of the audit log, and whoever stops in the middle of a transaction must not hold it.
CREATE OR REPLACE FUNCTION log_deed(deed text, told jsonb, of_trade bigint DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audit_log (at, kind, trade_id, detail) VALUES (clock_timestamp(), deed, of_trade, jsonb_strip_nulls(told))
$$;
CREATE OR REPLACE FUNCTION log_switch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log_deed('switch turned', jsonb_build_object('name', NEW.name, 'strategy', nullif(NEW.strategy, ''), 'by', NEW.set_by,
        'why', NEW.why, 'to', NEW.is_on,
        'from', coalesce((SELECT s.is_on FROM switches AS s WHERE s.name = NEW.name AND s.strategy = NEW.strategy
            AND s.switch_id < NEW.switch_id ORDER BY s.switch_id DESC LIMIT 1), true)));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS switches_are_logged ON switches;
CREATE CONSTRAINT TRIGGER switches_are_logged AFTER INSERT ON switches
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_switch();
CREATE OR REPLACE FUNCTION log_halt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM log_deed('halt set', jsonb_build_object('halt', NEW.halt_id, 'level', NEW.level, 'cause', NEW.cause, 'by', NEW.set_by));
    ELSE
        PERFORM log_deed('halt cleared', jsonb_build_object('halt', NEW.halt_id, 'cause', NEW.cause, 'by', NEW.cleared_by));
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS halts_are_logged ON halts;
CREATE CONSTRAINT TRIGGER halts_are_logged AFTER INSERT ON halts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_halt();
DROP TRIGGER IF EXISTS cleared_halts_are_logged ON halts;
CREATE CONSTRAINT TRIGGER cleared_halts_are_logged AFTER UPDATE OF cleared_at ON halts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.cleared_at IS NULL AND NEW.cleared_at IS NOT NULL) EXECUTE FUNCTION log_halt();
CREATE OR REPLACE FUNCTION log_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was numeric;
BEGIN
    IF TG_TABLE_NAME = 'limit_grants' THEN
        SELECT limit_in_force(l.fencing, l.name) INTO was FROM risk_limits AS l WHERE l.name = NEW.name ORDER BY l.fencing DESC LIMIT 1;
        PERFORM log_deed('limit granted', jsonb_build_object('name', NEW.name, 'from', was::text, 'to', NEW.amount::text,
            'by', NEW.granted_by));
    ELSE
        SELECT limit_in_force(l.fencing, l.name) INTO was FROM risk_limits AS l
            WHERE l.name = NEW.name AND l.fencing < NEW.fencing ORDER BY l.fencing DESC LIMIT 1;
        IF was <> NEW.amount THEN
            PERFORM log_deed('limit changed', jsonb_build_object('name', NEW.name, 'from', was::text, 'to', NEW.amount::text,
                'run', NEW.fencing));
        END IF;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS limit_grants_are_logged ON limit_grants;
CREATE CONSTRAINT TRIGGER limit_grants_are_logged AFTER INSERT ON limit_grants
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_limit();
DROP TRIGGER IF EXISTS changed_limits_are_logged ON risk_limits;
CREATE CONSTRAINT TRIGGER changed_limits_are_logged AFTER INSERT ON risk_limits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_limit();
CREATE OR REPLACE FUNCTION log_limit_cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log_deed('limit lowered', jsonb_build_object('name', NEW.name, 'to', NEW.amount::text, 'run', NEW.fencing,
        'from', (SELECT least(l.amount, (SELECT min(c.amount) FROM limit_cuts AS c
            WHERE c.fencing = NEW.fencing AND c.name = NEW.name AND c.cut_id < NEW.cut_id))::text
            FROM risk_limits AS l WHERE l.fencing = NEW.fencing AND l.name = NEW.name),
        'by', NEW.cut_by, 'why', NEW.why));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS limit_cuts_are_logged ON limit_cuts;
CREATE CONSTRAINT TRIGGER limit_cuts_are_logged AFTER INSERT ON limit_cuts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_limit_cut();
CREATE OR REPLACE FUNCTION log_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log_deed('trade asked for', jsonb_build_object('request', NEW.request_id, 'ticker', NEW.ticker, 'side', NEW.side,
        'quantity', NEW.quantity::text, 'price', NEW.price::text, 'by', NEW.asked_by, 'why', NEW.why));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS trade_requests_are_logged ON trade_requests;
CREATE CONSTRAINT TRIGGER trade_requests_are_logged AFTER INSERT ON trade_requests
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_request();
CREATE OR REPLACE FUNCTION log_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log_deed('close asked for', jsonb_build_object('floor', NEW.floor::text, 'by', NEW.asked_by, 'why', NEW.why),
        NEW.trade_id);
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS trade_closes_are_logged ON trade_closes;
CREATE CONSTRAINT TRIGGER trade_closes_are_logged AFTER INSERT OR UPDATE ON trade_closes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_close();
-- Each setting that differs from those of the run before: [from, to].
CREATE OR REPLACE FUNCTION log_settings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was jsonb;
    changed jsonb;
BEGIN
    SELECT r.settings INTO was FROM runs AS r WHERE r.fencing < NEW.fencing ORDER BY r.fencing DESC LIMIT 1;
    SELECT jsonb_object_agg(key, jsonb_build_array(was -> key, NEW.settings -> key)) INTO changed
    FROM (SELECT jsonb_object_keys(was || NEW.settings) AS key) AS every
    WHERE was -> key IS DISTINCT FROM NEW.settings -> key;
    IF changed IS NOT NULL THEN
        PERFORM log_deed('settings changed', jsonb_build_object('run', NEW.fencing, 'changed', changed));
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS changed_settings_are_logged ON runs;
CREATE CONSTRAINT TRIGGER changed_settings_are_logged AFTER INSERT ON runs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_settings();

-- Writer: app, at a start.
CREATE TABLE IF NOT EXISTS audit_checkpoints (
    seq bigint PRIMARY KEY REFERENCES audit_log,
    seal bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit_checkpoints IS 'Writer: app, at a start. Rows of the audit log up to which the chain was once proven, so that a start reads what came since. `recio audit` reads it whole.';
COMMENT ON COLUMN audit_checkpoints.seq IS 'The row of the audit log.';
COMMENT ON COLUMN audit_checkpoints.seal IS 'Its seal at that time.';
COMMENT ON COLUMN audit_checkpoints.at IS 'UTC, by the database''s clock.';

-- Writer: `recio score --parity`.
CREATE TABLE IF NOT EXISTS parity_days (
    day date NOT NULL,
    strategy text NOT NULL CHECK (strategy <> ''),
    trades integer NOT NULL,
    orders integer NOT NULL,
    unrecorded integer NOT NULL CHECK (unrecorded BETWEEN 0 AND orders),
    decisions integer NOT NULL CHECK (decisions >= 0),
    decided_otherwise integer NOT NULL CHECK (decided_otherwise >= 0),
    live_contracts numeric(14, 2) NOT NULL CHECK (live_contracts >= 0),
    paper_contracts numeric(14, 2) NOT NULL CHECK (paper_contracts >= 0),
    price_difference numeric(18, 6) NOT NULL,
    fee_difference numeric(18, 6) NOT NULL,
    compared integer NOT NULL CHECK (compared BETWEEN 0 AND trades),
    live_pnl numeric(18, 6) NOT NULL,
    paper_pnl numeric(18, 6) NOT NULL,
    closes integer NOT NULL CHECK (closes BETWEEN 0 AND compared),
    squares numeric(30, 12) NOT NULL CHECK (squares >= 0),
    luck numeric(30, 12) NOT NULL CHECK (luck >= 0),
    span_closes integer NOT NULL CHECK (span_closes >= closes),
    span_difference numeric(18, 6) NOT NULL,
    span_low numeric(18, 6),
    span_high numeric(18, 6) CHECK (span_high >= span_low),
    parted boolean NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (day, strategy),
    CHECK ((span_low IS NULL) = (span_high IS NULL)),
    CONSTRAINT parity_days_parted CHECK (parted = coalesce(span_low > 0 OR span_high < 0, false))
);
COMMENT ON TABLE parity_days IS 'Writer: `recio score --parity`. Live beside what replay and paper say of the same instants: a row for each day of UTC and strategy. Differences are live less paper; span_ columns are over the last four weeks, and parted says beyond chance.';
COMMENT ON COLUMN parity_days.day IS 'Day of UTC.';
COMMENT ON COLUMN parity_days.strategy IS 'Name of the strategy in recio.toml.';
COMMENT ON COLUMN parity_days.trades IS 'Trades that ended that day.';
COMMENT ON COLUMN parity_days.orders IS 'Orders that were compared.';
COMMENT ON COLUMN parity_days.unrecorded IS 'Orders of which no book was recorded when they arrived.';
COMMENT ON COLUMN parity_days.decisions IS 'Decisions that were made again.';
COMMENT ON COLUMN parity_days.decided_otherwise IS 'Decisions that came out otherwise.';
COMMENT ON COLUMN parity_days.live_contracts IS 'Contracts that were filled.';
COMMENT ON COLUMN parity_days.paper_contracts IS 'Contracts that paper fills.';
COMMENT ON COLUMN parity_days.price_difference IS 'Dollars, live less paper: of prices.';
COMMENT ON COLUMN parity_days.fee_difference IS 'Dollars, live less paper: of fees.';
COMMENT ON COLUMN parity_days.compared IS 'Trades that both have.';
COMMENT ON COLUMN parity_days.live_pnl IS 'Dollars of net profit, live.';
COMMENT ON COLUMN parity_days.paper_pnl IS 'Dollars of net profit, on paper.';
COMMENT ON COLUMN parity_days.closes IS 'Closes that the compared trades were decided by.';
COMMENT ON COLUMN parity_days.squares IS 'Dollars squared: of the differences of closes.';
COMMENT ON COLUMN parity_days.luck IS 'Dollars squared: what chance explains.';
COMMENT ON COLUMN parity_days.span_closes IS 'Closes of the last four weeks.';
COMMENT ON COLUMN parity_days.span_difference IS 'Dollars, live less paper, over the last four weeks.';
COMMENT ON COLUMN parity_days.span_low IS 'Dollars: lower end of its interval; NULL: too few closes.';
COMMENT ON COLUMN parity_days.span_high IS 'Dollars: upper end of its interval; NULL: too few closes.';
COMMENT ON COLUMN parity_days.parted IS 'Whether they differ beyond chance.';
COMMENT ON COLUMN parity_days.made_at IS 'UTC, by recio''s clock.';
CREATE INDEX IF NOT EXISTS parity_days_by_strategy ON parity_days (strategy, day DESC);

-- Writer: alerts. What somebody was called for.
CREATE TABLE IF NOT EXISTS alerts (
    alert_id text PRIMARY KEY CHECK (alert_id ~ '^[0-9a-f]{32}$'),
    cause text NOT NULL CHECK (cause <> ''),
    severity text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    sentence text NOT NULL CHECK (sentence <> ''),
    resolution text NOT NULL,
    began_at timestamptz NOT NULL,
    told integer NOT NULL CHECK (told > 0),
    told_at timestamptz NOT NULL CHECK (told_at >= began_at),
    ended_at timestamptz CHECK (ended_at >= began_at),
    acknowledged_by text NOT NULL DEFAULT ''
);
COMMENT ON TABLE alerts IS 'Writer: alerts. What somebody was called for: one row for each cause, from its beginning to its end.';
COMMENT ON COLUMN alerts.alert_id IS 'Drawn by recio.';
COMMENT ON COLUMN alerts.cause IS 'What happened, in the words by which it is known again.';
COMMENT ON COLUMN alerts.severity IS 'critical, warning or info.';
COMMENT ON COLUMN alerts.sentence IS 'What was told last.';
COMMENT ON COLUMN alerts.resolution IS 'What to do; empty: nothing.';
COMMENT ON COLUMN alerts.began_at IS 'UTC, by recio''s clock.';
COMMENT ON COLUMN alerts.told IS 'How often it was told.';
COMMENT ON COLUMN alerts.told_at IS 'UTC, by recio''s clock: when last.';
COMMENT ON COLUMN alerts.ended_at IS 'UTC, by recio''s clock; NULL: it goes on.';
COMMENT ON COLUMN alerts.acknowledged_by IS 'Who looks after it, so that it is told again only if it becomes graver; empty: nobody said so.';
-- One cause is called for once.
CREATE UNIQUE INDEX IF NOT EXISTS open_alerts ON alerts (cause) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS alerts_by_end ON alerts (ended_at);

-- Writer: alerts. Each message to each channel.
CREATE TABLE IF NOT EXISTS alert_deliveries (
    delivery_id text PRIMARY KEY CHECK (delivery_id ~ '^[0-9a-f]{32}$'),
    channel text NOT NULL CHECK (channel ~ '^[a-z0-9][a-z0-9_-]*$'),
    severity text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    text text NOT NULL CHECK (text <> ''),
    at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts integer NOT NULL CHECK (attempts >= 0),
    done_at timestamptz CHECK (done_at >= at),
    why text NOT NULL,
    CHECK ((state = 'waiting') = (done_at IS NULL)),
    CHECK (state <> 'sent' OR attempts > 0)
);
COMMENT ON TABLE alert_deliveries IS 'Writer: alerts. Each message to each channel, and what became of it. No row holds the address of a channel.';
COMMENT ON COLUMN alert_deliveries.delivery_id IS 'Drawn by recio.';
COMMENT ON COLUMN alert_deliveries.channel IS 'Name of the channel in the file of channels.';
COMMENT ON COLUMN alert_deliveries.severity IS 'critical, warning or info.';
COMMENT ON COLUMN alert_deliveries.text IS 'What was sent.';
COMMENT ON COLUMN alert_deliveries.at IS 'UTC, by recio''s clock: when it was to be sent.';
COMMENT ON COLUMN alert_deliveries.state IS 'waiting, sent or failed for good.';
COMMENT ON COLUMN alert_deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN alert_deliveries.done_at IS 'UTC, by recio''s clock; NULL while it waits.';
COMMENT ON COLUMN alert_deliveries.why IS 'Why the last attempt failed, or what it waits for.';
CREATE INDEX IF NOT EXISTS deliveries_that_wait ON alert_deliveries (at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_by_end ON alert_deliveries (done_at);
CREATE INDEX IF NOT EXISTS deliveries_by_time ON alert_deliveries (at);

-- Writer: status_http. Passkeys that were made at the page after a login with a password.
CREATE TABLE IF NOT EXISTS page_passkeys (
    passkey_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL CHECK (login <> ''),
    label text NOT NULL DEFAULT '',
    credential bytea NOT NULL UNIQUE CHECK (length(credential) BETWEEN 1 AND 1023),
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL CHECK (sign_count >= 0),
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    removed_by text CHECK (removed_by <> '')
);
COMMENT ON TABLE page_passkeys IS 'Writer: status_http. Passkeys that were made at the page after a login with a password. No row holds a secret: a passkey''s private key never leaves its device.';
COMMENT ON COLUMN page_passkeys.passkey_id IS 'Number of the passkey.';
COMMENT ON COLUMN page_passkeys.login IS 'Name in the file logins of data_dir.';
COMMENT ON COLUMN page_passkeys.label IS 'What its owner calls it.';
COMMENT ON COLUMN page_passkeys.credential IS 'Its id, from the device.';
COMMENT ON COLUMN page_passkeys.public_key IS 'COSE key, from the device.';
COMMENT ON COLUMN page_passkeys.sign_count IS 'How often it was used, by the device; 0: the device does not count.';
COMMENT ON COLUMN page_passkeys.made_at IS 'UTC, by the clock of the machine.';
COMMENT ON COLUMN page_passkeys.used_at IS 'UTC, by the clock of the machine; NULL: never.';
COMMENT ON COLUMN page_passkeys.removed_by IS 'Who took it away; NULL: nobody.';
CREATE INDEX IF NOT EXISTS page_passkeys_by_login ON page_passkeys (login) WHERE removed_by IS NULL;

-- Writer: status_http. Who logged in at the page.
CREATE TABLE IF NOT EXISTS page_sessions (
    session_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    login text NOT NULL CHECK (login <> ''),
    address text NOT NULL,
    began_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > began_at),
    ended_by text CHECK (ended_by <> ''),
    passkey_id bigint REFERENCES page_passkeys
);
COMMENT ON TABLE page_sessions IS 'Writer: status_http. Who logged in at the page, from when until when. Forgotten 30 days after.';
COMMENT ON COLUMN page_sessions.session_id IS 'Number of the session.';
COMMENT ON COLUMN page_sessions.digest IS 'SHA-256 of the cookie, in hexadecimal digits. The cookie itself is kept nowhere.';
COMMENT ON COLUMN page_sessions.login IS 'Name in the file logins of data_dir.';
COMMENT ON COLUMN page_sessions.address IS 'From where, as far as it is known.';
COMMENT ON COLUMN page_sessions.began_at IS 'UTC, by the clock of the machine.';
COMMENT ON COLUMN page_sessions.ends_at IS 'UTC, by the clock of the machine: then the login has to be made again.';
COMMENT ON COLUMN page_sessions.ended_by IS 'Who ended it before; NULL: nobody.';
COMMENT ON COLUMN page_sessions.passkey_id IS 'The passkey that began it; NULL: a password did.';
CREATE INDEX IF NOT EXISTS page_sessions_by_end ON page_sessions (ends_at);

-- Writer: status_http. What was asked for on the page.
CREATE TABLE IF NOT EXISTS page_acts (
    key text PRIMARY KEY CHECK (key ~ '^[A-Za-z0-9_-]{8,64}$'),
    kind text NOT NULL CHECK (kind <> ''),
    asked jsonb NOT NULL,
    asked_by text NOT NULL CHECK (asked_by <> ''),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    number bigint
);
COMMENT ON TABLE page_acts IS 'Writer: status_http. What was asked for on the page, once for each key: two taps are one act.';
COMMENT ON COLUMN page_acts.key IS 'Drawn by whoever asks.';
COMMENT ON COLUMN page_acts.kind IS 'halt, close, trade and so on.';
COMMENT ON COLUMN page_acts.asked IS 'What was asked for, without its key.';
COMMENT ON COLUMN page_acts.asked_by IS 'Name of a login, or status page where somebody at this machine asked.';
COMMENT ON COLUMN page_acts.asked_at IS 'UTC, by the database''s clock.';
COMMENT ON COLUMN page_acts.number IS 'Of the row that it became: a trade, or a request; NULL: it became none.';
CREATE OR REPLACE FUNCTION log_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM log_deed('logged in', jsonb_build_object('session', NEW.session_id, 'by', NEW.login, 'address', NEW.address,
            'passkey', NEW.passkey_id));
    ELSE
        PERFORM log_deed('session ended', jsonb_build_object('session', NEW.session_id, 'login', NEW.login, 'by', NEW.ended_by));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER page_sessions_are_logged AFTER INSERT ON page_sessions
    FOR EACH ROW EXECUTE FUNCTION log_session();
CREATE OR REPLACE TRIGGER ended_sessions_are_logged AFTER UPDATE OF ended_by ON page_sessions
    FOR EACH ROW WHEN (OLD.ended_by IS NULL AND NEW.ended_by IS NOT NULL) EXECUTE FUNCTION log_session();
CREATE OR REPLACE FUNCTION log_passkey() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM log_deed('passkey made', jsonb_build_object('passkey', NEW.passkey_id, 'by', NEW.login, 'label', NEW.label));
    ELSE
        PERFORM log_deed('passkey removed', jsonb_build_object('passkey', NEW.passkey_id, 'login', NEW.login, 'by', NEW.removed_by));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER page_passkeys_are_logged AFTER INSERT ON page_passkeys
    FOR EACH ROW EXECUTE FUNCTION log_passkey();
CREATE OR REPLACE TRIGGER removed_passkeys_are_logged AFTER UPDATE OF removed_by ON page_passkeys
    FOR EACH ROW WHEN (OLD.removed_by IS NULL AND NEW.removed_by IS NOT NULL) EXECUTE FUNCTION log_passkey();
CREATE OR REPLACE FUNCTION log_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log_deed('asked on the page', jsonb_build_object('act', NEW.kind, 'asked', NEW.asked, 'by', NEW.asked_by,
        'key', NEW.key, 'number', NEW.number));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER page_acts_are_logged AFTER INSERT ON page_acts
    FOR EACH ROW EXECUTE FUNCTION log_act();

-- Writer: status_http. Devices that a login told recio to call by Web Push.
CREATE TABLE IF NOT EXISTS push_subscriptions (
    subscription_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL CHECK (login <> ''),
    label text NOT NULL DEFAULT '',
    least text NOT NULL CHECK (least IN ('critical', 'warning', 'info')),
    endpoint text NOT NULL CHECK (endpoint ~ '^https://.' AND length(endpoint) <= 2048),
    public_key bytea NOT NULL CHECK (length(public_key) = 65),
    auth bytea NOT NULL CHECK (length(auth) = 16),
    made_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= made_at),
    ended_by text CHECK (ended_by <> ''),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE push_subscriptions IS 'Writer: status_http. Devices that a login told recio to call by Web Push. Nobody can call a device with what stands here: its push service wants a signature by the key in data_dir/push-key.';
COMMENT ON COLUMN push_subscriptions.subscription_id IS 'Number of the subscription; its channel is called push- and this.';
COMMENT ON COLUMN push_subscriptions.login IS 'Name in the file logins of data_dir.';
COMMENT ON COLUMN push_subscriptions.label IS 'What its owner calls the device.';
COMMENT ON COLUMN push_subscriptions.least IS 'The least severity that it is told.';
COMMENT ON COLUMN push_subscriptions.endpoint IS 'Address at the push service of its browser, from the browser.';
COMMENT ON COLUMN push_subscriptions.public_key IS 'Point of P-256, uncompressed, from the browser: messages are encrypted for it.';
COMMENT ON COLUMN push_subscriptions.auth IS 'What the browser shares with whoever writes to it, from the browser.';
COMMENT ON COLUMN push_subscriptions.made_at IS 'UTC, by the clock of the machine.';
COMMENT ON COLUMN push_subscriptions.ended_at IS 'UTC, by the clock of the machine; NULL: it is told.';
COMMENT ON COLUMN push_subscriptions.ended_by IS 'A login, the status page, or the push service, which knows it no more; NULL: it is told.';
CREATE UNIQUE INDEX IF NOT EXISTS push_subscriptions_one_of_a_device ON push_subscriptions (endpoint) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS push_subscriptions_that_run ON push_subscriptions (subscription_id) WHERE ended_at IS NULL;
CREATE OR REPLACE FUNCTION log_push() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM log_deed('push subscribed', jsonb_build_object('subscription', NEW.subscription_id, 'by', NEW.login,
            'label', NEW.label, 'least', NEW.least, 'service', split_part(NEW.endpoint, '/', 3)));
    ELSE
        PERFORM log_deed('push ended', jsonb_build_object('subscription', NEW.subscription_id, 'login', NEW.login, 'by', NEW.ended_by));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER push_subscriptions_are_logged AFTER INSERT ON push_subscriptions
    FOR EACH ROW EXECUTE FUNCTION log_push();
CREATE OR REPLACE TRIGGER ended_pushes_are_logged AFTER UPDATE OF ended_at ON push_subscriptions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION log_push();
