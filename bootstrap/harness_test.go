package bootstrap_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

const (
	api         = "/api/v1"
	mediaNDJSON = "application/x-ndjson"
	password    = "SecurePass1"
	secret      = "a secret for tests, which is long enough for HS256"
)

// settings are names and values of the configuration.
type settings map[string]string

// backend returns the settings of a new database for a service.
type backend func(t testing.TB) settings

func onSQLite(t testing.TB) settings {
	return settings{"DATABASE_URL": "sqlite://" + filepath.Join(t.TempDir(), "data.db")}
}

// generous returns settings with rate limits that no test reaches by accident.
func generous() settings {
	s := settings{"JWT_SECRET_KEY": secret, "PORT": "0"}
	for _, setting := range config.Settings() {
		if strings.HasPrefix(setting.Name, "RATE_LIMIT_") {
			s[setting.Name] = "1000000/minute"
		}
	}
	return s
}

// with returns s with the settings of all others added.
func (s settings) with(others ...settings) settings {
	all := maps.Clone(s)
	for _, o := range others {
		maps.Copy(all, o)
	}
	return all
}

// log is the output of a service, which may be read while it is written.
type log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// lines returns the lines of an event.
func (l *log) lines(t *testing.T, event string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("a log line is not JSON: %s", line)
		}
		if fields["event"] == event {
			found = append(found, fields)
		}
	}
	return found
}

// service is a running service, as main runs it.
type service struct {
	app *bootstrap.App
	// operator opens an App as the commands do, once.
	operator func() *bootstrap.App
	url      string
	clock    *porttest.Clock
	log      *log
	settings settings
	stop     func() error // once
}

// start runs a service until the test ends or stop is called.
func start(t testing.TB, s settings) *service {
	t.Helper()
	return startAt(t, s, porttest.NewClock())
}

// open opens a service with the settings. The caller closes it.
func open(t testing.TB, s settings, in bootstrap.Runtime) *bootstrap.App {
	t.Helper()
	c, err := config.Load(config.Sources{Env: func(name string) (string, bool) { v, ok := s[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	app, err := bootstrap.Open(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func startAt(t testing.TB, s settings, clock *porttest.Clock) *service {
	t.Helper()
	return startWith(t, s, clock, time.After)
}

// startWith is startAt with a replacement of time.After.
func startWith(t testing.TB, s settings, clock *porttest.Clock, after func(time.Duration) <-chan time.Time) *service {
	t.Helper()
	running := &service{clock: clock, log: &log{}, settings: s}
	running.app = open(t, s, bootstrap.Runtime{Output: running.log, Version: "test", Clock: clock, After: after, Serving: true})
	running.operator = sync.OnceValue(func() *bootstrap.App {
		app := open(t, s, bootstrap.Runtime{Output: running.log, Version: "test", Clock: clock})
		t.Cleanup(func() {
			if err := app.Close(); err != nil {
				t.Error(err)
			}
		})
		return app
	})
	ctx, cancel := context.WithCancel(context.Background())
	address, served := make(chan net.Addr, 1), make(chan error, 1)
	go func() { served <- running.app.Serve(ctx, func(a net.Addr) { address <- a }) }()
	running.stop = sync.OnceValue(func() error {
		cancel()
		if err := <-served; err != nil {
			return err
		}
		return running.app.Close()
	})
	select {
	case a := <-address:
		running.url = "http://" + a.String()
	case err := <-served:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.stop(); err != nil {
			t.Error(err)
		}
		for _, hidden := range []string{password, secret, "$argon2id$", "eyJ"} {
			if strings.Contains(running.log.String(), hidden) {
				t.Errorf("the log shows %q", hidden)
			}
		}
	})
	return running
}

// advance moves the clock forward. Postgres has its own clock, so there it moves the last use of each session back.
func (s *service) advance(t testing.TB, d time.Duration) {
	t.Helper()
	s.clock.Advance(d)
	if s.settings["MIGRATION_DATABASE_URL"] != "" {
		asOwner(t, s.settings, "UPDATE sessions SET last_used_at = last_used_at - interval '"+d.String()+"'")
	}
}

// asOwner runs a statement in Postgres as the owner of the tables.
func asOwner(t testing.TB, s settings, statement string) {
	t.Helper()
	db, err := sql.Open("postgres", s["MIGRATION_DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// roleIn returns the role and the database that a URL names.
func roleIn(t testing.TB, raw string) (role, database string) {
	t.Helper()
	u := parse(t, raw)
	return u.User.Username(), strings.TrimPrefix(u.Path, "/")
}

// answer is a response.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	raw     string
	body    map[string]any // nil if the body is not an object
	closed  bool           // whether it closes the connection
}

func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	s, ok := a.body[name].(string)
	if !ok {
		t.Fatalf("the response has no string %s: %d %s", name, a.status, a.raw)
	}
	return s
}

// fields returns the fields that a problem names.
func (a answer) fields() (names []string) {
	list, _ := a.body["errors"].([]any)
	for _, e := range list {
		names = append(names, fmt.Sprint(e.(map[string]any)["field"]))
	}
	return names
}

// request is a request to send. A body that is not a string is encoded as JSON.
type request struct {
	method, path string
	token        string
	body         any
	header       map[string]string
}

var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends a request. It validates the response, and the request if it was accepted, against the contract.
func (s *service) send(t testing.TB, r request) answer {
	t.Helper()
	var body []byte
	switch b := r.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = encoded
	}
	q, err := http.NewRequestWithContext(t.Context(), r.method, s.url+r.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	for k, v := range r.header {
		q.Header.Set(k, v)
	}
	response, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, trailer: response.Trailer, raw: string(raw), closed: response.Close}
	_ = json.Unmarshal(raw, &a.body) // an array or a stream is not an object
	if a.header.Get("X-Request-ID") == "" {
		t.Errorf("%s %s: the response has no X-Request-ID", r.method, r.path)
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	validateAgainstContract(t, q, a, raw)
	return a
}

// behindProxy lets requests set their address by X-Forwarded-For.
var behindProxy = settings{"TRUSTED_PROXIES": "127.0.0.1"}

// from returns the request with an address and a User-Agent.
func (r request) from(address, device string) request {
	r.header = map[string]string{"X-Forwarded-For": address, "User-Agent": device}
	return r
}

// want sends a request and expects a status.
func (s *service) want(t testing.TB, status int, r request) answer {
	t.Helper()
	a := s.send(t, r)
	if a.status != status {
		t.Errorf("%s %s: %d, want %d: %s%s", r.method, r.path, a.status, status, a.raw, s.cause(a))
	}
	return a
}

// cause returns what the service logged for a request that it failed to answer, such as the stack of a panic; of other
// requests nothing. Where the log does not name the request, it returns the last lines.
func (s *service) cause(a answer) string {
	if a.status < http.StatusInternalServerError {
		return ""
	}
	const last = 10
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	own := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return !strings.Contains(line, a.header.Get("X-Request-ID"))
	})
	if len(own) == 0 {
		own = lines[max(0, len(lines)-last):]
	}
	readable := strings.NewReplacer(`\n`, "\n", `\t`, "\t")
	return "\nthe service logged:\n" + readable.Replace(strings.Join(own, "\n"))
}

// untilReady waits until /health/ready answers with a status.
func (s *service) untilReady(t *testing.T, status int) {
	t.Helper()
	porttest.Eventually(t, fmt.Sprintf("/health/ready answers %d", status), func() bool {
		return s.send(t, request{method: "GET", path: "/health/ready"}).status == status
	})
}

// wantUnavailable expects 503 with Retry-After from each request that uses the database.
func (s *service) wantUnavailable(t *testing.T, p person) {
	t.Helper()
	for _, r := range []request{
		{method: "GET", path: api + "/auth/me", token: p.access},
		{method: "GET", path: api + "/analytics/events", token: p.access},
		{method: "POST", path: api + "/analytics/events", token: p.access, body: anEventDraft()},
		{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)},
	} {
		if a := s.want(t, 503, r); a.header.Get("Retry-After") == "" || a.body["code"] != "unavailable" {
			t.Errorf("%s: %v %s", r.path, a.header, a.raw)
		}
	}
}

// contract is what the service promises. The tests of adapters/rest say what is wrong with it.
var contract = sync.OnceValues(func() (*openapi3.T, error) {
	openapi3filter.RegisterBodyDecoder(mediaNDJSON, openapi3filter.FileBodyDecoder)
	// T and Z may be in lower case (RFC 3339 5.6).
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(s string) error {
		_, err := time.Parse(time.RFC3339, strings.ToUpper(s))
		return err
	}))
	return openapi3.NewLoader().LoadFromFile("../adapters/rest/openapi.yaml")
})

var contractRoutes = sync.OnceValues(func() (routers.Router, error) {
	document, err := contract()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(document) // which validates it
})

func validateAgainstContract(t testing.TB, q *http.Request, a answer, raw []byte) {
	t.Helper()
	router, err := contractRoutes()
	if err != nil {
		t.Fatal(err)
	}
	sent := q.Method + " " + q.URL.RequestURI() // validation fills in defaults
	q = q.Clone(t.Context())
	q.URL.Scheme, q.URL.Host = "", ""
	q.URL.Path = strings.TrimSuffix(q.URL.Path, "/")
	if strings.HasPrefix(q.URL.Path, "/health") {
		q.URL.Path = api + q.URL.Path
	}
	if q.URL.Path == "" || q.URL.Path == api {
		q.URL.Path = api + "/"
	}
	route, parameters, err := router.FindRoute(q)
	if err != nil {
		documentation := strings.HasPrefix(q.URL.Path, "/docs") || strings.HasPrefix(q.URL.Path, api+"/docs") || strings.HasSuffix(q.URL.Path, "/openapi.json")
		refused := a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.status == http.StatusTooManyRequests
		if documentation || refused || q.Method == http.MethodOptions {
			return // not in the contract
		}
		t.Errorf("%s is not in the contract: %v", sent, err)
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: q, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if a.status < 400 {
		if kind := q.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, mediaNDJSON) {
			q.Header.Set("Content-Type", "application/json") // as the service reads it
		}
		rejected, _ := a.body["rejected_count"].(float64) // events that need not match
		input.Options.ExcludeRequestBody = rejected > 0 || q.Header.Get("Content-Encoding") != ""
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s was answered %d, but does not match the contract: %v", sent, a.status, err)
		}
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(raw)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("the response to %s does not match the contract: %v", sent, err)
	}
}

// person is a user with a session.
type person struct {
	user    user.User
	email   string
	access  string
	refresh string
}

// newPerson creates a user with a role in a tenant, which it creates if it does not exist, and signs the user in.
func (s *service) newPerson(t testing.TB, tenantSlug string, role access.Role) person {
	t.Helper()
	email := uuid.NewString() + "@example.com"
	account := user.Account{Email: email, Password: password, FullName: "Some Body", Tenant: tenantSlug}
	u, err := s.operator().Auth.CreateUser(t.Context(), access.Operator(), account, role, false)
	if errors.Is(err, tenant.ErrSlugTaken) {
		u, err = s.operator().Auth.CreateUser(t.Context(), access.Operator(), account, role, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := person{user: u, email: email}
	s.signIn(t, &p)
	return p
}

// signIn opens another session for a person.
func (s *service) signIn(t testing.TB, p *person) {
	t.Helper()
	a := s.want(t, http.StatusOK, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)})
	p.access, p.refresh = a.text(t, "access_token"), a.text(t, "refresh_token")
}

func credentials(email, password string) map[string]string {
	return map[string]string{"email": email, "password": password}
}

func (s *service) me(t *testing.T, status int, token string) answer {
	t.Helper()
	return s.want(t, status, request{method: "GET", path: api + "/auth/me", token: token})
}

func (s *service) refresh(t *testing.T, status int, token string) answer {
	t.Helper()
	return s.want(t, status, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": token}})
}

// newSlug returns a unique slug of a tenant.
func newSlug() string { return "t-" + uuid.NewString() }

func query(values ...string) string {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Set(values[i], values[i+1])
	}
	return "?" + q.Encode()
}
