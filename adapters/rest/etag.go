package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// What is said of answers that a client may keep if it asks each time whether they are still so.
const (
	cacheValidated = "private, no-cache"
	varyValidated  = "Authorization, Origin"
)

// etag returns the tag of an answer to a request. It is weak (RFC 9110 8.8.1): the content that it is of leaves out when and how the
// answer was found. Since it is made of the answer, it is never that of an older one. The content has the tenant, so that no two
// tenants have a tag in common.
func etag(route string, parameters, content any) (string, error) {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, part := range []any{route, parameters, content} {
		if err := encoder.Encode(part); err != nil {
			return "", err
		}
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)) + `"`, nil
}

// isKnown reports whether If-None-Match has a tag, or any. Tags are compared as weak ones (RFC 9110 13.1.2, 8.8.3.2).
func isKnown(tag string, ifNoneMatch *string) bool {
	for known := range strings.SplitSeq(value(ifNoneMatch), ",") { // the tags of this service have no commas
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
