package tenant_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

func TestParseSlug(t *testing.T) {
	for _, c := range []struct {
		name, in, want string // want is empty where the slug is refused
	}{
		{"plain", "acme", "acme"},
		{"capitals", "ACME", "acme"},
		{"hyphen and digits", "acme-2", "acme-2"},
		{"longest", strings.Repeat("a", 63), strings.Repeat("a", 63)},
		{"too long", strings.Repeat("a", 64), ""},
		{"too short", "a", ""},
		{"empty", "", ""},
		{"dots", "acme.com", ""},
		{"path", "../acme", ""},
		{"space", "acme inc", ""},
		{"leading hyphen", "-acme", ""},
		{"trailing hyphen", "acme-", ""},
		{"NUL", "acme\x00", ""},
		{"look-alike letter", "аcme", ""},
		{"Kelvin sign", "\u212aelvin", ""},
		{"dotted capital I", "İnitech", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tenant.ParseSlug(c.in)
			if got.String() != c.want {
				t.Errorf("ParseSlug(%q) = %q, want %q", c.in, got, c.want)
			}
			if (err != nil) != (c.want == "") || err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("ParseSlug(%q): %v", c.in, err)
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	for _, c := range []struct {
		policy tenant.JoinPolicy
		exists bool
		want   error
	}{
		{tenant.Open, false, nil},
		{tenant.Open, true, nil},
		{tenant.Invite, false, nil},
		{tenant.Invite, true, tenant.ErrInvitationRequired},
		{tenant.Closed, false, tenant.ErrRegistrationClosed},
		{tenant.Closed, true, tenant.ErrRegistrationClosed},
		{tenant.JoinPolicy{}, false, tenant.ErrRegistrationClosed},
	} {
		if err := c.policy.Admit(c.exists); !errors.Is(err, c.want) {
			t.Errorf("%s.Admit(exists %t) = %v, want %v", c.policy, c.exists, err, c.want)
		}
	}
}

func TestParseJoinPolicy(t *testing.T) {
	for _, name := range []string{"open", "invite", "closed"} {
		if p, err := tenant.ParseJoinPolicy(name); err != nil || p.String() != name {
			t.Errorf("ParseJoinPolicy(%q) = %s, %v", name, p, err)
		}
	}
	if _, err := tenant.ParseJoinPolicy("Open "); err == nil {
		t.Error("an unknown policy was read")
	}
}

func FuzzParseSlug(f *testing.F) {
	for _, s := range []string{"acme", "ACME-2", "a.b", "", "-", "\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		slug, err := tenant.ParseSlug(s)
		if err != nil {
			return
		}
		again, err := tenant.ParseSlug(slug.String())
		if err != nil || again != slug {
			t.Errorf("%q was read as %q, which is read as %q, %v", s, slug, again, err)
		}
	})
}

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		days int
		want string // empty: refused
	}{
		{-1, ""}, {0, ""}, {1, "1 day"}, {90, "90 days"}, {tenant.MaxRetention, "3650 days"}, {tenant.MaxRetention + 1, ""},
	} {
		got, err := tenant.NewRetention(c.days)
		if (err == nil) != (c.want != "") || err == nil && (got.String() != c.want || got.Days() != c.days) {
			t.Errorf("%d days: %s, %v", c.days, got, err)
		}
	}
	if forEver := (tenant.Retention{}); forEver.String() != "for ever" || forEver.Days() != 0 {
		t.Errorf("the zero retention is %s", forEver)
	}
}
