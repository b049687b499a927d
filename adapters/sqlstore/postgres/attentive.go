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
			c.endBy(time.Now().Add(grace))
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

// BeginTx begins a transaction, which is watched until it ends: COMMIT has no context of its own.
func (c attentiveConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	stop := c.wire.watch(ctx)
	tx, err := c.connection.BeginTx(ctx, options)
	if err != nil {
		stop()
		return nil, err
	}
	return attentiveTx{Tx: tx, stop: stop}, nil
}

// ResetSession makes the connection fit for another user, whose context has not ended.
func (c attentiveConn) ResetSession(ctx context.Context) error {
	if w := c.wire.Load(); w != nil {
		w.until.Store(0)
	}
	return c.connection.ResetSession(ctx)
}

type attentiveTx struct {
	driver.Tx
	stop func() bool
}

// Commit commits.
func (t attentiveTx) Commit() error {
	defer t.stop()
	return t.Tx.Commit()
}

// Rollback rolls back.
func (t attentiveTx) Rollback() error {
	defer t.stop()
	return t.Tx.Rollback()
}
