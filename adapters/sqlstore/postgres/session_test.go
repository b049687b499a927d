package postgres

import (
	"os"
	"strings"
	"testing"
)

// TestREADME_on_PgBouncer: README lists all startup parameters, which a pooler does not pass on.
func TestREADME_on_PgBouncer(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range (Options{}).session() {
		names = append(names, s.name)
	}
	if line := "\nignore_startup_parameters = " + strings.Join(names, ",") + "\n"; !strings.Contains(string(readme), line) {
		t.Errorf("README has no line %q", line)
	}
}
