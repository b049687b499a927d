package container

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Verdict is what becomes of a piece of what a client sends through a proxy.
type Verdict int

// The verdicts.
const (
	Pass        Verdict = iota
	Drop                // the server never hears it
	Cut                 // the connection ends on both sides
	CutOnAnswer         // the server hears it, and the connection ends with its answer
)

// Proxy stands before the server at an address until the test ends, asks about each piece that a client sends, and tells
// of each that the server answers. It returns its own address.
func Proxy(t testing.TB, server string, sent func(piece []byte) Verdict, answered func()) string {
	t.Helper()
	return proxy(t, func() string { return server }, 0, sent, answered)
}

// WithLatency stands before the server at an address until the test ends, and makes what either side says take so long. It returns
// its own address.
func WithLatency(t testing.TB, server string, eachWay time.Duration) string {
	t.Helper()
	return proxy(t, func() string { return server }, eachWay, func([]byte) Verdict { return Pass }, func() {})
}

// SwitchableProxy is an address with one server after another behind it, as a name or a balancer is.
type SwitchableProxy struct {
	Address string
	server  atomic.Pointer[string]
}

// NewSwitchableProxy stands before the server at an address until the test ends.
func NewSwitchableProxy(t testing.TB, server string) *SwitchableProxy {
	t.Helper()
	s := &SwitchableProxy{}
	s.To(server)
	s.Address = proxy(t, func() string { return *s.server.Load() }, 0, func([]byte) Verdict { return Pass }, func() {})
	return s
}

// To leads new connections to the server at another address. Those that stand stay where they are.
func (s *SwitchableProxy) To(server string) { s.server.Store(&server) }

// proxy is Proxy before a server that each connection asks for anew, and so far away from it.
func proxy(t testing.TB, server func() string, eachWay time.Duration, sent func(piece []byte) Verdict, answered func()) string {
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
				relay(client, backend, eachWay, func(piece []byte) Verdict {
					verdict := sent(piece)
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

// relay passes on what is said, each piece after the time of the way, until one side ends or the verdict does.
func relay(from, to net.Conn, way time.Duration, decide func(piece []byte) Verdict) {
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
		time.Sleep(way)
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
