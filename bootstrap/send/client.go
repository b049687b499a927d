package send

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	prefix         = "/api/v1"
	requestTimeout = 2 * time.Minute
	maxAnswer      = 4 << 20 // bytes
	maxShown       = 500     // bytes of what a service says

	// maxFailures is how many requests may fail one after another.
	maxFailures = 10
	// Requests that failed are repeated after firstPause, and each time after twice as long, up to lastPause; or when the service
	// says, up to maxPause.
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	maxPause   = time.Hour
)

// CheckURL validates the address of a service, such as https://analytics.example.com. Without anyHTTP, plain http is accepted only
// to this machine: the password, the token and the events could be read on the way to any other.
func CheckURL(address string, anyHTTP bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must be a URL such as https://analytics.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must have no user, query or fragment")
	case u.Scheme == "http" && !anyHTTP && !isLoopback(u.Hostname()):
		return errors.New("must be https: with http, others could read the password and the events on the way")
	}
	return nil
}

// isLoopback reports whether a host is this machine. Of host names, only localhost guarantees that (RFC 6761 6.3).
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
}

// client makes requests to a service.
type client struct {
	base   string // the URL up to /api/v1
	agent  string
	http   *http.Client
	wait   func(context.Context, time.Duration) error
	notice func(string)
}

func newClient(o Options) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &client{
		base: strings.TrimSuffix(o.URL, "/") + prefix, agent: o.Agent, wait: o.Wait, notice: o.Notice,
		http: &http.Client{
			Timeout: requestTimeout, Transport: transport,
			// A redirect could lead the password and the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// request is what is posted.
type request struct {
	path, token    string
	kind, encoding string // of the body
	body           []byte
}

// answer is what a request was answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post makes one request.
func (c *client) post(ctx context.Context, r request) (answer, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	q.Header.Set("Content-Type", r.kind)
	q.Header.Set("User-Agent", c.agent)
	if r.encoding != "" {
		q.Header.Set("Content-Encoding", r.encoding)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := c.http.Do(q)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return answer{}, fmt.Errorf("reading the answer of %s: %w", r.path, err)
	}
	return answer{response.StatusCode, response.Header, body}, nil
}

// passes reports whether a request may succeed later: there was no answer, or one that says so.
func (a answer) passes() bool {
	switch a.status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// err says what a service answered instead of what was wanted. It shows nothing of an answer but what a problem document says
// for people (RFC 9457).
func (a answer) err() error {
	var problem struct {
		Detail    string `json:"detail"`
		Code      string `json:"code"`
		RequestID string `json:"request_id"`
	}
	text := "the service answered " + strings.TrimSpace(strconv.Itoa(a.status)+" "+http.StatusText(a.status))
	if json.Unmarshal(a.body, &problem) == nil && problem.Code != "" {
		text += fmt.Sprintf(": %s [%s, request %s]", problem.Detail, problem.Code, problem.RequestID)
	}
	if to := a.header.Get("Location"); to != "" {
		text += ", a redirect to " + to + ", which is not followed"
	}
	return errors.New(printable(text))
}

// printable drops what could be a command to a terminal.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

// retries is what was tried since a request last led to something.
type retries struct {
	failed  int  // requests
	renewed bool // whether the session was
}

// pause waits until a request that failed may be repeated, or returns why it is not.
func (c *client) pause(ctx context.Context, r *retries, a answer, err error) error {
	if err == nil {
		err = a.err()
	}
	r.failed++
	if ctx.Err() != nil || !a.passes() || r.failed >= maxFailures || isHopeless(err) {
		return err
	}
	pause := min(firstPause<<(r.failed-1), lastPause)
	pause += rand.N(pause / 2) // not all clients at once
	if seconds, bad := strconv.Atoi(a.header.Get("Retry-After")); bad == nil && seconds > 0 {
		pause = time.Duration(min(seconds, 1e6)) * time.Second
	}
	if pause > maxPause {
		return fmt.Errorf("%w: it wants to be left alone for %s, which is too long to wait", err, pause)
	}
	c.notice(fmt.Sprintf("%v; trying again in %s", err, pause.Round(100*time.Millisecond)))
	return c.wait(ctx, pause)
}

// isHopeless reports whether an error is one of the address or the certificate, which no time mends.
func isHopeless(err error) bool {
	var (
		host *net.DNSError
		cert *tls.CertificateVerificationError
	)
	return errors.As(err, &host) && host.IsNotFound || errors.As(err, &cert)
}
