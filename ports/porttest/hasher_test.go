package porttest_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestHasher(t *testing.T) {
	porttest.PasswordHasher(t, porttest.NewHasher(1), porttest.NewHasher(2))
}
