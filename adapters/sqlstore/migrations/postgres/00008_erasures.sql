-- +goose Up
-- Erasures of events on request. See README, "Erasing events".
SET LOCAL citus.multi_shard_modify_mode = 'sequential'; -- on a cluster, this makes several tables

-- What was asked for, until nothing of it is left: the erasure goes from collecting, while the events are found, to pending, from when
-- on nobody sees them, and to done. Then the user is forgotten here, too.
CREATE TABLE erasures (
    tenant_id       uuid NOT NULL,
    id              uuid NOT NULL,
    state           text NOT NULL CHECK (state IN ('collecting', 'pending', 'done')),
    user_identifier text COLLATE "C" NOT NULL,
    event_type      text COLLATE "C" NOT NULL,
    from_at         bigint NOT NULL,
    until_at        bigint NOT NULL,
    events          bigint NOT NULL,
    requested_by    text NOT NULL,
    requested_at    bigint NOT NULL,
    completed_at    bigint NOT NULL,
    reported        boolean NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- The events of erasures whose rows are still there.
CREATE TABLE erased_events (
    tenant_id  uuid NOT NULL,
    event_id   uuid NOT NULL,
    erasure_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, event_id, erasure_id)
);

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY ['erasures', 'erased_events'] LOOP
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

-- A tombstone may be for one user and one type; empty: for all.
ALTER TABLE tombstones ADD COLUMN user_identifier text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tombstones ADD COLUMN event_type text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tombstones DROP CONSTRAINT tombstones_pkey;
ALTER TABLE tombstones ADD PRIMARY KEY (tenant_id, piece_id, from_at, until_at, user_identifier, event_type);

-- How often users were removed from event_users: what a process knows of their numbers is void then.
ALTER TABLE seals ADD COLUMN forgotten bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE seals DROP COLUMN forgotten;
DELETE FROM tombstones WHERE user_identifier <> '' OR event_type <> '';
ALTER TABLE tombstones DROP CONSTRAINT tombstones_pkey;
ALTER TABLE tombstones DROP COLUMN event_type;
ALTER TABLE tombstones DROP COLUMN user_identifier;
ALTER TABLE tombstones ADD PRIMARY KEY (tenant_id, piece_id, from_at, until_at);
DROP TABLE erased_events;
DROP TABLE erasures;
