package exporting

import (
	"bufio"
	"io"
	"time"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// lines writes events as lines of JSON. It does so without reflection, since that would take longer than reading the events.
type lines struct {
	to   *bufio.Writer
	line []byte
}

func newLines(w io.Writer) (Writer, error) {
	return &lines{to: bufio.NewWriterSize(w, bufferSize)}, nil
}

// bufferSize is how many bytes are passed on at a time.
const bufferSize = 64 << 10

func (l *lines) Write(e event.Event) error {
	b := append(l.line[:0], `{"id":"`...)
	b = append(b, e.ID...)
	b = append(b, `","event_type":`...)
	b = appendText(b, e.Type)
	b = append(b, `,"user_identifier":`...)
	b = appendText(b, e.UserIdentifier)
	b = append(b, `,"session_id":`...)
	b = appendOptional(b, e.SessionID)
	b = append(b, `,"value":`...)
	if e.Value == nil {
		b = append(b, "null"...)
	} else {
		b = appendNumber(b, *e.Value)
	}
	b = append(b, `,"source":`...)
	b = appendOptional(b, e.Source)
	b = append(b, `,"occurred_at":"`...)
	b = e.OccurredAt.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","properties":`...)
	if e.Properties == "" {
		b = append(b, "null"...)
	} else {
		b = appendEscaped(b, e.Properties, false) // canonical JSON, without white space
	}
	l.line = append(b, "}\n"...)
	_, err := l.to.Write(l.line)
	return err
}

func (l *lines) Close() error { return l.to.Flush() }

func appendOptional(to []byte, text *string) []byte {
	if text == nil {
		return append(to, "null"...)
	}
	return appendText(to, *text)
}

func appendText(to []byte, text string) []byte {
	to = appendEscaped(append(to, '"'), text, true)
	return append(to, '"')
}

// appendEscaped appends a text, with what HTML takes for markup and JavaScript for the end of a line as escapes, as encoding/json
// does; and if it is plain text and no JSON, with the escapes of JSON.
func appendEscaped(to []byte, text string, plain bool) []byte {
	const hex = "0123456789abcdef"
	done := 0
	for i := 0; i < len(text); {
		c := text[i]
		size, escaped := 1, ""
		switch {
		case c == '<' || c == '>' || c == '&' || plain && c < ' ':
			escaped = `\u00` + hex[c>>4:c>>4+1] + hex[c&15:c&15+1]
			if short := shortEscape(c); short != "" {
				escaped = short
			}
		case plain && (c == '"' || c == '\\'):
			escaped = `\` + text[i:i+1]
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			switch {
			case r == '\u2028' || r == '\u2029':
				escaped = `\u202` + hex[r&15:r&15+1]
			case r == utf8.RuneError && size == 1:
				escaped = `\ufffd`
			}
		}
		if escaped != "" {
			to = append(append(to, text[done:i]...), escaped...)
			done = i + size
		}
		i += size
	}
	return append(to, text[done:]...)
}

// shortEscape returns the escape of a control character that has one of its own, or "".
func shortEscape(c byte) string {
	switch c {
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	return ""
}
