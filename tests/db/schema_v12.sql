-- The whole present schema of recio. Every rule that can be a constraint is one; Python comes second.
-- Applying it to a database that already has it changes nothing.
-- Money is NUMERIC in dollars, prices NUMERIC in dollars per contract in YES terms, time is timestamptz.
-- Each table names its one writer.

-- Writer: app, once, at the first start. A database belongs to one mode, environment and account.
CREATE TABLE IF NOT EXISTS identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mode text NOT NULL CHECK (mode IN ('demo', 'live')),
    environment text NOT NULL CHECK (environment IN ('sim', 'demo', 'prod')),
    account text NOT NULL CHECK (account <> ''),
    -- Part of every client order id, so that ids of two databases never meet at one venue.
    tag text NOT NULL UNIQUE CHECK (tag ~ '^[0-9a-z]{8}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Writer: app, one row per start. The number fences: an order names the life that intended it.
CREATE TABLE IF NOT EXISTS daemon_lives (
    fencing bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- Writer: market_sync. What the venue said about a market when it was first and last seen.
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
    -- What the venue multiplies its usual fee by; NULL where an older recio did not note it.
    fee_multiplier numeric,
    -- Why nothing may be traded there: wording or fee not understood; empty if both are.
    doubt text NOT NULL DEFAULT '',
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);

-- Writer: price_feed. The last price of each second, so that a restart need not warm up again.
CREATE TABLE IF NOT EXISTS price_seconds (
    symbol text NOT NULL,
    second bigint NOT NULL,
    price numeric NOT NULL CHECK (price > 0),
    PRIMARY KEY (symbol, second)
);

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
    CHECK ((state IN ('closed', 'void')) = (closed_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'void')) = (ended_by IS NOT NULL)),
    CHECK (payout = 0 OR ended_by = 'settlement')
);

-- Two live trades on one market cannot exist, whatever the program believes.
CREATE UNIQUE INDEX IF NOT EXISTS trades_one_live_per_market
    ON trades (ticker) WHERE state NOT IN ('closed', 'void');
CREATE INDEX IF NOT EXISTS trades_by_event ON trades (event_ticker);
CREATE INDEX IF NOT EXISTS trades_by_end ON trades (closed_at);

-- Writer: trade_manager. A row is committed before its request leaves.
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
    -- What the order may cost at most, held against the limits until its end is proven.
    reserved numeric(18, 6) NOT NULL CHECK (reserved >= 0),
    -- What an entry's price was held against, per contract of the side bought: the book's ask and the model's worth.
    ask numeric(6, 4) CHECK (ask > 0 AND ask < 1),
    fair numeric(8, 6) CHECK (fair >= 0 AND fair <= 1),
    state text NOT NULL
        CHECK (state IN ('intended', 'unknown', 'resting', 'filled', 'cancelled', 'rejected', 'absent')),
    venue_order_id text UNIQUE,
    fencing bigint NOT NULL REFERENCES daemon_lives,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    note text NOT NULL DEFAULT '',
    UNIQUE (trade_id, purpose, attempt),
    CHECK ((state IN ('filled', 'cancelled', 'rejected', 'absent')) = (ended_at IS NOT NULL)),
    CHECK (state NOT IN ('resting', 'filled', 'cancelled') OR venue_order_id IS NOT NULL),
    CHECK (state NOT IN ('rejected', 'absent') OR filled = 0)
);

CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at);
-- A trade never has two orders whose end is not proven.
CREATE UNIQUE INDEX IF NOT EXISTS orders_one_unproven_per_trade
    ON orders (trade_id) WHERE state IN ('intended', 'unknown', 'resting');

-- Writer: trade_manager. One row per match of the account, by whomever it was ordered; a fill may
-- arrive before the answer to its order, so it names the venue's order id and nothing of ours.
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

-- Writer: trade_manager. What the venue says a market of ours settled at.
CREATE TABLE IF NOT EXISTS settlements (
    ticker text PRIMARY KEY,
    result text NOT NULL CHECK (result IN ('yes', 'no')),
    settled_at timestamptz NOT NULL,
    revenue_cents bigint NOT NULL
);

-- Writer: failure_detector and `recio halt`; `recio resume` clears. A halt outlives restarts.
CREATE TABLE IF NOT EXISTS halts (
    halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    brake text NOT NULL DEFAULT 'halt' CHECK (brake IN ('halt', 'flatten', 'stop')),
    cause text NOT NULL,
    since timestamptz NOT NULL,
    set_by text NOT NULL,
    way_out text NOT NULL,
    cleared_at timestamptz,
    cleared_by text,
    -- By this database's own clock, by which the time to each proof is measured.
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest trade at that time: losses up to it are forgiven by whoever clears the halt.
    after_trade bigint,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS halts_one_per_cause ON halts (cause) WHERE cleared_at IS NULL;

-- Writer: brake. What was done at the venue about a halt, and when it was seen to be so.
CREATE TABLE IF NOT EXISTS brake_checks (
    halt_id bigint PRIMARY KEY REFERENCES halts,
    cancelled integer NOT NULL CHECK (cancelled >= 0),
    verified_at timestamptz,
    flat_at timestamptz
);

-- Writer: brake. Groups at the venue that entries ride in; the newest of a shard is the one in use.
CREATE TABLE IF NOT EXISTS order_groups (
    group_id text PRIMARY KEY,
    exchange_index integer,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone_at timestamptz
);

-- Writer: account_sync. What the venue's balance is beyond the books' cash: deposits, and what moved before the books
-- began. It may only change when somebody accepted that (a cleared halt of a later number than `halts_before`).
CREATE TABLE IF NOT EXISTS cash_openings (
    opening_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    balance numeric(18, 6) NOT NULL,
    booked numeric(18, 6) NOT NULL,
    halts_before bigint NOT NULL
);

-- Writer: `recio switch`. The last row of a name is its position; without a row it is on.
CREATE TABLE IF NOT EXISTS switches (
    switch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name IN ('entry', 'exit')),
    is_on boolean NOT NULL,
    at timestamptz NOT NULL,
    set_by text NOT NULL CHECK (set_by <> ''),
    why text NOT NULL DEFAULT ''
);

-- Writer: trade_manager. What was decided and done, in the transaction that did it; append-only.
CREATE TABLE IF NOT EXISTS journal (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    trade_id bigint REFERENCES trades,
    client_order_id text REFERENCES orders,
    detail jsonb NOT NULL,
    seal bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_by_trade ON journal (trade_id);

CREATE OR REPLACE FUNCTION refuse_journal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_journal_change();

-- Each row seals the one before it: a row that is changed, removed or slipped in breaks the chain from there on.
CREATE OR REPLACE FUNCTION journal_seal(previous bytea, sealed journal) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(coalesce(previous, ''::bytea) || convert_to(jsonb_build_array(
        sealed.seq, to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), sealed.kind,
        sealed.trade_id, sealed.client_order_id, sealed.detail)::text, 'UTF8'))
$$;
CREATE OR REPLACE FUNCTION seal_journal_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last journal;
BEGIN
    PERFORM pg_advisory_xact_lock(1919247210);
    SELECT * INTO last FROM journal ORDER BY seq DESC LIMIT 1;
    IF last.seq >= NEW.seq THEN
        RAISE EXCEPTION 'journal row % comes after %', NEW.seq, last.seq USING ERRCODE = 'serialization_failure';
    END IF;
    NEW.seal := journal_seal(last.seal, NEW);
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER journal_rows_are_sealed BEFORE INSERT ON journal
    FOR EACH ROW EXECUTE FUNCTION seal_journal_row();

-- The first row whose seal does not fit, among those after `since`; NULL if the chain is whole.
CREATE OR REPLACE FUNCTION journal_breaks_at(since bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT min(linked.seq) FROM (
        SELECT entry.seq, entry.seal IS DISTINCT FROM journal_seal(lag(entry.seal) OVER (ORDER BY entry.seq), entry) AS broken
        FROM journal AS entry WHERE entry.seq >= since
    ) AS linked
    WHERE linked.broken AND linked.seq > since
$$;

-- The legal moves of an order, and the columns that an intent can never change.
CREATE OR REPLACE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.client_order_id, NEW.trade_id, NEW.purpose, NEW.attempt, NEW.ticker, NEW.book_side, NEW.price,
        NEW.quantity, NEW.ask, NEW.fair, NEW.reserved, NEW.fencing, NEW.created_at)
       IS DISTINCT FROM
       (OLD.client_order_id, OLD.trade_id, OLD.purpose, OLD.attempt, OLD.ticker, OLD.book_side, OLD.price,
        OLD.quantity, OLD.ask, OLD.fair, OLD.reserved, OLD.fencing, OLD.created_at) THEN
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
        WHEN 'intended' THEN
            NEW.state IN ('unknown', 'resting', 'filled', 'cancelled', 'rejected', 'absent')
        WHEN 'unknown' THEN NEW.state IN ('resting', 'filled', 'cancelled', 'absent')
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

-- A new order is an intention: nothing may be inserted as if it had already been sent.
CREATE OR REPLACE FUNCTION check_order_birth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'intended' OR NEW.filled <> 0 OR NEW.venue_order_id IS NOT NULL THEN
        RAISE EXCEPTION 'order %: a new order must be intended', NEW.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- The fence: whoever lost the lock without knowing it writes no intention once its successor has begun.
    IF NEW.fencing < (SELECT max(fencing) FROM daemon_lives) THEN
        RAISE EXCEPTION 'order %: life % is over, a later one has begun', NEW.client_order_id, NEW.fencing
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER orders_are_born_intended BEFORE INSERT ON orders
    FOR EACH ROW EXECUTE FUNCTION check_order_birth();

-- What the fills of each trade add up to; costs and proceeds are in the trade's own side's terms.
CREATE OR REPLACE VIEW trade_figures AS
SELECT t.trade_id, figures.*
FROM trades AS t
-- One trade at a time: whoever asks for a few trades does not add up the fills of all.
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_quantity,
        coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_cost,
        coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_quantity,
        coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_proceeds,
        coalesce(sum(f.fee), 0) AS fees
    FROM orders AS o
    JOIN fills AS f ON f.venue_order_id = o.venue_order_id
    CROSS JOIN LATERAL (SELECT CASE t.side WHEN 'yes' THEN f.price ELSE 1 - f.price END AS price) AS own
    WHERE o.trade_id = t.trade_id
) AS figures;


-- Writer: entry, every few seconds. Why nothing was opened: how often each gate was the first to be closed.
CREATE TABLE IF NOT EXISTS why_not (
    event_ticker text NOT NULL,
    strategy text NOT NULL,
    gate text NOT NULL CHECK (gate <> ''),
    cycles bigint NOT NULL CHECK (cycles > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL CHECK (last_at >= first_at),
    sentence text NOT NULL,
    PRIMARY KEY (event_ticker, strategy, gate)
);
CREATE INDEX IF NOT EXISTS why_not_by_time ON why_not (last_at);

-- Writer: `recio trade`. What a person asks to buy; nobody acts on it once it has expired.
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
-- Writer: entry. One answer to each request, committed before anything is done about it: it is never done twice.
CREATE TABLE IF NOT EXISTS trade_answers (
    request_id bigint PRIMARY KEY REFERENCES trade_requests,
    wished boolean NOT NULL,
    sentence text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Writer: shadow. What strategies that do not order would have bought, what of it they would have sold, and how it ended.
CREATE TABLE IF NOT EXISTS shadow_trades (
    shadow_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy text NOT NULL CHECK (strategy <> ''),
    ticker text NOT NULL,
    event_ticker text NOT NULL,
    side text NOT NULL CHECK (side IN ('yes', 'no')),
    -- 0: nothing stood there any more when the order would have arrived.
    quantity numeric(14, 2) NOT NULL CHECK (quantity >= 0),
    cost numeric(18, 6) NOT NULL CHECK (cost >= 0),
    fees numeric(18, 6) NOT NULL CHECK (fees >= 0),
    chance double precision NOT NULL CHECK (chance BETWEEN 0 AND 1),
    why text NOT NULL,
    decided_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL CHECK (closes_at > decided_at),
    result text CHECK (result IN ('yes', 'no')),
    settled_at timestamptz,
    sold numeric(14, 2) NOT NULL DEFAULT 0,
    proceeds numeric(18, 6) NOT NULL DEFAULT 0,
    -- When the last of it was sold.
    sold_at timestamptz,
    CHECK ((result IS NULL) = (settled_at IS NULL)),
    CHECK (quantity > 0 OR (cost = 0 AND fees = 0 AND result IS NULL)),
    CONSTRAINT shadow_trades_sold CHECK (sold BETWEEN 0 AND quantity AND proceeds >= 0 AND (sold > 0 OR proceeds = 0)),
    CONSTRAINT shadow_trades_sold_out CHECK ((sold_at IS NOT NULL) = (quantity > 0 AND sold = quantity))
);
CREATE UNIQUE INDEX IF NOT EXISTS shadow_trades_one_held_per_market
    ON shadow_trades (strategy, ticker) WHERE result IS NULL AND quantity > sold;
CREATE INDEX IF NOT EXISTS shadow_trades_by_time ON shadow_trades (decided_at);

-- Writer: `recio model build`. Tables of past moves by momentum; a version never changes, and the newest is in use.
CREATE TABLE IF NOT EXISTS fingerprint_models (
    model_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL CHECK (symbol <> ''),
    -- Of the candles and the parameters: the same of both is the same model.
    digest text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    built_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    candles_from timestamptz NOT NULL,
    candles_to timestamptz NOT NULL CHECK (candles_to > candles_from),
    minutes bigint NOT NULL CHECK (minutes > 0),
    parameters jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS fingerprint_buckets (
    model_id bigint NOT NULL REFERENCES fingerprint_models,
    bucket integer NOT NULL CHECK (bucket BETWEEN -30 AND 30),
    samples bigint NOT NULL CHECK (samples >= 0),
    -- Row by row: sixty horizons of forty-one columns.
    up double precision[] NOT NULL CHECK (cardinality(up) = 2460 AND 0 <= ALL (up) AND 1 >= ALL (up)),
    down double precision[] NOT NULL CHECK (cardinality(down) = 2460 AND 0 <= ALL (down) AND 1 >= ALL (down)),
    PRIMARY KEY (model_id, bucket)
);
CREATE OR REPLACE FUNCTION refuse_model_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a model never changes: build another' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER models_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON fingerprint_models
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();
CREATE OR REPLACE TRIGGER buckets_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON fingerprint_buckets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_change();

-- Writer: app, at each start: what one life of the daemon may risk. An order is held against the limits of its own life.
CREATE TABLE IF NOT EXISTS risk_limits (
    fencing bigint NOT NULL REFERENCES daemon_lives,
    name text NOT NULL CHECK (name IN (
        'max_contracts_per_order', 'max_contracts_per_strike', 'max_entries_per_event', 'max_event_cost_dollars',
        'max_open_trades', 'max_open_cost_dollars', 'max_daily_loss_dollars', 'max_orders_per_minute',
        'max_consecutive_losses', 'price_collar_dollars')),
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (fencing, name)
);

-- Writer: `recio limits grant`. Somebody lets the next start raise a limit up to this amount.
CREATE TABLE IF NOT EXISTS limit_grants (
    grant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    amount numeric(18, 6) NOT NULL CHECK (amount >= 0),
    granted_by text NOT NULL CHECK (granted_by <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest life at that time: only the one after it may use the grant.
    after_life bigint NOT NULL REFERENCES daemon_lives
);

-- How high a limit of a new life may be: as it was in the life before, or as somebody granted since; NULL is freely.
CREATE OR REPLACE FUNCTION limit_ceiling(life bigint, limit_name text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN before.amount IS NOT NULL THEN greatest(before.amount, (
        SELECT max(g.amount) FROM limit_grants AS g WHERE g.name = limit_name AND g.after_life >= before.fencing)) END
    FROM (SELECT 1) AS always LEFT JOIN LATERAL (
        SELECT l.fencing, l.amount FROM risk_limits AS l WHERE l.name = limit_name AND l.fencing < life
        ORDER BY l.fencing DESC LIMIT 1
    ) AS before ON true
$$;

CREATE OR REPLACE FUNCTION check_limit_falls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount > limit_ceiling(NEW.fencing, NEW.name) THEN
        RAISE EXCEPTION 'limit % cannot rise to % by a start: it is %', NEW.name, NEW.amount,
            limit_ceiling(NEW.fencing, NEW.name) USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER limits_rise_only_by_grant BEFORE INSERT ON risk_limits
    FOR EACH ROW EXECUTE FUNCTION check_limit_falls();

CREATE OR REPLACE FUNCTION refuse_limit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a limit in force cannot change' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER limits_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_limits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_limit_change();

-- Live trades with all that they may come to: what is held, and every entry whose end or fills are not all known.
CREATE OR REPLACE VIEW live_exposure AS
SELECT
    t.trade_id, t.ticker, t.event_ticker,
    greatest(f.entry_cost - f.exit_proceeds, 0) + pending.cost AS cost,
    f.entry_quantity - f.exit_quantity + pending.quantity AS contracts
FROM trades AS t
JOIN trade_figures AS f USING (trade_id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(o.reserved), 0) AS cost, coalesce(sum(o.quantity), 0) AS quantity
    FROM orders AS o
    WHERE o.trade_id = t.trade_id AND o.purpose = 'entry' AND (
        o.state IN ('intended', 'unknown', 'resting') OR (o.state IN ('filled', 'cancelled') AND o.filled > (
            SELECT coalesce(sum(each.quantity), 0) FROM fills AS each WHERE each.venue_order_id = o.venue_order_id)))
) AS pending
WHERE t.state NOT IN ('closed', 'void');

-- What the trades that ended since `midnight` came to.
CREATE OR REPLACE FUNCTION realised_since(midnight timestamptz) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(f.exit_proceeds + t.payout - f.entry_cost - f.fees), 0)
    FROM trades AS t JOIN trade_figures AS f USING (trade_id) WHERE t.state = 'closed' AND t.closed_at >= midnight
$$;

-- Losses since the last gain, and since the last halt that somebody cleared.
CREATE OR REPLACE FUNCTION losses_in_a_row() RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    forgiven bigint;
    ended record;
    losses integer := 0;
BEGIN
    SELECT coalesce(max(after_trade), 0) INTO forgiven FROM halts WHERE cleared_at IS NOT NULL;
    FOR ended IN
        SELECT t.trade_id, f.exit_proceeds + t.payout - f.entry_cost - f.fees AS gain
        FROM trades AS t JOIN trade_figures AS f USING (trade_id)
        WHERE t.state = 'closed' AND t.trade_id > forgiven ORDER BY t.closed_at DESC, t.trade_id DESC
    LOOP
        EXIT WHEN ended.gain > 0;
        losses := losses + (ended.gain < 0)::integer;
    END LOOP;
    RETURN losses;
END $$;

CREATE OR REPLACE FUNCTION keep_limit(life bigint, limit_name text, figure numeric) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most numeric;
BEGIN
    SELECT amount INTO most FROM risk_limits WHERE fencing = life AND name = limit_name;
    IF most IS NULL THEN
        RAISE EXCEPTION 'life % has no limit %', life, limit_name USING ERRCODE = 'check_violation';
    END IF;
    IF figure > most THEN
        RAISE EXCEPTION 'limit % is %, with this order it would be %', limit_name, most, figure
            USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- The second lock: whatever the program believes, no entry beyond a limit has a row, and without a row nothing leaves.
CREATE OR REPLACE FUNCTION check_entry_limits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    trade trades;
    live record;
BEGIN
    SELECT * INTO STRICT trade FROM trades WHERE trade_id = NEW.trade_id;
    IF NEW.ask IS NULL OR NEW.fair IS NULL THEN
        RAISE EXCEPTION 'order %: an entry needs the ask and the worth that its price is held against',
            NEW.client_order_id USING ERRCODE = 'check_violation';
    END IF;
    PERFORM keep_limit(NEW.fencing, 'max_contracts_per_order', NEW.quantity);
    PERFORM keep_limit(NEW.fencing, 'price_collar_dollars',
        CASE trade.side WHEN 'yes' THEN NEW.price ELSE 1 - NEW.price END - least(NEW.ask, NEW.fair));
    SELECT
        count(*) AS trades, coalesce(sum(cost), 0) AS cost,
        coalesce(sum(cost) FILTER (WHERE event_ticker = trade.event_ticker), 0) AS event_cost,
        coalesce(sum(contracts) FILTER (WHERE ticker = trade.ticker), 0) AS contracts
    INTO live FROM live_exposure;
    PERFORM keep_limit(NEW.fencing, 'max_contracts_per_strike', live.contracts + NEW.quantity);
    PERFORM keep_limit(NEW.fencing, 'max_event_cost_dollars', live.event_cost + NEW.reserved);
    PERFORM keep_limit(NEW.fencing, 'max_open_trades', live.trades);
    PERFORM keep_limit(NEW.fencing, 'max_open_cost_dollars', live.cost + NEW.reserved);
    PERFORM keep_limit(NEW.fencing, 'max_entries_per_event',
        (SELECT count(*) FROM trades WHERE event_ticker = trade.event_ticker AND state <> 'void'));
    PERFORM keep_limit(NEW.fencing, 'max_daily_loss_dollars', live.cost + NEW.reserved
        - realised_since(date_trunc('day', NEW.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'));
    PERFORM keep_limit(NEW.fencing, 'max_orders_per_minute',
        1 + (SELECT count(*) FROM orders WHERE created_at > NEW.created_at - interval '1 minute'));
    PERFORM keep_limit(NEW.fencing, 'max_consecutive_losses', 1 + losses_in_a_row());
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER entries_within_limits BEFORE INSERT ON orders
    FOR EACH ROW WHEN (NEW.purpose = 'entry') EXECUTE FUNCTION check_entry_limits();

-- Writer: trade_manager, in the transaction of the fact it posts. One group of entries that sum to zero.
CREATE TABLE IF NOT EXISTS postings (
    posting_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fill', 'settlement')),
    ticker text NOT NULL,
    fill_id text UNIQUE REFERENCES fills,
    settled_ticker text UNIQUE REFERENCES settlements,
    CHECK ((kind = 'fill') = (fill_id IS NOT NULL)),
    CHECK ((kind = 'settlement') = (settled_ticker IS NOT NULL)),
    CHECK (settled_ticker IS NULL OR settled_ticker = ticker)
);
CREATE INDEX IF NOT EXISTS postings_by_ticker ON postings (ticker);

-- Writer: trade_manager. Positive is a debit: cash that came in, cost of what is held, a fee that was paid.
CREATE TABLE IF NOT EXISTS entries (
    posting_id bigint NOT NULL REFERENCES postings,
    account text NOT NULL CHECK (account IN ('cash', 'contracts', 'fees', 'rounding', 'settlement', 'result')),
    amount numeric(18, 6) NOT NULL,
    PRIMARY KEY (posting_id, account)
);

CREATE OR REPLACE FUNCTION refuse_books_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the books are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER postings_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_books_change();
CREATE OR REPLACE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_books_change();

CREATE OR REPLACE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    SELECT sum(amount) INTO total FROM entries WHERE posting_id = NEW.posting_id;
    IF total IS NULL THEN
        RAISE EXCEPTION 'posting % has no entries', NEW.posting_id USING ERRCODE = 'check_violation';
    END IF;
    IF total <> 0 THEN
        RAISE EXCEPTION 'posting % does not balance: %', NEW.posting_id, total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
-- PostgreSQL cannot replace a constraint trigger.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'postings_balance' AND tgrelid = 'postings'::regclass) THEN
        CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON postings
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_posting();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'entries_balance' AND tgrelid = 'entries'::regclass) THEN
        CREATE CONSTRAINT TRIGGER entries_balance AFTER INSERT ON entries
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_posting();
    END IF;
END $$;

-- What the posted fills of a market bought of each side, and what they still cost.
CREATE OR REPLACE FUNCTION posted_position(market text, OUT yes numeric, OUT no numeric, OUT cost numeric)
LANGUAGE sql STABLE AS $$
    SELECT
        coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'bid'), 0),
        coalesce(sum(f.quantity) FILTER (WHERE f.book_side = 'ask'), 0),
        coalesce(sum(e.amount), 0)
    FROM postings AS p
    LEFT JOIN fills AS f ON f.fill_id = p.fill_id
    LEFT JOIN entries AS e ON e.posting_id = p.posting_id AND e.account = 'contracts'
    WHERE p.ticker = market
$$;

-- What of a taker's fee is the aligning of balances to $0.0001, and the rebates of that; the venue tells both in one
-- figure. Its own model rounds up to the millionth. A fee that the model does not explain is all fee.
CREATE OR REPLACE FUNCTION rounding_of(charged fills) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN abs(charged.fee - model.fee) <= 0.001 THEN charged.fee - model.fee ELSE 0 END
    FROM (SELECT ceil(0.07 * m.fee_multiplier * charged.quantity * charged.price * (1 - charged.price) * 1000000)
        / 1000000 AS fee FROM markets AS m
        WHERE m.ticker = charged.ticker AND charged.is_taker AND m.fee_multiplier IS NOT NULL
        UNION ALL SELECT charged.fee LIMIT 1) AS model
$$;

-- Posts one fill, once. A YES and a NO of one market cancel each other and the venue pays $1 for the pair.
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
    INSERT INTO postings (at, kind, ticker, fill_id) VALUES (fill.at, 'fill', fill.ticker, posted)
        ON CONFLICT (fill_id) DO NOTHING RETURNING posting_id INTO number;
    IF number IS NULL THEN
        RETURN false;
    END IF;
    SELECT * INTO after FROM posted_position(fill.ticker);
    own := CASE fill.book_side WHEN 'bid' THEN fill.price ELSE 1 - fill.price END;
    closing := least(after.yes, after.no) - least(before.yes, before.no);
    SELECT s.result INTO outcome FROM postings AS p JOIN settlements AS s ON s.ticker = p.settled_ticker
        WHERE p.settled_ticker = fill.ticker;
    IF closing > 0 THEN
        share := trunc(before.cost * closing / abs(before.yes - before.no), 6);
    END IF;
    cost := own * (fill.quantity - closing) - share;
    paid := closing - own * fill.quantity - fill.fee;
    IF outcome IS NOT NULL THEN
        -- Heard after its market settled: what it adds to the position is settled with it.
        payout := held_of(outcome, after.yes, after.no) - held_of(outcome, before.yes, before.no);
        written_off := cost;
    END IF;
    INSERT INTO entries (posting_id, account, amount)
    SELECT number, booked.account, booked.amount FROM (VALUES
        ('cash', paid + payout),
        ('contracts', cost - written_off),
        ('fees', fill.fee - rounding_of(fill)),
        ('rounding', rounding_of(fill)),
        ('settlement', -payout),
        ('result', share - closing * (1 - own) + written_off)
    ) AS booked (account, amount);
    RETURN true;
END $$;

-- How much of the winning side a position holds.
CREATE OR REPLACE FUNCTION held_of(outcome text, yes numeric, no numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(CASE outcome WHEN 'yes' THEN yes - no ELSE no - yes END, 0)
$$;

-- Posts one settlement, once: the winning side's dollar comes in, what the contracts cost goes out.
CREATE OR REPLACE FUNCTION post_settlement(posted text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    seen settlements;
    held record;
    number bigint;
    payout numeric;
BEGIN
    SELECT * INTO STRICT seen FROM settlements WHERE ticker = posted;
    SELECT * INTO held FROM posted_position(posted);
    INSERT INTO postings (at, kind, ticker, settled_ticker) VALUES (seen.settled_at, 'settlement', posted, posted)
        ON CONFLICT (settled_ticker) DO NOTHING RETURNING posting_id INTO number;
    IF number IS NULL THEN
        RETURN false;
    END IF;
    payout := held_of(seen.result, held.yes, held.no);
    INSERT INTO entries (posting_id, account, amount)
    SELECT number, booked.account, booked.amount FROM (VALUES
        ('cash', payout), ('settlement', -payout), ('contracts', -held.cost), ('result', held.cost)
    ) AS booked (account, amount);
    RETURN true;
END $$;

-- What a database from before the books holds is posted when the books arrive; afterwards nothing is left to post.
SELECT post_fill(f.fill_id) FROM (
    SELECT fill_id FROM fills AS f WHERE NOT EXISTS (SELECT FROM postings AS p WHERE p.fill_id = f.fill_id)
    ORDER BY at, fill_id
) AS f;
SELECT post_settlement(s.ticker) FROM (
    SELECT ticker FROM settlements AS s WHERE NOT EXISTS (SELECT FROM postings AS p WHERE p.settled_ticker = s.ticker)
    ORDER BY settled_at, ticker
) AS s;
