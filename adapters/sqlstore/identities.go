package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const tenantColumns = "id, slug, created_at"

type tenantRow struct {
	ID        id.Tenant `db:"id"`
	Slug      string    `db:"slug"`
	CreatedAt dbTime    `db:"created_at"`
}

func (r tenantRow) tenant() (tenant.Tenant, error) {
	slug, err := tenant.ParseSlug(r.Slug)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("reading tenant %s: %w", r.ID, errors.Unwrap(err))
	}
	return tenant.Tenant{ID: r.ID, Slug: slug, CreatedAt: r.CreatedAt.Time}, nil
}

type tenants struct{ repositories }

func (t tenants) Add(ctx context.Context, added tenant.Tenant) error {
	_, err := t.exec(ctx, t.db.writing(), "adding a tenant",
		"INSERT INTO tenants (id, slug, created_at) VALUES (?, ?, ?)",
		added.ID, added.Slug.String(), dbTime{added.CreatedAt})
	if t.dialect.Duplicate(err, "tenants", "slug") {
		return tenant.ErrSlugTaken
	}
	return err
}

func (t tenants) ByID(ctx context.Context, tenantID id.Tenant) (tenant.Tenant, error) {
	return t.one(ctx, "SELECT "+tenantColumns+" FROM tenants WHERE id = ?", tenantID)
}

func (t tenants) BySlug(ctx context.Context, slug tenant.Slug) (tenant.Tenant, error) {
	return t.one(ctx, "SELECT "+tenantColumns+" FROM tenants WHERE slug = ?", slug.String())
}

func (t tenants) one(ctx context.Context, query string, key any) (tenant.Tenant, error) {
	var row tenantRow
	if err := t.get(ctx, t.db.reading(), &row, tenant.ErrNotFound, "reading a tenant", query, key); err != nil {
		return tenant.Tenant{}, err
	}
	return row.tenant()
}

func (t tenants) List(ctx context.Context, scope access.Scope) ([]tenant.Tenant, error) {
	if !scope.Everywhere() {
		return nil, access.ErrNoScope
	}
	var rows []tenantRow
	if err := t.list(ctx, t.db.reading(), &rows, "listing tenants", "SELECT "+tenantColumns+" FROM tenants ORDER BY slug"); err != nil {
		return nil, err
	}
	return convert(rows, tenantRow.tenant)
}

// convert turns rows into what they stand for.
func convert[R, D any](rows []R, one func(R) (D, error)) ([]D, error) {
	list := make([]D, 0, len(rows))
	for _, row := range rows {
		d, err := one(row)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

const userColumns = "u.id, u.tenant_id, u.email, u.full_name, u.role, u.active, u.password_hash, u.created_at"

type userRow struct {
	ID           id.User   `db:"id"`
	TenantID     id.Tenant `db:"tenant_id"`
	Email        string    `db:"email"`
	FullName     string    `db:"full_name"`
	Role         string    `db:"role"`
	Active       bool      `db:"active"`
	PasswordHash string    `db:"password_hash"`
	CreatedAt    dbTime    `db:"created_at"`
}

func (r userRow) user() (user.User, error) {
	email, err := user.ParseEmail(r.Email)
	if err != nil {
		return user.User{}, fmt.Errorf("reading user %s: the e-mail address is not one", r.ID)
	}
	role, err := access.ParseRole(r.Role)
	if err != nil {
		return user.User{}, fmt.Errorf("reading user %s: %q is not a role", r.ID, r.Role)
	}
	return user.User{
		ID: r.ID, TenantID: r.TenantID, Email: email, FullName: r.FullName, Role: role, Active: r.Active,
		PasswordHash: user.PasswordHash(r.PasswordHash), CreatedAt: r.CreatedAt.Time,
	}, nil
}

type identities struct{ repositories }

func (i identities) Add(ctx context.Context, u user.User) error {
	_, err := i.exec(ctx, i.db.writing(), "adding a user",
		`INSERT INTO users (id, tenant_id, email, full_name, role, active, password_hash, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.TenantID, u.Email.String(), u.FullName, u.Role.String(), u.Active, string(u.PasswordHash), dbTime{u.CreatedAt})
	if i.dialect.Duplicate(err, "users", "email") {
		return user.ErrEmailTaken
	}
	return err
}

func (i identities) ByEmail(ctx context.Context, email user.Email) (user.User, error) {
	return i.one(ctx, "SELECT "+userColumns+" FROM users u WHERE u.email = ?", email.String())
}

func (i identities) ForUpdate(ctx context.Context, userID id.User) (user.User, error) {
	return i.one(ctx, "SELECT "+userColumns+" FROM users u WHERE u.id = ?"+i.dialect.ForUpdate(), userID)
}

func (r repositories) one(ctx context.Context, query string, args ...any) (user.User, error) {
	var row userRow
	if err := r.get(ctx, r.db.reading(), &row, user.ErrNotFound, "reading a user", query, args...); err != nil {
		return user.User{}, err
	}
	return row.user()
}

func (i identities) BySession(ctx context.Context, sessionID id.Session) (user.User, session.Session, error) {
	var row struct {
		userRow
		Session sessionRow `db:"session"`
	}
	err := i.get(ctx, i.db.reading(), &row, session.ErrNotFound, "reading a session's user",
		"SELECT "+userColumns+`, s.id AS "session.id", s.user_id AS "session.user_id", s.tenant_id AS "session.tenant_id",
			s.current_hash AS "session.current_hash", s.previous_hash AS "session.previous_hash",
			s.device AS "session.device", s.address AS "session.address", s.created_at AS "session.created_at",
			s.last_used_at AS "session.last_used_at", s.expires_at AS "session.expires_at",
			s.revoked_at AS "session.revoked_at", s.revoked_for AS "session.revoked_for"
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`, sessionID)
	if err != nil {
		return user.User{}, session.Session{}, err
	}
	u, err := row.user()
	return u, row.Session.session(), err
}

func (i identities) SetPassword(ctx context.Context, userID id.User, hash user.PasswordHash) error {
	return i.execOne(ctx, i.db.writing(), user.ErrNotFound, "setting a password hash",
		"UPDATE users SET password_hash = ? WHERE id = ?", string(hash), userID)
}

// saltAndKey is the length of what ends an encoded hash, after its cost: the salt, the key, and a sign before each.
const saltAndKey = "67"

func (i identities) PasswordCosts(ctx context.Context) ([]user.PasswordHash, error) {
	var hashes []user.PasswordHash
	err := i.list(ctx, i.db.reading(), &hashes, "reading what password hashes cost",
		`SELECT MIN(password_hash) FROM users WHERE length(password_hash) > `+saltAndKey+`
		GROUP BY substr(password_hash, 1, length(password_hash) - `+saltAndKey+`)`)
	return hashes, err
}

type signInAddresses struct{ repositories }

func (a signInAddresses) Known(ctx context.Context, email user.Email, address string) (known bool, err error) {
	err = a.get(ctx, a.db.reading(), &known, nil, "looking for an address",
		"SELECT EXISTS (SELECT 1 FROM sign_in_addresses a JOIN users u ON u.id = a.user_id WHERE u.email = ? AND a.address = ?)",
		email.String(), address)
	return known, err
}

// rememberEvery is how old what is remembered of an address must be, before it is written anew.
const rememberEvery = 24 * time.Hour

func (a signInAddresses) Remember(ctx context.Context, owner id.User, address string, now time.Time, atMost int) error {
	var last dbTime
	err := a.get(ctx, a.db.reading(), &last, nil, "looking for an address",
		"SELECT MAX(last_at) FROM sign_in_addresses WHERE user_id = ? AND address = ?", owner, address)
	if err != nil || now.Sub(last.Time) < rememberEvery {
		return err
	}
	_, err = a.exec(ctx, a.db.writing(), "remembering an address",
		`INSERT INTO sign_in_addresses (user_id, address, last_at) VALUES (?, ?, ?)
		ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at`, owner, address, dbTime{now})
	if err != nil {
		return err
	}
	var known int
	err = a.get(ctx, a.db.reading(), &known, nil, "counting addresses", "SELECT COUNT(*) FROM sign_in_addresses WHERE user_id = ?", owner)
	if err != nil || known <= atMost {
		return err
	}
	_, err = a.exec(ctx, a.db.writing(), "forgetting addresses",
		`DELETE FROM sign_in_addresses WHERE user_id = ? AND address NOT IN
		(SELECT address FROM sign_in_addresses WHERE user_id = ? ORDER BY last_at DESC, address LIMIT ?)`, owner, owner, atMost)
	return err
}

type users struct{ repositories }

// within returns the condition that a scope puts on users, with its arguments.
func within(scope access.Scope) (string, []any, error) {
	if scope.Everywhere() {
		return "", nil, nil
	}
	tenantID, err := scope.Tenant()
	return " AND u.tenant_id = ?", []any{tenantID}, err
}

func (s users) ByID(ctx context.Context, scope access.Scope, userID id.User) (user.User, error) {
	return s.byID(ctx, scope, userID, "")
}

func (s users) byID(ctx context.Context, scope access.Scope, userID id.User, lock string) (user.User, error) {
	condition, args, err := within(scope)
	if err != nil {
		return user.User{}, err
	}
	return s.one(ctx, "SELECT "+userColumns+" FROM users u WHERE u.id = ?"+condition+lock, append([]any{userID}, args...)...)
}

func (s users) List(ctx context.Context, scope access.Scope, p page.Page) ([]user.User, int, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, 0, err
	}
	var total int
	if err := s.get(ctx, s.db.reading(), &total, nil, "counting users", "SELECT COUNT(*) FROM users WHERE tenant_id = ?", tenantID); err != nil {
		return nil, 0, err
	}
	var rows []userRow
	err = s.list(ctx, s.db.reading(), &rows, "listing users",
		"SELECT "+userColumns+" FROM users u WHERE u.tenant_id = ? ORDER BY u.created_at, u.id LIMIT ? OFFSET ?",
		tenantID, p.Limit, p.Skip)
	if err != nil {
		return nil, 0, err
	}
	list, err := convert(rows, userRow.user)
	return list, total, err
}

func (s users) ForUpdate(ctx context.Context, scope access.Scope, userID id.User) (user.User, int, error) {
	u, err := s.byID(ctx, scope, userID, s.dialect.ForUpdate())
	if err != nil {
		return user.User{}, 0, err
	}
	// All changes to a tenant's administrators take turns at its row. A lock on the users alone would let two
	// administrators demote each other at once.
	var locked id.Tenant
	err = s.get(ctx, s.db.reading(), &locked, tenant.ErrNotFound, "locking a tenant",
		"SELECT id FROM tenants WHERE id = ?"+s.dialect.ForUpdate(), u.TenantID)
	if err != nil {
		return user.User{}, 0, err
	}
	var others int
	err = s.get(ctx, s.db.reading(), &others, nil, "counting administrators",
		"SELECT COUNT(*) FROM users WHERE tenant_id = ? AND id <> ? AND active AND role IN (?, ?)",
		u.TenantID, u.ID, access.Admin.String(), access.SuperAdmin.String())
	return u, others, err
}

func (s users) Save(ctx context.Context, scope access.Scope, u user.User) error {
	if err := scope.Covers(u.TenantID); err != nil {
		return err
	}
	return s.execOne(ctx, s.db.writing(), user.ErrNotFound, "saving a user",
		"UPDATE users SET role = ?, active = ? WHERE id = ? AND tenant_id = ?",
		u.Role.String(), u.Active, u.ID, u.TenantID)
}

const sessionColumns = `id, user_id, tenant_id, current_hash, previous_hash, device, address,
	created_at, last_used_at, expires_at, revoked_at, revoked_for`

type sessionRow struct {
	ID           id.Session        `db:"id"`
	UserID       id.User           `db:"user_id"`
	TenantID     id.Tenant         `db:"tenant_id"`
	CurrentHash  session.TokenHash `db:"current_hash"`
	PreviousHash session.TokenHash `db:"previous_hash"`
	Device       string            `db:"device"`
	Address      string            `db:"address"`
	CreatedAt    dbTime            `db:"created_at"`
	LastUsedAt   dbTime            `db:"last_used_at"`
	ExpiresAt    dbTime            `db:"expires_at"`
	RevokedAt    dbTime            `db:"revoked_at"`
	RevokedFor   session.Reason    `db:"revoked_for"`
}

func (r sessionRow) session() session.Session {
	return session.Session{
		ID: r.ID, UserID: r.UserID, TenantID: r.TenantID, Current: r.CurrentHash, Previous: r.PreviousHash,
		Client: session.Client{Device: r.Device, Address: r.Address}, CreatedAt: r.CreatedAt.Time, LastUsedAt: r.LastUsedAt.Time,
		ExpiresAt: r.ExpiresAt.Time, RevokedAt: r.RevokedAt.Time, RevokedFor: r.RevokedFor,
	}
}

type sessions struct{ repositories }

func (s sessions) Add(ctx context.Context, added session.Session) error {
	_, err := s.exec(ctx, s.db.writing(), "adding a session",
		"INSERT INTO sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		added.ID, added.UserID, added.TenantID, string(added.Current), string(added.Previous), added.Client.Device, added.Client.Address,
		dbTime{added.CreatedAt}, dbTime{added.LastUsedAt}, dbTime{added.ExpiresAt}, dbTime{added.RevokedAt}, string(added.RevokedFor))
	return err
}

func (s sessions) ForUpdate(ctx context.Context, sessionID id.Session) (session.Session, error) {
	var row sessionRow
	err := s.get(ctx, s.db.reading(), &row, session.ErrNotFound, "reading a session",
		"SELECT "+sessionColumns+" FROM sessions WHERE id = ?"+s.dialect.ForUpdate(), sessionID)
	return row.session(), err
}

func (s sessions) Save(ctx context.Context, saved session.Session) error {
	return s.execOne(ctx, s.db.writing(), session.ErrNotFound, "saving a session",
		`UPDATE sessions SET current_hash = ?, previous_hash = ?, device = ?, address = ?, last_used_at = ?, revoked_at = ?, revoked_for = ?
		WHERE id = ?`,
		string(saved.Current), string(saved.Previous), saved.Client.Device, saved.Client.Address, dbTime{saved.LastUsedAt},
		dbTime{saved.RevokedAt}, string(saved.RevokedFor), saved.ID)
}

func (s sessions) RevokeAll(ctx context.Context, owner id.User, why session.Reason, now time.Time) ([]id.Session, error) {
	var ended []id.Session
	err := s.list(ctx, s.db.writing(), &ended, "revoking a user's sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND expires_at > ? RETURNING id`, dbTime{now}, string(why), owner, dbTime{now})
	return ended, err
}

// MakeRoom looks before it changes anything, since there is seldom anything to change: on Citus, a DELETE or UPDATE of a
// reference table lets nobody else write to it until the transaction ends.
func (s sessions) MakeRoom(ctx context.Context, owner id.User, room int, why session.Reason, now time.Time) ([]id.Session, error) {
	var count struct {
		Dead int `db:"dead"`
		Live int `db:"live"`
	}
	const dead = "(expires_at <= ? OR revoked_at <= ?)"
	revokedBefore := dbTime{now.Add(-session.RevokedKept)}
	err := s.get(ctx, s.db.reading(), &count, nil, "counting a user's sessions",
		"SELECT COUNT(CASE WHEN "+dead+` THEN 1 END) AS dead,
			COUNT(CASE WHEN expires_at > ? AND revoked_at IS NULL THEN 1 END) AS live FROM sessions WHERE user_id = ?`,
		dbTime{now}, revokedBefore, dbTime{now}, owner)
	if err != nil {
		return nil, err
	}
	if count.Dead > 0 {
		if _, err := s.exec(ctx, s.db.writing(), "forgetting dead sessions",
			"DELETE FROM sessions WHERE user_id = ? AND "+dead, owner, dbTime{now}, revokedBefore); err != nil {
			return nil, err
		}
	}
	if count.Live <= room {
		return nil, nil
	}
	var ended []id.Session
	err = s.list(ctx, s.db.writing(), &ended, "revoking a user's oldest sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND id NOT IN
			(SELECT id FROM sessions WHERE user_id = ? AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?)
		RETURNING id`, dbTime{now}, string(why), owner, owner, room)
	return ended, err
}
