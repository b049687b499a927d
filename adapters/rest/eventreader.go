package rest

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// maxEvent is the largest event of a batch, in bytes. The limits of its fields allow less, unless it has spaces or escapes.
const maxEvent = 64 << 10

var errEventTooLarge = fault.New(fault.Invalid, "too_large", "The event is larger than 64 KiB.")

// eventReader reads events one after another, as strictly as the body of a single one.
type eventReader struct {
	body   contract.EventDraft
	object objectReader
}

func newEventReader() *eventReader {
	r := &eventReader{}
	r.object = objectReader{decoder: jsontext.NewDecoder(&bytes.Buffer{}), fields: fieldsOf(&r.body)}
	return r
}

// read reads one event.
func (r *eventReader) read(index int, raw []byte) event.Item {
	if len(raw) > maxEvent {
		return event.Item{Index: index, Fault: errEventTooLarge}
	}
	r.body = contract.EventDraft{}
	r.object.reset(raw)
	if err := r.object.readOnly(); err != nil {
		var f *fault.Error
		if !errors.As(err, &f) {
			f = errUnreadable
		}
		return event.Item{Index: index, Fault: f}
	}
	return event.Item{Index: index, Draft: draft(&r.body)}
}
