package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// oneConnection is a listener with one connection, which needs no network.
type oneConnection struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (o oneConnection) Accept() (net.Conn, error) {
	select {
	case c := <-o.accepted:
		return c, nil
	case <-o.closed:
		return nil, net.ErrClosed
	}
}
func (o oneConnection) Close() error   { close(o.closed); return nil }
func (o oneConnection) Addr() net.Addr { return &net.TCPAddr{} }

// slowGate lets everyone in after a while.
type slowGate time.Duration

func (g slowGate) Enter(ctx context.Context, _ id.Tenant) (leave func(), err error) {
	select {
	case <-time.After(time.Duration(g)):
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestBatch_waits: a batch that waits for its turn for longer than a client may take to send it can be sent all the same: the time
// for its body begins with its turn.
func TestBatch_waits(t *testing.T) {
	const turn, readTimeout = 20 * time.Second, 15 * time.Second
	for name, c := range map[string]struct {
		sent   time.Duration // after the turn
		status int
	}{
		"sent in time": {readTimeout - time.Second, http.StatusOK},
		"sent late":    {readTimeout + time.Second, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deps := dependencies(&batches{})
				deps.Batches = slowGate(turn)
				client := connect(t, deps, readTimeout)
				const body = `{"events":[` + view + `]}`
				if _, err := fmt.Fprintf(client, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
					batchPath, len(body)); err != nil {
					t.Fatal(err)
				}
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					time.Sleep(turn + c.sent)
					_, _ = io.WriteString(client, body) // it may be refused by then
				}()
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != c.status {
					t.Errorf("answered %d", response.StatusCode)
				}
				_ = response.Body.Close()
				_ = client.Close()
				<-sent
			})
		})
	}
}

// connect serves one client, which needs no network.
func connect(t *testing.T, deps rest.Dependencies, readTimeout time.Duration) net.Conn {
	t.Helper()
	unlimited := ports.Rate{Unlimited: true}
	e, err := rest.New(deps, rest.Settings{
		RequestTimeout: time.Minute, ReadTimeout: readTimeout, WriteTimeout: time.Minute,
		Limits: rest.Limits{Default: unlimited, Roles: map[access.Role]ports.Rate{access.Analyst: unlimited}},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := oneConnection{make(chan net.Conn, 1), make(chan struct{})}
	client, accepted := net.Pipe()
	listener.accepted <- accepted
	server := &http.Server{Handler: e, ReadTimeout: readTimeout, WriteTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
		<-served
	})
	return client
}

// TestStream_slow: a client that sends a byte now and then, and no line, does not keep its place.
func TestStream_slow(t *testing.T) {
	const idle = time.Minute
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, dependencies(&batches{}), 15*time.Second)
		send := func(text string) error {
			_, err := fmt.Fprintf(client, "%x\r\n%s\r\n", len(text), text)
			return err
		}
		if _, err := fmt.Fprintf(client, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
			batchPath, mediaNDJSON); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 3 { // lines are in time
			time.Sleep(idle - time.Second)
			if err := send(view); err != nil {
				t.Fatal(err)
			}
		}
		lines := time.Now()
		trickled := make(chan struct{})
		go func() {
			defer close(trickled)
			for send("x") == nil {
				time.Sleep(idle / 4)
			}
		}()
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(lines); response.StatusCode != http.StatusRequestTimeout || took > idle {
			t.Errorf("answered %d %s after the last line, %s after the first", response.StatusCode, took, time.Since(began))
		}
		_ = client.Close()
		<-trickled
	})
}
