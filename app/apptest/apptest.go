// Package apptest assembles the use cases for their tests, with SQLite in memory, a manual clock, and fakes of the password
// hasher, the audit log and the query gate. It needs no network and no disk.
package apptest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/memory"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/token"
	"github.com/muhammad-ali-dev0/secure-data-api/app/analytics"
	appaudit "github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/app/erasure"
	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/sealing"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/app/users"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// Password is the password of the users of NewUser.
const Password = "a phrase to sign in with"

// Setup is what a test can change.
type Setup struct {
	Auth auth.Settings
	// Store returns the store that the use cases get, given the database.
	Store func(ports.Store) ports.Store
}

// App is the use cases and their dependencies.
type App struct {
	Audit     *appaudit.Service
	Auth      *auth.Service
	Users     *users.Service
	Tenants   *tenants.Service
	Analytics *analytics.Service
	Sealing   *sealing.Service
	Erasures  *erasure.Service
	Recorder  *recorder.Recorder

	Store       ports.Store // the database itself
	Clock       *porttest.Clock
	Hasher      *porttest.Hasher
	Log         *porttest.AuditLog
	Gate        *porttest.Gate
	Tokens      ports.Tokens
	Revocations ports.RevocationList
	LimitsHit   []string // the name of the rate of each refused attempt
}

// New returns the use cases over an empty database. By default registration is open, an account allows three wrong
// passwords per hour, and a user can have three sessions, each of a week.
func New(t *testing.T, edits ...func(*Setup)) *App {
	t.Helper()
	setup := Setup{
		Auth: auth.Settings{
			AccessLifetime: 15 * time.Minute, SessionLifetime: 7 * 24 * time.Hour, RotationGrace: 10 * time.Second,
			Join: tenant.Open, FounderRole: access.Viewer, AccountRate: ports.Rate{Requests: 3, Window: time.Hour}, SessionsPerUser: 3,
		},
		Store: func(s ports.Store) ports.Store { return s },
	}
	for _, edit := range edits {
		edit(&setup)
	}
	signer, err := token.NewSigner("HS256", []byte("a secret of tests, which is long enough"))
	Must(t, err)
	policy, err := passwordPolicy()
	Must(t, err)
	a := &App{
		Store: openStore(t), Clock: porttest.NewClock(), Hasher: porttest.NewHasher(1), Log: &porttest.AuditLog{}, Gate: &porttest.Gate{},
		Tokens: signer,
	}
	a.Revocations = memory.NewRevocations(a.Clock)
	store, ids := setup.Store(a.Store), system.IDs{}
	a.Recorder = recorder.New(store, a.Log, a.Clock, ids)
	a.Tenants = tenants.NewService(store.Tenants(), a.Recorder, a.Clock, ids)
	a.Audit = appaudit.NewService(store.Audit(), a.Tenants)
	a.Users = users.NewService(store.Users(), a.Tenants, a.Recorder, a.Revocations, a.Clock, setup.Auth.AccessLifetime)
	a.Auth = auth.NewService(auth.Dependencies{
		Store: store, Recorder: a.Recorder, Tokens: signer, Passwords: a.Hasher, Policy: policy,
		Revocations: a.Revocations, Limiter: memory.NewLimiter(), Clock: a.Clock, IDs: ids,
		LimitHit: func(rate string) { a.LimitsHit = append(a.LimitsHit, rate) },
	}, setup.Auth)
	a.Analytics = analytics.NewService(analytics.Dependencies{
		Events: store.Events(), Tenants: a.Tenants, Recorder: a.Recorder, Gate: a.Gate, Clock: a.Clock,
		Keys: event.NewKeys([]byte("a secret of tests")), IDs: ids,
	}, time.Minute)
	a.Sealing = sealing.NewService(store.Events(), a.Recorder, a.Clock)
	a.Erasures = erasure.NewService(erasure.Dependencies{
		Events: store.Events(), Tenants: a.Tenants, Sealing: a.Sealing, Recorder: a.Recorder, Gate: a.Gate, Clock: a.Clock, IDs: ids, After: time.After,
	})
	return a
}

// passwordPolicy reads the list of common passwords once.
var passwordPolicy = sync.OnceValues(func() (*user.PasswordPolicy, error) { return user.NewPasswordPolicy(user.MinPasswordLength) })

func openStore(t *testing.T) ports.Store {
	t.Helper()
	db, err := sqlite.OpenInMemory(t.Context(), 2)
	Must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	runner, err := db.Migrations()
	Must(t, err)
	_, err = runner.Up(t.Context())
	Must(t, err)
	return db
}

// NewAccount returns an account to register in the tenant with the slug, with a new e-mail address.
func NewAccount(slug string) user.Account {
	return user.Account{Email: uuid.NewString() + "@example.com", Password: Password, FullName: "Zoë Müller", Tenant: slug}
}

// NewUser creates a user with a role in the tenant with the slug, and the tenant if it does not exist.
func (a *App) NewUser(t *testing.T, slug string, role access.Role) user.User {
	t.Helper()
	account := NewAccount(slug)
	u, err := a.Auth.CreateUser(t.Context(), access.Operator(), account, role, false)
	if errors.Is(err, tenant.ErrSlugTaken) {
		u, err = a.Auth.CreateUser(t.Context(), access.Operator(), account, role, true)
	}
	Must(t, err)
	return u
}

// SignIn opens a session of a user of NewUser.
func (a *App) SignIn(t *testing.T, u user.User) session.TokenPair {
	t.Helper()
	pair, err := a.Auth.SignIn(t.Context(), u.Email.String(), Password)
	Must(t, err)
	return pair
}

// Caller returns the caller that an access token authenticates.
func (a *App) Caller(t *testing.T, accessToken string) session.Caller {
	t.Helper()
	caller, err := a.Auth.Authenticate(t.Context(), accessToken)
	Must(t, err)
	return caller
}

// Trail returns the entries of an act in the audit trail of a tenant, newest first.
func (a *App) Trail(t *testing.T, tenantID id.Tenant, act audit.Act) (entries []audit.Entry) {
	t.Helper()
	all, err := a.Store.Audit().List(t.Context(), porttest.ScopeOf(t, tenantID), page.Page{Limit: 1000})
	Must(t, err)
	for _, e := range all {
		if e.Act == act {
			entries = append(entries, e)
		}
	}
	return entries
}

// From returns the context of a request from an address, with a User-Agent.
func From(t *testing.T, address, device string) context.Context {
	return audit.WithOrigin(t.Context(), audit.Origin{Address: address, UserAgent: device})
}

// Must ends the test if there is an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantErr fails the test if err is not want, which may be nil.
func WantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}
