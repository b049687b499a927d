package events

import (
	"container/list"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// cache keeps what questions have read of the pieces of tenants, which never change, within a bound of bytes. Beyond it, what was
// used least recently goes, of the tenant that has most: a tenant with much can't take the place of those with little.
type cache struct {
	bound int

	mu      sync.Mutex
	used    int
	tenants map[id.Tenant]*share
}

// share is what a tenant has in a cache.
type share struct {
	entries map[string]*list.Element // of order, by key
	order   list.List                // of *cached, the most recently used first
	used    int
}

type cached struct {
	key   string
	value any
	size  int
}

func newCache(bound int) *cache { return &cache{bound: bound, tenants: map[id.Tenant]*share{}} }

// get returns the value with a key of a tenant, or nil.
func (c *cache) get(tenant id.Tenant, key string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenants[tenant]
	if t == nil || t.entries[key] == nil {
		return nil
	}
	t.order.MoveToFront(t.entries[key])
	return t.entries[key].Value.(*cached).value
}

// put keeps a value of about so many bytes in place of any other with the key.
func (c *cache) put(tenant id.Tenant, key string, value any, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenants[tenant]
	if t == nil {
		t = &share{entries: map[string]*list.Element{}}
		c.tenants[tenant] = t
	}
	if old := t.entries[key]; old != nil {
		c.remove(tenant, t, old)
		c.tenants[tenant] = t
	}
	t.entries[key] = t.order.PushFront(&cached{key, value, size})
	t.used += size
	c.used += size
	for c.used > c.bound {
		owner, most := c.largest()
		c.remove(owner, most, most.order.Back())
	}
}

// forget removes the values with these keys.
func (c *cache) forget(tenant id.Tenant, keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenants[tenant]
	if t == nil {
		return
	}
	for _, key := range keys {
		if e := t.entries[key]; e != nil {
			c.remove(tenant, t, e)
		}
	}
}

// largest returns the tenant that has most, and its share.
func (c *cache) largest() (owner id.Tenant, most *share) {
	for tenant, t := range c.tenants {
		if most == nil || t.used > most.used {
			owner, most = tenant, t
		}
	}
	return owner, most
}

func (c *cache) remove(tenant id.Tenant, t *share, e *list.Element) {
	entry := t.order.Remove(e).(*cached)
	delete(t.entries, entry.key)
	t.used -= entry.size
	c.used -= entry.size
	if len(t.entries) == 0 {
		delete(c.tenants, tenant)
	}
}
