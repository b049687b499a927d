// Package container runs the databases that tests need in throwaway containers.
package container

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/lib/pq" // for wait.ForSQL
	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	// admin is the superuser, and the name of its database.
	admin    = "admin"
	password = "a-password-for-tests"

	startTimeout = 90 * time.Second
	stopTimeout  = 5 * time.Second
	redisDBs     = 512

	// ignoredParameters are the startup parameters of the service that a pooler can't pass on.
	ignoredParameters = "statement_timeout,idle_in_transaction_session_timeout,tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count"

	postgresPort            = "5432" // in the container
	morePostgresConnections = "max_connections=300"
)

// Container is a running container whose port on this machine stays the same when it is stopped and started.
type Container struct {
	container testcontainers.Container
	docker    client.APIClient
	ready     wait.Strategy
	Address   string
	next      atomic.Int64
}

// Postgres starts Postgres until the test ends.
func Postgres(t testing.TB) *Container {
	t.Helper()
	return start(t, PostgresImage(), map[string]string{postgresPort: freePort(t)}, postgresPort, wait.ForSQL(postgresPort+"/tcp", "postgres", adminURL),
		testcontainers.WithCmd("postgres", "-c", morePostgresConnections),
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": admin, "POSTGRES_PASSWORD": password, "POSTGRES_DB": admin}))
}

func adminURL(host string, port network.Port) string {
	return databaseURL(net.JoinHostPort(host, port.Port()), admin, password, admin)
}

// PgBouncer starts a PgBouncer in front of Postgres, in transaction mode, until the test ends. It returns the URL of the database
// with PgBouncer's address.
func (c *Container) PgBouncer(t testing.TB, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	address, err := c.container.ContainerIP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	const inside = "6432"
	settings := "[databases]\n* = host=" + address + " port=" + postgresPort + "\n" +
		"[pgbouncer]\nlisten_addr = *\nlisten_port = " + inside + "\npool_mode = transaction\ndefault_pool_size = 3\n" +
		"max_client_conn = 500\nauth_type = scram-sha-256\nauth_file = /tmp/users.txt\n" +
		"ignore_startup_parameters = " + ignoredParameters + "\nserver_reset_query_always = 1\n"
	users := fmt.Sprintf("%q %q\n%q %q\n", u.User.Username(), secret, u.User.Username()+"_super_admin", secret)
	const readableByAll = 0o644
	bouncer := start(t, PgBouncerImage(), map[string]string{inside: freePort(t)}, inside,
		wait.ForLog("process up"),
		testcontainers.WithFiles(
			testcontainers.ContainerFile{Reader: strings.NewReader(settings), ContainerFilePath: "/tmp/pgbouncer.ini", FileMode: readableByAll},
			testcontainers.ContainerFile{Reader: strings.NewReader(users), ContainerFilePath: "/tmp/users.txt", FileMode: readableByAll}),
		testcontainers.WithCmd("pgbouncer", "/tmp/pgbouncer.ini"))
	u.Host = bouncer.Address
	return u.String()
}

// Redis starts Redis until the test ends.
func Redis(t testing.TB) *Container {
	t.Helper()
	const inside = "6379"
	return startRedis(t, map[string]string{inside: freePort(t)}, inside, "redis-server", "--databases", strconv.Itoa(redisDBs), "--save", "")
}

// RedisCluster starts a cluster of one node, which refuses commands over several slots as any cluster does, until the
// test ends. It returns its URL.
func RedisCluster(t testing.TB) string {
	t.Helper()
	port := freePort(t) // inside too, since the node tells clients where it is
	c := startRedis(t, map[string]string{port: port}, port, "redis-server", "--port", port, "--save", "",
		"--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", port)
	script := "redis-cli -p " + port + " cluster addslotsrange 0 16383 && " +
		"until redis-cli -p " + port + " cluster info | grep -q cluster_state:ok; do sleep 0.1; done"
	if code, _, err := c.container.Exec(t.Context(), []string{"sh", "-c", script}); err != nil || code != 0 {
		t.Fatalf("assigning slots to the node: exit code %d, %v", code, err)
	}
	return "redis://" + c.Address + "?cluster=true"
}

// RedisSentinel starts Redis with a sentinel until the test ends. It returns the URL of the sentinel.
func RedisSentinel(t testing.TB) string {
	t.Helper()
	port, sentinel := freePort(t), freePort(t) // inside too, since the sentinel tells clients where Redis is
	script := "redis-server --port " + port + " --protected-mode no --save '' --daemonize yes && cd /tmp && " +
		"printf 'port " + sentinel + "\nprotected-mode no\nsentinel monitor main 127.0.0.1 " + port + " 1\n' >sentinel.conf && " +
		"exec redis-server sentinel.conf --sentinel"
	c := start(t, redisImage(), map[string]string{sentinel: sentinel, port: port}, sentinel,
		wait.ForLog("+monitor master main"), testcontainers.WithCmd("sh", "-c", script))
	return "redis://" + c.Address + "?master_name=main"
}

func startRedis(t testing.TB, ports map[string]string, inside string, command ...string) *Container {
	t.Helper()
	return start(t, redisImage(), ports, inside, wait.ForLog("Ready to accept connections"), testcontainers.WithCmd(command...))
}

// start runs an image. ports maps ports in the container to ports on this machine; main is the port of Address.
func start(t testing.TB, image string, ports map[string]string, main string, ready wait.Strategy, options ...testcontainers.ContainerCustomizer) *Container {
	t.Helper()
	docker := Require(t, image)
	var exposed []string
	bindings := network.PortMap{}
	for inside, outside := range ports {
		port := inside + "/tcp"
		exposed = append(exposed, port)
		bindings[network.MustParsePort(port)] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: outside}}
	}
	options = append(options,
		testcontainers.WithLogger(log.TestLogger(t)),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithHostConfigModifier(func(h *dockercontainer.HostConfig) { h.PortBindings = bindings }),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, ready))
	c, err := testcontainers.Run(t.Context(), image, options...)
	t.Cleanup(func() {
		if err := testcontainers.TerminateContainer(c); err != nil {
			t.Error(err)
		}
		if err := docker.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Container{container: c, docker: docker, ready: ready, Address: net.JoinHostPort("127.0.0.1", ports[main])}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func databaseURL(address, user, password, name string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: address, Path: name, RawQuery: "sslmode=disable"}
	return u.String()
}

// Database creates a database. It returns the URL of its owner, which may create roles and is subject to row level security, and
// one for the service, of a role that does not exist yet.
func (c *Container) Database(t testing.TB) (ownerURL, serviceURL string) {
	t.Helper()
	return c.database(t, "")
}

// EncodedDatabase creates a database with an encoding, and returns the URL of its owner.
func (c *Container) EncodedDatabase(t testing.TB, encoding string) (ownerURL string) {
	t.Helper()
	ownerURL, _ = c.database(t, " ENCODING '"+encoding+"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	return ownerURL
}

func (c *Container) database(t testing.TB, options string) (ownerURL, serviceURL string) {
	t.Helper()
	name := fmt.Sprintf("d%d_%s", c.next.Add(1), rand.Text()[:8])
	own, secret := "owner_"+name, rand.Text()
	c.Admin(t, admin, `CREATE ROLE "`+own+`" LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '`+secret+`'`,
		`GRANT pg_read_all_stats TO "`+own+`"`, // so that tests can see the service's statements
		`CREATE DATABASE "`+name+`" OWNER "`+own+`"`+options)
	return databaseURL(c.Address, own, secret, name), databaseURL(c.Address, "role_"+name, rand.Text(), name)
}

// AdminURL returns the URL of a database for a superuser.
func (c *Container) AdminURL(database string) string {
	return databaseURL(c.Address, admin, password, database)
}

// Run runs a Postgres client program in the container, as the role and in the database of a URL. It returns the program's exit
// code and output.
func (c *Container) Run(t testing.TB, databaseURL string, command ...string) (int, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	code, written, err := c.container.Exec(t.Context(), command, exec.Multiplexed(), exec.WithEnv([]string{
		"PGHOST=127.0.0.1", "PGUSER=" + u.User.Username(), "PGPASSWORD=" + secret, "PGDATABASE=" + strings.TrimPrefix(u.Path, "/"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	output, err := io.ReadAll(written)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(output)
}

// Admin runs statements in a database as a superuser.
func (c *Container) Admin(t testing.TB, database string, statements ...string) {
	t.Helper()
	db, err := sql.Open("postgres", c.AdminURL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Log returns the container's log.
func (c *Container) Log(t testing.TB) string {
	t.Helper()
	log, err := c.container.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	written, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}

// Extension installs an extension written in SQL on the server: its control file and its script of version 1.
func (c *Container) Extension(t testing.TB, name, control, script string) {
	t.Helper()
	db, err := sql.Open("postgres", databaseURL(c.Address, admin, password, admin))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var folder string
	if err := db.QueryRowContext(t.Context(), "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	const readableByAll = 0o644
	for file, content := range map[string]string{name + ".control": control, name + "--1.sql": script} {
		if err := c.container.CopyToContainer(t.Context(), []byte(content), folder+"/extension/"+file, readableByAll); err != nil {
			t.Fatal(err)
		}
	}
}

// RedisURL returns the URL of a Redis database that no other test uses.
func (c *Container) RedisURL() string {
	return fmt.Sprintf("redis://%s/%d", c.Address, c.next.Add(1)%redisDBs)
}

// Stop kills the container.
func (c *Container) Stop(t testing.TB) {
	t.Helper()
	if _, err := c.docker.ContainerKill(t.Context(), c.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	timeout := stopTimeout
	if err := c.container.Stop(t.Context(), &timeout); err != nil {
		t.Fatal(err)
	}
}

// Start starts the container again and waits until it is ready.
func (c *Container) Start(t testing.TB) {
	t.Helper()
	if err := c.container.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.ready.WaitUntilReady(t.Context(), c.container); err != nil {
		t.Fatal(err)
	}
}

// Pause pauses the container: its connections stay open and nothing answers.
func (c *Container) Pause(t testing.TB) {
	t.Helper()
	if _, err := c.docker.ContainerPause(t.Context(), c.container.GetContainerID(), client.ContainerPauseOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Unpause lets the container continue.
func (c *Container) Unpause(t testing.TB) {
	t.Helper()
	if _, err := c.docker.ContainerUnpause(t.Context(), c.container.GetContainerID(), client.ContainerUnpauseOptions{}); err != nil {
		t.Fatal(err)
	}
}
