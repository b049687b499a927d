package send

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// rejects writes rejected lines to a file, as they were, so that they can be mended and sent, and beside it why. Both files are made
// with the first of them, and can be read by their owner only.
type rejects struct {
	path           string
	count          int64
	lines, reasons *output
}

// ReasonsPath returns where the reasons are written: x.rejected.csv has them in x.rejected.reasons.ndjson.
func ReasonsPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".reasons.ndjson"
}

// check makes sure that no file is there, which may be one that somebody is mending.
func (r *rejects) check() error {
	for _, path := range []string{r.path, ReasonsPath(r.path)} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already: move it away, or name another file for the rejected lines with --rejected", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checking the file of rejected lines: %w", err)
		}
	}
	return nil
}

// add writes a line. The header comes before the first one.
func (r *rejects) add(header []byte, line refusal) error {
	if r.lines == nil {
		if err := r.open(header); err != nil {
			return err
		}
	}
	reason, err := json.Marshal(line.Rejection)
	if err == nil {
		err = errors.Join(r.lines.line(line.raw), r.reasons.line(reason))
	}
	if err != nil {
		return fmt.Errorf("writing a rejected line: %w", err)
	}
	r.count++
	return nil
}

func (r *rejects) open(header []byte) (err error) {
	if r.lines, err = newOutput(r.path); err != nil {
		return err
	}
	if r.reasons, err = newOutput(ReasonsPath(r.path)); err != nil {
		return err
	}
	if len(header) == 0 {
		return nil
	}
	return r.lines.line(header)
}

// close completes the files.
func (r *rejects) close() error {
	return errors.Join(r.lines.close(), r.reasons.close())
}

// output is a new file that is written in lines.
type output struct {
	file   *os.File
	buffer *bufio.Writer
}

func newOutput(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating a file for the rejected lines: %w", err)
	}
	return &output{f, bufio.NewWriter(f)}, nil
}

func (o *output) line(text []byte) error {
	if _, err := o.buffer.Write(text); err != nil {
		return err
	}
	return o.buffer.WriteByte('\n')
}

// close completes the file; of none it does nothing.
func (o *output) close() error {
	if o == nil {
		return nil
	}
	if err := errors.Join(o.buffer.Flush(), o.file.Close()); err != nil {
		return fmt.Errorf("writing the rejected lines: %w", err)
	}
	return nil
}
