package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// signOutTimeout bounds how long the end of the session is waited for.
const signOutTimeout = 5 * time.Second

// session gives the access token of each request.
type session struct {
	client          *client
	email, password string // empty: access is the only token there is
	access, refresh string // empty before the first sign-in
}

// token returns the access token. It signs in if need be.
func (s *session) token(ctx context.Context) (string, error) {
	if s.access == "" {
		if err := s.signIn(ctx); err != nil {
			return "", err
		}
	}
	return s.access, nil
}

// renew replaces an access token that was refused: by the refresh token, or by signing in anew.
func (s *session) renew(ctx context.Context) error {
	if s.email == "" {
		return errors.New("the token was refused: it has expired, or its session was ended")
	}
	a, err := s.client.post(ctx, asJSON("/auth/refresh", map[string]string{"refresh_token": s.refresh}))
	if err == nil && a.status == http.StatusOK {
		return s.accept(a)
	}
	return s.signIn(ctx) // a refresh token must not be used twice, and the first use may have come to nothing on the way back
}

func (s *session) signIn(ctx context.Context) error {
	for tries := (retries{}); ; {
		a, err := s.client.post(ctx, asJSON("/auth/login", map[string]string{"email": s.email, "password": s.password}))
		if err == nil && a.status == http.StatusOK {
			return s.accept(a)
		}
		if err := s.client.pause(ctx, &tries, a, err); err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
	}
}

// accept takes over the tokens of an answer.
func (s *session) accept(a answer) error {
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(a.body, &pair); err != nil || pair.Access == "" || pair.Refresh == "" {
		return errors.New("signing in: the answer has no tokens; is this the URL of the service?")
	}
	s.access, s.refresh = pair.Access, pair.Refresh
	return nil
}

// close ends the session that was opened here. If that fails, it ends by itself in time.
func (s *session) close(ctx context.Context) {
	if s.refresh == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signOutTimeout)
	defer cancel()
	if a, err := s.client.post(ctx, request{path: "/auth/logout", token: s.access}); err != nil || a.status != http.StatusNoContent {
		s.client.notice("the session could not be ended; it ends by itself")
	}
}

func asJSON(path string, fields map[string]string) request {
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return request{path: path, kind: "application/json", body: body}
}
