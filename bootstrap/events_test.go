package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func testEvents(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	now := s.clock.Now()
	post := func(body map[string]any) answer {
		t.Helper()
		return s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: body})
	}
	full := post(map[string]any{"event_type": "view", "user_identifier": "u1", "session_id": "s", "value": 1.5, "source": "web",
		"occurred_at": now.Add(-48 * time.Hour).In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)})
	if full.body["tenant_id"] != string(p.user.TenantID) || full.body["value"] != 1.5 ||
		full.body["occurred_at"] != now.Add(-48*time.Hour).Format(time.RFC3339Nano) {
		t.Errorf("stored %s", full.raw)
	}
	minimal := post(map[string]any{"event_type": "click", "user_identifier": "u2", "value": nil})
	if v, given := minimal.body["session_id"]; !given || v != nil {
		t.Errorf("an absent field is not null: %s", minimal.raw)
	}
	post(map[string]any{"event_type": "view", "user_identifier": "u2", "occurred_at": now.AddDate(0, 0, -20).Format(time.RFC3339)})

	list := s.want(t, 200, request{method: "GET", path: api + "/analytics/events" + query("limit", "2"), token: p.access})
	var events []map[string]any
	if err := json.Unmarshal([]byte(list.raw), &events); err != nil || len(events) != 2 || events[0]["event_type"] != "click" || events[1]["id"] != full.body["id"] {
		t.Errorf("the newest are %s", list.raw)
	}
	s.clock.Advance(time.Second) // a window excludes its end
	for period, want := range map[string]string{
		"?period=7d": `[{"count":1,"event_type":"click"},{"count":1,"event_type":"view"}] 2 2`,
		"":           `[{"count":2,"event_type":"view"},{"count":1,"event_type":"click"}] 3 2`,
	} {
		a := s.want(t, 200, request{method: "GET", path: api + "/analytics/metrics/summary" + period, token: p.access})
		top, err := json.Marshal(a.body["top_event_types"])
		if got := fmt.Sprint(string(top), " ", a.body["total_events"], " ", a.body["unique_users"]); err != nil || got != want {
			t.Errorf("the summary %s is %s, want %s", period, got, want)
		}
	}
	for body, want := range map[string]string{
		`{}`:                    `[{"avg_value":1.5,"count":2,"event_type":"view"},{"avg_value":null,"count":1,"event_type":"click"}]`,
		`{"group_by":"source"}`: `[{"avg_value":null,"count":2,"source":null},{"avg_value":1.5,"count":1,"source":"web"}]`,
		`{"group_by":"day","event_type":"click"}`:                                            fmt.Sprintf(`[{"avg_value":null,"count":1,"day":%q}]`, now.Format(time.DateOnly)),
		`{"event_type":null,"start_date":null,"end_date":null,"group_by":null,"limit":null}`: `[{"avg_value":1.5,"count":2,"event_type":"view"},{"avg_value":null,"count":1,"event_type":"click"}]`,
		`{"limit":1}`: `[{"avg_value":1.5,"count":2,"event_type":"view"}]`,
		`{"end_date":"` + now.AddDate(0, 0, -1).Format(time.DateOnly) + `"}`:                          `[{"avg_value":1.5,"count":2,"event_type":"view"}]`,
		`{"start_date":"0001-01-01","end_date":"9999-12-31","event_type":"none","group_by":"source"}`: `[]`,
	} {
		a := s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: body})
		rows, err := json.Marshal(a.body["results"])
		if err != nil || string(rows) != want {
			t.Errorf("%s: %s, want %s", body, rows, want)
		}
	}
}

// testTimeseries: a series has every bucket of its period, of the clocks of a time zone, and is compared with the period before.
// Answers tell where they come from.
func testTimeseries(t *testing.T, on backend) {
	clock := porttest.NewClock()
	clock.Advance(time.Date(2026, 3, 30, 12, 30, 0, 0, time.UTC).Sub(clock.Now())) // clocks in Berlin changed on the 29th
	s := startWith(t, generous().with(on(t)), clock, func(time.Duration) <-chan time.Time { return nil })
	p := s.newPerson(t, newSlug(), access.Analyst)
	for _, e := range []struct {
		daysAgo int
		user    string
		value   any
	}{{0, "u1", 10}, {0, "u2", nil}, {1, "u1", 5}, {6, "u1", nil}, {8, "u3", 1}} {
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: map[string]any{
			"event_type": "view", "user_identifier": e.user, "source": "web", "value": e.value,
			"occurred_at": s.clock.Now().AddDate(0, 0, -e.daysAgo).Add(-time.Minute).Format(time.RFC3339),
		}})
	}
	questions := map[string]string{
		"?period=7d&timezone=Europe/Berlin&compare=previous": `{"change_percent":300,"granularity":"day","metric":"count","previous":{"series":8 of 1,"total":1},` +
			`"series":8 from 2026-03-23T00:00:00+01:00 to 2026-03-30T00:00:00+02:00 of 4,"timezone":"Europe/Berlin","total":4}`,
		"?period=7d&metric=unique_users": `{"change_percent":null,"granularity":"day","metric":"unique_users",` +
			`"series":8 from 2026-03-23T00:00:00Z to 2026-03-30T00:00:00Z of 4,"timezone":"UTC","total":2}`,
		"?metric=avg(value)&granularity=week&event_type=view": `{"change_percent":null,"granularity":"week","metric":"avg(value)",` +
			`"series":6 from 2026-02-23T00:00:00Z to 2026-03-30T00:00:00Z of 16 and 3 null,"timezone":"UTC","total":5.333333333333333}`,
		"?metric=sum(value)&granularity=month&source=none": `{"change_percent":null,"granularity":"month","metric":"sum(value)",` +
			`"series":2 from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z of 0,"timezone":"UTC","total":0}`,
	}
	ask := func(source string, read bool) {
		t.Helper()
		for of, want := range questions {
			a := s.want(t, 200, request{method: "GET", path: api + "/analytics/timeseries" + of, token: p.access})
			if got := describeSeries(t, a.body); got != want {
				t.Errorf("%s:\n%s, want\n%s", of, got, want)
			}
			if m, ok := a.body["meta"].(map[string]any); !ok || m["source"] != source || m["events_read"].(float64) > 0 != read || m["duration_ms"] == nil {
				t.Errorf("%s: meta is %v, not %s", of, a.body["meta"], source)
			}
		}
	}
	ask("rows", true)
	for more := true; more; {
		var err error
		if more, err = s.app.Sealing.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask("sealed", false)
}

// describeSeries returns the answer with each series as its length, its ends and its sum.
func describeSeries(t *testing.T, body map[string]any) string {
	t.Helper()
	short := func(series any, ends bool) string {
		points := series.([]any)
		var sum float64
		var null int
		for _, p := range points {
			if v, given := p.(map[string]any)["value"].(float64); given {
				sum += v
			} else {
				null++
			}
		}
		text := strconv.Itoa(len(points))
		if ends {
			text += fmt.Sprintf(" from %s to %s", points[0].(map[string]any)["time"], points[len(points)-1].(map[string]any)["time"])
		}
		text += fmt.Sprintf(" of %g", sum)
		if null > 0 {
			text += fmt.Sprintf(" and %d null", null)
		}
		return text
	}
	rest := maps.Clone(body)
	delete(rest, "tenant_id")
	delete(rest, "meta")
	rest["series"] = json.RawMessage(`"` + short(body["series"], true) + `"`)
	if previous, given := body["previous"].(map[string]any); given {
		rest["previous"] = map[string]any{"series": json.RawMessage(`"` + short(previous["series"], false) + `"`), "total": previous["total"]}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`"series":"([^"]*)"`).ReplaceAllString(string(text), `"series":$1`)
}

func testIdempotency(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p, other := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Analyst)
	post := func(status int, by person, key string, body map[string]any) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/analytics/events", token: by.access, body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	view := map[string]any{"event_type": "view", "user_identifier": "u"}
	first := post(201, p, "order 66", view)
	s.clock.Advance(time.Minute)
	again := post(200, p, "order 66", view)
	if first.raw != again.raw || again.header.Get("Idempotency-Key") != "order 66" {
		t.Errorf("the retry has another response:\n%s%s", first.raw, again.raw)
	}
	a := post(422, p, "order 66", map[string]any{"event_type": "click", "user_identifier": "u"})
	if a.body["code"] != "idempotency_key_reused" {
		t.Errorf("another event under the key: %s", a.raw)
	}
	if foreign := post(201, other, "order 66", view); foreign.body["id"] == first.body["id"] {
		t.Error("two tenants share an event")
	}
	generated := s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: view}).header.Get("Idempotency-Key")
	if generated == "" {
		t.Error("no key was generated")
	}
	post(200, p, generated, view)
	list := s.want(t, 200, request{method: "GET", path: api + "/analytics/events", token: p.access})
	if n := strings.Count(list.raw, `"id"`); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
	post(422, p, strings.Repeat("k", 256), view)
	post(422, p, "schlüssel", view)
}

func testExport(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	other := s.newPerson(t, newSlug(), access.Analyst)
	export := request{method: "GET", path: api + "/analytics/export", token: p.access}
	if a := s.want(t, 200, export); a.raw != "" {
		t.Errorf("the export of no events is %q", a.raw)
	}
	const many = 1200 // more than one chunk
	for i := range many {
		by := p
		if i%100 == 99 {
			by = other
		}
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: by.access, body: map[string]any{
			"event_type": "view", "user_identifier": "=cmd()\"\n"[:6], "occurred_at": s.clock.Now().Add(-time.Duration(i) * time.Second).Format(time.RFC3339Nano)}})
	}
	a := s.want(t, 200, export)
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") {
		t.Errorf("Content-Disposition: %s", got)
	}
	last, n := "", 0
	for line := range strings.Lines(a.raw) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if _, shows := e["tenant_id"]; shows || len(e) != 8 {
			t.Fatalf("a line is %s", line)
		}
		at, err := time.Parse(time.RFC3339, e["occurred_at"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if order := at.Format("2006-01-02T15:04:05.000000Z"); order < last {
			t.Fatal("the lines are not in order of time")
		} else {
			last = order
		}
		n++
	}
	if want := many - many/100; n != want {
		t.Errorf("%d lines, want %d", n, want)
	}
	if got := a.trailer.Get("Export-Events"); got != strconv.Itoa(n) {
		t.Errorf("the trailer says %q events", got)
	}
	entries := s.log.lines(t, "analytics.exported")
	if len(entries) != 2 || entries[0]["severity"] != "WARNING" || entries[0]["user_id"] != string(p.user.ID) {
		t.Errorf("recorded: %v", entries)
	}
}
