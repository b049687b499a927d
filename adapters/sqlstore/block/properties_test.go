package block_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
)

// propertyColumns returns the columns of properties in a file of events with these properties ("": none).
func propertyColumns(t *testing.T, properties []string) []string {
	t.Helper()
	rows := make([]row, len(properties))
	for i, p := range properties {
		if p != "" {
			rows[i].Properties = &p
		}
	}
	f, err := block.Encode(batchOf(rows))
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Join(f.Parts, nil)
	file, err := parquet.OpenFile(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range file.Root().Columns() {
		if strings.HasPrefix(c.Name(), "properties") {
			names = append(names, c.Name())
		}
	}
	return names
}

// repeat returns n times a text, and then as many times none as make total.
func repeat(text string, n, total int) []string {
	return append(slices.Repeat([]string{text}, n), make([]string, total-n)...)
}

func TestWhichPropertiesAreColumns(t *testing.T) {
	var many strings.Builder
	for i := range 60 {
		fmt.Fprintf(&many, `,"k%02d":%d`, i, i)
	}
	for _, test := range []struct {
		name       string
		properties []string
		want       []string
	}{
		{"none", repeat("", 1, 1), []string{"properties"}},
		{"of an empty object", repeat("{}", 1, 1), []string{"properties"}},
		{"of every 20th event", repeat(`{"a":1}`, 5, 100), []string{"properties", "properties.a"}},
		{"of fewer events", repeat(`{"a":1}`, 4, 100), []string{"properties"}},
		{"nested", repeat(`{"a":{"b":1}}`, 1, 1), []string{"properties", "properties.a"}},
		{
			"keys of all kinds", repeat(`{"":1,"a.b":2,"a\"":3,"ü":4}`, 1, 1),
			[]string{"properties", "properties.", "properties.a.b", `properties.a\"`, "properties.ü"},
		},
		{"a long key", repeat(`{"`+strings.Repeat("x", 200)+`":1}`, 1, 1), []string{"properties"}},
		{"not in canonical form", repeat(`{"b":1,"a":1}`, 1, 1), []string{"properties"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := propertyColumns(t, test.properties)
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("the most frequent", func(t *testing.T) {
		all := "{" + many.String()[1:] + "}"
		got := propertyColumns(t, []string{all, all, `{"k58":1}`, `{"k59":1}`})
		if len(got) != 51 || !slices.Contains(got, "properties.k59") || slices.Contains(got, "properties.k57") {
			t.Errorf("got %q", got)
		}
	})
}
