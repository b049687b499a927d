package bench

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestLoad: each request is sent once, whole, as the caller; a response other than the expected one ends it.
func TestLoad(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer token" || r.URL.Path != prefix+"/x" || len(body) != 5000 {
			w.WriteHeader(http.StatusTeapot)
		}
		served.Add(1)
		_, _ = w.Write([]byte(strings.Repeat("done ", 1000))) // which is sent in chunks
	}))
	t.Cleanup(server.Close)
	to := target{strings.TrimPrefix(server.URL, "http://"), "token"}
	good, bad := to.request(http.MethodPost, "/x", make([]byte, 5000)), to.request(http.MethodPost, "/y", make([]byte, 5000))
	all := make([][]byte, 100)
	for i := range all {
		all[i] = good
	}
	done, took, err := load{to, 3, during(50*time.Millisecond, all), 200, nil}.run(t.Context())
	if err != nil || done == 0 || done != served.Load() || took < 50*time.Millisecond {
		t.Errorf("%d done, %d served, in %s: %v", done, served.Load(), took, err)
	}
	for _, c := range []struct {
		name   string
		next   func(int64) []byte
		status int
		body   string
		wrong  string
	}{
		{"once", once(all), 200, "done", ""},
		{"another status", once(all), 201, "", "the service answered 200"},
		{"another body", once(all), 200, "undone", "the service answered 200"},
		{"one that fails", once(append(all[:50:50], bad)), 200, "", "the service answered 418"},
	} {
		served.Store(0)
		done, took, err := load{to, 7, c.next, c.status, []byte(c.body)}.run(t.Context())
		if c.wrong == "" && (err != nil || done != 100 || served.Load() != 100 || took <= 0) {
			t.Errorf("%s: %d done, %d served, in %s: %v", c.name, done, served.Load(), took, err)
		}
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := (load{to, 3, once(all), 200, nil}).run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestSQLiteStorage: raw rows go to a table made like that of the service.
func TestSQLiteStorage(t *testing.T) {
	s := &sqliteStorage{dir: t.TempDir()}
	if err := s.prepare(t.Context()); err == nil {
		t.Error("prepared without a table of events")
	}
	events, err := sql.Open("sqlite", source(s.eventsFile()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = events.Exec(`CREATE TABLE events (tenant_id BLOB NOT NULL, id BLOB NOT NULL, occurred_at INTEGER NOT NULL, event_type TEXT NOT NULL,
user_identifier TEXT NOT NULL, session_id TEXT, value REAL, source TEXT, properties TEXT, PRIMARY KEY (tenant_id, id)) STRICT, WITHOUT ROWID`)
	if err := errors.Join(err, events.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took, err := s.insert(t.Context(), newEvents(2000, time.Now()).rows(2000)); err != nil || took <= 0 {
		t.Errorf("in %s: %v", took, err)
	}
	var rows, values, binary int
	if err := s.raw.QueryRow("SELECT count(*), count(value), sum(typeof(id) = 'blob') FROM events").Scan(&rows, &values, &binary); err != nil || rows != 2000 || values < 400 || binary != rows {
		t.Errorf("%d rows, %d with a value, %d with a binary id: %v", rows, values, binary, err)
	}
	if size, err := s.size(t.Context()); err != nil || size == 0 {
		t.Errorf("%d bytes: %v", size, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
