package sqlstore

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

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
	CreatedAt    Time              `db:"created_at"`
	LastUsedAt   Time              `db:"last_used_at"`
	ExpiresAt    Time              `db:"expires_at"`
	RevokedAt    Time              `db:"revoked_at"`
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
	_, err := s.in(added.TenantID, Write).Exec(ctx, "adding a session",
		"INSERT INTO sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		added.ID, added.UserID, added.TenantID, string(added.Current), string(added.Previous), added.Client.Device, added.Client.Address,
		Time{added.CreatedAt}, Time{added.LastUsedAt}, Time{added.ExpiresAt}, Time{added.RevokedAt}, string(added.RevokedFor))
	return err
}

func (s sessions) ForUpdate(ctx context.Context, tenantID id.Tenant, sessionID id.Session, now time.Time) (session.Session, time.Time, error) {
	present, args := s.dialect.Clock(), []any{sessionID, tenantID}
	if present == "" {
		present, args = "?", []any{Time{now}, sessionID, tenantID}
	}
	var row struct {
		sessionRow
		Now Time `db:"now"`
	}
	err := s.in(tenantID, Write).Get(ctx, &row, session.ErrNotFound, "reading a session",
		"SELECT "+present+" AS now, "+sessionColumns+" FROM sessions WHERE id = ? AND tenant_id = ?"+s.dialect.ForUpdate(), args...)
	return row.session(), row.Now.Time, err
}

func (s sessions) Save(ctx context.Context, saved session.Session) error {
	return s.in(saved.TenantID, Write).ExecOne(ctx, session.ErrNotFound, "saving a session",
		`UPDATE sessions SET current_hash = ?, previous_hash = ?, device = ?, address = ?, last_used_at = ?, revoked_at = ?, revoked_for = ?
		WHERE id = ? AND tenant_id = ?`,
		string(saved.Current), string(saved.Previous), saved.Client.Device, saved.Client.Address, Time{saved.LastUsedAt},
		Time{saved.RevokedAt}, string(saved.RevokedFor), saved.ID, saved.TenantID)
}

func (s sessions) Live(ctx context.Context, owner user.User, now time.Time) ([]session.Session, error) {
	var rows []sessionRow
	err := s.in(owner.TenantID, LookUp).List(ctx, &rows, "listing a user's sessions",
		"SELECT "+sessionColumns+` FROM sessions WHERE user_id = ? AND tenant_id = ? AND revoked_at IS NULL AND expires_at > ?
		ORDER BY created_at DESC, id DESC`, owner.ID, owner.TenantID, Time{now})
	if err != nil {
		return nil, err
	}
	return convert(rows, func(r sessionRow) (session.Session, error) { return r.session(), nil })
}

func (s sessions) RevokeAll(ctx context.Context, owner user.User, why session.Reason, now time.Time) ([]id.Session, error) {
	var ended []id.Session
	err := s.in(owner.TenantID, Write).List(ctx, &ended, "revoking a user's sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND expires_at > ? RETURNING id`, Time{now}, string(why), owner.ID, Time{now})
	return ended, err
}

// MakeRoom counts first, since there is seldom anything to change: on Citus, a DELETE or UPDATE of a reference table blocks all
// other writes to it until the transaction ends.
func (s sessions) MakeRoom(ctx context.Context, owner user.User, room int, why session.Reason, now time.Time) ([]id.Session, error) {
	inTenant := s.in(owner.TenantID, Write)
	var count struct {
		Dead int `db:"dead"`
		Live int `db:"live"`
	}
	const dead = "(expires_at <= ? OR revoked_at <= ?)"
	revokedBefore := Time{now.Add(-session.RevokedKept)}
	err := inTenant.Get(ctx, &count, nil, "counting a user's sessions",
		"SELECT COUNT(CASE WHEN "+dead+` THEN 1 END) AS dead,
			COUNT(CASE WHEN expires_at > ? AND revoked_at IS NULL THEN 1 END) AS live FROM sessions WHERE user_id = ?`,
		Time{now}, revokedBefore, Time{now}, owner.ID)
	if err != nil {
		return nil, err
	}
	if count.Dead > 0 {
		if _, err := inTenant.Exec(ctx, "deleting dead sessions",
			"DELETE FROM sessions WHERE user_id = ? AND "+dead, owner.ID, Time{now}, revokedBefore); err != nil {
			return nil, err
		}
	}
	if count.Live <= room {
		return nil, nil
	}
	var ended []id.Session
	err = inTenant.List(ctx, &ended, "revoking a user's oldest sessions",
		`UPDATE sessions SET revoked_at = ?, revoked_for = ?
		WHERE user_id = ? AND revoked_at IS NULL AND id NOT IN
			(SELECT id FROM sessions WHERE user_id = ? AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?)
		RETURNING id`, Time{now}, string(why), owner.ID, owner.ID, room)
	return ended, err
}
