package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// FuzzDecode sends any bytes as a body: what is read is text, and what is not is the sender's fault.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"event_type":"view","user_identifier":"u","value":1.5}`, `{}`, `[]`, `null`, ``, `{"event_type":"a","event_type":"b"}`,
		`{"value":1e400}`, "{\"event_type\":\"\xff\"}", `{"event_type":"\u0000"}`, strings.Repeat("[", 20_000), `{"a":{"b":[1,2,{"c":null}]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var draft EventDraft
		err := decode(strings.NewReader(body), &draft)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Malformed {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		if !utf8.ValidString(draft.EventType) || !utf8.ValidString(draft.UserIdentifier) {
			t.Errorf("%q was read as %+v", body, draft)
		}
	})
}

// TestRecoverPanics: a panic is a problem and a line, and shows nothing (ASVS 16.5.1, 16.5.4).
func TestRecoverPanics(t *testing.T) {
	e := echo.New()
	var caught error
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		caught = err
		c.Response().WriteHeader(http.StatusInternalServerError)
	}
	e.Use(recoverPanics())
	e.GET("/", func(echo.Context) error { panic("a mistake") })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || caught == nil || !strings.Contains(caught.Error(), "a mistake") || fault.KindOf(caught) != fault.Internal {
		t.Errorf("answered %d for %v", w.Code, caught)
	}
}
