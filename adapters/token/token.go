// Package token signs the service's tokens and verifies them: JSON Web Tokens (RFC 7519) under an HMAC.
//
// It follows RFC 8725: only the configured algorithm is used, whatever a token's header says (3.1, 3.2); keys come from
// the configuration and never from a token (3.10); each kind of token has its own type (3.11); issuer and audience are
// checked (3.8, 3.9).
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
	// issuer and audience are this service, which accepts only its own tokens.
	issuer   = "secure-data-api"
	audience = "secure-data-api"

	// MaxLength is the longest token that is accepted, in bytes.
	MaxLength = 4096
	// Skew is the accepted difference between the clocks of two replicas.
	Skew = 30 * time.Second
)

// Names of the private claims (RFC 7519 4.3).
const (
	claimTenant  = "tenant_id"
	claimRole    = "role"
	claimKind    = "token_type"
	claimSession = "sid"
)

// types are the media types of the kinds of token: RFC 9068 2.1 for access tokens, refresh tokens by analogy.
var types = map[session.Kind]string{
	session.Access:  "at+jwt",
	session.Refresh: "rt+jwt",
}

// Algorithms returns the supported algorithms, each with the minimum length of its secret in bytes (RFC 7518 3.2).
func Algorithms() map[string]int {
	return map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}
}

// Signer signs tokens and verifies them with one secret.
type Signer struct {
	algorithm jwa.SignatureAlgorithm
	secret    []byte
	keyID     string
}

// NewSigner returns a signer. Errors about the secret never contain it.
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

// Sign returns a signed token with the claims.
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

// Verify returns the claims of a token if this service signed it and it is valid now. Errors: session.ErrInvalidToken.
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
		return session.Claims{}, errors.New("the payload is not a claims set")
	}
	err = jwt.Validate(t,
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })), jwt.WithAcceptableSkew(Skew),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithRequiredClaim(jwt.IssuedAtKey),
	)
	if err != nil {
		return session.Claims{}, errors.New("the claims are not valid")
	}
	c, err := claims(t)
	if err != nil {
		return session.Claims{}, err
	}
	if h != (header{Algorithm: s.algorithm.String(), KeyID: s.keyID, Type: types[c.Kind]}) {
		return session.Claims{}, errors.New("the header does not match this service and the kind of token")
	}
	return c, nil
}

// header is the protected header of a token. Other members are rejected: they would name a key, another payload or an
// extension (RFC 8725 3.10), none of which this service uses.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// readHeader parses the header of a token and accepts only the canonical encoding: base64url without padding, line breaks
// or non-zero trailing bits (RFC 7515 2, RFC 4648 3.5), and no duplicate header members.
func readHeader(token string) (header, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header{}, errors.New("the token does not have three parts")
	}
	var first []byte
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
			return header{}, errors.New("the token is not canonical base64url")
		}
		if i == 0 {
			first = raw
		}
	}
	var h header
	if err := json.Unmarshal(first, &h, json.RejectUnknownMembers(true)); err != nil {
		return header{}, errors.New("the header has unknown, duplicate or malformed members")
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
