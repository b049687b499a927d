package sqlstore

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

type identities struct{ repositories }

func (i identities) Add(ctx context.Context, u user.User) error {
	_, err := i.in(u.TenantID, Write).Exec(ctx, "adding a user",
		`INSERT INTO users (id, tenant_id, email, full_name, role, super_admin, active, password_hash, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.TenantID, u.Email.String(), u.FullName, tenantRole(u.Role).String(), u.Role == access.SuperAdmin, u.Active,
		string(u.PasswordHash), Time{u.CreatedAt})
	if i.dialect.Duplicate(err, "users", "email") {
		return user.ErrEmailTaken
	}
	if u.Role == access.SuperAdmin {
		return operatorOnly(err)
	}
	return err
}

func (i identities) ByEmail(ctx context.Context, email user.Email) (user.User, error) {
	return oneUser(ctx, i.outside(LookUp), "SELECT "+userColumns+" FROM "+i.functionOr("account_by_email(?) u", "users u WHERE u.email = ?"), email.String())
}

func (i identities) ForUpdate(ctx context.Context, tenantID id.Tenant, userID id.User) (user.User, error) {
	return profileOf(ctx, i.in(tenantID, Write), userID, i.dialect.ForUpdate())
}

func (i identities) HasPassword(ctx context.Context, u user.User) (same bool, err error) {
	err = i.outside(Write).Get(ctx, &same, nil, "comparing a password hash", "SELECT "+i.functionOr("password_is(?, ?)",
		"EXISTS (SELECT 1 FROM users WHERE id = ? AND password_hash = ?)"), u.ID, string(u.PasswordHash))
	return same, err
}

func (i identities) BySession(ctx context.Context, sessionID id.Session) (user.User, session.Session, error) {
	var row struct {
		userRow
		SessionID  id.Session     `db:"session_id"`
		OpenedAt   Time           `db:"session_created_at"`
		ExpiresAt  Time           `db:"session_expires_at"`
		RevokedAt  Time           `db:"session_revoked_at"`
		RevokedFor session.Reason `db:"session_revoked_for"`
	}
	err := i.outside(LookUp).Get(ctx, &row, session.ErrNotFound, "reading a session's user", "SELECT * FROM "+i.functionOr("caller_of_session(?)",
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
	return i.in(u.TenantID, Write).ExecOne(ctx, user.ErrNotFound, "setting a password hash",
		"UPDATE users SET password_hash = ? WHERE id = ? AND tenant_id = ?", string(hash), u.ID, u.TenantID)
}

// saltAndKey replaces the salt and the key of an encoded hash, which follow its cost, by zeros of the same length.
const saltAndKey = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (i identities) PasswordCosts(ctx context.Context) ([]user.PasswordHash, error) {
	var hashes []user.PasswordHash
	err := i.outside(LookUp).List(ctx, &hashes, "reading the costs of password hashes", "SELECT * FROM "+i.functionOr("password_costs(?)",
		`(SELECT DISTINCT substr(password_hash, 1, length(password_hash) - length(ending)) || ending
		FROM users, (SELECT ? AS ending) WHERE length(password_hash) > length(ending))`), saltAndKey)
	return hashes, err
}

type signInAddresses struct{ repositories }

func (a signInAddresses) Known(ctx context.Context, email user.Email, address string) (known bool, err error) {
	err = a.outside(LookUp).Get(ctx, &known, nil, "looking for an address", "SELECT "+a.functionOr("address_is_known(?, ?)",
		"EXISTS (SELECT 1 FROM sign_in_addresses a JOIN users u ON u.id = a.user_id WHERE u.email = ? AND a.address = ?)"),
		email.String(), address)
	return known, err
}

// rememberEvery is how old the stored time of an address must be before it is updated.
const rememberEvery = 24 * time.Hour

func (a signInAddresses) Remember(ctx context.Context, owner user.User, address string, now time.Time, atMost int) error {
	inTenant := a.in(owner.TenantID, Write)
	var last Time
	err := inTenant.Get(ctx, &last, nil, "looking for an address",
		"SELECT MAX(last_at) FROM sign_in_addresses WHERE user_id = ? AND address = ?", owner.ID, address)
	if err != nil || now.Sub(last.Time) < rememberEvery {
		return err
	}
	_, err = inTenant.Exec(ctx, "remembering an address",
		`INSERT INTO sign_in_addresses (user_id, tenant_id, address, last_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at`, owner.ID, owner.TenantID, address, Time{now})
	if err != nil {
		return err
	}
	var known int
	err = inTenant.Get(ctx, &known, nil, "counting addresses", "SELECT COUNT(*) FROM sign_in_addresses WHERE user_id = ?", owner.ID)
	if err != nil || known <= atMost {
		return err
	}
	_, err = inTenant.Exec(ctx, "deleting addresses",
		`DELETE FROM sign_in_addresses WHERE user_id = ? AND address NOT IN
		(SELECT address FROM sign_in_addresses WHERE user_id = ? ORDER BY last_at DESC, address LIMIT ?)`, owner.ID, owner.ID, atMost)
	return err
}
