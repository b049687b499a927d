package tenants_test

import (
	"slices"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func slug(t *testing.T, text string) tenant.Slug {
	t.Helper()
	s, err := tenant.ParseSlug(text)
	apptest.Must(t, err)
	return s
}

func principal(home id.Tenant, role access.Role) access.Principal {
	return access.NewPrincipal(porttest.NewID[id.User](), home, role)
}

func TestCreate(t *testing.T) {
	a := apptest.New(t)
	for _, role := range []access.Role{access.Viewer, access.Analyst, access.Admin} {
		_, err := a.Tenants.Create(t.Context(), principal(porttest.NewID[id.Tenant](), role), slug(t, "acme"))
		apptest.WantErr(t, err, access.ErrForbidden)
	}
	created, err := a.Tenants.Create(t.Context(), access.Operator(), slug(t, "acme"))
	apptest.Must(t, err)
	trail := a.Trail(t, created.ID, audit.TenantCreated)
	if len(trail) != 1 || trail[0].Detail["slug"] != "acme" {
		t.Errorf("recorded: %+v", trail)
	}
	_, err = a.Tenants.Create(t.Context(), access.Operator(), slug(t, "acme"))
	apptest.WantErr(t, err, tenant.ErrSlugTaken)
	if n := len(a.Log.Entries(audit.TenantCreated)); n != 1 {
		t.Errorf("%d tenants are on the log", n)
	}
}

func TestBySlug(t *testing.T) {
	a := apptest.New(t)
	created, err := a.Tenants.Create(t.Context(), access.Operator(), slug(t, "acme"))
	apptest.Must(t, err)
	got, err := a.Tenants.BySlug(t.Context(), access.Operator(), created.Slug)
	apptest.Must(t, err)
	if got != created {
		t.Errorf("got %+v, want %+v", got, created)
	}
	_, err = a.Tenants.BySlug(t.Context(), access.Operator(), slug(t, "globex"))
	apptest.WantErr(t, err, tenant.ErrNotFound)
	_, err = a.Tenants.BySlug(t.Context(), principal(created.ID, access.Admin), created.Slug)
	apptest.WantErr(t, err, access.ErrForbidden)
}

// TestEnter: whether a tenant exists shows to those alone who may enter every one of them (API1).
func TestEnter(t *testing.T) {
	a := apptest.New(t)
	home, other := porttest.NewTenant(t, a.Store).ID, porttest.NewTenant(t, a.Store).ID
	absent := porttest.NewID[id.Tenant]()
	for _, c := range []struct {
		name       string
		role       access.Role
		permission access.Permission
		tenant     id.Tenant
		want       error
	}{
		{"one's own by default", access.Viewer, access.ReadSummary, "", nil},
		{"one's own by name", access.Viewer, access.ReadSummary, home, nil},
		{"one's own without the permission", access.Viewer, access.RunQueries, home, access.ErrForbidden},
		{"another as admin", access.Admin, access.ReadSummary, other, access.ErrForbidden},
		{"an absent one as admin", access.Admin, access.ReadSummary, absent, access.ErrForbidden},
		{"another as super_admin", access.SuperAdmin, access.ReadSummary, other, nil},
		{"an absent one as super_admin", access.SuperAdmin, access.ReadSummary, absent, tenant.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			scope, err := a.Tenants.Enter(t.Context(), principal(home, c.role), c.permission, c.tenant)
			apptest.WantErr(t, err, c.want)
			if c.want != nil {
				return
			}
			if c.tenant == "" {
				c.tenant = home
			}
			if entered, err := scope.Tenant(); err != nil || entered != c.tenant {
				t.Errorf("the scope is of %q, %v", entered, err)
			}
		})
	}
}

func TestList(t *testing.T) {
	a := apptest.New(t)
	for _, text := range []string{"globex", "acme"} {
		_, err := a.Tenants.Create(t.Context(), access.Operator(), slug(t, text))
		apptest.Must(t, err)
	}
	list, err := a.Tenants.List(t.Context(), access.Operator())
	apptest.Must(t, err)
	var slugs []string
	for _, one := range list {
		slugs = append(slugs, one.Slug.String())
	}
	if want := []string{"acme", "globex"}; !slices.Equal(slugs, want) {
		t.Errorf("the tenants are %v, want %v", slugs, want)
	}
	_, err = a.Tenants.List(t.Context(), principal(list[0].ID, access.Admin))
	apptest.WantErr(t, err, access.ErrForbidden)
}

// TestSetRetention: only who manages all tenants may change a retention. That of a tenant is in its trail, that of the platform on the
// log.
func TestSetRetention(t *testing.T) {
	a := apptest.New(t)
	created, err := a.Tenants.Create(t.Context(), access.Operator(), slug(t, "acme"))
	apptest.Must(t, err)
	days := func(n int) tenant.Retention {
		r, err := tenant.NewRetention(n)
		apptest.Must(t, err)
		return r
	}
	for _, role := range []access.Role{access.Viewer, access.Analyst, access.Admin} {
		_, err := a.Tenants.SetRetention(t.Context(), principal(created.ID, role), created.ID, days(30))
		apptest.WantErr(t, err, access.ErrForbidden)
		_, err = a.Tenants.SetPlatformRetention(t.Context(), principal(created.ID, role), days(30))
		apptest.WantErr(t, err, access.ErrForbidden)
		_, err = a.Tenants.PlatformRetention(t.Context(), principal(created.ID, role))
		apptest.WantErr(t, err, access.ErrForbidden)
	}
	_, err = a.Tenants.SetRetention(t.Context(), access.Operator(), porttest.NewID[id.Tenant](), days(30))
	apptest.WantErr(t, err, tenant.ErrNotFound)
	_, err = a.Tenants.SetRetention(t.Context(), access.Operator(), created.ID, days(30))
	apptest.Must(t, err)
	before, err := a.Tenants.SetRetention(t.Context(), access.Operator(), created.ID, tenant.Retention{})
	apptest.Must(t, err)
	if before != days(30) {
		t.Errorf("before it was %s", before)
	}
	trail := a.Trail(t, created.ID, audit.RetentionChanged)
	if len(trail) != 2 || trail[0].Detail["old"] != "30 days" || trail[0].Detail["new"] != "for ever" {
		t.Errorf("recorded: %+v", trail)
	}

	_, err = a.Tenants.SetPlatformRetention(t.Context(), access.Operator(), days(400))
	apptest.Must(t, err)
	if platform, err := a.Tenants.PlatformRetention(t.Context(), access.Operator()); err != nil || platform != days(400) {
		t.Errorf("the platform's retention is %s, %v", platform, err)
	}
	before, err = a.Tenants.SetPlatformRetention(t.Context(), access.Operator(), tenant.Retention{})
	apptest.Must(t, err)
	if noted := a.Log.Entries(audit.RetentionChanged); before != days(400) || len(noted) != 4 || noted[3].TenantID != "" || noted[3].Detail["old"] != "400 days" {
		t.Errorf("before it was %s, on the log are %+v", before, noted)
	}
}
