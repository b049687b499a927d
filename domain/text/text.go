// Package text provides the rules for short texts that users give: how long, of what, and what is the same text.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Check notes under the field's name what is wrong with s: blank, shorter or longer than allowed (in characters,
// not bytes), no UTF-8, or with control characters in it, NUL and newlines among them.
func Check(c *fault.Check, field, s string, shortest, longest int) {
	if why := problem(s, shortest, longest); why != "" {
		c.Add(field, why)
	}
}

func problem(s string, shortest, longest int) string {
	if !utf8.ValidString(s) {
		return "must be valid UTF-8"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "must not hold control characters"
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

// LowerASCII returns s with A to Z in lower case and all else as it is. Unicode folds other letters into ASCII, the
// Kelvin sign and the dotted capital I among them, and with them one's address or slug into another's.
func LowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}
