package token_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
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

// TestREADME_on_clocks: it tells operators how far clocks may be apart.
func TestREADME_on_clocks(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if told := fmt.Sprintf("clocks within %.0f s of", token.Skew.Seconds()); !strings.Contains(string(readme), told) {
		t.Errorf("README does not say %q", told)
	}
}

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

// signed returns a token of the signer that is in force.
func signed(t testing.TB, s *token.Signer) string {
	t.Helper()
	own, err := s.Sign(session.Claims{
		Kind: session.Access, Token: "j", Session: "s", User: "u", Tenant: "t", Role: access.Viewer,
		IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// TestVerify_refuses_what_it_would_not_have_signed signs with the right key what this service never writes
// (RFC 8725 3.8 to 3.11).
func TestVerify_refuses_what_it_would_not_have_signed(t *testing.T) {
	s := signer(t, "HS256", secret)
	own := signed(t, s)
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

// TestVerify_header signs headers with the right key: the three members that this service writes, once each, and no
// other are taken (RFC 7515 4, 4.1.11).
func TestVerify_header(t *testing.T) {
	s := signer(t, "HS256", secret)
	own := signed(t, s)
	parts := strings.Split(own, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	members := strings.TrimSuffix(string(raw), "}")
	for _, c := range []struct {
		name, header string
		ok           bool
	}{
		{"its own", members + `}`, true},
		{"in another order, with spaces", strings.NewReplacer(`{`, `{ "typ" : "at+jwt", `, `,"typ":"at+jwt"`, ``).Replace(members) + `}`, true},
		{"no critical extension", members + `,"crit":[]}`, false},
		{"a critical extension", members + `,"crit":["exp"],"exp":1}`, false},
		{"critical null", members + `,"crit":null}`, false},
		{"plain payload", members + `,"b64":false,"crit":["b64"]}`, false},
		{"key", members + `,"jwk":{"kty":"oct","k":"AAAA"}}`, false},
		{"key URL", members + `,"jku":"https://evil.example"}`, false},
		{"certificates", members + `,"x5c":[]}`, false},
		{"thumbprint", members + `,"x5t":""}`, false},
		{"compression", members + `,"zip":"DEF"}`, false},
		{"content type", members + `,"cty":"JWT"}`, false},
		{"unknown member", members + `,"x":null}`, false},
		{"member in capitals", members + `,"KID":"k"}`, false},
		{"member twice", members + `,"alg":"HS256"}`, false},
		{"another algorithm", strings.Replace(members, "HS256", "HS512", 1) + `}`, false},
		{"no algorithm", strings.Replace(members, `"alg":"HS256",`, ``, 1) + `}`, false},
		{"type in capitals", strings.Replace(members, "at+jwt", "AT+JWT", 1) + `}`, false},
		{"no key id", `{"alg":"HS256","typ":"at+jwt"}`, false},
		{"more after it", members + `}{}`, false},
		{"null", `null`, false},
		{"an array", `[` + members + `}]`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			forged := base64.RawURLEncoding.EncodeToString([]byte(c.header)) + "." + parts[1]
			sum := hmac.New(sha256.New, secret)
			sum.Write([]byte(forged))
			forged += "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
			if _, err := s.Verify(forged, now); (err == nil) != c.ok || err != nil && !errors.Is(err, session.ErrInvalidToken) {
				t.Errorf("%s: verified with %v, want accepted %t", c.header, err, c.ok)
			}
		})
	}
	// What is signed may be padded and broken into lines as well: a token has one spelling.
	for name, header := range map[string]string{"padded": parts[0] + "==", "broken": parts[0][:4] + "\n" + parts[0][4:]} {
		forged := header + "." + parts[1]
		sum := hmac.New(sha256.New, secret)
		sum.Write([]byte(forged))
		if _, err := s.Verify(forged+"."+base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), now); !errors.Is(err, session.ErrInvalidToken) {
			t.Errorf("a header that is %s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := signer(f, "HS256", secret)
	good := signed(f, s)
	f.Add(good)
	f.Add("")
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(good + "=")
	f.Add(good + "\n")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := s.Verify(raw, now); err == nil && raw != good {
			t.Errorf("%q was accepted", raw)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := signer(b, "HS256", secret)
	good := signed(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(good, now); err != nil {
			b.Fatal(err)
		}
	}
}
