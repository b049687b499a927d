package porttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Migrations migrates the schema of a store up to the newest version, or rolls the newest version back and returns its name. Both
// call report while they carry events from one layout to another.
type Migrations struct {
	Up   func(ctx context.Context, report func(carried, total int64)) error
	Down func(ctx context.Context, report func(carried, total int64)) (string, error)
}

// back rolls versions back until one whose name begins so is gone.
func (m Migrations) back(t *testing.T, name string) {
	t.Helper()
	for rolledBack := ""; !strings.HasPrefix(rolledBack, name); {
		var err error
		if rolledBack, err = m.Down(t.Context(), func(int64, int64) {}); err != nil || rolledBack == "" {
			t.Fatalf("rolled back: %q, %v", rolledBack, err)
		}
	}
}

// Carrying rolls the layout of events back to that of schema 3 and forward again, stops both on the way, and expects all events
// afterwards, apart from their properties.
func Carrying(t *testing.T, s ports.Store, m Migrations) {
	homes := []id.Tenant{NewTenant(t, s).ID, NewTenant(t, s).ID, NewTenant(t, s).ID}
	want := map[id.Tenant][]event.Event{}
	var total int64
	for i, home := range homes[:2] { // the third has none
		want[home] = history(t, home, 6000+i*300)
		for part := range slices.Chunk(want[home], 1000) {
			Ingest(t, s, part...)
		}
		total += int64(len(want[home]))
		for n := range want[home] {
			want[home][n].Properties = ""
		}
	}

	m.back(t, "00006_partitions_once")
	interrupted(t, total, func(ctx context.Context, report func(carried, total int64)) error {
		_, err := m.Down(ctx, report)
		return err
	})
	m.back(t, "00005_carry_events")
	m.back(t, "00004_events")
	interrupted(t, total, m.Up)
	must(t, m.Up(t.Context(), func(int64, int64) {}))
	for _, home := range homes {
		equal(t, fmt.Sprintf("the %d events of a tenant", len(want[home])), everyEvent(t, s, home), want[home])
	}
	must(t, m.Up(t.Context(), func(int64, int64) { t.Error("events were carried over twice") }))
}

// interrupted stops what carries events after its first step, and checks its progress.
func interrupted(t *testing.T, total int64, run func(ctx context.Context, report func(carried, total int64)) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen []int64
	err := run(ctx, func(carried, all int64) {
		seen = append(seen, carried)
		equal(t, "the number of events to carry over", all, total)
		if carried > 0 {
			stop()
		}
	})
	wantErr(t, "what was stopped", err, context.Canceled)
	equal(t, "the progress", seen, []int64{0, 5000})
}

// history returns events of a tenant from 1970 on, in order. Some occur at the same time.
func history(t *testing.T, home id.Tenant, count int) []event.Event {
	t.Helper()
	source, value := "web", 1.5
	list := make([]event.Event, 0, count)
	for i := range count {
		d := event.Draft{Type: "view", UserIdentifier: fmt.Sprint("☃ ", i)}
		if i%2 == 0 {
			d.Source, d.Value, d.Properties = &source, &value, []byte(`{"a":1}`)
		}
		e := NewEvent(t, home, d, t0)
		old := e.ID
		e.OccurredAt = time.UnixMicro(int64(i/3) * 100_000_000_001).UTC()
		var err error
		e.ID, err = event.Redate(old, e.OccurredAt)
		must(t, err)
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b event.Event) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// everyEvent returns all events of a tenant, in order.
func everyEvent(t *testing.T, s ports.Store, home id.Tenant) []event.Event {
	t.Helper()
	var all []event.Event
	for last := (event.Event{}); ; last = all[len(all)-1] {
		part, more, err := s.Events().Export(t.Context(), ScopeOf(t, home), analytics.Selection{}, last.ID, 1000)
		must(t, err)
		if all = append(all, part...); !more {
			return all
		}
	}
}
