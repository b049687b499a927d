package audit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestList: an admin reads the record of the own tenant, and who may see all data that of every tenant.
func TestList(t *testing.T) {
	a := apptest.New(t)
	home, other := porttest.NewTenant(t, a.Store), porttest.NewTenant(t, a.Store)
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, e := range []audit.Entry{
		{TenantID: home.ID, At: start, Act: audit.TenantCreated}, {TenantID: home.ID, At: start.Add(time.Hour), Act: audit.UserCreated},
		{TenantID: home.ID, At: start.Add(time.Minute), Act: audit.RoleChanged}, {TenantID: other.ID, At: start, Act: audit.Deactivated},
	} {
		e.ID, e.Severity = porttest.NewID[id.Entry](), audit.Info
		apptest.Must(t, a.Store.Audit().Record(t.Context(), porttest.ScopeOf(t, e.TenantID), e))
	}
	by := func(role access.Role) access.Principal {
		return access.NewPrincipal(porttest.NewID[id.User](), home.ID, role)
	}
	all := page.Page{Limit: page.Audit.Default}
	own, others := []audit.Act{audit.UserCreated, audit.RoleChanged, audit.TenantCreated}, []audit.Act{audit.Deactivated}
	for _, c := range []struct {
		name   string
		by     access.Principal
		tenant id.Tenant
		part   page.Page
		want   []audit.Act
		err    error
	}{
		{"viewer", by(access.Viewer), "", all, nil, access.ErrForbidden},
		{"analyst", by(access.Analyst), home.ID, all, nil, access.ErrForbidden},
		{"admin", by(access.Admin), "", all, own, nil},
		{"admin by the tenant's id", by(access.Admin), home.ID, all, own, nil},
		{"a page", by(access.Admin), "", page.Page{Skip: 1, Limit: 1}, own[1:2], nil},
		{"admin in another tenant", by(access.Admin), other.ID, all, nil, access.ErrForbidden},
		{"admin in a tenant that there is not", by(access.Admin), porttest.NewID[id.Tenant](), all, nil, access.ErrForbidden},
		{"super_admin in another tenant", by(access.SuperAdmin), other.ID, all, others, nil},
		{"super_admin in a tenant that there is not", by(access.SuperAdmin), porttest.NewID[id.Tenant](), all, nil, tenant.ErrNotFound},
		{"super_admin in all at once", by(access.SuperAdmin), access.EveryTenant, all, nil, tenant.ErrNotFound},
		{"operator", access.Operator(), other.ID, all, others, nil},
		{"operator in no tenant", access.Operator(), "", all, nil, access.ErrForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, err := a.Audit.List(t.Context(), c.by, c.tenant, c.part)
			var got []audit.Act
			for _, e := range entries {
				got = append(got, e.Act)
			}
			apptest.WantErr(t, err, c.err)
			if !slices.Equal(got, c.want) {
				t.Errorf("listed %v, want %v", got, c.want)
			}
		})
	}
}
