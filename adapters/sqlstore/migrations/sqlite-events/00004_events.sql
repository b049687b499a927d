-- +goose Up
-- Events in the order of time: an id begins with the time at which the event occurred, and ends with a hash of its name. Ids are
-- binary, times are whole microseconds since 1970.
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

-- The readiness check writes here, so that the file with the users changes only when they, or their data, do.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
) STRICT;
INSERT INTO heartbeat (id, at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%f000Z'));

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE event_keys;
DROP TABLE events;
