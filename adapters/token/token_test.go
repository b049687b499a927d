package token_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/token"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	now    = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

func signer(t testing.TB, algorithm string, secret []byte) *token.Signer {
	t.Helper()
	s, err := token.NewSigner(algorithm, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSigner(t *testing.T) {
	for algorithm := range token.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			porttest.Tokens(t, signer(t, algorithm, secret), signer(t, algorithm, bytes.ToUpper(secret)))
		})
	}
}

func TestNewSigner(t *testing.T) {
	for algorithm, shortest := range token.Algorithms() {
		_, err := token.NewSigner(algorithm, secret[:shortest-1])
		if err == nil || strings.Contains(err.Error(), string(secret[:8])) {
			t.Errorf("%s with a short secret: %v", algorithm, err)
		}
	}
	for _, algorithm := range []string{"", "none", "RS256", "hs256"} {
		if _, err := token.NewSigner(algorithm, secret); err == nil {
			t.Errorf("the algorithm %q was taken", algorithm)
		}
	}
}

// TestVerify_refuses_what_it_would_not_have_signed signs with the right key what this service never writes
// (RFC 8725 3.8 to 3.11).
func TestVerify_refuses_what_it_would_not_have_signed(t *testing.T) {
	s := signer(t, "HS256", secret)
	own, err := s.Sign(session.Claims{
		Kind: session.Access, Token: "j", Session: "s", User: "u", Tenant: "t", Role: access.Viewer,
		IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	message, err := jws.Parse([]byte(own))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		header map[string]any
		claims map[string]any
		ok     bool
	}{
		{"nothing changed", nil, nil, true},
		{"issuer", nil, map[string]any{"iss": "another"}, false},
		{"audience", nil, map[string]any{"aud": "another"}, false},
		{"no expiry", nil, map[string]any{"exp": nil}, false},
		{"no time of issue", nil, map[string]any{"iat": nil}, false},
		{"issued in the future", nil, map[string]any{"iat": now.Add(time.Hour)}, false},
		{"no subject", nil, map[string]any{"sub": nil}, false},
		{"no session", nil, map[string]any{"sid": nil}, false},
		{"no tenant", nil, map[string]any{"tenant_id": nil}, false},
		{"no id", nil, map[string]any{"jti": nil}, false},
		{"tenant of another type", nil, map[string]any{"tenant_id": 7}, false},
		{"unknown role", nil, map[string]any{"role": "root"}, false},
		{"unknown kind", nil, map[string]any{"token_type": "id"}, false},
		{"the other kind", nil, map[string]any{"token_type": "refresh"}, false},
		{"the other type", map[string]any{"typ": "rt+jwt"}, nil, false},
		{"no type", map[string]any{"typ": ""}, nil, false},
		{"another key id", map[string]any{"kid": "k"}, nil, false},
		{"key URL", map[string]any{"jku": "https://evil.example"}, nil, false},
		{"certificate URL", map[string]any{"x5u": "https://evil.example"}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims, err := jwt.ParseInsecure([]byte(own))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.claims {
				if v == nil {
					err = claims.Remove(k)
				} else {
					err = claims.Set(k, v)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			header := message.Signatures()[0].ProtectedHeaders()
			copied := jws.NewHeaders()
			for _, k := range []string{"kid", "typ"} {
				v, _ := header.Get(k)
				if err := copied.Set(k, v); err != nil {
					t.Fatal(err)
				}
			}
			for k, v := range c.header {
				if err := copied.Set(k, v); err != nil {
					t.Fatal(err)
				}
			}
			forged, err := jwt.Sign(claims, jwt.WithKey(jwa.HS256, secret, jws.WithProtectedHeaders(copied)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(string(forged), now); (err == nil) != c.ok {
				t.Errorf("verified with %v, want accepted %t", err, c.ok)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	s := signer(f, "HS256", secret)
	good, err := s.Sign(session.Claims{
		Kind: session.Access, Token: "j", Session: "s", User: "u", Tenant: "t", Role: access.Viewer,
		IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		claims, err := s.Verify(raw, now)
		if err == nil && raw != good && claims.User != "u" {
			t.Errorf("%q was accepted", raw)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := signer(b, "HS256", secret)
	good, err := s.Sign(session.Claims{
		Kind: session.Access, Token: "j", Session: "s", User: "u", Tenant: "t", Role: access.Viewer,
		IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(good, now); err != nil {
			b.Fatal(err)
		}
	}
}
