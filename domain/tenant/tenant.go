// Package tenant provides the tenant: a customer of the service, whose data is isolated from all others.
package tenant

import (
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

// Limits of a slug, in characters. The upper one is that of a DNS label (RFC 1035 2.3.4).
const (
	MinSlugLength = 2
	MaxSlugLength = 63
)

// Faults of this package.
var (
	ErrNotFound           = fault.New(fault.NotFound, "tenant_not_found", "There is no such tenant.")
	ErrSlugTaken          = fault.New(fault.Conflict, "tenant_slug_taken", "There is a tenant with this slug already.")
	ErrInvitationRequired = fault.New(fault.Forbidden, "invitation_required", "This tenant takes new users by invitation only.")
	ErrRegistrationClosed = fault.New(fault.Forbidden, "registration_closed", "Registration is closed. Ask an administrator for an account.")
)

// Tenant is a customer of the service.
type Tenant struct {
	ID        id.Tenant
	Slug      Slug
	CreatedAt time.Time
	Retention Retention // its own; that of the platform applies as well
}

// MaxRetention is the longest retention but for ever, in days.
const MaxRetention = 3650

// Retention is how long events are kept after they occurred, in whole days. The zero Retention is for ever.
type Retention struct {
	days int
}

// NewRetention returns a retention of 1 to MaxRetention days. A fault names the field days.
func NewRetention(days int) (Retention, error) {
	if days < 1 || days > MaxRetention {
		return Retention{}, fault.ErrInvalid.OnField("days", fmt.Sprintf("must be between 1 and %d", MaxRetention))
	}
	return Retention{days: days}, nil
}

// Days returns the number of days; 0 is for ever.
func (r Retention) Days() int { return r.days }

// String returns the retention as it is shown, such as "90 days" or "for ever".
func (r Retention) String() string {
	switch r.days {
	case 0:
		return "for ever"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", r.days)
	}
}

// Slug is a tenant's short name, unique across the service: lower-case letters, digits and inner hyphens.
type Slug struct {
	text string
}

// ParseSlug parses a slug; A to Z are converted to lower case. A fault names the field tenant_slug.
func ParseSlug(s string) (Slug, error) {
	s = text.LowerASCII(s)
	refuse := func(why string) (Slug, error) {
		return Slug{}, fault.ErrInvalid.OnField("tenant_slug", why)
	}
	if len(s) < MinSlugLength || len(s) > MaxSlugLength {
		return refuse(fmt.Sprintf("must have %d to %d characters", MinSlugLength, MaxSlugLength))
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return refuse("may hold only letters a to z, digits and hyphens")
		}
	}
	if s[0] == '-' || s[len(s)-1] == '-' {
		return refuse("must begin and end with a letter or a digit")
	}
	return Slug{text: s}, nil
}

// String returns the slug's text, empty for the zero Slug.
func (s Slug) String() string { return s.text }

// JoinPolicy decides who may register without an invitation.
type JoinPolicy struct {
	name string
}

// The join policies.
var (
	Open   = JoinPolicy{"open"}   // anyone may create a tenant or join an existing one
	Invite = JoinPolicy{"invite"} // anyone may create a tenant; joining an existing one takes an invitation
	Closed = JoinPolicy{"closed"} // nobody may register
)

// ParseJoinPolicy parses the name of a join policy.
func ParseJoinPolicy(s string) (JoinPolicy, error) {
	for _, p := range []JoinPolicy{Open, Invite, Closed} {
		if p.name == s {
			return p, nil
		}
	}
	return JoinPolicy{}, fmt.Errorf("must be open, invite or closed")
}

// String returns the policy's name.
func (p JoinPolicy) String() string { return p.name }

// Admit decides whether anyone may register for a tenant, depending on whether it exists.
// Errors: ErrInvitationRequired, ErrRegistrationClosed.
func (p JoinPolicy) Admit(exists bool) error {
	switch {
	case p == Open, p == Invite && !exists:
		return nil
	case p == Invite:
		return ErrInvitationRequired
	default:
		return ErrRegistrationClosed
	}
}
