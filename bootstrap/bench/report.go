package bench

import (
	"fmt"
	"slices"
	"strconv"
)

// Result is what was measured of one thing.
type Result struct {
	What     string `json:"what"`
	Measured Figure `json:"measured"`
	// Compared is what it is compared with; nil: with nothing.
	Compared *Figure `json:"compared,omitempty"`
	// Ratio is Measured to Compared: the median of the rounds. Without Compared, it is Measured itself.
	Ratio float64 `json:"ratio"`
	Bar   *Bar    `json:"bar,omitempty"` // nil: for information
}

// Figure is a number with its unit.
type Figure struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Of    string  `json:"of,omitempty"` // what has this value, where that is not said elsewhere
}

// String returns the figure with thousands separated.
func (f Figure) String() string {
	text := strconv.FormatFloat(f.Value, 'f', 1, 64)
	if f.Value >= 100 {
		text = grouped(int64(f.Value + 0.5))
	}
	text += " " + f.Unit
	if f.Of != "" {
		text += " " + f.Of
	}
	return text
}

func grouped(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return grouped(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// Bar is what a ratio must be: at least, or at most, a number above 0.
type Bar struct {
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
	Met     bool    `json:"met"`
}

// String returns the bar as people write it.
func (b Bar) String() string {
	if b.AtLeast > 0 {
		return fmt.Sprintf("at least %g", b.AtLeast)
	}
	return fmt.Sprintf("at most %g", b.AtMost)
}

// judged returns the result with its bar.
func (r Result) judged(b Bar) Result {
	b.Met = (b.AtLeast == 0 || r.Ratio >= b.AtLeast) && (b.AtMost == 0 || r.Ratio <= b.AtMost)
	r.Bar = &b
	return r
}

// Met reports whether all bars are met.
func Met(results []Result) bool {
	return !slices.ContainsFunc(results, func(r Result) bool { return r.Bar != nil && !r.Bar.Met })
}

// pair is what was measured in one round: the service's figure, and the one to compare it with.
type pair struct{ measured, compared float64 }

// compare returns the medians of rounds, and the median of their ratios: each pair was measured one after the other, so that a
// machine that is busy for a while slows down both.
func compare(what string, rounds []pair, unit, with string) Result {
	var measured, compared, ratios []float64
	for _, r := range rounds {
		measured, compared, ratios = append(measured, r.measured), append(compared, r.compared), append(ratios, r.measured/r.compared)
	}
	return Result{
		What: what, Measured: Figure{median(measured), unit, ""}, Compared: &Figure{median(compared), unit, with}, Ratio: median(ratios),
	}
}

// median returns the middle one of an odd number of values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// single returns a result that is compared with nothing.
func single(what string, value float64, unit string) Result {
	return Result{What: what, Measured: Figure{Value: value, Unit: unit}, Ratio: value}
}
