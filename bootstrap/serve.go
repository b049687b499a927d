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

// The patience of the server with its clients.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	// shutdownTimeout is how long requests in flight may take to finish once the service has been told to stop.
	shutdownTimeout = 30 * time.Second
)

// Serve brings the schema up to date, listens, and answers requests until the context ends. Then it is not ready any more,
// goes on for as long as SHUTDOWN_DELAY_SECONDS has it, takes no more connections, finishes the requests in flight and returns
// nil. ready is called with the address once it listens.
func (a *App) Serve(ctx context.Context, ready func(net.Addr)) error {
	if err := a.prepare(ctx); err != nil {
		return err
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
	a.logger.InfoContext(ctx, "listening", "address", listener.Addr().String(), "environment", a.config.Environment)
	ready(listener.Addr())

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	if err := a.drain(served); err != nil {
		return err
	}
	a.logger.Info("stopping: finishing the requests in flight")
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

// drain fails readiness, and gives balancers the time to see that before connections are refused. Requests are answered as
// before; each answer ends its connection, so that the next request comes over a new one, which may lead elsewhere.
func (a *App) drain(served <-chan error) error {
	a.draining.Store(true)
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

// startHelpers starts what runs beside the API: the watch over Redis and the page of metrics. The function it returns
// stops them and waits until they have ended.
func (a *App) startHelpers(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // they serve the requests in flight, too
	var running sync.WaitGroup
	if a.config.MetricsAddress != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.config.MetricsAddress)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("listening on METRICS_ADDRESS: %w", err)
		}
		page := http.NewServeMux()
		page.Handle("GET /metrics", a.metrics.Handler())
		server := a.server(page)
		running.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				a.logger.Error("metrics are not served any more", "error", err)
			}
		})
		context.AfterFunc(ctx, func() { _ = server.Close() }) // what is lost is a page of figures
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
		return nil, fmt.Errorf("listening on %s: %w", address, err)
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
