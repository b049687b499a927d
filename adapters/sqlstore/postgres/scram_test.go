package postgres

import (
	"errors"
	"strings"
	"testing"
)

func TestScramVerifier(t *testing.T) {
	for _, password := range []string{"hush", "with 'quotes' and \\", "\x01\x7f"} {
		one, err := scramVerifier(password)
		if err != nil {
			t.Fatal(err)
		}
		other, err := scramVerifier(password)
		if err != nil || one == other || strings.Contains(one, password) {
			t.Errorf("%q: %s, then %s, %v", password, one, other, err)
		}
	}
	for _, password := range []string{"pässword", "ｈｕｓｈ", "hu\u00adsh", "\xff"} {
		if verifier, err := scramVerifier(password); !errors.Is(err, errPasswordBeyondASCII) || strings.Contains(err.Error(), password) {
			t.Errorf("%q: %q, %v", password, verifier, err)
		}
	}
}
