package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

func profile(u user.User) contract.Profile {
	return contract.Profile{
		ID: string(u.ID), Email: u.Email.String(), FullName: u.FullName, Role: u.Role.String(),
		TenantID: string(u.TenantID), IsActive: u.Active,
	}
}

func (h handlers) ListUsers(ctx context.Context, r contract.ListUsersRequestObject) (contract.ListUsersResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	part := pageOf(&c, page.Users, r.Params.Skip, r.Params.Limit)
	if err := c.Err(); err != nil {
		return nil, err
	}
	list, total, resolved, err := h.deps.Users.List(ctx, callerFrom(ctx).Principal(), tenantID, part)
	if err != nil {
		return nil, err
	}
	answer := contract.ListUsers200JSONResponse{Users: make([]contract.Profile, 0, len(list)), Count: total, TenantID: string(resolved)}
	for _, u := range list {
		answer.Users = append(answer.Users, profile(u))
	}
	return answer, nil
}

// target parses the user and the tenant of a request.
func target(userID string, tenantID *string) (id.User, id.Tenant, error) {
	var c fault.Check
	u, err := id.Parse[id.User]("id", userID)
	c.Take(err)
	t := tenantOf(&c, tenantID)
	return u, t, c.Err()
}

func (h handlers) GetUser(ctx context.Context, r contract.GetUserRequestObject) (contract.GetUserResponseObject, error) {
	userID, tenantID, err := target(r.ID, r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	u, err := h.deps.Users.Get(ctx, callerFrom(ctx).Principal(), tenantID, userID)
	if err != nil {
		return nil, err
	}
	return contract.GetUser200JSONResponse(profile(u)), nil
}

func (h handlers) ChangeRole(ctx context.Context, r contract.ChangeRoleRequestObject) (contract.ChangeRoleResponseObject, error) {
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
	return contract.ChangeRole200JSONResponse(profile(u)), nil
}

func (h handlers) DeactivateUser(ctx context.Context, r contract.DeactivateUserRequestObject) (contract.DeactivateUserResponseObject, error) {
	userID, tenantID, err := target(r.ID, r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	if err := h.deps.Users.Deactivate(ctx, callerFrom(ctx).Principal(), tenantID, userID); err != nil {
		return nil, err
	}
	return contract.DeactivateUser204Response{}, nil
}
