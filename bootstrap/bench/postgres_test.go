package bench

import (
	"database/sql"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestPostgresStorage: raw rows go to a table with the columns, the key and the partitions of the service's, which is dropped in the end.
func TestPostgresStorage(t *testing.T) {
	ownerURL, _ := container.Postgres(t).Database(t)
	owner, err := sql.Open("postgres", ownerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	if _, err := owner.Exec(`CREATE TABLE events (tenant_id uuid NOT NULL, id uuid NOT NULL, occurred_at bigint NOT NULL, value float8,
event_type text NOT NULL, user_identifier text NOT NULL, session_id text, source text, properties text, PRIMARY KEY (tenant_id, id))
PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('80000000-0000-0000-0000-000000000000');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('80000000-0000-0000-0000-000000000000') TO (MAXVALUE);
CREATE TABLE event_keys (key bytea);
ALTER TABLE events ENABLE ROW LEVEL SECURITY; ALTER TABLE events FORCE ROW LEVEL SECURITY`); err != nil {
		t.Fatal(err)
	}
	used, err := sql.Open("postgres", ownerURL)
	if err != nil {
		t.Fatal(err)
	}
	p := &postgresStorage{owner: used}
	for range 2 { // the second time after a run that was killed
		if err := p.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took, err := p.insert(t.Context(), newEvents(6000, time.Now()).rows(6000)); err != nil || took <= 0 {
		t.Fatalf("in %s: %v", took, err)
	}
	var rows, values, sessions, partitions, keys int
	if err := owner.QueryRow(`SELECT count(*), count(value), count(session_id), (SELECT count(*) FROM pg_inherits WHERE inhparent = 'bench_events'::regclass),
(SELECT count(*) FROM pg_index WHERE indrelid = 'bench_events'::regclass AND indisprimary) FROM bench_events`).Scan(&rows, &values, &sessions, &partitions, &keys); err != nil {
		t.Fatal(err)
	}
	if rows != 6000 || values < 1200 || values > 1800 || sessions < 2700 || sessions > 3300 || partitions != 2 || keys != 1 {
		t.Errorf("%d rows, %d values, %d sessions, %d partitions, %d keys", rows, values, sessions, partitions, keys)
	}
	if size, err := p.size(t.Context()); err != nil || size == 0 {
		t.Errorf("%d bytes: %v", size, err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	var left bool
	if err := owner.QueryRow("SELECT to_regclass('bench_events') IS NOT NULL").Scan(&left); err != nil || left {
		t.Errorf("a table is left: %t, %v", left, err)
	}
}
