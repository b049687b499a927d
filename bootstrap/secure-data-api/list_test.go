package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPrintList(t *testing.T) {
	type row struct {
		name   string
		at     time.Time
		detail map[string]string
	}
	columns := []column[row]{
		{"full_name", func(r row) any { return r.name }},
		{"created_at", func(r row) any { return r.at }},
		{"detail", func(r row) any { return r.detail }},
	}
	rows := []row{
		{"Ann", time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), map[string]string{"to": "admin", "from": "viewer"}},
		{"\x1b[2Jevil\n\t", time.Time{}, nil},
	}
	for _, c := range []struct {
		name   string
		asJSON bool
		rows   []row
		want   string
	}{
		{"a table", false, rows, "FULL NAME          CREATED AT            DETAIL\n" +
			"Ann                2026-01-02T03:04:05Z  from=viewer to=admin\n" +
			`"\x1b[2Jevil\n\t"  -                     -` + "\n"},
		{"an empty table", false, nil, "FULL NAME  CREATED AT  DETAIL\n"},
		{"JSON", true, rows, `[
  {
    "created_at": "2026-01-02T03:04:05.678Z",
    "detail": {
      "from": "viewer",
      "to": "admin"
    },
    "full_name": "Ann"
  },
  {
    "created_at": null,
    "detail": null,
    "full_name": "\u001b[2Jevil\n\t"
  }
]
`},
		{"empty JSON", true, nil, "[]\n"},
	} {
		var out bytes.Buffer
		if err := printList(&out, c.asJSON, c.rows, columns...); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, out.String(), c.want)
		}
	}
}

// TestJSON: every list can be read by a program, whatever its log says, and the names of its members stay.
func TestJSON(t *testing.T) {
	c := newCommand(t).migrated(t)
	ann := c.create(t, "acme", "ann@acme.com", "admin")
	c.signIn(t, "ann@acme.com")
	c.env["LOG_LEVEL"] = "debug"
	for _, l := range []struct{ args, members string }{
		{"user list --tenant acme", "created_at email full_name id is_active role"},
		{"tenant list", "created_at id platform_retention_days retention_days slug"},
		{"session list --user " + ann, "address created_at device expires_at id last_used_at"},
		{"audit list --tenant acme", "act actor address at detail id request_id severity subject user_agent"},
		{"migrate status", "name state version"},
		{"config", "name source value"},
	} {
		out, _ := c.want(t, 0, "", append(strings.Fields(l.args), "--json")...)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) == 0 {
			t.Errorf("%s: %v: %s", l.args, err, out)
			continue
		}
		if got := strings.Join(slices.Sorted(maps.Keys(rows[0])), " "); got != l.members {
			t.Errorf("%s: the members are %s, want %s", l.args, got, l.members)
		}
	}
}
