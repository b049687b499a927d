package auth

import (
	"context"
	"errors"

	recorder "github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// checked is an account whose fields have been found good.
type checked struct {
	email    user.Email
	password string
	name     string
	slug     tenant.Slug
}

func (s *Service) check(a user.Account) (checked, error) {
	var c fault.Check
	email, err := user.ParseEmail(a.Email)
	if err := c.Take(err); err != nil {
		return checked{}, err
	}
	slug, err := tenant.ParseSlug(a.Tenant)
	if err := c.Take(err); err != nil {
		return checked{}, err
	}
	user.CheckName(&c, a.FullName)
	s.policy.Check(&c, "password", a.Password, email.String(), email.Local(), a.FullName, slug.String())
	return checked{email: email, password: a.Password, name: a.FullName, slug: slug}, c.Err()
}

// Register makes an account for whoever asks, as far as the join policy lets them, and signs it in. A slug that is new
// makes a tenant.
// Errors: those of tenant.JoinPolicy.Admit, user.ErrEmailTaken, tenant.ErrSlugTaken, ports.ErrHasherBusy, and an
// invalid request that names the fields.
func (s *Service) Register(ctx context.Context, a user.Account) (user.User, session.TokenPair, error) {
	wanted, err := s.check(a)
	if err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	// Whoever is not let in is told so before the service spends a hash on them.
	_, err = s.store.Tenants().BySlug(ctx, wanted.slug)
	if err != nil && !errors.Is(err, tenant.ErrNotFound) {
		return user.User{}, session.TokenPair{}, err
	}
	if err := s.settings.Join.Admit(err == nil); err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	hash, err := s.passwords.Hash(ctx, wanted.password)
	if err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	var (
		created user.User
		pair    session.TokenPair
	)
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		home, isNew, err := s.findOrCreate(ctx, tx, wanted.slug)
		if err != nil {
			return err
		}
		if err := s.settings.Join.Admit(!isNew); err != nil {
			return err
		}
		role := access.Viewer
		if isNew {
			role = s.settings.FounderRole
		}
		if created, err = s.add(ctx, tx, home, wanted, role, hash); err != nil {
			return err
		}
		if err := recordCreation(ctx, tx, created.Principal(), home, isNew, created); err != nil {
			return err
		}
		pair, err = s.open(ctx, tx, created)
		return err
	})
	return created, pair, err
}

// CreateUser makes an account with any role on behalf of the operator. A slug that is new makes a tenant.
// Errors: access.ErrForbidden, user.ErrEmailTaken, tenant.ErrSlugTaken, and an invalid request that names the fields.
func (s *Service) CreateUser(ctx context.Context, by access.Principal, a user.Account, role access.Role) (user.User, error) {
	if _, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant); err != nil {
		return user.User{}, err
	}
	wanted, err := s.check(a)
	if err != nil {
		return user.User{}, err
	}
	hash, err := s.passwords.Hash(ctx, wanted.password)
	if err != nil {
		return user.User{}, err
	}
	var created user.User
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		home, isNew, err := s.findOrCreate(ctx, tx, wanted.slug)
		if err != nil {
			return err
		}
		if created, err = s.add(ctx, tx, home, wanted, role, hash); err != nil {
			return err
		}
		return recordCreation(ctx, tx, by, home, isNew, created)
	})
	return created, err
}

func (s *Service) findOrCreate(ctx context.Context, tx *recorder.Tx, slug tenant.Slug) (t tenant.Tenant, isNew bool, err error) {
	t, err = tx.Tenants().BySlug(ctx, slug)
	if !errors.Is(err, tenant.ErrNotFound) {
		return t, false, err
	}
	t = tenant.Tenant{ID: id.Tenant(s.ids.New()), Slug: slug, CreatedAt: s.clock.Now()}
	return t, true, tx.Tenants().Add(ctx, t)
}

func (s *Service) add(ctx context.Context, tx *recorder.Tx, home tenant.Tenant, wanted checked, role access.Role, hash user.PasswordHash) (user.User, error) {
	u := user.User{
		ID:           id.User(s.ids.New()),
		TenantID:     home.ID,
		Email:        wanted.email,
		FullName:     wanted.name,
		Role:         role,
		Active:       true,
		PasswordHash: hash,
		CreatedAt:    s.clock.Now(),
	}
	return u, tx.Identities().Add(ctx, u)
}

func recordCreation(ctx context.Context, tx *recorder.Tx, by access.Principal, home tenant.Tenant, isNew bool, u user.User) error {
	scope, err := by.Authorize(access.ReadOwnData, home.ID)
	if err != nil {
		return err
	}
	if isNew {
		err := tx.Record(ctx, scope, audit.Entry{
			TenantID: home.ID, Severity: audit.Info, Act: audit.TenantCreated,
			Detail: map[string]string{"slug": home.Slug.String()},
		})
		if err != nil {
			return err
		}
	}
	return tx.Record(ctx, scope, audit.Entry{
		TenantID: home.ID, Severity: audit.Info, Act: audit.UserCreated, Subject: string(u.ID),
		Detail: map[string]string{"role": u.Role.String()},
	})
}
