package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

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
	_, err := t.in(added.ID, write).exec(ctx, "adding a tenant",
		"INSERT INTO tenants (id, slug, created_at) VALUES (?, ?, ?)",
		added.ID, added.Slug.String(), dbTime{added.CreatedAt})
	if t.dialect.Duplicate(err, "tenants", "slug") {
		return tenant.ErrSlugTaken
	}
	return err
}

func (t tenants) ByID(ctx context.Context, tenantID id.Tenant) (tenant.Tenant, error) {
	return oneTenant(ctx, t.in(tenantID, lookUp), "SELECT "+tenantColumns+" FROM tenants WHERE id = ?", tenantID)
}

func (t tenants) BySlug(ctx context.Context, slug tenant.Slug) (tenant.Tenant, error) {
	return oneTenant(ctx, t.outside(lookUp), "SELECT "+tenantColumns+" FROM "+t.narrow("tenant_by_slug(?)", "tenants WHERE slug = ?"), slug.String())
}

func oneTenant(ctx context.Context, p place, query string, key any) (tenant.Tenant, error) {
	var row tenantRow
	if err := p.get(ctx, &row, tenant.ErrNotFound, "reading a tenant", query, key); err != nil {
		return tenant.Tenant{}, err
	}
	return row.tenant()
}

func (t tenants) List(ctx context.Context, scope access.Scope) ([]tenant.Tenant, error) {
	if !scope.Everywhere() {
		return nil, access.ErrNoScope
	}
	var rows []tenantRow
	err := t.outside(lookUp).list(ctx, &rows, "listing tenants", "SELECT "+tenantColumns+" FROM "+t.narrow("all_tenants()", "tenants")+" ORDER BY slug")
	if err != nil {
		return nil, err
	}
	return convert(rows, tenantRow.tenant)
}

// narrow returns what answers a question that is asked before any tenant has been entered: a function that the database
// keeps for that question alone, where it guards tenants, and else a plain expression.
func (r repositories) narrow(function, plain string) string {
	if r.dialect.GuardsTenants() {
		return function
	}
	return plain
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

const (
	// profileColumns are what may be seen of a user by others.
	profileColumns = "u.id, u.tenant_id, u.email, u.full_name, CASE WHEN u.super_admin THEN 'super_admin' ELSE u.role END AS role, u.active, u.created_at"
	userColumns    = profileColumns + ", u.password_hash"
)

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
	_, err := i.in(u.TenantID, write).exec(ctx, "adding a user",
		`INSERT INTO users (id, tenant_id, email, full_name, role, active, password_hash, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.TenantID, u.Email.String(), u.FullName, tenantRole(u.Role).String(), u.Active, string(u.PasswordHash), dbTime{u.CreatedAt})
	if i.dialect.Duplicate(err, "users", "email") {
		return user.ErrEmailTaken
	}
	if err == nil && u.Role == access.SuperAdmin {
		return users(i).setSuperAdmin(ctx, "", u, u.Role)
	}
	return err
}

func (i identities) ByEmail(ctx context.Context, email user.Email) (user.User, error) {
	return oneUser(ctx, i.outside(lookUp), "SELECT "+userColumns+" FROM "+i.narrow("account_by_email(?) u", "users u WHERE u.email = ?"), email.String())
}

// tenantRole is what is stored as the role, beside which super_admin stands in a column of its own.
func tenantRole(r access.Role) access.Role {
	if r == access.SuperAdmin {
		return access.Admin
	}
	return r
}

func (i identities) ForUpdate(ctx context.Context, tenantID id.Tenant, userID id.User) (user.User, error) {
	return profileOf(ctx, i.in(tenantID, write), userID, i.dialect.ForUpdate())
}

func profileOf(ctx context.Context, home place, userID id.User, lock string) (user.User, error) {
	return oneUser(ctx, home, "SELECT "+profileColumns+" FROM users u WHERE u.id = ? AND u.tenant_id = ?"+lock, userID, home.tenant)
}

func (i identities) HasPassword(ctx context.Context, u user.User) (same bool, err error) {
	err = i.outside(write).get(ctx, &same, nil, "comparing a password hash", "SELECT "+i.narrow("password_is(?, ?)",
		"EXISTS (SELECT 1 FROM users WHERE id = ? AND password_hash = ?)"), u.ID, string(u.PasswordHash))
	return same, err
}

func oneUser(ctx context.Context, p place, query string, args ...any) (user.User, error) {
	var row userRow
	if err := p.get(ctx, &row, user.ErrNotFound, "reading a user", query, args...); err != nil {
		return user.User{}, err
	}
	return row.user()
}

func (i identities) BySession(ctx context.Context, sessionID id.Session) (user.User, session.Session, error) {
	var row struct {
		userRow
		SessionID  id.Session     `db:"session_id"`
		OpenedAt   dbTime         `db:"session_created_at"`
		ExpiresAt  dbTime         `db:"session_expires_at"`
		RevokedAt  dbTime         `db:"session_revoked_at"`
		RevokedFor session.Reason `db:"session_revoked_for"`
	}
	err := i.outside(lookUp).get(ctx, &row, session.ErrNotFound, "reading a session's user", "SELECT * FROM "+i.narrow("caller_of_session(?)",
		"(SELECT "+profileColumns+`, s.id AS session_id, s.created_at AS session_created_at, s.expires_at AS session_expires_at,
			s.revoked_at AS session_revoked_at, s.revoked_for AS session_revoked_for
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?)`), sessionID)
	if err != nil {
		return user.User{}, session.Session{}, err
	}
	u, err := row.user()
	return u, session.Session{
		ID: row.SessionID, UserID: u.ID, TenantID: u.TenantID,
		CreatedAt: row.OpenedAt.Time, ExpiresAt: row.ExpiresAt.Time, RevokedAt: row.RevokedAt.Time, RevokedFor: row.RevokedFor,
	}, err
}

func (i identities) SetPassword(ctx context.Context, u user.User, hash user.PasswordHash) error {
	return i.in(u.TenantID, write).execOne(ctx, user.ErrNotFound, "setting a password hash",
		"UPDATE users SET password_hash = ? WHERE id = ? AND tenant_id = ?", string(hash), u.ID, u.TenantID)
}

// saltAndKey stands in for what ends an encoded hash, after its cost: the salt and the key, of the lengths that they have.
const saltAndKey = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (i identities) PasswordCosts(ctx context.Context) ([]user.PasswordHash, error) {
	var hashes []user.PasswordHash
	err := i.outside(lookUp).list(ctx, &hashes, "reading what password hashes cost", "SELECT * FROM "+i.narrow("password_costs(?)",
		`(SELECT DISTINCT substr(password_hash, 1, length(password_hash) - length(ending)) || ending
		FROM users, (SELECT ? AS ending) WHERE length(password_hash) > length(ending))`), saltAndKey)
	return hashes, err
}

type signInAddresses struct{ repositories }

func (a signInAddresses) Known(ctx context.Context, email user.Email, address string) (known bool, err error) {
	err = a.outside(lookUp).get(ctx, &known, nil, "looking for an address", "SELECT "+a.narrow("address_is_known(?, ?)",
		"EXISTS (SELECT 1 FROM sign_in_addresses a JOIN users u ON u.id = a.user_id WHERE u.email = ? AND a.address = ?)"),
		email.String(), address)
	return known, err
}

// rememberEvery is how old what is remembered of an address must be, before it is written anew.
const rememberEvery = 24 * time.Hour

func (a signInAddresses) Remember(ctx context.Context, owner user.User, address string, now time.Time, atMost int) error {
	home := a.in(owner.TenantID, write)
	var last dbTime
	err := home.get(ctx, &last, nil, "looking for an address",
		"SELECT MAX(last_at) FROM sign_in_addresses WHERE user_id = ? AND address = ?", owner.ID, address)
	if err != nil || now.Sub(last.Time) < rememberEvery {
		return err
	}
	_, err = home.exec(ctx, "remembering an address",
		`INSERT INTO sign_in_addresses (user_id, tenant_id, address, last_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at`, owner.ID, owner.TenantID, address, dbTime{now})
	if err != nil {
		return err
	}
	var known int
	err = home.get(ctx, &known, nil, "counting addresses", "SELECT COUNT(*) FROM sign_in_addresses WHERE user_id = ?", owner.ID)
	if err != nil || known <= atMost {
		return err
	}
	_, err = home.exec(ctx, "forgetting addresses",
		`DELETE FROM sign_in_addresses WHERE user_id = ? AND address NOT IN
		(SELECT address FROM sign_in_addresses WHERE user_id = ? ORDER BY last_at DESC, address LIMIT ?)`, owner.ID, owner.ID, atMost)
	return err
}

type users struct{ repositories }

// home returns the tenant in which a scope may look for a user: the scope's one, or the user's own.
func (s users) home(ctx context.Context, scope access.Scope, userID id.User) (id.Tenant, error) {
	if !scope.Everywhere() {
		return scope.Tenant()
	}
	var home *id.Tenant
	err := s.outside(lookUp).get(ctx, &home, nil, "looking for a user's tenant",
		"SELECT "+s.narrow("home_of_user(?)", "(SELECT tenant_id FROM users WHERE id = ?)"), userID)
	if err == nil && home == nil {
		return "", user.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return *home, nil
}

func (s users) ByID(ctx context.Context, scope access.Scope, userID id.User) (user.User, error) {
	home, err := s.home(ctx, scope, userID)
	if err != nil {
		return user.User{}, err
	}
	return profileOf(ctx, s.in(home, lookUp), userID, "")
}

func (s users) List(ctx context.Context, scope access.Scope, p page.Page) ([]user.User, int, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, 0, err
	}
	var (
		total int
		rows  []userRow
	)
	err = s.db.inTenant(ctx, tenantID, lookUp, func(ctx context.Context, q sqlx.ExtContext) error {
		err := s.getFrom(ctx, q, &total, nil, "counting users", "SELECT COUNT(*) FROM users WHERE tenant_id = ?", tenantID)
		if err != nil {
			return err
		}
		return s.listFrom(ctx, q, &rows, "listing users",
			"SELECT "+profileColumns+" FROM users u WHERE u.tenant_id = ? ORDER BY u.created_at, u.id LIMIT ? OFFSET ?",
			tenantID, p.Limit, p.Skip)
	})
	if err != nil {
		return nil, 0, err
	}
	list, err := convert(rows, userRow.user)
	return list, total, err
}

func (s users) ForUpdate(ctx context.Context, scope access.Scope, userID id.User) (user.User, int, error) {
	tenantID, err := s.home(ctx, scope, userID)
	if err != nil {
		return user.User{}, 0, err
	}
	home := s.in(tenantID, write)
	u, err := profileOf(ctx, home, userID, s.dialect.ForUpdate())
	if err != nil {
		return user.User{}, 0, err
	}
	// All changes to a tenant's administrators take turns at its row. A lock on the users alone would let two
	// administrators demote each other at once.
	var locked id.Tenant
	err = home.get(ctx, &locked, tenant.ErrNotFound, "locking a tenant",
		"SELECT id FROM tenants WHERE id = ?"+s.dialect.ForUpdate(), u.TenantID)
	if err != nil {
		return user.User{}, 0, err
	}
	var others int
	err = home.get(ctx, &others, nil, "counting administrators",
		"SELECT COUNT(*) FROM users WHERE tenant_id = ? AND id <> ? AND active AND role = ?",
		u.TenantID, u.ID, access.Admin.String())
	return u, others, err
}

func (s users) SetRole(ctx context.Context, scope access.Scope, u user.User, role access.Role) error {
	if err := scope.Covers(u.TenantID); err != nil {
		return err
	}
	if u.Role == access.SuperAdmin || role == access.SuperAdmin {
		return s.setSuperAdmin(ctx, scope.Principal().Session(), u, role)
	}
	return s.in(u.TenantID, write).execOne(ctx, user.ErrNotFound, "giving a role",
		"UPDATE users SET role = ? WHERE id = ? AND tenant_id = ?", role.String(), u.ID, u.TenantID)
}

// setSuperAdmin gives or takes super_admin. Where the database guards tenants it does so itself, for a super_admin in
// a session, or for the owner of the tables.
func (s users) setSuperAdmin(ctx context.Context, acting id.Session, u user.User, role access.Role) error {
	if !s.dialect.GuardsTenants() {
		return s.in(u.TenantID, write).execOne(ctx, user.ErrNotFound, "giving a role",
			"UPDATE users SET role = ?, super_admin = ? WHERE id = ? AND tenant_id = ?",
			tenantRole(role).String(), role == access.SuperAdmin, u.ID, u.TenantID)
	}
	var given bool
	err := s.outside(write).get(ctx, &given, nil, "giving a role", "SELECT give_super_admin(?, ?, ?, ?)",
		sql.Null[id.Session]{V: acting, Valid: acting != ""}, u.TenantID, u.ID, role.String())
	switch {
	case errors.Is(err, ErrDenied):
		return user.ErrOperatorGives.Because(err)
	case err == nil && !given:
		return user.ErrNotFound
	}
	return err
}

func (s users) SetActive(ctx context.Context, scope access.Scope, u user.User) error {
	if err := scope.Covers(u.TenantID); err != nil {
		return err
	}
	return s.in(u.TenantID, write).execOne(ctx, user.ErrNotFound, "setting whether a user is active",
		"UPDATE users SET active = ? WHERE id = ? AND tenant_id = ?", u.Active, u.ID, u.TenantID)
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
	_, err := s.in(added.TenantID, write).exec(ctx, "adding a session",
		"INSERT INTO sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		added.ID, added.UserID, added.TenantID, string(added.Current), string(added.Previous), added.Client.Device, added.Client.Address,
		dbTime{added.CreatedAt}, dbTime{added.LastUsedAt}, dbTime{added.ExpiresAt}, dbTime{added.RevokedAt}, string(added.RevokedFor))
	return err
}

func (s sessions) ForUpdate(ctx context.Context, tenantID id.Tenant, sessionID id.Session, now time.Time) (session.Session, time.Time, error) {
	present, args := s.dialect.Clock(), []any{sessionID, tenantID}
	if present == "" {
		present, args = "?", []any{dbTime{now}, sessionID, tenantID}
	}
	var row struct {
		sessionRow
		Now dbTime `db:"now"`
	}
	err := s.in(tenantID, write).get(ctx, &row, session.ErrNotFound, "reading a session",
		"SELECT "+present+" AS now, "+sessionColumns+" FROM sessions WHERE id = ? AND tenant_id = ?"+s.dialect.ForUpdate(), args...)
	return row.session(), row.Now.Time, err
}

func (s sessions) Save(ctx context.Context, saved session.Session) error {
	return s.in(saved.TenantID, write).execOne(ctx, session.ErrNotFound, "saving a session",
		`UPDATE sessions SET current_hash = ?, previous_hash = ?, device = ?, address = ?, last_used_at = ?, revoked_at = ?, revoked_for = ?
		WHERE id = ? AND tenant_id = ?`,
		string(saved.Current), string(saved.Previous), saved.Client.Device, saved.Client.Address, dbTime{saved.LastUsedAt},
		dbTime{saved.RevokedAt}, string(saved.RevokedFor), saved.ID, saved.TenantID)
}

func (s sessions) RevokeAll(ctx context.Context, owner user.User, why session.Reason, now time.Time) ([]id.Session, error) {
	var ended []id.Session
	err := s.in(owner.TenantID, write).list(ctx, &ended, "revoking a user's sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND expires_at > ? RETURNING id`, dbTime{now}, string(why), owner.ID, dbTime{now})
	return ended, err
}

// MakeRoom looks before it changes anything, since there is seldom anything to change: on Citus, a DELETE or UPDATE of a
// reference table lets nobody else write to it until the transaction ends.
func (s sessions) MakeRoom(ctx context.Context, owner user.User, room int, why session.Reason, now time.Time) ([]id.Session, error) {
	home := s.in(owner.TenantID, write)
	var count struct {
		Dead int `db:"dead"`
		Live int `db:"live"`
	}
	const dead = "(expires_at <= ? OR revoked_at <= ?)"
	revokedBefore := dbTime{now.Add(-session.RevokedKept)}
	err := home.get(ctx, &count, nil, "counting a user's sessions",
		"SELECT COUNT(CASE WHEN "+dead+` THEN 1 END) AS dead,
			COUNT(CASE WHEN expires_at > ? AND revoked_at IS NULL THEN 1 END) AS live FROM sessions WHERE user_id = ?`,
		dbTime{now}, revokedBefore, dbTime{now}, owner.ID)
	if err != nil {
		return nil, err
	}
	if count.Dead > 0 {
		if _, err := home.exec(ctx, "forgetting dead sessions",
			"DELETE FROM sessions WHERE user_id = ? AND "+dead, owner.ID, dbTime{now}, revokedBefore); err != nil {
			return nil, err
		}
	}
	if count.Live <= room {
		return nil, nil
	}
	var ended []id.Session
	err = home.list(ctx, &ended, "revoking a user's oldest sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND id NOT IN
			(SELECT id FROM sessions WHERE user_id = ? AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?)
		RETURNING id`, dbTime{now}, string(why), owner.ID, owner.ID, room)
	return ended, err
}
