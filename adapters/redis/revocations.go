package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Revocations is the revocation list that all replicas share. While Redis does not answer, it rejects no token and leaves
// the decision to the database, which checks every token that the list does not reject. A Redis that rejects writes is
// read until the first rejected write opens the circuit.
type Revocations struct {
	client *Client
	clock  ports.Clock
}

// NewRevocations returns a list.
func NewRevocations(c *Client, clock ports.Clock) *Revocations {
	return &Revocations{client: c, clock: clock}
}

// All keys of a user share a hash tag and so a cluster node, so that one MGET finds every revocation of a token.
func userKey(u id.User) string { return prefix + ":revoked:{" + string(u) + "}:before" }

func sessionKey(u id.User, s id.Session) string {
	return prefix + ":revoked:{" + string(u) + "}:session:" + string(s)
}

func tokenKey(u id.User, t id.Token) string {
	return prefix + ":revoked:{" + string(u) + "}:token:" + string(t)
}

// Revoke adds revocations, each until the last token that it covers expires. Failures are ignored: the database has the
// revocations as well.
func (l *Revocations) Revoke(ctx context.Context, revocations ...session.Revocation) error {
	if len(revocations) == 0 {
		return nil
	}
	now := l.clock.Now()
	_, _ = do(context.WithoutCancel(ctx), l.client.revocation, string(revocations[0].User), func(ctx context.Context) (struct{}, error) {
		_, err := l.client.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, r := range revocations {
				rest := r.Until.Sub(now)
				if rest < time.Millisecond {
					continue // all covered tokens have expired
				}
				key, value := userKey(r.User), "1"
				switch {
				case r.Token != "":
					key = tokenKey(r.User, r.Token)
				case r.Session != "":
					key = sessionKey(r.User, r.Session)
				default:
					value = strconv.FormatInt(r.NotBefore.Unix(), 10)
				}
				p.Set(ctx, key, value, rest)
			}
			return nil
		})
		if refusal := redis.Error(nil); errors.As(err, &refusal) {
			err = rejectedWrite{err}
		}
		return struct{}{}, err
	})
	return nil
}

// Revoked reports whether the list covers the claims, in one round trip.
func (l *Revocations) Revoked(ctx context.Context, c session.Claims) (bool, error) {
	found, err := do(ctx, l.client.revocation, string(c.User), func(ctx context.Context) ([]any, error) {
		return l.client.client.MGet(ctx, tokenKey(c.User, c.Token), sessionKey(c.User, c.Session), userKey(c.User)).Result()
	})
	if err != nil {
		if ctx.Err() != nil {
			return false, fmt.Errorf("checking revocation: %w", ctx.Err())
		}
		return false, nil // the database decides
	}
	if found[0] != nil || found[1] != nil {
		return true, nil
	}
	text, given := found[2].(string)
	if !given {
		return false, nil
	}
	before, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return true, nil // not written by this service: when in doubt the user signs in again
	}
	return c.IssuedAt.Unix() <= before, nil
}
