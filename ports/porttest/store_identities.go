package porttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

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

// Operator tests the methods that only the operator uses, whose privileges in the database may differ from the service's.
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

// RLSMigration rolls back the migration that adds row level security to users, and applies it again: the data it moves is kept.
func RLSMigration(t *testing.T, s ports.Store, m Migrations) {
	ctx := t.Context()
	home := NewTenant(t, s)
	want := []user.User{NewUser(t, s, home, access.Viewer), NewUser(t, s, home, access.Admin), NewUser(t, s, home, access.SuperAdmin)}
	for _, u := range want {
		must(t, s.SignInAddresses().Remember(ctx, u, "192.0.2.1", t0, 1))
	}
	m.back(t, "00003_row_level_security")
	must(t, m.Up(ctx, func(int64, int64) {}))
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
	unknown, err := user.ParseEmail(uuid.NewString() + "@example.com")
	must(t, err)
	_, err = s.Identities().ByEmail(ctx, unknown)
	wantErr(t, "an unknown address", err, user.ErrNotFound)

	must(t, s.Identities().SetPassword(ctx, u, "new hash"))
	wantErr(t, "the password of an unknown user", s.Identities().SetPassword(ctx, again, "h"), user.ErrNotFound)
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

// profile is a user as its administrators see it.
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
	must(t, s.InTxAsSuperAdmin(ctx, func(ctx context.Context, tx ports.Repositories) error {
		locked, _, err := tx.Users().ForUpdate(ctx, scope, u.ID)
		must(t, err)
		return tx.Users().SetRole(ctx, scope, locked, access.SuperAdmin)
	}))
	got, err = s.Users().ByID(ctx, scope, u.ID)
	must(t, err)
	u.Role = access.SuperAdmin
	equal(t, "after super_admin was granted", got, u)
	u.ID, u.Role = NewID[id.User](), access.Viewer
	wantErr(t, "the role of an unknown user", s.Users().SetRole(ctx, scope, u, access.Viewer), user.ErrNotFound)
	wantErr(t, "the access of an unknown user", s.Users().SetActive(ctx, scope, u), user.ErrNotFound)
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
	wantErr(t, "an unknown user, with the scope of every tenant", err, user.ErrNotFound)
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
	other := newSession(t, s, NewUser(t, s, home, access.Viewer))

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
				t.Errorf("the database's time is %s", present)
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
	live := func(owner user.User, now time.Time) (ids []id.Session) {
		t.Helper()
		list, err := s.Sessions().Live(ctx, owner, now)
		must(t, err)
		for _, one := range list {
			equal(t, "a listed session", one, find(one.ID))
			ids = append(ids, one.ID)
		}
		slices.Sort(ids)
		return ids
	}
	both := []id.Session{second.ID, third.ID}
	slices.Sort(both)
	equal(t, "the live sessions", live(u, at), both)
	equal(t, "the live sessions once they have expired", len(live(u, second.ExpiresAt)), 0)
	ended, err := s.Sessions().RevokeAll(ctx, u, session.PasswordChanged, at)
	must(t, err)
	slices.Sort(ended)
	equal(t, "what was ended", ended, both)
	second.Revoke(session.PasswordChanged, at)
	equal(t, "an ended one", find(second.ID), second)
	equal(t, "the one that had ended before", find(first.ID), first)
	equal(t, "another user's", find(other.ID), other)
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
	find(third.ID) // it was revoked recently
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
	equal(t, "another user's", find(other.ID), other)
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
	newest, err := s.Sessions().Live(ctx, u, t0)
	must(t, err)
	equal(t, "the live sessions", newest, []session.Session{opened[3], opened[2], opened[1], opened[0]})
	other := newSession(t, s, NewUser(t, s, home, access.Viewer))
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
	_, kept, err := s.Identities().BySession(ctx, other.ID)
	must(t, err)
	equal(t, "whether another user's is live", kept.Live(t0), true)
}

func testSignInAddresses(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	u, other := NewUser(t, s, home, access.Viewer), NewUser(t, s, home, access.Viewer)
	unknown, err := user.ParseEmail(uuid.NewString() + "@example.com")
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
	known(u.Email, "192.0.2.2", false) // beyond the limit
	known(u.Email, "2001:db8::/64", true)
	known(other.Email, "192.0.2.1", false)
	known(unknown, "192.0.2.1", false)
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
			t.Error("a hash has its key")
		}
	}
	if found["m=70001,t=3,p=1"] != 1 || found["m=70002,t=4,p=2"] != 1 {
		t.Errorf("the costs are %v", found)
	}
}
