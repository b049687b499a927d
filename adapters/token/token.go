// Package token signs the service's tokens and verifies them: JSON Web Tokens (RFC 7519) under an HMAC.
//
// It follows RFC 8725: the one configured algorithm is used and no other, whatever a token's header says (3.1, 3.2);
// the keys come from the configuration and never from a token (3.10); each kind of token has a type of its own
// (3.11); issuer and audience are checked (3.8, 3.9).
package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

const (
	// issuer and audience are this service, which reads nobody's tokens but its own.
	issuer   = "secure-data-api"
	audience = "secure-data-api"

	// MaxLength is the longest token that is looked at, in bytes.
	MaxLength = 4096
	// Skew is how far the clocks of two machines of the service may be apart.
	Skew = 30 * time.Second
)

// Names of the claims that RFC 7519 does not have.
const (
	claimTenant  = "tenant_id"
	claimRole    = "role"
	claimKind    = "token_type"
	claimSession = "sid"
)

// types are the media types of the kinds of token: RFC 9068 2.1 for the first, in its manner for the second.
var types = map[session.Kind]string{
	session.Access:  "at+jwt",
	session.Refresh: "rt+jwt",
}

// Algorithms are the names of the algorithms that a Signer can have, each with the shortest secret for it in
// bytes (RFC 7518 3.2).
func Algorithms() map[string]int {
	return map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}
}

// Signer signs tokens and verifies them with one secret.
type Signer struct {
	algorithm jwa.SignatureAlgorithm
	secret    []byte
	keyID     string
}

// NewSigner returns a signer. An error says what is wrong with the algorithm or the secret, and never shows it.
func NewSigner(algorithm string, secret []byte) (*Signer, error) {
	shortest, known := Algorithms()[algorithm]
	if !known {
		return nil, errors.New("the algorithm must be HS256, HS384 or HS512")
	}
	if len(secret) < shortest {
		return nil, fmt.Errorf("a secret for %s must have at least %d bytes", algorithm, shortest)
	}
	thumb := hmac.New(sha256.New, secret)
	thumb.Write([]byte("secure-data-api key id"))
	return &Signer{
		algorithm: jwa.SignatureAlgorithm(algorithm),
		secret:    bytes.Clone(secret),
		keyID:     hex.EncodeToString(thumb.Sum(nil)[:8]),
	}, nil
}

// Sign returns the token that says the claims.
func (s *Signer) Sign(c session.Claims) (string, error) {
	t, err := jwt.NewBuilder().
		Issuer(issuer).Audience([]string{audience}).
		Subject(string(c.User)).JwtID(string(c.Token)).
		IssuedAt(c.IssuedAt).NotBefore(c.IssuedAt).Expiration(c.ExpiresAt).
		Claim(claimTenant, string(c.Tenant)).
		Claim(claimRole, c.Role.String()).
		Claim(claimSession, string(c.Session)).
		Claim(claimKind, string(c.Kind)).
		Build()
	if err != nil {
		return "", fmt.Errorf("building a token: %w", err)
	}
	protected := jws.NewHeaders()
	for name, value := range map[string]string{jws.KeyIDKey: s.keyID, jws.TypeKey: types[c.Kind]} {
		if err := protected.Set(name, value); err != nil {
			return "", fmt.Errorf("setting the header %s of a token: %w", name, err)
		}
	}
	signed, err := jwt.Sign(t, jwt.WithKey(s.algorithm, s.secret, jws.WithProtectedHeaders(protected)))
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return string(signed), nil
}

// Verify returns what a token says if this service signed it and it is in force. Errors: session.ErrInvalidToken.
func (s *Signer) Verify(token string, now time.Time) (session.Claims, error) {
	c, err := s.verify(token, now)
	if err != nil {
		return session.Claims{}, session.ErrInvalidToken.Because(err)
	}
	return c, nil
}

func (s *Signer) verify(token string, now time.Time) (session.Claims, error) {
	if len(token) > MaxLength {
		return session.Claims{}, errors.New("the token is too long")
	}
	h, err := readHeader(token)
	if err != nil {
		return session.Claims{}, err
	}
	payload, err := jws.Verify([]byte(token), jws.WithKey(s.algorithm, s.secret), jws.WithCompact())
	if err != nil {
		return session.Claims{}, errors.New("the signature does not verify")
	}
	t, err := jwt.ParseInsecure(payload)
	if err != nil {
		return session.Claims{}, errors.New("the payload is no claims set")
	}
	err = jwt.Validate(t,
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })), jwt.WithAcceptableSkew(Skew),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithRequiredClaim(jwt.IssuedAtKey),
	)
	if err != nil {
		return session.Claims{}, errors.New("the claims are not in force")
	}
	c, err := claims(t)
	if err != nil {
		return session.Claims{}, err
	}
	if h != (header{Algorithm: s.algorithm.String(), KeyID: s.keyID, Type: types[c.Kind]}) {
		return session.Claims{}, errors.New("the header is not that of this service and the kind of token")
	}
	return c, nil
}

// header is the protected header of a token. It has no other members: whatever else a header may hold names a key,
// another payload or an extension (RFC 8725 3.10), and this service writes none.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// readHeader reads the header of a token, and refuses each spelling of a token but one: base64url without padding,
// line breaks and bits to spare (RFC 7515 2, RFC 4648 3.5), and no member of the header twice.
func readHeader(token string) (header, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header{}, errors.New("the token has not three parts")
	}
	var first []byte
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
			return header{}, errors.New("the token is no canonical base64url")
		}
		if i == 0 {
			first = raw
		}
	}
	var h header
	if err := json.Unmarshal(first, &h, json.RejectUnknownMembers(true)); err != nil {
		return header{}, errors.New("the header has other members than it should")
	}
	return h, nil
}

func claims(t jwt.Token) (session.Claims, error) {
	text := func(name string) string {
		v, _ := t.Get(name)
		s, _ := v.(string)
		return s
	}
	role, err := access.ParseRole(text(claimRole))
	if err != nil {
		return session.Claims{}, err
	}
	c := session.Claims{
		Kind:      session.Kind(text(claimKind)),
		Token:     id.Token(t.JwtID()),
		Session:   id.Session(text(claimSession)),
		User:      id.User(t.Subject()),
		Tenant:    id.Tenant(text(claimTenant)),
		Role:      role,
		IssuedAt:  t.IssuedAt(),
		ExpiresAt: t.Expiration(),
	}
	if types[c.Kind] == "" || c.Token == "" || c.Session == "" || c.User == "" || c.Tenant == "" {
		return session.Claims{}, errors.New("a claim is missing")
	}
	return c, nil
}
