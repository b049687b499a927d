-- +goose Up
-- Row level security for tenants, users and sessions, too: a transaction sees the tenant that it has entered, with its users
-- and their sessions. Lookups before a tenant is known use functions that run with the rights of the tables' owner, one for
-- each lookup.
ALTER TABLE sign_in_addresses ADD COLUMN tenant_id uuid REFERENCES tenants (id);
UPDATE sign_in_addresses a SET tenant_id = u.tenant_id FROM users u WHERE u.id = a.user_id;
ALTER TABLE sign_in_addresses ALTER COLUMN tenant_id SET NOT NULL;

-- super_admin is stored in a column of its own, which the service's role can't set. A separate role can, which the service uses
-- to grant super_admin and for nothing else.
ALTER TABLE users ADD COLUMN super_admin boolean NOT NULL DEFAULT false;
UPDATE users SET super_admin = true, role = 'admin' WHERE role = 'super_admin';
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('viewer', 'analyst', 'admin'));

-- Queries run in read-only transactions, a mode that no statement can leave once one has been run. The functions that return
-- password hashes or find accounts refuse to run there, so that a statement injected into a query can't use them.
-- +goose StatementBegin
CREATE FUNCTION refuse_in_questions() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE read_only_sql_transaction USING MESSAGE = 'not in a transaction that only reads';
    END IF;
END $$;
-- +goose StatementEnd

-- Sign-in: the account with the address.
-- +goose StatementBegin
CREATE FUNCTION account_by_email(wanted text) RETURNS SETOF users LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN QUERY SELECT * FROM users u WHERE u.email = wanted;
END $$;
-- +goose StatementEnd

-- Sign-in and password change: whether the account's password is still the one that was verified.
-- +goose StatementBegin
CREATE FUNCTION password_is(wanted uuid, hash text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN EXISTS (SELECT FROM users u WHERE u.id = wanted AND u.password_hash = hash);
END $$;
-- +goose StatementEnd

-- Authentication: the session and its user, without the hashes of password and tokens.
-- +goose StatementBegin
CREATE FUNCTION caller_of_session(wanted uuid) RETURNS TABLE (
    id uuid, tenant_id uuid, email text, full_name text, role text, active boolean, created_at timestamptz,
    session_id uuid, session_created_at timestamptz, session_expires_at timestamptz, session_revoked_at timestamptz, session_revoked_for text
) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN QUERY SELECT u.id, u.tenant_id, u.email, u.full_name, CASE WHEN u.super_admin THEN 'super_admin' ELSE u.role END, u.active, u.created_at,
        s.id, s.created_at, s.expires_at, s.revoked_at, s.revoked_for
    FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = wanted;
END $$;
-- +goose StatementEnd

-- Sign-in: whether the account has signed in from the address before.
-- +goose StatementBegin
CREATE FUNCTION address_is_known(wanted text, origin text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN EXISTS (SELECT FROM sign_in_addresses a JOIN users u ON u.id = a.user_id WHERE u.email = wanted AND a.address = origin);
END $$;
-- +goose StatementEnd

-- Startup: the costs of the password hashes, as hashes without salt and key.
-- +goose StatementBegin
CREATE FUNCTION password_costs(salt_and_key text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN QUERY SELECT DISTINCT substr(u.password_hash, 1, length(u.password_hash) - length(salt_and_key)) || salt_and_key
    FROM users u WHERE length(u.password_hash) > length(salt_and_key);
END $$;
-- +goose StatementEnd

-- Registration: the tenant with the slug.
-- +goose StatementBegin
CREATE FUNCTION tenant_by_slug(wanted text) RETURNS SETOF tenants LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN QUERY SELECT * FROM tenants t WHERE t.slug = wanted;
END $$;
-- +goose StatementEnd

-- Lookup of a user by a super_admin without a tenant: the tenant to enter.
-- +goose StatementBegin
CREATE FUNCTION home_of_user(wanted uuid) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM refuse_in_questions();
    RETURN (SELECT u.tenant_id FROM users u WHERE u.id = wanted);
END $$;
-- +goose StatementEnd

-- The list of all tenants is for the operator, who connects as the owner.
CREATE FUNCTION all_tenants() RETURNS SETOF tenants LANGUAGE sql AS 'SELECT * FROM tenants';

-- Callers can't substitute tables of their own, and EXECUTE must be granted explicitly.
-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname IN (
        'refuse_in_questions', 'account_by_email', 'password_is', 'caller_of_session', 'address_is_known',
        'password_costs', 'tenant_by_slug', 'home_of_user', 'all_tenants')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;
-- +goose StatementEnd

-- The owner sees all rows, for the functions and the operator's commands. All others see only the tenant they have entered.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants_of_tenant ON tenants
    USING (id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY tenants_to_owner ON tenants TO CURRENT_USER USING (true) WITH CHECK (true);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
-- A super_admin can't be inserted, but updated. No policy is restrictive, since Citus drops that attribute.
CREATE POLICY users_of_tenant ON users
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND NOT super_admin);
CREATE POLICY users_changed_in_tenant ON users FOR UPDATE
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY users_to_owner ON users TO CURRENT_USER USING (true) WITH CHECK (true);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY sessions_of_tenant ON sessions
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY sessions_to_owner ON sessions TO CURRENT_USER USING (true) WITH CHECK (true);

ALTER TABLE sign_in_addresses ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_addresses FORCE ROW LEVEL SECURITY;
CREATE POLICY sign_in_addresses_of_tenant ON sign_in_addresses
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY sign_in_addresses_to_owner ON sign_in_addresses TO CURRENT_USER USING (true) WITH CHECK (true);

-- +goose Down
DROP FUNCTION all_tenants();
DROP FUNCTION home_of_user(uuid);
DROP FUNCTION tenant_by_slug(text);
DROP FUNCTION password_costs(text);
DROP FUNCTION address_is_known(text, text);
DROP FUNCTION caller_of_session(uuid);
DROP FUNCTION password_is(uuid, text);
DROP FUNCTION account_by_email(text);
DROP FUNCTION refuse_in_questions();
DROP POLICY sign_in_addresses_to_owner ON sign_in_addresses;
DROP POLICY sign_in_addresses_of_tenant ON sign_in_addresses;
DROP POLICY sessions_to_owner ON sessions;
DROP POLICY sessions_of_tenant ON sessions;
DROP POLICY users_to_owner ON users;
DROP POLICY users_changed_in_tenant ON users;
DROP POLICY users_of_tenant ON users;
DROP POLICY tenants_to_owner ON tenants;
DROP POLICY tenants_of_tenant ON tenants;
ALTER TABLE sign_in_addresses NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY, DROP COLUMN tenant_id;
ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY, DROP CONSTRAINT users_role_check;
UPDATE users SET role = 'super_admin' WHERE super_admin;
ALTER TABLE users DROP COLUMN super_admin, ADD CONSTRAINT users_role_check CHECK (role IN ('viewer', 'analyst', 'admin', 'super_admin'));
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
