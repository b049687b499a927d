-- +goose Up
-- The addresses (IPv6: the /64) from which a user has signed in: sign-ins from there are not blocked by those who guess the
-- password from elsewhere.
CREATE TABLE sign_in_addresses (
    user_id uuid NOT NULL REFERENCES users (id),
    address text COLLATE "C" NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, address)
);

-- The environments that this database was used in. Migrations of one used in production are never rolled back.
CREATE TABLE served (
    environment text PRIMARY KEY,
    first_at    timestamptz NOT NULL
);
-- A database that is older than this table may have been used in any environment.
INSERT INTO served (environment, first_at) SELECT 'unknown', now() WHERE EXISTS (SELECT FROM users);

-- The row that is written to check that the database accepts writes.
CREATE TABLE heartbeat (
    id integer PRIMARY KEY CHECK (id = 1),
    at timestamptz NOT NULL
);
INSERT INTO heartbeat (id, at) VALUES (1, now());

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE served;
DROP TABLE sign_in_addresses;
