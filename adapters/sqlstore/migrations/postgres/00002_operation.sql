-- +goose Up
-- The addresses from which a user has signed in (of IPv6 the network): whoever comes from there is not held up by those
-- who guess at the password from elsewhere.
CREATE TABLE sign_in_addresses (
    user_id uuid NOT NULL REFERENCES users (id),
    address text COLLATE "C" NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, address)
);

-- The environments that this database has served. One that has served production is never taken back.
CREATE TABLE served (
    environment text PRIMARY KEY,
    first_at    timestamptz NOT NULL
);
-- Nobody knows what a database that is older than this table has served.
INSERT INTO served (environment, first_at) SELECT 'unknown', now() WHERE EXISTS (SELECT FROM users);

-- The one row that is written to find out whether the database can be.
CREATE TABLE heartbeat (
    id integer PRIMARY KEY CHECK (id = 1),
    at timestamptz NOT NULL
);
INSERT INTO heartbeat (id, at) VALUES (1, now());

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE served;
DROP TABLE sign_in_addresses;
