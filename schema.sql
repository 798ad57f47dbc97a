-- The whole schema of recio as it is now. Rules live here as constraints where they can; Python checks come second.
-- Running this file on a database that already has this schema changes nothing.
-- Money is NUMERIC in dollars, prices NUMERIC in dollars per contract in YES terms, time is timestamptz.
-- The comment on each table says who writes it. Nobody else may.

-- Writer: app, once, at the first start. A database belongs to one mode, one environment and one account.
CREATE TABLE IF NOT EXISTS identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mode text NOT NULL CHECK (mode IN ('demo', 'live')),
    environment text NOT NULL CHECK (environment IN ('sim', 'demo', 'prod')),
    account text NOT NULL CHECK (account <> ''),
    -- Part of every client order id. So two databases never use the same id at the venue.
    tag text NOT NULL UNIQUE CHECK (tag ~ '^[0-9a-z]{8}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Writer: app, one row per start of the daemon. `fencing` is the number of the run; each order carries that of its run.
CREATE TABLE IF NOT EXISTS runs (
    fencing bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- Writer: discovery. The markets of the venue. What can change is as it was last seen.
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
    -- The usual fee times this is the fee here. NULL: not recorded by an older recio.
    fee_multiplier numeric,
    -- Why recio does not trade this market: it did not understand the rules or the fee. Empty: it may trade.
    untradable text NOT NULL DEFAULT '',
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);

-- Writer: price_feed. The last price of each second, so that a restart has its price history at once.
CREATE TABLE IF NOT EXISTS price_seconds (
    symbol text NOT NULL,
    second bigint NOT NULL,
    price numeric NOT NULL CHECK (price > 0),
    PRIMARY KEY (symbol, second)
);

-- Whether a trade is over. rules/account/lifecycle.py calls it ENDED_TRADES.
CREATE OR REPLACE FUNCTION has_ended(trade_state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT trade_state IN ('closed', 'void')
$$;
-- The price of a side, from the price of YES.
CREATE OR REPLACE FUNCTION own_price(side text, yes_price numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE side WHEN 'yes' THEN yes_price ELSE 1 - yes_price END
$$;

-- Writer: trade_manager. A trade is one position, from its entry order to its exit or settlement.
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
    CHECK ((state IN ('closed', 'void')) = (closed_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'void')) = (ended_by IS NOT NULL)),
    CHECK (payout = 0 OR ended_by = 'settlement')
);

-- One live trade per market at most. The states are those of has_ended; a test compares them.
CREATE UNIQUE INDEX IF NOT EXISTS trades_one_live_per_market
    ON trades (ticker) WHERE state NOT IN ('closed', 'void');
CREATE INDEX IF NOT EXISTS trades_by_event ON trades (event_ticker);
CREATE INDEX IF NOT EXISTS trades_by_end ON trades (closed_at);

-- True while an order may still trade or may still turn out to have traded. rules/account/lifecycle.py calls it UNPROVEN.
CREATE OR REPLACE FUNCTION is_unproven(order_state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT order_state IN ('pending', 'unknown', 'resting')
$$;

-- Writer: trade_manager. The row is committed before the request is sent.
-- pending: not answered yet. unknown: sent, but nobody knows what became of it. not_found: proven never to have existed
-- at the venue.
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
    -- The most the order can cost. It counts against the limits until the order has a proven end.
    reserved numeric(18, 6) NOT NULL CHECK (reserved >= 0),
    -- The price collar of an entry, per contract of the side bought: the best ask, and what the model says it is worth.
    ask numeric(6, 4) CHECK (ask > 0 AND ask < 1),
    model_value numeric(8, 6) CHECK (model_value >= 0 AND model_value <= 1),
    state text NOT NULL
        CHECK (state IN ('pending', 'unknown', 'resting', 'filled', 'cancelled', 'rejected', 'not_found')),
    venue_order_id text UNIQUE,
    fencing bigint NOT NULL REFERENCES runs,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    note text NOT NULL DEFAULT '',
    UNIQUE (trade_id, purpose, attempt),
    CHECK ((state IN ('filled', 'cancelled', 'rejected', 'not_found')) = (ended_at IS NOT NULL)),
    CHECK (state NOT IN ('resting', 'filled', 'cancelled') OR venue_order_id IS NOT NULL),
    CHECK (state NOT IN ('rejected', 'not_found') OR filled = 0)
);

CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at);
-- One unproven order per trade at most. The states are those of is_unproven; a test compares them.
CREATE UNIQUE INDEX IF NOT EXISTS orders_one_unproven_per_trade
    ON orders (trade_id) WHERE state IN ('pending', 'unknown', 'resting');

-- Writer: trade_manager. Every fill of the account, also of orders that recio did not place.
-- A fill may arrive before the answer to its order. So it carries the venue's order id, not ours.
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
CREATE INDEX IF NOT EXISTS fills_by_order ON fills (venue_order_id);
CREATE INDEX IF NOT EXISTS fills_by_time ON fills (at);

-- Writer: trade_manager. How the markets settled that the account held.
CREATE TABLE IF NOT EXISTS settlements (
    ticker text PRIMARY KEY,
    result text NOT NULL CHECK (result IN ('yes', 'no')),
    settled_at timestamptz NOT NULL,
    revenue_cents bigint NOT NULL
);

-- Writer: failure_detector and `recio halt`; `recio resume` clears. A halt stays in force over restarts.
CREATE TABLE IF NOT EXISTS halts (
    halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level text NOT NULL DEFAULT 'halt' CHECK (level IN ('halt', 'flatten', 'stop')),
    cause text NOT NULL,
    since timestamptz NOT NULL,
    set_by text NOT NULL,
    resolution text NOT NULL,
    cleared_at timestamptz,
    cleared_by text,
    -- By the database's clock. Times to verification are measured from here.
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest trade when the halt was set. Once the halt is cleared, losses up to this trade no longer count.
    after_trade bigint,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS halts_one_per_cause ON halts (cause) WHERE cleared_at IS NULL;

-- Writer: kill_switch. Proof at the venue that a halt took effect: no resting order (verified), no position (flat).
CREATE TABLE IF NOT EXISTS halt_verifications (
    halt_id bigint PRIMARY KEY REFERENCES halts,
    cancelled integer NOT NULL CHECK (cancelled >= 0),
    verified_at timestamptz,
    flat_at timestamptz
);

-- Writer: kill_switch. The venue's order groups that entries are placed in. The newest of a shard is in use.
CREATE TABLE IF NOT EXISTS order_groups (
    group_id text PRIMARY KEY,
    exchange_index integer,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone_at timestamptz
);

-- Writer: account_sync. The opening balance is venue_balance - ledger_cash: deposits, withdrawals and all that happened
-- before the ledger began. The newest row is in force. A new one needs a person's consent: a halt about the cash
-- difference, newer than `halts_before`, that somebody cleared.
CREATE TABLE IF NOT EXISTS opening_balances (
    opening_balance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    venue_balance numeric(18, 6) NOT NULL,
    ledger_cash numeric(18, 6) NOT NULL,
    halts_before bigint NOT NULL
);

-- Writer: `recio switch`. The newest row of a name says whether it is on. Without a row it is on.
CREATE TABLE IF NOT EXISTS switches (
    switch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name IN ('entry', 'exit')),
    is_on boolean NOT NULL,
    at timestamptz NOT NULL,
    set_by text NOT NULL CHECK (set_by <> ''),
    why text NOT NULL DEFAULT ''
);

-- Writer: trade_manager. What was decided and done, written in the same transaction. Append-only.
-- Rows from before schema version 13 say "order intended" for pending and "order absent" for not_found.
CREATE TABLE IF NOT EXISTS audit_log (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    trade_id bigint REFERENCES trades,
    client_order_id text REFERENCES orders,
    detail jsonb NOT NULL,
    seal bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_log_by_trade ON audit_log (trade_id);

CREATE OR REPLACE FUNCTION refuse_audit_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_log_change();

-- A hash chain: each seal covers its row and the seal before. A changed, removed or inserted row breaks the chain.
CREATE OR REPLACE FUNCTION audit_log_seal(previous bytea, sealed audit_log) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(coalesce(previous, ''::bytea) || convert_to(jsonb_build_array(
        sealed.seq, to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), sealed.kind,
        sealed.trade_id, sealed.client_order_id, sealed.detail)::text, 'UTF8'))
$$;
CREATE OR REPLACE FUNCTION seal_audit_log_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last audit_log;
BEGIN
    PERFORM pg_advisory_xact_lock(1919247210);
    SELECT * INTO last FROM audit_log ORDER BY seq DESC LIMIT 1;
    IF last.seq >= NEW.seq THEN
        RAISE EXCEPTION 'audit log row % comes after %', NEW.seq, last.seq USING ERRCODE = 'serialization_failure';
    END IF;
    NEW.seal := audit_log_seal(last.seal, NEW);
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

-- The sums of each trade's fills. Costs and proceeds are in prices of the side that the trade bought.
-- pnl is the realised profit of an ended trade; of a live one it is cash out minus cash in so far.
CREATE OR REPLACE VIEW trade_figures AS
SELECT t.trade_id, figures.*,
    figures.exit_proceeds + t.payout - figures.entry_cost - figures.fees AS pnl
FROM trades AS t
-- LATERAL: a query for a few trades sums only their fills.
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_quantity,
        coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_cost,
        coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_quantity,
        coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_proceeds,
        coalesce(sum(f.fee), 0) AS fees
    FROM orders AS o
    JOIN fills AS f ON f.venue_order_id = o.venue_order_id
    CROSS JOIN LATERAL (SELECT own_price(t.side, f.price) AS price) AS own
    WHERE o.trade_id = t.trade_id
) AS figures;

-- Writer: entry, every few seconds. Why no trade was opened: how often each gate was the first to refuse.
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
CREATE INDEX IF NOT EXISTS rejections_by_time ON rejections (last_at);

-- Writer: `recio trade`. Trades that a person asks for. An expired request is not carried out.
CREATE TABLE IF NOT EXISTS trade_requests (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL CHECK (ticker <> ''),
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    quantity numeric(14, 2) NOT NULL CHECK (quantity > 0),
    price numeric(6, 4) NOT NULL CHECK (price > 0 AND price < 1),
    asked_by text NOT NULL CHECK (asked_by <> ''),
    why text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL CHECK (expires_at > asked_at)
);
-- Writer: entry. One answer per request, committed before anything is done about it. So no request is carried out twice.
CREATE TABLE IF NOT EXISTS trade_answers (
    request_id bigint PRIMARY KEY REFERENCES trade_requests,
    accepted boolean NOT NULL,
    sentence text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Writer: shadow. Paper trades: what a strategy in stage shadow would have bought and sold. It sends no orders.
CREATE TABLE IF NOT EXISTS paper_trades (
    paper_trade_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy text NOT NULL CHECK (strategy <> ''),
    ticker text NOT NULL,
    event_ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    -- 0: the book had nothing left at the price when the order would have arrived.
    quantity numeric(14, 2) NOT NULL CHECK (quantity >= 0),
    cost numeric(18, 6) NOT NULL CHECK (cost >= 0),
    fees numeric(18, 6) NOT NULL CHECK (fees >= 0),
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    why text NOT NULL,
    decided_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL CHECK (closes_at > decided_at),
    result text CHECK (result IN ('yes', 'no')),
    settled_at timestamptz,
    sold numeric(14, 2) NOT NULL DEFAULT 0,
    proceeds numeric(18, 6) NOT NULL DEFAULT 0,
    -- When the last contract was sold.
    sold_at timestamptz,
    -- When its exit orders of the last minute were decided, filled or not. They count towards the orders per minute.
    exit_orders_at timestamptz[] NOT NULL DEFAULT '{}',
    CHECK ((result IS NULL) = (settled_at IS NULL)),
    CHECK (quantity > 0 OR (cost = 0 AND fees = 0 AND result IS NULL)),
    CONSTRAINT paper_trades_sold CHECK (sold BETWEEN 0 AND quantity AND proceeds >= 0 AND (sold > 0 OR proceeds = 0)),
    CONSTRAINT paper_trades_sold_out CHECK ((sold_at IS NOT NULL) = (quantity > 0 AND sold = quantity))
);
CREATE UNIQUE INDEX IF NOT EXISTS paper_trades_one_held_per_market
    ON paper_trades (strategy, ticker) WHERE result IS NULL AND quantity > sold;
CREATE INDEX IF NOT EXISTS paper_trades_by_time ON paper_trades (decided_at);

-- Writer: `recio model build`. Past price moves by momentum. A model never changes; the newest of a symbol is used.
CREATE TABLE IF NOT EXISTS empirical_models (
    model_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL CHECK (symbol <> ''),
    -- Hash of candles and parameters. The same hash is the same model.
    digest text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    built_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    candles_from timestamptz NOT NULL,
    candles_to timestamptz NOT NULL CHECK (candles_to > candles_from),
    minutes bigint NOT NULL CHECK (minutes > 0),
    parameters jsonb NOT NULL
);
-- Writer: `recio model build`. What one model knows, by momentum.
CREATE TABLE IF NOT EXISTS empirical_buckets (
    model_id bigint NOT NULL REFERENCES empirical_models,
    bucket integer NOT NULL CHECK (bucket BETWEEN -30 AND 30),
    samples bigint NOT NULL CHECK (samples >= 0),
    -- 60 rows (horizons) of 41 columns, flattened.
    up double precision[] NOT NULL CHECK (cardinality(up) = 2460 AND 0 <= ALL (up) AND 1 >= ALL (up)),
    down double precision[] NOT NULL CHECK (cardinality(down) = 2460 AND 0 <= ALL (down) AND 1 >= ALL (down)),
    PRIMARY KEY (model_id, bucket)
);
CREATE OR REPLACE FUNCTION refuse_model_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a model never changes: build another' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER empirical_models_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON empirical_models
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();
CREATE OR REPLACE TRIGGER empirical_buckets_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON empirical_buckets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();

-- Writer: app, at each start. The risk limits of one run. Each order is checked against the limits of its run.
CREATE TABLE IF NOT EXISTS risk_limits (
    fencing bigint NOT NULL REFERENCES runs,
    name text NOT NULL CHECK (name IN (
        'max_contracts_per_order', 'max_contracts_per_strike', 'max_entries_per_event', 'max_event_cost_dollars',
        'max_open_trades', 'max_open_cost_dollars', 'max_daily_loss_dollars', 'max_orders_per_minute',
        'max_consecutive_losses', 'price_collar_dollars')),
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (fencing, name)
);

-- Writer: `recio limits grant`. A person lets the next start raise a limit up to this amount.
CREATE TABLE IF NOT EXISTS limit_grants (
    grant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    granted_by text NOT NULL CHECK (granted_by <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest run at that time. Only the run after it may use the grant.
    after_run bigint NOT NULL REFERENCES runs
);

-- The highest a limit of a new run may be: as in the run before, or as granted since. NULL: no bound.
CREATE OR REPLACE FUNCTION limit_ceiling(run bigint, limit_name text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN before.amount IS NOT NULL THEN greatest(before.amount, (
        SELECT max(g.amount) FROM limit_grants AS g WHERE g.name = limit_name AND g.after_run >= before.fencing)) END
    FROM (SELECT 1) AS always LEFT JOIN LATERAL (
        SELECT l.fencing, l.amount FROM risk_limits AS l WHERE l.name = limit_name AND l.fencing < run
        ORDER BY l.fencing DESC LIMIT 1
    ) AS before ON true
$$;

CREATE OR REPLACE FUNCTION check_limit_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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

-- Live trades at their worst: what is held, plus every entry order that is unproven or whose fills are not all here.
-- recio/db/orders.py asks for the same orders, of both purposes, in _UNSETTLED.
CREATE OR REPLACE VIEW live_exposure AS
SELECT
    t.trade_id, t.ticker, t.event_ticker,
    greatest(f.entry_cost - f.exit_proceeds, 0) + unsettled.cost AS cost,
    f.entry_quantity - f.exit_quantity + unsettled.quantity AS contracts
FROM trades AS t
JOIN trade_figures AS f USING (trade_id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(o.reserved), 0) AS cost, coalesce(sum(o.quantity), 0) AS quantity
    FROM orders AS o
    WHERE o.trade_id = t.trade_id AND o.purpose = 'entry' AND (
        is_unproven(o.state) OR (o.state IN ('filled', 'cancelled') AND o.filled > (
            SELECT coalesce(sum(each.quantity), 0) FROM fills AS each WHERE each.venue_order_id = o.venue_order_id)))
) AS unsettled
WHERE NOT has_ended(t.state);

-- Realised profit of the trades that closed since `midnight`.
CREATE OR REPLACE FUNCTION realised_since(midnight timestamptz) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(f.pnl), 0)
    FROM trades AS t JOIN trade_figures AS f USING (trade_id) WHERE t.state = 'closed' AND t.closed_at >= midnight
$$;

-- Losing trades since the last winning one. A trade that made exactly nothing neither counts nor ends the run of losses.
-- Trades up to the last cleared halt are left out. rules/account/losses.py is the same in Python; a test compares them.
CREATE OR REPLACE FUNCTION losses_in_a_row() RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    forgiven bigint;
    ended record;
    losses integer := 0;
BEGIN
    SELECT coalesce(max(after_trade), 0) INTO forgiven FROM halts WHERE cleared_at IS NOT NULL;
    FOR ended IN
        SELECT f.pnl
        FROM trades AS t JOIN trade_figures AS f USING (trade_id)
        WHERE t.state = 'closed' AND t.trade_id > forgiven ORDER BY t.closed_at DESC, t.trade_id DESC
    LOOP
        EXIT WHEN ended.pnl > 0;
        losses := losses + (ended.pnl < 0)::integer;
    END LOOP;
    RETURN losses;
END $$;

CREATE OR REPLACE FUNCTION require_within_limit(run bigint, limit_name text, figure numeric) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most numeric;
BEGIN
    SELECT amount INTO most FROM risk_limits WHERE fencing = run AND name = limit_name;
    IF most IS NULL THEN
        RAISE EXCEPTION 'run % has no limit %', run, limit_name USING ERRCODE = 'check_violation';
    END IF;
    IF figure > most THEN
        RAISE EXCEPTION 'limit % is %, with this order it would be %', limit_name, most, figure
            USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- The second check of the limits, from the rows alone. An entry beyond a limit gets no row, so no order is sent.
CREATE OR REPLACE FUNCTION check_entry_limits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    trade trades;
    live record;
BEGIN
    SELECT * INTO STRICT trade FROM trades WHERE trade_id = NEW.trade_id;
    IF NEW.ask IS NULL OR NEW.model_value IS NULL THEN
        RAISE EXCEPTION 'order %: an entry needs the ask and the model value of its price collar',
            NEW.client_order_id USING ERRCODE = 'check_violation';
    END IF;
    PERFORM require_within_limit(NEW.fencing, 'max_contracts_per_order', NEW.quantity);
    PERFORM require_within_limit(NEW.fencing, 'price_collar_dollars',
        own_price(trade.side, NEW.price) - least(NEW.ask, NEW.model_value));
    SELECT
        count(*) AS trades, coalesce(sum(cost), 0) AS cost,
        coalesce(sum(cost) FILTER (WHERE event_ticker = trade.event_ticker), 0) AS event_cost,
        coalesce(sum(contracts) FILTER (WHERE ticker = trade.ticker), 0) AS contracts
    INTO live FROM live_exposure;
    PERFORM require_within_limit(NEW.fencing, 'max_contracts_per_strike', live.contracts + NEW.quantity);
    PERFORM require_within_limit(NEW.fencing, 'max_event_cost_dollars', live.event_cost + NEW.reserved);
    PERFORM require_within_limit(NEW.fencing, 'max_open_trades', live.trades);
    PERFORM require_within_limit(NEW.fencing, 'max_open_cost_dollars', live.cost + NEW.reserved);
    PERFORM require_within_limit(NEW.fencing, 'max_entries_per_event',
        (SELECT count(*) FROM trades WHERE event_ticker = trade.event_ticker AND state <> 'void'));
    PERFORM require_within_limit(NEW.fencing, 'max_daily_loss_dollars', live.cost + NEW.reserved
        - realised_since(date_trunc('day', NEW.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'));
    PERFORM require_within_limit(NEW.fencing, 'max_orders_per_minute',
        1 + (SELECT count(*) FROM orders WHERE created_at > NEW.created_at - interval '1 minute'));
    PERFORM require_within_limit(NEW.fencing, 'max_consecutive_losses', 1 + losses_in_a_row());
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER entries_within_limits BEFORE INSERT ON orders
    FOR EACH ROW WHEN (NEW.purpose = 'entry') EXECUTE FUNCTION check_entry_limits();

-- Writer: trade_manager, together with the fill or settlement. One accounting transaction; its postings sum to 0.
CREATE TABLE IF NOT EXISTS ledger_transactions (
    transaction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fill', 'settlement')),
    ticker text NOT NULL,
    fill_id text UNIQUE REFERENCES fills,
    settled_ticker text UNIQUE REFERENCES settlements,
    CHECK ((kind = 'fill') = (fill_id IS NOT NULL)),
    CHECK ((kind = 'settlement') = (settled_ticker IS NOT NULL)),
    CHECK (settled_ticker IS NULL OR settled_ticker = ticker)
);
CREATE INDEX IF NOT EXISTS ledger_transactions_by_ticker ON ledger_transactions (ticker);

-- Writer: trade_manager. Positive is a debit: cash received, cost of contracts bought, fee paid. Negative is a credit.
CREATE TABLE IF NOT EXISTS postings (
    transaction_id bigint NOT NULL REFERENCES ledger_transactions,
    account text NOT NULL CHECK (account IN ('cash', 'contracts', 'fees', 'rounding', 'settlement', 'realised_pnl')),
    amount numeric(18, 6) NOT NULL,
    PRIMARY KEY (transaction_id, account)
);

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

-- YES and NO contracts bought in a market, by the posted fills, and the cost of what is still held.
CREATE OR REPLACE FUNCTION posted_position(market text, OUT yes numeric, OUT no numeric, OUT cost numeric)
LANGUAGE sql STABLE AS $$
    SELECT
        coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'bid'), 0),
        coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'ask'), 0),
        coalesce(sum(e.amount), 0)
    FROM ledger_transactions AS p
    LEFT JOIN fills AS f ON f.fill_id = p.fill_id
    LEFT JOIN postings AS e ON e.transaction_id = p.transaction_id AND e.account = 'contracts'
    WHERE p.ticker = market
$$;

-- The venue reports fee and rounding as one amount. This is the rounding in it: balances are aligned to $0.0001, less
-- rebates. The fee formula rounds up to $0.000001. If the formula does not explain the amount, all of it is fee.
CREATE OR REPLACE FUNCTION fee_rounding(charged fills) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN abs(charged.fee - model.fee) <= 0.001 THEN charged.fee - model.fee ELSE 0 END
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
    outcome text;
BEGIN
    SELECT * INTO STRICT fill FROM fills WHERE fill_id = posted;
    SELECT * INTO before FROM posted_position(fill.ticker);
    INSERT INTO ledger_transactions (at, kind, ticker, fill_id) VALUES (fill.at, 'fill', fill.ticker, posted)
        ON CONFLICT (fill_id) DO NOTHING RETURNING transaction_id INTO number;
    IF number IS NULL THEN
        RETURN false;
    END IF;
    SELECT * INTO after FROM posted_position(fill.ticker);
    own := CASE fill.book_side WHEN 'bid' THEN fill.price ELSE 1 - fill.price END;
    closing := least(after.yes, after.no) - least(before.yes, before.no);
    SELECT s.result INTO outcome FROM ledger_transactions AS l JOIN settlements AS s ON s.ticker = l.settled_ticker
        WHERE l.settled_ticker = fill.ticker;
    IF closing > 0 THEN
        share := trunc(before.cost * closing / abs(before.yes - before.no), 6);
    END IF;
    cost := own * (fill.quantity - closing) - share;
    paid := closing - own * fill.quantity - fill.fee;
    IF outcome IS NOT NULL THEN
        -- A fill that arrives after its market settled: its contracts are settled here too.
        payout := winning_quantity(outcome, after.yes, after.no) - winning_quantity(outcome, before.yes, before.no);
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
    RETURN true;
END $$;

-- Contracts of the winning side in a position.
CREATE OR REPLACE FUNCTION winning_quantity(outcome text, yes numeric, no numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(CASE outcome WHEN 'yes' THEN yes - no ELSE no - yes END, 0)
$$;

-- Posts one settlement, once: $1 per winning contract comes in, the cost of the contracts goes out.
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
    payout := winning_quantity(seen.result, held.yes, held.no);
    INSERT INTO postings (transaction_id, account, amount)
    SELECT number, booked.account, booked.amount FROM (VALUES
        ('cash', payout), ('settlement', -payout), ('contracts', -held.cost), ('realised_pnl', held.cost)
    ) AS booked (account, amount);
    RETURN true;
END $$;

-- Posts the fills and settlements of a database that is older than the ledger. Later runs find nothing to post.
SELECT post_fill(f.fill_id) FROM (
    SELECT fill_id FROM fills AS f WHERE NOT EXISTS (SELECT FROM ledger_transactions AS p WHERE p.fill_id = f.fill_id)
    ORDER BY at, fill_id
) AS f;
SELECT post_settlement(s.ticker) FROM (
    SELECT ticker FROM settlements AS s WHERE NOT EXISTS (SELECT FROM ledger_transactions AS p WHERE p.settled_ticker = s.ticker)
    ORDER BY settled_at, ticker
) AS s;
