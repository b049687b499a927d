-- +goose Up
-- What questions read: the columns of events, beside their rows. A transaction that stores events stores their columns as a delta; the
-- service turns deltas into blocks, each of one day. Deltas and blocks are the pieces of a tenant's events. See README, "Sealed days".

-- One row per tenant whose events are sealed. Whoever changes the blocks or tombstones of a tenant changes it first. Events before
-- covered_from are in rows only.
CREATE TABLE seals (
    tenant_id    BLOB PRIMARY KEY,
    changes      INTEGER NOT NULL,
    covered_from INTEGER NOT NULL,
    next_user    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The bytes of a delta or a block are how much memory its columns take, more or less.
CREATE TABLE deltas (
    tenant_id BLOB NOT NULL,
    id        BLOB NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    tenant_id BLOB NOT NULL,
    id        BLOB NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- Part 0 is the header of a block. The others, one after the other, are a Parquet file: one part per column, and one for the footer.
CREATE TABLE block_parts (
    tenant_id BLOB NOT NULL,
    block_id  BLOB NOT NULL,
    part      INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (tenant_id, block_id, part)
) STRICT, WITHOUT ROWID;

-- Events that were deleted from a piece, whose columns still have them.
CREATE TABLE tombstones (
    tenant_id BLOB NOT NULL,
    piece_id  BLOB NOT NULL,
    from_at   INTEGER NOT NULL,
    until_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, piece_id, from_at, until_at)
) STRICT, WITHOUT ROWID;

-- The numbers of users in blocks. A number is never used again.
CREATE TABLE event_users (
    tenant_id       BLOB NOT NULL,
    user_identifier TEXT NOT NULL,
    number          INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_identifier)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_users_by_number ON event_users (tenant_id, number);

-- +goose Down
DROP TABLE event_users;
DROP TABLE tombstones;
DROP TABLE block_parts;
DROP TABLE blocks;
DROP TABLE deltas;
DROP TABLE seals;
