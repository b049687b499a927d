package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nearly is how many letters may be wrong, missing or too many in a name that is taken for a misspelt one.
const nearly = 2

// misspelt warns of each name in the .env file that is no setting's but nearly one's: the service would pass over it in
// silence and run with the default. The file is the service's own; the environment is not.
func misspelt(path string, file map[string]string) []string {
	var known []string
	for _, s := range Settings() {
		known = append(known, s.Name, s.Name+"_FILE")
	}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(file)) {
		meant := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
		if !slices.Contains(known, name) && isNear(name, meant) {
			warnings = append(warnings, fmt.Sprintf("%s sets %s, which is no setting and does nothing: is it %s?", path, name, meant))
		}
	}
	return warnings
}

// isNear reports whether a name is a misspelt setting's, or one without its end, such as JWT_SECRET or TRUSTED_PROXY.
func isNear(name, setting string) bool {
	const telling = 8 // letters that no other name begins with by accident
	short := strings.ToUpper(strings.TrimSuffix(name, "Y"))
	return distance(name, setting) <= nearly || len(short) >= telling && strings.HasPrefix(setting, short)
}

// distance returns how many letters have to be changed, added or taken away to make one name of the other
// (Levenshtein), underscores and case apart.
func distance(a, b string) int {
	a, b = strings.ToUpper(strings.ReplaceAll(a, "_", "")), strings.ToUpper(strings.ReplaceAll(b, "_", ""))
	row := make([]int, len(b)+1) // from the start of a, as far as it was read, to each start of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changes := before
			if a[i] != b[j] {
				changes = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], changes
		}
	}
	return row[len(b)]
}
