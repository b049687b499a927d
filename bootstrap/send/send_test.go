package send_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/send"
)

// attempt is one run of Send, and what it did.
type attempt struct {
	send.Options
	waits   []time.Duration
	notices strings.Builder
}

func newAttempt(t *testing.T, s *fakeService) *attempt {
	a := &attempt{}
	a.Options = send.Options{
		URL: s.url, Agent: "test", Format: send.NDJSON, Email: email, Password: password,
		Rejected: filepath.Join(t.TempDir(), "rejected.ndjson"),
		Progress: func(send.Total) {},
		Notice:   func(text string) { fmt.Fprintln(&a.notices, text) },
		Wait: func(ctx context.Context, d time.Duration) error {
			a.waits = append(a.waits, d)
			return ctx.Err()
		},
	}
	return a
}

// of sends an input. A line that says where it was read is of no interest.
func (a *attempt) of(t *testing.T, input string) (send.Total, error) {
	t.Helper()
	total, err := send.Send(t.Context(), strings.NewReader(input), a.Options)
	total.Read = 0
	if text := fmt.Sprint(err, a.notices.String()); strings.Contains(text, password) || strings.Contains(text, "access-") || strings.Contains(text, "refresh-") {
		t.Errorf("a secret shows in %s", text)
	}
	return total, err
}

// events returns n lines, of which those at a multiple of faulty have no type.
func events(n, faulty int) string {
	var text strings.Builder
	for i := range n {
		eventType := "click"
		if faulty > 0 && i%faulty == 0 {
			eventType = ""
		}
		fmt.Fprintf(&text, `{"event_type":%q,"user_identifier":"user-%d","occurred_at":"2026-11-01T09:00:00Z"}`+"\n", eventType, i)
	}
	return text.String()
}

// TestSend: whatever fails on the way, in the end each event is stored once, and each rejected line is in the file.
func TestSend(t *testing.T) {
	on := func(number int, f failure) func(int, int) failure {
		return func(n, _ int) failure {
			if n == number {
				return f
			}
			return failure{}
		}
	}
	const n = 12_000 // in two requests
	for _, c := range []struct {
		name   string
		faulty int
		fail   func(number, events int) failure
		want   send.Total
		waits  int
		tokens int // that were issued
	}{
		{"all is well", 0, nil, send.Total{Stored: n}, 0, 1},
		{"the service is busy at first", 0, on(1, failure{status: 503}), send.Total{Stored: n}, 1, 1},
		{"it stops in the middle", 0, on(2, failure{status: 503, after: 777}), send.Total{Stored: n}, 1, 1},
		{"it stops in the middle of rejected lines", 10, on(1, failure{status: 503, after: 777}), send.Total{Stored: n - n/10, Rejected: n / 10}, 1, 1},
		{"an answer is lost", 0, on(2, failure{lost: true}), send.Total{Stored: 10_000, Duplicates: n - 10_000}, 1, 1},
		{"a rate is used up", 0, on(2, failure{status: 429}), send.Total{Stored: n}, 1, 1},
		{"a proxy has lost the service", 0, on(2, failure{status: 502}), send.Total{Stored: n}, 1, 1},
		{"the session ends", 0, on(2, failure{expired: true}), send.Total{Stored: n}, 0, 2},
		{"the session ends within a request", 0, on(2, failure{expired: true, after: 5}), send.Total{Stored: n}, 0, 2},
		{"few are rejected", 1000, nil, send.Total{Stored: n - 12, Rejected: 12}, 0, 1},
		{"more are rejected than an answer names", 3, nil, send.Total{Stored: n - n/3, Rejected: n / 3}, 0, 1},
		{"more are rejected than an answer names, and it stops there", 2, on(1, failure{status: 503, after: 5000}), send.Total{Stored: n / 2, Rejected: n / 2}, 1, 1},
		{"all are rejected", 1, nil, send.Total{Rejected: n}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.fail = c.fail
			a := newAttempt(t, s)
			total, err := a.of(t, events(n, c.faulty))
			if total != c.want || errors.Is(err, send.ErrRejected) != (c.want.Rejected > 0) || c.want.Rejected == 0 && err != nil {
				t.Errorf("sent %+v, %v, want %+v", total, err, c.want)
			}
			if len(s.stored) != int(total.Stored+total.Duplicates) || len(a.waits) != c.waits || s.tokens != c.tokens || len(s.live) > 0 {
				t.Errorf("%d stored, waits %v, %d pairs of tokens, %d left", len(s.stored), a.waits, s.tokens, len(s.live))
			}
			if c.want.Rejected == 0 {
				return
			}
			var want strings.Builder
			for i, line := range strings.Split(strings.TrimSpace(events(n, c.faulty)), "\n") {
				if i%c.faulty == 0 {
					fmt.Fprintln(&want, line)
				}
			}
			if got := content(t, a.Rejected); got != want.String() {
				t.Errorf("the rejected lines are %d bytes, want %d", len(got), want.Len())
			}
			if reasons := content(t, send.ReasonsPath(a.Rejected)); int64(strings.Count(reasons, "\n")) != c.want.Rejected {
				t.Errorf("%d reasons", strings.Count(reasons, "\n"))
			}
		})
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSendAgain: an input that is sent again, whole or with lines added, stores no event twice; equal lines are two events.
func TestSendAgain(t *testing.T) {
	s := newService(t)
	first := events(10, 0)
	for _, c := range []struct {
		name, input string
		want        send.Total
	}{
		{"first", first, send.Total{Stored: 10}},
		{"again", first, send.Total{Duplicates: 10}},
		{"with other line ends", strings.ReplaceAll(first, "\n", "\r\n\r\n"), send.Total{Duplicates: 10}},
		{"with each line twice", first + first, send.Total{Stored: 10, Duplicates: 10}},
		{"with lines added", `{"event_type":"a"}` + "\n" + first + `{"event_type":"b"}`, send.Total{Stored: 2, Duplicates: 10, Undated: 2}},
		{"null is none", `{"event_type":"c","event_id":null,"occurred_at":null}` + "\n{}", send.Total{Stored: 1, Rejected: 1, Undated: 1}},
	} {
		if total, err := newAttempt(t, s).of(t, c.input); total != c.want || err != nil && !errors.Is(err, send.ErrRejected) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, total, err, c.want)
		}
	}
}

// TestSendFails: what can't be mended by waiting ends it, and an error that goes on, too.
func TestSendFails(t *testing.T) {
	always := func(f failure) func(int, int) failure { return func(int, int) failure { return f } }
	for _, c := range []struct {
		name  string
		fail  func(int, int) failure
		set   func(*attempt)
		waits int
		says  string
	}{
		{"always busy", always(failure{status: 503}), nil, 9, "It fails. [failing"},
		{"always lost", always(failure{lost: true}), nil, 9, "EOF"},
		{"not allowed", always(failure{status: 403}), nil, 0, "403 Forbidden"},
		{"not there", nil, func(a *attempt) { a.URL += "/elsewhere" }, 0, "404 Not Found"},
		{"always ending sessions", always(failure{expired: true}), nil, 0, "401 Unauthorized"},
		{"a token that is refused", nil, func(a *attempt) { a.Email, a.Token = "", "gone" }, 0, "the token was refused"},
		{"a wrong password", nil, func(a *attempt) { a.Password = "wrong" }, 0, "signing in: the service answered 401 Unauthorized: Wrong. [31m [bad_credentials"},
		{"told to come back tomorrow", always(failure{status: 429, retryAfter: "86400"}), nil, 0, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.fail = c.fail
			a := newAttempt(t, s)
			if c.set != nil {
				c.set(a)
			}
			total, err := a.of(t, events(10, 0))
			if err == nil || !strings.Contains(err.Error(), c.says) || len(a.waits) != c.waits {
				t.Errorf("%+v, %v after %v", total, err, a.waits)
			}
		})
	}
}

// TestSendFails_midway: what the service has decided about before it fails is counted, and its rejected lines are in the file.
func TestSendFails_midway(t *testing.T) {
	s := newService(t)
	s.fail = func(int, int) failure { return failure{status: 403, after: 777} }
	a := newAttempt(t, s)
	total, err := a.of(t, events(1000, 10))
	if want := (send.Total{Stored: 699, Rejected: 78}); err == nil || errors.Is(err, send.ErrRejected) || total != want {
		t.Errorf("%+v, %v, want %+v", total, err, want)
	}
	if n := strings.Count(content(t, a.Rejected), "\n"); n != 78 {
		t.Errorf("%d rejected lines", n)
	}
}

// TestSendWaits: as long as the service says, else longer each time.
func TestSendWaits(t *testing.T) {
	s := newService(t)
	s.fail = func(n, _ int) failure {
		return []failure{{status: 429, retryAfter: "7"}, {status: 503}, {status: 503}, {}}[n-1]
	}
	a := newAttempt(t, s)
	if _, err := a.of(t, events(1, 0)); err != nil || len(a.waits) != 3 {
		t.Fatal(err, a.waits)
	}
	if a.waits[0] != 7*time.Second || a.waits[1] < time.Second || a.waits[1] > 1500*time.Millisecond || a.waits[2] < 2*time.Second {
		t.Errorf("waited %v", a.waits)
	}
}

// TestSendInterrupted: it ends when the context ends, and signs out.
func TestSendInterrupted(t *testing.T) {
	s := newService(t)
	a := newAttempt(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	a.Progress = func(send.Total) { cancel() }
	total, err := send.Send(ctx, strings.NewReader(events(50_000, 0)), a.Options)
	if !errors.Is(err, context.Canceled) || total.Stored != 10_000 || len(s.live) > 0 {
		t.Errorf("%+v, %v, %d tokens", total, err, len(s.live))
	}
}

// TestSendKeepsRejected: a file of rejected lines, which somebody may be mending, is never written over.
func TestSendKeepsRejected(t *testing.T) {
	for _, of := range []func(string) string{func(path string) string { return path }, send.ReasonsPath} {
		s := newService(t)
		a := newAttempt(t, s)
		if err := os.WriteFile(of(a.Rejected), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.of(t, "{}\n"); err == nil || s.batches > 0 || content(t, of(a.Rejected)) != "mine" {
			t.Errorf("%s: %v after %d requests", of(a.Rejected), err, s.batches)
		}
	}
}

// TestSendNonsense: an answer that does not account for each event is not taken for success.
func TestSendNonsense(t *testing.T) {
	for _, answer := range []string{
		"", "hello", "{}", `{"accepted":1}`, `{"accepted":3}`, `{"accepted":1,"rejected_count":1}`, `{"accepted":3,"rejected_count":-1}`,
		`{"accepted":1,"rejected_count":1,"rejected":[{"index":2}]}`, `{"accepted":1,"rejected_count":1,"rejected":[{"index":-1}]}`,
		`{"accepted":0,"rejected_count":2,"rejected":[{"index":1},{"index":0}]}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		t.Cleanup(server.Close)
		a := newAttempt(t, &fakeService{url: server.URL})
		a.Email, a.Token = "", "token"
		if total, err := a.of(t, events(2, 0)); err == nil || errors.Is(err, send.ErrRejected) {
			t.Errorf("%s: %+v, %v", answer, total, err)
		}
	}
}

// TestExamples: the examples of testdata, and what is wrong with the faulty ones.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		file   string
		format send.Format
		want   send.Total
		lines  []int // that are rejected
	}{
		{"events.ndjson", send.NDJSON, send.Total{Stored: 5}, nil},
		{"events.csv", send.CSV, send.Total{Stored: 4}, nil},
		{"faulty.ndjson", send.NDJSON, send.Total{Stored: 2, Rejected: 3}, []int{2, 3, 4}},
		{"faulty.csv", send.CSV, send.Total{Stored: 3, Rejected: 3}, []int{3, 4, 6}}, // the service, not the fake, also rejects line 5
	} {
		t.Run(c.file, func(t *testing.T) {
			a := newAttempt(t, newService(t))
			a.Format = c.format
			input := content(t, filepath.Join("../../testdata/send", c.file))
			total, err := a.of(t, input)
			if total != c.want || errors.Is(err, send.ErrRejected) != (c.lines != nil) {
				t.Fatalf("%+v, %v", total, err)
			}
			if c.lines == nil {
				return
			}
			all := strings.SplitAfter(input, "\n")
			want := ""
			if c.format == send.CSV {
				want = all[0]
			}
			var numbers []int
			for line := range strings.Lines(content(t, send.ReasonsPath(a.Rejected))) {
				var number int
				if _, err := fmt.Sscanf(line, `{"line":%d`, &number); err != nil {
					t.Fatal(err)
				}
				numbers = append(numbers, number)
				want += all[number-1]
			}
			if got := content(t, a.Rejected); got != want || !reflect.DeepEqual(numbers, c.lines) {
				t.Errorf("rejected %v:\n%s", numbers, got)
			}
		})
	}
}
