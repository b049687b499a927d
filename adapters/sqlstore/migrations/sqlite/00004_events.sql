-- +goose Up
-- Events are in a file of their own from here on. The old table gets another name, so that an older program fails. Version 5
-- carries its rows over.
ALTER TABLE events RENAME TO events_before;
DROP TABLE heartbeat;

-- How many days events are kept: of one tenant, and of all. NULL is for ever.
ALTER TABLE tenants ADD COLUMN retention_days INTEGER CHECK (retention_days BETWEEN 1 AND 3650);
CREATE TABLE retention (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    days INTEGER CHECK (days BETWEEN 1 AND 3650)
) STRICT;
INSERT INTO retention (id) VALUES (1);

-- +goose Down
DROP TABLE retention;
ALTER TABLE tenants DROP COLUMN retention_days;
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
) STRICT;
INSERT INTO heartbeat (id, at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%f000Z'));
ALTER TABLE events_before RENAME TO events;
