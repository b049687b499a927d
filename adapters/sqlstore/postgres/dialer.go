package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// dialer makes connections whose reads and writes time out if the server stops responding.
type dialer struct {
	net.Dialer
	timeout time.Duration // of each read and write; 0 means none
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

// deadlineConn is a connection with a deadline for every read and write.
type deadlineConn struct {
	net.Conn
	timeout  time.Duration
	until    atomic.Int64 // cut-off for all reads, in nanoseconds since 1970; 0: none
	deadline atomic.Int64 // the driver's deadline while it connects, likewise
}

// SetDeadline sets a deadline in addition to the timeout; zero removes it.
func (c *deadlineConn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.deadline.Store(0)
	} else {
		c.deadline.Store(t.UnixNano())
	}
	return c.Conn.SetDeadline(t)
}

// end returns the deadline of a read or write that starts now.
func (c *deadlineConn) end() time.Time {
	end := time.Now().Add(c.timeout)
	if deadline := time.Unix(0, c.deadline.Load()); deadline.UnixNano() != 0 && deadline.Before(end) {
		return deadline
	}
	return end
}

// endBy sets a cut-off for all reads, including the current one.
func (c *deadlineConn) endBy(end time.Time) {
	c.until.Store(end.UnixNano())
	_ = c.SetReadDeadline(end) // fails only if the connection is closed
}

// Read reads within the timeout.
func (c *deadlineConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.end()); err != nil {
		return 0, err
	}
	if until := c.until.Load(); until != 0 { // set before, or concurrently with the deadline above
		if err := c.SetReadDeadline(time.Unix(0, until)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write writes within the timeout.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.end()); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
