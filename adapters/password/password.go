// Package password hashes passwords with argon2id (RFC 9106), with bounded concurrency.
package password

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/alexedwards/argon2id"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Minimum and maximum of each parameter: the minimum is OWASP's for argon2id, the maximum keeps a configuration mistake from
// exhausting the machine.
const (
	MinMemoryKiB, MaxMemoryKiB     = 19 * 1024, 1024 * 1024
	MinIterations, MaxIterations   = 2, 32
	MinParallelism, MaxParallelism = 1, 16
)

// Params are the cost parameters of a hash.
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
	// slots bounds the number of concurrent hashes, queue the number of running and waiting ones.
	slots chan struct{}
	queue chan struct{}
	// dummyHash has the current cost. It is verified if there is no account.
	dummyHash string

	mu sync.Mutex
	// costs are the current cost and all costs of stored hashes seen so far.
	costs []cost
}

// NewHasher returns a hasher that runs at most atOnce hashes concurrently and queues at most waiting more.
func NewHasher(p Params, atOnce, waiting int) (*Hasher, error) {
	h := &Hasher{
		params: argon2id.Params{
			Memory: p.MemoryKiB, Iterations: p.Iterations, Parallelism: p.Parallelism,
			SaltLength: saltLength, KeyLength: keyLength,
		},
		slots: make(chan struct{}, atOnce),
		queue: make(chan struct{}, atOnce+waiting),
	}
	h.addCost(costOf(&h.params))
	// The password does not matter: the result of verifying against this hash is discarded.
	dummyHash, err := argon2id.CreateHash("dummy", &h.params)
	if err != nil {
		return nil, fmt.Errorf("creating the dummy hash: %w", err)
	}
	h.dummyHash = dummyHash
	return h, nil
}

// cost is the cost of a hash.
type cost struct {
	memory, iterations uint32
	parallelism        uint8
}

func costOf(p *argon2id.Params) cost { return cost{p.Memory, p.Iterations, p.Parallelism} }

// AddCost adds the cost of a stored hash, so that every verification takes as long as with this cost included.
func (h *Hasher) AddCost(hash user.PasswordHash) error {
	params, _, _, err := argon2id.DecodeHash(string(hash))
	if err != nil {
		return fmt.Errorf("reading the cost of a password hash: %w", err)
	}
	h.addCost(costOf(params))
	return nil
}

// addCost adds a cost if it is new, and returns all.
func (h *Hasher) addCost(c cost) []cost {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.costs, c) {
		h.costs = append(slices.Clone(h.costs), c)
	}
	return h.costs
}

// check reports whether the password matches the hash, and hashes it again with each other known cost. So every attempt does
// the same work in the same order, whatever hash the account has and whether it exists (ASVS 6.3.8). Imitating the most
// expensive cost with other parameters would not take the same time: the weight of memory, passes and lanes differs
// between machines.
func (h *Hasher) check(password, hash string) (match bool, own cost, err error) {
	params, _, _, err := argon2id.DecodeHash(hash)
	if err != nil {
		return false, cost{}, err
	}
	own = costOf(params)
	for _, c := range h.addCost(own) {
		if c == own {
			match, _, err = argon2id.CheckHash(password, hash)
		} else {
			_, err = argon2id.CreateHash(password, &argon2id.Params{
				Memory: c.memory, Iterations: c.iterations, Parallelism: c.parallelism, SaltLength: saltLength, KeyLength: keyLength,
			})
		}
		if err != nil {
			return false, cost{}, err
		}
	}
	return match, own, nil
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

// Verify reports whether the password matches the hash, and whether the hash is weaker than the current parameters. It takes
// the same time for a hash of any cost. Errors: ports.ErrHasherBusy.
func (h *Hasher) Verify(ctx context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	match, used, err := h.check(password, string(hash))
	if err != nil {
		return false, false, fmt.Errorf("verifying a password: %w", err)
	}
	outdated = used.memory < h.params.Memory || used.iterations < h.params.Iterations || used.parallelism < h.params.Parallelism
	return match, match && outdated, nil
}

// VerifyDummy takes as long as Verify and discards the result. Errors: ports.ErrHasherBusy.
func (h *Hasher) VerifyDummy(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, password, user.PasswordHash(h.dummyHash))
	return err
}

// Load returns how many passwords are being hashed or verified, and how many wait for that.
func (h *Hasher) Load() (running, waiting int) {
	running = len(h.slots)
	return running, max(0, len(h.queue)-running) // the two are read one after the other
}

// enter waits for a slot, or fails if the queue is full.
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
