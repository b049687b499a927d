package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// TestDuplicate: a Citus shard adds its number to the constraint's name, and a worker's error has the name only in the message.
func TestDuplicate(t *testing.T) {
	const message = `duplicate key value violates unique constraint "users_email_key_102009"`
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"of one node":              {&pq.Error{Code: "23505", Constraint: "users_email_key"}, true},
		"of a shard":               {&pq.Error{Code: "23505", Constraint: "users_email_key_102009"}, true},
		"of a worker":              {&pq.Error{Code: "23505", Message: message}, true},
		"of one node, by message":  {&pq.Error{Code: "23505", Message: `duplicate key value violates unique constraint "users_email_key"`}, true},
		"wrapped":                  {fmt.Errorf("adding: %w", &pq.Error{Code: "23505", Message: message}), true},
		"another constraint":       {&pq.Error{Code: "23505", Constraint: "users_pkey"}, false},
		"another name like it":     {&pq.Error{Code: "23505", Constraint: "users_email_key_old"}, false},
		"a number without its end": {&pq.Error{Code: "23505", Constraint: "users_email_key_"}, false},
		"of a worker in French":    {&pq.Error{Code: "23505", Message: "la valeur d'une clé dupliquée rompt la contrainte unique « users_email_key_102009 »"}, true},
		"a message without a name": {&pq.Error{Code: "23505", Message: "duplicate key"}, false},
		"another error":            {&pq.Error{Code: "23503", Constraint: "users_email_key"}, false},
		"not a database error":     {errors.New("users_email_key"), false},
		"nothing":                  {nil, false},
	} {
		if got := (dialect{}).Duplicate(c.err, "users", "email"); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// TestRolledBack: only a violated constraint and a serialization failure prove that a COMMIT was rolled back.
func TestRolledBack(t *testing.T) {
	for code, want := range map[pqerror.Code]bool{"23503": true, "40001": true, "40P01": true, "40003": false, "XX000": false, "08006": false, "57P01": false, "53100": false, "58030": false} {
		if got := (dialect{}).RolledBack(fmt.Errorf("committing: %w", &pq.Error{Code: code})); got != want {
			t.Errorf("%s: %t, want %t", code, got, want)
		}
	}
	if (dialect{}).RolledBack(errors.New("connection reset by peer")) {
		t.Error("a lost connection counts as rolled back")
	}
}

// TestUnavailable_idle_timeout: a transaction that the server ended for being idle can be retried.
func TestUnavailable_idle_timeout(t *testing.T) {
	if !(dialect{}).Unavailable(fmt.Errorf("adding: %w", &pq.Error{Code: "25P03"})) {
		t.Error("it is not ErrUnavailable")
	}
}
