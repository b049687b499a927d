// Package password hashes passwords with argon2id (RFC 9106), a bounded number at once.
package password

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

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
	// leastWork is the least that argon2id can be asked for: 8 KiB once (RFC 9106 3.1).
	leastWork = 8
)

// Hasher hashes passwords.
type Hasher struct {
	params argon2id.Params
	// slots bounds how many hash at once, queue how many hash or wait to.
	slots chan struct{}
	queue chan struct{}
	// nobody is a hash with today's cost whose password nobody knows.
	nobody string
	// dearest is the most work that a verification may have to do; each does as much.
	dearest atomic.Pointer[argon2id.Params]
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
	h.dearest.Store(&h.params)
	// The password is of no use to anyone: the result of verifying against this hash is thrown away.
	nobody, err := argon2id.CreateHash("nobody", &h.params)
	if err != nil {
		return nil, fmt.Errorf("hashing nobody's password: %w", err)
	}
	h.nobody = nobody
	return h, nil
}

// Expect has Verify take the time of the dearest of the hashes from now on, if that is more than it takes already.
func (h *Hasher) Expect(hashes ...user.PasswordHash) error {
	for _, hash := range hashes {
		params, _, _, err := argon2id.DecodeHash(string(hash))
		if err != nil {
			return fmt.Errorf("reading the cost of a password hash: %w", err)
		}
		h.raise(params)
	}
	return nil
}

// raise makes p the dearest, if it is.
func (h *Hasher) raise(p *argon2id.Params) {
	for {
		dearest := h.dearest.Load()
		if work(p) <= work(dearest) || h.dearest.CompareAndSwap(dearest, p) {
			return
		}
	}
}

// work returns how long a hash takes, in passes over a KiB of memory one after the other.
func work(p *argon2id.Params) uint64 {
	lanes := min(int(p.Parallelism), runtime.GOMAXPROCS(0))
	return uint64(p.Memory) * uint64(p.Iterations) / uint64(max(lanes, 1))
}

// catchUp does the work that the dearest hash takes beyond a hash that has just been verified, so that an account whose
// hash is from a cheaper time can't be told from one that does not exist (ASVS 6.3.8).
func (h *Hasher) catchUp(verified *argon2id.Params) error {
	h.raise(verified)
	dearest := h.dearest.Load()
	missing := work(dearest) - work(verified)
	if missing < leastWork {
		return nil
	}
	// So many passes over so much memory that it is just the work that is missing, in no more memory than the dearest takes.
	passes := (missing + uint64(dearest.Memory) - 1) / uint64(dearest.Memory)
	_, err := argon2id.CreateHash("", &argon2id.Params{
		Memory: uint32(missing / passes), Iterations: uint32(passes), Parallelism: 1, SaltLength: saltLength, KeyLength: keyLength,
	})
	if err != nil {
		return fmt.Errorf("taking the time of the dearest hash: %w", err)
	}
	return nil
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

// Verify reports whether the password has the hash, and whether the hash is weaker than one made now. It takes the same
// time for a hash of any cost. Errors: ports.ErrHasherBusy.
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
	if err := h.catchUp(used); err != nil {
		return false, false, err
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
