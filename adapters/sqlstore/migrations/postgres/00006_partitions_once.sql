-- +goose Up
-- Partitions are visited once each: a late event must not bring the loop of calls back to a partition that it has emptied.
-- The old function goes, since the loops that call it can go on for ever. A replica of an older version that is still running can't
-- call it any more: it warns of that in its log, goes on adding partitions, and leaves the dropping to the newer ones.
DROP FUNCTION drop_event_partitions();

-- Removes all events of the oldest partition after a bound whose events are all older than the platform's retention, and returns
-- where it ends, for the next call to go on from there; null if there is none. A partition that can't get events any more is dropped.
-- Another is emptied, since a late event must find it. One partition per call, so that no lock is held while waiting for the next, at
-- most a second.
-- +goose StatementBegin
CREATE FUNCTION drop_event_partitions(after uuid) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
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

-- As in version 4: callers can't substitute tables of their own, and EXECUTE must be granted explicitly.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION drop_event_partitions(uuid) SET search_path = pg_catalog, %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION drop_event_partitions(uuid) FROM PUBLIC;
    ALTER FUNCTION drop_event_partitions(uuid) SET lock_timeout = '1s';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION drop_event_partitions(uuid);
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
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION drop_event_partitions() SET search_path = pg_catalog, %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION drop_event_partitions() FROM PUBLIC;
    ALTER FUNCTION drop_event_partitions() SET lock_timeout = '1s';
END $$;
-- +goose StatementEnd
