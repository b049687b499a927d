package bootstrap_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// BenchmarkMe is the path of an authenticated request without the network: token, revocation list, database, limit,
// log. Its yardstick answers the same bytes on Echo with none of that.
func BenchmarkMe(b *testing.B) {
	var answer []byte
	run := func(name string, handler http.Handler, token string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, api+"/auth/me", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
				answer = w.Body.Bytes()
			}
		})
	}
	s := start(b, generous().with(onSQLite(b)))
	run("secured", s.app.Handler(), s.newPerson(b, newSlug(), access.Viewer).access)
	bare := echo.New()
	bare.GET(api+"/auth/me", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, answer) })
	run("bare", bare, "")
}
