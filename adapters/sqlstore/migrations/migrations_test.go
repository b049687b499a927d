package migrations

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestNewest: each database has a file for each version, up to the newest, but the one that is code.
func TestNewest(t *testing.T) {
	for _, folder := range []string{"postgres", "sqlite"} {
		names, err := fs.Glob(files, folder+"/*.sql")
		if err != nil || len(names) != Newest-1 {
			t.Errorf("%s has %d files, want %d: %v", folder, len(names), Newest-1, err)
		}
		want := 0
		for _, name := range names { // in order
			if want++; want == EventsCarried {
				want++
			}
			number, _, _ := strings.Cut(path.Base(name), "_")
			if n, err := strconv.Atoi(number); err != nil || n != want {
				t.Errorf("%s is not version %d", name, want)
			}
		}
	}
}

// TestMigrations_are_not_blind: row level security is forced on the owner, who migrates, too. A step that reads or changes
// the rows of a tenant's table must take the force off before, and put it back, or it sees none and says nothing. The bodies of
// functions are not steps: they run later.
func TestMigrations_are_not_blind(t *testing.T) {
	names, err := fs.Glob(files, "postgres/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d migrations: %v", len(names), err)
	}
	var (
		forced = regexp.MustCompile(`(?i)ALTER TABLE (\w+) FORCE ROW LEVEL SECURITY`)
		freed  = regexp.MustCompile(`(?i)ALTER TABLE (\w+) NO FORCE ROW LEVEL SECURITY`)
		uses   = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO|USING|COPY)\s+(?:ONLY\s+)?(\w+)`)
		bodies = regexp.MustCompile(`(?s)(CREATE (?:OR REPLACE )?FUNCTION [^$]*)\$\$.*?\$\$`)
		blind  = map[string]bool{}
	)
	for _, name := range names { // in order
		content, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(content), "-- +goose Down")
		steps := bodies.ReplaceAllString(regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(up, ""), "$1")
		for statement := range strings.SplitSeq(steps, ";") {
			for _, used := range uses.FindAllStringSubmatch(statement, -1) {
				if blind[used[1]] {
					t.Errorf("%s uses the rows of %s without seeing them: %s", name, used[1], strings.TrimSpace(statement))
				}
			}
			for _, table := range freed.FindAllStringSubmatch(statement, -1) {
				delete(blind, table[1])
			}
			for _, table := range forced.FindAllStringSubmatch(statement, -1) {
				blind[table[1]] = true
			}
		}
	}
	if !blind["events"] || !blind["audit_entries"] {
		t.Errorf("in the end row level security is forced on %v alone", blind)
	}
}
