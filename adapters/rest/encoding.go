package rest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

const (
	headerContentEncoding = "Content-Encoding"
	headerAcceptEncoding  = "Accept-Encoding"

	// maxRatio and freeExpansion limit how many bytes a compressed body may have for those that were sent (ASVS 5.2.3).
	maxRatio      = 100
	freeExpansion = 1 << 20
	// maxWindow is what a decoder of zstd must accept, and no more (RFC 9659).
	maxWindow = 8 << 20
)

// compressions are the content codings that the routes of ingest accept.
var compressions = []string{"gzip", "zstd"}

// Faults of encodings.
var (
	errCorrupt   = fault.New(fault.Malformed, "malformed_encoding", "The body does not have the encoding that Content-Encoding names.")
	errExpansion = statusError{http.StatusRequestEntityTooLarge, fault.New(fault.Malformed, "compression_ratio",
		fmt.Sprintf("The compressed body has more than %d times as many bytes as were sent.", maxRatio))}
)

// encodingOf returns the content coding of a body, or "" for none. One that is not among the accepted ones is refused, and these are
// named (RFC 9110 8.4.1, 15.5.16).
func encodingOf(c echo.Context, accepted ...string) (string, error) {
	encoding := strings.ToLower(strings.Join(c.Request().Header.Values(headerContentEncoding), ", "))
	switch encoding {
	case "", "identity":
		return "", nil
	case "x-gzip":
		encoding = "gzip"
	}
	if slices.Contains(accepted, encoding) {
		return encoding, nil
	}
	names := strings.Join(append([]string{"identity"}, accepted...), ", ")
	c.Response().Header().Set(headerAcceptEncoding, names)
	return "", statusError{http.StatusUnsupportedMediaType, fault.New(fault.Malformed, "unsupported_encoding", "Content-Encoding must be one of "+names+".")}
}

// decompress calls read with the body as it was before it got the encoding. The body is read as read asks for it.
func decompress(encoding string, body io.Reader, read func(io.Reader) error) error {
	if encoding == "" {
		return read(body)
	}
	compressed := &counted{from: body}
	plain, closed, err := decoder(encoding, compressed)
	if err != nil {
		return compressed.explain(err)
	}
	defer closed()
	return read(&expanded{from: plain, compressed: compressed})
}

// decoder returns a reader of what was compressed.
func decoder(encoding string, compressed io.Reader) (plain io.Reader, closed func(), err error) {
	if encoding == "gzip" {
		plain, err := gzip.NewReader(compressed)
		return plain, func() {}, err
	}
	decoder, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, nil, err
	}
	return decoder, decoder.Close, nil
}

// counted counts the bytes that were read, and remembers why no more can be.
type counted struct {
	from io.Reader
	n    int64
	err  error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// explain returns why what was compressed can't be read: the connection, or what it holds.
func (c *counted) explain(err error) error {
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		return readError(c.err)
	}
	if errors.Is(err, io.EOF) { // which would be taken for the end of what was compressed
		err = io.ErrUnexpectedEOF
	}
	return errCorrupt.Because(err)
}

// expanded is a decompressed body, which ends with an error once it has become too large for what was sent.
type expanded struct {
	from       io.Reader
	compressed *counted
	n          int64
}

func (e *expanded) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	e.n += int64(n)
	switch {
	case e.n > freeExpansion+maxRatio*e.compressed.n:
		return 0, errExpansion
	case err == nil || err == io.EOF: // a wrapped EOF is none
		return n, err
	}
	return n, e.compressed.explain(err)
}
