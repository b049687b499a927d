package bootstrap_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.yaml.in/yaml/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

const requests = "secure_data_api_http_request_duration_seconds_count"

// startMeasured starts a service on SQLite that serves metrics.
func startMeasured(t *testing.T, more ...settings) *service {
	t.Helper()
	return start(t, generous().with(onSQLite(t), settings{"METRICS_ADDRESS": freeAddress(t)}).with(more...))
}

// metrics is a parsed metrics page.
type metrics struct {
	page    string
	samples []sample
}

type sample struct {
	name   string
	labels map[string]string
	value  float64
}

var (
	sampleLine = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? (\S+)$`)
	labelIs    = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"`)
	ownFamily  = regexp.MustCompile(`(?m)^# TYPE (secure_data_api_\w+) `)
)

func (s *service) metrics(t *testing.T) metrics {
	t.Helper()
	response, err := client.Get("http://" + s.settings["METRICS_ADDRESS"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the metrics were answered %d, %v: %s", response.StatusCode, err, page)
	}
	m := metrics{page: string(page)}
	for _, line := range sampleLine.FindAllStringSubmatch(m.page, -1) {
		value, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		labels := map[string]string{}
		for _, pair := range labelIs.FindAllStringSubmatch(line[2], -1) {
			labels[pair[1]] = pair[3]
		}
		m.samples = append(m.samples, sample{name: line[1], labels: labels, value: value})
	}
	return m
}

// of returns the samples of a metric whose labels have these names and values.
func (m metrics) of(name string, pairs ...string) (found []sample) {
	for _, s := range m.samples {
		same := s.name == name
		for i := 0; i < len(pairs); i += 2 {
			same = same && s.labels[pairs[i]] == pairs[i+1]
		}
		if same {
			found = append(found, s)
		}
	}
	return found
}

// want expects one sample with a value.
func (m metrics) want(t *testing.T, value float64, name string, pairs ...string) {
	t.Helper()
	if found := m.of(name, pairs...); len(found) != 1 || found[0].value != value {
		t.Errorf("%s%v is %v, want %v", name, pairs, found, value)
	}
}

// TestMetrics_requests: requests are counted by route template, and no value that a client chooses becomes a label.
func TestMetrics_requests(t *testing.T) {
	s := startMeasured(t)
	p := s.newPerson(t, newSlug(), access.Viewer)
	for range 3 {
		s.me(t, 200, p.access)
	}
	s.me(t, 401, "garbage")
	s.want(t, 403, request{method: "GET", path: api + "/users/" + uuid.NewString(), token: p.access})
	s.want(t, 403, request{method: "GET", path: api + "/users/" + uuid.NewString() + "/", token: p.access})
	s.want(t, 404, request{method: "GET", path: "/wp-login.php"})
	s.want(t, 404, request{method: "BREW", path: api + "/coffee"})
	s.want(t, 405, request{method: "BREW", path: api + "/auth/me"})
	s.want(t, 200, request{method: "GET", path: "/health/ready"})
	s.want(t, 200, request{method: "GET", path: "/docs"})
	m := s.metrics(t)
	m.want(t, 3, requests, "method", "GET", "route", api+"/auth/me", "status_class", "2xx")
	m.want(t, 1, requests, "method", "GET", "route", api+"/auth/me", "status_class", "4xx")
	m.want(t, 2, requests, "method", "GET", "route", api+"/users/:id", "status_class", "4xx")
	m.want(t, 3, requests, "method", "other", "route", "other", "status_class", "4xx")
	m.want(t, 1, requests, "method", "POST", "route", api+"/auth/login", "status_class", "2xx")
	if all := m.of(requests); len(all) != 5 {
		t.Errorf("counted are %v", all)
	}
	for _, kept := range []string{p.email, string(p.user.ID), string(p.user.TenantID), "127.0.0.1", "wp-login", "BREW", "coffee"} {
		if strings.Contains(m.page, kept) {
			t.Errorf("the metrics show %s", kept)
		}
	}
}

// TestMetrics_outcomes: sign-ins are counted by outcome and limits by name, each once.
func TestMetrics_outcomes(t *testing.T) {
	s := startMeasured(t, settings{"RATE_LIMIT_VIEWER": "2/minute", "RATE_LIMIT_LOGIN_ACCOUNT": "1/minute", "RATE_LIMIT_LOGIN": "4/minute"})
	before := s.metrics(t)
	before.want(t, 0, "secure_data_api_audit_entries_total", "act", "auth.sign_in_failed") // exists from the start
	p := s.newPerson(t, newSlug(), access.Viewer)
	signIn := func(status int, email string) {
		t.Helper()
		s.want(t, status, request{method: "POST", path: api + "/auth/login", body: credentials(email, "wrong")})
	}
	signIn(401, p.email)
	signIn(429, p.email)
	signIn(401, "nobody@example.com")
	signIn(429, "somebody@example.com")
	s.me(t, 200, p.access)
	s.me(t, 200, p.access)
	s.me(t, 429, p.access)
	m := s.metrics(t)
	for act, n := range map[string]float64{"auth.signed_in": 1, "auth.sign_in_failed": 2, "auth.sign_in_throttled": 2, "access.denied": 0} {
		m.want(t, n, "secure_data_api_audit_entries_total", "act", act)
	}
	for rate, n := range map[string]float64{"account": 1, "login": 1, "viewer": 1} {
		m.want(t, n, "secure_data_api_rate_limit_hits_total", "rate", rate)
	}
	if all := m.of("secure_data_api_rate_limit_hits_total"); len(all) != 3 {
		t.Errorf("counted are %v", all)
	}
	m.want(t, 3, "secure_data_api_password_hash_duration_seconds_count") // throttled sign-ins verify no password
}

// TestMetrics_in_flight sends a request without its body: it is in flight until its client disconnects.
func TestMetrics_in_flight(t *testing.T) {
	s := startMeasured(t)
	wantInFlight := func(n float64) {
		t.Helper()
		porttest.Eventually(t, fmt.Sprint(n, " requests in flight"), func() bool {
			found := s.metrics(t).of("secure_data_api_http_requests_in_flight")
			return len(found) == 1 && found[0].value == n
		})
	}
	wantInFlight(0)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST %s/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n", api)
	wantInFlight(1)
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	wantInFlight(0)
}

func TestMetrics_pools(t *testing.T) {
	testPools(t, onSQLite, "events_query", "events_read", "events_write", "read", "write")
}

// testPools: the pools of a database have these names.
func testPools(t *testing.T, on backend, want ...string) {
	s := start(t, generous().with(on(t), settings{"METRICS_ADDRESS": freeAddress(t)}))
	var names []string
	for _, pool := range s.metrics(t).of("go_sql_max_open_connections") {
		names = append(names, pool.labels["db_name"])
		if pool.value == 0 {
			t.Errorf("the pool %s is unbounded", pool.labels["db_name"])
		}
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("the pools are %v, want %v", names, want)
	}
}

// TestMetrics_ready: the gauge is 0 when the database is gone.
func TestMetrics_ready(t *testing.T) {
	s := startMeasured(t)
	s.metrics(t).want(t, 1, "secure_data_api_ready")
	path := strings.TrimPrefix(s.settings["DATABASE_URL"], "sqlite://")
	if err := os.Rename(path, path+".gone"); err != nil {
		t.Fatal(err)
	}
	s.metrics(t).want(t, 0, "secure_data_api_ready")
}

// TestMetrics_separate: metrics are not served with the API, and there are none of Redis if it is not configured.
func TestMetrics_separate(t *testing.T) {
	s := startMeasured(t)
	s.want(t, 404, request{method: "GET", path: "/metrics"})
	s.want(t, 404, request{method: "GET", path: api + "/metrics"})
	if m := s.metrics(t); strings.Contains(m.page, "redis") {
		t.Errorf("there are metrics of Redis:\n%s", m.page)
	}
}

// TestMetrics_all checks all metrics of a service after each counted event has happened. Its Redis does not answer.
func TestMetrics_all(t *testing.T) {
	s := startMeasured(t, settings{"REDIS_URL": "redis://" + freeAddress(t), "ARGON2_QUEUE": "1", "RATE_LIMIT_VIEWER": "1/minute"})
	analyst, viewer := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Viewer)
	s.me(t, 200, viewer.access)
	s.me(t, 429, viewer.access)
	s.want(t, 200, summary(analyst.access))
	s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: analyst.access, body: map[string]string{}})
	porttest.Eventually(t, "a sign-in that finds the password queue full", func() bool { return s.overloadSignIn(t) })
	m := s.metrics(t)
	t.Run("lint", func(t *testing.T) { testLint(t, m) })
	t.Run("alerts", func(t *testing.T) { testAlerts(t, m) })
	t.Run("README", func(t *testing.T) { testTable(t, m) })
}

// overloadSignIn sends 16 sign-ins at once, and reports whether one was answered 503.
func (s *service) overloadSignIn(t *testing.T) bool {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		busy bool
	)
	for range 16 {
		all.Go(func() {
			a := s.send(t, request{method: "POST", path: api + "/auth/login", body: credentials(uuid.NewString()+"@example.com", "wrong")})
			mu.Lock()
			defer mu.Unlock()
			busy = busy || a.status == http.StatusServiceUnavailable
		})
	}
	all.Wait()
	return busy
}

// testLint validates names, units, types and help against the conventions of Prometheus.
func testLint(t *testing.T, m metrics) {
	problems, err := promlint.New(strings.NewReader(m.page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "secure_data_api_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// alertRules is a file of Prometheus rules.
type alertRules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

var selector = regexp.MustCompile(`\b(up|(?:secure_data_api|go_sql|process)_\w+)\b(?:\{([^}]*)\})?`)

// testAlerts: the series that the alerts select are served, including the values of labels, so that a renamed metric breaks no
// alert. The settings that they name exist.
func testAlerts(t *testing.T, m metrics) {
	raw, err := os.ReadFile("../adapters/telemetry/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file alertRules
	if err := yaml.Unmarshal(raw, &file); err != nil || len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("%v: %+v", err, file)
	}
	for _, rule := range file.Groups[0].Rules {
		if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", rule.Alert, s)
		}
		for _, name := range []string{"summary", "description", "runbook"} {
			if rule.Annotations[name] == "" {
				t.Errorf("%s has no %s", rule.Alert, name)
			}
		}
		selectors := selector.FindAllStringSubmatch(rule.Expr, -1)
		if len(selectors) == 0 {
			t.Errorf("%s selects nothing", rule.Alert)
		}
		for _, s := range selectors {
			if s[1] != "up" && !slices.ContainsFunc(m.of(s[1]), matcher(t, s[2])) { // Prometheus itself adds up
				t.Errorf("%s selects %s, which is not served", rule.Alert, s[0])
			}
		}
	}
	for _, name := range regexp.MustCompile(`\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b`).FindAllString(string(raw), -1) {
		if !slices.ContainsFunc(config.Settings(), func(s config.Setting) bool { return s.Name == name }) {
			t.Errorf("the alerts name %s, which is not a setting", name)
		}
	}
}

// matcher returns a function that reports whether a sample matches a selector, without the label job, which Prometheus adds.
func matcher(t *testing.T, selector string) func(sample) bool {
	t.Helper()
	conditions := labelIs.FindAllStringSubmatch(selector, -1)
	return func(s sample) bool {
		for _, c := range conditions {
			name, operator, pattern := c[1], c[2], c[3]
			if name == "job" {
				continue
			}
			if !strings.HasSuffix(operator, "~") {
				pattern = regexp.QuoteMeta(pattern)
			}
			matches := regexp.MustCompile("^(?:" + pattern + ")$").MatchString(s.labels[name])
			if matches == strings.HasPrefix(operator, "!") {
				return false
			}
		}
		return true
	}
}

// testTable: the table in the README has every metric of the service with its labels, and no other.
func testTable(t *testing.T, m metrics) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(secure_data_api_\\w+)` \\| (.*?) \\| .+ \\|$").FindAllStringSubmatch(string(readme), -1) {
		documented[row[1]] = row[2]
	}
	served := map[string]string{}
	for _, family := range ownFamily.FindAllStringSubmatch(m.page, -1) {
		served[family[1]] = m.labels(family[1])
	}
	if !maps.Equal(documented, served) {
		t.Errorf("the README has %v, served are %v", documented, served)
	}
}

// labels returns the names of the labels of a metric, formatted as in the README.
func (m metrics) labels(family string) string {
	for _, s := range m.samples {
		if s.name == family || s.name == family+"_count" {
			names := slices.Sorted(maps.Keys(s.labels))
			for i := range names {
				names[i] = "`" + names[i] + "`"
			}
			return strings.Join(names, ", ")
		}
	}
	return "no samples"
}
