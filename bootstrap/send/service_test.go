package send_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const (
	email    = "ann@acme.com"
	password = "SecurePass1"
)

// fakeService stores events as the service does, and fails as it is told.
type fakeService struct {
	url string
	// fail is asked before each batch, with its number from 1 and how many events it has; nil: nothing fails.
	fail func(number, events int) failure

	mu      sync.Mutex
	stored  map[string]string // bodies by event_id
	batches int
	tokens  int             // issued
	live    map[string]bool // access and refresh tokens
}

// failure is how a batch fails. The zero failure is none.
type failure struct {
	status     int // 0: none
	after      int // events that are dealt with before
	lost       bool
	expired    bool // the token is refused, from here on
	retryAfter string
}

func newService(t *testing.T) *fakeService {
	s := &fakeService{stored: map[string]string{}, live: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/auth/login", s.signIn)
	mux.HandleFunc("POST /api/v1/auth/refresh", s.refresh)
	mux.HandleFunc("POST /api/v1/auth/logout", s.signOut)
	mux.HandleFunc("POST /api/v1/analytics/events/batch", s.batch)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *fakeService) issue(w http.ResponseWriter) {
	s.tokens++
	access, refresh := fmt.Sprintf("access-%d", s.tokens), fmt.Sprintf("refresh-%d", s.tokens)
	s.live[access], s.live[refresh] = true, true
	_ = json.NewEncoder(w).Encode(map[string]string{"access_token": access, "refresh_token": refresh})
}

func (s *fakeService) signIn(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var given struct{ Email, Password string }
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil || given.Email != email || given.Password != password {
		problem(w, http.StatusUnauthorized, map[string]any{"code": "bad_credentials", "detail": "Wrong. \x1b[31m"})
		return
	}
	s.issue(w)
}

func (s *fakeService) refresh(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var given struct {
		Token string `json:"refresh_token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil || !s.live[given.Token] {
		problem(w, http.StatusUnauthorized, map[string]any{"code": "invalid_token"})
		return
	}
	delete(s.live, given.Token)
	s.issue(w)
}

func (s *fakeService) signOut(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.live)
	w.WriteHeader(http.StatusNoContent)
}

func problem(w http.ResponseWriter, status int, fields map[string]any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(fields)
}

func (s *fakeService) batch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	token := r.Header.Get("Authorization")[len("Bearer "):]
	if !s.live[token] {
		problem(w, http.StatusUnauthorized, map[string]any{"code": "invalid_token"})
		return
	}
	lines, err := bodyLines(r)
	if err != nil {
		problem(w, http.StatusBadRequest, map[string]any{"code": "malformed", "detail": err.Error()})
		return
	}
	var f failure
	if s.fail != nil {
		f = s.fail(s.batches, len(lines))
	}
	if f.expired {
		clear(s.live)
		f.status = http.StatusUnauthorized
	}
	if f.status != 0 && !f.lost {
		lines = lines[:f.after]
	}
	result := s.store(lines)
	switch {
	case f.lost:
		panic(http.ErrAbortHandler)
	case f.status != 0:
		if f.retryAfter != "" {
			w.Header().Set("Retry-After", f.retryAfter)
		}
		result["code"], result["detail"] = "failing", "It fails."
		if f.after > 0 {
			result["next_index"] = f.after
		}
		problem(w, f.status, result)
	default:
		_ = json.NewEncoder(w).Encode(result)
	}
}

func bodyLines(r *http.Request) (lines []string, err error) {
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		return nil, fmt.Errorf("a body of type %s", r.Header.Get("Content-Type"))
	}
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 2<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}

// store stores events, and returns the counts. An event without a type is rejected.
func (s *fakeService) store(lines []string) map[string]any {
	var accepted, duplicates, count int
	rejected := []map[string]any{}
	for i, text := range lines {
		var e struct {
			Type string `json:"event_type"`
			ID   string `json:"event_id"`
		}
		err := json.Unmarshal([]byte(text), &e)
		body, found := s.stored[e.ID]
		why := ""
		switch {
		case err != nil:
			why = "malformed"
		case e.Type == "" || e.ID == "":
			why = "invalid"
		case found && body != text:
			why = "event_id_reused"
		case found:
			duplicates++
		default:
			accepted++
			s.stored[e.ID] = text
		}
		if why != "" {
			count++
			if len(rejected) < 1000 {
				rejected = append(rejected, map[string]any{"index": i, "code": why, "field": "event_type", "message": cmp.Or(e.Type, "is wrong")})
			}
		}
	}
	return map[string]any{"accepted": accepted, "duplicates": duplicates, "rejected_count": count, "rejected": rejected}
}
