package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// The id of an event is a UUID of version 8 (RFC 9562 5.8): 48 bits of Unix time in milliseconds, the version, 12 bits with the
// microsecond within the millisecond, the variant, and 62 bits of a hash of the tenant and the event's name. So the order of
// ids is the order of time, and a repeated event has the id that it had before.

// newID returns the id of an event that occurred at a time in whole microseconds, with the last 62 bits of hash.
func newID(at time.Time, hash uint64) id.Event {
	micros := at.UnixMicro()
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], uint64(micros/1000)<<16|0x8000|uint64(micros%1000))
	binary.BigEndian.PutUint64(raw[8:], 1<<63|hash&(1<<62-1))
	return id.Event(format(raw))
}

// format writes a UUID in its canonical form.
func format(raw [16]byte) string {
	var out [36]byte
	hex.Encode(out[:], raw[:4])
	hex.Encode(out[9:], raw[4:6])
	hex.Encode(out[14:], raw[6:8])
	hex.Encode(out[19:], raw[8:10])
	hex.Encode(out[24:], raw[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// Bound returns the least id that an event at this time or later can have. Times before 1970 count as 1970, and those after
// the year 9999 as 9999.
func Bound(at time.Time) id.Event {
	first, last := time.Unix(0, 0), time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
	switch {
	case at.Before(first):
		at = first
	case at.After(last):
		at = last
	}
	if whole := at.Truncate(time.Microsecond); whole.Before(at) {
		at = whole.Add(time.Microsecond)
	}
	return newID(at, 0)
}

// Redate returns the id of an event of an earlier layout, whose ids did not carry the time: its last 62 bits stay.
func Redate(old id.Event, at time.Time) (id.Event, error) {
	tail, err := hex.DecodeString(string(old[19:23]) + string(old[24:]))
	if err != nil {
		return "", fmt.Errorf("reading the event id %q: %w", old, err)
	}
	return newID(at, binary.BigEndian.Uint64(tail)), nil
}

// Key is what an event is remembered by for KeyLifetime: a hash of the tenant and the event's name.
type Key [16]byte

// sum hashes a tenant and the name.
func (n Name) sum(tenant id.Tenant) [sha256.Size]byte {
	buffer := make([]byte, 0, 128)
	buffer = append(buffer, tenant...)
	buffer = append(buffer, 0, byte(n.kind))
	return sha256.Sum256(append(buffer, n.text...))
}

// hash returns the part of an id that comes from the name.
func (n Name) hash(tenant id.Tenant) uint64 {
	sum := n.sum(tenant)
	return binary.BigEndian.Uint64(sum[:])
}

// key returns what the event is remembered by.
func (n Name) key(tenant id.Tenant) *Key {
	sum := n.sum(tenant)
	return (*Key)(sum[8:24])
}
