package postgres_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// listen answers connections until the test ends, and returns the address.
func listen(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		all     []net.Conn
	)
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
			running.Go(func() { answer(c); _, _ = io.Copy(io.Discard, c); _ = c.Close() })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, c := range all {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return listener.Addr().String()
}

// readStartup reads the first message of a client.
func readStartup(c net.Conn) {
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(length[:]))-4) // fails if the client has gone
}

// refuse answers every client with an error.
func refuse(code string) func(net.Conn) {
	return func(c net.Conn) {
		readStartup(c)
		fields := "SFATAL\x00C" + code + "\x00Mrefused for the test\x00\x00"
		message := binary.BigEndian.AppendUint32([]byte("E"), uint32(len(fields)+4))
		_, _ = c.Write(append(message, fields...)) // fails if the client has gone
	}
}

func silent(net.Conn) {}

// TestConnecting: if no connection can be made, for whatever reason, the error is ErrUnavailable and has the cause.
func TestConnecting(t *testing.T) {
	withCertificate := httptest.NewUnstartedServer(nil)
	withCertificate.StartTLS()
	t.Cleanup(withCertificate.Close)
	overTLS := func(c net.Conn) {
		readStartup(c)
		_, _ = c.Write([]byte("S"))
		server := tls.Server(c, withCertificate.TLS)
		_ = server.HandshakeContext(t.Context()) // the client refuses it
	}
	say := func(s string) func(net.Conn) {
		return func(c net.Conn) { readStartup(c); _, _ = c.Write([]byte(s)) }
	}
	const free = "sslmode=disable"
	for name, c := range map[string]struct {
		answer         func(net.Conn)
		options, cause string
	}{
		"wrong password":          {refuse("28P01"), free, "28P01"},
		"not in pg_hba.conf":      {refuse("28000"), free, "28000"},
		"no such database":        {refuse("3D000"), free, "3D000"},
		"may not connect":         {refuse("42501"), free, "42501"},
		"too many connections":    {refuse("53300"), free, "53300"},
		"starting up":             {refuse("57P03"), free, "57P03"},
		"an unknown code":         {refuse("ZZ999"), free, "ZZ999"},
		"no TLS":                  {say("N"), "sslmode=require", "SSL is not enabled"},
		"an unknown certificate":  {overTLS, "sslmode=verify-full", "certificate"},
		"nonsense instead of TLS": {say("Sthis is no TLS"), "sslmode=require", "TLS"},
		"no Postgres":             {say("H\x00\x00\x00\x04"), free, "connecting"}, // a message that answers no startup
		"closed":                  {func(c net.Conn) { _ = c.Close() }, free, "connecting"},
		"silence":                 {silent, free + "&connect_timeout=1", "timeout"},
		"silence about TLS":       {silent, "sslmode=require&connect_timeout=1", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unavailable(t, "postgres://u:hush-hush@"+listen(t, c.answer)+"/x?"+c.options, c.cause)
		})
	}
	t.Run("an unknown host", func(t *testing.T) {
		t.Parallel()
		unavailable(t, "postgres://u:hush-hush@db.invalid/x?connect_timeout=1&"+free, "db.invalid")
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		unavailable(t, "postgres://u:hush-hush@127.0.0.1:1/x?"+free, "refused")
	})
	t.Run("none of several", func(t *testing.T) {
		t.Parallel()
		one, other := listen(t, refuse("28P01")), listen(t, refuse("3D000"))
		unavailable(t, severalHosts(t, "postgres://u:hush-hush@one/x?"+free, one, other), one+": ", "28P01", other+": ", "3D000")
	})
}

// unavailable expects ErrUnavailable with the causes, from a statement, a transaction and a ping, in 10 s at most.
func unavailable(t *testing.T, url string, causes ...string) {
	t.Helper()
	db := open(t, options("", url))
	begun := time.Now()
	for name, err := range map[string]error{
		"a statement":   func() error { _, err := db.Tenants().BySlug(t.Context(), tenant.Slug{}); return err }(),
		"a transaction": db.InTx(t.Context(), func(context.Context, ports.Repositories) error { return nil }),
		"a ping":        db.Ping(t.Context()),
	} {
		if !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range causes {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s does not have %s: %v", name, part, err)
			}
		}
		if strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s shows the password: %v", name, err)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("three refusals took %s", took)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := db.Tenants().BySlug(gone, tenant.Slug{}); !errors.Is(err, context.Canceled) || errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("a cancelled caller: %v", err)
	}
}

// severalHosts returns a URL with several hosts.
func severalHosts(t *testing.T, raw string, addresses ...string) string {
	t.Helper()
	var hosts, numbers []string
	for _, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		hosts, numbers = append(hosts, host), append(numbers, port)
	}
	return withHost(t, raw, "", "host", strings.Join(hosts, ","), "port", strings.Join(numbers, ","))
}

// testSilentHost: the timeout of a silent host leaves time to try the next one, also in a ping.
func testSilentHost(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	migrated(t, options(ownerURL, serviceURL))
	db := open(t, options(ownerURL, severalHosts(t, serviceURL, listen(t, silent), server.Address)))
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("not ready behind a silent host: %v", err)
	}
}
