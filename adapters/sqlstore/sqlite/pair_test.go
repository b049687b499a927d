package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestDataVersion: the file of identities changes with acts only, not with events and not with what checks or reads.
func TestDataVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := open(t, path)
	migrate(t, db)
	home := porttest.NewTenant(t, db)
	scope := porttest.ScopeOf(t, home.ID)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1) // the number means something within a connection only
	version := func() (n int) {
		t.Helper()
		if err := other.QueryRowContext(t.Context(), "PRAGMA data_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := version()
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	if err != nil {
		t.Fatal(err)
	}
	_, ingested := db.Events().Ingest(t.Context(), scope, porttest.NewBatch(t, home.ID))
	_, listed := db.Events().List(t.Context(), scope, analytics.Selection{}, "", page.Page{Limit: 1})
	_, summarized := db.Events().Answer(t.Context(), scope, analytics.NewSummaryQuestion(analytics.Window{}))
	_, _, expired := db.Events().Expire(t.Context(), work, time.Now(), 100)
	if err := errors.Join(ingested, listed, summarized, expired, db.Ping(t.Context())); err != nil {
		t.Fatal(err)
	}
	if after := version(); after != before {
		t.Errorf("events have changed the file of identities: %d, then %d", before, after)
	}
	entry := audit.Entry{ID: porttest.NewID[id.Entry](), TenantID: home.ID, At: time.Now(), Act: audit.RoleChanged}
	if err := db.Audit().Record(t.Context(), scope, entry); err != nil {
		t.Fatal(err)
	}
	if after := version(); after == before {
		t.Error("an act has not changed the file of identities")
	}
}

// pair is a database of two files, with an event.
type pair struct{ path string }

func newPair(t *testing.T) pair {
	t.Helper()
	p := pair{filepath.Join(t.TempDir(), "data.db")}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: p.path, Queries: 1})
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db)
	home := porttest.NewTenant(t, db)
	porttest.Ingest(t, db, porttest.NewEvent(t, home.ID, event.Draft{Type: "view", UserIdentifier: "u"}, time.Now()))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// start opens the database and migrates it, as each start of the service does.
func (p pair) start(t *testing.T, newEvents bool) error {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: p.path, Queries: 1, NewEventsFile: newEvents})
	if err != nil {
		return err
	}
	runner, err := db.Migrations()
	if err == nil {
		_, err = runner.Up(t.Context())
	}
	return errors.Join(err, db.Close())
}

func (p pair) events(t *testing.T) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", eventsOf(p.path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM events").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPair: the files are used only with each other.
func TestPair(t *testing.T) {
	remove := func(t *testing.T, path string) {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.RemoveAll(path + suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change    func(t *testing.T, p pair)
		newEvents bool
		want      string // in the error; empty: none
		events    int
	}{
		"as they were":      {func(*testing.T, pair) {}, false, "", 1},
		"no file of events": {func(t *testing.T, p pair) { remove(t, eventsOf(p.path)) }, false, "migrate up --new-events-file", -1},
		"its loss accepted": {func(t *testing.T, p pair) { remove(t, eventsOf(p.path)) }, true, "", 0},
		"nothing to accept": {func(*testing.T, pair) {}, true, "", 1},
		"of another database": {func(t *testing.T, p pair) {
			remove(t, eventsOf(p.path))
			if err := os.Rename(eventsOf(newPair(t).path), eventsOf(p.path)); err != nil {
				t.Fatal(err)
			}
		}, true, "is of another database", 1},
		"no file of identities": {func(t *testing.T, p pair) { remove(t, p.path) }, false, "new or older", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			c.change(t, p)
			err := p.start(t, c.newEvents)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (!errors.Is(err, sqlite.ErrPair) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
			if c.events < 0 {
				if _, err := os.Stat(eventsOf(p.path)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the file of events: %v", err)
				}
				return
			}
			if n := p.events(t); n != c.events {
				t.Errorf("it has %d events, want %d", n, c.events)
			}
			if c.want == "" {
				if err := p.start(t, false); err != nil {
					t.Errorf("started again: %v", err)
				}
			}
		})
	}
}

// TestPair_copies: copies by VACUUM INTO, as in the README, are a pair too.
func TestPair_copies(t *testing.T) {
	p := newPair(t)
	copied := pair{filepath.Join(t.TempDir(), "data.db")}
	for from, to := range map[string]string{eventsOf(p.path): eventsOf(copied.path), p.path: copied.path} {
		db, err := sql.Open("sqlite", from)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), "VACUUM INTO ?", to)
		if err := errors.Join(err, db.Close(), os.Chmod(to, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := copied.start(t, false); err != nil {
		t.Fatal(err)
	}
	if n := copied.events(t); n != 1 {
		t.Errorf("the copy has %d events", n)
	}
}

// TestPair_at_once: processes that start at the same time on no files, or on old ones, end up with one database.
func TestPair_at_once(t *testing.T) {
	p := pair{filepath.Join(t.TempDir(), "data.db")}
	results := make(chan error)
	for range 4 {
		go func() { results <- p.start(t, false) }()
	}
	started := 0
	for range 4 {
		if err := <-results; err == nil {
			started++
		} else {
			t.Log(err) // of one that lost the race; a supervisor starts it again
		}
	}
	if started == 0 {
		t.Error("none has started")
	}
	if err := p.start(t, false); err != nil {
		t.Errorf("started again: %v", err)
	}
}
