// Package text validates short texts from users: their length, their characters and how they are compared.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Check validates s: it must not be blank unless shortest is 0, must have shortest to longest characters (not bytes), be valid
// UTF-8, and contain no control characters, such as NUL or newlines. Problems are added to c under field.
func Check(c *fault.Check, field, s string, shortest, longest int) {
	if why := problem(s, shortest, longest); why != "" {
		c.Add(field, why)
	}
}

// Valid reports whether Check finds no problem.
func Valid(s string, shortest, longest int) bool { return problem(s, shortest, longest) == "" }

func problem(s string, shortest, longest int) string {
	if !utf8.ValidString(s) {
		return "must be valid UTF-8"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "must not contain control characters"
	}
	n := utf8.RuneCountInString(s)
	switch {
	case shortest > 0 && strings.TrimSpace(s) == "":
		return "is required"
	case n < shortest || n > longest:
		return fmt.Sprintf("must have %d to %d characters", shortest, longest)
	}
	return ""
}

// LowerASCII returns s with A to Z in lower case and everything else unchanged. Unicode case folding maps other letters
// to ASCII too, such as the Kelvin sign and the dotted capital I, and so could turn one address or slug into another.
func LowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}
