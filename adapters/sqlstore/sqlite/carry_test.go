package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
)

// carried is a carrier between the files of a database: that with events of schema 3, and that with the table of today.
type carried struct {
	events.Carrier
	from, to *sqlx.DB
	failing  bool // the commit of the side that events are carried from
}

var errCommit = errors.New("the power failed")

func newCarried(t *testing.T) *carried {
	t.Helper()
	db := openMigrated(t)
	c := &carried{from: db.identities.writer, to: db.eventFile.writer}
	c.exec(t, c.from, "INSERT INTO tenants (id, slug, created_at) VALUES ('11111111-1111-4111-8111-111111111111', 'acme', '2026-01-01T00:00:00.000000Z')")
	c.exec(t, c.from, tableBefore)
	c.Carrier = carrier(c.from, c.to, func(int64, int64) {})
	step := c.Step
	c.Step = func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error {
		if !c.failing {
			return step(ctx, fn)
		}
		source, err := c.from.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = source.Rollback() }()
		target, err := c.to.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		return errors.Join(fn(source, target), target.Commit(), errCommit)
	}
	return c
}

func openMigrated(t *testing.T) *Database {
	t.Helper()
	db, err := OpenInMemory(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func (c *carried) exec(t *testing.T, db *sqlx.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// add stores an event of schema 3, at a second of 2026.
func (c *carried) add(t *testing.T, eventID string, second int, eventType string) {
	t.Helper()
	c.exec(t, c.from, fmt.Sprintf("INSERT INTO events_before VALUES ('11111111-1111-4111-8111-111111111111', '%s', '%s', 'u', NULL, NULL, NULL, '2026-01-01T00:00:%02d.000000Z')",
		eventID, eventType, second))
}

// want expects a number of events on each side.
func (c *carried) want(t *testing.T, before, now int) {
	t.Helper()
	for query, want := range map[string]int{"SELECT COUNT(*) FROM events_before": before, "SELECT COUNT(*) FROM events": now} {
		db := c.from
		if query == "SELECT COUNT(*) FROM events" {
			db = c.to
		}
		var n int
		if err := db.GetContext(t.Context(), &n, query); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", query, n, err, want)
		}
	}
}

const one, same, two = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"

// TestCarry_between_two_files: a stop between the commits of the two files repeats the step, and neither doubles nor loses an event.
func TestCarry_between_two_files(t *testing.T) {
	c := newCarried(t)
	c.add(t, one, 1, "view")
	c.add(t, two, 1, "view")
	step, steps := c.Step, 0
	c.Step = func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error {
		c.failing = steps == 1 // the first step after counting
		steps++
		return step(ctx, fn)
	}
	if err := c.Forward(t.Context()); !errors.Is(err, errCommit) {
		t.Fatal(err)
	}
	c.want(t, 2, 2)
	c.add(t, one[:35]+"3", 2, "view")
	var progress [][2]int64
	c.Report = func(carried, total int64) { progress = append(progress, [2]int64{carried, total}) }
	if err := c.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(t, 0, 3)
	if last := progress[len(progress)-1]; last != [2]int64{3, 3} {
		t.Errorf("the progress is %v", progress)
	}
}

// TestCarry_collision: events that would get the same id are an error, and stay where they are.
func TestCarry_collision(t *testing.T) {
	t.Run("of two old events", func(t *testing.T) {
		c := newCarried(t)
		c.add(t, one, 1, "view")
		c.add(t, same, 1, "view")
		if err := c.Forward(t.Context()); !errors.Is(err, events.ErrCarry) {
			t.Errorf("carried: %v", err)
		}
		c.want(t, 2, 0)
	})
	t.Run("with an event that is there", func(t *testing.T) {
		c := newCarried(t)
		c.add(t, one, 1, "view")
		if err := c.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.add(t, same, 1, "click")
		if err := c.Forward(t.Context()); !errors.Is(err, events.ErrCarry) {
			t.Errorf("carried: %v", err)
		}
		c.want(t, 1, 1)
	})
	t.Run("not at another time", func(t *testing.T) {
		c := newCarried(t)
		c.add(t, one, 1, "view")
		c.add(t, same, 2, "view")
		if err := c.Forward(t.Context()); err != nil {
			t.Error(err)
		}
		c.want(t, 0, 2)
	})
}
