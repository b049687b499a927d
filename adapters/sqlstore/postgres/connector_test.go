package postgres

import (
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// TestCheckReadOnly: a connection is dropped only for errors that show a standby.
func TestCheckReadOnly(t *testing.T) {
	for name, c := range map[string]struct {
		code    pqerror.Code
		codes   []pqerror.Code
		reading bool
		want    bool
	}{
		"BEGIN READ WRITE":                      {"0A000", []pqerror.Code{readOnlyTransaction, featureNotSupported}, false, true},
		"a statement that writes":               {"25006", []pqerror.Code{readOnlyTransaction}, false, true},
		"a statement that is not supported":     {"0A000", []pqerror.Code{readOnlyTransaction}, false, false},
		"a write in a read-only transaction":    {"25006", []pqerror.Code{readOnlyTransaction}, true, false},
		"a BEGIN that fails for another reason": {"53300", []pqerror.Code{readOnlyTransaction, featureNotSupported}, false, false},
	} {
		conn := &watchedConn{readOnlyTx: c.reading}
		err := conn.checkReadOnly(&pq.Error{Code: c.code}, c.codes...)
		var cause *pq.Error
		if !errors.As(err, &cause) || errors.Is(err, driver.ErrBadConn) != c.want || (dialect{}).Unavailable(err) != (c.want || c.code == "53300") || conn.readOnly != c.want {
			t.Errorf("%s: %v, and the connection is dropped: %t", name, err, conn.readOnly)
		}
	}
	conn := &watchedConn{readOnly: true}
	if err := conn.ResetSession(t.Context()); !errors.Is(err, driver.ErrBadConn) || conn.IsValid() {
		t.Errorf("it is used again: %v", err)
	}
	if err := conn.checkReadOnly(nil, readOnlyTransaction); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
}
