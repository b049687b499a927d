-- What both questions about the wall begin with: the roles and the tables that they are about. $1: the names of the tables.
WITH RECURSIVE me AS (
    SELECT * FROM pg_roles WHERE rolname = session_user
),
-- The roles that a statement can take on: a membership counts however far away it is and whatever it leaves out, since some
-- of what it leaves out can be taken on. To be a superuser is reason enough by itself.
roles AS (
    SELECT r.*, CASE WHEN r.oid = me.oid THEN format('the role %I', r.rolname) ELSE format('the role %I, which it can take on,', r.rolname) END AS called
    FROM pg_roles r, me
    WHERE r.oid = me.oid OR NOT me.rolsuper AND pg_has_role(me.oid, r.oid, 'MEMBER')
),
protected AS (
    SELECT w.name, c.oid, c.relowner, c.relnamespace, c.relrowsecurity, c.relforcerowsecurity, c.oid::regclass AS called
    FROM unnest($1::text[]) AS w (name)
    LEFT JOIN pg_class c ON c.oid = to_regclass(quote_ident(w.name))
),
owned AS (
    SELECT datdba AS owner, format('the database %I', datname) AS what FROM pg_database WHERE datname = current_database()
    UNION SELECT n.nspowner, format('the schema %I', n.nspname) FROM pg_namespace n JOIN protected w ON w.relnamespace = n.oid
    UNION SELECT relowner, format('the table %s', called) FROM protected WHERE oid IS NOT NULL
),
