// Package password hashes passwords with argon2id (RFC 9106), a bounded number at once.
package password

import (
	"context"
	"fmt"

	"github.com/alexedwards/argon2id"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Least and most that each parameter may be: the least is OWASP's for argon2id, the most keeps a slip of the
// configuration from taking the machine down.
const (
	MinMemoryKiB, MaxMemoryKiB     = 19 * 1024, 1024 * 1024
	MinIterations, MaxIterations   = 2, 32
	MinParallelism, MaxParallelism = 1, 16
)

// Params are the cost of a hash.
type Params struct {
	MemoryKiB   uint32
	Iterations  uint32
	Parallelism uint8
}

const (
	saltLength = 16
	keyLength  = 32
)

// Hasher hashes passwords.
type Hasher struct {
	params argon2id.Params
	// slots bounds how many hash at once, queue how many hash or wait to.
	slots chan struct{}
	queue chan struct{}
	// nobody is a hash with today's cost whose password nobody knows.
	nobody string
}

// NewHasher returns a hasher that runs at most `atOnce` hashes and lets at most `waiting` more wait for their turn.
func NewHasher(p Params, atOnce, waiting int) (*Hasher, error) {
	h := &Hasher{
		params: argon2id.Params{
			Memory: p.MemoryKiB, Iterations: p.Iterations, Parallelism: p.Parallelism,
			SaltLength: saltLength, KeyLength: keyLength,
		},
		slots: make(chan struct{}, atOnce),
		queue: make(chan struct{}, atOnce+waiting),
	}
	// The password is of no use to anyone: the result of verifying against this hash is thrown away.
	nobody, err := argon2id.CreateHash("nobody", &h.params)
	if err != nil {
		return nil, fmt.Errorf("hashing nobody's password: %w", err)
	}
	h.nobody = nobody
	return h, nil
}

// Hash returns the hash of a password. Errors: ports.ErrHasherBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (user.PasswordHash, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := argon2id.CreateHash(password, &h.params)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return user.PasswordHash(hash), nil
}

// Verify reports whether the password has the hash, and whether the hash is weaker than one made now.
// Errors: ports.ErrHasherBusy.
func (h *Hasher) Verify(ctx context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	match, used, err := argon2id.CheckHash(password, string(hash))
	if err != nil {
		return false, false, fmt.Errorf("verifying a password: %w", err)
	}
	outdated = used.Memory < h.params.Memory || used.Iterations < h.params.Iterations || used.Parallelism < h.params.Parallelism
	return match, match && outdated, nil
}

// VerifyNobody takes the time of Verify and finds no match. Errors: ports.ErrHasherBusy.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, password, user.PasswordHash(h.nobody))
	return err
}

// enter waits for a slot, unless too many wait already.
func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.queue <- struct{}{}:
	default:
		return nil, ports.ErrHasherBusy
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.queue }, nil
	case <-ctx.Done():
		<-h.queue
		return nil, ctx.Err()
	}
}
