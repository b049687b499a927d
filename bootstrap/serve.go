package bootstrap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// HTTP server timeouts and limits.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	// shutdownTimeout is how long requests in flight may take to finish during shutdown.
	shutdownTimeout = 30 * time.Second
	// answerAfter is how long the service prepares its database before it listens in spite of that. Until then it refuses
	// connections, so that load balancers try another replica, as they do at each restart.
	answerAfter = 5 * time.Second
)

// Serve migrates the schema, listens, and answers requests until the context ends. Then it fails its readiness check, keeps
// answering for SHUTDOWN_DELAY_SECONDS, accepts no more connections, finishes the requests in flight and returns nil. If migrating
// takes long, it listens meanwhile, and answers only health checks, with the progress, and what else needs no database. ready is
// called with the address once it answers all requests.
func (a *App) Serve(ctx context.Context, ready func(net.Addr)) error {
	prepared := a.startPreparing(ctx)
	defer prepared.stop()
	select {
	case <-prepared.done:
		if prepared.err != nil {
			return a.unprepared(ctx, prepared.err)
		}
	case <-a.after(answerAfter):
	}
	listener, err := a.listen(ctx)
	if err != nil {
		return err
	}
	stopHelpers, err := a.startHelpers(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopHelpers()
	server := a.server(a.metrics.InFlight(a.handler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if <-prepared.done; prepared.err != nil {
		closed := server.Close() // breaks off nothing but health checks
		<-served
		return errors.Join(a.unprepared(ctx, prepared.err), closed)
	}
	stopWorkers := a.startWorkers(ctx)
	defer stopWorkers()
	a.logger.InfoContext(ctx, "listening", "address", listener.Addr().String(), "environment", a.config.Environment)
	ready(listener.Addr())

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		return a.finish(ctx, server, served)
	}
}

// finish stops a server that still answers, once it has drained, and returns when the requests in flight are finished.
func (a *App) finish(ctx context.Context, server *http.Server, served <-chan error) error {
	if err := a.drain(served); err != nil {
		return err
	}
	a.logger.Info("stopping: finishing the requests in flight")
	a.stop()
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		err = fmt.Errorf("requests were still in flight after %s: %w", shutdownTimeout, errors.Join(err, server.Close()))
		<-served
		return err
	}
	<-served // http.ErrServerClosed, at once
	a.logger.Info("stopped")
	return nil
}

// preparation is the work on the database before the service can use it.
type preparation struct {
	done chan struct{} // closed at its end
	err  error         // afterwards
	stop func()        // stops it after the step that it is in, and waits
}

func (a *App) startPreparing(ctx context.Context) *preparation {
	ctx, cancel := context.WithCancel(ctx)
	p := &preparation{done: make(chan struct{})}
	p.stop = func() { cancel(); <-p.done }
	a.condition.migrating.Store(true)
	go func() {
		defer close(p.done)
		if p.err = a.prepare(ctx); p.err == nil {
			a.condition.migrating.Store(false)
		}
	}()
	return p
}

// unprepared returns the error of a preparation that failed; nil if it was stopped.
func (a *App) unprepared(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	a.logger.Info("stopped before the schema was migrated; the next start continues", "reason", err)
	return nil
}

// drain fails the readiness check and waits, so that load balancers notice it before connections are refused. Requests are
// still answered; each response closes its connection, so that the next request opens a new one, possibly to another replica.
func (a *App) drain(served <-chan error) error {
	a.condition.draining.Store(true)
	if a.config.ShutdownDelay == 0 {
		return nil
	}
	a.logger.Info("stopping: not ready any more", "delay", a.config.ShutdownDelay.String())
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-a.after(a.config.ShutdownDelay):
		return nil
	}
}

func (a *App) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}
}

// startHelpers starts the background tasks: the probes of Redis and the metrics server. The returned function stops them and
// waits for them to end.
func (a *App) startHelpers(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // they keep running while requests in flight finish
	var running sync.WaitGroup
	if a.config.MetricsAddress != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.config.MetricsAddress)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("listening on METRICS_ADDRESS: %w", err)
		}
		a.logger.InfoContext(ctx, "serving metrics", "address", listener.Addr().String())
		page := http.NewServeMux()
		page.Handle("GET /metrics", a.metrics.Handler())
		server := a.server(page)
		running.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				a.logger.Error("the metrics server has stopped", "error", err)
			}
		})
		context.AfterFunc(ctx, func() { _ = server.Close() }) // at worst one scrape fails
	}
	if a.redis != nil {
		running.Go(func() { a.redis.Watch(ctx) })
	}
	return func() { cancel(); running.Wait() }, nil
}

func (a *App) listen(ctx context.Context) (net.Listener, error) {
	address := net.JoinHostPort(a.config.Host, strconv.Itoa(a.config.Port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s, as HOST and PORT say: %w", address, err)
	}
	if len(a.config.TLSCert) == 0 {
		return listener, nil
	}
	certificate, err := tls.X509KeyPair(a.config.TLSCert, a.config.TLSKey)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading TLS_CERT and TLS_KEY: %w", err), listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}), nil
}
