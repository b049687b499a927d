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

// What Postgres itself takes for the verifier of a password (RFC 7677 asks for no fewer iterations).
const (
	scramIterations = 4096
	scramSaltBytes  = 16
)

// errPasswordBeyondASCII says that a password would not be sure to work: it means something else to clients that bring it
// into a normal form (SASLprep, RFC 4013) and to those that don't.
var errPasswordBeyondASCII = errors.New("the password in DATABASE_URL must be of ASCII characters alone, " +
	"since of others one client makes other bytes than the next")

// scramVerifier returns what a server keeps to check a password by SCRAM-SHA-256 (RFC 5802, RFC 7677), in the form that
// PASSWORD takes. The password can't be read from it.
func scramVerifier(password string) (string, error) {
	for _, c := range []byte(password) {
		if c > unicode.MaxASCII {
			return "", errPasswordBeyondASCII
		}
	}
	salt := make([]byte, scramSaltBytes)
	rand.Read(salt) // never fails: it crashes the program instead
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
