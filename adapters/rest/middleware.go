package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

const (
	maxRequestID     = 64
	contextCaller    = "caller"
	apiPolicy        = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	hstsTwoYears     = "max-age=63072000; includeSubDomains"
	statusClientGone = 499 // nginx's: the client closed the connection before the response
)

// identify gives each request an id, the client's own if isPlain accepts it, and stores its origin in the context.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		requestID := r.Header.Get(echo.HeaderXRequestID)
		if !isPlain(requestID) {
			requestID = s.deps.IDs.New()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, requestID)
		origin := audit.Origin{RequestID: requestID, Address: c.RealIP(), UserAgent: session.CleanDevice(r.UserAgent())}
		c.SetRequest(r.WithContext(audit.WithOrigin(r.Context(), origin)))
		return next(c)
	}
}

// closing closes connections after the response while the service is shutting down. An idle connection that the server closes
// later could meet the client's next request.
func (s *Server) closing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.deps.Condition().Draining {
			c.Response().Header().Set(echo.HeaderConnection, "close")
		}
		return next(c)
	}
}

var errMigrating = fault.New(fault.Unavailable, "migrating", "The service is starting: the schema of its database is being checked or migrated.").After(10 * time.Second)

// refuseWhileMigrating refuses requests that need the database until its schema has been migrated and checked.
func (s *Server) refuseWhileMigrating(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.deps.Condition().Migrating && !s.isOpen(c) {
			return errMigrating
		}
		return next(c)
	}
}

// timeout cancels the context of a request after RequestTimeout.
func (s *Server) timeout(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method+" "+c.Path() == exportRoute || isStream(r) {
			return next(c) // it limits its chunks
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.settings.RequestTimeout)
		defer cancel()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// isPlain reports whether s has 1 to 64 characters, all of them ASCII letters, digits, hyphens, underscores or dots.
func isPlain(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// observe logs and measures a request after its response, also if the response is aborted.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		path := c.Request().URL.Path
		completed := false
		defer func() {
			if s.isOpen(c) {
				return
			}
			ctx := c.Request().Context()
			line := audit.Request{
				Origin: audit.OriginFrom(ctx), Method: c.Request().Method, Path: path, Route: s.route(c),
				Status: c.Response().Status, Duration: time.Since(began),
			}
			switch {
			case completed:
			case isGone(ctx):
				line.Status = statusClientGone
			default: // the response was aborted after its status was sent
				line.Status = http.StatusInternalServerError
			}
			if caller, ok := c.Get(contextCaller).(session.Caller); ok {
				line.Tenant, line.User, line.Role = caller.User.TenantID, caller.User.ID, caller.User.Role.String()
			}
			s.deps.AuditLog.Request(context.WithoutCancel(ctx), line)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		completed = true
		return nil
	}
}

// isGone reports whether the client of a request has closed the connection.
func isGone(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// secureHeaders sets the security headers for browsers (ASVS 3.4): no sniffing, framing, caching or referrer.
func secureHeaders(hsts bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set(echo.HeaderXContentTypeOptions, "nosniff")
			h.Set(echo.HeaderXFrameOptions, "DENY")
			h.Set(echo.HeaderReferrerPolicy, "no-referrer")
			h.Set(echo.HeaderContentSecurityPolicy, apiPolicy)
			h.Set(echo.HeaderCacheControl, "no-store")
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			if hsts {
				h.Set(echo.HeaderStrictTransportSecurity, hstsTwoYears)
			}
			return next(c)
		}
	}
}

var errCrossSite = fault.New(fault.Forbidden, "cross_site", "Pages of other sites may not send this request.")

// refuseCrossSite returns a middleware that refuses requests that a browser sends for pages of sites other than this and the
// trusted ones (ASVS 3.5.1): a form could sign a visitor in as another user (login CSRF). A request with a bearer token can't
// come from a form, so it is accepted; Basic authentication can, since browsers add it by themselves. Requests that are not
// sent by a browser are accepted.
func refuseCrossSite(trusted []string) (echo.MiddlewareFunc, error) {
	sites := http.NewCrossOriginProtection()
	for _, origin := range trusted {
		if err := sites.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trusting an origin: %w", err)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if bearer(c.Request()) == "" {
				if err := sites.Check(c.Request()); err != nil {
					return errCrossSite.Because(err)
				}
			}
			return next(c)
		}
	}, nil
}

// recoverPanics turns a panic into an error, so that the process continues (ASVS 16.5.4).
func recoverPanics() echo.MiddlewareFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisableErrorHandler: true,
		LogErrorFunc: func(_ echo.Context, err error, stack []byte) error {
			return &panicError{cause: err, stack: string(stack)}
		},
	})
}

type panicError struct {
	cause error
	stack string
}

func (p *panicError) Error() string { return "panic: " + p.cause.Error() }
func (p *panicError) Unwrap() error { return p.cause }

// discardBody reads the body of a request that should have none: while it is unread, net/http does not notice that the client
// has closed the connection.
func discardBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.Method == http.MethodGet || r.Method == http.MethodDelete {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				var tooLarge *echo.HTTPError
				if errors.As(err, &tooLarge) {
					return tooLarge
				}
				return errUnreadable.Because(err)
			}
			r.Body, r.ContentLength = http.NoBody, 0
		}
		return next(c)
	}
}

const (
	// smallBody is a size in bytes that hardly a valid request exceeds: an event, the largest, has at most 18 KiB unless it is
	// escaped.
	smallBody = 24 << 10
	// largeBodies is how many larger bodies are read at once. Each takes a few times MaxBody while it is decoded, so all together
	// fit into half of the memory that a replica has in docker-compose.yml.
	largeBodies = 64
	// largeBodyWait is long compared to the time that reading a large body takes, and short for a client.
	largeBodyWait = time.Second
)

var errTooManyLargeBodies = fault.New(fault.Unavailable, "busy", "Too many large bodies at once.").After(2 * time.Second)

// isBatch reports whether a request is for the route of batches, which limits its bodies itself.
func isBatch(c echo.Context) bool { return c.Request().Method+" "+c.Path() == batchRoute }

// limitBody returns a middleware that limits bodies to MaxBody.
func limitBody() echo.MiddlewareFunc {
	return middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Skipper: isBatch, Limit: fmt.Sprint(MaxBody)})
}

// boundLargeBodies returns a middleware that bounds the memory that bodies take (ASVS 15.2.2). Requests with a body larger than
// smallBody, or of unknown length, wait for one of largeBodies slots; all others never wait.
func boundLargeBodies() echo.MiddlewareFunc {
	slots := make(chan struct{}, largeBodies)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if length := r.ContentLength; length >= 0 && length <= smallBody || isBatch(c) {
				return next(c)
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				return next(c)
			case <-time.After(largeBodyWait):
				return errTooManyLargeBodies
			case <-r.Context().Done():
				return r.Context().Err()
			}
		}
	}
}

type callerKey struct{}

// withCaller stores the caller in the request's context, for the handlers, and in Echo's, for the log.
func withCaller(c echo.Context, caller session.Caller) {
	c.Set(contextCaller, caller)
	c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), callerKey{}, caller)))
}

// callerFrom returns the caller. On a route that needs no token it is the zero Caller, which has no permissions.
func callerFrom(ctx context.Context) session.Caller {
	caller, _ := ctx.Value(callerKey{}).(session.Caller)
	return caller
}

// bearer returns the token of a request, or "" (RFC 6750 2.1).
func bearer(r *http.Request) string {
	scheme, token, found := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
