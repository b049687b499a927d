package porttest

import (
	"fmt"
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

func anEvent(home tenant.Tenant, kind, who string, at time.Time) event.Event {
	return event.Event{ID: NewID[id.Event](), TenantID: home.ID, Type: kind, UserIdentifier: who, OccurredAt: at}
}

func add(t *testing.T, s ports.Store, e event.Event) event.Event {
	t.Helper()
	isNew, err := s.Events().Ingest(t.Context(), ScopeOf(t, e.TenantID), e)
	must(t, err)
	if !isNew {
		t.Fatal("an event with a new id was not stored")
	}
	return e
}

func testEvents(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	full := anEvent(home, "view", "☃ user", t0)
	full.SessionID, full.Source, full.Value = new("s-1"), new("web"), new(-12.25)
	add(t, s, full)
	later := add(t, s, anEvent(home, "click", "u", t0.Add(time.Microsecond)))
	edge := anEvent(home, "click", "u", event.Earliest)
	edge.Value, edge.Source = new(event.MaxValue), new("")
	add(t, s, edge)

	got, err := s.Events().ByID(ctx, scope, full.ID)
	must(t, err)
	equal(t, "by id", got, full)
	_, err = s.Events().ByID(ctx, scope, NewID[id.Event]())
	wantErr(t, "an unknown id", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, scope, "", everything)
	must(t, err)
	equal(t, "newest first", list, []event.Event{later, full, edge})
	list, err = s.Events().List(ctx, scope, "click", page.Page{Skip: 1, Limit: 1})
	must(t, err)
	equal(t, "a page of a type", list, []event.Event{edge})
	list, err = s.Events().List(ctx, scope, "' OR '1'='1", everything)
	must(t, err)
	equal(t, "a type that looks like SQL", list, []event.Event{})
}

func testEventScopes(t *testing.T, s ports.Store) {
	ctx := t.Context()
	home, other := NewTenant(t, s), NewTenant(t, s)
	e := add(t, s, anEvent(home, "view", "u", t0))
	foreign := ScopeOf(t, other.ID)
	all, err := access.Operator().Authorize(access.ReadTenantData, access.EveryTenant)
	must(t, err)

	_, err = s.Events().ByID(ctx, foreign, e.ID)
	wantErr(t, "an event of another tenant", err, event.ErrNotFound)
	list, err := s.Events().List(ctx, foreign, "", everything)
	must(t, err)
	equal(t, "the list of the other tenant", list, []event.Event{})
	_, err = s.Events().Ingest(ctx, foreign, e)
	wantErr(t, "an event into another tenant", err, access.ErrNoScope)
	same := e
	same.TenantID = other.ID
	add(t, s, same) // ids are unique within a tenant

	for name, scope := range map[string]access.Scope{"no": {}, "every tenant's": all} {
		_, err = s.Events().ByID(ctx, scope, e.ID)
		wantErr(t, "reading with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().List(ctx, scope, "", everything)
		wantErr(t, "listing with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Summarize(ctx, scope, analytics.Window{})
		wantErr(t, "summarizing with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().Query(ctx, scope, analytics.Query{Limit: 1})
		wantErr(t, "a query with "+name+" scope", err, access.ErrNoScope)
		_, err = s.Events().After(ctx, scope, event.Event{}, 1)
		wantErr(t, "reading on with "+name+" scope", err, access.ErrNoScope)
	}
	_, err = s.Events().Ingest(ctx, access.Scope{}, e)
	wantErr(t, "ingesting without a scope", err, access.ErrNoScope)
}

func testIngest(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	e := anEvent(home, "view", "u", t0)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		added int
	)
	for range 8 {
		wg.Go(func() {
			isNew, err := s.Events().Ingest(t.Context(), scope, e)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if isNew {
				added++
			}
		})
	}
	wg.Wait()
	equal(t, "how many were new", added, 1)
	changed := e
	changed.Type = "click"
	isNew, err := s.Events().Ingest(t.Context(), scope, changed)
	must(t, err)
	got, err := s.Events().ByID(t.Context(), scope, e.ID)
	must(t, err)
	equal(t, "what is stored", got, e)
	equal(t, "whether the second was new", isNew, false)
}

// testResults compares the results with those that another program computed.
func testResults(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	for _, r := range EventFixtures(t) {
		add(t, s, event.Event{
			ID: NewID[id.Event](), TenantID: home.ID, Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID,
			Value: r.Value, Source: r.Source, OccurredAt: r.OccurredAt,
		})
	}
	want := ExpectedResults(t)
	window := analytics.Window{Start: want.Summary.Start, End: want.Summary.End}
	summary, err := s.Events().Summarize(t.Context(), scope, window)
	must(t, err)
	var top []analytics.EventTypeCount
	for _, c := range want.Summary.TopEventTypes {
		top = append(top, analytics.EventTypeCount{Type: c.Type, Count: c.Count})
	}
	equal(t, "summary", summary, analytics.Summary{
		TenantID: home.ID, Window: window, TotalEvents: want.Summary.TotalEvents, UniqueUsers: want.Summary.UniqueUsers, TopEventTypes: top,
	})
	for _, c := range want.Queries {
		q := parseQuery(t, c.Query)
		rows, err := s.Events().Query(t.Context(), scope, q)
		must(t, err)
		got := make([]map[string]any, 0, len(rows))
		for _, row := range rows {
			one := map[string]any{q.GroupBy.String(): nil, "count": float64(row.Count), "avg_value": nil}
			if row.Key != nil {
				one[q.GroupBy.String()] = *row.Key
			}
			if row.AvgValue != nil {
				one["avg_value"] = *row.AvgValue
			}
			got = append(got, one)
		}
		equal(t, fmt.Sprint(c.Query), got, c.Results)
	}
}

func testSummarize(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	for i, kind := range []string{"a", "a", "a", "b", "b", "c", "d", "e", "f"} {
		add(t, s, anEvent(home, kind, fmt.Sprint("u", i%4), t0.Add(time.Duration(i)*time.Second)))
	}
	add(t, s, anEvent(home, "outside", "x", t0.Add(-time.Microsecond)))
	add(t, s, anEvent(home, "outside", "x", t0.Add(time.Hour)))
	add(t, s, anEvent(NewTenant(t, s), "a", "y", t0))
	window := analytics.Window{Start: t0, End: t0.Add(time.Hour)}
	got, err := s.Events().Summarize(t.Context(), ScopeOf(t, home.ID), window)
	must(t, err)
	equal(t, "summary", got, analytics.Summary{TenantID: home.ID, Window: window, TotalEvents: 9, UniqueUsers: 4, TopEventTypes: []analytics.EventTypeCount{
		{Type: "a", Count: 3}, {Type: "b", Count: 2}, {Type: "c", Count: 1}, {Type: "d", Count: 1}, {Type: "e", Count: 1},
	}})
	without := NewTenant(t, s)
	empty, err := s.Events().Summarize(t.Context(), ScopeOf(t, without.ID), analytics.Window{})
	must(t, err)
	equal(t, "summary of no events", empty, analytics.Summary{TenantID: without.ID, TopEventTypes: []analytics.EventTypeCount{}})
}

func testQuery(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	put := func(kind string, source *string, value *float64, at time.Time) {
		e := anEvent(home, kind, "u", at)
		e.Source, e.Value = source, value
		add(t, s, e)
	}
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	put("view", new("web"), new(1.0), t0)
	put("view", new("web"), new(2.0), midnight.Add(-time.Microsecond))
	put("view", nil, nil, midnight)
	put("click", new("app"), nil, midnight)
	put("Click", nil, new(10.0), midnight.AddDate(0, 0, 1))
	add(t, s, anEvent(NewTenant(t, s), "view", "u", t0))

	row := func(key string, count int64, average *float64) analytics.Row {
		return analytics.Row{Key: &key, Count: count, AvgValue: average}
	}
	for name, c := range map[string]struct {
		query analytics.Query
		want  []analytics.Row
	}{
		"by type": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10},
			[]analytics.Row{row("view", 3, new(1.5)), row("Click", 1, new(10.0)), row("click", 1, nil)}},
		"by source": {analytics.Query{GroupBy: analytics.BySource, Limit: 10},
			[]analytics.Row{row("web", 2, new(1.5)), {Count: 2, AvgValue: new(10.0)}, row("app", 1, nil)}},
		"by day": {analytics.Query{GroupBy: analytics.ByDay, Limit: 10},
			[]analytics.Row{row("2026-01-01", 2, new(1.5)), row("2026-01-02", 2, nil), row("2026-01-03", 1, new(10.0))}},
		"one type": {analytics.Query{GroupBy: analytics.ByDay, EventType: "view", Limit: 1},
			[]analytics.Row{row("2026-01-01", 2, new(1.5))}},
		"a window": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10, Window: analytics.Window{Start: midnight, End: midnight.AddDate(0, 0, 1)}},
			[]analytics.Row{row("click", 1, nil), row("view", 1, nil)}},
		"nothing": {analytics.Query{GroupBy: analytics.ByEventType, Limit: 10, EventType: "none"}, []analytics.Row{}},
	} {
		got, err := s.Events().Query(t.Context(), ScopeOf(t, home.ID), c.query)
		must(t, err)
		equal(t, name, got, c.want)
	}
}

func testAfter(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	const many, limit = 25, 10
	want := map[id.Event]bool{}
	for i := range many {
		e := anEvent(home, "view", "u", t0.Add(time.Duration(i/3)*time.Second)) // several at the same time
		want[e.ID] = true
		add(t, s, e)
	}
	add(t, s, anEvent(NewTenant(t, s), "view", "u", t0))
	var (
		last   event.Event
		chunks []int
	)
	for {
		list, err := s.Events().After(t.Context(), scope, last, limit)
		must(t, err)
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
