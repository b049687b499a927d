-- +goose Up
-- The addresses (IPv6: the /64) from which a user has signed in: sign-ins from there are not blocked by those who guess the
-- password from elsewhere.
CREATE TABLE sign_in_addresses (
    user_id TEXT NOT NULL REFERENCES users (id),
    address TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- The environments that this database was used in. Migrations of one used in production are never rolled back.
CREATE TABLE served (
    environment TEXT PRIMARY KEY,
    first_at    TEXT NOT NULL
) STRICT;
-- A database that is older than this table may have been used in any environment.
INSERT INTO served (environment, first_at)
    SELECT 'unknown', strftime('%Y-%m-%dT%H:%M:%f000Z') WHERE EXISTS (SELECT 1 FROM users);

-- The row that is written to check that the database accepts writes.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
) STRICT;
INSERT INTO heartbeat (id, at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%f000Z'));

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE served;
DROP TABLE sign_in_addresses;
