package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

const entryColumns = "id, tenant_id, at, severity, act, actor, subject, request_id, address, user_agent, detail"

type entryRow struct {
	ID        id.Entry       `db:"id"`
	TenantID  id.Tenant      `db:"tenant_id"`
	At        Time           `db:"at"`
	Severity  audit.Severity `db:"severity"`
	Act       audit.Act      `db:"act"`
	Actor     id.User        `db:"actor"`
	Subject   string         `db:"subject"`
	RequestID string         `db:"request_id"`
	Address   string         `db:"address"`
	UserAgent string         `db:"user_agent"`
	Detail    []byte         `db:"detail"`
}

func (r entryRow) entry() (audit.Entry, error) {
	e := audit.Entry{
		ID: r.ID, TenantID: r.TenantID, At: r.At.Time, Severity: r.Severity, Act: r.Act, Actor: r.Actor, Subject: r.Subject,
		Origin: audit.Origin{RequestID: r.RequestID, Address: r.Address, UserAgent: r.UserAgent},
	}
	if err := json.Unmarshal(r.Detail, &e.Detail); err != nil {
		return audit.Entry{}, fmt.Errorf("reading audit entry %s: %w", r.ID, err)
	}
	return e, nil
}

type auditTrail struct{ repositories }

func (a auditTrail) Record(ctx context.Context, scope access.Scope, e audit.Entry) error {
	if err := scope.Covers(e.TenantID); err != nil {
		return err
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("writing an audit entry: %w", err)
	}
	_, err = a.in(e.TenantID, Write).Exec(ctx, "recording an audit entry",
		"INSERT INTO audit_entries ("+entryColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.ID, e.TenantID, Time{e.At}, string(e.Severity), string(e.Act), string(e.Actor), e.Subject,
		e.Origin.RequestID, e.Origin.Address, e.Origin.UserAgent, string(detail))
	return err
}

func (a auditTrail) List(ctx context.Context, scope access.Scope, p page.Page) ([]audit.Entry, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	var rows []entryRow
	err = a.in(tenantID, LookUp).List(ctx, &rows, "listing audit entries",
		"SELECT "+entryColumns+" FROM audit_entries WHERE tenant_id = ? ORDER BY at DESC, id DESC LIMIT ? OFFSET ?",
		tenantID, p.Limit, p.Skip)
	if err != nil {
		return nil, err
	}
	return convert(rows, entryRow.entry)
}
