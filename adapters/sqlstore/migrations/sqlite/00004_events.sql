-- +goose Up
-- Events in the order of time: an id begins with the time at which the event occurred, and ends with a hash of its name. Ids are
-- binary, times are whole microseconds since 1970.
ALTER TABLE events RENAME TO events_before;

CREATE TABLE events (
    tenant_id       BLOB NOT NULL,
    id              BLOB NOT NULL,
    occurred_at     INTEGER NOT NULL,
    event_type      TEXT NOT NULL,
    user_identifier TEXT NOT NULL,
    session_id      TEXT,
    value           REAL,
    source          TEXT,
    properties      TEXT, -- a JSON object
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- The names of events that are remembered for a day, as hashes.
CREATE TABLE event_keys (
    tenant_id BLOB NOT NULL,
    key       BLOB NOT NULL,
    event_id  BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_keys_by_time ON event_keys (stored_at);

-- How many days events are kept: of one tenant, and of all. NULL is for ever.
ALTER TABLE tenants ADD COLUMN retention_days INTEGER CHECK (retention_days > 0);
CREATE TABLE retention (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    days INTEGER CHECK (days > 0)
) STRICT;
INSERT INTO retention (id) VALUES (1);

-- +goose Down
DROP TABLE retention;
ALTER TABLE tenants DROP COLUMN retention_days;
DROP TABLE event_keys;
DROP TABLE events;
ALTER TABLE events_before RENAME TO events;
