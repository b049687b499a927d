package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// receiver is a service that takes any event with a type, of whoever has the password SecurePass1 or the token good-token.
func receiver(t *testing.T) (url string, events *atomic.Int64) {
	events = &atomic.Int64{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/auth/login", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"email":"ann@acme.com","password":"SecurePass1"}` {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token":"good-token","refresh_token":"fresh"}`)
	})
	mux.HandleFunc("POST /api/v1/auth/logout", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v1/analytics/events/batch", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		plain, err := gzip.NewReader(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		text, _ := io.ReadAll(plain)
		rejected := []map[string]any{}
		accepted := 0
		for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			if bytes.Contains(line, []byte(`"event_type"`)) {
				accepted++
				continue
			}
			rejected = append(rejected, map[string]any{"index": i, "code": "invalid", "field": "event_type", "message": "is required"})
		}
		events.Add(int64(accepted))
		_ = json.NewEncoder(w).Encode(map[string]any{"accepted": accepted, "rejected_count": len(rejected), "rejected": rejected})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, events
}

// TestSend: where the events come from, how it signs in, what it prints, and its exit code.
func TestSend(t *testing.T) {
	const line = `{"event_type":"click","user_identifier":"u","occurred_at":"2026-11-01T09:00:00Z"}` + "\n"
	url, _ := receiver(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	password, wrong := file("password", "SecurePass1\n"), file("wrong", "OtherPass1\n")
	ann := []string{"--email", "ann@acme.com", "--password-file", password}
	rejected := filepath.Join(dir, "r.ndjson")
	for _, c := range []struct {
		name  string
		args  []string
		input string
		token string
		code  int
		out   string
		errs  string
	}{
		{"a file", append(ann, file("a.ndjson", line+line)), "", "", 0, "2 stored, 0 stored before, 0 rejected", ""},
		{"CSV by its name", append(ann, file("a.CSV", "event_type,user_identifier\nclick,u\n")), "", "", 0, "1 stored", "1 of them have no occurred_at"},
		{"CSV by the flag", append(ann, "--format", "csv", "-"), "user_identifier,event_type\nu,click\n", "", 0, "1 stored", ""},
		{"standard input", append(ann, "-"), line, "", 0, "1 stored", ""},
		{"nothing", append(ann, "-"), "", "", 0, "0 stored", ""},
		{"a token", []string{"-"}, line, "good-token", 0, "1 stored", ""},
		{"rejected lines", append(ann, "-", "--rejected", rejected), line + "{}\n", "", 1, "1 stored, 0 stored before, 1 rejected", "they are in " + rejected},
		{"rejected lines again", append(ann, "-", "--rejected", rejected), line, "", 1, "0 stored", "is there already"},
		{"a header that is none", append(ann, "--format", "csv", "-"), "a,b\n", "", 1, "0 stored", `the column "a"`},
		{"a wrong password", []string{"--email", "ann@acme.com", "--password-file", wrong, "-"}, line, "", 1, "0 stored", "401"},
		{"a wrong token", []string{"-"}, line, "bad-token", 1, "0 stored", "the token was refused"},
		{"no such file", append(ann, filepath.Join(dir, "none.ndjson")), "", "", 1, "", "no such file"},
		{"a folder", append(ann, dir), "", "", 1, "", "is a folder"},
		{"no credentials", []string{"-"}, line, "", 2, "", tokenVariable},
		{"no file", ann, "", "", 2, "", "send takes FILE"},
		{"a password for nobody", []string{"-", "--password-file", password}, "", "", 2, "", "needs --email"},
		{"an unknown format", append(ann, "--format", "xml", "-"), "", "", 2, "", "ndjson or csv"},
		{"http to another machine", append(ann, "-", "--url", "http://example.com"), "", "", 2, "", "--url must be https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := newCommand(t)
			on.env[tokenVariable] = c.token
			out, errs := on.want(t, c.code, c.input, append([]string{"send", "--url", url}, c.args...)...)
			if !strings.HasPrefix(out, c.out) || c.code != exitOK && c.errs == "" || !strings.Contains(errs, c.errs) {
				t.Errorf("printed %q and %q", out, errs)
			}
			for _, secret := range []string{"SecurePass1", "OtherPass1", "good-token", "bad-token"} {
				if strings.Contains(out+errs, secret) {
					t.Errorf("%s shows in %q and %q", secret, out, errs)
				}
			}
			if _, err := os.Stat(on.env["DATA_DIR"]); err == nil {
				t.Error("a data folder was made")
			}
		})
	}
}
