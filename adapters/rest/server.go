// Package rest provides the REST API on Echo: routes from the OpenAPI contract, middleware, problem documents and the
// documentation page. Handlers decode, call a use case and encode; no rule is decided here.
package rest

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

//go:generate go tool -modfile=../../.ci/tools.mod oapi-codegen -config contract/codegen.yaml openapi.yaml

const (
	// Prefix is the path prefix of the API.
	Prefix = "/api/v1"
	// MaxBody is the largest request body, in bytes.
	MaxBody = 1 << 20
)

// Auth are the use cases of accounts and sessions. The two checks validate the fields of a request and change nothing.
type Auth interface {
	Register(ctx context.Context, a user.Account) (user.User, session.TokenPair, error)
	SignIn(ctx context.Context, email, password string) (session.TokenPair, error)
	Refresh(ctx context.Context, token string) (session.TokenPair, error)
	Authenticate(ctx context.Context, token string) (session.Caller, error)
	SignOut(ctx context.Context, caller session.Caller) error
	ChangePassword(ctx context.Context, caller session.Caller, current, chosen string) (session.TokenPair, error)
	CheckAccount(a user.Account) error
	CheckPasswordChange(ctx context.Context, u user.User, current, chosen string) error
}

// Users are the use cases of user management.
type Users interface {
	List(ctx context.Context, p access.Principal, t id.Tenant, part page.Page) ([]user.User, int, id.Tenant, error)
	Get(ctx context.Context, p access.Principal, t id.Tenant, u id.User) (user.User, error)
	ChangeRole(ctx context.Context, p access.Principal, t id.Tenant, u id.User, role access.Role) (user.User, error)
	Deactivate(ctx context.Context, p access.Principal, t id.Tenant, u id.User) error
}

// Analytics are the use cases of events.
type Analytics interface {
	Ingest(ctx context.Context, p access.Principal, t id.Tenant, d event.Draft, key string) (event.Ingested, error)
	IssueKey(ctx context.Context, p access.Principal, t id.Tenant) (string, error)
	IngestBatch(ctx context.Context, p access.Principal, t id.Tenant, key string, items []event.Item, atomic bool) (event.Counts, error)
	Events(ctx context.Context, p access.Principal, t id.Tenant, s analytics.Selection, after id.Event, part page.Page) ([]event.Event, bool, error)
	Summarize(ctx context.Context, p access.Principal, t id.Tenant, period analytics.Period) (analytics.Summary, error)
	Query(ctx context.Context, p access.Principal, t id.Tenant, q analytics.Query) (analytics.Result, error)
	Funnel(ctx context.Context, p access.Principal, t id.Tenant, f analytics.Funnel) (analytics.FunnelResult, error)
	Retention(ctx context.Context, p access.Principal, t id.Tenant, r analytics.Retention) (analytics.RetentionResult, error)
	PropertyKeys(ctx context.Context, p access.Principal, t id.Tenant, w analytics.Window) (analytics.PropertyKeys, error)
	Timeseries(ctx context.Context, p access.Principal, t id.Tenant, s analytics.Timeseries) (analytics.TimeseriesResult, error)
	Export(ctx context.Context, p access.Principal, t id.Tenant, s analytics.Selection) (iter.Seq2[event.Event, error], error)
}

// Erasures are the use cases of erasing events.
type Erasures interface {
	Erase(ctx context.Context, p access.Principal, t id.Tenant, s analytics.Selection) (event.Erasure, error)
	Get(ctx context.Context, p access.Principal, t id.Tenant, e id.Erasure) (event.Erasure, error)
}

// AuditLog logs requests, and acts that change no data.
type AuditLog interface {
	Request(ctx context.Context, r audit.Request)
	Note(ctx context.Context, e audit.Entry)
}

// Database reports whether it answers.
type Database interface {
	Ping(ctx context.Context) error
}

// Gate bounds how many requests of a kind are served at once, in all and of one tenant.
type Gate interface {
	// Enter waits for a slot, for a limited time. The caller must call leave once done.
	Enter(ctx context.Context, tenant id.Tenant) (leave func(), err error)
}

// Dependencies are what the API works with.
type Dependencies struct {
	Auth      Auth
	Users     Users
	Analytics Analytics
	Erasures  Erasures
	AuditLog  AuditLog
	Database  Database
	Condition func() Condition
	Stopping  <-chan struct{} // closed once the requests in flight must end
	Batches   Gate            // for batches that are read as a whole
	Streams   Gate            // for batches that are read as they arrive
	Limiter   ports.RateLimiter
	LimitHit  func(rate string) // called for each request that a rate limit refuses, with the name of the rate
	Clock     ports.Clock
	IDs       ports.IDs
	Logger    *slog.Logger // for unexpected errors
}

// check returns an error that names the dependencies that are nil. Each would panic in the first request that needs it.
func (d Dependencies) check() error {
	var missing []string
	all := reflect.ValueOf(d)
	for i := range all.NumField() {
		if isNil(all.Field(i)) {
			missing = append(missing, all.Type().Field(i).Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the API has no %s", strings.Join(missing, ", no "))
	}
	return nil
}

// isNil reports whether an interface, a pointer, a function or a channel is nil, or an interface holds a nil pointer.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || isNil(v.Elem())
	case reflect.Pointer, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// Limits are the rate limits of the API. Those of Roles are counted by tenant and user, Export by user, the others by the
// client's address.
type Limits struct {
	Roles    map[access.Role]ports.Rate
	Default  ports.Rate // of requests that are not authenticated
	SignIn   ports.Rate
	Register ports.Rate
	Refresh  ports.Rate
	Export   ports.Rate
}

// Settings are the settings of the API.
type Settings struct {
	Version        string
	Environment    string
	Limits         Limits
	CORSOrigins    []string
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is trusted
	HSTS           bool
	// ReadTimeout is how long a client may take to send a request. Of one that waits for its turn, the time for its body begins with that.
	ReadTimeout time.Duration
	// WriteTimeout is how long a client may take to read a response, or a chunk of an export.
	WriteTimeout time.Duration
	// RequestTimeout is how long a request may take, from its headers on. For an export it applies to each chunk.
	RequestTimeout time.Duration
}

// Server is the API.
type Server struct {
	deps     Dependencies
	settings Settings
	document document
	routes   map[string]struct{} // all, as "METHOD path"
}

// handlers answer the operations of the contract.
type handlers struct{ *Server }

// New returns the API as a handler. It fails if a dependency is nil, and names it.
func New(deps Dependencies, settings Settings) (*echo.Echo, error) {
	if err := deps.check(); err != nil {
		return nil, err
	}
	document, err := readDocument()
	if err != nil {
		return nil, err
	}
	s := &Server{deps: deps, settings: settings, document: document, routes: map[string]struct{}{}}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{s}
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = clientAddress(settings.TrustedProxies)

	e.Pre(rewritePath)
	e.Use(s.identify, s.closing, s.timeout, s.observe, secureHeaders(settings.HSTS))
	if len(settings.CORSOrigins) > 0 {
		e.Use(cors(settings.CORSOrigins))
	}
	sameSite, err := refuseCrossSite(settings.CORSOrigins)
	if err != nil {
		return nil, err
	}
	// The guard comes first, so that requests that the later ones refuse are counted against a rate limit.
	e.Use(recoverPanics(), s.refuseWhileMigrating, s.guard, sameSite, s.checkQuery)
	e.Use(limitBody(), discardBody, boundLargeBodies())

	contract.RegisterHandlersWithBaseURL(e, contract.NewStrictHandler(handlers{s}, []contract.StrictMiddlewareFunc{keepAccepted}), Prefix)
	e.POST(Prefix+batchPath, s.ingestBatch)
	if err := addDocs(e, document.served); err != nil {
		return nil, err
	}
	for _, r := range e.Routes() {
		s.routes[r.Method+" "+r.Path] = struct{}{}
	}
	return e, nil
}

// rewritePath removes a trailing slash, and adds the prefix to the paths of the root, health and documentation.
func rewritePath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		path := u.Path
		if len(path) > 1 {
			path = strings.TrimSuffix(path, "/")
		}
		if isOpenPath(path) {
			path = Prefix + path
		}
		if path == Prefix {
			path += "/"
		}
		if path != u.Path {
			u.Path, u.RawPath = path, ""
		}
		return next(c)
	}
}

// route returns the template of the route that a request matches, such as /api/v1/users/:id, or "". Unlike a path it has a
// bounded number of values.
func (s *Server) route(c echo.Context) string {
	if _, exists := s.routes[c.Request().Method+" "+c.Path()]; !exists {
		return ""
	}
	return c.Path()
}

// isOpen reports whether a request is for a route of the root, health or documentation: these need no token, and are neither
// rate limited nor logged. A path below them without a route, and another method, are treated as any other request.
func (s *Server) isOpen(c echo.Context) bool {
	return isOpenPath(strings.TrimPrefix(s.route(c), Prefix))
}

// isOpenPath reports whether a path, without the prefix, is the root, or at or below health or documentation.
func isOpenPath(path string) bool {
	return path == "/" || path == contractPath || path == healthPath || strings.HasPrefix(path, healthPath+"/") ||
		path == docsPath || strings.HasPrefix(path, docsPath+"/")
}

func cors(origins []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: origins,
		AllowMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowHeaders: []string{echo.HeaderAuthorization, echo.HeaderContentType, echo.HeaderXRequestID, headerIdempotencyKey, headerContentEncoding},
		ExposeHeaders: []string{
			echo.HeaderXRequestID, headerIdempotencyKey, echo.HeaderRetryAfter, headerRateLimit, headerRateLimitPolicy,
			headerLimit, headerRemaining, headerReset, "Link",
		},
		MaxAge: 600,
	})
}
