// Package auditlog writes the audit log with log/slog: one line for each request and each audit entry, as JSON or in a format
// for terminals.
package auditlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lmittmann/tint"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

// Names of the fields that every line has.
const (
	keyEvent     = "event"
	keySeverity  = "severity"
	keyTimestamp = "timestamp"
)

const (
	keyEntryID   = "entry_id"
	keyUserAgent = "user_agent"
)

// Milliseconds is the format of a timestamp: RFC 3339 in UTC with milliseconds.
const Milliseconds = "2006-01-02T15:04:05.000Z07:00"

// Formats returns the formats of a log.
func Formats() []string { return []string{"json", "console"} }

// New returns a logger that writes lines of the given format, json or console, to w.
func New(w io.Writer, format string, level slog.Level, colour bool) (*slog.Logger, error) {
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})), nil
	case "console":
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !colour, ReplaceAttr: omit})), nil
	default:
		return nil, fmt.Errorf("the log format must be one of %s", strings.Join(Formats(), ", "))
	}
}

// omit leaves out empty fields, entry ids and user agents, which are of little use at a terminal.
func omit(_ []string, a slog.Attr) slog.Attr {
	if a.Key == keyEntryID || a.Key == keyUserAgent || a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return slog.Attr{}
	}
	return a
}

// rename gives slog's own fields the names and formats of the audit log.
func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = keyEvent
	case slog.TimeKey:
		return slog.String(keyTimestamp, a.Value.Time().UTC().Format(Milliseconds))
	case slog.LevelKey:
		level, _ := a.Value.Any().(slog.Level)
		return slog.String(keySeverity, severity(level))
	}
	return a
}

func severity(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return string(audit.Error)
	case l >= slog.LevelWarn:
		return string(audit.Warning)
	case l >= slog.LevelInfo:
		return string(audit.Info)
	default:
		return "DEBUG"
	}
}

// Log writes audit entries and requests.
type Log struct {
	logger *slog.Logger
}

// NewLog returns a log that writes to a logger.
func NewLog(logger *slog.Logger) *Log { return &Log{logger: logger} }

// Request logs a request: 4xx as a warning, 5xx as an error. A request for a path without a route mostly comes from a scanner,
// and is no warning.
func (l *Log) Request(ctx context.Context, r audit.Request) {
	level := slog.LevelInfo
	switch {
	case r.Status >= 500:
		level = slog.LevelError
	case r.Status == http.StatusNotFound && r.Route == "":
	case r.Status >= 400:
		level = slog.LevelWarn
	}
	l.logger.LogAttrs(ctx, level, "http.request",
		slog.String("request_id", r.Origin.RequestID),
		slog.String("method", r.Method),
		slog.String("path", r.Path),
		slog.String("route", r.Route),
		slog.Int("status_code", r.Status),
		slog.Float64("duration_ms", float64(r.Duration.Microseconds())/1000),
		slog.String("tenant_id", string(r.Tenant)),
		slog.String("user_id", string(r.User)),
		slog.String("user_role", r.Role),
		slog.String("client_ip", r.Origin.Address),
		slog.String(keyUserAgent, r.Origin.UserAgent),
	)
}

// Write logs an audit entry.
func (l *Log) Write(ctx context.Context, e audit.Entry) {
	level := slog.LevelInfo
	switch e.Severity {
	case audit.Warning:
		level = slog.LevelWarn
	case audit.Error:
		level = slog.LevelError
	}
	detail := make([]any, 0, len(e.Detail))
	for name, value := range e.Detail {
		detail = append(detail, slog.String(name, value))
	}
	l.logger.LogAttrs(ctx, level, string(e.Act),
		slog.String(keyEntryID, string(e.ID)),
		slog.String("request_id", e.Origin.RequestID),
		slog.String("tenant_id", string(e.TenantID)),
		slog.String("user_id", string(e.Actor)),
		slog.String("subject_id", e.Subject),
		slog.String("client_ip", e.Origin.Address),
		slog.Group("detail", detail...),
	)
}
