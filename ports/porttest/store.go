package porttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
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

// NewTenant adds a tenant with a name of its own to the store.
func NewTenant(t *testing.T, s ports.Repositories) tenant.Tenant {
	t.Helper()
	slug, err := tenant.ParseSlug("t-" + uuid.NewString())
	must(t, err)
	added := tenant.Tenant{ID: NewID[id.Tenant](), Slug: slug, CreatedAt: t0}
	must(t, s.Tenants().Add(t.Context(), added))
	return added
}

// NewUser adds an active user with an address of its own to the store.
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
func ScopeOf(t *testing.T, tenantID id.Tenant) access.Scope {
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

func must(t *testing.T, err error) {
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

// Store tests a store. Tests of one store may run beside each other and share its data.
func Store(t *testing.T, s ports.Store) {
	for name, test := range map[string]func(*testing.T, ports.Store){
		"tenants": testTenants, "identities": testIdentities, "users": testUsers, "user scopes": testUserScopes,
		"sessions": testSessions, "session limit": testSessionLimit, "sign-in addresses": testSignInAddresses,
		"password costs": testPasswordCosts, "events": testEvents, "event scopes": testEventScopes, "idempotent append": testAppend,
		"events and their answers": testAnswers, "totals": testTotals, "query": testQuery, "after": testAfter, "audit": testAudit,
		"a unit of work is whole": testRollback, "a unit of work outlives a panic": testPanic,
		"administrators change one at a time": testAdministrators, "sessions change one at a time": testSessionRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
	t.Run("ping", func(t *testing.T) { must(t, s.Ping(t.Context())) })
}

func testTenants(t *testing.T, s ports.Store) {
	ctx := t.Context()
	added := NewTenant(t, s)
	got, err := s.Tenants().ByID(ctx, added.ID)
	must(t, err)
	equal(t, "by id", got, added)
	got, err = s.Tenants().BySlug(ctx, added.Slug)
	must(t, err)
	equal(t, "by slug", got, added)

	again := added
	again.ID = NewID[id.Tenant]()
	wantErr(t, "the slug again", s.Tenants().Add(ctx, again), tenant.ErrSlugTaken)
	_, err = s.Tenants().ByID(ctx, again.ID)
	wantErr(t, "an unknown id", err, tenant.ErrNotFound)

	_, err = s.Tenants().List(ctx, ScopeOf(t, added.ID))
	wantErr(t, "the list with the scope of one tenant", err, access.ErrNoScope)
}

// Operator tests what a store does for the operator alone, who may have opened it with other rights than the service has.
func Operator(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	all, err := access.Operator().Authorize(access.ManageTenantUsers, access.EveryTenant)
	must(t, err)
	NewTenant(t, s)
	list, err := s.Tenants().List(ctx, all)
	must(t, err)
	if !slices.Contains(list, home) {
		t.Error("the list lacks the tenant")
	}
	if len(list) < 2 || !slices.IsSortedFunc(list, func(a, b tenant.Tenant) int { return strings.Compare(a.Slug.String(), b.Slug.String()) }) {
		t.Error("the list is not in order")
	}
	u := NewUser(t, s, home, access.SuperAdmin)
	for _, role := range []access.Role{access.Viewer, access.SuperAdmin, access.Admin} {
		must(t, s.Users().SetRole(ctx, all, u, role))
		u.Role = role
		got, err := s.Users().ByID(ctx, all, u.ID)
		must(t, err)
		equal(t, "with another role", got, profile(u))
	}
}

// Wall takes back the version of the schema that builds the wall around users, and puts it on again: what it moves is kept.
func Wall(t *testing.T, s ports.Store, down func(context.Context) (string, error), up func(context.Context) (int, error)) {
	ctx := t.Context()
	home := NewTenant(t, s)
	want := []user.User{NewUser(t, s, home, access.Viewer), NewUser(t, s, home, access.Admin), NewUser(t, s, home, access.SuperAdmin)}
	for _, u := range want {
		must(t, s.SignInAddresses().Remember(ctx, u, "192.0.2.1", t0, 1))
	}
	if name, err := down(ctx); err != nil || name != "00003_wall.sql" {
		t.Fatalf("taken back: %q, %v", name, err)
	}
	_, err := up(ctx)
	must(t, err)
	for _, u := range want {
		got, err := s.Identities().ByEmail(ctx, u.Email)
		must(t, err)
		equal(t, "a user", got, u)
		known, err := s.SignInAddresses().Known(ctx, u.Email, "192.0.2.1")
		must(t, err)
		equal(t, "whether its address is known", known, true)
	}
}

func testIdentities(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	u := NewUser(t, s, home, access.Analyst)
	got, err := s.Identities().ByEmail(ctx, u.Email)
	must(t, err)
	equal(t, "by e-mail", got, u)

	again := u
	again.ID = NewID[id.User]()
	again.TenantID = NewTenant(t, s).ID
	wantErr(t, "the address again, in another tenant", s.Identities().Add(ctx, again), user.ErrEmailTaken)
	nobody, err := user.ParseEmail(uuid.NewString() + "@example.com")
	must(t, err)
	_, err = s.Identities().ByEmail(ctx, nobody)
	wantErr(t, "an unknown address", err, user.ErrNotFound)

	must(t, s.Identities().SetPassword(ctx, u, "new hash"))
	wantErr(t, "the password of nobody", s.Identities().SetPassword(ctx, again, "h"), user.ErrNotFound)
	u.PasswordHash = "new hash"
	opened := newSession(t, s, u)
	got, gotSession, err := s.Identities().BySession(ctx, opened.ID)
	must(t, err)
	equal(t, "the user by session", got, profile(u))
	equal(t, "the session", gotSession, session.Session{
		ID: opened.ID, UserID: u.ID, TenantID: u.TenantID, CreatedAt: opened.CreatedAt, ExpiresAt: opened.ExpiresAt,
	})
	opened.Revoke(session.SignedOut, t0.Add(time.Minute))
	must(t, s.Sessions().Save(ctx, opened))
	_, gotSession, err = s.Identities().BySession(ctx, opened.ID)
	must(t, err)
	if !gotSession.RevokedAt.Equal(opened.RevokedAt) || gotSession.RevokedFor != session.SignedOut {
		t.Errorf("the session that was ended: %+v", gotSession)
	}
	_, _, err = s.Identities().BySession(ctx, NewID[id.Session]())
	wantErr(t, "an unknown session", err, session.ErrNotFound)

	must(t, s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		locked, err := tx.Identities().ForUpdate(ctx, home.ID, u.ID)
		equal(t, "for update", locked, profile(u))
		for hash, want := range map[user.PasswordHash]bool{u.PasswordHash: true, "another": false} {
			other := u
			other.PasswordHash = hash
			same, err := tx.Identities().HasPassword(ctx, other)
			must(t, err)
			equal(t, "whether it has the password", same, want)
		}
		_, elsewhere := tx.Identities().ForUpdate(ctx, again.TenantID, u.ID)
		wantErr(t, "for update in another tenant", elsewhere, user.ErrNotFound)
		return err
	}))
}

// profile is what those who manage users see of one.
func profile(u user.User) user.User {
	u.PasswordHash = ""
	return u
}

func testUsers(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	var added []user.User
	for range 3 {
		added = append(added, profile(NewUser(t, s, home, access.Viewer)))
	}
	slices.SortFunc(added, func(a, b user.User) int { return strings.Compare(string(a.ID), string(b.ID)) })
	list, total, err := s.Users().List(ctx, scope, everything)
	must(t, err)
	equal(t, "all", list, added)
	equal(t, "total", total, 3)
	list, total, err = s.Users().List(ctx, scope, page.Page{Skip: 1, Limit: 1})
	must(t, err)
	equal(t, "a page", list, added[1:2])
	equal(t, "total with a page", total, 3)
	list, _, err = s.Users().List(ctx, scope, page.Page{Skip: page.MaxSkip, Limit: 1})
	must(t, err)
	equal(t, "a page after the end", list, []user.User{})

	u := added[0]
	must(t, s.Users().SetRole(ctx, scope, u, access.Admin))
	u.Role, u.Active = access.Admin, false
	must(t, s.Users().SetActive(ctx, scope, u))
	got, err := s.Users().ByID(ctx, scope, u.ID)
	must(t, err)
	equal(t, "after a change", got, u)
	u.ID = NewID[id.User]()
	wantErr(t, "the role of nobody", s.Users().SetRole(ctx, scope, u, access.Viewer), user.ErrNotFound)
	wantErr(t, "nobody's access", s.Users().SetActive(ctx, scope, u), user.ErrNotFound)
}

func testUserScopes(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	u := NewUser(t, s, home, access.Viewer)
	foreign := ScopeOf(t, other.ID)
	all, err := access.Operator().Authorize(access.ManageTenantUsers, access.EveryTenant)
	must(t, err)

	_, err = s.Users().ByID(ctx, foreign, u.ID)
	wantErr(t, "a user of another tenant", err, user.ErrNotFound)
	list, total, err := s.Users().List(ctx, foreign, everything)
	must(t, err)
	equal(t, "the list of the other tenant", list, []user.User{})
	equal(t, "its total", total, 0)
	for name, save := range map[string]func(context.Context, access.Scope, user.User) error{
		"access": s.Users().SetActive,
		"a role": func(ctx context.Context, scope access.Scope, u user.User) error {
			return s.Users().SetRole(ctx, scope, u, access.Admin)
		},
	} {
		wantErr(t, name+" in another tenant", save(ctx, foreign, u), access.ErrNoScope)
		wantErr(t, name+" without a scope", save(ctx, access.Scope{}, u), access.ErrNoScope)
	}
	got, err := s.Users().ByID(ctx, all, u.ID)
	must(t, err)
	equal(t, "with the scope of every tenant", got, profile(u))
	_, err = s.Users().ByID(ctx, all, NewID[id.User]())
	wantErr(t, "nobody, with the scope of every tenant", err, user.ErrNotFound)
	must(t, s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		locked, others, err := tx.Users().ForUpdate(ctx, all, u.ID)
		equal(t, "locked, with the scope of every tenant", locked, profile(u))
		equal(t, "other administrators", others, 0)
		return err
	}))

	var none access.Scope
	_, err = s.Users().ByID(ctx, none, u.ID)
	wantErr(t, "without a scope", err, access.ErrNoScope)
	_, _, err = s.Users().List(ctx, none, everything)
	wantErr(t, "a list without a scope", err, access.ErrNoScope)
	wantErr(t, "locking without a scope", s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		_, _, err := tx.Users().ForUpdate(ctx, none, u.ID)
		return err
	}), access.ErrNoScope)
}

func testSessions(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	u := NewUser(t, s, home, access.Viewer)
	first, second, third := newSession(t, s, u), newSession(t, s, u), newSession(t, s, u)
	stranger := newSession(t, s, NewUser(t, s, home, access.Viewer))

	first.Previous, first.Current, first.LastUsedAt = "current", "next", t0.Add(time.Minute)
	first.Client = session.Client{Device: "Firefox", Address: "2001:db8::1"}
	first.Revoke(session.SignedOut, t0.Add(time.Hour))
	must(t, s.Sessions().Save(ctx, first))
	find := func(wanted id.Session) (found session.Session) {
		t.Helper()
		must(t, s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) (err error) {
			var present time.Time
			found, present, err = tx.Sessions().ForUpdate(ctx, home.ID, wanted, t0)
			if !present.Equal(t0) && time.Since(present).Abs() > time.Minute {
				t.Errorf("the present is %s", present)
			}
			return err
		}))
		return found
	}
	equal(t, "after a change", find(first.ID), first)
	wantErr(t, "saving an unknown session", s.Sessions().Save(ctx, session.Session{ID: NewID[id.Session](), TenantID: home.ID, LastUsedAt: t0}), session.ErrNotFound)
	elsewhere := first
	elsewhere.TenantID = NewTenant(t, s).ID
	wantErr(t, "saving into another tenant", s.Sessions().Save(ctx, elsewhere), session.ErrNotFound)

	at := t0.Add(2 * time.Hour)
	ended, err := s.Sessions().RevokeAll(ctx, u, session.PasswordChanged, at)
	must(t, err)
	slices.Sort(ended)
	both := []id.Session{second.ID, third.ID}
	slices.Sort(both)
	equal(t, "what was ended", ended, both)
	second.Revoke(session.PasswordChanged, at)
	equal(t, "an ended one", find(second.ID), second)
	equal(t, "the one that had ended before", find(first.ID), first)
	equal(t, "another user's", find(stranger.ID), stranger)
	ended, err = s.Sessions().RevokeAll(ctx, u, session.UserDeactivated, at)
	must(t, err)
	equal(t, "again", len(ended), 0)

	makeRoom := func(now time.Time) {
		t.Helper()
		_, err := s.Sessions().MakeRoom(ctx, u, 10, session.TooMany, now)
		must(t, err)
	}
	fourth := newSession(t, s, u)
	makeRoom(at.Add(session.RevokedKept - time.Second))
	find(third.ID) // it had been revoked not long before
	makeRoom(fourth.ExpiresAt.Add(-time.Second))
	find(fourth.ID) // it had not expired by then
	wantErr(t, "a session that was revoked long ago", s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		_, _, err := tx.Sessions().ForUpdate(ctx, home.ID, third.ID, t0)
		return err
	}), session.ErrNotFound)
	makeRoom(fourth.ExpiresAt)
	wantErr(t, "an expired session", s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		_, _, err := tx.Sessions().ForUpdate(ctx, home.ID, fourth.ID, t0)
		return err
	}), session.ErrNotFound)
	equal(t, "another user's", find(stranger.ID), stranger)
}

func testSessionLimit(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	u := NewUser(t, s, home, access.Viewer)
	var opened []session.Session
	for i := range 4 {
		one := session.Session{ID: NewID[id.Session](), UserID: u.ID, TenantID: u.TenantID, Current: "current",
			CreatedAt: t0.Add(time.Duration(i) * time.Second), LastUsedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		must(t, s.Sessions().Add(ctx, one))
		opened = append(opened, one)
	}
	stranger := newSession(t, s, NewUser(t, s, home, access.Viewer))
	opened[3].Revoke(session.SignedOut, t0)
	must(t, s.Sessions().Save(ctx, opened[3]))
	for _, c := range []struct {
		room int
		want []id.Session
	}{{3, nil}, {2, []id.Session{opened[0].ID}}, {2, nil}, {0, []id.Session{opened[1].ID, opened[2].ID}}} {
		ended, err := s.Sessions().MakeRoom(ctx, u, c.room, session.TooMany, t0)
		must(t, err)
		slices.Sort(ended)
		slices.Sort(c.want)
		equal(t, fmt.Sprintf("what is ended for %d to be left", c.room), ended, c.want)
	}
	_, kept, err := s.Identities().BySession(ctx, stranger.ID)
	must(t, err)
	equal(t, "whether another user's lives", kept.Live(t0), true)
}

func testSignInAddresses(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	u, other := NewUser(t, s, home, access.Viewer), NewUser(t, s, home, access.Viewer)
	nobody, err := user.ParseEmail(uuid.NewString() + "@example.com")
	must(t, err)
	known := func(email user.Email, address string, want bool) {
		t.Helper()
		got, err := s.SignInAddresses().Known(ctx, email, address)
		must(t, err)
		equal(t, fmt.Sprintf("%s is known from %s", email, address), got, want)
	}
	known(u.Email, "192.0.2.1", false)
	for i, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::/64"} {
		must(t, s.SignInAddresses().Remember(ctx, u, address, t0.AddDate(0, 0, i), 2))
	}
	known(u.Email, "192.0.2.1", true)
	known(u.Email, "192.0.2.2", false) // for which there was no room
	known(u.Email, "2001:db8::/64", true)
	known(other.Email, "192.0.2.1", false)
	known(nobody, "192.0.2.1", false)
}

func testPasswordCosts(t *testing.T, s ports.Store) {
	hash := func(cost, salt string) user.PasswordHash {
		return user.PasswordHash("$argon2id$v=19$" + cost + "$" + strings.Repeat(salt, 22) + "$" + strings.Repeat(salt, 43))
	}
	home := NewTenant(t, s)
	for _, h := range []user.PasswordHash{hash("m=70001,t=3,p=1", "a"), hash("m=70001,t=3,p=1", "b"), hash("m=70002,t=4,p=2", "c"), "no hash"} {
		must(t, s.Identities().SetPassword(t.Context(), NewUser(t, s, home, access.Viewer), h))
	}
	costs, err := s.Identities().PasswordCosts(t.Context())
	must(t, err)
	found := map[string]int{}
	for _, h := range costs {
		found[strings.Split(string(h), "$")[3]]++
		if strings.ContainsAny(string(h[strings.LastIndex(string(h), "$"):]), "abc") {
			t.Error("a key is shown")
		}
	}
	if found["m=70001,t=3,p=1"] != 1 || found["m=70002,t=4,p=2"] != 1 {
		t.Errorf("the costs are %v", found)
	}
}

func anEvent(home tenant.Tenant, kind, who string, at time.Time) event.Event {
	return event.Event{ID: NewID[id.Event](), TenantID: home.ID, Type: kind, UserIdentifier: who, OccurredAt: at}
}

func add(t *testing.T, s ports.Store, e event.Event) event.Event {
	t.Helper()
	isNew, err := s.Events().Append(t.Context(), ScopeOf(t, e.TenantID), e)
	must(t, err)
	if !isNew {
		t.Fatal("an event with a new id was taken for an old one")
	}
	return e
}

func testEvents(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	full := anEvent(home, "view", "☃ user", t0)
	full.SessionID, full.Source, full.Value = new("s-1"), new("web"), new(-12.25)
	add(t, s, full)
	later := add(t, s, anEvent(home, "click", "u", t0.Add(time.Microsecond)))
	edge := anEvent(home, "click", "u", event.Earliest)
	edge.Value, edge.Source = new(event.MaxValue), new("")
	add(t, s, edge)

	got, err := s.Events().ByID(ctx, scope, full.ID)
	must(t, err)
	equal(t, "by id", got, full)
	_, err = s.Events().ByID(ctx, scope, NewID[id.Event]())
	wantErr(t, "an unknown id", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, scope, "", everything)
	must(t, err)
	equal(t, "newest first", list, []event.Event{later, full, edge})
	list, err = s.Events().List(ctx, scope, "click", page.Page{Skip: 1, Limit: 1})
	must(t, err)
	equal(t, "a page of a type", list, []event.Event{edge})
	list, err = s.Events().List(ctx, scope, "' OR '1'='1", everything)
	must(t, err)
	equal(t, "a type that looks like SQL", list, []event.Event{})
}

func testEventScopes(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	e := add(t, s, anEvent(home, "view", "u", t0))
	foreign := ScopeOf(t, other.ID)
	all, err := access.Operator().Authorize(access.ReadTenantData, access.EveryTenant)
	must(t, err)

	_, err = s.Events().ByID(ctx, foreign, e.ID)
	wantErr(t, "an event of another tenant", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, foreign, "", everything)
	must(t, err)
	equal(t, "the list of the other tenant", list, []event.Event{})
	_, err = s.Events().Append(ctx, foreign, e)
	wantErr(t, "an event into another tenant", err, access.ErrNoScope)
	same := e
	same.TenantID = other.ID
	add(t, s, same) // an id is a tenant's own

	for name, scope := range map[string]access.Scope{"no": {}, "every tenant's": all} {
		_, err = s.Events().ByID(ctx, scope, e.ID)
		wantErr(t, "reading with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().List(ctx, scope, "", everything)
		wantErr(t, "listing with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Totals(ctx, scope, analytics.Window{})
		wantErr(t, "totals with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Query(ctx, scope, analytics.Query{Limit: 1})
		wantErr(t, "a query with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().After(ctx, scope, event.Event{}, 1)
		wantErr(t, "going on with "+name+" scope", err, access.ErrNoScope)
	}
	_, err = s.Events().Append(ctx, access.Scope{}, e)
	wantErr(t, "appending without a scope", err, access.ErrNoScope)
}

func testAppend(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	e := anEvent(home, "view", "u", t0)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		added int
	)
	for range 8 {
		wg.Go(func() {
			isNew, err := s.Events().Append(t.Context(), scope, e)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if isNew {
				added++
			}
		})
	}
	wg.Wait()
	equal(t, "how many were new", added, 1)
	changed := e
	changed.Type = "click"
	isNew, err := s.Events().Append(t.Context(), scope, changed)
	must(t, err)
	got, err := s.Events().ByID(t.Context(), scope, e.ID)
	must(t, err)
	equal(t, "what is stored", got, e)
	equal(t, "whether the second was new", isNew, false)
}

// testAnswers holds what is answered against what another program has worked out.
func testAnswers(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	for _, r := range ReportedEvents(t) {
		add(t, s, event.Event{
			ID: NewID[id.Event](), TenantID: home.ID, Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID,
			Value: r.Value, Source: r.Source, OccurredAt: r.OccurredAt,
		})
	}
	want := ExpectedAnswers(t)
	totals, err := s.Events().Totals(t.Context(), scope, analytics.Window{Start: want.Totals.Start, End: want.Totals.End})
	must(t, err)
	var top []analytics.TypeCount
	for _, c := range want.Totals.Top {
		top = append(top, analytics.TypeCount{Type: c.Type, Count: c.Count})
	}
	equal(t, "totals", totals, analytics.Totals{Events: want.Totals.Events, UniqueUsers: want.Totals.UniqueUsers, Top: top})
	for _, c := range want.Queries {
		q := ask(t, c.Question)
		rows, err := s.Events().Query(t.Context(), scope, q)
		must(t, err)
		answered := make([]map[string]any, 0, len(rows))
		for _, row := range rows {
			one := map[string]any{q.GroupBy.String(): nil, "count": float64(row.Count), "avg_value": nil}
			if row.Key != nil {
				one[q.GroupBy.String()] = *row.Key
			}
			if row.AvgValue != nil {
				one["avg_value"] = *row.AvgValue
			}
			answered = append(answered, one)
		}
		equal(t, fmt.Sprint(c.Question), answered, c.Results)
	}
}

func testTotals(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	for i, kind := range []string{"a", "a", "a", "b", "b", "c", "d", "e", "f"} {
		add(t, s, anEvent(home, kind, fmt.Sprint("u", i%4), t0.Add(time.Duration(i)*time.Second)))
	}
	add(t, s, anEvent(home, "outside", "x", t0.Add(-time.Microsecond)))
	add(t, s, anEvent(home, "outside", "x", t0.Add(time.Hour)))
	add(t, s, anEvent(NewTenant(t, s), "a", "y", t0))
	got, err := s.Events().Totals(t.Context(), ScopeOf(t, home.ID), analytics.Window{Start: t0, End: t0.Add(time.Hour)})
	must(t, err)
	equal(t, "totals", got, analytics.Totals{Events: 9, UniqueUsers: 4, Top: []analytics.TypeCount{
		{Type: "a", Count: 3}, {Type: "b", Count: 2}, {Type: "c", Count: 1}, {Type: "d", Count: 1}, {Type: "e", Count: 1},
	}})
	empty, err := s.Events().Totals(t.Context(), ScopeOf(t, NewTenant(t, s).ID), analytics.Window{})
	must(t, err)
	equal(t, "totals of nothing", empty, analytics.Totals{Top: []analytics.TypeCount{}})
}

func testQuery(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	put := func(kind string, source *string, value *float64, at time.Time) {
		e := anEvent(home, kind, "u", at)
		e.Source, e.Value = source, value
		add(t, s, e)
	}
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	put("view", new("web"), new(1.0), t0)
	put("view", new("web"), new(2.0), midnight.Add(-time.Microsecond))
	put("view", nil, nil, midnight)
	put("click", new("app"), nil, midnight)
	put("Click", nil, new(10.0), midnight.AddDate(0, 0, 1))
	add(t, s, anEvent(NewTenant(t, s), "view", "u", t0))

	row := func(key string, count int64, average *float64) analytics.Row {
		return analytics.Row{Key: &key, Count: count, AvgValue: average}
	}
	for name, c := range map[string]struct {
		query analytics.Query
		want  []analytics.Row
	}{
		"by type": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10},
			[]analytics.Row{row("view", 3, new(1.5)), row("Click", 1, new(10.0)), row("click", 1, nil)}},
		"by source": {analytics.Query{GroupBy: analytics.BySource, Limit: 10},
			[]analytics.Row{row("web", 2, new(1.5)), {Count: 2, AvgValue: new(10.0)}, row("app", 1, nil)}},
		"by day": {analytics.Query{GroupBy: analytics.ByDay, Limit: 10},
			[]analytics.Row{row("2026-01-01", 2, new(1.5)), row("2026-01-02", 2, nil), row("2026-01-03", 1, new(10.0))}},
		"one type": {analytics.Query{GroupBy: analytics.ByDay, EventType: "view", Limit: 1},
			[]analytics.Row{row("2026-01-01", 2, new(1.5))}},
		"a window": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10, Window: analytics.Window{Start: midnight, End: midnight.AddDate(0, 0, 1)}},
			[]analytics.Row{row("click", 1, nil), row("view", 1, nil)}},
		"nothing": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10, EventType: "none"}, []analytics.Row{}},
	} {
		got, err := s.Events().Query(t.Context(), ScopeOf(t, home.ID), c.query)
		must(t, err)
		equal(t, name, got, c.want)
	}
}

func testAfter(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	const many, piece = 25, 10
	want := map[id.Event]bool{}
	for i := range many {
		e := anEvent(home, "view", "u", t0.Add(time.Duration(i/3)*time.Second)) // several at the same time
		want[e.ID] = true
		add(t, s, e)
	}
	add(t, s, anEvent(NewTenant(t, s), "view", "u", t0))
	var (
		last   event.Event
		pieces []int
	)
	for {
		list, err := s.Events().After(t.Context(), scope, last, piece)
		must(t, err)
		pieces = append(pieces, len(list))
		for _, e := range list {
			if e.OccurredAt.Before(last.OccurredAt) {
				t.Fatal("the events are not in order of time")
			}
			if !want[e.ID] {
				t.Fatalf("event %s came twice or is another tenant's", e.ID)
			}
			delete(want, e.ID)
			last = e
		}
		if len(list) == 0 {
			break
		}
	}
	equal(t, "the pieces", pieces, []int{10, 10, 5, 0})
}

func testAudit(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	entry := func(act audit.Act, at time.Time) audit.Entry {
		return audit.Entry{
			ID: NewID[id.Entry](), TenantID: home.ID, At: at, Severity: audit.Warning, Act: act,
			Actor: NewID[id.User](), Subject: "subject",
			Origin: audit.Origin{RequestID: "r", Address: "127.0.0.1", UserAgent: `curl "x"`},
			Detail: map[string]string{"from": "viewer", "to": "admin"},
		}
	}
	first, second := entry(audit.RoleChanged, t0), entry(audit.Deactivated, t0.Add(time.Second))
	second.Actor, second.Detail = "", nil
	must(t, s.Audit().Append(ctx, scope, first))
	must(t, s.Audit().Append(ctx, scope, second))
	list, err := s.Audit().List(ctx, scope, everything)
	must(t, err)
	equal(t, "newest first", list, []audit.Entry{second, first})
	list, err = s.Audit().List(ctx, ScopeOf(t, other.ID), everything)
	must(t, err)
	equal(t, "another tenant's", list, []audit.Entry{})
	wantErr(t, "an entry into another tenant", s.Audit().Append(ctx, ScopeOf(t, other.ID), first), access.ErrNoScope)
	wantErr(t, "an entry without a scope", s.Audit().Append(ctx, access.Scope{}, first), access.ErrNoScope)
	_, err = s.Audit().List(ctx, access.Scope{}, everything)
	wantErr(t, "a list without a scope", err, access.ErrNoScope)
}

func testRollback(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	u := NewUser(t, s, home, access.Viewer)
	failure := errors.New("enough")
	err := s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		changed := u
		changed.Active = false
		must(t, tx.Users().SetRole(ctx, scope, u, access.Admin))
		must(t, tx.Users().SetActive(ctx, scope, changed))
		must(t, tx.Audit().Append(ctx, scope, audit.Entry{ID: NewID[id.Entry](), TenantID: home.ID, At: t0, Act: audit.RoleChanged}))
		_, err := tx.Events().Append(ctx, scope, anEvent(home, "view", "u", t0))
		must(t, err)
		return failure
	})
	wantErr(t, "the unit of work", err, failure)
	got, err := s.Users().ByID(ctx, scope, u.ID)
	must(t, err)
	equal(t, "the user", got, profile(u))
	entries, err := s.Audit().List(ctx, scope, everything)
	must(t, err)
	equal(t, "the entries", entries, []audit.Entry{})
	events, err := s.Events().List(ctx, scope, "", everything)
	must(t, err)
	equal(t, "the events", events, []event.Event{})
}

func testPanic(t *testing.T, s ports.Store) {
	func() {
		defer func() { _ = recover() }()
		_ = s.InTx(t.Context(), func(context.Context, ports.Repositories) error { panic("a mistake") })
	}()
	NewTenant(t, s) // hangs where the transaction was left open
}

// testAdministrators lets two administrators demote each other at once: one must stay.
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
		t.Errorf("of two demotions there passed: %v and %v", errs[0], errs[1])
	}
	wantErr(t, "the demotion that failed", errors.Join(errs[:]...), user.ErrLastAdmin)
}

// testSessionRace presents one refresh token many times at once: one wins.
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
	equal(t, "how many won", won, 1)
}
