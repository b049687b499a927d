package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	headerLimit           = "X-RateLimit-Limit"
	headerRemaining       = "X-RateLimit-Remaining"
	headerReset           = "X-RateLimit-Reset"
	headerRateLimit       = "RateLimit"        // draft-ietf-httpapi-ratelimit-headers-10 4
	headerRateLimitPolicy = "RateLimit-Policy" // the same, 3
)

const signInRoute = "POST " + Prefix + "/auth/login"

// exportRoute streams: it takes as long as it needs, and has a rate of its own.
const exportRoute = "GET " + Prefix + "/analytics/export"

var errRateLimited = fault.New(fault.RateLimited, "rate_limited", "Too many requests.")

// limited is a rate under its name.
type limited struct {
	name string
	rate ports.Rate
}

// publicRoutes are the routes that need no token, besides health and documentation, each with its own rate.
// All other routes need one.
func (s *Server) publicRoutes(route string) (limited, bool) {
	l := s.settings.Limits
	switch route {
	case "POST " + Prefix + "/auth/register":
		return limited{"register", l.Register}, true
	case signInRoute:
		return limited{"login", l.SignIn}, true
	case "POST " + Prefix + "/auth/refresh":
		return limited{"refresh", l.Refresh}, true
	}
	return limited{}, false
}

// guard finds out who is asking and counts the request against their rate. The rate of a user is counted only once
// the token has been verified, so that nobody can spend another's; what fails is counted against the address.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.isOpen(c) {
			return next(c)
		}
		route := c.Request().Method + " " + c.Path()
		anonymous := limited{"anonymous", s.settings.Limits.Default}
		if _, exists := s.routes[route]; !exists {
			if err := s.countAddress(c, anonymous); err != nil {
				return err
			}
			return next(c) // to 404 or 405
		}
		if rate, public := s.publicRoutes(route); public {
			err := s.countAddress(c, rate)
			if errors.Is(err, errRateLimited) && route == signInRoute { // ASVS 16.3.1
				s.deps.AuditLog.Note(c.Request().Context(), audit.Entry{
					Severity: audit.Warning, Act: audit.SignInThrottled, Detail: map[string]string{"reason": "too_many_from_address"},
				})
			}
			if err != nil {
				return err
			}
			return next(c)
		}

		caller, err := s.authenticate(c)
		if fault.KindOf(err) == fault.Unauthenticated {
			if err := s.countAddress(c, anonymous); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		withCaller(c, caller)
		rate, who := s.ownRate(route, caller)
		if err := s.count(c, rate, who); err != nil {
			return err
		}
		return next(c)
	}
}

// ownRate returns the rate of a request of somebody who is signed in, and who it is counted for. To sign out and to
// change the password, which is what to do when a token was stolen, is counted apart and by session, so that the thief
// can't spend it with other requests, nor with another session's token.
func (s *Server) ownRate(route string, caller session.Caller) (limited, string) {
	u, l := caller.User, s.settings.Limits
	role := limited{u.Role.String(), l.Roles[u.Role]}
	switch route {
	case exportRoute:
		return limited{"export", l.Export}, string(u.ID)
	case "POST " + Prefix + "/auth/logout":
		return limited{"logout", role.rate}, string(caller.Claims.Session)
	case "POST " + Prefix + "/auth/password":
		return limited{"password", role.rate}, string(caller.Claims.Session)
	default:
		return role, fmt.Sprintf("%s:%s", u.TenantID, u.ID)
	}
}

func (s *Server) authenticate(c echo.Context) (session.Caller, error) {
	token := bearer(c.Request())
	if token == "" {
		return session.Caller{}, session.ErrTokenRequired
	}
	return s.deps.Auth.Authenticate(c.Request().Context(), token)
}

func (s *Server) countAddress(c echo.Context, l limited) error {
	return s.count(c, l, session.AddressKey(c.RealIP()))
}

// count takes one request from a rate and tells in the headers what is left. Of what has no limit it tells nothing. Who
// gets another role is counted anew, by the name of the rate.
func (s *Server) count(c echo.Context, l limited, who string) error {
	if l.rate.Unlimited {
		return nil
	}
	left, err := s.deps.Limiter.Take(c.Request().Context(), "request:"+l.name+":"+who, l.rate)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	reset := seconds(left.Reset)
	h.Set(headerLimit, strconv.Itoa(l.rate.Requests))
	h.Set(headerRemaining, strconv.Itoa(left.Remaining))
	h.Set(headerReset, strconv.Itoa(reset))
	h.Set(headerRateLimitPolicy, fmt.Sprintf("%q;q=%d;w=%d", l.name, l.rate.Requests, seconds(l.rate.Window)))
	h.Set(headerRateLimit, fmt.Sprintf("%q;r=%d;t=%d", l.name, left.Remaining, reset))
	if left.Exceeded {
		s.deps.LimitHit(l.name)
		return errRateLimited.After(left.Reset)
	}
	return nil
}

// seconds returns a duration in whole seconds, rounded up.
func seconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}

// statuses are the statuses of the kinds of fault.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Malformed:       http.StatusBadRequest,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Gone:            http.StatusGone,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}
