-- +goose Up
-- The addresses from which a user has signed in (of IPv6 the network): whoever comes from there is not held up by those
-- who guess at the password from elsewhere.
CREATE TABLE sign_in_addresses (
    user_id TEXT NOT NULL REFERENCES users (id),
    address TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- The environments that this database has served. One that has served production is never taken back.
CREATE TABLE served (
    environment TEXT PRIMARY KEY,
    first_at    TEXT NOT NULL
) STRICT;
-- Nobody knows what a database that is older than this table has served.
INSERT INTO served (environment, first_at)
    SELECT 'unknown', strftime('%Y-%m-%dT%H:%M:%f000Z') WHERE EXISTS (SELECT 1 FROM users);

-- The one row that is written to find out whether the database can be.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
) STRICT;
INSERT INTO heartbeat (id, at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%f000Z'));

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE served;
DROP TABLE sign_in_addresses;
