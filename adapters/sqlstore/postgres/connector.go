package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// pgConnector makes connections on which no operation outlasts its context by more than grace. On cancellation the
// driver asks the server to cancel and then waits for the answer, which an unresponsive server never sends.
type pgConnector struct {
	hosts []host
	// writable is whether the server must accept writes.
	writable bool
}

// host is one of the hosts of the URL.
type host struct {
	*pq.Connector
	address string
}

// newConnector returns a connector for the configuration. To find a writable server, it queries each host: the driver relies on
// the parameters reported at connection start, and PgBouncer caches those of the first server, even after a promotion.
func newConnector(config pq.Config, d dialer) (pgConnector, error) {
	a := pgConnector{writable: config.TargetSessionAttrs == pq.TargetSessionAttrsReadWrite}
	each := []pq.Config{config}
	if a.writable {
		each[0].Multi, each[0].TargetSessionAttrs = nil, pq.TargetSessionAttrsAny
		for _, other := range config.Multi {
			one := each[0].Clone()
			one.Host, one.Hostaddr, one.Port = other.Host, other.Hostaddr, other.Port
			each = append(each, one)
		}
	}
	for _, one := range each {
		connector, err := pq.NewConnectorConfig(one)
		if err != nil {
			return pgConnector{}, errOptions
		}
		connector.Dialer(d)
		a.hosts = append(a.hosts, host{Connector: connector, address: net.JoinHostPort(one.Host, strconv.Itoa(int(one.Port)))})
	}
	return a, nil
}

// Driver returns the driver.
func (a pgConnector) Driver() driver.Driver { return a.hosts[0].Driver() }

// socket holds the network connection once it is established.
type socket struct {
	atomic.Pointer[deadlineConn]
}

// socketKey is the context key under which the dialer finds the socket to set.
type socketKey struct{}

// watch cuts off reads once the context has ended and grace has passed.
func (w *socket) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if c := w.Load(); c != nil {
			c.endBy(time.Now().Add(grace))
		}
	})
}

// errConnecting: no connection could be established, for any reason: network, certificate, password, unknown database or
// host. Nothing was changed, and an operator may fix it while the service is running.
var errConnecting = errors.New("connecting to Postgres")

// Connect connects to the first suitable host. Errors: errConnecting.
func (a pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	failed := errConnecting
	for _, h := range a.hosts {
		c, err := a.connect(ctx, h)
		if err == nil {
			return c, nil
		}
		if len(a.hosts) > 1 {
			err = fmt.Errorf("%s: %w", h.address, err)
		}
		failed = fmt.Errorf("%w: %w", failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func (a pgConnector) connect(ctx context.Context, to host) (driver.Conn, error) {
	w := &socket{}
	defer w.watch(ctx)()
	c, err := to.Connect(context.WithValue(ctx, socketKey{}, w))
	if err != nil {
		return nil, err
	}
	whole, ok := c.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's connection is a %T", c), c.Close())
	}
	if a.writable {
		if err := checkWritable(ctx, whole); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return &watchedConn{driverConn: whole, socket: w}, nil
}

// checkWritable checks that the server accepts writes: it is neither a standby nor configured as read-only.
func checkWritable(ctx context.Context, c driverConn) error {
	rows, err := c.QueryContext(ctx, "SHOW transaction_read_only", nil)
	if err != nil {
		return err
	}
	setting := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(setting), rows.Close()); err != nil {
		return err
	}
	if setting[0] != "off" {
		return errors.New("the server is read-only")
	}
	return nil
}

// driverConn is the interface of the driver's connections.
type driverConn interface {
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

// watchedConn cuts off operations after their context has ended. The pool uses it from one goroutine at a time.
type watchedConn struct {
	driverConn
	socket     *socket
	readOnlyTx bool // whether it is in a transaction begun as read-only
	readOnly   bool // whether the server turned out to be read-only
}

// errReadOnly: the server does not accept writes, such as one that has become a standby. Nothing was changed. The pool
// discards the connection and retries on another one, unless in a transaction.
var errReadOnly = fmt.Errorf("the server is read-only (%w)", driver.ErrBadConn)

// checkReadOnly checks whether an error has one of the codes, which mean that the server is read-only. In a transaction begun
// as read-only, a refused write says nothing about the server.
func (c *watchedConn) checkReadOnly(err error, codes ...pqerror.Code) error {
	var e *pq.Error
	if !c.readOnlyTx && errors.As(err, &e) && slices.Contains(codes, e.Code) {
		c.readOnly = true
		return fmt.Errorf("%w: %w", errReadOnly, err)
	}
	return err
}

// QueryContext runs a query.
func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.socket.watch(ctx)()
	rows, err := c.driverConn.QueryContext(ctx, query, args)
	return rows, c.checkReadOnly(err, readOnlyTransaction)
}

// ExecContext runs a statement.
func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.socket.watch(ctx)()
	result, err := c.driverConn.ExecContext(ctx, query, args)
	return result, c.checkReadOnly(err, readOnlyTransaction)
}

// BeginTx begins a transaction and watches it until it ends, since COMMIT has no context.
func (c *watchedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	stop := c.socket.watch(ctx)
	tx, err := c.driverConn.BeginTx(ctx, options)
	if err != nil {
		stop()
		// A standby answers BEGIN READ WRITE with featureNotSupported; nothing else about a BEGIN can cause it.
		return nil, c.checkReadOnly(err, readOnlyTransaction, featureNotSupported)
	}
	c.readOnlyTx = options.ReadOnly
	return watchedTx{Tx: tx, end: func() { c.readOnlyTx = false; stop() }}, nil
}

// ResetSession prepares the connection for the next caller, whose context has not ended.
func (c *watchedConn) ResetSession(ctx context.Context) error {
	if c.readOnly {
		return errReadOnly
	}
	if w := c.socket.Load(); w != nil {
		w.until.Store(0)
	}
	return c.driverConn.ResetSession(ctx)
}

// IsValid reports whether the connection may be used again.
func (c *watchedConn) IsValid() bool { return !c.readOnly && c.driverConn.IsValid() }

type watchedTx struct {
	driver.Tx
	end func()
}

// Commit commits.
func (t watchedTx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

// Rollback rolls back.
func (t watchedTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}
