package rest

import (
	"errors"
	"fmt"
	"strconv"

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

// exportRoute streams: RequestTimeout applies only to each of its chunks, and it has its own rate.
const exportRoute = "GET " + Prefix + "/analytics/export"

var errRateLimited = fault.New(fault.RateLimited, "rate_limited", "Too many requests.")

// namedRate is a rate limit with its name.
type namedRate struct {
	name string
	rate ports.Rate
}

// publicRate returns the rate of a route that needs no token. Besides these, only the root, health and documentation need none.
func (s *Server) publicRate(route string) (namedRate, bool) {
	l := s.settings.Limits
	switch route {
	case "POST " + Prefix + "/auth/register":
		return namedRate{"register", l.Register}, true
	case signInRoute:
		return namedRate{"login", l.SignIn}, true
	case "POST " + Prefix + "/auth/refresh":
		return namedRate{"refresh", l.Refresh}, true
	}
	return namedRate{}, false
}

// guard authenticates the request and counts it against a rate limit. It counts against the user only after the token has been
// verified, so that no client can use up the limit of another; failures are counted against the client's address.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.isOpen(c) {
			return next(c)
		}
		route := c.Request().Method + " " + c.Path()
		anonymous := namedRate{"anonymous", s.settings.Limits.Default}
		if _, exists := s.routes[route]; !exists {
			if err := s.countAddress(c, anonymous); err != nil {
				return err
			}
			return next(c) // to 404 or 405
		}
		if rate, public := s.publicRate(route); public {
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
		rate, key := s.callerRate(route, caller)
		if err := s.count(c, rate, key); err != nil {
			return err
		}
		return next(c)
	}
}

// callerRate returns the rate of an authenticated request, and the key that it is counted under. Sign-out and password change,
// which are what to do when a token was stolen, are counted separately and by session, so that an attacker can use up their
// limit neither with other requests nor with another session's token.
func (s *Server) callerRate(route string, caller session.Caller) (namedRate, string) {
	u, l := caller.User, s.settings.Limits
	role := namedRate{u.Role.String(), l.Roles[u.Role]}
	switch route {
	case exportRoute:
		return namedRate{"export", l.Export}, string(u.ID)
	case "POST " + Prefix + "/auth/logout":
		return namedRate{"logout", role.rate}, string(caller.Claims.Session)
	case "POST " + Prefix + "/auth/password":
		return namedRate{"password", role.rate}, string(caller.Claims.Session)
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

func (s *Server) countAddress(c echo.Context, l namedRate) error {
	return s.count(c, l, session.AddressKey(c.RealIP()))
}

// count counts one request against a rate and writes what is left into the headers; a rate without a limit has none. After a
// change of role counting starts anew, since the name of the rate is part of the key.
func (s *Server) count(c echo.Context, l namedRate, key string) error {
	if l.rate.Unlimited {
		return nil
	}
	left, err := s.deps.Limiter.Take(c.Request().Context(), "request:"+l.name+":"+key, l.rate)
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
		return errRateLimited.Saying(fmt.Sprintf("Too many requests; the limit is %s.", l.rate)).After(left.Reset)
	}
	return nil
}
