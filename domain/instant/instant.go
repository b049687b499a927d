// Package instant parses points in time that users write.
package instant

import (
	"errors"
	"strings"
	"time"
)

// Errors of this package, worded as what a field must be.
var (
	ErrNoTime     = errors.New("must be a time such as 2026-01-31T12:00:00Z")
	ErrLeapSecond = errors.New("must not be a leap second; use a time such as 2026-01-31T23:59:59Z")
)

// Parse parses a time strictly by RFC 3339 5.6, which allows t and z in lower case. It rejects leap seconds, which RFC 3339
// allows but time.Time can't represent. Digits beyond nanoseconds are dropped. Errors: ErrNoTime, ErrLeapSecond.
func Parse(s string) (time.Time, error) {
	const hour, second, rest = len("2026-01-31T"), len("2026-01-31T12:00:"), len("2026-01-31T12:00:00")
	s = strings.ToUpper(s)
	if len(s) > rest && s[second:rest] == "60" {
		if _, err := Parse(s[:second] + "59" + s[rest:]); err == nil {
			return time.Time{}, ErrLeapSecond
		}
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || s[hour+1] == ':' || s[rest] == ',' || !isOffset(s) {
		return time.Time{}, ErrNoTime // time.Parse accepts more than RFC 3339 allows: go.dev/issue/54580
	}
	return at, nil
}

// isOffset reports whether the offset at the end of s is at most 23 hours and 59 minutes.
func isOffset(s string) bool {
	if strings.HasSuffix(s, "Z") {
		return true
	}
	offset := s[len(s)-len("01:00"):]
	return offset[:2] < "24" && offset[3:] < "60"
}
