package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// stream is a request whose body is written as it goes.
type stream struct {
	*io.PipeWriter
	answered chan answer
}

// startStream begins to send lines. The answer must match the contract.
func (s *service) startStream(t *testing.T, p person, query string) stream {
	t.Helper()
	body, in := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+batchPath+query, body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", mediaNDJSON)
	q.Header.Set("Authorization", "Bearer "+p.access)
	began := stream{in, make(chan answer, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(began.answered)
		response, err := client.Do(q)
		if err != nil {
			t.Errorf("the stream: %v", err)
			return
		}
		raw, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Errorf("the answer to the stream: %v", err)
			return
		}
		a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Errorf("the answer to the stream: %d %s", response.StatusCode, raw)
		}
		q.Body = io.NopCloser(strings.NewReader("\n"))
		validateAgainstContract(t, q, a, raw)
		began.answered <- a
	}()
	t.Cleanup(func() { _ = in.Close(); <-done })
	return began
}

func (s stream) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatalf("writing to the stream: %v", err)
	}
}

// end ends the lines and returns the answer.
func (s stream) end(t *testing.T) answer {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return <-s.answered
}

// testStreams: lines are stored as they arrive, as many as there are, in the tenant that is meant.
func testStreams(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	l := s.startStream(t, p, "")
	for i := range 3 {
		l.write(t, lines(t, anEvent()))
		porttest.Eventually(t, "the line is stored", func() bool { return s.storedEvents(t, p) == i+1 })
	}
	if a := l.end(t); a.status != 200 || a.outcome() != "3 0 0" {
		t.Errorf("the live stream: %s", a.raw)
	}

	const many = 20_000
	l = s.startStream(t, p, "")
	for i := range many / 100 {
		var text strings.Builder
		for j := range 100 {
			fmt.Fprintf(&text, `{"event_type":"many","user_identifier":"u","event_id":"%d"}`+"\n", i*100+j)
		}
		l.write(t, text.String())
	}
	if a := l.end(t); a.status != 200 || a.outcome() != fmt.Sprintf("%d 0 0", many) {
		t.Errorf("the long stream: %s", a.raw)
	}
	s.clock.Advance(time.Second)
	if a := s.want(t, 200, request{method: "GET", path: api + "/analytics/metrics/summary", token: p.access}); a.body["total_events"] != float64(many+3) {
		t.Errorf("the summary has %v events", a.body["total_events"])
	}

	super := s.newPerson(t, newSlug(), access.SuperAdmin)
	before := s.storedEvents(t, super)
	s.want(t, 200, func() request {
		r := batchOf(super, lines(t, anEvent("event_type", "elsewhere")))
		r.path += query("tenant_id", string(p.user.TenantID))
		return r
	}())
	if found := s.want(t, 200, request{method: "GET", path: api + "/analytics/events?event_type=elsewhere", token: p.access}); strings.Count(found.raw, `"id"`) != 1 {
		t.Errorf("the event of the super_admin is not there: %s", found.raw)
	}
	if s.storedEvents(t, super) != before {
		t.Error("the event is in the super_admin's own tenant")
	}
	viewer := s.newPerson(t, newSlug(), access.Viewer)
	for status, r := range map[int]request{
		403: batchOf(viewer, ""),
		404: func() request { r := batchOf(super, ""); r.path += query("tenant_id", uuid.NewString()); return r }(),
	} {
		s.want(t, status, r)
	}
}

// testStoppedStreams: a stream ends when its token or role does, and its answer has what became of the lines until then.
func testStoppedStreams(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	admin := s.newPerson(t, slug, access.Admin)
	for _, c := range []struct {
		name   string
		stop   func(p person)
		status int
	}{
		{"signed out", func(p person) { s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: p.access}) }, 401},
		{"deactivated", func(p person) {
			s.want(t, 204, request{method: "DELETE", path: api + "/users/" + string(p.user.ID), token: admin.access})
		}, 401},
		{"another role", func(p person) {
			s.want(t, 200, request{method: "PUT", path: api + "/users/" + string(p.user.ID) + "/role", token: admin.access, body: map[string]string{"role": "viewer"}})
		}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.newPerson(t, slug, access.Analyst)
			before := s.storedEvents(t, admin)
			l := s.startStream(t, p, "")
			l.write(t, lines(t, anEvent(), anEvent("colour", "red"))+"\n")
			porttest.Eventually(t, "the line is stored", func() bool { return s.storedEvents(t, admin) == before+1 })
			c.stop(p)
			l.write(t, lines(t, anEvent(), anEvent()))
			a := <-l.answered
			if a.status != c.status || a.outcome() != "1 0 1 | 1 invalid_request colour" || a.body["next_index"] != 3.0 {
				t.Errorf("%d %s", a.status, a.raw)
			}
			if n := s.storedEvents(t, admin); n != before+1 {
				t.Errorf("%d events are stored, want 1", n-before)
			}
		})
	}
	t.Run("the service stops", func(t *testing.T) {
		s := start(t, generous().with(on(t)))
		p := s.newPerson(t, newSlug(), access.Analyst)
		l := s.startStream(t, p, "")
		l.write(t, lines(t, anEvent()))
		porttest.Eventually(t, "the line is stored", func() bool { return s.storedEvents(t, p) == 1 })
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		a := <-l.answered
		if a.status != 503 || a.body["code"] != "stopping" || a.outcome() != "1 0 0" || a.body["next_index"] != 1.0 || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.raw)
		}
	})
}

// testTooManyStreams: no tenant has all streams, or keeps another from sending.
func testTooManyStreams(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p, other := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Analyst)
	const atOnce = 16
	var open []stream
	for i := range atOnce {
		l := s.startStream(t, p, "")
		l.write(t, lines(t, anEvent()))
		porttest.Eventually(t, "the line is stored", func() bool { return s.storedEvents(t, p) == i+1 })
		open = append(open, l)
	}
	if a := s.want(t, 429, batchOf(p, lines(t, anEvent()))); a.body["code"] != "too_many_batches" || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: %v %s", a.header, a.raw)
	}
	s.want(t, 200, batchOf(other, lines(t, anEvent())))
	s.want(t, 200, batchOf(p, []map[string]any{anEvent()})) // a document has other limits
	for _, l := range open {
		if a := l.end(t); a.status != 200 || a.outcome() != "1 0 0" {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
	s.want(t, 200, batchOf(p, lines(t, anEvent())))
}
