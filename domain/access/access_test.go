package access_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

const (
	own   id.Tenant = "11111111-1111-4111-8111-111111111111"
	other id.Tenant = "22222222-2222-4222-8222-222222222222"
)

// TestAuthorize holds the whole table of role and permission against the specification: in the own tenant each role
// has what it has, and in another one only super_admin has anything (API1, ASVS 8.4.1).
func TestAuthorize(t *testing.T) {
	lowest := map[access.Permission]access.Role{
		access.ReadOwnData:       access.Viewer,
		access.ReadSummary:       access.Viewer,
		access.ReadTenantData:    access.Analyst,
		access.RunQueries:        access.Analyst,
		access.Export:            access.Analyst,
		access.Ingest:            access.Analyst,
		access.ManageTenantUsers: access.Admin,
		access.ReadAuditLogs:     access.Admin,
		access.ReadAllData:       access.SuperAdmin,
		access.ManageAllUsers:    access.SuperAdmin,
		access.ManageTenants:     access.SuperAdmin,
	}
	for permission, from := range lowest {
		// What only a super_admin has says what else it may do elsewhere, and opens nothing there by itself; but tenants
		// are managed from outside.
		reaches := from != access.SuperAdmin || permission == access.ManageTenants
		for _, role := range append(access.Roles(), access.Role{}) {
			p := access.NewPrincipal("u", own, role)
			for _, c := range []struct {
				tenant id.Tenant
				want   bool
			}{
				{own, role.AtLeast(from)},
				{"", role.AtLeast(from)},
				{other, role == access.SuperAdmin && reaches},
				{access.EveryTenant, role == access.SuperAdmin && reaches},
			} {
				scope, err := p.Authorize(permission, c.tenant)
				if (err == nil) != c.want {
					t.Errorf("%q asks for %s in %q: %v, want allowed %t", role, permission, c.tenant, err, c.want)
				}
				if err != nil && (!errors.Is(err, access.ErrForbidden) || !reflect.DeepEqual(scope, access.Scope{})) {
					t.Errorf("%q refused %s in %q with %v and scope %v", role, permission, c.tenant, err, scope)
				}
			}
		}
	}
}

// TestRefusal: a refusal names the permission that is lacking and who has it, and never the tenant.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		name       string
		role       access.Role
		permission access.Permission
		tenant     id.Tenant
		want       string
	}{
		{"own tenant", access.Viewer, access.RunQueries, own, "it needs analytics:run_queries, which is held by analyst, admin, super_admin."},
		{"another tenant", access.Admin, access.RunQueries, other, "it needs read:all_data, which is held by super_admin."},
		{"users of another tenant", access.Viewer, access.ManageTenantUsers, other, "it needs users:manage_all, which is held by super_admin."},
		{"ingest for another tenant", access.Analyst, access.Ingest, other, "it needs admin:manage_tenants, which is held by super_admin."},
		{"what nobody can do there", access.SuperAdmin, access.ManageAllUsers, other, "Your role does not permit this."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := access.NewPrincipal("u", own, c.role).Authorize(c.permission, c.tenant)
			var f *fault.Error
			if !errors.As(err, &f) || !strings.HasSuffix(f.Message, c.want) || strings.Contains(f.Message, string(c.tenant)) {
				t.Errorf("refused with %v, want %q", err, c.want)
			}
		})
	}
}

func TestScope(t *testing.T) {
	mine, err := access.NewPrincipal("u", own, access.Viewer).Authorize(access.ReadOwnData, "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := access.Operator().Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		scope      access.Scope
		tenant     id.Tenant
		covers     bool
		hasATenant bool
	}{
		{"own", mine, own, true, true},
		{"of another tenant", mine, other, false, true},
		{"of no tenant", mine, "", false, true},
		{"zero", access.Scope{}, own, false, false},
		{"zero of no tenant", access.Scope{}, "", false, false},
		{"every tenant", all, other, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.scope.Covers(c.tenant); (err == nil) != c.covers {
				t.Errorf("Covers: %v, want %t", err, c.covers)
			}
			if _, err := c.scope.Tenant(); (err == nil) != c.hasATenant {
				t.Errorf("Tenant: %v, want %t", err, c.hasATenant)
			}
		})
	}
}

func TestOperatorNeedsATenant(t *testing.T) {
	if _, err := access.Operator().Authorize(access.ReadOwnData, ""); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("the operator has no own tenant, yet got a scope: %v", err)
	}
}

func TestOutranks(t *testing.T) {
	for i, r := range access.Roles() {
		p := access.NewPrincipal("u", own, r)
		for j, target := range access.Roles() {
			if got := p.Outranks(target); got != (i > j) {
				t.Errorf("%s outranks %s: %t", r, target, got)
			}
			if !access.Operator().Outranks(target) {
				t.Errorf("the operator does not outrank %s", target)
			}
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range access.Roles() {
		if got, err := access.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("ParseRole(%q) = %v, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "Admin", "root", "admin\x00", "super-admin"} {
		if got, err := access.ParseRole(name); err == nil {
			t.Errorf("ParseRole(%q) = %v", name, got)
		}
	}
}

// TestWorker: the service's own work may delete expired events, and neither reads nor changes what belongs to a tenant. No role may.
func TestWorker(t *testing.T) {
	scope, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	if err != nil || scope.MayExpireEvents() != nil {
		t.Fatalf("refused: %v, %v", err, scope.MayExpireEvents())
	}
	if _, err := scope.Tenant(); !errors.Is(err, access.ErrNoScope) || scope.Everywhere() {
		t.Errorf("its scope is that of a tenant, or of all: %v", err)
	}
	for _, tenant := range []id.Tenant{own, "", "-", access.EveryTenant} {
		if err := scope.Covers(tenant); !errors.Is(err, access.ErrNoScope) {
			t.Errorf("its scope covers %q", tenant)
		}
		for _, permission := range []access.Permission{access.ReadTenantData, access.ManageTenants, access.ManageTenantUsers, access.Ingest} {
			if _, err := access.Worker().Authorize(permission, tenant); !errors.Is(err, access.ErrForbidden) {
				t.Errorf("it may %s in %q: %v", permission, tenant, err)
			}
		}
		if _, err := access.Worker().Authorize(access.ExpireEvents, tenant); (err == nil) != (tenant == access.EveryTenant) {
			t.Errorf("it may delete events of %q: %v", tenant, err)
		}
		for _, p := range []access.Principal{access.Operator(), access.NewPrincipal("u", own, access.SuperAdmin), {}} {
			if scope, err := p.Authorize(access.ExpireEvents, tenant); err == nil || scope.MayExpireEvents() == nil {
				t.Errorf("%+v may delete expired events of %q", p, tenant)
			}
		}
	}
}

// TestNarrowed: a narrowed scope allows questions, and nothing else.
func TestNarrowed(t *testing.T) {
	whole, err := access.NewPrincipal("u", "home", access.Analyst).Authorize(access.RunQueries, "")
	if err != nil {
		t.Fatal(err)
	}
	filters, err := analytics.ParseFilters("filters", []analytics.FilterRequest{{Field: "source", Op: "eq", Value: []byte(`"web"`)}})
	if err != nil {
		t.Fatal(err)
	}
	narrowed := whole.Narrowed(filters)
	if _, err := narrowed.Tenant(); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("it is a scope of a tenant: %v", err)
	}
	if err := narrowed.Covers("home"); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("it covers a tenant: %v", err)
	}
	tenant, got, err := narrowed.Narrowed(filters).Questions()
	if err != nil || tenant != "home" || len(got) != 2 {
		t.Errorf("questions about %q with %v, %v", tenant, got, err)
	}
	if tenant, got, err := whole.Questions(); err != nil || tenant != "home" || len(got) != 0 {
		t.Errorf("questions about %q with %v, %v", tenant, got, err)
	}
	if _, _, err := (access.Scope{}).Narrowed(filters).Questions(); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("the zero scope allows questions: %v", err)
	}
}
