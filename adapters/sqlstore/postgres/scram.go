package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode"
)

// The defaults of Postgres for a verifier (RFC 7677 requires at least as many iterations).
const (
	scramIterations = 4096
	scramSaltBytes  = 16
)

// errPasswordBeyondASCII: a password with other characters may not work with all clients, since some normalize it (SASLprep,
// RFC 4013) and some don't.
var errPasswordBeyondASCII = errors.New("the password in DATABASE_URL must consist of ASCII characters, " +
	"since clients encode others differently")

// scramVerifier returns the SCRAM-SHA-256 verifier of a password (RFC 5802, RFC 7677) in the form that PASSWORD accepts. The
// password can't be recovered from it.
func scramVerifier(password string) (string, error) {
	for _, c := range []byte(password) {
		if c > unicode.MaxASCII {
			return "", errPasswordBeyondASCII
		}
	}
	salt := make([]byte, scramSaltBytes)
	rand.Read(salt) // never fails: crypto/rand aborts the program instead
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hashing the password of the role: %w", err)
	}
	keyed := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(keyed("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, encode(salt), encode(stored[:]), encode(keyed("Server Key"))), nil
}
