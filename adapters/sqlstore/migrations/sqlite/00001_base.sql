-- +goose Up
-- Times are UTC in microseconds as fixed-width text (2026-01-31T12:00:00.000000Z), whose text order is chronological.
CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    tenant_id     TEXT NOT NULL REFERENCES tenants (id),
    email         TEXT NOT NULL UNIQUE,
    full_name     TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'analyst', 'admin', 'super_admin')),
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    password_hash TEXT NOT NULL,
    created_at    TEXT NOT NULL
) STRICT;
CREATE INDEX users_by_tenant ON users (tenant_id, created_at, id);

CREATE TABLE sessions (
    id            TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id),
    tenant_id     TEXT NOT NULL REFERENCES tenants (id),
    current_hash  TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    device        TEXT NOT NULL,
    address       TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    last_used_at  TEXT NOT NULL,
    expires_at    TEXT NOT NULL,
    revoked_at    TEXT,
    revoked_for   TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE events (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    id              TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    user_identifier TEXT NOT NULL,
    session_id      TEXT,
    value           REAL,
    source          TEXT,
    occurred_at     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX events_by_time ON events (tenant_id, occurred_at, id);
CREATE INDEX events_by_type ON events (tenant_id, event_type, occurred_at, id);

CREATE TABLE audit_entries (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    at         TEXT NOT NULL,
    severity   TEXT NOT NULL,
    act        TEXT NOT NULL,
    actor      TEXT NOT NULL,
    subject    TEXT NOT NULL,
    request_id TEXT NOT NULL,
    address    TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    detail     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX audit_entries_by_time ON audit_entries (tenant_id, at, id);

-- +goose Down
DROP TABLE audit_entries;
DROP TABLE events;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tenants;
