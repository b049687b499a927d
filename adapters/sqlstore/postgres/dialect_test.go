package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// TestDuplicate: a shard of Citus names its constraint after itself, and a worker names it in the message alone.
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
		"another fault":            {&pq.Error{Code: "23503", Constraint: "users_email_key"}, false},
		"no answer of a database":  {errors.New("users_email_key"), false},
		"nothing":                  {nil, false},
	} {
		if got := (dialect{}).Duplicate(c.err, "users", "email"); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// TestRolledBack: only a broken constraint and a transaction that could not be serialized leave no doubt about a COMMIT.
func TestRolledBack(t *testing.T) {
	for code, want := range map[pqerror.Code]bool{"23503": true, "40001": true, "40P01": true, "40003": false, "XX000": false, "08006": false, "57P01": false, "53100": false, "58030": false} {
		if got := (dialect{}).RolledBack(fmt.Errorf("committing: %w", &pq.Error{Code: code})); got != want {
			t.Errorf("%s: %t, want %t", code, got, want)
		}
	}
	if (dialect{}).RolledBack(errors.New("connection reset by peer")) {
		t.Error("a lost connection leaves no doubt")
	}
}

// TestLost_given_up: a transaction that the server has given up can be repeated.
func TestLost_given_up(t *testing.T) {
	if !(dialect{}).Unavailable(fmt.Errorf("adding: %w", &pq.Error{Code: "25P03"})) {
		t.Error("it counts as a fault of the service")
	}
}
