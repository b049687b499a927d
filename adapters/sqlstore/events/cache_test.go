package events

import (
	"fmt"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// TestCache: the cache keeps to its bound, and a tenant with much takes the place of its own, not of others.
func TestCache(t *testing.T) {
	c := newCache(100)
	c.put("small", "a", 1, 30)
	for i := range 50 {
		c.put("large", fmt.Sprint(i), i, 10)
		if c.used > c.bound {
			t.Fatalf("%d of %d bytes are used", c.used, c.bound)
		}
	}
	if c.get("small", "a") != 1 {
		t.Error("a tenant with little lost its place")
	}
	for i, want := range map[int]any{42: nil, 43: 43, 49: 49} {
		if got := c.get("large", fmt.Sprint(i)); got != want {
			t.Errorf("%d is %v, want %v", i, got, want)
		}
	}
	c.get("large", "43") // used just now, unlike 44
	c.put("large", "50", 50, 10)
	if c.get("large", "43") == nil || c.get("large", "44") != nil {
		t.Error("what was used last went first")
	}
	if c.get("other", "a") != nil || c.get("small", "43") != nil {
		t.Error("a tenant got what is of another")
	}
	c.put("small", "a", 2, 20)
	if c.get("small", "a") != 2 || c.tenants["small"].used != 20 {
		t.Errorf("replaced by %v of %d bytes", c.get("small", "a"), c.tenants["small"].used)
	}
	c.put("huge", "x", 1, 1000) // more than there is room for
	if c.get("huge", "x") != nil || c.used > c.bound {
		t.Errorf("%d of %d bytes are used", c.used, c.bound)
	}
	for tenant := range c.tenants {
		c.forget(tenant, "a", "43", "45", "46", "47", "48", "49", "50")
	}
	if c.used != 0 || len(c.tenants) != 0 {
		t.Errorf("%d bytes of %d tenants are left", c.used, len(c.tenants))
	}
	c.forget(id.Tenant("nobody"), "a")
}
