package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The two files of a database belong together: both have the same random number in the header, as their user_version. Copies have
// it too, so that a file can't be used beside that of another database, or beside none.

// ErrPair: the file of events is missing or belongs to another database.
var ErrPair = errors.New("the two files of the database don't belong together")

// eventsPath returns where the file of events is: data.db has data-events.db beside it.
func eventsPath(path string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + "-events" + extension
}

// mark returns the number by which the file is paired; 0 if it is not.
func (f *file) mark(ctx context.Context) (mark int32, err error) {
	if err := f.writer.GetContext(ctx, &mark, "PRAGMA user_version"); err != nil {
		return 0, fmt.Errorf("reading the mark of %s: %w", f.path, err)
	}
	return mark, nil
}

func (f *file) setMark(ctx context.Context, mark int32) error {
	if _, err := f.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", mark)); err != nil {
		return fmt.Errorf("writing the mark of %s: %w", f.path, err)
	}
	return nil
}

// checkOther checks that the file of events is there if there ever was one, and reports whether it is lost, which must be accepted.
// Errors: ErrPair.
func (f *file) checkOther(ctx context.Context, path string, accepted bool) (lost bool, err error) {
	mark, err := f.mark(ctx)
	if err != nil || mark == 0 {
		return false, err
	}
	switch _, err := os.Stat(path); {
	case !errors.Is(err, fs.ErrNotExist):
		return false, nil // whatever is wrong shows when it is opened
	case accepted:
		return true, f.setMark(ctx, 0)
	}
	return false, fmt.Errorf("%w: %s, with the events, is missing: restore it from the same backup as %s, "+
		"or accept that all events are lost with 'secure-data-api migrate up --new-events-file'", ErrPair, path, f.path)
}

// checkPair checks that the files belong together, as far as they are paired. Errors: ErrPair.
func (d *Database) checkPair(ctx context.Context) error {
	mark, err := d.identities.mark(ctx)
	if err != nil || mark == 0 {
		return err // join pairs them
	}
	other, err := d.eventFile.mark(ctx)
	if err == nil && other != mark {
		err = fmt.Errorf("%w: %s, with the events, is of another database than %s: restore both from the same backup",
			ErrPair, d.eventFile.path, d.identities.path)
	}
	return err
}

// join pairs the files of a database that has not been paired. The file of events must be empty then: a database does not take over the
// events of another, and a new one does not hide old ones. Errors: ErrPair.
func (d *Database) join(ctx context.Context) error {
	mark, err := d.identities.mark(ctx)
	if err != nil {
		return err
	}
	if mark != 0 {
		return d.checkPair(ctx)
	}
	var used bool
	if err := d.eventFile.writer.GetContext(ctx, &used, "SELECT EXISTS (SELECT 1 FROM events)"); err != nil {
		return fmt.Errorf("looking for events in %s: %w", d.eventFile.path, err)
	}
	if used {
		return fmt.Errorf("%w: %s has events, and %s is new or older than it: restore both from the same backup, or move the former away",
			ErrPair, d.eventFile.path, d.identities.path)
	}
	if mark, err = d.eventFile.mark(ctx); err != nil {
		return err
	}
	if mark == 0 { // otherwise an earlier call was stopped here
		if mark, err = newMark(); err != nil {
			return err
		}
		if err := d.eventFile.setMark(ctx, mark); err != nil {
			return err
		}
	}
	return d.identities.setMark(ctx, mark)
}

// newMark returns a random number that is not 0.
func newMark() (int32, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return 0, fmt.Errorf("making a mark: %w", err)
	}
	return int32(binary.BigEndian.Uint32(random[:])>>1) | 1, nil
}
