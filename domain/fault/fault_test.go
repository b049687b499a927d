package fault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func TestCheck(t *testing.T) {
	lost := errors.New("lost")
	invalid := func(fields ...string) error {
		var c fault.Check
		for _, f := range fields {
			c.Add(f, "is wrong")
		}
		return c.Err()
	}
	for _, c := range []struct {
		name   string
		note   func(*fault.Check)
		err    error // nil: none, where no field is to blame
		fields []string
	}{
		{"nothing", func(c *fault.Check) { c.Take(nil) }, nil, nil},
		{"fields", func(c *fault.Check) { c.Add("a", "is wrong"); c.Take(invalid("a", "b")) }, fault.ErrInvalid, []string{"a", "a", "b"}},
		{"only others", func(c *fault.Check) { c.Add("a", "is wrong"); c.TakeOthers(invalid("a", "b", "b")) }, fault.ErrInvalid, []string{"a", "b", "b"}},
		{"an error that blames no field", func(c *fault.Check) { c.Take(fault.ErrInvalid) }, fault.ErrInvalid, nil},
		{"another error is never lost", func(c *fault.Check) { c.Take(lost); c.Add("a", "is wrong"); c.TakeOthers(invalid("b")) }, lost, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var check fault.Check
			c.note(&check)
			err := check.Err()
			if !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			var f *fault.Error
			var fields []string
			if errors.As(err, &f) {
				for _, one := range f.Fields {
					fields = append(fields, one.Name)
				}
			}
			if !slices.Equal(fields, c.fields) {
				t.Errorf("%v are blamed, want %v", fields, c.fields)
			}
		})
	}
}
