-- +goose Up
-- Erasures of events on request. See README, "Erasing events".

-- What was asked for, until nothing of it is left: the erasure goes from collecting, while the events are found, to pending, from when
-- on nobody sees them, and to done. Then the user is forgotten here, too.
CREATE TABLE erasures (
    tenant_id       BLOB NOT NULL,
    id              BLOB NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('collecting', 'pending', 'done')),
    user_identifier TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    from_at         INTEGER NOT NULL,
    until_at        INTEGER NOT NULL,
    events          INTEGER NOT NULL,
    requested_by    TEXT NOT NULL,
    requested_at    INTEGER NOT NULL,
    completed_at    INTEGER NOT NULL,
    reported        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- The events of erasures whose rows are still there.
CREATE TABLE erased_events (
    tenant_id  BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    erasure_id BLOB NOT NULL,
    PRIMARY KEY (tenant_id, event_id, erasure_id)
) STRICT, WITHOUT ROWID;

-- A tombstone may be for one user and one type; empty: for all.
CREATE TABLE tombstones_of_events (
    tenant_id       BLOB NOT NULL,
    piece_id        BLOB NOT NULL,
    from_at         INTEGER NOT NULL,
    until_at        INTEGER NOT NULL,
    user_identifier TEXT NOT NULL DEFAULT '',
    event_type      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, piece_id, from_at, until_at, user_identifier, event_type)
) STRICT, WITHOUT ROWID;
INSERT INTO tombstones_of_events (tenant_id, piece_id, from_at, until_at) SELECT tenant_id, piece_id, from_at, until_at FROM tombstones;
DROP TABLE tombstones;
ALTER TABLE tombstones_of_events RENAME TO tombstones;

-- How often users were removed from event_users: what a process knows of their numbers is void then.
ALTER TABLE seals ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE seals DROP COLUMN forgotten;
CREATE TABLE tombstones_of_spans (
    tenant_id BLOB NOT NULL,
    piece_id  BLOB NOT NULL,
    from_at   INTEGER NOT NULL,
    until_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, piece_id, from_at, until_at)
) STRICT, WITHOUT ROWID;
INSERT INTO tombstones_of_spans SELECT tenant_id, piece_id, from_at, until_at FROM tombstones WHERE user_identifier = '' AND event_type = '';
DROP TABLE tombstones;
ALTER TABLE tombstones_of_spans RENAME TO tombstones;
DROP TABLE erased_events;
DROP TABLE erasures;
