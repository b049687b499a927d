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

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

const (
	maxRequestID     = 64
	contextCaller    = "caller"
	apiPolicy        = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	hstsTwoYears     = "max-age=63072000; includeSubDomains"
	statusClientGone = 499 // as nginx has it: the client went before the answer
)

// identify gives each request an id, the client's own where that is short and plain, and keeps where it came from.
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

// closing ends a connection with its answer once the service has been told to stop. Closed in the middle of nothing, as a
// server does in the end, it could meet the client's next request.
func (s *Server) closing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.deps.Draining() {
			c.Response().Header().Set(echo.HeaderConnection, "close")
		}
		return next(c)
	}
}

// budget ends a request that takes too long, wherever it waits.
func (s *Server) budget(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method+" "+c.Path() == exportRoute {
			return next(c)
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.settings.RequestTimeout)
		defer cancel()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

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

// observe writes the line of a request once it has been answered, also where the answer breaks off.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		path := c.Request().URL.Path
		whole := false
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
			case whole:
			case isGone(ctx):
				line.Status = statusClientGone
			default: // the answer began well and was broken off here
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
		whole = true
		return nil
	}
}

// isGone reports whether the client of a request has gone.
func isGone(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// secureHeaders sets what browsers must know (ASVS 3.4): nothing is sniffed, framed, cached or told to others.
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

// refuseCrossSite returns a middleware that refuses what pages of sites other than this and the trusted ones make a
// browser send (ASVS 3.5.1): a form can sign a visitor in as somebody else. A request with a token in its header is
// no form's; a password of Basic authentication is, which browsers add by themselves. What is no browser's is let through.
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

// drain reads away the body of a request that should have none: while it stands unread, the server does not notice that
// the client has gone.
func drain(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.Method == http.MethodGet || r.Method == http.MethodDelete {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				var tooLarge *echo.HTTPError
				if errors.As(err, &tooLarge) {
					return tooLarge
				}
				return errUnreadable.Because(err)
			}
		}
		return next(c)
	}
}

type callerKey struct{}

// withCaller keeps who is asking in the request's context, for the handlers, and in Echo's, for the log.
func withCaller(c echo.Context, caller session.Caller) {
	c.Set(contextCaller, caller)
	c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), callerKey{}, caller)))
}

// callerFrom returns who is asking. On a route that needs no token it is nobody, who may do nothing.
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
