package porttest

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Tokens tests a signer of tokens; other is one with another key.
func Tokens(t *testing.T, own, other ports.Tokens) {
	issued := t0.Truncate(time.Second)
	claims := session.Claims{
		Kind: session.Access, Token: NewID[id.Token](), Session: NewID[id.Session](), User: NewID[id.User](), Tenant: NewID[id.Tenant](),
		Role: access.Analyst, IssuedAt: issued, ExpiresAt: issued.Add(15 * time.Minute),
	}
	signed, err := own.Sign(claims)
	must(t, err)

	for _, kind := range []session.Kind{session.Access, session.Refresh} {
		t.Run(string(kind)+" round trip", func(t *testing.T) {
			c := claims
			c.Kind = kind
			token, err := own.Sign(c)
			must(t, err)
			got, err := own.Verify(token, issued)
			must(t, err)
			equal(t, "claims", got, c)
		})
	}
	for _, c := range []struct {
		name string
		at   time.Time
		ok   bool
	}{
		{"at expiry", claims.ExpiresAt, true}, // within the clock skew
		{"after expiry and the skew", claims.ExpiresAt.Add(31 * time.Second), false},
		{"long after expiry", claims.ExpiresAt.AddDate(1, 0, 0), false},
		{"before issue, within the skew", issued.Add(-29 * time.Second), true},
		{"before issue", issued.Add(-31 * time.Second), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := own.Verify(signed, c.at)
			if c.ok {
				must(t, err)
			} else {
				wantErr(t, "verifying", err, session.ErrInvalidToken)
			}
		})
	}
	parts := strings.Split(signed, ".")
	encode := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"empty":                   "",
		"not a token":             "abc",
		"two parts":               parts[0] + "." + parts[1],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another signature":       parts[0] + "." + parts[1] + "." + encode([]byte("0123456789abcdef0123456789abcdef")),
		"another payload":         parts[0] + "." + encode([]byte(`{"role":"super_admin"}`)) + "." + parts[2],
		"algorithm none":          encode([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + ".",
		"algorithm none, signed":  encode([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2],
		"another algorithm":       encode([]byte(`{"alg":"HS512","typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2],
		"an embedded key":         encode([]byte(`{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`)) + "." + parts[1] + "." + parts[2],
		"a key URL":               encode([]byte(`{"alg":"HS256","jku":"https://evil.example/keys"}`)) + "." + parts[1] + "." + parts[2],
		"JSON instead of compact": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"spaces":                  " " + signed,
		"too long":                signed + strings.Repeat("A", 10_000),
		"not base64":              "!!!." + parts[1] + "." + parts[2],
		"NUL":                     signed + "\x00",
		"encrypted":               parts[0] + ".." + parts[1] + "." + parts[1] + "." + parts[2],
		"truncated":               signed[:len(signed)-2],
		"padding":                 padded(parts[0]) + "." + padded(parts[1]) + "." + padded(parts[2]),
		"superfluous padding":     signed + "=",
		"a line break":            parts[0] + "." + parts[1] + "." + parts[2][:8] + "\n" + parts[2][8:],
		"CRLF":                    parts[0] + "." + parts[1][:8] + "\r\n" + parts[1][8:] + "." + parts[2],
		"a line break at the end": signed + "\n",
		"non-zero padding bits":   parts[0] + "." + parts[1] + "." + flipPaddingBit(parts[2]),
		"the other alphabet":      parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2][:len(parts[2])-1]) + "+",
		"a fourth part":           signed + ".",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := own.Verify(token, issued)
			wantErr(t, "verifying", err, session.ErrInvalidToken)
		})
	}
	t.Run("refuses a token of another key", func(t *testing.T) {
		forged, err := other.Sign(claims)
		must(t, err)
		_, err = own.Verify(forged, issued)
		wantErr(t, "verifying", err, session.ErrInvalidToken)
	})
}

// padded returns base64 with the padding that JWS leaves out (RFC 7515 2).
func padded(part string) string {
	return part + strings.Repeat("=", (4-len(part)%4)%4)
}

// flipPaddingBit returns base64url with its last bit flipped, which a lenient decoder ignores if it is a padding bit
// (RFC 4648 3.5).
func flipPaddingBit(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(part) - 1
	return part[:last] + string(alphabet[strings.IndexByte(alphabet, part[last])^1])
}

// PasswordHasher tests a hasher; stronger is one with a higher cost.
func PasswordHasher(t *testing.T, h, stronger ports.PasswordHasher) {
	ctx := t.Context()
	password := "пароль with spaces and \x00"
	hash, err := h.Hash(ctx, password)
	must(t, err)
	again, err := h.Hash(ctx, password)
	must(t, err)
	if hash == again {
		t.Error("two hashes of a password are the same")
	}
	for _, c := range []struct {
		name                string
		by                  ports.PasswordHasher
		password            string
		wantMatch, outdated bool
	}{
		{"the password", h, password, true, false},
		{"another", h, password + " ", false, false},
		{"none", h, "", false, false},
		{"the password, at a higher cost", stronger, password, true, true},
		{"another, at a higher cost", stronger, "x", false, false},
	} {
		match, outdated, err := c.by.Verify(ctx, c.password, hash)
		must(t, err)
		if match != c.wantMatch || outdated != c.outdated {
			t.Errorf("%s: match %t, outdated %t", c.name, match, outdated)
		}
	}
	must(t, h.VerifyDummy(ctx, password))
	if _, _, err := h.Verify(ctx, password, "no hash"); err == nil {
		t.Error("an invalid hash was accepted")
	}
}
