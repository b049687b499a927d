package auth

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// checked is an account whose fields are valid.
type checked struct {
	email    user.Email
	password string
	name     string
	slug     tenant.Slug
}

func (s *Service) check(a user.Account) (checked, error) {
	var c fault.Check
	wanted := checkFields(&c, a)
	s.policy.Check(&c, "password", a.Password, wanted.email.String(), wanted.email.Local(), a.FullName, wanted.slug.String())
	return wanted, c.Err()
}

// checkFields validates all fields but the password. Problems are added to c.
func checkFields(c *fault.Check, a user.Account) checked {
	email, err := user.ParseEmail(a.Email)
	c.Take(err)
	slug, err := tenant.ParseSlug(a.Tenant)
	c.Take(err)
	user.CheckName(c, a.FullName)
	return checked{email: email, password: a.Password, name: a.FullName, slug: slug}
}

// CheckAccount validates the fields of an account, and decides nothing else. Errors: an invalid request that names them.
func (s *Service) CheckAccount(a user.Account) error {
	_, err := s.check(a)
	return err
}

// Register creates an account and signs it in, if the join policy allows it. A new slug creates a tenant.
// Errors: those of tenant.JoinPolicy.Admit, user.ErrEmailTaken, tenant.ErrSlugTaken, ports.ErrHasherBusy, and an
// invalid request that names the fields.
func (s *Service) Register(ctx context.Context, a user.Account) (user.User, session.TokenPair, error) {
	wanted, err := s.check(a)
	if err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	if err := s.admit(ctx, wanted); err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	hash, err := s.passwords.Hash(ctx, wanted.password)
	if err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	created, pair, err := s.register(ctx, wanted, hash)
	if errors.Is(err, tenant.ErrSlugTaken) { // created concurrently; the join policy decides again
		created, pair, err = s.register(ctx, wanted, hash)
	}
	return created, pair, err
}

func (s *Service) register(ctx context.Context, wanted checked, hash user.PasswordHash) (user.User, session.TokenPair, error) {
	var (
		created user.User
		opened  opening
	)
	err := s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		t, isNew, err := s.findOrNewTenant(ctx, tx, wanted.slug)
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
		created = s.newUser(t, wanted, role, hash)
		if err := enrol(ctx, tx, created.Principal(), t, isNew, created); err != nil {
			return err
		}
		opened, err = s.open(ctx, tx, created)
		return err
	})
	return created, opened.pair, err
}

// admit rejects a registration before the service spends a password hash on it. The e-mail address is checked first:
// otherwise anyone could use a registered address to find out which tenants exist, without leaving a trace.
func (s *Service) admit(ctx context.Context, wanted checked) error {
	if err := s.settings.Join.Admit(false); err != nil {
		return err // closed, whatever the address and the tenant
	}
	if err := s.checkUnused(ctx, wanted.email); err != nil {
		return err
	}
	exists, err := s.exists(ctx, wanted.slug)
	if err != nil {
		return err
	}
	return s.settings.Join.Admit(exists)
}

// checkUnused makes sure that no account has the e-mail address. Errors: user.ErrEmailTaken.
func (s *Service) checkUnused(ctx context.Context, email user.Email) error {
	_, err := s.store.Identities().ByEmail(ctx, email)
	switch {
	case err == nil:
		return user.ErrEmailTaken
	case errors.Is(err, user.ErrNotFound):
		return nil
	}
	return err
}

func (s *Service) exists(ctx context.Context, slug tenant.Slug) (bool, error) {
	_, err := s.store.Tenants().BySlug(ctx, slug)
	if errors.Is(err, tenant.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// findOrNewTenant returns the tenant with the slug, or a new one that is not stored yet.
func (s *Service) findOrNewTenant(ctx context.Context, tx *recorder.Tx, slug tenant.Slug) (t tenant.Tenant, isNew bool, err error) {
	t, err = tx.Tenants().BySlug(ctx, slug)
	if errors.Is(err, tenant.ErrNotFound) {
		return tenant.Tenant{ID: id.Tenant(s.ids.New()), Slug: slug, CreatedAt: s.clock.Now()}, true, nil
	}
	return t, false, err
}

func (s *Service) newUser(t tenant.Tenant, wanted checked, role access.Role, hash user.PasswordHash) user.User {
	return user.User{
		ID:           id.User(s.ids.New()),
		TenantID:     t.ID,
		Email:        wanted.email,
		FullName:     wanted.name,
		Role:         role,
		Active:       true,
		PasswordHash: hash,
		CreatedAt:    s.clock.Now(),
	}
}

// enrol stores a user, and the tenant if it is new, and records both.
func enrol(ctx context.Context, tx *recorder.Tx, by access.Principal, t tenant.Tenant, isNew bool, u user.User) error {
	scope, err := by.Authorize(access.ReadOwnData, t.ID)
	if err != nil {
		return err
	}
	if isNew {
		if err := tenants.Add(ctx, tx, scope, t); err != nil {
			return err
		}
	}
	if err := tx.Identities().Add(ctx, u); err != nil {
		return err
	}
	return tx.Record(ctx, scope, audit.Entry{
		TenantID: t.ID, Severity: audit.Info, Act: audit.UserCreated, Subject: string(u.ID),
		Detail: map[string]string{"role": u.Role.String()},
	})
}
