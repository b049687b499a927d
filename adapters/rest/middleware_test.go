package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// TestRecoverPanics: a panic becomes an internal error (ASVS 16.5.1, 16.5.4).
func TestRecoverPanics(t *testing.T) {
	e := echo.New()
	var caught error
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		caught = err
		c.Response().WriteHeader(http.StatusInternalServerError)
	}
	e.Use(recoverPanics())
	e.GET("/", func(echo.Context) error { panic("a bug") })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || caught == nil || !strings.Contains(caught.Error(), "a bug") || fault.KindOf(caught) != fault.Internal {
		t.Errorf("answered %d for %v", w.Code, caught)
	}
}
