-- The common start of rls.sql and bypasses.sql: the roles and the tables that they check. $1: the names of the tables.
WITH RECURSIVE me AS (
    SELECT * FROM pg_roles WHERE rolname = session_user
),
-- The roles that a statement can SET ROLE to: every direct or indirect membership counts, whatever its options, since a member
-- can change some of those. For a superuser its own role is listed only: that is violation enough.
roles AS (
    SELECT r.*, CASE WHEN r.oid = me.oid THEN format('the role %I', r.rolname) ELSE format('the role %I, which it is a member of,', r.rolname) END AS called
    FROM pg_roles r, me
    WHERE r.oid = me.oid OR NOT me.rolsuper AND pg_has_role(me.oid, r.oid, 'MEMBER')
),
protected AS (
    SELECT w.name, c.oid, c.relowner, c.relnamespace, c.relrowsecurity, c.relforcerowsecurity, c.oid::regclass AS called
    FROM unnest($1::text[]) AS w (name)
    LEFT JOIN pg_class c ON c.oid = to_regclass(quote_ident(w.name))
),
-- The partitions of these tables, which nobody but the owner may access directly.
partitions AS (
    SELECT c.oid, c.relowner, c.relowner <> w.relowner AS foreign_owner, c.relrowsecurity AND c.relforcerowsecurity AS forced, c.oid::regclass AS called
    FROM protected w, pg_partition_tree(w.oid) AS p JOIN pg_class c ON c.oid = p.relid WHERE p.level > 0
),
owned AS (
    SELECT datdba AS owner, format('the database %I', datname) AS what FROM pg_database WHERE datname = current_database()
    UNION SELECT n.nspowner, format('the schema %I', n.nspname) FROM pg_namespace n JOIN protected w ON w.relnamespace = n.oid
    UNION SELECT relowner, format('the table %s', called) FROM protected WHERE oid IS NOT NULL
    UNION SELECT relowner, format('the partition %s', called) FROM partitions WHERE foreign_owner
),
