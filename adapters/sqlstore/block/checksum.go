package block

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// errCorrupt is that bytes are not those that were written.
var errCorrupt = errors.New("corrupt block")

// The footer has the checksums of all parts, its own included, among the file's metadata, since the library that reads Parquet
// trusts sizes: it may panic or allocate gigabytes if they are wrong. Checksums are CRC-32C in hexadecimal digits, that of the
// footer first, for which its own digits count as 0.
const (
	checksumKey    = "checksums"
	checksumPrefix = "crc32c:"
	noChecksum     = "00000000"
	checksumSize   = len(noChecksum)
)

// noChecksums is the place for the checksums of so many parts.
func noChecksums(parts int) string {
	return checksumPrefix + strings.Repeat(noChecksum, parts)
}

// checksum returns the CRC-32C of data in hexadecimal digits.
func checksum(data []byte) string {
	return fmt.Sprintf("%08x", crc(data))
}

// crc returns the CRC-32C of data.
func crc(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// writeChecksums writes the checksums of all parts into the footer, the last part.
func writeChecksums(parts [][]byte) error {
	footer := parts[len(parts)-1]
	// The file's metadata comes after the names of columns, so the last match is it.
	at := bytes.LastIndex(footer, []byte(checksumPrefix))
	if at < 0 || len(footer) < at+len(noChecksums(len(parts))) {
		return errors.New("the footer has no place for checksums")
	}
	sums := footer[at+len(checksumPrefix):]
	for i, p := range parts[:len(parts)-1] {
		copy(sums[(i+1)*checksumSize:], checksum(p))
	}
	copy(sums, checksum(footer))
	return nil
}

// readChecksums returns the checksums of the other parts if that of the footer is right.
func readChecksums(footer []byte) ([]string, error) {
	at := bytes.LastIndex(footer, []byte(checksumPrefix))
	if at < 0 {
		return nil, fmt.Errorf("%w: no checksums", errCorrupt)
	}
	at += len(checksumPrefix)
	var sums []string
	for rest := footer[at:]; len(rest) >= checksumSize && isHex(rest[:checksumSize]); rest = rest[checksumSize:] {
		sums = append(sums, string(rest[:checksumSize]))
	}
	if len(sums) == 0 {
		return nil, fmt.Errorf("%w: no checksums", errCorrupt)
	}
	blank := bytes.Clone(footer)
	copy(blank[at:], noChecksum)
	if sums[0] != checksum(blank) {
		return nil, fmt.Errorf("%w: wrong checksum of the footer", errCorrupt)
	}
	return sums[1:], nil
}

func isHex(text []byte) bool { return len(bytes.Trim(text, "0123456789abcdef")) == 0 }
