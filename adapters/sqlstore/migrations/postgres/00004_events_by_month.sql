-- +goose Up
-- Events move to a table that is partitioned by month. The old one gets another name, so that replicas of an older version fail:
-- also if they find the new table, whose occurred_at has another type. Version 5 carries the rows over.
SET LOCAL citus.multi_shard_modify_mode = 'sequential'; -- on a cluster, this changes tables of several kinds
ALTER TABLE events RENAME TO events_before;
-- +goose StatementBegin
DO $$
DECLARE
    role regrole;
BEGIN
    FOR role IN SELECT DISTINCT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) AS a
        WHERE c.oid = 'events_before'::regclass AND a.grantee NOT IN (0, c.relowner)
    LOOP
        EXECUTE format('REVOKE ALL ON events_before FROM %s', role);
    END LOOP;
END $$;
-- +goose StatementEnd

-- An id starts with the time of the event in milliseconds, so that the only index is in order of time, and a partition is a range
-- of ids. Times are microseconds since 1970. The columns are in this order for their alignment. There is no foreign key: each
-- event would have to look up its tenant.
CREATE TABLE events (
    tenant_id       uuid NOT NULL,
    id              uuid NOT NULL,
    occurred_at     bigint NOT NULL,
    value           double precision,
    event_type      text COLLATE "C" NOT NULL,
    user_identifier text COLLATE "C" NOT NULL,
    session_id      text,
    source          text COLLATE "C",
    properties      text,
    CONSTRAINT events_id_pkey PRIMARY KEY (tenant_id, id) -- the old table keeps events_pkey: Citus can't rename it
) PARTITION BY RANGE (id);

-- The names by which clients may repeat an event within 24 hours, as hashes, with the event that was stored.
CREATE TABLE event_keys (
    tenant_id uuid NOT NULL,
    key       bytea NOT NULL CHECK (length(key) = 16),
    event_id  uuid NOT NULL,
    stored_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX event_keys_by_time ON event_keys (stored_at);

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY events_of_tenant ON events
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

ALTER TABLE event_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY event_keys_of_tenant ON event_keys
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
-- The owner sees all keys, so that expire_events finds the expired ones by time.
CREATE POLICY event_keys_to_owner ON event_keys TO CURRENT_USER USING (true) WITH CHECK (true);

-- How many days events are kept; NULL: for ever. 3,650 days are ten years.
ALTER TABLE tenants ADD COLUMN retention_days integer;
ALTER TABLE tenants ADD CONSTRAINT tenants_retention_days_check CHECK (retention_days BETWEEN 1 AND 3650); -- Citus needs two statements

-- The same for the whole platform. Only the owner may see and lock the row, so the functions below use its lock to run one at a
-- time: no other role can block them.
CREATE TABLE retention (
    id      integer PRIMARY KEY CHECK (id = 1),
    days    integer CHECK (days BETWEEN 1 AND 3650),
    reached uuid, -- the tenant after which expire_events goes on
    idle    integer NOT NULL DEFAULT 0 -- of how many tenants up to that one, in a row, it has deleted nothing
);
INSERT INTO retention (id) VALUES (1);

-- Months and times are timestamps in UTC in these functions: they must not depend on the time zone of a session.
-- The smallest id of an event at that time.
CREATE FUNCTION event_bound(at timestamp) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(greatest(floor(extract(epoch FROM at) * 1000), 0)::bigint), 12, '0') || '80008000000000000000')::uuid
$$;

-- The month of now, or that many months later.
CREATE FUNCTION event_month(ahead integer) RETURNS timestamp LANGUAGE sql STABLE AS $$
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead)
$$;

-- The first month that may still get events: they are at most 5 years old when they are ingested, and clocks may differ.
CREATE FUNCTION first_event_month() RETURNS timestamp LANGUAGE sql STABLE AS 'SELECT event_month(-61)';

CREATE FUNCTION event_partition(month timestamp) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'events_' || to_char(month, 'YYYY_MM') $$;

-- The months without a partition, from the first one that may get events to 24 months ahead.
CREATE FUNCTION missing_event_months() RETURNS SETOF timestamp LANGUAGE sql STABLE AS $$
    SELECT month FROM generate_series(first_event_month(), event_month(24), interval '1 month') AS month
    WHERE to_regclass(event_partition(month)) IS NULL
$$;

-- How many months after this one have a partition. Everyone may read that in the catalog, so it needs no rights of the owner.
-- +goose StatementBegin
CREATE FUNCTION event_months_ahead() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT COUNT(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_\d{4}_\d\d$'
        AND c.relname > 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
$$;
-- +goose StatementEnd

-- Adds a partition of events. It is attached without a lock that blocks reads or writes of the others, unlike by CREATE TABLE ...
-- PARTITION OF. The policies of events apply to statements on events only. A statement on the partition itself sees no rows and
-- adds none, since it has row level security without a policy, even if a role was granted access by mistake.
-- +goose StatementBegin
CREATE FUNCTION add_event_partition(name text, low text, high uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    added text := (SELECT format('%s.%I', relnamespace::regnamespace, name) FROM pg_class WHERE oid = 'events'::regclass);
BEGIN
    EXECUTE format('CREATE TABLE %s (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', added);
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', added);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', added);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%L)', added, low, high);
END $$;
-- +goose StatementEnd

-- Adds the missing partitions, and returns event_months_ahead. The first call also adds one for all
-- events before the first month. It waits at most a second for each lock.
-- +goose StatementBegin
CREATE FUNCTION add_event_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    month timestamp;
BEGIN
    PERFORM refuse_in_questions();
    IF EXISTS (SELECT FROM missing_event_months()) THEN
        PERFORM FROM retention WHERE id = 1 FOR UPDATE;
        IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'events'::regclass) THEN
            PERFORM add_event_partition('events_older', 'MINVALUE', event_bound(first_event_month()));
        END IF;
        FOR month IN SELECT * FROM missing_event_months() LOOP -- once more, now that no other replica adds them
            PERFORM add_event_partition(event_partition(month), quote_literal(event_bound(month)), event_bound(month + interval '1 month'));
        END LOOP;
    END IF;
    RETURN event_months_ahead();
END $$;
-- +goose StatementEnd

-- The size of a partition in bytes, on a cluster of all its shards.
-- +goose StatementBegin
CREATE FUNCTION event_partition_size(partition regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    size bigint;
BEGIN
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        EXECUTE 'SELECT citus_relation_size(logicalrelid) FROM pg_dist_partition WHERE logicalrelid = $1' INTO size USING partition;
    END IF;
    RETURN COALESCE(size, pg_relation_size(partition));
END $$;
-- +goose StatementEnd

-- Removes all events of the oldest partition whose events are all older than the platform's retention, and returns 1, or 0 if
-- there is none. A partition that can't get events any more is dropped. Another is emptied, since a late event must find it. One
-- partition per call, so that no lock is held while waiting for the next, at most a second.
-- +goose StatementBegin
CREATE FUNCTION drop_event_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    kept integer;
    old  record;
BEGIN
    PERFORM refuse_in_questions();
    SELECT days INTO kept FROM retention WHERE id = 1 AND days IS NOT NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR old IN SELECT b.partition, b.name <> 'events_older' AND b.high <= event_bound(first_event_month()) AS closed
        FROM (SELECT c.oid::regclass AS partition, c.relname AS name,
                (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([0-9a-f-]{36})''\)')) [1]::uuid AS high
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass) AS b
        WHERE b.high <= event_bound(now() AT TIME ZONE 'UTC' - make_interval(days => kept)) ORDER BY b.high
    LOOP
        IF old.closed THEN
            EXECUTE format('DROP TABLE %s', old.partition);
            RETURN 1;
        ELSIF event_partition_size(old.partition) > 0 THEN
            EXECUTE format('TRUNCATE TABLE %s', old.partition);
            RETURN 1;
        END IF;
    END LOOP;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Deletes at most about as many keys as given that nobody remembers any more, after 24 hours and one for clocks that differ, and
-- returns their number.
-- +goose StatementBegin
CREATE FUNCTION expire_keys(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    old  bigint := floor(extract(epoch FROM now() - interval '25 hours') * 1000000);
    last bigint;
    n    integer;
BEGIN
    SELECT k.stored_at INTO last FROM event_keys k WHERE k.stored_at < old ORDER BY k.stored_at OFFSET most - 1 LIMIT 1;
    DELETE FROM event_keys k WHERE k.stored_at < old AND k.stored_at <= COALESCE(last, old);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
-- +goose StatementEnd

-- Deletes at most as many events as given of the tenant that the transaction has entered, the oldest of those before first, and
-- returns their number.
-- +goose StatementBegin
CREATE FUNCTION expire_events_of(tenant uuid, first uuid, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    last uuid;
    n    integer;
BEGIN
    PERFORM FROM events e WHERE e.tenant_id = tenant AND e.id < first ORDER BY e.id LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT e.id INTO last FROM events e WHERE e.tenant_id = tenant AND e.id < first ORDER BY e.id OFFSET most - 1 LIMIT 1;
    DELETE FROM events e WHERE e.tenant_id = tenant AND e.id < first AND e.id <= COALESCE(last, first);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
-- +goose StatementEnd

-- Deletes at most about as many rows as given: expired keys; and the events of tenants with a retention of their own, older than that
-- and than the platform's, if that is shorter. It enters the tenants one by one, and then none. It ends after half of the statement
-- timeout, which is enough for thousands of tenants in a second, and the next call goes on where this one has ended. Tenants whose
-- events can't be deleted, such as those that another transaction has locked for a second, are passed over; the server's log has why.
-- Returns the number of deleted rows and of such failures, and whether to call it again: until it has deleted nothing of any tenant
-- in a row, in one call or several. While another replica is at it, there is nothing to do.
-- On a cluster the tenant reaches the workers only if the caller has begun a transaction.
-- +goose StatementBegin
CREATE FUNCTION expire_events(most integer, OUT deleted integer, OUT failed integer, OUT more boolean) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    ended timestamptz := (SELECT clock_timestamp() + COALESCE(NULLIF(setting::integer, 0), 10000) / 2 * interval '1 ms'
        FROM pg_settings WHERE name = 'statement_timeout');
    state retention;
    kept  record;
    n     integer;
BEGIN
    PERFORM refuse_in_questions();
    deleted := 0;
    failed := 0;
    more := false;
    SELECT * INTO state FROM retention WHERE id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR COALESCE(most, 0) < 1 THEN
        RETURN;
    END IF;
    BEGIN
        deleted := expire_keys(most);
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        failed := 1;
        RAISE WARNING 'expired keys of events could not be deleted: %', SQLERRM;
    END;
    FOR kept IN SELECT t.id AS tenant, event_bound(now() AT TIME ZONE 'UTC' - make_interval(days => LEAST(t.retention_days, state.days))) AS first
        FROM tenants t WHERE t.retention_days IS NOT NULL ORDER BY t.id > state.reached DESC, t.id
    LOOP
        EXIT WHEN deleted >= most;
        EXECUTE format('SET LOCAL app.tenant_id = %L', kept.tenant); -- Citus passes on SET, but not set_config
        state.reached := kept.tenant;
        state.idle := state.idle + 1;
        BEGIN
            n := expire_events_of(kept.tenant, kept.first, most - deleted);
            IF n > 0 THEN
                deleted := deleted + n;
                state.idle := 0;
            END IF;
        EXCEPTION WHEN OTHERS OR query_canceled THEN -- by the statement timeout: the next call must not begin with this tenant again
            failed := failed + 1;
            RAISE WARNING 'expired events of tenant % could not be deleted: %', kept.tenant, SQLERRM;
            EXIT WHEN SQLSTATE = '57014'; -- query_canceled
        END;
        EXIT WHEN clock_timestamp() > ended;
    END LOOP;
    SET LOCAL app.tenant_id = '';
    more := deleted >= most OR state.idle < (SELECT COUNT(*) FROM tenants WHERE retention_days IS NOT NULL);
    UPDATE retention SET reached = state.reached, idle = CASE WHEN more THEN state.idle ELSE 0 END
        WHERE id = 1;
END $$;
-- +goose StatementEnd

-- Callers can't substitute tables of their own, and EXECUTE must be granted explicitly. What locks a table waits for a second.
-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname IN (
        'event_bound', 'event_month', 'first_event_month', 'event_partition', 'missing_event_months', 'event_months_ahead',
        'add_event_partition', 'add_event_partitions', 'event_partition_size', 'drop_event_partitions', 'expire_keys', 'expire_events_of', 'expire_events')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
    ALTER FUNCTION add_event_partitions() SET lock_timeout = '1s';
    ALTER FUNCTION drop_event_partitions() SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET enable_seqscan = off; -- a plan for any tenant would read all rows if one tenant has most
END $$;
-- +goose StatementEnd

SELECT add_event_partitions();

-- On a cluster whose tables are distributed, the new ones are, too.
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        EXECUTE $citus$
            SELECT create_distributed_table('events', 'tenant_id', colocate_with => 'events_before'),
                create_distributed_table('event_keys', 'tenant_id', colocate_with => 'events_before')
            FROM pg_dist_partition WHERE logicalrelid = 'events_before'::regclass
        $citus$;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION expire_events(integer);
DROP FUNCTION expire_events_of(uuid, uuid, integer);
DROP FUNCTION expire_keys(integer);
DROP FUNCTION drop_event_partitions();
DROP FUNCTION event_partition_size(regclass);
DROP FUNCTION add_event_partitions();
DROP FUNCTION add_event_partition(text, text, uuid);
DROP FUNCTION event_months_ahead();
DROP FUNCTION missing_event_months();
DROP FUNCTION event_partition(timestamp);
DROP FUNCTION first_event_month();
DROP FUNCTION event_month(integer);
DROP FUNCTION event_bound(timestamp);
DROP TABLE retention;
ALTER TABLE tenants DROP COLUMN retention_days;
DROP TABLE event_keys;
DROP TABLE events;
-- The old table is there if version 5 was not applied or was rolled back.
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regclass('events_before') IS NOT NULL THEN
        ALTER TABLE events_before RENAME TO events;
        RETURN;
    END IF;
    CREATE TABLE events (
        tenant_id       uuid NOT NULL REFERENCES tenants (id),
        id              uuid NOT NULL,
        event_type      text COLLATE "C" NOT NULL,
        user_identifier text COLLATE "C" NOT NULL,
        session_id      text,
        value           double precision,
        source          text COLLATE "C",
        occurred_at     timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, id)
    );
    CREATE INDEX events_by_time ON events (tenant_id, occurred_at, id);
    CREATE INDEX events_by_type ON events (tenant_id, event_type, occurred_at, id);
    ALTER TABLE events ENABLE ROW LEVEL SECURITY;
    ALTER TABLE events FORCE ROW LEVEL SECURITY;
    CREATE POLICY events_of_tenant ON events
        USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
        WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
END $$;
-- +goose StatementEnd
