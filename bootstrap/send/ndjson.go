package send

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// members is what the sender must know of an event.
type members struct {
	named, timed bool // whether it has an event_id and an occurred_at; null counts as none
	// name is where the name belongs: in place of a null, or after the opening brace.
	name struct{ from, to int }
	more bool // whether there are members after that place
}

// object finds the members of an event, or reports that the text is no JSON object. What else is wrong with it is for the service
// to say.
func object(event []byte) (m members, valid bool) {
	d := jsontext.NewDecoder(bytes.NewReader(event))
	if d.PeekKind() != '{' {
		return m, false
	}
	if _, err := d.ReadToken(); err != nil {
		return m, false
	}
	m.name.from = int(d.InputOffset())
	m.name.to, m.more = m.name.from, d.PeekKind() != '}'
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return m, false
		}
		field, null := name.String(), d.PeekKind() == 'n'
		if err := d.SkipValue(); err != nil {
			return m, false
		}
		switch {
		case field == "occurred_at":
			m.timed = !null
		case field == "event_id" && null:
			m.name.to, m.more = int(d.InputOffset()), false
			m.name.from = m.name.to - len("null")
		case field == "event_id":
			m.named = true
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return m, false
	}
	return m, len(bytes.TrimSpace(event[d.InputOffset():])) == 0
}

// withName returns the event with a name, in which nothing needs to be escaped.
func withName(event []byte, m members, name string) []byte {
	text := `"` + name + `"`
	if m.name.from == m.name.to {
		text = `"event_id":` + text
	}
	if m.more {
		text += ","
	}
	named := make([]byte, 0, len(event)+len(text))
	named = append(named, event[:m.name.from]...)
	named = append(named, text...)
	return append(named, event[m.name.to:]...)
}
