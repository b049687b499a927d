package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

func policy(p tenant.JoinPolicy, founder access.Role) func(*apptest.Setup) {
	return with(func(s *auth.Settings) { s.Join, s.FounderRole = p, founder })
}

// wantTenants fails the test where there are other tenants.
func wantTenants(t *testing.T, a *apptest.App, slugs ...string) {
	t.Helper()
	list, err := a.Tenants.List(t.Context(), access.Operator())
	apptest.Must(t, err)
	var got []string
	for _, one := range list {
		got = append(got, one.Slug.String())
	}
	if strings.Join(got, " ") != strings.Join(slugs, " ") {
		t.Errorf("the tenants are %q, want %q", got, slugs)
	}
}

func TestRegister(t *testing.T) {
	for _, c := range []struct {
		name        string
		policy      tenant.JoinPolicy
		founder     access.Role
		found, join error // what comes of making a tenant and of joining one
	}{
		{"open, with founders as viewers", tenant.Open, access.Viewer, nil, nil},
		{"open, with founders as admins", tenant.Open, access.Admin, nil, nil},
		{"by invitation", tenant.Invite, access.Admin, nil, tenant.ErrInvitationRequired},
		{"closed", tenant.Closed, access.Admin, tenant.ErrRegistrationClosed, tenant.ErrRegistrationClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := apptest.New(t, policy(c.policy, c.founder))
			a.NewUser(t, "globex", access.Admin)
			for _, attempt := range []struct {
				slug string
				role access.Role
				want error
			}{{"acme", c.founder, c.found}, {"globex", access.Viewer, c.join}} {
				u, pair, err := a.Auth.Register(t.Context(), apptest.NewAccount(attempt.slug))
				apptest.WantErr(t, err, attempt.want)
				if attempt.want != nil {
					continue
				}
				if caller := a.Caller(t, pair.Access); caller.User.ID != u.ID || u.Role != attempt.role || caller.User.Role != attempt.role {
					t.Errorf("%s: registered %+v, and it signs in as %+v", attempt.slug, u, caller.User)
				}
				if trail := a.Trail(t, u.TenantID, audit.UserCreated); trail[0].Subject != string(u.ID) || trail[0].Actor != u.ID {
					t.Errorf("%s: recorded: %+v", attempt.slug, trail)
				}
			}
			if c.found != nil {
				wantTenants(t, a, "globex")
			}
		})
	}
	t.Run("a tenant that nobody is in is nobody's to take", func(t *testing.T) {
		a := apptest.New(t, policy(tenant.Invite, access.Admin))
		slug, err := tenant.ParseSlug("acme")
		apptest.Must(t, err)
		_, err = a.Tenants.Create(t.Context(), access.Operator(), slug)
		apptest.Must(t, err)
		_, _, err = a.Auth.Register(t.Context(), apptest.NewAccount("acme"))
		apptest.WantErr(t, err, tenant.ErrInvitationRequired)
	})
	// Else somebody who has an account could ask with it which tenants exist.
	for name, c := range map[string]struct {
		policy tenant.JoinPolicy
		want   error
	}{
		"a taken address is told before the tenant": {tenant.Invite, user.ErrEmailTaken},
		"so it is where everybody may join":         {tenant.Open, user.ErrEmailTaken},
		"a closed service tells neither":            {tenant.Closed, tenant.ErrRegistrationClosed},
	} {
		t.Run(name, func(t *testing.T) {
			a := apptest.New(t, policy(c.policy, access.Admin))
			taken := a.NewUser(t, "acme", access.Viewer)
			a.NewUser(t, "globex", access.Viewer)
			for _, slug := range []string{"globex", "absent"} {
				account := apptest.NewAccount(slug)
				account.Email = strings.ToUpper(taken.Email.String())
				if _, _, err := a.Auth.Register(t.Context(), account); err != c.want {
					t.Errorf("%s: %v, want no more than %v", slug, err, c.want)
				}
			}
			wantTenants(t, a, "acme", "globex")
		})
	}
	t.Run("who is refused costs no hash", func(t *testing.T) {
		a := apptest.New(t, policy(tenant.Invite, access.Admin))
		a.NewUser(t, "acme", access.Viewer)
		a.Hasher.Meanwhile(func() error { t.Error("a password was hashed"); return nil })
		_, _, err := a.Auth.Register(t.Context(), apptest.NewAccount("acme"))
		apptest.WantErr(t, err, tenant.ErrInvitationRequired)
	})
	t.Run("all that is wrong is told at once", func(t *testing.T) {
		_, _, err := apptest.New(t).Auth.Register(t.Context(), user.Account{Email: "a", FullName: "x", Tenant: "-"})
		wantFields(t, err, "email", "tenant_slug", "full_name", "password")
	})
	t.Run("a password made of what is known of the user is refused", func(t *testing.T) {
		account := apptest.NewAccount("acme-industries")
		account.Password = "acme-industries1"
		_, _, err := apptest.New(t).Auth.Register(t.Context(), account)
		wantFields(t, err, "password")
	})
}

// TestRegister_at_once: somebody makes the tenant, or takes the address, while a password is being hashed.
func TestRegister_at_once(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy tenant.JoinPolicy
		want   error
	}{
		{"the second user joins", tenant.Open, nil},
		{"the second user needs an invitation", tenant.Invite, tenant.ErrInvitationRequired},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := apptest.New(t, policy(c.policy, access.Admin))
			var first user.User
			a.Hasher.Meanwhile(func() (err error) {
				first, _, err = a.Auth.Register(t.Context(), apptest.NewAccount("acme"))
				return err
			})
			second, _, err := a.Auth.Register(t.Context(), apptest.NewAccount("acme"))
			apptest.WantErr(t, err, c.want)
			if c.want == nil && (second.TenantID != first.TenantID || first.Role != access.Admin || second.Role != access.Viewer) {
				t.Errorf("first came %+v, then %+v", first, second)
			}
			wantTenants(t, a, "acme")
		})
	}
	t.Run("a slug taken before the commit is decided on again", func(t *testing.T) {
		lost := false
		a := apptest.New(t, func(s *apptest.Setup) {
			s.Store = func(db ports.Store) ports.Store { return &losesSlug{Store: db, lost: &lost} }
		})
		first := a.NewUser(t, "acme", access.Admin)
		lost = true
		second, _, err := a.Auth.Register(t.Context(), apptest.NewAccount("acme"))
		apptest.Must(t, err)
		if second.TenantID != first.TenantID || lost {
			t.Errorf("joined %s, want %s", second.TenantID, first.TenantID)
		}
	})
	t.Run("an address that was taken meanwhile leaves nothing behind", func(t *testing.T) {
		a := apptest.New(t)
		account := apptest.NewAccount("acme")
		a.Hasher.Meanwhile(func() error {
			other := account
			other.Tenant = "globex"
			_, _, err := a.Auth.Register(t.Context(), other)
			return err
		})
		_, _, err := a.Auth.Register(t.Context(), account)
		apptest.WantErr(t, err, user.ErrEmailTaken)
		wantTenants(t, a, "globex")
	})
}

// losesSlug is a store in which somebody else commits the tenant first, once, as it happens where units of work run beside
// each other.
type losesSlug struct {
	ports.Store
	lost *bool
}

func (s *losesSlug) InTx(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	if *s.lost {
		*s.lost = false
		return tenant.ErrSlugTaken
	}
	return s.Store.InTx(ctx, fn)
}
