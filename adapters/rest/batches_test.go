package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// batches is a fake of the dependencies that accepts every token until fail says otherwise, and keeps the items that are ingested.
type batches struct {
	waiting

	mu      sync.Mutex
	items   []event.Item
	revoked error // of authentication
	fail    error // of ingest
	asked   int   // how often it was authenticated
	logged  []audit.Request
}

func (b *batches) Authenticate(context.Context, string) (session.Caller, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return session.Caller{User: user.User{TenantID: "t", Role: access.Analyst}}, b.revoked
}

func (b *batches) Request(_ context.Context, r audit.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logged = append(b.logged, r)
}

func (b *batches) IssueKey(context.Context, access.Principal, id.Tenant) (string, error) {
	return "issued", nil
}

// IngestBatch accepts what can be read.
func (b *batches) IngestBatch(_ context.Context, _ access.Principal, _ id.Tenant, _ string, items []event.Item, _ bool) (event.Counts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return event.Counts{}, b.fail
	}
	var counts event.Counts
	for _, item := range items {
		if item.Fault != nil {
			counts.Rejected = append(counts.Rejected, event.Rejection{Index: item.Index, Fault: item.Fault})
		} else {
			counts.Accepted++
		}
	}
	b.items = append(b.items, items...)
	return counts, nil
}

// set changes what the fake answers.
func (b *batches) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *batches) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// result is the answer to a batch, or the problem with its counts.
type result struct {
	status int
	header http.Header
	Code   string
	Accepted, Duplicates,
	RejectedCount int
	Rejected []struct {
		Index                int
		Code, Field, Message string
	}
	NextIndex *int
}

// UnmarshalJSON reads the names of the contract.
func (r *result) UnmarshalJSON(raw []byte) error {
	var body struct {
		Code          string          `json:"code"`
		Accepted      int             `json:"accepted"`
		Duplicates    int             `json:"duplicates"`
		RejectedCount int             `json:"rejected_count"`
		Rejected      json.RawMessage `json:"rejected"`
		NextIndex     *int            `json:"next_index"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return err
	}
	r.Code, r.Accepted, r.Duplicates, r.RejectedCount, r.NextIndex = body.Code, body.Accepted, body.Duplicates, body.RejectedCount, body.NextIndex
	if body.Rejected == nil {
		return nil
	}
	return json.Unmarshal(body.Rejected, &r.Rejected)
}

// serve runs the API with a fake over real HTTP.
func serve(t *testing.T, b *batches, change ...func(*rest.Dependencies)) *httptest.Server {
	t.Helper()
	deps := dependencies(b)
	for _, c := range change {
		c(&deps)
	}
	unlimited := ports.Rate{Unlimited: true}
	e, err := rest.New(deps, rest.Settings{
		RequestTimeout: 25 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		Limits: rest.Limits{Default: unlimited, Roles: map[access.Role]ports.Rate{access.Analyst: unlimited}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server
}

const batchPath = "/api/v1/analytics/events/batch"

// post sends a body, which may be a stream, and returns the answer.
func post(t *testing.T, server *httptest.Server, mediaType string, body io.Reader, header ...string) result {
	t.Helper()
	r, err := request(t, server.URL, mediaType, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(t *testing.T, url, mediaType string, body io.Reader, header ...string) (result, error) {
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+batchPath, body)
	if err != nil {
		return result{}, err
	}
	q.Header.Set("Content-Type", mediaType)
	q.Header.Set("Authorization", "Bearer token")
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return result{}, err
	}
	raw, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return result{}, err
	}
	answer := result{status: response.StatusCode, header: response.Header}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return result{}, fmt.Errorf("%d %s: %w", response.StatusCode, raw, err)
	}
	return answer, nil
}

const (
	mediaNDJSON = "application/x-ndjson"
	view        = `{"event_type":"view","user_identifier":"u"}` + "\n"
)
