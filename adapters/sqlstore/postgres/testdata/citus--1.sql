-- A fake of the functions of Citus that does what was seen on a real cluster: a table that is distributed is rebuilt from the
-- rows that its owner sees. The functions record the calls, and whether row level security was forced on the owner.
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
CREATE TABLE citus_calls (
    n      bigint GENERATED ALWAYS AS IDENTITY,
    call   text NOT NULL,
    forced boolean NOT NULL
);
GRANT SELECT, INSERT ON pg_dist_partition, citus_calls TO PUBLIC;
GRANT SET ON PARAMETER citus.propagate_set_commands TO PUBLIC;

CREATE FUNCTION note_citus_call(call text, t regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO citus_calls (call, forced) SELECT call || ' ' || t, relforcerowsecurity FROM pg_class WHERE oid = t
$$;

CREATE FUNCTION note_citus_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = t) THEN
        RAISE EXCEPTION 'table "%" is already distributed', t USING ERRCODE = '42P16';
    END IF;
    INSERT INTO pg_dist_partition VALUES (t);
END $$;

CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_citus_table(t);
    PERFORM note_citus_call('reference', t);
END $$;

-- The setting citus.loses names a table of which one row is lost.
CREATE FUNCTION create_distributed_table(t regclass, distribution_column text, colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_citus_table(t);
    PERFORM note_citus_call('distribute', t);
    EXECUTE format('CREATE TEMPORARY TABLE copied AS SELECT * FROM %s OFFSET %s', t,
        CASE WHEN current_setting('citus.loses', true) = t::text THEN 1 ELSE 0 END);
    EXECUTE format('TRUNCATE %s', t);
    EXECUTE format('INSERT INTO %s SELECT * FROM copied', t);
    DROP TABLE copied;
END $$;

CREATE FUNCTION truncate_local_data_after_distributing_table(t regclass) RETURNS void LANGUAGE sql AS $$
    SELECT note_citus_call('truncate', t)
$$;
