-- +goose Up
-- tenants, users and sessions are needed before a tenant is known (an e-mail address is unique across the service). The keys of
-- all other tables start with tenant_id, so that they can be distributed by it, and row level security isolates the tenants'
-- rows, even from the tables' owner.
CREATE TABLE tenants (
    id         uuid PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL CONSTRAINT tenants_slug_key UNIQUE,
    created_at timestamptz NOT NULL
);

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants (id),
    email         text COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE,
    full_name     text NOT NULL,
    role          text NOT NULL CHECK (role IN ('viewer', 'analyst', 'admin', 'super_admin')),
    active        boolean NOT NULL,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX users_by_tenant ON users (tenant_id, created_at, id);

CREATE TABLE sessions (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users (id),
    tenant_id     uuid NOT NULL REFERENCES tenants (id),
    current_hash  text NOT NULL,
    previous_hash text NOT NULL,
    device        text NOT NULL,
    address       text NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    revoked_for   text NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE events (
    tenant_id       uuid NOT NULL REFERENCES tenants (id),
    id              uuid NOT NULL,
    event_type      text COLLATE "C" NOT NULL,
    user_identifier text COLLATE "C" NOT NULL,
    session_id      text,
    value           double precision,
    source          text COLLATE "C",
    occurred_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX events_by_time ON events (tenant_id, occurred_at, id);
CREATE INDEX events_by_type ON events (tenant_id, event_type, occurred_at, id);

CREATE TABLE audit_entries (
    tenant_id  uuid NOT NULL REFERENCES tenants (id),
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    severity   text NOT NULL,
    act        text NOT NULL,
    actor      text NOT NULL,
    subject    text NOT NULL,
    request_id text NOT NULL,
    address    text NOT NULL,
    user_agent text NOT NULL,
    detail     jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_entries_by_time ON audit_entries (tenant_id, at, id);

-- Without app.tenant_id no row is visible and none can be added.
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY events_of_tenant ON events
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_entries_of_tenant ON audit_entries
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

-- +goose Down
DROP TABLE audit_entries;
DROP TABLE events;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tenants;
