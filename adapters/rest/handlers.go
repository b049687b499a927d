package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const (
	headerIdempotencyKey = "Idempotency-Key" // draft-ietf-httpapi-idempotency-key-header-07 2
	tokenType            = "bearer"
)

// handlers answer the operations of the contract.
type handlers struct{ *Server }

// keyed makes sure that each reported event has an idempotency key, and that the answer names it whatever becomes of
// the request.
type keyed struct {
	ServerInterface
	server *Server
}

// IngestEvent gives the request a key where it has none.
func (k keyed) IngestEvent(c echo.Context, params IngestEventParams) error {
	if params.IdempotencyKey == nil {
		params.IdempotencyKey = new(k.server.deps.IDs.New())
	}
	c.Response().Header().Set(headerIdempotencyKey, *params.IdempotencyKey)
	return k.ServerInterface.IngestEvent(c, params)
}

func profile(u user.User) Profile {
	return Profile{
		ID: string(u.ID), Email: u.Email.String(), FullName: u.FullName, Role: u.Role.String(),
		TenantID: string(u.TenantID), IsActive: u.Active,
	}
}

func tokenPair(p session.TokenPair) TokenPair {
	return TokenPair{AccessToken: p.Access, RefreshToken: p.Refresh, TokenType: tokenType, ExpiresIn: int(p.ExpiresIn.Seconds())}
}

// tenantOf reads the parameter tenant_id; empty where it is not given.
func tenantOf(text *string) (id.Tenant, error) {
	if text == nil {
		return "", nil
	}
	return id.Parse[id.Tenant]("tenant_id", *text)
}

// target reads the user and the tenant that a route names.
func target(userID string, tenantID *string) (id.User, id.Tenant, error) {
	var c fault.Check
	u, err := id.Parse[id.User]("id", userID)
	if err := c.Take(err); err != nil {
		return "", "", err
	}
	t, err := tenantOf(tenantID)
	if err := c.Take(err); err != nil {
		return "", "", err
	}
	return u, t, c.Err()
}

func (h handlers) Register(ctx context.Context, r RegisterRequestObject) (RegisterResponseObject, error) {
	u, pair, err := h.deps.Auth.Register(ctx, user.Account{
		Email: r.Body.Email, Password: r.Body.Password, FullName: r.Body.FullName, Tenant: r.Body.TenantSlug,
	})
	if err != nil {
		return nil, err
	}
	return Register201JSONResponse{User: profile(u), Tokens: tokenPair(pair), Message: "Registration successful"}, nil
}

func (h handlers) SignIn(ctx context.Context, r SignInRequestObject) (SignInResponseObject, error) {
	pair, err := h.deps.Auth.SignIn(ctx, r.Body.Email, r.Body.Password)
	if err != nil {
		return nil, err
	}
	return SignIn200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) Refresh(ctx context.Context, r RefreshRequestObject) (RefreshResponseObject, error) {
	pair, err := h.deps.Auth.Refresh(ctx, r.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return Refresh200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) SignOut(ctx context.Context, _ SignOutRequestObject) (SignOutResponseObject, error) {
	if err := h.deps.Auth.SignOut(ctx, callerFrom(ctx)); err != nil {
		return nil, err
	}
	return SignOut204Response{}, nil
}

func (h handlers) Me(ctx context.Context, _ MeRequestObject) (MeResponseObject, error) {
	return Me200JSONResponse(profile(callerFrom(ctx).User)), nil
}

func (h handlers) ChangePassword(ctx context.Context, r ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	pair, err := h.deps.Auth.ChangePassword(ctx, callerFrom(ctx), r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return ChangePassword200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) ListUsers(ctx context.Context, r ListUsersRequestObject) (ListUsersResponseObject, error) {
	tenantID, err := tenantOf(r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	part, err := pageOf(page.Users, r.Params.Skip, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	list, total, entered, err := h.deps.Users.List(ctx, callerFrom(ctx).Principal(), tenantID, part)
	if err != nil {
		return nil, err
	}
	answer := ListUsers200JSONResponse{Users: make([]Profile, 0, len(list)), Count: total, TenantID: string(entered)}
	for _, u := range list {
		answer.Users = append(answer.Users, profile(u))
	}
	return answer, nil
}

func (h handlers) GetUser(ctx context.Context, r GetUserRequestObject) (GetUserResponseObject, error) {
	userID, tenantID, err := target(r.ID, r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	u, err := h.deps.Users.Get(ctx, callerFrom(ctx).Principal(), tenantID, userID)
	if err != nil {
		return nil, err
	}
	return GetUser200JSONResponse(profile(u)), nil
}

func (h handlers) ChangeRole(ctx context.Context, r ChangeRoleRequestObject) (ChangeRoleResponseObject, error) {
	userID, tenantID, err := target(r.ID, r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	role, err := access.ParseRole(r.Body.Role)
	if err != nil {
		return nil, err
	}
	u, err := h.deps.Users.ChangeRole(ctx, callerFrom(ctx).Principal(), tenantID, userID, role)
	if err != nil {
		return nil, err
	}
	return ChangeRole200JSONResponse(profile(u)), nil
}

func (h handlers) DeactivateUser(ctx context.Context, r DeactivateUserRequestObject) (DeactivateUserResponseObject, error) {
	userID, tenantID, err := target(r.ID, r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	if err := h.deps.Users.Deactivate(ctx, callerFrom(ctx).Principal(), tenantID, userID); err != nil {
		return nil, err
	}
	return DeactivateUser204Response{}, nil
}

const (
	connected    = "connected"
	disconnected = "disconnected"
	degraded     = "degraded"
	draining     = "draining"
)

// fitness returns how the database is, and what keeps the service from being ready; empty where nothing does.
func (h handlers) fitness(ctx context.Context) (database, reason string) {
	database = connected
	if err := h.deps.Database.Ping(ctx); err != nil {
		database, reason = disconnected, degraded
	}
	if h.deps.Draining() {
		reason = draining
	}
	return database, reason
}

func (h handlers) Live(context.Context, LiveRequestObject) (LiveResponseObject, error) {
	return Live200JSONResponse{Status: "alive"}, nil
}

func (h handlers) Ready(ctx context.Context, _ ReadyRequestObject) (ReadyResponseObject, error) {
	database, reason := h.fitness(ctx)
	if reason != "" {
		return Ready503JSONResponse{Status: reason, Database: database}, nil
	}
	return Ready200JSONResponse{Status: "ready", Database: database}, nil
}

func (h handlers) Health(ctx context.Context, _ HealthRequestObject) (HealthResponseObject, error) {
	database, reason := h.fitness(ctx)
	answer := Health{
		Status: "healthy", Version: h.settings.Version, Environment: h.settings.Environment,
		Timestamp: h.deps.Clock.Now(), Database: database,
	}
	if reason != "" {
		answer.Status = reason
		return Health503JSONResponse(answer), nil
	}
	return Health200JSONResponse(answer), nil
}
