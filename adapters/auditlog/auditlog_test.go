package auditlog_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/auditlog"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	logger, err := auditlog.New(&out, "console", slog.LevelInfo, false)
	if err != nil {
		t.Fatal(err)
	}
	log := auditlog.NewLog(logger)
	log.Request(t.Context(), audit.Request{Method: "GET", Path: "/x\n\x1b[2J", Status: 403, Origin: audit.Origin{UserAgent: "curl"}})
	log.Write(t.Context(), audit.Entry{ID: "e", Act: audit.RoleChanged, Severity: audit.Warning, Detail: map[string]string{"to": "admin"}})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "WRN http.request method=GET") || !strings.Contains(lines[1], "detail.to=admin") {
		t.Errorf("printed\n%s", out.String())
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "curl") || strings.Contains(out.String(), `=""`) {
		t.Errorf("printed\n%q", out.String())
	}
}

func TestRequest_severity(t *testing.T) {
	const route = "/users/:id"
	for _, c := range []struct {
		status int
		route  string
		want   string
	}{
		{200, route, "INFO"}, {302, route, "INFO"},
		{401, route, "WARNING"}, {404, route, "WARNING"}, {422, route, "WARNING"}, {499, route, "WARNING"},
		{404, "", "INFO"}, {405, "", "WARNING"}, {429, "", "WARNING"},
		{500, route, "ERROR"}, {503, route, "ERROR"}, {500, "", "ERROR"},
	} {
		var out bytes.Buffer
		logger, err := auditlog.New(&out, "json", slog.LevelInfo, false)
		if err != nil {
			t.Fatal(err)
		}
		auditlog.NewLog(logger).Request(t.Context(), audit.Request{Status: c.status, Route: c.route})
		if !strings.Contains(out.String(), `"severity":"`+c.want+`"`) || !strings.Contains(out.String(), `"route":"`+c.route+`"`) {
			t.Errorf("%d of route %q is logged as %s, want %s", c.status, c.route, out.String(), c.want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, format := range auditlog.Formats() {
		if _, err := auditlog.New(&bytes.Buffer{}, format, slog.LevelInfo, true); err != nil {
			t.Error(err)
		}
	}
	if _, err := auditlog.New(&bytes.Buffer{}, "xml", slog.LevelInfo, true); err == nil {
		t.Error("an unknown format was accepted")
	}
}
