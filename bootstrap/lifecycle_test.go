package bootstrap_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// TestShutdown stops the service while a request is in flight: the request is answered, new connections are refused.
func TestShutdown(t *testing.T) {
	s := start(t, generous().with(onSQLite(t)))
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	body := `{"email":"a@example.com","password":"x"}`
	fmt.Fprintf(connection, "POST %s/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", api, len(body))
	reader := bufio.NewReader(connection)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err) // the handler is reading the body now
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for { // until it accepts no more connections
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	if _, err := io.WriteString(connection, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != 401 {
		t.Errorf("the request in flight got %v, %v", response, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestSigningKey: in development a key is generated once and stored with mode 0600, so that sessions survive a restart.
func TestSigningKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	all := generous().with(settings{"DATA_DIR": dir})
	delete(all, "JWT_SECRET_KEY")
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Viewer)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	again := startAt(t, all, s.clock)
	again.me(t, 200, p.access)
	if !strings.Contains(again.log.String(), "JWT_SECRET_KEY is not set") {
		t.Error("there is no warning")
	}
	info, err := os.Stat(filepath.Join(dir, "jwt-secret-key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
}

// restarted runs a service with one user, who was created under other settings.
func restarted(t *testing.T, before, now settings) (*service, person) {
	t.Helper()
	all := generous().with(onSQLite(t))
	old := start(t, all.with(before))
	p := old.newPerson(t, newSlug(), access.Viewer)
	if err := old.stop(); err != nil {
		t.Fatal(err)
	}
	return startAt(t, all.with(now), old.clock), p
}

// TestRehash: the next sign-in rehashes the password with the new cost (ASVS 11.4.2).
func TestRehash(t *testing.T) {
	s, p := restarted(t, nil, settings{"ARGON2_ITERATIONS": "3"})
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.settings["DATABASE_URL"], "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hash := func() (stored string) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), "SELECT password_hash FROM users WHERE email = ?", p.email).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		return stored
	}
	before := hash()
	s.signIn(t, &p)
	after := hash()
	if !strings.Contains(before, ",t=2,") || !strings.Contains(after, ",t=3,") {
		t.Error("the password was not rehashed")
	}
	s.signIn(t, &p)
	if hash() != after {
		t.Error("an up-to-date hash was rehashed")
	}
}

// TestRehash_at_once: of several simultaneous sign-ins after the cost was raised, one rehashes, and all succeed.
func TestRehash_at_once(t *testing.T) {
	s, p := restarted(t, nil, settings{"ARGON2_ITERATIONS": "3"})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s.want(t, 200, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)})
		})
	}
	wg.Wait()
	if failed := s.log.lines(t, "auth.sign_in_failed"); len(failed) > 0 {
		t.Errorf("recorded: %v", failed)
	}
}

// TestDummyHashCost: at its start the service finds the highest cost of the stored hashes, so that a sign-in to an account that
// does not exist takes as long, also after the cost was lowered (ASVS 6.3.8).
func TestDummyHashCost(t *testing.T) {
	s, p := restarted(t, settings{"ARGON2_ITERATIONS": "24"}, nil)
	signIn := func(email string) time.Duration {
		t.Helper()
		began := time.Now()
		s.want(t, 401, request{method: "POST", path: api + "/auth/login", body: credentials(email, "wrong")})
		return time.Since(began)
	}
	unknown, existing := signIn("nobody@example.com"), signIn(p.email) // in this order: the first can't learn the cost from the second
	if ratio := float64(existing) / float64(unknown); ratio > 3 || ratio < 1.0/3 {
		t.Errorf("an unknown account takes %v, an existing one %v", unknown, existing)
	}
}

// TestTrustedProxies: X-Forwarded-For counts only if the connection comes from a trusted proxy (ASVS 4.1.3).
func TestTrustedProxies(t *testing.T) {
	for trusted, want := range map[string]string{"": "127.0.0.1", "127.0.0.1": "203.0.113.9", "10.0.0.0/8": "127.0.0.1"} {
		s := start(t, generous().with(onSQLite(t), settings{"TRUSTED_PROXIES": trusted}))
		s.want(t, 401, request{method: "GET", path: api + "/auth/me", header: map[string]string{"X-Forwarded-For": "198.51.100.7, 203.0.113.9", "X-Real-IP": "198.51.100.8"}})
		if got := s.log.lines(t, "http.request")[0]["client_ip"]; got != want {
			t.Errorf("with %q trusted the client is %v, want %s", trusted, got, want)
		}
	}
}
