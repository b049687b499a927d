// Package id provides the identifiers of the domain's entities. Each entity has its own type, so that the compiler rejects
// an id of the wrong kind. All are UUIDs in their canonical form: lower case, 36 characters (RFC 9562).
package id

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

type (
	// Tenant identifies a tenant.
	Tenant string
	// User identifies a user across all tenants.
	User string
	// Session identifies a session: one sign-in with all its refresh tokens.
	Session string
	// Event identifies an event within its tenant.
	Event string
	// Entry identifies an audit entry.
	Entry string
	// Erasure identifies a request to erase events of a tenant.
	Erasure string
	// Token identifies one issued token (the jti claim of RFC 7519 4.1.7).
	Token string
)

// Parse parses a UUID in its 36 character form, in either case, and returns it in lower case. A fault names the field.
func Parse[T ~string](field, s string) (T, error) {
	if !wellFormed(s) {
		return "", fault.ErrInvalid.OnField(field, "must be a UUID, such as 0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69")
	}
	return T(strings.ToLower(s)), nil
}

func wellFormed(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			hexadecimal := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
			if !hexadecimal {
				return false
			}
		}
	}
	return true
}

// Derive returns the id for a name within a tenant. It is deterministic, and ids of different tenants or names do not collide
// (a version 8 UUID of RFC 9562 5.8 over SHA-256).
func Derive[T ~string](tenant Tenant, name string) T {
	sum := sha256.Sum256([]byte(string(tenant) + "\x00" + name))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return T(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}
