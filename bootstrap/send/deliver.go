package send

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// outcome is the answer to a batch: 200 with all, or a problem with what was decided before the service could not go on.
type outcome struct {
	Accepted      int `json:"accepted"`
	Duplicates    int `json:"duplicates"`
	RejectedCount int `json:"rejected_count"`
	// Rejected has the first ones only, if there are very many.
	Rejected []struct {
		Index int `json:"index"`
		Rejection
	} `json:"rejected"`
	NextIndex *int `json:"next_index"` // the first that was not decided; nil: none was, unless the status is 200
}

var errNotBatch = errors.New("the service gave an answer that makes no sense; is this the URL of the service, of the same version as this program?")

// read returns the outcome of a request with n events, and how many of them it decides. Most problems decide none.
func read(a answer, n int) (o outcome, decided int, err error) {
	malformed := json.Unmarshal(a.body, &o)
	switch {
	case a.status == http.StatusOK && malformed != nil:
		return outcome{}, 0, errNotBatch
	case a.status != http.StatusOK && (malformed != nil || o.NextIndex == nil):
		return outcome{}, 0, nil
	}
	decided, err = o.check(a.status, n)
	return o, decided, err
}

// check makes sure that an answer to n events adds up, and returns how many of them it decides.
func (o outcome) check(status, n int) (decided int, err error) {
	if status == http.StatusOK {
		decided = n
		if o.Accepted+o.Duplicates+o.RejectedCount != n {
			return 0, fmt.Errorf("%w It was sent %d events, and answered for %d", errNotBatch, n, o.Accepted+o.Duplicates+o.RejectedCount)
		}
	} else {
		decided = *o.NextIndex
	}
	before := -1
	for _, r := range o.Rejected {
		if r.Index <= before {
			return 0, errNotBatch
		}
		before = r.Index
	}
	if decided < 0 || decided > n || before >= decided || len(o.Rejected) > o.RejectedCount || len(o.Rejected) == 0 && o.RejectedCount > 0 {
		return 0, errNotBatch
	}
	return decided, nil
}

// deliver sends lines until the service has decided about each. It counts in total, and returns the rejected ones, also with
// an error, which says why it did not go on.
func (s *sender) deliver(ctx context.Context, lines []line) (rejected []refusal, err error) {
	var (
		tries   retries
		at      int // the first line that is not dealt with
		counted int // where those begin that were never decided; those before it are sent again to learn which are rejected
	)
	for at < len(lines) {
		end := len(lines)
		again := at < counted
		if again {
			end = counted
		}
		o, decided, err := s.attempt(ctx, lines[at:end], &tries)
		if !again {
			s.total.Stored += int64(o.Accepted)
			s.total.Duplicates += int64(o.Duplicates)
			counted = at + decided
		}
		next := at + decided
		for _, r := range o.Rejected {
			l := lines[at+r.Index]
			r.Line = l.number
			rejected = append(rejected, refusal{l.raw, r.Rejection})
			if len(o.Rejected) < o.RejectedCount {
				next = at + r.Index + 1
			}
		}
		if err != nil {
			return rejected, err
		}
		at = next
	}
	return rejected, nil
}

// attempt makes one request, and returns how far the service came, also with an error. If it fails and may be repeated, it waits or
// renews the session before it returns.
func (s *sender) attempt(ctx context.Context, lines []line, tries *retries) (o outcome, decided int, err error) {
	token, err := s.session.token(ctx)
	if err != nil {
		return o, 0, err
	}
	body, encoding, err := s.pack(lines)
	if err != nil {
		return o, 0, err
	}
	a, failure := s.client.post(ctx, request{
		path: "/analytics/events/batch", token: token, kind: "application/x-ndjson", encoding: encoding, body: body,
	})
	if o, decided, err = read(a, len(lines)); err != nil {
		return outcome{}, 0, err
	}
	if decided > 0 {
		*tries = retries{}
	}
	switch {
	case a.status == http.StatusOK:
		return o, decided, nil
	case a.status == http.StatusUnauthorized && !tries.renewed:
		tries.renewed = true
		return o, decided, s.session.renew(ctx)
	}
	return o, decided, s.client.pause(ctx, tries, a, failure)
}

// A compressed body may have freeExpansion bytes, and maxRatio times those that were sent, at any point of it: the service refuses
// more.
const (
	freeExpansion = 1 << 20
	maxRatio      = 100
)

// pack returns lines as the body of a request, and its encoding: compressed, unless it would become too small for the service.
func (s *sender) pack(lines []line) (body []byte, encoding string, err error) {
	for _, l := range lines {
		body = append(append(body, l.event...), '\n')
	}
	var compressed bytes.Buffer
	s.zip.Reset(&compressed)
	written := 0
	for part := range slices.Chunk(body, 16<<10) {
		if _, err := s.zip.Write(part); err != nil {
			return nil, "", fmt.Errorf("compressing events: %w", err)
		}
		if written += len(part); written > freeExpansion+maxRatio*compressed.Len() {
			return body, "", nil
		}
	}
	if err := s.zip.Close(); err != nil {
		return nil, "", fmt.Errorf("compressing events: %w", err)
	}
	return compressed.Bytes(), "gzip", nil
}
