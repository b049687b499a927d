package postgres_test

import (
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
)

// TestCheckURL: a URL is accepted or refused before connecting. The error says how to write several hosts, and does not show the
// URL.
func TestCheckURL(t *testing.T) {
	for url, want := range map[string]string{ // part of the error; empty: accepted
		"postgres://u:hush@db/x":                                    "",
		"postgresql://u:hush@db:5433/x?sslmode=verify-full":         "",
		"postgres://u:hush@[::1]:5432/x":                            "",
		"postgres://u:hush@/x?host=one,other":                       "",
		"postgres://u:hush@/x?host=one,other&port=5432,5433":        "",
		"postgres://u:hush@/x?host=/var/run/postgresql":             "",
		"postgres://u:hush@/x?hostaddr=::1,192.0.2.1&port=5433":     "",
		"postgres://u:hush@one,other/x?port=5432,5433":              "",
		"postgres://u:hu%3Ash%2C@db/x?target_session_attrs=any":     "",
		"postgres://u:hush@one:5432,other:5433/x":                   "several hosts",
		"postgres://u:hush@one:5432,other/x":                        "several hosts",
		"postgres://u:hush@one,other:5433/x?sslmode=require":        "several hosts",
		"postgres://one,other:5433":                                 "several hosts",
		"postgres://u:hush@db/x?host=one,other":                     "several hosts",
		"postgres://u:hush@/x":                                      "HOST",
		"postgres://u:hush@/x?port=5432":                            "HOST",
		"mysql://u:hush@db/x":                                       "postgres://",
		"hush":                                                      "postgres://",
		"postgres://u:hush%zz@db/x":                                 "postgres://",
		"postgres://u:hush@db/x?sslmode=hush":                       "options",
		"postgres://u:hush@db/x?target_session_attrs=hush":          "options",
		"postgres://u:hush@/x?host=one,other&port=5432,5433,5434":   "options",
		"postgres://u:hush@/x?host=one,other&client_encoding=hush1": "options",
	} {
		err := postgres.CheckURL(url)
		switch {
		case want == "":
			if err != nil {
				t.Errorf("%s: %v", url, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want an error with %q", url, err, want)
		case strings.Contains(err.Error(), "hush"):
			t.Errorf("%s shows in %v", url, err)
		}
	}
}
