package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

// TestExplain: an error is told in the words of the command line.
func TestExplain(t *testing.T) {
	lost := errors.New("the connection was lost")
	invalid := fault.ErrInvalid.OnField("full_name", "is required").OnField("password", "is too short")
	const noTenant = "There is no such tenant. [tenant_not_found]"
	withFlags, bare := userCreateCommand(terminal{}), tenantCreateCommand(terminal{})
	for _, c := range []struct {
		name    string
		command *cobra.Command
		err     error
		want    string
	}{
		{"another error", withFlags, lost, "the connection was lost"},
		{"flags, and what is no flag", withFlags, invalid, "--name is required; password is too short"},
		{"each flag", withFlags, fault.ErrInvalid.OnField("tenant_slug", "a").OnField("email", "b").OnField("role", "c"), "--tenant a; --email b; --role c"},
		{"a page", auditListCommand(terminal{}), fault.ErrInvalid.OnField("limit", "a").OnField("skip", "b"), "--limit a; --skip b"},
		{"an argument", bare, fault.ErrInvalid.OnField("tenant_slug", "is required"), "SLUG is required"},
		{"another argument", userSetRoleCommand(terminal{}), fault.ErrInvalid.OnField("role", "is required"), "ROLE is required"},
		{"named by the command", bare, fault.ErrInvalid.OnField("USER_ID", "must be a UUID"), "USER_ID must be a UUID"},
		{"a usage error", withFlags, usageError{invalid}, "--name is required; password is too short"},
		{"no field", withFlags, tenant.ErrNotFound, noTenant},
		{"wrapped", withFlags, fmt.Errorf("listing: %w", tenant.ErrNotFound), "listing: " + noTenant},
		{"joined", withFlags, errors.Join(tenant.ErrNotFound, lost), noTenant + "\nthe connection was lost"},
		{"a cause", withFlags, tenant.ErrNotFound.Because(lost), noTenant + ": the connection was lost"},
		{"a fault as the cause", withFlags, tenant.ErrNotFound.Because(invalid), noTenant + ": --name is required; password is too short"},
	} {
		if got := explain(c.command, c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
