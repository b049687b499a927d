package user_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const (
	here  id.Tenant = "11111111-1111-4111-8111-111111111111"
	there id.Tenant = "22222222-2222-4222-8222-222222222222"
)

func by(role access.Role) access.Principal { return access.NewPrincipal("actor", here, role) }

func target(role access.Role) user.User {
	return user.User{ID: "target", TenantID: here, Role: role, Active: true}
}

func TestWithRole(t *testing.T) {
	self := user.User{ID: "actor", TenantID: here, Role: access.Admin, Active: true}
	inactive := target(access.Admin)
	inactive.Active = false
	elsewhere := target(access.Admin)
	elsewhere.TenantID = there

	for _, c := range []struct {
		name   string
		by     access.Principal
		target user.User
		role   access.Role
		others int
		want   error
	}{
		{"admin raises a viewer", by(access.Admin), target(access.Viewer), access.Analyst, 1, nil},
		{"admin makes an admin", by(access.Admin), target(access.Viewer), access.Admin, 1, nil},
		{"admin gives super_admin", by(access.Admin), target(access.Viewer), access.SuperAdmin, 1, user.ErrRoleAboveOwn},
		{"admin lowers an admin", by(access.Admin), target(access.Admin), access.Viewer, 1, nil},
		{"admin lowers the last admin", by(access.Admin), target(access.Admin), access.Viewer, 0, user.ErrLastAdmin},
		{"admin keeps the last admin", by(access.Admin), target(access.Admin), access.Admin, 0, nil},
		{"admin lowers itself", by(access.Admin), self, access.Viewer, 1, nil},
		{"the last admin lowers itself", by(access.Admin), self, access.Viewer, 0, user.ErrLastAdmin},
		{"an inactive admin is not the last", by(access.Admin), inactive, access.Viewer, 0, nil},
		{"admin lowers a super_admin", by(access.Admin), target(access.SuperAdmin), access.Viewer, 1, user.ErrTargetOutranks},
		{"admin lowers an admin of another tenant", by(access.Admin), elsewhere, access.Viewer, 1, user.ErrTargetOutranks},
		{"super_admin makes a super_admin", by(access.SuperAdmin), target(access.Admin), access.SuperAdmin, 0, nil},
		{"super_admin lowers a peer", by(access.SuperAdmin), target(access.SuperAdmin), access.Admin, 1, user.ErrTargetOutranks},
		{"super_admin lowers the last admin", by(access.SuperAdmin), target(access.Admin), access.Viewer, 0, user.ErrLastAdmin},
		{"operator lowers a super_admin", access.Operator(), target(access.SuperAdmin), access.Viewer, 1, nil},
		{"operator lowers the last administrator", access.Operator(), target(access.SuperAdmin), access.Viewer, 0, user.ErrLastAdmin},
		{"analyst raises a viewer", by(access.Analyst), target(access.Viewer), access.Admin, 1, user.ErrRoleAboveOwn},
		{"analyst changes a peer", by(access.Analyst), target(access.Analyst), access.Viewer, 1, user.ErrTargetOutranks},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.target.WithRole(c.by, c.role, c.others)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && got.Role != c.role {
				t.Errorf("the role is %s, want %s", got.Role, c.role)
			}
		})
	}
}

func TestDeactivated(t *testing.T) {
	self := user.User{ID: "actor", TenantID: here, Role: access.Admin, Active: true}
	for _, c := range []struct {
		name   string
		by     access.Principal
		target user.User
		others int
		want   error
	}{
		{"a viewer", by(access.Admin), target(access.Viewer), 1, nil},
		{"oneself", by(access.Admin), self, 1, user.ErrOwnAccount},
		{"a fellow admin", by(access.Admin), target(access.Admin), 1, nil},
		{"the last admin", by(access.SuperAdmin), target(access.Admin), 0, user.ErrLastAdmin},
		{"a superior", by(access.Admin), target(access.SuperAdmin), 1, user.ErrTargetOutranks},
		{"a peer of a super_admin", by(access.SuperAdmin), target(access.SuperAdmin), 1, user.ErrTargetOutranks},
		{"a super_admin by the operator", access.Operator(), target(access.SuperAdmin), 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.target.Deactivated(c.by, c.others)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && got.Active {
				t.Error("the user is still active")
			}
		})
	}
}

// TestAdministered: who may change a user's role may give access again, replace the password and end sessions.
func TestAdministered(t *testing.T) {
	elsewhere := user.User{ID: "target", TenantID: "elsewhere", Role: access.Admin}
	for _, c := range []struct {
		name   string
		by     access.Principal
		target user.User
		want   error
	}{
		{"a viewer", by(access.Admin), target(access.Viewer), nil},
		{"a fellow admin", by(access.Admin), target(access.Admin), nil},
		{"an admin of another tenant", by(access.Admin), elsewhere, user.ErrTargetOutranks},
		{"a superior", by(access.Admin), target(access.SuperAdmin), user.ErrTargetOutranks},
		{"a peer of a super_admin", by(access.SuperAdmin), target(access.SuperAdmin), user.ErrTargetOutranks},
		{"a super_admin by the operator", access.Operator(), target(access.SuperAdmin), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.target.Active = false
			got, err := c.target.Activated(c.by)
			if !errors.Is(err, c.want) || got.Active != (c.want == nil) {
				t.Errorf("activated %t, %v, want %v", got.Active, err, c.want)
			}
			if err := c.target.CheckAdministeredBy(c.by); !errors.Is(err, c.want) {
				t.Errorf("password and sessions: %v, want %v", err, c.want)
			}
		})
	}
}

func TestPasswordHashDoesNotPrint(t *testing.T) {
	u := user.User{PasswordHash: "$argon2id$secret"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "hash", u.PasswordHash)
	for _, text := range []string{fmt.Sprint(u), fmt.Sprintf("%+v", u), fmt.Sprintf("%#v", u), log.String()} {
		if strings.Contains(text, "secret") {
			t.Errorf("the hash shows in %s", text)
		}
	}
}

func TestParseEmail(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
	}{
		{"plain", "alice@acme.com", "alice@acme.com"},
		{"capitals", "Alice@ACME.com", "alice@acme.com"},
		{"spaces around", "  alice@acme.com\t", "alice@acme.com"},
		{"wide spaces around", "\u3000alice@acme.com\u00a0", ""},
		{"Kelvin sign", "ali\u212a@acme.com", ""},
		{"dotted capital I", "alİce@acme.com", ""},
		{"plus and dots", "a.b+c@acme.co.uk", "a.b+c@acme.co.uk"},
		{"longest local part", strings.Repeat("a", 64) + "@acme.com", strings.Repeat("a", 64) + "@acme.com"},
		{"local part too long", strings.Repeat("a", 65) + "@acme.com", ""},
		{"too long", "a@" + strings.Repeat("abcdefg.", 40) + "com", ""},
		{"space inside", "al ice@acme.com", ""},
		{"two signs", "alice@acme@evil.com", ""},
		{"no domain", "alice@", ""},
		{"no local part", "@acme.com", ""},
		{"no dot in the domain", "alice@localhost", ""},
		{"dots in a row", "a..b@acme.com", ""},
		{"header injection", "alice@acme.com\r\nBcc: x@y.z", ""},
		{"NUL", "alice@acme.com\x00", ""},
		{"display name", "Alice <alice@acme.com>", ""},
		{"not ASCII", "alicé@acme.com", ""},
		{"not UTF-8", "alice\xff@acme.com", ""},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := user.ParseEmail(c.in)
			if got.String() != c.want || (err == nil) != (c.want != "") {
				t.Errorf("ParseEmail(%q) = %q, %v, want %q", c.in, got, err, c.want)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"Alice": true, "علی\u200cرضا": true, "A": false, strings.Repeat("é", 150): true, strings.Repeat("é", 151): false,
		"\u200b\u200b": false, "\u202eecilA": false,
	} {
		var check fault.Check
		user.CheckName(&check, name)
		if err := check.Err(); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"alice@acme.com", " A@B.C ", "a@b", "\x00@b.c", "İ@acme.com", "\u212a@acme.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := user.ParseEmail(s)
		if err != nil {
			return
		}
		again, err := user.ParseEmail(email.String())
		ascii := !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
		if err != nil || again != email || !ascii || strings.ContainsAny(email.String(), " \x00\r\n") {
			t.Errorf("%q was read as %q, which is read as %q, %v", s, email, again, err)
		}
	})
}

func TestPasswordPolicy(t *testing.T) {
	policy, err := user.NewPasswordPolicy(8)
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"alice@acme.com", "Alice Liddell", "acme"}
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"of the walkthrough", "SecurePass1", true},
		{"passphrase", "correct horse battery staple", true},
		{"Unicode", "пароль-длинный", true},
		{"emoji count as one", "🐎🔋📎🐎🔋📎🐎🔋", true},
		{"digits alone", "8391047265", true},
		{"longest", strings.Repeat("ab c", 32), true},
		{"a name within a longer word", "alicewonderland", true},
		{"too short", "Sh0rt!x", false},
		{"too long", strings.Repeat("a", 129), false},
		{"common", "password123", false},
		{"common in capitals", "PASSWORD123", false},
		{"e-mail", "alice@acme.com", false},
		{"name and digits", "Liddell1865", false},
		{"name and tenant", "alice-acme-99", false},
		{"tenant twice", "acmeACME", false},
		{"product", "SecureDataAPI!", false},
		{"not UTF-8", "longenough\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var check fault.Check
			policy.Check(&check, "password", c.in, known...)
			if err := check.Err(); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.in, err)
			}
		})
	}
	for _, length := range []int{0, 7, 129} {
		if _, err := user.NewPasswordPolicy(length); err == nil {
			t.Errorf("a minimum of %d was accepted", length)
		}
	}
}
