-- All that lets the role of this connection past row level security, one sentence each. It continues roles.sql.
-- $2: the tables whose rows may be deleted. $3: the columns, as TABLE.COLUMN, that may be updated. $4: those that may not be
-- read. $5 to $9: the policies that the migrations create, as table, name, command, USING and WITH CHECK.
expected_policies AS (
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) AS m (name, policy, command, seen, written)
),
-- The policies that let one of these roles see or add rows, and whether they are those of the migrations.
applicable AS (
    SELECT w.name, w.called, p.polname, pg_get_expr(p.polqual, p.polrelid) AS condition, EXISTS (SELECT FROM expected_policies m
        WHERE m.name = w.name AND m.policy = p.polname AND m.command = p.polcmd AND m.seen = pg_get_expr(p.polqual, p.polrelid)
        AND m.written = coalesce(pg_get_expr(p.polwithcheck, p.polrelid), m.seen)) AS expected
    FROM protected w JOIN pg_policy p ON p.polrelid = w.oid
    WHERE p.polpermissive AND (0::oid = ANY (p.polroles) OR EXISTS (SELECT FROM roles t WHERE t.oid = ANY (p.polroles)))
)
SELECT t.called || ' ' || able.what
FROM roles t, LATERAL (VALUES
    (t.rolsuper, 'is a superuser'),
    (t.rolbypassrls, 'bypasses row level security'),
    (t.rolcreaterole, 'may create and alter roles'),
    (t.rolreplication, 'may replicate the whole server'),
    (t.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'), 'may access the files of the server')
) AS able (so, what) WHERE able.so
UNION ALL
SELECT t.called || ' owns ' || string_agg(o.what, ', ' ORDER BY o.what) FROM roles t JOIN owned o ON o.owner = t.oid GROUP BY t.called
UNION ALL
SELECT format('the table %I is not visible to it', name) FROM protected WHERE oid IS NULL
UNION ALL
SELECT format('row level security is %s on the table %s', CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END, called)
FROM protected WHERE oid IS NOT NULL AND NOT (relrowsecurity AND relforcerowsecurity)
UNION ALL
SELECT format('the table %s has no policy %I as the migrations make it', w.called, m.policy)
FROM protected w JOIN expected_policies m USING (name)
WHERE w.oid IS NOT NULL AND NOT EXISTS (SELECT FROM applicable o WHERE o.name = m.name AND o.polname = m.policy AND o.expected)
UNION ALL
SELECT format('the table %s has the policy %I for it, USING %s', called, polname, coalesce(condition, '(nothing)')) FROM applicable WHERE NOT expected
UNION ALL
SELECT format('%s may %s the table %s', t.called, string_agg(privilege, ', ' ORDER BY privilege), w.called)
FROM roles t, protected w, unnest(ARRAY ['DELETE', 'TRIGGER', 'TRUNCATE']) AS privilege
WHERE t.oid <> w.relowner AND NOT t.rolsuper AND has_table_privilege(t.oid, w.oid, privilege)
    AND NOT (privilege = 'DELETE' AND w.name = ANY ($2::text[]))
GROUP BY t.called, w.called
UNION ALL
SELECT format('%s may %s %s of the table %s', t.called, privilege, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), w.called)
FROM roles t, protected w, unnest(ARRAY ['REFERENCES', 'SELECT', 'UPDATE']) AS privilege, pg_attribute a
WHERE t.oid <> w.relowner AND NOT t.rolsuper AND a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND has_column_privilege(t.oid, w.oid, a.attnum, privilege)
    AND CASE privilege WHEN 'SELECT' THEN w.name || '.' || a.attname = ANY ($4::text[])
        WHEN 'UPDATE' THEN w.name || '.' || a.attname <> ALL ($3::text[]) ELSE true END
GROUP BY t.called, w.called, privilege
UNION ALL
SELECT 'row level security is not forced on the partition ' || string_agg(called::text, ', ' ORDER BY called::text) FROM partitions WHERE NOT forced HAVING COUNT(*) > 0
UNION ALL
SELECT format('the partition %s has the policy %I', w.called, p.polname) FROM partitions w JOIN pg_policy p ON p.polrelid = w.oid
UNION ALL
SELECT format('%s may %s the partition %s', t.called, privilege, string_agg(w.called::text, ', ' ORDER BY w.called::text))
FROM roles t, partitions w, unnest(ARRAY ['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS privilege
WHERE t.oid <> w.relowner AND NOT t.rolsuper AND CASE WHEN privilege IN ('DELETE', 'TRIGGER', 'TRUNCATE')
    THEN has_table_privilege(t.oid, w.oid, privilege) ELSE has_any_column_privilege(t.oid, w.oid, privilege) END
GROUP BY t.called, privilege
UNION ALL
SELECT t.called || ' may list all tenants' FROM roles t, to_regprocedure('all_tenants()') AS f
WHERE NOT t.rolsuper AND has_function_privilege(t.oid, f, 'EXECUTE') AND NOT EXISTS (SELECT FROM owned o WHERE o.owner = t.oid)
