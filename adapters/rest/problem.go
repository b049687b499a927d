package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

const mediaProblem = "application/problem+json"

var (
	errInternal   = fault.New(fault.Internal, "internal", "Internal error. The log has the cause under the request id.")
	errUnreadable = fault.New(fault.Malformed, "malformed_request", "The request can't be read.")
	errTimeout    = fault.New(fault.Unavailable, "timeout", "The request took too long.").After(2 * time.Second)
)

// statuses are the HTTP statuses of the kinds of fault.
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

// handleError responds with the problem document of an error (RFC 9457). Unexpected errors are logged and not shown.
func (s *Server) handleError(err error, c echo.Context) {
	ctx := c.Request().Context()
	switch {
	case c.Response().Committed && isGone(ctx):
		c.Response().Status = statusClientGone // for the log
		return
	case c.Response().Committed:
		s.logUnexpected(ctx, err)
		return
	case isGone(ctx) && errors.Is(err, context.Canceled):
		c.Response().WriteHeader(statusClientGone)
		return
	}
	status, f := s.asFault(ctx, err)
	h := c.Response().Header()
	switch {
	case status == http.StatusUnauthorized:
		h.Set(echo.HeaderWWWAuthenticate, challenge(f))
	case status == http.StatusForbidden:
		s.logDenied(ctx, c, f)
	}
	if f.RetryAfter > 0 {
		h.Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(f.RetryAfter)))
	}
	var keyed keyedError
	if errors.As(err, &keyed) && keyed.key != "" {
		h.Set(headerIdempotencyKey, keyed.key)
	}
	p := problem(c, status, f)
	var stopped stoppedBatch
	if errors.As(err, &stopped) {
		stopped.addTo(&p)
	}
	if err := writeProblem(c, p); err != nil {
		s.logUnexpected(ctx, err)
	}
}

func problem(c echo.Context, status int, f *fault.Error) contract.Problem {
	p := contract.Problem{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    detail(f),
		Instance:  c.Request().URL.EscapedPath(),
		Code:      f.Code,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID),
	}
	if len(f.Fields) > 0 {
		fields := make([]contract.FieldError, 0, len(f.Fields))
		for _, field := range f.Fields {
			fields = append(fields, contract.FieldError{Field: field.Name, Message: field.Message})
		}
		p.Errors = &fields
	}
	return p
}

// writeProblem writes a problem. Its length comes first, so that it is complete while a stream is still being read.
func writeProblem(c echo.Context, p contract.Problem) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a problem: %w", err)
	}
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(raw)))
	if c.Request().Method == http.MethodHead {
		raw = nil
	}
	return c.Blob(p.Status, mediaProblem, raw)
}

// statusError is a fault with another status than its kind has.
type statusError struct {
	status int
	fault  *fault.Error
}

func (s statusError) Error() string { return s.fault.Error() }
func (s statusError) Unwrap() error { return s.fault }

// detail returns the detail of a problem: the message, the first invalid field and how many more there are, and when to try
// again.
func detail(f *fault.Error) string {
	text := f.Message
	if len(f.Fields) > 0 {
		text = fmt.Sprintf("%s: %s %s", strings.TrimSuffix(text, "."), f.Fields[0].Name, f.Fields[0].Message)
		if more := len(f.Fields) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		text += "."
	}
	if f.RetryAfter > 0 {
		text += fmt.Sprintf(" Try again in %d s.", seconds(f.RetryAfter))
	}
	return text
}

// asFault returns the status and the fault of an error, and logs the errors whose cause the client is not shown.
func (s *Server) asFault(ctx context.Context, err error) (int, *fault.Error) {
	var withStatus statusError
	if errors.As(err, &withStatus) {
		return withStatus.status, withStatus.fault
	}
	var f *fault.Error
	if errors.As(err, &f) {
		if f.Kind == fault.Unavailable && errors.Unwrap(f) != nil {
			s.deps.Logger.WarnContext(ctx, "dependency unavailable", "error", err, "request_id", audit.OriginFrom(ctx).RequestID)
		}
		return statuses[f.Kind], f
	}
	var h *echo.HTTPError
	if errors.As(err, &h) {
		switch h.Code {
		case http.StatusNotFound:
			return h.Code, fault.New(fault.NotFound, "route_not_found", "No such route. Those of the API begin with "+Prefix+"; "+docsPath+" lists them.")
		case http.StatusMethodNotAllowed:
			return h.Code, fault.New(fault.Malformed, "method_not_allowed", "This route does not accept this method; the header Allow lists those that it does.")
		case http.StatusRequestEntityTooLarge:
			return h.Code, fault.New(fault.Malformed, "body_too_large", "The body is larger than 1 MiB.")
		case http.StatusUnsupportedMediaType:
			return h.Code, fault.New(fault.Malformed, "unsupported_media_type", "The body must be application/json in UTF-8.")
		case http.StatusBadRequest:
			return parameterFault(h)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return s.asFault(ctx, errTimeout.Because(err))
	}
	s.logUnexpected(ctx, err)
	return http.StatusInternalServerError, errInternal
}

// parameterFault returns a fault that names the parameter that the generated code could not parse.
func parameterFault(h *echo.HTTPError) (int, *fault.Error) {
	message, _ := h.Message.(string)
	if rest, found := strings.CutPrefix(message, "Invalid format for parameter "); found {
		name, _, _ := strings.Cut(rest, ":")
		return http.StatusUnprocessableEntity, fault.ErrInvalid.OnField(name, "can't be read, or is given more than once")
	}
	if rest, found := strings.CutPrefix(message, "Expected one value for "); found {
		name, _, _ := strings.Cut(rest, ",")
		return http.StatusUnprocessableEntity, fault.ErrInvalid.OnField(name, "must be given once")
	}
	return http.StatusBadRequest, errUnreadable
}

// seconds returns a duration in whole seconds, rounded up.
func seconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}

// challenge returns the WWW-Authenticate header of a 401 (RFC 6750 3). For a request without a token it has no error code.
func challenge(f *fault.Error) string {
	if errors.Is(f, session.ErrInvalidToken) {
		return `Bearer realm="secure-data-api", error="invalid_token", error_description="The token is invalid, expired or revoked"`
	}
	return `Bearer realm="secure-data-api"`
}

// logDenied writes an audit entry for a refused authorization (ASVS 16.3.2).
func (s *Server) logDenied(ctx context.Context, c echo.Context, f *fault.Error) {
	u := callerFrom(ctx).User
	s.deps.AuditLog.Note(ctx, audit.Entry{
		TenantID: u.TenantID, Severity: audit.Warning, Act: audit.AccessDenied, Actor: u.ID,
		Detail: map[string]string{"code": f.Code, "method": c.Request().Method, "path": c.Request().URL.Path},
	})
}

func (s *Server) logUnexpected(ctx context.Context, err error) {
	attributes := []slog.Attr{slog.String("request_id", audit.OriginFrom(ctx).RequestID), slog.Any("error", err)}
	var p *panicError
	if errors.As(err, &p) {
		attributes = append(attributes, slog.String("stack", p.stack))
	}
	s.deps.Logger.LogAttrs(ctx, slog.LevelError, "unexpected error", attributes...)
}
