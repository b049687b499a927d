package session_test

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const grace = 10 * time.Second

// owner is who signed in.
var owner = session.Client{Device: "Firefox", Address: "192.0.2.7"}

// family returns a session that has been rotated once, from "first" to "second".
func family(t *testing.T) session.Session {
	t.Helper()
	s := session.Session{Current: "first", CreatedAt: start, LastUsedAt: start, ExpiresAt: start.Add(7 * 24 * time.Hour)}
	if got := s.Rotate("first", "second", owner, start.Add(time.Minute), grace); got != session.Rotated {
		t.Fatalf("the first rotation: %v", got)
	}
	return s
}

func TestRotate(t *testing.T) {
	used := start.Add(time.Minute)
	for _, c := range []struct {
		name      string
		presented session.TokenHash
		by        session.Client
		at        time.Time
		want      session.Outcome
		revoked   bool
	}{
		{"the current token", "second", owner, used.Add(time.Hour), session.Rotated, false},
		{"the predecessor at once", "first", owner, used, session.Superseded, false},
		{"the predecessor at the end of the grace", "first", owner, used.Add(grace - time.Microsecond), session.Superseded, false},
		{"the predecessor after the grace", "first", owner, used.Add(grace), session.Replayed, true},
		{"an unknown token", "zero", owner, used, session.Replayed, true},
		{"no token", "", owner, used, session.Replayed, true},
		{"the current token just before the end", "second", owner, start.Add(7*24*time.Hour - time.Microsecond), session.Rotated, false},
		{"the current token at the end", "second", owner, start.Add(7 * 24 * time.Hour), session.Ended, false},
		{"the predecessor from the network next door", "first", session.Client{Device: "Firefox", Address: "192.0.2.250"}, used, session.Superseded, false},
		{"the predecessor from another network", "first", session.Client{Device: "Firefox", Address: "198.51.100.7"}, used, session.Replayed, true},
		{"the predecessor from another device", "first", session.Client{Device: "curl", Address: "192.0.2.7"}, used, session.Replayed, true},
		{"the current token from another device", "second", session.Client{Device: "curl", Address: "198.51.100.7"}, used, session.Rotated, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := family(t)
			if got := s.Rotate(c.presented, "next", c.by, c.at, grace); got != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			if got := !s.RevokedAt.IsZero(); got != c.revoked {
				t.Errorf("revoked %t, want %t", got, c.revoked)
			}
			if issued := s.Current == "next"; issued != (c.want == session.Rotated) {
				t.Errorf("a successor was issued: %t", issued)
			}
			if s.ExpiresAt != start.Add(7*24*time.Hour) {
				t.Errorf("the end moved to %v", s.ExpiresAt)
			}
		})
	}
}

// TestRotate_shows_a_thief_who_comes_first: the owner presents what the thief has used, and ends the session for both.
func TestRotate_shows_a_thief_who_comes_first(t *testing.T) {
	s := family(t)
	now := start.Add(time.Hour)
	if got := s.Rotate("second", "stolen", session.Client{Device: "Firefox", Address: "203.0.113.9"}, now, grace); got != session.Rotated {
		t.Fatalf("the thief: %v", got)
	}
	if got := s.Rotate("second", "next", owner, now.Add(time.Second), grace); got != session.Replayed || s.Live(now.Add(time.Second)) {
		t.Errorf("the owner: %v, and the session lives: %t", got, s.Live(now.Add(time.Second)))
	}
}

func TestRotate_without_grace_every_replay_revokes(t *testing.T) {
	s := family(t)
	if got := s.Rotate("first", "next", owner, start.Add(time.Minute), 0); got != session.Replayed {
		t.Errorf("got %v", got)
	}
}

func TestRevoke(t *testing.T) {
	s := family(t)
	s.Revoke(session.SignedOut, start.Add(time.Hour))
	s.Revoke(session.TokenReplayed, start.Add(2*time.Hour))
	if s.RevokedFor != session.SignedOut || !s.RevokedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("the first reason was lost: %s at %v", s.RevokedFor, s.RevokedAt)
	}
	if s.Live(start.Add(time.Hour)) {
		t.Error("a revoked session lives")
	}
	if got := s.Rotate("second", "next", owner, start.Add(time.Hour), grace); got != session.Ended {
		t.Errorf("a revoked session answered %v", got)
	}
}

func TestRevocationCovers(t *testing.T) {
	claims := session.Claims{User: "u", Session: "s", Token: "t", IssuedAt: start}
	for _, c := range []struct {
		name string
		r    session.Revocation
		want bool
	}{
		{"the token", session.Revocation{User: "u", Token: "t"}, true},
		{"another token", session.Revocation{User: "u", Token: "t2"}, false},
		{"the session", session.Revocation{User: "u", Session: "s"}, true},
		{"another session", session.Revocation{User: "u", Session: "s2"}, false},
		{"the user, later", session.Revocation{User: "u", NotBefore: start.Add(time.Second)}, true},
		{"the user, the same second", session.Revocation{User: "u", NotBefore: start}, true},
		{"the user, earlier", session.Revocation{User: "u", NotBefore: start.Add(-time.Second)}, false},
		{"another user", session.Revocation{User: "u2", NotBefore: start.Add(time.Second)}, false},
	} {
		if got := c.r.Covers(claims); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
