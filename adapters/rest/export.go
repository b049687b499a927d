package rest

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/exporting"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// headerExportEvents is a trailer: how many events a whole export has.
const headerExportEvents = "Export-Events"

func (h handlers) ExportEvents(ctx context.Context, r contract.ExportEventsRequestObject) (contract.ExportEventsResponseObject, error) {
	var c fault.Check
	p := r.Params
	tenantID := tenantOf(&c, p.TenantID)
	selection := selectionParameters{p.EventType, p.Source, p.UserIdentifier, p.SessionID, p.From, p.To}.selection(&c)
	format := formatOf(&c, p.Format)
	if err := c.Err(); err != nil {
		return nil, err
	}
	events, err := h.deps.Analytics.Export(ctx, callerFrom(ctx).Principal(), tenantID, selection)
	if err != nil {
		return nil, err
	}
	coding := ""
	if !format.Packed {
		coding = preferred(acceptedFrom(ctx), "zstd", "gzip")
	}
	return &export{server: h.Server, ctx: ctx, events: events, format: format, coding: coding}, nil
}

// formatOf parses the format of an export.
func formatOf(c *fault.Check, name *string) exporting.Format {
	formats := exporting.Formats()
	if name == nil {
		return formats[0]
	}
	var names []string
	for _, f := range formats {
		if f.Name == *name {
			return f
		}
		names = append(names, f.Name)
	}
	c.Add("format", "must be one of "+strings.Join(names, ", "))
	return exporting.Format{}
}

// export streams events as a file.
type export struct {
	server *Server
	ctx    context.Context
	events iter.Seq2[event.Event, error]
	format exporting.Format
	coding string // the content coding, or "" for none

	file  exporting.Writer // nil before it begins
	ends  []func() error   // what is to be closed after the file, in order
	count int
}

// VisitExportEventsResponse writes the stream. If it can't be completed, the connection is aborted, so that the client does not
// take an incomplete export for a complete one.
func (x *export) VisitExportEventsResponse(w http.ResponseWriter) error {
	for e, err := range x.events {
		if err != nil && x.file == nil {
			return err
		}
		if err == nil {
			err = x.write(w, e)
		}
		if err != nil {
			x.abort(err)
		}
	}
	if err := x.end(w); err != nil {
		x.abort(err)
	}
	return nil
}

func (x *export) abort(err error) {
	if !isGone(x.ctx) {
		x.server.logUnexpected(x.ctx, fmt.Errorf("export aborted after %d events: %w", x.count, err))
	}
	panic(http.ErrAbortHandler)
}

// write writes an event.
func (x *export) write(w http.ResponseWriter, e event.Event) error {
	if err := x.begin(w); err != nil {
		return err
	}
	x.count++
	return x.file.Write(e)
}

// begin writes the headers and begins the file, unless that was done.
func (x *export) begin(w http.ResponseWriter) (err error) {
	if x.file != nil {
		return nil
	}
	name := fmt.Sprintf("events-%s.%s", x.server.deps.Clock.Now().Format("20060102T150405Z"), x.format.Name)
	h := w.Header()
	h.Set("Content-Type", x.format.MediaType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Add("Vary", headerAcceptEncoding)
	h.Set("Trailer", headerExportEvents)
	if x.coding != "" {
		h.Set(headerContentEncoding, x.coding)
	}
	w.WriteHeader(http.StatusOK)
	to := bufio.NewWriterSize(&sender{w, http.NewResponseController(w), x.server.settings.WriteTimeout}, 64<<10)
	packer, err := packed(x.coding, to)
	if err != nil {
		return err
	}
	x.ends = []func() error{packer.Close, to.Flush}
	x.file, err = x.format.New(packer)
	return err
}

// end completes the file. The trailer tells that it is whole.
func (x *export) end(w http.ResponseWriter) error {
	if err := x.begin(w); err != nil {
		return err
	}
	for _, end := range slices.Insert(x.ends, 0, x.file.Close) {
		if err := end(); err != nil {
			return err
		}
	}
	w.Header().Set(headerExportEvents, strconv.Itoa(x.count))
	return nil
}

// packed returns a writer that compresses by a content coding. Closing it does not close what it writes to.
func packed(coding string, to io.Writer) (io.WriteCloser, error) {
	switch coding {
	case "gzip":
		return gzip.NewWriterLevel(to, gzip.BestSpeed)
	case "zstd":
		return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	}
	return unpacked{to}, nil
}

type unpacked struct{ io.Writer }

func (unpacked) Close() error { return nil }

// sender sends each part of a response at once, for which the client has WriteTimeout: for the whole it would end a long export.
type sender struct {
	to      http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *sender) Write(p []byte) (int, error) {
	err := s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // not by a recorder of responses
		return 0, err
	}
	n, err := s.to.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}
