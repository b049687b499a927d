// Package users has the use cases of managing a tenant's users.
package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service implements the use cases.
type Service struct {
	users          ports.Users
	tenants        *tenants.Service
	recorder       *recorder.Recorder
	revocations    ports.RevocationList
	clock          ports.Clock
	accessLifetime time.Duration
}

// NewService returns a service. accessLifetime is the lifetime of an access token, and so of a revocation.
func NewService(users ports.Users, tenants *tenants.Service, recorder *recorder.Recorder, revocations ports.RevocationList,
	clock ports.Clock, accessLifetime time.Duration) *Service {
	return &Service{users: users, tenants: tenants, recorder: recorder, revocations: revocations, clock: clock, accessLifetime: accessLifetime}
}

// List returns a page of a tenant's users, the total number of users, and the tenant.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) List(ctx context.Context, p access.Principal, tenantID id.Tenant, part page.Page) ([]user.User, int, id.Tenant, error) {
	scope, err := s.tenants.Enter(ctx, p, access.ManageTenantUsers, tenantID)
	if err != nil {
		return nil, 0, "", err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return nil, 0, "", err
	}
	users, total, err := s.users.List(ctx, scope, part)
	return users, total, entered, err
}

// Get returns a user: the principal, or any user of a tenant whose users the principal manages. A user that does not exist
// and one that the principal may not see get the same refusal; only a principal who may see all users gets ErrNotFound.
// Errors: access.ErrForbidden, user.ErrNotFound, tenant.ErrNotFound.
func (s *Service) Get(ctx context.Context, p access.Principal, tenantID id.Tenant, userID id.User) (user.User, error) {
	permission := access.ManageTenantUsers
	if userID == p.User() {
		permission = access.ReadOwnData
	}
	scope, err := s.reach(ctx, p, permission, tenantID)
	if err != nil {
		return user.User{}, err
	}
	u, err := s.users.ByID(ctx, scope, userID)
	return u, hideAbsence(p, err)
}

// ChangeRole changes a user's role, which takes effect with the user's next request.
// Errors: access.ErrForbidden, user.ErrNotFound, tenant.ErrNotFound, and those of user.User.WithRole.
func (s *Service) ChangeRole(ctx context.Context, p access.Principal, tenantID id.Tenant, userID id.User, role access.Role) (user.User, error) {
	scope, err := s.reach(ctx, p, access.ManageTenantUsers, tenantID)
	if err != nil {
		return user.User{}, err
	}
	inTx := s.recorder.InTx
	if role == access.SuperAdmin {
		inTx = s.recorder.InTxAsSuperAdmin
	}
	var changed user.User
	err = inTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		u, others, err := tx.Users().ForUpdate(ctx, scope, userID)
		if err != nil {
			return err
		}
		if changed, err = u.WithRole(p, role, others); err != nil || changed == u {
			return err
		}
		if err := tx.Users().SetRole(ctx, scope, u, role); err != nil {
			return err
		}
		return tx.Record(ctx, scope, audit.Entry{
			TenantID: u.TenantID, Severity: audit.Warning, Act: audit.RoleChanged, Subject: string(u.ID),
			Detail: map[string]string{"from": u.Role.String(), "to": role.String()},
		})
	})
	if err != nil {
		return user.User{}, hideAbsence(p, err)
	}
	return changed, nil
}

// Deactivate ends a user's access: the account can no longer sign in, and all its sessions are revoked. It is idempotent.
// Errors: access.ErrForbidden, user.ErrNotFound, tenant.ErrNotFound, and those of user.User.Deactivated.
func (s *Service) Deactivate(ctx context.Context, p access.Principal, tenantID id.Tenant, userID id.User) error {
	scope, err := s.reach(ctx, p, access.ManageTenantUsers, tenantID)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		u, others, err := tx.Users().ForUpdate(ctx, scope, userID)
		if err != nil {
			return err
		}
		deactivated, err := u.Deactivated(p, others)
		if err != nil || deactivated == u {
			return err
		}
		if err := tx.Users().SetActive(ctx, scope, deactivated); err != nil {
			return err
		}
		if _, err := tx.Sessions().RevokeAll(ctx, u, session.UserDeactivated, now); err != nil {
			return err
		}
		return tx.Record(ctx, scope, audit.Entry{
			TenantID: u.TenantID, Severity: audit.Warning, Act: audit.Deactivated, Subject: string(u.ID),
		})
	})
	if err != nil {
		return hideAbsence(p, err)
	}
	return s.revocations.Revoke(ctx, session.Revocation{User: userID, NotBefore: now, Until: now.Add(s.accessLifetime)})
}

// Activate gives a deactivated user access again. Sessions that were ended stay so. To do it again changes nothing.
// Errors: access.ErrForbidden, user.ErrNotFound, tenant.ErrNotFound, and those of user.User.Activated.
func (s *Service) Activate(ctx context.Context, p access.Principal, tenantID id.Tenant, userID id.User) error {
	scope, err := s.reach(ctx, p, access.ManageTenantUsers, tenantID)
	if err != nil {
		return err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		u, _, err := tx.Users().ForUpdate(ctx, scope, userID)
		if err != nil {
			return err
		}
		activated, err := u.Activated(p)
		if err != nil || activated == u {
			return err
		}
		if err := tx.Users().SetActive(ctx, scope, activated); err != nil {
			return err
		}
		return tx.Record(ctx, scope, audit.Entry{
			TenantID: u.TenantID, Severity: audit.Warning, Act: audit.Activated, Subject: string(u.ID),
		})
	})
	return hideAbsence(p, err)
}

// reach authorizes a principal to look up a user by id: in the given tenant, or if none is given, wherever the principal may.
func (s *Service) reach(ctx context.Context, p access.Principal, permission access.Permission, tenantID id.Tenant) (access.Scope, error) {
	if tenantID == "" && seesAll(p) {
		return p.Authorize(permission, access.EveryTenant)
	}
	return s.tenants.Enter(ctx, p, permission, tenantID)
}

func seesAll(p access.Principal) bool { return p.Role().Has(access.ManageAllUsers) }

// hideAbsence replaces "not found" by the refusal for an existing user of another tenant (OWASP API1).
func hideAbsence(p access.Principal, err error) error {
	if errors.Is(err, user.ErrNotFound) && !seesAll(p) {
		return access.ErrForbidden.Saying(fmt.Sprintf("Your tenant has no such user, and those of other tenants need %s, which is held by %s.",
			access.ManageAllUsers, access.ManageAllUsers.Holders()))
	}
	return err
}
