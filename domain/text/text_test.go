package text_test

import (
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"plain", "Alice", true},
		{"other scripts", "张伟", true},
		{"counts characters, not bytes", strings.Repeat("é", 10), true},
		{"too long", strings.Repeat("é", 11), false},
		{"too short", "A", false},
		{"blank", "   ", false},
		{"empty", "", false},
		{"NUL", "a\x00b", false},
		{"newline", "a\nb", false},
		{"escape", "a\x1b[2Jb", false},
		{"not UTF-8", "a\xffb", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var check fault.Check
			text.Check(&check, "name", c.in, 2, 10)
			if err := check.Err(); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.in, err)
			}
		})
	}
}
