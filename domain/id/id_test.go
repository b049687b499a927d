package id_test

import (
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

func TestParse(t *testing.T) {
	const canonical = "0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69"
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"canonical", canonical, true},
		{"upper case", strings.ToUpper(canonical), true},
		{"empty", "", false},
		{"braces", "{" + canonical + "}", false},
		{"no dashes", strings.ReplaceAll(canonical, "-", ""), false},
		{"not hexadecimal", "0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a6g", false},
		{"NUL", "0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a6\x00", false},
		{"SQL", "' OR 1=1 --                         ", false},
		{"dash in the wrong place", "0190a5e47-b1c-7c3e-9a54-3f1d2c4b5a69", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := id.Parse[id.User]("id", c.in)
			if c.ok && (err != nil || got != canonical) {
				t.Errorf("Parse(%q) = %q, %v", c.in, got, err)
			}
			if !c.ok && fault.KindOf(err) != fault.Invalid {
				t.Errorf("Parse(%q) = %q, %v, want an invalid request", c.in, got, err)
			}
		})
	}
}

func TestDerive(t *testing.T) {
	a := id.Derive[id.Event]("t1", "k")
	if _, err := id.Parse[id.Event]("id", string(a)); err != nil {
		t.Errorf("Derive returned %q: %v", a, err)
	}
	if a != id.Derive[id.Event]("t1", "k") {
		t.Error("the same tenant and name gave two ids")
	}
	if a == id.Derive[id.Event]("t2", "k") || a == id.Derive[id.Event]("t1", "k2") {
		t.Error("another tenant or name gave the same id")
	}
}
