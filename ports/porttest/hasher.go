package porttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// Hasher is a fast fake of a password hasher, for tests of its callers.
type Hasher struct {
	mu        sync.Mutex
	cost      int
	verified  int
	meanwhile func() error
}

// NewHasher returns a hasher whose hashes have a cost.
func NewHasher(cost int) *Hasher { return &Hasher{cost: cost} }

// SetCost sets the cost of new hashes.
func (h *Hasher) SetCost(cost int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cost = cost
}

// Meanwhile runs fn once while the next password is hashed or verified, to simulate a concurrent change. If fn returns an error,
// the hasher returns it.
func (h *Hasher) Meanwhile(fn func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.meanwhile = fn
}

// Verified returns how many passwords have been verified, against a hash or the dummy.
func (h *Hasher) Verified() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verified
}

// start runs the function of Meanwhile, without holding the lock, since it may use the hasher. It returns the current cost.
func (h *Hasher) start(verifying int) (cost int, err error) {
	h.mu.Lock()
	meanwhile := h.meanwhile
	h.meanwhile = nil
	h.verified += verifying
	cost = h.cost
	h.mu.Unlock()
	if meanwhile != nil {
		err = meanwhile()
	}
	return cost, err
}

// Hash hashes a password.
func (h *Hasher) Hash(_ context.Context, password string) (user.PasswordHash, error) {
	cost, err := h.start(0)
	if err != nil {
		return "", err
	}
	salt := uuid.NewString()
	return encode(cost, salt, password), nil
}

// Verify verifies a password.
func (h *Hasher) Verify(_ context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error) {
	cost, err := h.start(1)
	if err != nil {
		return false, false, err
	}
	var hashCost int
	parts := strings.Split(string(hash), "$")
	if len(parts) != 3 {
		return false, false, errors.New("not a hash of this hasher")
	}
	if _, err := fmt.Sscan(parts[0], &hashCost); err != nil {
		return false, false, fmt.Errorf("parsing the cost of a hash: %w", err)
	}
	match = encode(hashCost, parts[1], password) == hash
	return match, match && hashCost < cost, nil
}

// VerifyDummy counts as a verified password.
func (h *Hasher) VerifyDummy(context.Context, string) error {
	_, err := h.start(1)
	return err
}

func encode(cost int, salt, password string) user.PasswordHash {
	sum := sha256.Sum256([]byte(salt + password))
	return user.PasswordHash(fmt.Sprintf("%d$%s$%s", cost, salt, hex.EncodeToString(sum[:])))
}
