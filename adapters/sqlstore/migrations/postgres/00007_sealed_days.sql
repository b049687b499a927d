-- +goose Up
-- What questions read: the columns of events, beside their rows. A transaction that stores events stores their columns as a delta; the
-- service turns deltas into blocks, each of one day. Deltas and blocks are the pieces of a tenant's events. See README, "Sealed days".
SET LOCAL citus.multi_shard_modify_mode = 'sequential'; -- on a cluster, this makes several tables

-- One row per tenant whose events are sealed. Whoever changes the blocks or tombstones of a tenant changes it first. Events before
-- covered_from are in rows only.
CREATE TABLE seals (
    tenant_id    uuid PRIMARY KEY,
    changes      bigint NOT NULL,
    covered_from bigint NOT NULL,
    next_user    bigint NOT NULL
);

-- The bytes of a delta or a block are how much memory its columns take, more or less.
CREATE TABLE deltas (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    first_at  bigint NOT NULL,
    last_at   bigint NOT NULL,
    events    integer NOT NULL,
    bytes     integer NOT NULL,
    data      bytea NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE deltas ALTER data SET STORAGE EXTERNAL; -- it is compressed already

CREATE TABLE blocks (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    first_at  bigint NOT NULL,
    last_at   bigint NOT NULL,
    events    integer NOT NULL,
    bytes     integer NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- Part 0 is the header of a block. The others, one after the other, are a Parquet file: one part per column, and one for the footer.
CREATE TABLE block_parts (
    tenant_id uuid NOT NULL,
    block_id  uuid NOT NULL,
    part      integer NOT NULL,
    data      bytea NOT NULL,
    PRIMARY KEY (tenant_id, block_id, part)
);
ALTER TABLE block_parts ALTER data SET STORAGE EXTERNAL;

-- Events that were deleted from a piece, whose columns still have them.
CREATE TABLE tombstones (
    tenant_id uuid NOT NULL,
    piece_id  uuid NOT NULL,
    from_at   bigint NOT NULL,
    until_at  bigint NOT NULL,
    PRIMARY KEY (tenant_id, piece_id, from_at, until_at)
);

-- The numbers of users in blocks. A number is never used again.
CREATE TABLE event_users (
    tenant_id       uuid NOT NULL,
    number          bigint NOT NULL,
    user_identifier text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, user_identifier),
    CONSTRAINT event_users_number_key UNIQUE (tenant_id, number)
);

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY ['seals', 'deltas', 'blocks', 'block_parts', 'tombstones', 'event_users'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($policy$CREATE POLICY %I ON %I
            USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
            WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)$policy$, name || '_of_tenant', name);
        IF to_regclass('pg_dist_partition') IS NOT NULL THEN
            EXECUTE $citus$
                SELECT create_distributed_table($1::regclass, 'tenant_id', colocate_with => 'events')
                FROM pg_dist_partition WHERE logicalrelid = 'events'::regclass
            $citus$ USING name;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- Replicas of older versions store events without a delta, and so without questions ever finding them. They enter a tenant by its id
-- alone. Now only those who write it in braces may store events, which is the same to all other policies.
ALTER POLICY events_of_tenant ON events
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND current_setting('app.tenant_id', true) LIKE '{%}');

-- A time in microseconds since 1970, the lowest id of an event at such a time, and the time of such an id.
CREATE FUNCTION micros_since_1970(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT (extract(epoch FROM at) * 1000000)::bigint';
CREATE FUNCTION event_bound(micros bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(greatest(micros, 0) / 1000), 12, '0') || '8' || lpad(to_hex(greatest(micros, 0) % 1000), 3, '0') || '8000000000000000')::uuid
$$;
CREATE FUNCTION time_of_event(bound uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || lpad(left(replace(bound::text, '-', ''), 12), 16, '0'))::bit(64)::bigint * 1000 + ('x' || lpad(substr(bound::text, 16, 3), 8, '0'))::bit(32)::integer
$$;

-- Marks what the pieces of the tenant that the transaction has entered have of events before cut as deleted, and deletes the pieces that
-- have no others. Until the transaction ends nobody else changes the tenant's pieces, but events may be stored: the caller keeps
-- those before cut out.
-- +goose StatementBegin
CREATE FUNCTION expire_pieces_of(tenant uuid, cut bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE seals SET changes = changes + 1 WHERE tenant_id = tenant;
    WITH old AS (DELETE FROM blocks WHERE tenant_id = tenant AND last_at < cut RETURNING id),
        parts AS (DELETE FROM block_parts USING old WHERE tenant_id = tenant AND block_id = old.id),
        marks AS (DELETE FROM tombstones USING old WHERE tenant_id = tenant AND piece_id = old.id),
        fresh AS (DELETE FROM deltas WHERE tenant_id = tenant AND last_at < cut)
    INSERT INTO tombstones SELECT tenant, p.id, -9223372036854775808, cut
        FROM (SELECT id FROM blocks WHERE tenant_id = tenant AND first_at < cut AND last_at >= cut
            UNION ALL SELECT id FROM deltas WHERE tenant_id = tenant AND first_at < cut AND last_at >= cut) AS p
        ON CONFLICT DO NOTHING;
END $$;
-- +goose StatementEnd

-- Does the same for each tenant.
-- +goose StatementBegin
CREATE FUNCTION expire_pieces(cut bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT id FROM tenants ORDER BY id LOOP
        EXECUTE format('SET LOCAL app.tenant_id = %L', tenant); -- Citus passes on SET, but not set_config
        PERFORM expire_pieces_of(tenant, cut);
    END LOOP;
    SET LOCAL app.tenant_id = '';
END $$;
-- +goose StatementEnd

-- Removes all events of the oldest partition as in version 6, and takes them out of the pieces.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drop_event_partitions(after uuid) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    kept integer;
    old  record;
BEGIN
    PERFORM refuse_in_questions();
    SELECT days INTO kept FROM retention WHERE id = 1 AND days IS NOT NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR old IN SELECT b.partition, b.high, b.name <> 'events_older' AND b.high <= event_bound(first_event_month()) AS closed
        FROM (SELECT c.oid::regclass AS partition, c.relname AS name,
                (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([0-9a-f-]{36})''\)')) [1]::uuid AS high
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass) AS b
        WHERE b.high > after AND b.high <= event_bound(now() AT TIME ZONE 'UTC' - make_interval(days => kept)) ORDER BY b.high
    LOOP
        CONTINUE WHEN NOT old.closed AND event_partition_size(old.partition) = 0;
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', old.partition); -- no more events until the pieces are rid of them
        PERFORM expire_pieces(time_of_event(old.high));
        EXECUTE format(CASE WHEN old.closed THEN 'DROP TABLE %s' ELSE 'TRUNCATE TABLE %s' END, old.partition);
        RETURN old.high;
    END LOOP;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Deletes about as many events as given of the tenant that the transaction has entered, the oldest of those before a time, and takes
-- them out of its pieces: by one statement, so that an event that is stored meanwhile stays both in its row and in its delta.
DROP FUNCTION expire_events_of(uuid, uuid, integer);
-- +goose StatementBegin
CREATE FUNCTION expire_events_of(tenant uuid, cut bigint, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    first uuid := event_bound(cut);
    last  bigint;
    n     integer;
BEGIN
    PERFORM FROM events e WHERE e.tenant_id = tenant AND e.id < first ORDER BY e.id LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT e.occurred_at + 1 INTO last FROM events e WHERE e.tenant_id = tenant AND e.id < first ORDER BY e.id OFFSET most - 1 LIMIT 1;
    cut := COALESCE(LEAST(cut, last), cut);
    first := event_bound(cut);
    UPDATE seals SET changes = changes + 1 WHERE tenant_id = tenant;
    WITH gone AS (DELETE FROM events e WHERE e.tenant_id = tenant AND e.id < first RETURNING 1),
        old AS (DELETE FROM blocks WHERE tenant_id = tenant AND last_at < cut RETURNING id),
        parts AS (DELETE FROM block_parts USING old WHERE tenant_id = tenant AND block_id = old.id),
        marks AS (DELETE FROM tombstones USING old WHERE tenant_id = tenant AND piece_id = old.id),
        fresh AS (DELETE FROM deltas WHERE tenant_id = tenant AND last_at < cut),
        partly AS (INSERT INTO tombstones SELECT tenant, p.id, -9223372036854775808, cut
            FROM (SELECT id FROM blocks WHERE tenant_id = tenant AND first_at < cut AND last_at >= cut
                UNION ALL SELECT id FROM deltas WHERE tenant_id = tenant AND first_at < cut AND last_at >= cut) AS p
            ON CONFLICT DO NOTHING)
    SELECT COUNT(*) INTO n FROM gone;
    RETURN n;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION expire_events(most integer, OUT deleted integer, OUT failed integer, OUT more boolean) LANGUAGE plpgsql SECURITY DEFINER AS $$
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
    FOR kept IN SELECT t.id AS tenant, micros_since_1970(now() - make_interval(days => LEAST(t.retention_days, state.days))) AS cut
        FROM tenants t WHERE t.retention_days IS NOT NULL ORDER BY t.id > state.reached DESC, t.id
    LOOP
        EXIT WHEN deleted >= most;
        EXECUTE format('SET LOCAL app.tenant_id = %L', kept.tenant); -- Citus passes on SET, but not set_config
        state.reached := kept.tenant;
        state.idle := state.idle + 1;
        BEGIN
            n := expire_events_of(kept.tenant, kept.cut, most - deleted);
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

-- As in version 4: callers can't substitute tables of their own, and EXECUTE must be granted explicitly.
-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname IN ('micros_since_1970', 'event_bound', 'time_of_event', 'expire_pieces_of', 'expire_pieces', 'drop_event_partitions', 'expire_events_of', 'expire_events')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
    ALTER FUNCTION drop_event_partitions(uuid) SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET enable_seqscan = off; -- as in version 4
END $$;
-- +goose StatementEnd

-- +goose Down
ALTER POLICY events_of_tenant ON events WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
DROP FUNCTION expire_events_of(uuid, bigint, integer);
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION expire_events(most integer, OUT deleted integer, OUT failed integer, OUT more boolean) LANGUAGE plpgsql SECURITY DEFINER AS $$
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drop_event_partitions(after uuid) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    kept integer;
    old  record;
BEGIN
    PERFORM refuse_in_questions();
    SELECT days INTO kept FROM retention WHERE id = 1 AND days IS NOT NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR old IN SELECT b.partition, b.high, b.name <> 'events_older' AND b.high <= event_bound(first_event_month()) AS closed
        FROM (SELECT c.oid::regclass AS partition, c.relname AS name,
                (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([0-9a-f-]{36})''\)')) [1]::uuid AS high
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass) AS b
        WHERE b.high > after AND b.high <= event_bound(now() AT TIME ZONE 'UTC' - make_interval(days => kept)) ORDER BY b.high
    LOOP
        IF old.closed THEN
            EXECUTE format('DROP TABLE %s', old.partition);
            RETURN old.high;
        ELSIF event_partition_size(old.partition) > 0 THEN
            EXECUTE format('TRUNCATE TABLE %s', old.partition);
            RETURN old.high;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname IN ('drop_event_partitions', 'expire_events_of', 'expire_events')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
    ALTER FUNCTION drop_event_partitions(uuid) SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET lock_timeout = '1s';
    ALTER FUNCTION expire_events(integer) SET enable_seqscan = off; -- as in version 4
END $$;
-- +goose StatementEnd
DROP FUNCTION expire_pieces(bigint);
DROP FUNCTION expire_pieces_of(uuid, bigint);
DROP FUNCTION time_of_event(uuid);
DROP FUNCTION event_bound(bigint);
DROP FUNCTION micros_since_1970(timestamptz);
DROP TABLE event_users;
DROP TABLE tombstones;
DROP TABLE block_parts;
DROP TABLE blocks;
DROP TABLE deltas;
DROP TABLE seals;
