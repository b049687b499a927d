package rest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

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

// Faults of encodings.
var (
	errCorrupt   = fault.New(fault.Malformed, "malformed_encoding", "The body does not have the encoding that Content-Encoding names.")
	errExpansion = statusError{http.StatusRequestEntityTooLarge, fault.New(fault.Malformed, "compression_ratio",
		fmt.Sprintf("The compressed body has more than %d times as many bytes as were sent.", maxRatio))}
)

// checkEncoding refuses a body with a content encoding that is not among the accepted ones, and names these (RFC 9110 15.5.16).
func checkEncoding(c echo.Context, accepted ...string) error {
	encoding := c.Request().Header.Get(headerContentEncoding)
	if encoding == "" || encoding == "identity" {
		return nil
	}
	names := "identity"
	for _, name := range accepted {
		if encoding == name {
			return nil
		}
		names += ", " + name
	}
	c.Response().Header().Set(headerAcceptEncoding, names)
	return statusError{http.StatusUnsupportedMediaType, fault.New(fault.Malformed, "unsupported_encoding", "Content-Encoding must be one of "+names+".")}
}

// decompress calls read with the body as it was before it got the encoding. The body is read as read asks for it.
func decompress(encoding string, body io.Reader, read func(io.Reader) error) error {
	compressed := &counted{from: body}
	switch encoding {
	case "gzip":
		plain, err := gzip.NewReader(compressed)
		if err != nil {
			return compressed.explain(err)
		}
		return read(&expanded{from: plain, compressed: compressed})
	case "zstd":
		plain, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return compressed.explain(err)
		}
		defer plain.Close()
		return read(&expanded{from: plain, compressed: compressed})
	default:
		return read(body)
	}
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
		return c.err
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
	case err == nil || err == io.EOF: //nolint:errorlint // a wrapped EOF is none
		return n, err
	}
	return n, e.compressed.explain(err)
}
