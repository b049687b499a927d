package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const prefix = "/api/v1"

// target is where requests go, and as whom.
type target struct {
	address string // HOST:PORT
	token   string
}

// request returns a request as it goes over the connection. It is prepared before anything is measured, since the client runs on
// the processors of the service.
func (t target) request(method, path string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", method, prefix, path, t.address, t.token)
	if body != nil {
		b.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// load sends requests over a number of connections at once.
type load struct {
	target      target
	connections int
	// next returns a request by its number from 0, or nil when there are no more.
	next func(n int64) []byte
	// status and body are what each response must be; body need only be contained.
	status int
	body   []byte
}

// run sends all requests, each connection one after the other, and returns their number and how long it took.
func (l load) run(ctx context.Context) (done int64, took time.Duration, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		running sync.WaitGroup
		sent    atomic.Int64
		failed  = make(chan error, l.connections)
		began   = time.Now()
	)
	for range l.connections {
		running.Go(func() {
			if err := l.one(ctx, &sent); err != nil {
				failed <- err
				stop()
			}
		})
	}
	running.Wait()
	took = time.Since(began)
	close(failed)
	for err := range failed {
		return 0, 0, err // the others failed because of it
	}
	return sent.Load(), took, ctx.Err()
}

// one sends requests over one connection, and counts them.
func (l load) one(ctx context.Context, sent *atomic.Int64) (err error) {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", l.target.address)
	if err != nil {
		return fmt.Errorf("connecting to the service: %w", err)
	}
	defer func() { _ = connection.Close() }()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()
	in := bufio.NewReader(connection)
	var body bytes.Buffer
	for {
		n := sent.Add(1) - 1
		request := l.next(n)
		if request == nil {
			sent.Add(-1)
			return nil
		}
		if _, err := connection.Write(request); err != nil {
			return fmt.Errorf("sending a request: %w", err)
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("reading a response: %w", err)
		}
		body.Reset()
		if _, err := body.ReadFrom(response.Body); err != nil {
			return fmt.Errorf("reading a response: %w", err)
		}
		if response.StatusCode != l.status || !bytes.Contains(body.Bytes(), l.body) {
			return fmt.Errorf("the service answered %s: %.300s", response.Status, body.Bytes())
		}
	}
}

// during returns a function for load.next that goes round the requests until the time is over.
func during(d time.Duration, requests [][]byte) func(int64) []byte {
	end := time.Now().Add(d)
	return func(n int64) []byte {
		if time.Now().After(end) {
			return nil
		}
		return requests[n%int64(len(requests))]
	}
}

// once returns a function for load.next that returns each request once.
func once(requests [][]byte) func(int64) []byte {
	return func(n int64) []byte {
		if n >= int64(len(requests)) {
			return nil
		}
		return requests[n]
	}
}

// send makes one request with net/http and returns the body of the response, which must have status 200.
func (t target) send(ctx context.Context, method, path, kind string, body io.Reader) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, "http://"+t.address+prefix+path, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+t.token)
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s was answered %s: %.300s", method, path, response.Status, answer)
	}
	return answer, nil
}

// signIn gets a token for the target.
func (t *target) signIn(ctx context.Context, email, password string) error {
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		return err
	}
	answer, err := t.send(ctx, http.MethodPost, "/auth/login", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	var pair struct {
		Access string `json:"access_token"`
	}
	err = json.Unmarshal(answer, &pair)
	t.token = pair.Access
	return err
}
