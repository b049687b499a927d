package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

const (
	// MaxEventIDLength is the longest event_id, in characters.
	MaxEventIDLength = 128
	// MaxKeyLength is the longest idempotency key, in bytes.
	MaxKeyLength = 255
	// KeyLifetime is how long a name that does not carry the event's time is remembered.
	KeyLifetime = 24 * time.Hour
)

// Faults of names.
var (
	ErrKeyReused = fault.New(fault.Invalid, "idempotency_key_reused",
		"This Idempotency-Key was used for another event.").OnField("Idempotency-Key", "must be new for each new event")
	ErrEventIDReused = fault.New(fault.Invalid, "event_id_reused",
		"This event_id was used for another event.").OnField("event_id", "must be new for each new event")
)

// Name tells an event from all others of its tenant, so that a repeated request does not store it twice. The zero Name is none.
type Name struct {
	kind   kind
	text   string
	at     time.Time // the time that a key issued by the service carries; zero for all others
	single bool      // whether the event at that time is the only one that the name may be used for
}

type kind byte

// The kinds of names. They are hashed with the name, so that an event_id and a key with the same text are different names.
const (
	eventID   kind = 'e'
	clientKey kind = 'k'
	issuedKey kind = 'i'
	random    kind = 'r'
)

// ByEventID returns the name of an event with an event_id.
func ByEventID(text string) Name { return Name{kind: eventID, text: text} }

// Unnamed returns a name for an event without one, from a random text that is used once.
func Unnamed(text string) Name { return Name{kind: random, text: text} }

// Item returns the name of the event at an index of a batch with the name n.
func (n Name) Item(index int) Name {
	n.text += "/" + strconv.Itoa(index)
	n.single = false
	return n
}

// remembered reports whether the name must be remembered to recognize the event again, since a repeated request may have
// another time.
func (n Name) remembered(timed bool) bool { return n.kind == clientKey || n.kind == eventID && !timed }

// CheckKey validates an idempotency key, which must have 1 to MaxKeyLength printable ASCII characters. Problems are added
// to c under Idempotency-Key.
func CheckKey(c *fault.Check, key string) {
	printable := !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if key == "" || len(key) > MaxKeyLength || !printable {
		c.Add("Idempotency-Key", fmt.Sprintf("must be 1 to %d printable ASCII characters", MaxKeyLength))
	}
}

// Keys issues idempotency keys to requests that have none, and recognizes them. A key carries the time of its event and a MAC
// for its tenant, so it is valid for ever without being remembered.
type Keys struct{ secret []byte }

// NewKeys returns the keys of a secret, which all replicas must share.
func NewKeys(secret []byte) Keys { return Keys{secret} }

// Issue returns a key for an event of a tenant, or for a batch, with a random text that is used once.
func (k Keys) Issue(tenant id.Tenant, at time.Time, random string) string {
	content := strconv.FormatInt(at.UnixMicro(), 16) + "." + random
	return content + "." + k.mac(tenant, content)
}

// Name returns the name that a key gives to an event of a tenant, whether the service issued it or a client made it up.
func (k Keys) Name(tenant id.Tenant, key string) Name {
	if end := strings.LastIndexByte(key, '.'); end >= 0 && hmac.Equal([]byte(key[end+1:]), []byte(k.mac(tenant, key[:end]))) {
		micros, _, _ := strings.Cut(key, ".")
		if at, err := strconv.ParseInt(micros, 16, 64); err == nil {
			return Name{kind: issuedKey, text: key, at: time.UnixMicro(at).UTC(), single: true}
		}
	}
	return Name{kind: clientKey, text: key}
}

// mac authenticates the content of a key, for one tenant.
func (k Keys) mac(tenant id.Tenant, content string) string {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("idempotency key\x00" + string(tenant) + "\x00" + content))
	return hex.EncodeToString(h.Sum(nil)[:16])
}
