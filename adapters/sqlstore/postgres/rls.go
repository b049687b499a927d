package postgres

import (
	"context"
	_ "embed" // for what lies beside this file
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// ErrUnsafeRole says that row level security does not keep the service to one tenant at a time. What was found comes with it.
var ErrUnsafeRole = errors.New("row level security does not bind the role of DATABASE_URL as it should; give the owner of the tables " +
	"in MIGRATION_DATABASE_URL, and in DATABASE_URL another role, with no more rights than the service grants it")

// rlsTable is a table in which row level security keeps tenants apart.
type rlsTable struct {
	name   string
	column string // holds the id of the tenant
	// toOwner is whether a policy shows all rows to the owner, whose rights the functions work with.
	toOwner bool
	// policies are those that let the service in; none means the one of most tables; see expected.
	policies []policy
	// What the service may do with it besides adding rows and reading them.
	deletes bool     // rows
	updates []string // these columns
	hidden  []string // columns that it may not read
}

// rlsTables are the tables that the check of the wall looks at, with what the service is granted on them.
var rlsTables = []rlsTable{
	{name: "tenants", column: "id", toOwner: true, updates: []string{"created_at"}},
	{name: "users", column: "tenant_id", toOwner: true, updates: []string{"role", "active", "password_hash"}, hidden: []string{"password_hash"}, policies: []policy{
		{"users_of_tenant", all, tenantCondition("tenant_id"), "(" + tenantCondition("tenant_id") + " AND (NOT super_admin))"},
		{"users_changed_in_tenant", update, tenantCondition("tenant_id"), tenantCondition("tenant_id")},
	}},
	{name: "sessions", column: "tenant_id", toOwner: true, deletes: true, updates: []string{"current_hash", "previous_hash", "device", "address", "last_used_at", "revoked_at", "revoked_for"}},
	{name: "sign_in_addresses", column: "tenant_id", toOwner: true, deletes: true, updates: []string{"last_at"}},
	{name: "events", column: "tenant_id"},
	{name: "audit_entries", column: "tenant_id"},
}

// policy is a policy for a command as Postgres shows it: who may see a row, and what a row may be changed to or added as.
type policy struct{ name, command, using, check string }

// Commands, as Postgres keeps them.
const (
	all    = "*"
	update = "w"
)

// tenantCondition is the condition that a row is of the tenant that has been entered.
func tenantCondition(column string) string {
	return "(" + column + " = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
}

// expected returns the policies that let the service in.
func (w rlsTable) expected() []policy {
	if len(w.policies) > 0 {
		return w.policies
	}
	return []policy{{w.name + "_of_tenant", all, tenantCondition(w.column), tenantCondition(w.column)}}
}

// What asks the database for all that lets the role of a connection past the wall. Both questions begin with the same lines.
var (
	//go:embed roles.sql
	rolesQuery string
	//go:embed rls.sql
	rlsQuery string
	//go:embed bypasses.sql
	bypassesQuery string
)

// CheckRowLevelSecurity makes sure that the wall between tenants stands and binds the service: the tables that it uses have row level
// security with the policies of the migrations and no others, neither its role nor one that it can take on is above them, and
// nothing leads around them. Errors: ErrUnsafeRole, with each breach on a line of its own.
func (d *Database) CheckRowLevelSecurity(ctx context.Context) error {
	found, err := d.findViolations(ctx)
	if err != nil {
		return fmt.Errorf("checking the role of DATABASE_URL: %w", err)
	}
	around, err := d.findBypasses(ctx)
	if err != nil {
		return fmt.Errorf("checking what leads the role of DATABASE_URL around the wall: %w", err)
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

// findViolations returns what is wrong with the tables, the role and its rights to them.
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

// findBypasses returns what is wrong beside the tables: what the service could put in their place, and what shows it more of
// them than the wall does, or nothing at all.
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
