package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// dialer makes connections that do not wait forever for a server that has fallen silent.
type dialer struct {
	net.Dialer
	timeout time.Duration // 0: forever
}

// DialTimeout connects within a time.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// Dial connects.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, connectTimeout)
}

// DialContext connects until the context ends.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil || d.timeout == 0 {
		return c, err
	}
	watched := &deadlineConn{Conn: c, timeout: d.timeout}
	if w, ok := ctx.Value(socketKey{}).(*socket); ok {
		w.Store(watched)
	}
	return watched, nil
}

// deadlineConn is a connection whose every read and write has a deadline.
type deadlineConn struct {
	net.Conn
	timeout  time.Duration
	until    atomic.Int64 // when all waiting ends, in nanoseconds since 1970; 0: by the patience alone
	deadline atomic.Int64 // the same, as the driver sets it while it connects
}

// SetDeadline ends all waiting by a time, or where that is zero by the patience alone.
func (c *deadlineConn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.deadline.Store(0)
	} else {
		c.deadline.Store(t.UnixNano())
	}
	return c.Conn.SetDeadline(t)
}

// end returns when a wait that begins now ends.
func (c *deadlineConn) end() time.Time {
	end := time.Now().Add(c.timeout)
	if deadline := time.Unix(0, c.deadline.Load()); deadline.UnixNano() != 0 && deadline.Before(end) {
		return deadline
	}
	return end
}

// endBy ends all waiting by a time, also that which is under way.
func (c *deadlineConn) endBy(end time.Time) {
	c.until.Store(end.UnixNano())
	_ = c.SetReadDeadline(end) // fails where it is closed, and nobody waits
}

// Read reads within the patience.
func (c *deadlineConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.end()); err != nil {
		return 0, err
	}
	if until := c.until.Load(); until != 0 { // set before now, or while the deadline above was
		if err := c.SetReadDeadline(time.Unix(0, until)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write writes within the patience.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.end()); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
