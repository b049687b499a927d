package rest

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func TestDetail(t *testing.T) {
	busy := fault.New(fault.Unavailable, "busy", "Too many sign-ins at once.")
	for _, c := range []struct {
		name string
		f    *fault.Error
		want string
	}{
		{"a message", busy, "Too many sign-ins at once."},
		{"one field", fault.ErrInvalid.OnField("email", "is required"), "The request is not valid: email is required."},
		{"many fields", fault.ErrInvalid.OnField("b", "is required").OnField("a", "is wrong").OnField("c", "is wrong"), "The request is not valid: b is required (and 2 more)."},
		{"seconds", busy.After(42 * time.Second), "Too many sign-ins at once. Try again in 42 s."},
		{"less than a second", busy.After(time.Millisecond), "Too many sign-ins at once. Try again in 1 s."},
	} {
		if got := detail(c.f); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
