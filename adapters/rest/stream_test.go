package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestStream: what becomes of each line.
func TestStream(t *testing.T) {
	lineOf := func(size int) string {
		const start, end = `{"event_type":"view",`, `"user_identifier":"u"}`
		return start + strings.Repeat(" ", size-len(start)-len(end)) + end
	}
	long := `{"event_type":"` + strings.Repeat("x", 64<<10) + `","user_identifier":"u"}` + "\n"
	for _, c := range []struct {
		name, body string
		accepted   int
		rejected   string // the index, code and field of each
	}{
		{"nothing", "", 0, ""},
		{"one", view, 1, ""},
		{"no newline at the end", view + strings.TrimSpace(view), 2, ""},
		{"CRLF", strings.ReplaceAll(view+view, "\n", "\r\n"), 2, ""},
		{"blank lines are counted", "\n  \n\t\r\n" + view + "\n{}\n", 1, "5 invalid_request event_type"},
		{"not JSON", "nonsense\n" + view, 1, "0 malformed_json body"},
		{"cut off", `{"event_type":"vi` + "\n" + view, 1, "0 malformed_json body"},
		{"two on a line", strings.TrimSpace(view) + view + view, 1, "0 malformed_json body"},
		{"an array", "[" + strings.TrimSpace(view) + "]\n" + view, 1, "0 invalid_request body"},
		{"null", "null\n" + view, 1, "0 invalid_request body"},
		{"unknown field", `{"event_type":"view","user_identifier":"u","colour":"red"}` + "\n" + view, 1, "0 invalid_request colour"},
		{"wrong type", `{"event_type":"view","user_identifier":7}` + "\n" + view, 1, "0 invalid_request user_identifier"},
		{"field twice", `{"event_type":"view","event_type":"x","user_identifier":"u"}` + "\n" + view, 1, "0 malformed_json event_type"},
		{"invalid UTF-8", `{"event_type":"` + "\xff" + `","user_identifier":"u"}` + "\n" + view, 1, "0 malformed_json body"},
		{"NUL", `{"event_type":"` + "\x00" + `","user_identifier":"u"}` + "\n" + view, 1, "0 malformed_json body"},
		{"byte order mark", "\ufeff" + view + view, 1, "0 malformed_json body"},
		{"deep", `{"properties":` + strings.Repeat(`{"a":`, 20_000) + "\n" + view, 1, "0 too_large "},
		{"deep, and short enough", strings.Repeat("[", 60_000) + "\n" + view, 1, "0 malformed_json body"},
		{"as large as may be", lineOf(64<<10) + "\n" + view, 2, ""},
		{"as large as may be, CRLF", lineOf(64<<10) + "\r\n" + view, 2, ""},
		{"as large as may be, at the end", view + lineOf(64<<10), 2, ""},
		{"a byte too large", lineOf(64<<10+1) + "\n" + view, 1, "0 too_large "},
		{"too large", long + view + long + view, 2, "0 too_large |2 too_large "},
		{"too large at the end", view + strings.TrimSpace(long), 1, "1 too_large "},
		{"many buffers", view + strings.Repeat(long[:1<<10], 1<<10) + "\n" + view, 2, "1 too_large "},
		{"only spaces, too many", strings.Repeat(" ", 200<<10) + "\n" + view, 1, "0 too_large "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &batches{}
			got := post(t, serve(t, b), mediaNDJSON, strings.NewReader(c.body))
			var rejected []string
			for _, r := range got.Rejected {
				rejected = append(rejected, fmt.Sprintf("%d %s %s", r.Index, r.Code, r.Field))
			}
			if got.status != 200 || got.Accepted != c.accepted || strings.Join(rejected, "|") != c.rejected || got.RejectedCount != len(rejected) {
				t.Errorf("%+v", got)
			}
			if key := got.header.Get("Idempotency-Key"); key != "" {
				t.Errorf("a stream was given the key %q", key)
			}
		})
	}
}

// TestStream_rejected: all rejected lines are counted, and the first 1,000 listed.
func TestStream_rejected(t *testing.T) {
	got := post(t, serve(t, &batches{}), mediaNDJSON, strings.NewReader(strings.Repeat("x\n"+view, 2500)))
	if got.Accepted != 2500 || got.RejectedCount != 2500 || len(got.Rejected) != rest.MaxRejected || got.Rejected[999].Index != 1998 {
		t.Errorf("%d accepted, %d rejected, %d listed", got.Accepted, got.RejectedCount, len(got.Rejected))
	}
	if !slices.IsSortedFunc(got.Rejected, func(a, b struct {
		Index                int
		Code, Field, Message string
	}) int {
		return a.Index - b.Index
	}) {
		t.Error("they are not in order")
	}
}

// TestStream_connection: after a stream the connection serves further requests.
func TestStream_connection(t *testing.T) {
	b := &batches{}
	server := serve(t, b)
	for i := range 100 {
		if got := post(t, server, mediaNDJSON, strings.NewReader(view)); got.status != 200 || b.count() != i+1 {
			t.Fatalf("the stream number %d: %+v", i, got)
		}
	}
}

// live is a stream that the test writes as it goes.
type live struct {
	*io.PipeWriter
	answered chan result
}

func startLive(t *testing.T, server *httptest.Server, header ...string) live {
	t.Helper()
	body, in := io.Pipe()
	l := live{in, make(chan result, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := request(t, server.URL, mediaNDJSON, body, header...)
		if err != nil {
			t.Errorf("the stream: %v", err)
		}
		l.answered <- got
		_ = body.Close()
	}()
	t.Cleanup(func() { _ = in.Close(); <-done })
	return l
}

func (l live) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatalf("writing to the stream: %v", err)
	}
}

// TestStream_live: lines are stored as they arrive, and half a line waits for the other half.
func TestStream_live(t *testing.T) {
	b := &batches{}
	l := startLive(t, serve(t, b))
	for i := range 3 {
		l.write(t, view[:10])
		l.write(t, view[10:])
		porttest.Eventually(t, "the line is stored", func() bool { return b.count() == i+1 })
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-l.answered; got.status != 200 || got.Accepted != 3 {
		t.Errorf("%+v", got)
	}
}

// TestStream_stopped: a stream that can't go on is answered with what became of its lines, and the line to go on with.
func TestStream_stopped(t *testing.T) {
	stop := make(chan struct{})
	for _, c := range []struct {
		name   string
		fail   func(b *batches)
		send   string
		status int
		code   string
	}{
		{"revoked", func(b *batches) { b.revoked = session.ErrInvalidToken }, view, 401, "invalid_token"},
		{"revoked within a line without end", func(b *batches) { b.revoked = session.ErrInvalidToken }, "", 401, "invalid_token"},
		{"another role", func(b *batches) { b.fail = access.ErrForbidden }, view, 403, "forbidden"},
		{"database gone", func(b *batches) { b.fail = ports.ErrUnavailable }, view, 503, "unavailable"},
		{"too much", func(b *batches) { b.fail = ports.ErrBusy }, view, 503, "busy"},
		{"bug", func(b *batches) { b.fail = errors.New("a bug") }, view, 500, "internal"},
		{"shutdown", func(*batches) { close(stop) }, "", 503, "stopping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &batches{}
			l := startLive(t, serve(t, b, func(d *rest.Dependencies) { d.Stopping = stop }))
			l.write(t, "\nx\n"+view)
			porttest.Eventually(t, "the lines are dealt with", func() bool { return b.count() == 2 })
			b.set(func() { c.fail(b) })
			if c.send == "" {
				go func() { // until the service refuses to read
					for {
						if _, err := io.WriteString(l, strings.Repeat("x", 64<<10)); err != nil {
							return
						}
					}
				}()
			} else {
				l.write(t, c.send)
			}
			got := <-l.answered
			if got.status != c.status || got.Code != c.code || got.Accepted != 1 || got.RejectedCount != 1 || got.NextIndex == nil || *got.NextIndex < 3 {
				t.Fatalf("%+v", got)
			}
			if c.send != "" && *got.NextIndex != 3 {
				t.Errorf("the stream goes on with line %d", *got.NextIndex)
			}
			if retry := got.header.Get("Retry-After"); (retry != "") != (c.status == 503) {
				t.Errorf("Retry-After is %q", retry)
			}
		})
	}
}

// TestStream_authorized: whoever may not ingest is refused before anything is read, and with an empty stream too.
func TestStream_authorized(t *testing.T) {
	b := &batches{fail: access.ErrForbidden}
	server := serve(t, b)
	l := startLive(t, server)
	for _, got := range []result{<-l.answered, post(t, server, mediaNDJSON, strings.NewReader(""))} {
		if got.status != 403 || got.NextIndex == nil || *got.NextIndex != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// full is a gate without a free slot.
type full struct{}

func (full) Enter(context.Context, id.Tenant) (func(), error) { return nil, ports.ErrTooManyBatches }

// TestBatch_full: a batch or a stream beyond as many as there may be at once is refused.
func TestBatch_full(t *testing.T) {
	server := serve(t, &batches{}, func(d *rest.Dependencies) { d.Batches, d.Streams = full{}, full{} })
	for mediaType, body := range map[string]string{"application/json": `{"events":[]}`, mediaNDJSON: view} {
		got := post(t, server, mediaType, strings.NewReader(body))
		if got.status != 429 || got.Code != "too_many_batches" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v", mediaType, got)
		}
	}
}

// TestStream_gone: a stream whose client has gone ends, and half a line is not stored.
func TestStream_gone(t *testing.T) {
	b := &batches{}
	server := serve(t, b)
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	lines := view + view[:20]
	if _, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
		batchPath, mediaNDJSON, len(lines), lines); err != nil {
		t.Fatal(err)
	}
	porttest.Eventually(t, "the line is stored", func() bool { return b.count() == 1 })
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	porttest.Eventually(t, "the request has ended", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.logged) == 1
	})
	if n := b.count(); n != 1 || b.logged[0].Status == http.StatusOK {
		t.Errorf("%d lines are stored, and the request is logged as %d", n, b.logged[0].Status)
	}
}
