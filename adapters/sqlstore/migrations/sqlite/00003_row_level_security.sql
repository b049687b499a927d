-- +goose Up
-- super_admin is stored in a column of its own.
ALTER TABLE users ADD COLUMN super_admin INTEGER NOT NULL DEFAULT 0 CHECK (super_admin IN (0, 1));
UPDATE users SET super_admin = 1, role = 'admin' WHERE role = 'super_admin';

-- Every table with a tenant's rows has the column tenant_id.
CREATE TABLE addresses (
    user_id   TEXT NOT NULL REFERENCES users (id),
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    address   TEXT NOT NULL,
    last_at   TEXT NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;
INSERT INTO addresses SELECT a.user_id, u.tenant_id, a.address, a.last_at FROM sign_in_addresses a JOIN users u ON u.id = a.user_id;
DROP TABLE sign_in_addresses;
ALTER TABLE addresses RENAME TO sign_in_addresses;

-- +goose Down
ALTER TABLE sign_in_addresses DROP COLUMN tenant_id;
UPDATE users SET role = 'super_admin' WHERE super_admin;
ALTER TABLE users DROP COLUMN super_admin;
