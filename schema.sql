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
    cause text NOT NULL,
    since timestamptz NOT NULL,
    set_by text NOT NULL,
    way_out text NOT NULL,
    cleared_at timestamptz,
    cleared_by text,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS halts_one_per_cause ON halts (cause) WHERE cleared_at IS NULL;

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
        NEW.quantity, NEW.fencing, NEW.created_at)
       IS DISTINCT FROM
       (OLD.client_order_id, OLD.trade_id, OLD.purpose, OLD.attempt, OLD.ticker, OLD.book_side, OLD.price,
        OLD.quantity, OLD.fencing, OLD.created_at) THEN
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
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER orders_are_born_intended BEFORE INSERT ON orders
    FOR EACH ROW EXECUTE FUNCTION check_order_birth();

-- What the fills of each trade add up to; costs and proceeds are in the trade's own side's terms.
CREATE OR REPLACE VIEW trade_figures AS
SELECT
    t.trade_id,
    coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_quantity,
    coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'entry'), 0) AS entry_cost,
    coalesce(sum(f.quantity) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_quantity,
    coalesce(sum(f.quantity * own.price) FILTER (WHERE o.purpose = 'exit'), 0) AS exit_proceeds,
    coalesce(sum(f.fee), 0) AS fees
FROM trades AS t
LEFT JOIN orders AS o ON o.trade_id = t.trade_id
LEFT JOIN fills AS f ON f.venue_order_id = o.venue_order_id
LEFT JOIN LATERAL (SELECT CASE t.side WHEN 'yes' THEN f.price ELSE 1 - f.price END AS price) AS own ON true
GROUP BY t.trade_id;
