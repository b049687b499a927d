package postgres

import (
	"context"
	_ "embed" // the SQL files beside this one
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// ErrUnsafeRole: row level security does not restrict the service to one tenant at a time. The violations are joined to it.
var ErrUnsafeRole = errors.New("row level security does not apply to the role of DATABASE_URL as it should; give the owner of the tables " +
	"in MIGRATION_DATABASE_URL, and in DATABASE_URL another role, with no more rights than the service grants it")

// rlsTable is a table with row level security.
type rlsTable struct {
	name   string
	column string // of the tenant's id
	// toOwner is whether a policy shows all rows to the owner, as whom the SECURITY DEFINER functions run.
	toOwner bool
	// policies are those that apply to the service; none means the usual one; see expected.
	policies []policy
	// What the service may do besides inserting and reading rows.
	deletes bool     // rows
	updates []string // these columns
	hidden  []string // columns that it may not read
}

// rlsTables are the tables that CheckRowLevelSecurity checks, with what the service is granted on them.
var rlsTables = []rlsTable{
	{name: "tenants", column: "id", toOwner: true, updates: []string{"created_at"}},
	{name: "users", column: "tenant_id", toOwner: true, updates: []string{"role", "active", "password_hash"}, hidden: []string{"password_hash"}, policies: []policy{
		{"users_of_tenant", all, tenantCondition("tenant_id"), "(" + tenantCondition("tenant_id") + " AND (NOT super_admin))"},
		{"users_changed_in_tenant", update, tenantCondition("tenant_id"), tenantCondition("tenant_id")},
	}},
	{name: "sessions", column: "tenant_id", toOwner: true, deletes: true, updates: []string{"current_hash", "previous_hash", "device", "address", "last_used_at", "revoked_at", "revoked_for"}},
	{name: "sign_in_addresses", column: "tenant_id", toOwner: true, deletes: true, updates: []string{"last_at"}},
	{name: "events", column: "tenant_id", deletes: true, policies: []policy{
		{"events_of_tenant", all, tenantCondition("tenant_id"), "(" + tenantCondition("tenant_id") + " AND (current_setting('app.tenant_id'::text, true) ~~ '{%}'::text))"},
	}},
	{name: "event_keys", column: "tenant_id", toOwner: true, deletes: true, updates: []string{"event_id", "stored_at"}},
	{name: "seals", column: "tenant_id", updates: []string{"changes", "covered_from", "next_user", "forgotten"}},
	{name: "deltas", column: "tenant_id", deletes: true},
	{name: "blocks", column: "tenant_id", deletes: true},
	{name: "block_parts", column: "tenant_id", deletes: true},
	{name: "tombstones", column: "tenant_id", deletes: true},
	{name: "event_users", column: "tenant_id", deletes: true},
	{name: "erasures", column: "tenant_id", deletes: true, updates: []string{"state", "user_identifier", "events", "completed_at", "reported"}},
	{name: "erased_events", column: "tenant_id", deletes: true},
	{name: "audit_entries", column: "tenant_id"},
}

// policy is a policy in Postgres' own notation: using filters the visible rows, check the new ones.
type policy struct{ name, command, using, check string }

// Commands, as in pg_policy.polcmd.
const (
	all    = "*"
	update = "w"
)

// tenantCondition is the condition that a row belongs to the tenant that the transaction has entered.
func tenantCondition(column string) string {
	return "(" + column + " = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
}

// expected returns the policies that apply to the service.
func (w rlsTable) expected() []policy {
	if len(w.policies) > 0 {
		return w.policies
	}
	return []policy{{w.name + "_of_tenant", all, tenantCondition(w.column), tenantCondition(w.column)}}
}

// The queries for violations. Both start with rolesQuery.
var (
	//go:embed roles.sql
	rolesQuery string
	//go:embed rls.sql
	rlsQuery string
	//go:embed bypasses.sql
	bypassesQuery string
)

// CheckRowLevelSecurity verifies that row level security applies to the service's role: it is forced on all tables, with the
// policies of the migrations and no others; neither the role nor one that it is a member of is exempt; and nothing bypasses
// the tables. Errors: ErrUnsafeRole, with one violation per line.
func (d *Database) CheckRowLevelSecurity(ctx context.Context) error {
	found, err := d.findViolations(ctx)
	if err != nil {
		return fmt.Errorf("checking row level security for the role of DATABASE_URL: %w", err)
	}
	around, err := d.findBypasses(ctx)
	if err != nil {
		return fmt.Errorf("checking what bypasses row level security: %w", err)
	}
	found = append(found, around...)
	if len(found) == 0 {
		return nil
	}
	reasons := []error{ErrUnsafeRole}
	for _, breach := range found {
		reasons = append(reasons, errors.New(breach))
	}
	return errors.Join(reasons...)
}

// findViolations returns what is wrong with the tables, the role and its privileges on them.
func (d *Database) findViolations(ctx context.Context) ([]string, error) {
	var (
		names, deletes  []string
		opened          [5][]string // the policies: table, name, command, USING, WITH CHECK
		updates, hidden []string
	)
	for _, w := range rlsTables {
		names = append(names, w.name)
		for _, p := range w.expected() {
			for i, text := range []string{w.name, p.name, p.command, p.using, p.check} {
				opened[i] = append(opened[i], text)
			}
		}
		if w.deletes {
			deletes = append(deletes, w.name)
		}
		for _, column := range w.updates {
			updates = append(updates, w.name+"."+column)
		}
		for _, column := range w.hidden {
			hidden = append(hidden, w.name+"."+column)
		}
	}
	return queryTexts(ctx, d.service, rolesQuery+rlsQuery, pq.Array(names), pq.Array(deletes), pq.Array(updates), pq.Array(hidden),
		pq.Array(opened[0]), pq.Array(opened[1]), pq.Array(opened[2]), pq.Array(opened[3]), pq.Array(opened[4]))
}

// findBypasses returns what is wrong beside the tables: objects that the service could create in their place, and views and
// functions that show more rows than row level security does, or none.
func (d *Database) findBypasses(ctx context.Context) ([]string, error) {
	var names, toOwner []string
	for _, w := range rlsTables {
		names = append(names, w.name)
		if w.toOwner {
			toOwner = append(toOwner, w.name)
		}
	}
	return queryTexts(ctx, d.service, rolesQuery+bypassesQuery, pq.Array(names), pq.Array(toOwner), pq.Array(functions))
}
