package porttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

var (
	t0         = time.Date(2026, 1, 1, 12, 0, 0, 123456000, time.UTC)
	everything = page.Page{Limit: 1000}
)

// NewID returns a new id.
func NewID[T ~string]() T { return T(uuid.NewString()) }

// NewTenant adds a tenant with a unique slug.
func NewTenant(t *testing.T, s ports.Repositories) tenant.Tenant {
	t.Helper()
	slug, err := tenant.ParseSlug("t-" + uuid.NewString())
	must(t, err)
	added := tenant.Tenant{ID: NewID[id.Tenant](), Slug: slug, CreatedAt: t0}
	must(t, s.Tenants().Add(t.Context(), added))
	return added
}

// NewUser adds an active user with a unique e-mail address.
func NewUser(t *testing.T, s ports.Repositories, home tenant.Tenant, role access.Role) user.User {
	t.Helper()
	email, err := user.ParseEmail(uuid.NewString() + "@example.com")
	must(t, err)
	u := user.User{
		ID: NewID[id.User](), TenantID: home.ID, Email: email, FullName: "Zoë Müller", Role: role, Active: true,
		PasswordHash: "hash", CreatedAt: t0,
	}
	must(t, s.Identities().Add(t.Context(), u))
	return u
}

// ScopeOf returns the scope of a super_admin in a tenant.
func ScopeOf(t testing.TB, tenantID id.Tenant) access.Scope {
	t.Helper()
	scope, err := access.Operator().Authorize(access.ReadTenantData, tenantID)
	must(t, err)
	return scope
}

func newSession(t *testing.T, s ports.Repositories, u user.User) session.Session {
	t.Helper()
	added := session.Session{
		ID: NewID[id.Session](), UserID: u.ID, TenantID: u.TenantID, Current: "current", Client: session.Client{Device: "curl", Address: "127.0.0.1"},
		CreatedAt: t0, LastUsedAt: t0, ExpiresAt: t0.Add(7 * 24 * time.Hour),
	}
	must(t, s.Sessions().Add(t.Context(), added))
	return added
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", doing, err, want)
	}
}

func equal(t *testing.T, doing string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", doing, got, want)
	}
}

// Store tests a store. Tests may run in parallel on one store and share its data.
func Store(t *testing.T, s ports.Store) {
	for name, test := range map[string]func(*testing.T, ports.Store){
		"tenants": testTenants, "identities": testIdentities, "users": testUsers, "user scopes": testUserScopes,
		"sessions": testSessions, "session limit": testSessionLimit, "sign-in addresses": testSignInAddresses,
		"password costs": testPasswordCosts, "events": testEvents, "event scopes": testEventScopes, "concurrent ingest": testConcurrentIngest, "identity of events": testIdentity, "large batches": testLargeBatches,
		"expected results": testResults, "summary": testSummarize, "query": testQuery, "unseal": testUnseal, "export": testExport, "selections": testSelections, "pages": testPages, "large events": testLargeEvents,
		"audit":    testAudit,
		"rollback": testRollback, "panic in a unit of work": testPanic,
		"concurrent demotions": testAdministrators, "concurrent refreshes": testSessionRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
	t.Run("ping", func(t *testing.T) { must(t, s.Ping(t.Context())) })
}

func testRollback(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	u := NewUser(t, s, home, access.Viewer)
	failure := errors.New("failure")
	err := s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		changed := u
		changed.Active = false
		must(t, tx.Users().SetRole(ctx, scope, u, access.Admin))
		must(t, tx.Users().SetActive(ctx, scope, changed))
		must(t, tx.Audit().Record(ctx, scope, audit.Entry{ID: NewID[id.Entry](), TenantID: home.ID, At: t0, Act: audit.RoleChanged}))
		return failure
	})
	wantErr(t, "the unit of work", err, failure)
	got, err := s.Users().ByID(ctx, scope, u.ID)
	must(t, err)
	equal(t, "the user", got, profile(u))
	entries, err := s.Audit().List(ctx, scope, everything)
	must(t, err)
	equal(t, "the entries", entries, []audit.Entry{})
}

func testPanic(t *testing.T, s ports.Store) {
	func() {
		defer func() { _ = recover() }()
		_ = s.InTx(t.Context(), func(context.Context, ports.Repositories) error { panic("a bug") })
	}()
	NewTenant(t, s) // hangs if the transaction was left open
}

// testAdministrators: of two admins who demote each other at once, one stays an admin.
func testAdministrators(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	a, b := NewUser(t, s, home, access.Admin), NewUser(t, s, home, access.Admin)
	demote := func(by, target user.User) error {
		return s.InTx(t.Context(), func(ctx context.Context, tx ports.Repositories) error {
			u, others, err := tx.Users().ForUpdate(ctx, scope, target.ID)
			if err != nil {
				return err
			}
			if u, err = u.WithRole(by.Principal(), access.Viewer, others); err != nil {
				return err
			}
			return tx.Users().SetRole(ctx, scope, target, u.Role)
		})
	}
	var (
		wg   sync.WaitGroup
		errs [2]error
	)
	wg.Go(func() { errs[0] = demote(a, b) })
	wg.Go(func() { errs[1] = demote(b, a) })
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("the demotions returned %v and %v, want one error", errs[0], errs[1])
	}
	wantErr(t, "the demotion that failed", errors.Join(errs[:]...), user.ErrLastAdmin)
}

// testSessionRace: of several uses of a refresh token at once, one succeeds.
func testSessionRace(t *testing.T, s ports.Store) {
	opened := newSession(t, s, NewUser(t, s, NewTenant(t, s), access.Viewer))
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		won int
	)
	for i := range 8 {
		wg.Go(func() {
			var outcome session.Outcome
			err := s.InTx(t.Context(), func(ctx context.Context, tx ports.Repositories) error {
				family, _, err := tx.Sessions().ForUpdate(ctx, opened.TenantID, opened.ID, t0)
				if err != nil {
					return err
				}
				outcome = family.Rotate("current", session.TokenHash(fmt.Sprint("next", i)), family.Client, t0.Add(time.Second), time.Minute)
				return tx.Sessions().Save(ctx, family)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if outcome == session.Rotated {
				won++
			}
		})
	}
	wg.Wait()
	equal(t, "how many succeeded", won, 1)
}
