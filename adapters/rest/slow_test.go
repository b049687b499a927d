package rest_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
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

// TestStream_slow: a client that sends a byte now and then, and no line, does not keep its place.
func TestStream_slow(t *testing.T) {
	const idle = time.Minute
	synctest.Test(t, func(t *testing.T) {
		unlimited := ports.Rate{Unlimited: true}
		e, err := rest.New(dependencies(&batches{}), rest.Settings{
			RequestTimeout: 25 * time.Second, WriteTimeout: 30 * time.Second,
			Limits: rest.Limits{Default: unlimited, Roles: map[access.Role]ports.Rate{access.Analyst: unlimited}},
		})
		if err != nil {
			t.Fatal(err)
		}
		listener := oneConnection{make(chan net.Conn, 1), make(chan struct{})}
		client, accepted := net.Pipe()
		listener.accepted <- accepted
		server := &http.Server{Handler: e, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()

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
		_ = server.Close()
		<-served
	})
}
