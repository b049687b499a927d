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

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

const mediaProblem = "application/problem+json"

var (
	errInternal   = fault.New(fault.Internal, "internal", "Something went wrong here. The request id finds it in the log.")
	errUnreadable = fault.New(fault.Malformed, "malformed_request", "The request can't be read.")
	errTimeout    = fault.New(fault.Unavailable, "timeout", "The request took too long.").After(2 * time.Second)
)

// handleError answers with the problem document of an error (RFC 9457). What is unexpected is logged and not shown.
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
		s.noteRefusal(ctx, c, f)
	}
	if f.RetryAfter > 0 {
		h.Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(f.RetryAfter)))
	}
	if err := writeProblem(c, status, f); err != nil {
		s.logUnexpected(ctx, err)
	}
}

func writeProblem(c echo.Context, status int, f *fault.Error) error {
	p := Problem{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    detail(f),
		Instance:  c.Request().URL.EscapedPath(),
		Code:      f.Code,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID),
	}
	if len(f.Fields) > 0 {
		fields := make([]FieldError, 0, len(f.Fields))
		for _, field := range f.Fields {
			fields = append(fields, FieldError{Field: field.Name, Message: field.Message})
		}
		p.Errors = &fields
	}
	c.Response().Header().Set(echo.HeaderContentType, mediaProblem)
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return json.NewEncoder(c.Response()).Encode(p)
}

// detail returns what a problem says in words: the message, the first field to blame and how many more there are, and
// when to try again.
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

// asFault finds what to tell of an error.
func (s *Server) asFault(ctx context.Context, err error) (int, *fault.Error) {
	var f *fault.Error
	if errors.As(err, &f) {
		if f.Kind == fault.Unavailable && errors.Unwrap(f) != nil {
			s.deps.Logger.WarnContext(ctx, "something that is needed does not answer", "error", err, "request_id", audit.OriginFrom(ctx).RequestID)
		}
		return statuses[f.Kind], f
	}
	var h *echo.HTTPError
	if errors.As(err, &h) {
		switch h.Code {
		case http.StatusNotFound:
			return h.Code, fault.New(fault.NotFound, "route_not_found", "There is no such route.")
		case http.StatusMethodNotAllowed:
			return h.Code, fault.New(fault.Malformed, "method_not_allowed", "This route does not take this method; Allow names those it takes.")
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

// parameterFault blames the parameter that the generated code could not read.
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

// challenge returns the WWW-Authenticate of a 401 (RFC 6750 3). A request without a token is told no error code.
func challenge(f *fault.Error) string {
	if errors.Is(f, session.ErrInvalidToken) {
		return `Bearer realm="secure-data-api", error="invalid_token", error_description="The token is invalid, expired or revoked"`
	}
	return `Bearer realm="secure-data-api"`
}

// noteRefusal puts a refusal of authorization on the log (ASVS 16.3.2).
func (s *Server) noteRefusal(ctx context.Context, c echo.Context, f *fault.Error) {
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
