// Package text provides the one rule for short texts that users give: how long, and of what.
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
