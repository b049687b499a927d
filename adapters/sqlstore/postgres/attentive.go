package postgres

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// attentive makes connections on which no wait for the server outlasts its context by much. The driver asks the server
// to cancel and then waits for its word, which a server that has fallen silent does not give.
type attentive struct {
	*pq.Connector
}

// wire is the connection to the server, once there is one.
type wire struct {
	atomic.Pointer[impatient]
}

// wireKey is under which a dialer finds the wire that it is to set.
type wireKey struct{}

// watch ends a wait for the server once the context has ended and the server has had its time to say so.
func (w *wire) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if c := w.Load(); c != nil {
			_ = c.SetReadDeadline(time.Now().Add(grace)) // fails where it is closed, and nobody waits
		}
	})
}

// Connect connects.
func (a attentive) Connect(ctx context.Context) (driver.Conn, error) {
	w := &wire{}
	defer w.watch(ctx)()
	c, err := a.Connector.Connect(context.WithValue(ctx, wireKey{}, w))
	if err != nil {
		return nil, err
	}
	whole, ok := c.(connection)
	if !ok {
		return nil, fmt.Errorf("the driver's connection is a %T", c)
	}
	return attentiveConn{connection: whole, wire: w}, nil
}

// connection is what the driver's connection can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

type attentiveConn struct {
	connection
	wire *wire
}

// QueryContext runs a query.
func (c attentiveConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.wire.watch(ctx)()
	return c.connection.QueryContext(ctx, query, args)
}

// ExecContext runs a statement.
func (c attentiveConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.wire.watch(ctx)()
	return c.connection.ExecContext(ctx, query, args)
}

// BeginTx begins a transaction.
func (c attentiveConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	defer c.wire.watch(ctx)()
	return c.connection.BeginTx(ctx, options)
}
