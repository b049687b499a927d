package rest

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

const (
	docsPath     = "/docs"
	contractPath = "/openapi.json"
	healthPath   = "/health"

	// docsPolicy lets the page load its own files and call this service; Swagger UI has some icons in data: URLs.
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

//go:embed docs/index.html
var docsPage []byte

//go:embed docs/start.js
var docsScript []byte

// addDocs adds the routes of the contract and the documentation page, from embedded files.
func addDocs(e *echo.Echo, contract []byte) error {
	e.GET(Prefix+contractPath, func(c echo.Context) error { return c.JSONBlob(http.StatusOK, contract) })

	docs := Prefix + docsPath
	e.GET(docs, func(c echo.Context) error { return c.HTMLBlob(http.StatusOK, docsPage) }, docsHeaders)
	e.GET(docs+"/start.js", func(c echo.Context) error { return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", docsScript) }, docsHeaders)
	return addAssets(e, docs+"/assets/")
}

// addAssets adds a route for each file of Swagger UI, so that other paths are 404 in the router.
func addAssets(e *echo.Echo, prefix string) error {
	files, err := static.FS.ReadDir(".")
	if err != nil {
		return fmt.Errorf("listing the files of the documentation: %w", err)
	}
	serve := echo.WrapHandler(http.StripPrefix(prefix, statigz.FileServer(static.FS)))
	for _, f := range files {
		e.GET(prefix+strings.TrimSuffix(f.Name(), ".gz"), serve, docsHeaders)
	}
	return nil
}

// docsHeaders sets the headers of the documentation page and its files.
func docsHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderContentSecurityPolicy, docsPolicy)
		c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=3600")
		return next(c)
	}
}
