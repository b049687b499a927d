-- All that bypasses the tables with row level security, or would hide rows that the service needs, one sentence each. It
-- continues roles.sql. $2: the tables with a policy that shows all rows to their owner. $3: the functions that the
-- service calls with the owner's rights, as NAME(TYPES).
restricted AS (
    SELECT t.* FROM roles t WHERE NOT t.rolsuper AND NOT EXISTS (SELECT FROM owned o WHERE o.owner = t.oid) -- superusers and owners are violations of their own, in rls.sql
),
schemas AS (
    SELECT oid, nspname AS name, EXISTS (SELECT FROM roles t WHERE has_schema_privilege(t.oid, n.oid, 'USAGE')) AS visible
    FROM pg_namespace n WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
),
extension AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
),
-- The tables and the views that show their rows, directly or through other views.
exposing AS (
    SELECT oid FROM (SELECT oid FROM protected WHERE oid IS NOT NULL UNION ALL SELECT oid FROM partitions) AS tables
    UNION
    SELECT r.ev_class
    FROM exposing s
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
),
-- Views that do not run with the rights of the caller: those on the tables, and all others of the tables' owner.
views AS (
    SELECT v.oid, v.oid::regclass AS called, v.relowner::regrole AS owner
    FROM pg_class v JOIN schemas s ON s.oid = v.relnamespace AND s.visible
    WHERE v.relkind IN ('v', 'm')
        AND NOT EXISTS (SELECT FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
        AND (v.oid IN (SELECT oid FROM exposing)
            OR v.relowner IN (SELECT relowner FROM protected) AND ('pg_class'::regclass, v.oid) NOT IN (SELECT classid, objid FROM extension))
),
known AS (
    SELECT k.signature, p.oid, p.prosecdef, p.proconfig, p.proowner
    FROM unnest($3::text[]) AS k (signature) LEFT JOIN pg_proc p ON p.oid = to_regprocedure(k.signature)
)
SELECT format('%s may %s in the database %I', b.called, able.what, d.datname)
FROM restricted b, pg_database d, LATERAL (VALUES ('CREATE', 'create schemas'), ('TEMPORARY', 'create temporary tables')) AS able (privilege, what)
WHERE d.datname = current_database() AND has_database_privilege(b.oid, d.oid, able.privilege)
UNION ALL
SELECT format('%s may create tables in the schema %I', b.called, s.name) FROM restricted b, schemas s WHERE has_schema_privilege(b.oid, s.oid, 'CREATE')
UNION ALL
SELECT format('%s may use the view %s, which runs with the rights of %s', b.called, v.called, v.owner)
FROM restricted b, views v
WHERE has_any_column_privilege(b.oid, v.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(b.oid, v.oid, 'DELETE')
UNION ALL
SELECT format('%s may call the function %s, which runs with the rights of %s', b.called, p.oid::regprocedure, p.proowner::regrole)
FROM restricted b, pg_proc p JOIN schemas s ON s.oid = p.pronamespace AND s.visible
WHERE p.prosecdef AND p.proowner IN (SELECT relowner FROM protected) AND has_function_privilege(b.oid, p.oid, 'EXECUTE')
    AND p.oid NOT IN (SELECT oid FROM known WHERE oid IS NOT NULL)
    AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM extension)
UNION ALL
SELECT format('the function %s is not visible to it', signature) FROM known WHERE oid IS NULL
UNION ALL
SELECT format('the function %s %s', k.signature, wrong.what)
FROM known k, LATERAL (VALUES
    (NOT k.prosecdef, 'runs with the rights of its caller'),
    (array_remove(array_remove(k.proconfig, 'lock_timeout=1s'), 'enable_seqscan=off') IS DISTINCT FROM (SELECT ARRAY [format('search_path=pg_catalog, %I, pg_temp', s.name)] FROM protected w JOIN schemas s ON s.oid = w.relnamespace WHERE w.name = 'users'),
        'has other settings than the migrations give it'),
    (EXISTS (SELECT FROM protected w WHERE w.name = ANY ($2::text[]) AND w.relowner <> k.proowner), 'does not belong to the owner of the tables')
) AS wrong (so, what)
WHERE k.oid IS NOT NULL AND wrong.so
UNION ALL
SELECT format('the table %s has no policy %I that shows all rows to its owner %s only', w.called, w.name || '_to_owner', w.relowner::regrole)
FROM protected w
WHERE w.oid IS NOT NULL AND w.name = ANY ($2::text[]) AND NOT EXISTS (SELECT FROM pg_policy p
    WHERE p.polrelid = w.oid AND p.polname = w.name || '_to_owner' AND p.polpermissive AND p.polcmd = '*' AND p.polroles = ARRAY [w.relowner]
    AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND pg_get_expr(p.polwithcheck, p.polrelid) = 'true')
