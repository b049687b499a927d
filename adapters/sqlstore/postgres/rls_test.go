package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestRowLevelSecurity: every way to bypass row level security is found and named, and nothing else is reported.
func TestRowLevelSecurity(t *testing.T) {
	server := container.Postgres(t)
	const (
		own   = `USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)`
		other = `CREATE ROLE "other_{db}"`
	)
	// {role}, {owner} and {db} are replaced by names.
	for name, c := range map[string]struct {
		statements []string
		want       []string // breaches; none: the service may start
	}{
		"as migrated":            {},
		"superuser":              {[]string{`ALTER ROLE "{role}" SUPERUSER`}, []string{`the role "{role}" is a superuser`}},
		"bypasses":               {[]string{`ALTER ROLE "{role}" BYPASSRLS`}, []string{`the role "{role}" bypasses row level security`}},
		"creates roles":          {[]string{`ALTER ROLE "{role}" CREATEROLE`}, []string{`the role "{role}" may create and alter roles`}},
		"replicates":             {[]string{`ALTER ROLE "{role}" REPLICATION`}, []string{`the role "{role}" may replicate the whole server`}},
		"member of a superuser":  {[]string{other + ` SUPERUSER`, `GRANT "other_{db}" TO "{role}"`}, []string{`the role "other_{db}", which it is a member of, is a superuser`}},
		"member of one that can": {[]string{other + ` BYPASSRLS`, `GRANT "other_{db}" TO "{role}" WITH INHERIT FALSE`}, []string{`"other_{db}", which it is a member of, bypasses row level security`}},
		"member of a member": {
			[]string{other + ` BYPASSRLS`, `CREATE ROLE "third_{db}"`, `GRANT "other_{db}" TO "third_{db}"`, `GRANT "third_{db}" TO "{role}" WITH INHERIT FALSE`},
			[]string{`"other_{db}", which it is a member of, bypasses row level security`},
		},
		"admin of one that can": {
			[]string{other + ` BYPASSRLS`, `GRANT "other_{db}" TO "{role}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`},
			[]string{`"other_{db}", which it is a member of, bypasses row level security`},
		},
		"member of the owner":     {[]string{`REVOKE "{role}" FROM "{owner}"`, `GRANT "{owner}" TO "{role}"`}, []string{`the role "{owner}", which it is a member of, owns the database "{db}", the table audit_entries, the table block_parts, the table blocks, the table deltas, the table erased_events, the table erasures, the table event_keys, the table event_users, the table events, the table seals, the table sessions, the table sign_in_addresses, the table tenants, the table tombstones, the table users`}},
		"reads server files":      {[]string{`GRANT pg_execute_server_program TO "{role}"`}, []string{`the role pg_execute_server_program, which it is a member of, may access the files of the server`}},
		"member of another role":  {[]string{other, `GRANT "other_{db}" TO "{role}"`}, nil},
		"owns the table":          {[]string{`ALTER TABLE events OWNER TO "{role}"`}, []string{`the role "{role}" owns the table events`}},
		"owns the schema":         {[]string{`ALTER SCHEMA public OWNER TO "{role}"`}, []string{`the role "{role}" owns the schema public`}},
		"owns the database":       {[]string{`ALTER DATABASE "{db}" OWNER TO "{role}"`}, []string{`the role "{role}" owns the database "{db}"`, `the role pg_database_owner, which it is a member of, owns the schema public`}},
		"off":                     {[]string{`ALTER TABLE events DISABLE ROW LEVEL SECURITY`}, []string{`row level security is off on the table events`}},
		"not forced":              {[]string{`ALTER TABLE audit_entries NO FORCE ROW LEVEL SECURITY`}, []string{`row level security is not forced on the table audit_entries`}},
		"no policy":               {[]string{`DROP POLICY events_of_tenant ON events`}, []string{`the table events has no policy events_of_tenant as the migrations make it`}},
		"open to all":             {[]string{`CREATE POLICY open ON events USING (true)`}, []string{`the table events has the policy open for it, USING true`}},
		"open to it":              {[]string{`CREATE POLICY open ON audit_entries FOR INSERT TO "{role}" WITH CHECK (true)`}, []string{`the table audit_entries has the policy open for it, USING (nothing)`}},
		"open to a group":         {[]string{other, `GRANT "other_{db}" TO "{role}" WITH INHERIT FALSE`, `CREATE POLICY open ON events TO "other_{db}" USING (true)`}, []string{`the table events has the policy open for it`}},
		"policy open to all":      {[]string{`ALTER POLICY events_of_tenant ON events USING (true)`}, []string{`no policy events_of_tenant as`, `the policy events_of_tenant for it, USING true`}},
		"policy open for inserts": {[]string{`ALTER POLICY events_of_tenant ON events WITH CHECK (true)`}, []string{`no policy events_of_tenant as`}},
		"policy for another role": {[]string{other, `ALTER POLICY events_of_tenant ON events TO "other_{db}"`}, []string{`no policy events_of_tenant as`}},
		"open to the owner":       {[]string{`CREATE POLICY events_to_owner ON events TO "{owner}" USING (true)`}, nil},
		"restrictive policy":      {[]string{`CREATE POLICY narrow ON events AS RESTRICTIVE USING (false)`}, nil},
		"policy without check":    {[]string{`DROP POLICY audit_entries_of_tenant ON audit_entries`, `CREATE POLICY audit_entries_of_tenant ON audit_entries ` + own}, nil},
		"truncates":               {[]string{`GRANT TRUNCATE ON events TO "{role}"`}, []string{`the role "{role}" may TRUNCATE the table events`}},
		"updates entries":         {[]string{`GRANT UPDATE (act) ON audit_entries TO "{role}"`}, []string{`the role "{role}" may UPDATE act of the table audit_entries`}},
		"granted to PUBLIC":       {[]string{`GRANT TRUNCATE, TRIGGER ON events TO PUBLIC`}, []string{`the role "{role}" may TRIGGER, TRUNCATE the table events`}},
		"granted to a group":      {[]string{other, `GRANT "other_{db}" TO "{role}" WITH INHERIT FALSE`, `GRANT REFERENCES ON events TO "other_{db}"`}, []string{`the role "other_{db}", which it is a member of, may REFERENCES tenant_id, id, occurred_at, value, event_type, user_identifier, session_id, source, properties of the table events`}},
		"reads a partition":       {[]string{`GRANT SELECT ON events_older TO "{role}"`}, []string{`the role "{role}" may SELECT the partition events_older`}},
		"changes a partition":     {[]string{`GRANT UPDATE (value), INSERT, DELETE ON events_older TO PUBLIC`}, []string{`may DELETE the partition events_older`, `may INSERT the partition events_older`, `may UPDATE the partition events_older`}},
		"a group's partition":     {[]string{other, `GRANT "other_{db}" TO "{role}" WITH INHERIT FALSE`, `GRANT TRUNCATE ON events_older TO "other_{db}"`}, []string{`the role "other_{db}", which it is a member of, may TRUNCATE the partition events_older`}},
		"owns a partition":        {[]string{`ALTER TABLE events_older OWNER TO "{role}"`}, []string{`the role "{role}" owns the partition events_older`}},
		"partition off":           {[]string{`ALTER TABLE events_older DISABLE ROW LEVEL SECURITY`}, []string{`row level security is not forced on the partition events_older`}},
		"partition not forced":    {[]string{`ALTER TABLE events_older NO FORCE ROW LEVEL SECURITY`}, []string{`row level security is not forced on the partition events_older`}},
		"partition with a policy": {[]string{`CREATE POLICY open ON events_older USING (true)`}, []string{`the partition events_older has the policy open`}},
		"a view of a partition":   {[]string{`CREATE VIEW seen AS SELECT * FROM events_older`, `GRANT SELECT ON seen TO PUBLIC`}, []string{`the role "{role}" may use the view seen`}},
		"sets a retention":        {[]string{`GRANT UPDATE (retention_days) ON tenants TO "{role}"`}, []string{`the role "{role}" may UPDATE retention_days of the table tenants`}},
		"a function that waits":   {[]string{`ALTER FUNCTION add_event_partitions SET lock_timeout = '1h'`}, []string{`the function add_event_partitions() has other settings than the migrations give it`}},
		"reads a hash":            {[]string{`GRANT SELECT ON users TO "{role}"`}, []string{`the role "{role}" may SELECT password_hash of the table users`}},
		"grants super_admin":      {[]string{`GRANT UPDATE ON users TO "{role}"`}, []string{`the role "{role}" may UPDATE id, tenant_id, email, full_name, created_at, super_admin of the table users`}},
		"adds a super_admin":      {[]string{`ALTER POLICY users_of_tenant ON users WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)`}, []string{`the table users has no policy users_of_tenant as`}},
		"updates no users":        {[]string{`DROP POLICY users_changed_in_tenant ON users`}, []string{`the table users has no policy users_changed_in_tenant as`}},
		"updates users of all":    {[]string{`ALTER POLICY users_changed_in_tenant ON users USING (true)`}, []string{`no policy users_changed_in_tenant as`, `the policy users_changed_in_tenant for it, USING true`}},
		"lists the tenants":       {[]string{`GRANT EXECUTE ON FUNCTION all_tenants TO PUBLIC`}, []string{`the role "{role}" may list all tenants`}},
		"off for users":           {[]string{`ALTER TABLE users DISABLE ROW LEVEL SECURITY`}, []string{`row level security is off on the table users`}},
		"a shadowing table":       {[]string{`CREATE SCHEMA "{role}"`, `CREATE TABLE "{role}".events (LIKE events)`, `GRANT USAGE ON SCHEMA "{role}" TO "{role}"`}, []string{`row level security is off on the table `}},
		"no table is found":       {[]string{`ALTER ROLE "{role}" SET search_path = nowhere`}, []string{`the table events is not visible to it`, `the table audit_entries is not visible to it`}},
		"temporary tables":        {[]string{`GRANT TEMPORARY ON DATABASE "{db}" TO PUBLIC`}, []string{`the role "{role}" may create temporary tables in the database "{db}"`}},
		"creates schemas":         {[]string{`GRANT CREATE ON DATABASE "{db}" TO "{role}"`}, []string{`the role "{role}" may create schemas in the database "{db}"`}},
		"creates tables":          {[]string{`GRANT CREATE ON SCHEMA public TO PUBLIC`}, []string{`the role "{role}" may create tables in the schema public`}},
		"owns another schema":     {[]string{`CREATE SCHEMA elsewhere AUTHORIZATION "{role}"`}, []string{`the role "{role}" may create tables in the schema elsewhere`}},
		"a view":                  {[]string{`CREATE VIEW seen AS SELECT email FROM users`, `GRANT SELECT (email) ON seen TO "{role}"`, `ALTER VIEW seen OWNER TO "{owner}"`}, []string{`the role "{role}" may use the view seen, which runs with the rights of "{owner}"`}},
		"a view of a view":        {[]string{`CREATE VIEW first AS SELECT * FROM users`, `CREATE VIEW seen AS SELECT * FROM first`, `GRANT DELETE ON seen TO PUBLIC`}, []string{`the role "{role}" may use the view seen, which runs with the rights of `}},
		"materialized view":       {[]string{`CREATE MATERIALIZED VIEW kept AS SELECT * FROM all_tenants()`, `ALTER TABLE kept OWNER TO "{owner}"`, `GRANT SELECT ON kept TO PUBLIC`}, []string{`the role "{role}" may use the view kept, which runs with the rights of "{owner}"`}},
		"security invoker view":   {[]string{`CREATE VIEW seen WITH (security_invoker = on) AS SELECT email FROM users`, `GRANT SELECT ON seen TO PUBLIC`}, nil},
		"a view not granted":      {[]string{`CREATE VIEW seen AS SELECT email FROM users`, `CREATE VIEW harmless AS SELECT 1`, `GRANT SELECT ON harmless TO PUBLIC`}, nil},
		"unreachable view":        {[]string{`CREATE SCHEMA elsewhere`, `CREATE VIEW elsewhere.seen AS SELECT email FROM users`, `GRANT SELECT ON elsewhere.seen TO PUBLIC`}, nil},
		"another function":        {[]string{`CREATE FUNCTION hashes() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT password_hash FROM users'`, `ALTER FUNCTION hashes OWNER TO "{owner}"`}, []string{`the role "{role}" may call the function hashes(), which runs with the rights of "{owner}"`}},
		"one of the same name":    {[]string{`CREATE FUNCTION home_of_user(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT password_hash FROM users'`, `ALTER FUNCTION home_of_user(text) OWNER TO "{owner}"`}, []string{`the role "{role}" may call the function home_of_user(text)`}},
		"function not granted":    {[]string{`CREATE FUNCTION hashes() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT password_hash FROM users'`, `ALTER FUNCTION hashes OWNER TO "{owner}"`, `REVOKE EXECUTE ON FUNCTION hashes FROM PUBLIC`}, nil},
		"of an extension": {[]string{
			`CREATE VIEW seen AS SELECT 1`, `ALTER VIEW seen OWNER TO "{owner}"`, `GRANT SELECT ON seen TO PUBLIC`, `ALTER EXTENSION plpgsql ADD VIEW seen`,
			`CREATE FUNCTION see() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`, `ALTER FUNCTION see OWNER TO "{owner}"`, `ALTER EXTENSION plpgsql ADD FUNCTION see()`,
		}, nil},
		"a function's rights":   {[]string{`ALTER FUNCTION account_by_email SECURITY INVOKER`}, []string{`the function account_by_email(text) runs with the rights of its caller`}},
		"a function's settings": {[]string{`ALTER FUNCTION caller_of_session RESET ALL`}, []string{`the function caller_of_session(uuid) has other settings than the migrations give it`}},
		"a function's path":     {[]string{`ALTER FUNCTION caller_of_session SET search_path = pg_temp, public`}, []string{`the function caller_of_session(uuid) has other settings than the migrations give it`}},
		"a function's owner":    {[]string{`ALTER FUNCTION tenant_by_slug OWNER TO CURRENT_USER`}, []string{`the function tenant_by_slug(text) does not belong to the owner of the tables`}},
		"a function is gone":    {[]string{`DROP FUNCTION password_costs`}, []string{`the function password_costs(text) is not visible to it`}},
		"a new owner": {
			[]string{other, `REASSIGN OWNED BY "{owner}" TO "other_{db}"`},
			[]string{
				`the table tenants has no policy tenants_to_owner that shows all rows to its owner "other_{db}"`, `the table users has no policy users_to_owner that`,
				`the table sessions has no policy sessions_to_owner that`, `the table sign_in_addresses has no policy sign_in_addresses_to_owner that`,
				`the table event_keys has no policy event_keys_to_owner that`,
			},
		},
		"a new owner of one": {[]string{other, `ALTER TABLE users OWNER TO "other_{db}"`}, []string{`the table users has no policy users_to_owner that`, `the function home_of_user(uuid) does not belong to the owner of the tables`}},
		"a new owner, repaired": {[]string{
			other, `REASSIGN OWNED BY "{owner}" TO "other_{db}"`,
			`ALTER POLICY tenants_to_owner ON tenants TO "other_{db}"`, `ALTER POLICY users_to_owner ON users TO "other_{db}"`,
			`ALTER POLICY sessions_to_owner ON sessions TO "other_{db}"`, `ALTER POLICY sign_in_addresses_to_owner ON sign_in_addresses TO "other_{db}"`,
			`ALTER POLICY event_keys_to_owner ON event_keys TO "other_{db}"`,
		}, nil},
		"the owner sees less": {[]string{`ALTER POLICY users_to_owner ON users USING (active)`}, []string{`the table users has no policy users_to_owner that`}},
	} {
		t.Run(name, func(t *testing.T) {
			ownerURL, serviceURL := server.Database(t)
			migrated(t, options(ownerURL, serviceURL))
			names := namesOf(t, ownerURL, serviceURL)
			for _, statement := range c.statements {
				server.Admin(t, databaseOf(t, serviceURL), names.Replace(statement))
			}
			err := open(t, options(ownerURL, serviceURL)).CheckRowLevelSecurity(t.Context())
			if len(c.want) == 0 {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, postgres.ErrUnsafeRole) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), names.Replace(want)) {
					t.Errorf("it does not name %q: %v", names.Replace(want), err)
				}
			}
		})
	}
	t.Run("owner, tables in another schema", func(t *testing.T) {
		ownerURL, _ := server.Database(t)
		server.Admin(t, databaseOf(t, ownerURL), namesOf(t, ownerURL, ownerURL).Replace(`CREATE SCHEMA app AUTHORIZATION "{owner}"`))
		err := migrated(t, options("", ownerURL+"&search_path=app")).CheckRowLevelSecurity(t.Context())
		if !errors.Is(err, postgres.ErrUnsafeRole) || !strings.Contains(err.Error(), "owns the database") || !strings.Contains(err.Error(), "the schema app, the table audit_entries") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("service's role, tables in another schema", func(t *testing.T) {
		ownerURL, serviceURL := server.Database(t)
		server.Admin(t, databaseOf(t, ownerURL), namesOf(t, ownerURL, serviceURL).Replace(`CREATE SCHEMA app AUTHORIZATION "{owner}"`))
		if err := migrated(t, options(ownerURL+"&search_path=app", serviceURL+"&search_path=app")).CheckRowLevelSecurity(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// namesOf returns a replacer of {role}, {owner} and {db}.
func namesOf(t *testing.T, ownerURL, serviceURL string) *strings.Replacer {
	t.Helper()
	return strings.NewReplacer("{role}", roleOf(t, serviceURL), "{owner}", roleOf(t, ownerURL), "{db}", databaseOf(t, serviceURL))
}

// TestAuthorize_revokes: a start revokes privileges of PUBLIC that an older server or an administrator granted, as far as it may.
func TestAuthorize_revokes(t *testing.T) {
	server := container.Postgres(t)
	ownerURL, serviceURL := server.Database(t)
	names, o := namesOf(t, ownerURL, serviceURL), options(ownerURL, serviceURL)
	admin := func(statement string) { server.Admin(t, databaseOf(t, serviceURL), names.Replace(statement)) }
	admin(`GRANT CREATE ON SCHEMA public TO PUBLIC`)
	db := migrated(t, o)
	if err := db.CheckRowLevelSecurity(t.Context()); err != nil {
		t.Errorf("by default: %v", err)
	}
	for _, statement := range []string{"CREATE TEMPORARY TABLE events (tenant_id uuid)", "CREATE TABLE shadow (tenant_id uuid)"} {
		if _, err := driverConn(t, serviceURL).ExecContext(t.Context(), statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	admin(`ALTER DATABASE "{db}" OWNER TO CURRENT_USER`)
	admin(`GRANT TEMPORARY ON DATABASE "{db}" TO PUBLIC`)
	err := migrated(t, o).CheckRowLevelSecurity(t.Context())
	if !errors.Is(err, postgres.ErrUnsafeRole) || !strings.Contains(err.Error(), "may create temporary tables") {
		t.Errorf("where another owns the database: %v", err)
	}
}
