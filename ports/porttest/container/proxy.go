package container

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Verdict is what a proxy does with a chunk of data from a client.
type Verdict int

// The verdicts.
const (
	Pass        Verdict = iota
	Drop                // the server does not get it
	Cut                 // both connections are closed
	CutOnAnswer         // the server gets it, and both connections are closed when it answers
)

// Proxy starts a TCP proxy to a server until the test ends, and returns the proxy's address. It calls sent for each chunk from a
// client, and answered for each chunk from the server.
func Proxy(t testing.TB, server string, sent func(chunk []byte) Verdict, answered func()) string {
	t.Helper()
	return proxy(t, func() string { return server }, 0, sent, answered)
}

// WithLatency starts a TCP proxy to a server that delays each direction by eachWay, until the test ends, and returns the
// proxy's address.
func WithLatency(t testing.TB, server string, eachWay time.Duration) string {
	t.Helper()
	return proxy(t, func() string { return server }, eachWay, func([]byte) Verdict { return Pass }, func() {})
}

// SwitchableProxy is a TCP proxy whose server can be replaced, as behind a DNS name or a load balancer.
type SwitchableProxy struct {
	Address string
	server  atomic.Pointer[string]
}

// NewSwitchableProxy starts a proxy to a server until the test ends.
func NewSwitchableProxy(t testing.TB, server string) *SwitchableProxy {
	t.Helper()
	s := &SwitchableProxy{}
	s.To(server)
	s.Address = proxy(t, func() string { return *s.server.Load() }, 0, func([]byte) Verdict { return Pass }, func() {})
	return s
}

// To sends new connections to another server. Existing ones stay.
func (s *SwitchableProxy) To(server string) { s.server.Store(&server) }

// proxy is Proxy with a server that is looked up for each connection, and a delay for each direction.
func proxy(t testing.TB, server func() string, eachWay time.Duration, sent func(chunk []byte) Verdict, answered func()) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial("tcp", server())
			if err != nil {
				_ = client.Close()
				continue
			}
			var ending atomic.Bool
			running.Go(func() {
				relay(backend, client, eachWay, func([]byte) Verdict {
					answered()
					if ending.Load() {
						return Cut
					}
					return Pass
				})
				_, _ = client.Close(), backend.Close()
			})
			running.Go(func() {
				relay(client, backend, eachWay, func(chunk []byte) Verdict {
					verdict := sent(chunk)
					if verdict == CutOnAnswer {
						ending.Store(true)
					}
					return verdict
				})
				if !ending.Load() {
					_, _ = client.Close(), backend.Close()
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// relay passes on data, each chunk after delay, until one side closes its connection or the verdict is Cut.
func relay(from, to net.Conn, delay time.Duration, decide func(chunk []byte) Verdict) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		switch decide(buffer[:n]) {
		case Drop:
			continue
		case Cut:
			return
		}
		time.Sleep(delay)
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
