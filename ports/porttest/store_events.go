package porttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// NewEvent returns an event of a tenant.
func NewEvent(t *testing.T, home id.Tenant, d event.Draft, at time.Time) event.Event {
	t.Helper()
	return entry(t, home, d, event.Unnamed(string(NewID[id.Event]())), at).Event
}

// NewBatch returns a batch with one new event of a tenant, which occurs now.
func NewBatch(t *testing.T, home id.Tenant) event.Batch {
	t.Helper()
	now := time.Now()
	return event.Batch{Entries: []event.Entry{{Event: NewEvent(t, home, event.Draft{Type: "view", UserIdentifier: "u"}, now)}}, At: now}
}

// entry returns an entry of a batch.
func entry(t *testing.T, home id.Tenant, d event.Draft, name event.Name, at time.Time) event.Entry {
	t.Helper()
	e, err := d.Entry(home, name, at)
	must(t, err)
	return e
}

func anEvent(t *testing.T, home tenant.Tenant, kind, who string, at time.Time) event.Event {
	t.Helper()
	return NewEvent(t, home.ID, event.Draft{Type: kind, UserIdentifier: who}, at)
}

// Ingest stores new events of a tenant.
func Ingest(t *testing.T, s ports.Store, list ...event.Event) {
	t.Helper()
	b := event.Batch{At: t0}
	for _, e := range list {
		b.Entries = append(b.Entries, event.Entry{Event: e})
	}
	outcomes, err := s.Events().Ingest(t.Context(), ScopeOf(t, list[0].TenantID), b)
	must(t, err)
	for _, o := range outcomes {
		if o.Status != event.Stored {
			t.Fatalf("a new event was not stored: %+v", o)
		}
	}
}

func add(t *testing.T, s ports.Store, e event.Event) event.Event {
	t.Helper()
	Ingest(t, s, e)
	return e
}

func testEvents(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	full := add(t, s, NewEvent(t, home.ID, event.Draft{
		Type: "view", UserIdentifier: "☃ user", SessionID: new("s-1"), Source: new("web"), Value: new(-12.25),
		Properties: []byte(`{"b":[1.50,"\u0000"],"a":"☃"}`),
	}, t0))
	later := add(t, s, anEvent(t, home, "click", "u", t0.Add(time.Microsecond)))
	edge := anEvent(t, home, "click", "u", time.Unix(0, 0).UTC())
	edge.Value, edge.Source = new(event.MaxValue), new("")
	add(t, s, edge)

	got, err := s.Events().ByID(ctx, scope, full.ID)
	must(t, err)
	equal(t, "by id", got, full)
	_, err = s.Events().ByID(ctx, scope, NewID[id.Event]())
	wantErr(t, "an unknown id", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, scope, analytics.Selection{}, "", everything)
	must(t, err)
	equal(t, "newest first", list, []event.Event{later, full, edge})
	list, err = s.Events().List(ctx, scope, analytics.Selection{EventType: "click"}, "", page.Page{Skip: 1, Limit: 1})
	must(t, err)
	equal(t, "a page of a type", list, []event.Event{edge})
	list, err = s.Events().List(ctx, scope, analytics.Selection{EventType: "' OR '1'='1"}, "", everything)
	must(t, err)
	equal(t, "a type that looks like SQL", list, []event.Event{})
}

func testEventScopes(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	e := add(t, s, anEvent(t, home, "view", "u", t0))
	foreign := ScopeOf(t, other.ID)
	all, err := access.Operator().Authorize(access.ReadTenantData, access.EveryTenant)
	must(t, err)

	_, err = s.Events().ByID(ctx, foreign, e.ID)
	wantErr(t, "an event of another tenant", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, foreign, analytics.Selection{}, "", everything)
	must(t, err)
	equal(t, "the list of the other tenant", list, []event.Event{})
	_, err = s.Events().Ingest(ctx, foreign, event.Batch{Entries: []event.Entry{{Event: e}}, At: t0})
	wantErr(t, "an event into another tenant", err, access.ErrNoScope)
	same := e
	same.TenantID = other.ID
	add(t, s, same) // ids are unique within a tenant

	for name, scope := range map[string]access.Scope{"no": {}, "every tenant's": all} {
		_, err = s.Events().ByID(ctx, scope, e.ID)
		wantErr(t, "reading with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().List(ctx, scope, analytics.Selection{}, "", everything)
		wantErr(t, "listing with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Answer(ctx, scope, analytics.NewSummaryQuestion(analytics.Window{}))
		wantErr(t, "a question with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Seal(ctx, scope, t0)
		wantErr(t, "sealing with "+name+" scope", err, access.ErrNoScope)
		_, _, err = s.Events().Export(ctx, scope, analytics.Selection{}, "", 1)
		wantErr(t, "reading on with "+name+" scope", err, access.ErrNoScope)
	}
	_, err = s.Events().Ingest(ctx, access.Scope{}, event.Batch{Entries: []event.Entry{{Event: e}}, At: t0})
	wantErr(t, "ingesting without a scope", err, access.ErrNoScope)
}

// testConcurrentIngest repeats one event at the same time.
func testConcurrentIngest(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	e := entry(t, home.ID, event.Draft{Type: "view", UserIdentifier: "u"}, keyed(home.ID, "k"), t0)
	statuses := make([]event.Status, 8)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			outcomes, err := s.Events().Ingest(t.Context(), scope, event.Batch{Entries: []event.Entry{e}, At: t0})
			if err != nil {
				t.Error(err)
				return
			}
			statuses[i] = outcomes[0].Status
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	equal(t, "statuses", statuses, append([]event.Status{event.Stored}, slices.Repeat([]event.Status{event.Duplicate}, len(statuses)-1)...))
}

// keyed returns the name that a client's key gives.
func keyed(home id.Tenant, key string) event.Name { return event.NewKeys(nil).Name(home, key) }

// testIdentity is a history of events that are sent again, one step after another.
func testIdentity(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	view, click := event.Draft{Type: "view", UserIdentifier: "u"}, event.Draft{Type: "click", UserIdentifier: "u"}
	at := func(d event.Draft, at time.Time) event.Draft { d.OccurredAt = &at; return d }
	named := func(d event.Draft) event.Draft { d.EventID = new("e"); return d }
	key, other, day := keyed(home.ID, "k"), keyed(home.ID, "other"), event.KeyLifetime
	const stored, duplicate, reused = event.Stored, event.Duplicate, event.Reused
	type sent struct {
		draft event.Draft
		name  event.Name
		want  event.Status
	}
	for _, step := range []struct {
		name   string
		now    time.Time
		atomic bool
		sent   []sent
		total  int // events, afterwards
	}{
		{"a key", t0, false, []sent{{view, key, stored}}, 1},
		{"the key again, later", t0.Add(time.Hour), false, []sent{{view, key, duplicate}}, 1},
		{"the key with another body", t0.Add(time.Hour), false, []sent{{click, key, reused}}, 1},
		{"the key with the time of the stored event", t0.Add(time.Hour), false, []sent{{at(view, t0), key, duplicate}}, 1},
		{"the key with another time", t0.Add(time.Hour), false, []sent{{at(view, t0.Add(time.Second)), key, reused}}, 1},
		{"another key", t0, false, []sent{{view, other, stored}}, 2},
		{"a batch with a key twice, an old one, and a new event", t0.Add(2 * time.Hour), false, []sent{
			{view, key.Item(0), stored}, {view, key.Item(0), duplicate}, {click, key.Item(0), reused}, {view, key, duplicate}, {click, key.Item(1), stored},
		}, 4},
		{"an atomic batch with another body under a key", t0.Add(2 * time.Hour), true, []sent{{view, key.Item(7), stored}, {click, key, reused}}, 4},
		{"it left no key behind", t0.Add(2 * time.Hour), true, []sent{{view, key.Item(7), stored}}, 5},
		{"just within the lifetime", t0.Add(day - time.Microsecond), false, []sent{{view, key, duplicate}}, 5},
		{"a key after its lifetime", t0.Add(day), false, []sent{{view, key, stored}}, 6},
		{"and again", t0.Add(day + time.Hour), false, []sent{{view, key, duplicate}, {click, key, reused}}, 6},
		{"an event_id without a time", t0, false, []sent{{named(view), key, stored}}, 7},
		{"again, later", t0.Add(time.Minute), false, []sent{{named(view), key, duplicate}, {named(click), key, reused}}, 7},
		{"an event_id with its time", t0.Add(time.Hour), false, []sent{{named(at(view, t0)), key, duplicate}}, 7},
		{"with another time it is another event", t0.Add(time.Hour), false, []sent{{named(at(view, t0.Add(-day))), key, stored}}, 8},
		{"which is known for ever", t0.AddDate(1, 0, 0), false, []sent{
			{named(at(view, t0.Add(-day))), key, duplicate}, {named(at(click, t0.Add(-day))), key, reused},
		}, 8},
	} {
		b := event.Batch{Atomic: step.atomic, At: step.now}
		var want []event.Status
		for _, sent := range step.sent {
			b.Entries = append(b.Entries, entry(t, home.ID, sent.draft, sent.name, step.now))
			want = append(want, sent.want)
		}
		outcomes, err := s.Events().Ingest(t.Context(), scope, b)
		must(t, err)
		var got []event.Status
		for _, o := range outcomes {
			got = append(got, o.Status)
		}
		equal(t, step.name, got, want)
		list, err := s.Events().List(t.Context(), scope, analytics.Selection{}, "", everything)
		must(t, err)
		equal(t, step.name+": how many are stored", len(list), step.total)
	}
}

// testLargeBatches: many events at once, of which none, some or all are there already, in any order and also twice.
func testLargeBatches(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	const many = 250
	draft := func(i int, eventType string) event.Entry {
		d := event.Draft{Type: eventType, UserIdentifier: "u", EventID: new(fmt.Sprint(i)), OccurredAt: new(t0.Add(time.Duration(i*7919%many) * time.Second))}
		return entry(t, home.ID, d, event.Name{}, t0.AddDate(0, 0, 1))
	}
	stored := 0
	for _, c := range []struct {
		name                        string
		from, to                    int
		eventType                   string
		atomic                      bool
		accepted, duplicate, reused int
	}{
		{"none is there", 0, many, "view", false, many, 0, 0},
		{"all are there", 0, many, "view", false, 0, many, 0},
		{"half are there", many / 2, many + many/2, "view", false, many / 2, many / 2, 0},
		{"with another body", many, 2 * many, "click", true, many / 2, 0, many / 2},
		{"with another body, not atomic", many, 2 * many, "click", false, many / 2, 0, many / 2},
	} {
		b := event.Batch{Atomic: c.atomic, At: t0.AddDate(0, 0, 1)}
		for i := c.from; i < c.to; i++ {
			b.Entries = append(b.Entries, draft(i, c.eventType))
		}
		b.Entries = append(b.Entries, b.Entries[:10]...) // which are in the batch twice
		got := map[event.Status]int{}
		outcomes, err := s.Events().Ingest(t.Context(), scope, b)
		must(t, err)
		for i, o := range outcomes {
			equal(t, c.name+": the event", o.Event.ID, b.Entries[i].Event.ID)
			if i < c.to-c.from {
				got[o.Status]++
			} else if o.Status == event.Stored {
				t.Errorf("%s: an event is stored twice", c.name)
			}
		}
		equal(t, c.name, got, without0(map[event.Status]int{event.Stored: c.accepted, event.Duplicate: c.duplicate, event.Reused: c.reused}))
		if !c.atomic {
			stored += c.accepted
		}
		equal(t, c.name+": how many are stored", len(everyEvent(t, s, home.ID)), stored)
	}
}

// without0 removes the statuses of no event.
func without0(counts map[event.Status]int) map[event.Status]int {
	maps.DeleteFunc(counts, func(_ event.Status, n int) bool { return n == 0 })
	return counts
}

// testResults compares the results with those that another program computed.
func testResults(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	for _, r := range EventFixtures(t) {
		add(t, s, NewEvent(t, home.ID, event.Draft{
			Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID, Value: r.Value, Source: r.Source,
		}, r.OccurredAt))
	}
	want := ExpectedResults(t)
	window := analytics.Window{Start: want.Summary.Start, End: want.Summary.End}
	var top []analytics.EventTypeCount
	for _, c := range want.Summary.TopEventTypes {
		top = append(top, analytics.EventTypeCount{Type: c.Type, Count: c.Count})
	}
	inEachState(t, s, home.ID, func(state string) {
		summary := summarize(t, s, scope, window)
		equal(t, "summary "+state, summary, analytics.Summary{
			TenantID: home.ID, Window: window, TotalEvents: want.Summary.TotalEvents, UniqueUsers: want.Summary.UniqueUsers, TopEventTypes: top,
		})
		for _, c := range want.Queries {
			q := parseQuery(t, c.Query)
			rows := queryRows(t, s, scope, q)
			got := make([]map[string]any, 0, len(rows))
			for _, row := range rows {
				got = append(got, rowFields(t, q, row))
			}
			equal(t, fmt.Sprint(c.Query, state), got, c.Results)
		}
	})
}

// rowFields returns a row as the fields of a JSON object.
func rowFields(t testing.TB, q analytics.Query, row analytics.Row) map[string]any {
	t.Helper()
	fields := map[string]any{}
	for i, name := range q.DimensionNames() {
		text, err := json.Marshal(row.Group[i])
		must(t, err)
		var value any
		must(t, json.Unmarshal(text, &value))
		fields[name] = value
	}
	for i, name := range q.MetricNames() {
		if fields[name] = nil; row.Values[i] != nil {
			fields[name] = *row.Values[i]
		}
	}
	return fields
}

// inEachState runs a test on events that are in rows only, and on the same once they are sealed.
func inEachState(t *testing.T, s ports.Store, tenant id.Tenant, test func(state string)) {
	t.Helper()
	test("of rows")
	seal(t, s, tenant)
	test("of blocks")
}

// seal does all the work of sealing that there is for a tenant, now or later.
func seal(t testing.TB, s ports.Store, tenant id.Tenant) {
	t.Helper()
	scope, err := access.Worker().Authorize(access.SealEvents, tenant)
	must(t, err)
	for more := true; more; {
		more, err = s.Events().Seal(t.Context(), scope, time.Now().AddDate(1, 0, 0))
		must(t, err)
	}
}

func summarize(t testing.TB, s ports.Store, scope access.Scope, w analytics.Window) analytics.Summary {
	t.Helper()
	q := analytics.NewSummaryQuestion(w)
	_, err := s.Events().Answer(t.Context(), scope, q)
	must(t, err)
	tenant, err := scope.Tenant()
	must(t, err)
	return q.Summary(tenant)
}

func queryRows(t testing.TB, s ports.Store, scope access.Scope, q analytics.Query) []analytics.Row {
	t.Helper()
	question := q.Question()
	_, err := s.Events().Answer(t.Context(), scope, question)
	must(t, err)
	rows, err := question.Rows()
	must(t, err)
	return rows
}

func testSummarize(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	for i, kind := range []string{"a", "a", "a", "b", "b", "c", "d", "e", "f"} {
		add(t, s, anEvent(t, home, kind, fmt.Sprint("u", i%4), t0.Add(time.Duration(i)*time.Second)))
	}
	add(t, s, anEvent(t, home, "outside", "x", t0.Add(-time.Microsecond)))
	add(t, s, anEvent(t, home, "outside", "x", t0.Add(time.Hour)))
	add(t, s, anEvent(t, NewTenant(t, s), "a", "y", t0))
	window := analytics.Window{Start: t0, End: t0.Add(time.Hour)}
	inEachState(t, s, home.ID, func(state string) {
		equal(t, "summary "+state, summarize(t, s, ScopeOf(t, home.ID), window),
			analytics.Summary{TenantID: home.ID, Window: window, TotalEvents: 9, UniqueUsers: 4, TopEventTypes: []analytics.EventTypeCount{
				{Type: "a", Count: 3}, {Type: "b", Count: 2}, {Type: "c", Count: 1}, {Type: "d", Count: 1}, {Type: "e", Count: 1},
			}})
	})
	without := NewTenant(t, s)
	empty := summarize(t, s, ScopeOf(t, without.ID), analytics.Window{})
	equal(t, "summary of no events", empty, analytics.Summary{TenantID: without.ID, TopEventTypes: []analytics.EventTypeCount{}})
}

func testQuery(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	put := func(kind string, source *string, value *float64, at time.Time) {
		add(t, s, NewEvent(t, home.ID, event.Draft{Type: kind, UserIdentifier: "u", Source: source, Value: value}, at))
	}
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	put("view", new("web"), new(1.0), t0)
	put("view", new("web"), new(2.0), midnight.Add(-time.Microsecond))
	put("view", nil, nil, midnight)
	put("click", new("app"), nil, midnight)
	put("Click", nil, new(10.0), midnight.AddDate(0, 0, 1))
	add(t, s, anEvent(t, NewTenant(t, s), "view", "u", t0))

	row := func(key string, count int64, average *float64) analytics.Row {
		return analytics.Row{Group: []analytics.Scalar{analytics.Text(key)}, Values: []*float64{new(float64(count)), average}}
	}
	for name, c := range map[string]struct {
		query analytics.Query
		want  []analytics.Row
	}{
		"by type": {analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 10},
			[]analytics.Row{row("view", 3, new(1.5)), row("Click", 1, new(10.0)), row("click", 1, nil)}},
		"by source": {analytics.Query{GroupBy: []analytics.Dimension{analytics.BySource}, Limit: 10},
			[]analytics.Row{row("web", 2, new(1.5)), {Group: []analytics.Scalar{{}}, Values: []*float64{new(2.0), new(10.0)}}, row("app", 1, nil)}},
		"by day": {analytics.Query{GroupBy: []analytics.Dimension{analytics.ByDay}, Limit: 10},
			[]analytics.Row{row("2026-01-01", 2, new(1.5)), row("2026-01-02", 2, nil), row("2026-01-03", 1, new(10.0))}},
		"one type": {analytics.Query{GroupBy: []analytics.Dimension{analytics.ByDay}, EventType: "view", Limit: 1},
			[]analytics.Row{row("2026-01-01", 2, new(1.5))}},
		"a window": {analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 10, Window: analytics.Window{Start: midnight, End: midnight.AddDate(0, 0, 1)}},
			[]analytics.Row{row("click", 1, nil), row("view", 1, nil)}},
		"nothing": {analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 10, EventType: "none"}, []analytics.Row{}},
	} {
		equal(t, name, queryRows(t, s, ScopeOf(t, home.ID), c.query), c.want)
	}
}

func testExport(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	const many, limit = 25, 10
	want := map[id.Event]bool{}
	for i := range many {
		e := anEvent(t, home, "view", "u", t0.Add(time.Duration(i/3)*time.Second)) // several at the same time
		want[e.ID] = true
		add(t, s, e)
	}
	add(t, s, anEvent(t, NewTenant(t, s), "view", "u", t0))
	var (
		last   event.Event
		chunks []int
	)
	for {
		list, more, err := s.Events().Export(t.Context(), scope, analytics.Selection{}, last.ID, limit)
		must(t, err)
		equal(t, "whether there may be more", more, len(list) == limit)
		chunks = append(chunks, len(list))
		for _, e := range list {
			if e.OccurredAt.Before(last.OccurredAt) {
				t.Fatal("the events are not in order of time")
			}
			if !want[e.ID] {
				t.Fatalf("event %s came twice or is another tenant's", e.ID)
			}
			delete(want, e.ID)
			last = e
		}
		if len(list) == 0 {
			break
		}
	}
	equal(t, "the chunks", chunks, []int{10, 10, 5, 0})
}

func testAudit(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	entry := func(act audit.Act, at time.Time) audit.Entry {
		return audit.Entry{
			ID: NewID[id.Entry](), TenantID: home.ID, At: at, Severity: audit.Warning, Act: act,
			Actor: NewID[id.User](), Subject: "subject",
			Origin: audit.Origin{RequestID: "r", Address: "127.0.0.1", UserAgent: `curl "x"`},
			Detail: map[string]string{"from": "viewer", "to": "admin"},
		}
	}
	first, second := entry(audit.RoleChanged, t0), entry(audit.Deactivated, t0.Add(time.Second))
	second.Actor, second.Detail = "", nil
	must(t, s.Audit().Record(ctx, scope, first))
	must(t, s.Audit().Record(ctx, scope, second))
	list, err := s.Audit().List(ctx, scope, everything)
	must(t, err)
	equal(t, "newest first", list, []audit.Entry{second, first})
	list, err = s.Audit().List(ctx, ScopeOf(t, other.ID), everything)
	must(t, err)
	equal(t, "another tenant's", list, []audit.Entry{})
	wantErr(t, "an entry into another tenant", s.Audit().Record(ctx, ScopeOf(t, other.ID), first), access.ErrNoScope)
	wantErr(t, "an entry without a scope", s.Audit().Record(ctx, access.Scope{}, first), access.ErrNoScope)
	_, err = s.Audit().List(ctx, access.Scope{}, everything)
	wantErr(t, "a list without a scope", err, access.ErrNoScope)
}

// testUnseal: throwing sealed events away changes no answer, and they are sealed anew. What is sealed shows in the status.
func testUnseal(t *testing.T, s ports.Store) {
	home, other := NewTenant(t, s), NewTenant(t, s)
	for i := range 3 {
		add(t, s, anEvent(t, home, "view", fmt.Sprint("u", i), t0.Add(time.Duration(i)*time.Hour)))
	}
	add(t, s, anEvent(t, other, "view", "u", t0))
	scope := ScopeOf(t, home.ID)
	status := func(of tenant.Tenant, blocks, events, waiting int64, complete bool) {
		t.Helper()
		got, err := s.Events().SealStatus(t.Context(), ScopeOf(t, of.ID))
		must(t, err)
		if got.Bytes > 0 != (blocks > 0) || got.Oldest.IsZero() != (waiting == 0) {
			t.Errorf("%d bytes, and the oldest waits since %s", got.Bytes, got.Oldest)
		}
		got.Bytes, got.Oldest = 0, time.Time{}
		equal(t, "status", got, ports.SealStatus{Blocks: blocks, Events: events, Waiting: waiting, Complete: complete})
	}
	users := func(want int64) {
		t.Helper()
		equal(t, "users", summarize(t, s, scope, analytics.Window{}).UniqueUsers, want)
	}
	status(home, 0, 0, 3, false)
	seal(t, s, home.ID)
	seal(t, s, other.ID)
	status(home, 1, 3, 0, true)
	add(t, s, anEvent(t, home, "view", "u3", t0))
	status(home, 1, 3, 1, true)

	must(t, s.Events().Unseal(t.Context(), scope))
	status(home, 0, 0, 0, false)
	users(4)
	add(t, s, anEvent(t, home, "view", "u4", t0))
	users(5)
	seal(t, s, home.ID)
	status(home, 1, 5, 0, true)
	users(5)
	status(other, 1, 1, 0, true)

	must(t, s.Events().Unseal(t.Context(), ScopeOf(t, NewTenant(t, s).ID))) // nothing to throw away
	if _, err := s.Events().SealStatus(t.Context(), access.Scope{}); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("the status without a scope: %v", err)
	}
	if err := s.Events().Unseal(t.Context(), access.Scope{}); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("throwing away without a scope: %v", err)
	}
	if _, err := s.Events().Seal(t.Context(), scope, t0); !errors.Is(err, access.ErrNoScope) {
		t.Errorf("sealing with the scope of a user: %v", err)
	}
}
