package rest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

const (
	eventsPath = "/analytics/events"
	batchPath  = eventsPath + "/batch"
	batchRoute = "POST " + Prefix + batchPath

	mediaNDJSON = "application/x-ndjson"

	// MaxBatchBody is the largest batch as one JSON document, in bytes.
	MaxBatchBody = 10 << 20
	// MaxRejected is how many rejected events a response lists.
	MaxRejected = 1000
)

// Faults of batches.
var (
	errBatchTooLarge = statusError{http.StatusRequestEntityTooLarge,
		fault.New(fault.Malformed, "body_too_large", "The batch is larger than 10 MiB: send it as NDJSON, or in parts.")}
	errBatchMedia = statusError{http.StatusUnsupportedMediaType,
		fault.New(fault.Malformed, "unsupported_media_type", "A batch must be application/json or application/x-ndjson, in UTF-8.")}
	errBatchRejected = fault.New(fault.Invalid, "batch_rejected", "Nothing was stored, since events were rejected.")
)

// batch is a request to ingest many events.
type batch struct {
	tenant   id.Tenant
	key      string
	atomic   bool
	encoding string // "" for none
}

// ingestBatch ingests a batch: a document as a whole, or a stream as it arrives.
func (s *Server) ingestBatch(c echo.Context) error {
	stream := isStream(c.Request())
	if !stream && !isJSON(c.Request().Header.Get(echo.HeaderContentType)) {
		return errBatchMedia
	}
	encoding, err := encodingOf(c, compressions...)
	if err != nil {
		return err
	}
	b, err := readBatchParameters(c, stream)
	b.encoding = encoding
	switch {
	case err != nil:
		return err
	case stream:
		return s.ingestStream(c, b)
	default:
		return s.ingestDocument(c, b)
	}
}

// isStream reports whether the body of a request is read as it arrives.
func isStream(r *http.Request) bool {
	if r.Method+" "+r.URL.Path != batchRoute {
		return false
	}
	media, parameters, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	return err == nil && media == mediaNDJSON && isUTF8(parameters)
}

func readBatchParameters(c echo.Context, stream bool) (batch, error) {
	var (
		faults fault.Check
		query  = c.QueryParams()
		b      batch
	)
	once := func(name string, values []string) *string {
		if len(values) > 1 {
			faults.Add(name, "must be given once")
		}
		if len(values) == 0 {
			return nil
		}
		return &values[0]
	}
	b.tenant = tenantOf(&faults, once("tenant_id", query["tenant_id"]))
	b.key = keyOf(&faults, once(headerIdempotencyKey, c.Request().Header[headerIdempotencyKey]))
	if text := once("atomic", query["atomic"]); text != nil {
		atomic, err := strconv.ParseBool(*text)
		switch b.atomic = atomic; {
		case err != nil:
			faults.Add("atomic", "must be true or false")
		case atomic && stream:
			faults.Add("atomic", "is for a batch of JSON: lines are stored as they arrive")
		}
	}
	return b, faults.Err()
}

// ingestDocument ingests a batch that is one JSON document, which it reads to its end first.
func (s *Server) ingestDocument(c echo.Context, b batch) error {
	ctx := c.Request().Context()
	caller := callerFrom(ctx)
	leave, err := s.enterBatches(c)
	if err != nil {
		return err
	}
	defer leave()
	if b.key == "" {
		if b.key, err = s.deps.Analytics.IssueKey(ctx, caller.Principal(), b.tenant); err != nil {
			return err
		}
	}
	var items []event.Item
	err = decompress(b.encoding, c.Request().Body, func(plain io.Reader) (err error) {
		items, err = readDocumentOf(plain)
		return err
	})
	if err != nil {
		return err
	}
	counts, err := s.deps.Analytics.IngestBatch(ctx, caller.Principal(), b.tenant, b.key, items, b.atomic)
	if err != nil {
		return keyedError{b.key, err}
	}
	var all tally
	all.add(counts)
	if b.atomic && all.rejected > 0 {
		return keyedError{b.key, stoppedBatch{tally: all, cause: errBatchRejected}}
	}
	c.Response().Header().Set(headerIdempotencyKey, b.key)
	return c.JSON(http.StatusOK, all.result())
}

// enterBatches waits for a place among the batches, and then gives the client the whole time to send the body. Errors:
// ports.ErrTooManyBatches.
func (s *Server) enterBatches(c echo.Context) (leave func(), err error) {
	ctx := c.Request().Context()
	leave, err = s.deps.Batches.Enter(ctx, callerFrom(ctx).User.TenantID)
	if err != nil {
		return nil, err
	}
	err = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(s.settings.ReadTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // by the recorder of a test
		leave()
		return nil, fmt.Errorf("giving a client time for a batch: %w", err)
	}
	return leave, nil
}

// readDocumentOf reads {"events": [...]}. Invalid events are items with a fault; any other mistake is an error.
func readDocumentOf(body io.Reader) ([]event.Item, error) {
	limited := &limitedReader{from: body, left: MaxBatchBody, tooLarge: errBatchTooLarge}
	d := jsontext.NewDecoder(limited, jsontext.AllowDuplicateNames(true)) // which are checked here
	if err := enter(d, '{', errNoObject); err != nil {
		return nil, err
	}
	var (
		items []event.Item
		given bool
	)
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		switch name := token.String(); {
		case err != nil:
			return nil, readError(err)
		case name != "events":
			return nil, fault.ErrInvalid.OnField(truncate(name), "is not a field of this request")
		case given:
			return nil, errMalformedJSON.OnField(name, "is given twice")
		}
		given = true
		if items, err = readEvents(d); err != nil {
			return nil, err
		}
	}
	if err := take(d); err != nil { // the closing brace
		return nil, err
	}
	if err := readEnd(d); err != nil {
		return nil, err
	}
	if !given {
		return nil, fault.ErrInvalid.OnField("events", "is required")
	}
	return items, nil
}

// readEvents reads the array of events.
func readEvents(d *jsontext.Decoder) ([]event.Item, error) {
	if err := enter(d, '[', fault.ErrInvalid.OnField("events", "must be an array")); err != nil {
		return nil, err
	}
	var (
		items  []event.Item
		events = newEventReader()
	)
	for index := 0; d.PeekKind() != ']'; index++ {
		if index == event.MaxBatch {
			return nil, fault.ErrInvalid.OnField("events", fmt.Sprintf("must have at most %d events; send more as NDJSON", event.MaxBatch))
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, readError(err)
		}
		items = append(items, events.read(index, value))
	}
	return items, take(d) // the closing bracket
}

// limitedReader reads at most left bytes, and fails with tooLarge if there are more.
type limitedReader struct {
	from     io.Reader
	left     int64
	tooLarge error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, l.tooLarge
	}
	return n, err
}

// tally is what became of the events of a request so far.
type tally struct {
	accepted, duplicates, rejected int
	list                           []contract.Rejection // the first MaxRejected
}

func (t *tally) add(c event.Counts) {
	t.accepted += c.Accepted
	t.duplicates += c.Duplicates
	t.rejected += len(c.Rejected)
	for _, r := range c.Rejected[:min(len(c.Rejected), MaxRejected-len(t.list))] {
		one := contract.Rejection{Index: r.Index, Code: r.Fault.Code, Message: r.Fault.Message}
		if len(r.Fault.Fields) > 0 {
			one.Field, one.Message = r.Fault.Fields[0].Name, r.Fault.Fields[0].Message
		}
		t.list = append(t.list, one)
	}
}

func (t *tally) result() contract.BatchResult {
	list := t.list
	if list == nil {
		list = []contract.Rejection{}
	}
	return contract.BatchResult{Accepted: t.accepted, Duplicates: t.duplicates, RejectedCount: t.rejected, Rejected: list}
}

// stoppedBatch is the error of a batch that ended early, with what became of its events until then.
type stoppedBatch struct {
	tally
	next  *int // the first line of a stream that was not processed; nil for a document
	cause error
}

func (s stoppedBatch) Error() string { return s.cause.Error() }
func (s stoppedBatch) Unwrap() error { return s.cause }

// addTo adds the counts to the problem.
func (s stoppedBatch) addTo(p *contract.Problem) {
	r := s.result()
	p.Accepted, p.Duplicates, p.RejectedCount, p.Rejected, p.NextIndex = &r.Accepted, &r.Duplicates, &r.RejectedCount, &r.Rejected, s.next
}
