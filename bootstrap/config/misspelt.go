package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nearly is the largest edit distance at which a name counts as a misspelt setting.
const nearly = 2

// misspelt warns of each name in the .env file that resembles a setting but is none: the service would silently run with
// the default. Only the file is checked, since the environment also holds variables of other programs.
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

// isNear reports whether a name is a misspelt setting, or one without its end, such as JWT_SECRET or TRUSTED_PROXY.
func isNear(name, setting string) bool {
	const telling = 8 // a common prefix this long is hardly an accident
	short := strings.ToUpper(strings.TrimSuffix(name, "Y"))
	return distance(name, setting) <= nearly || len(short) >= telling && strings.HasPrefix(setting, short)
}

// distance returns the Levenshtein distance of two names, ignoring underscores and case.
func distance(a, b string) int {
	a, b = strings.ToUpper(strings.ReplaceAll(a, "_", "")), strings.ToUpper(strings.ReplaceAll(b, "_", ""))
	row := make([]int, len(b)+1) // distances from the current prefix of a to each prefix of b
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
