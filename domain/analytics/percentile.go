package analytics

import (
	"math"
	"math/bits"
	"slices"
)

// percentile returns a percentile of values, which it orders differently: between two of them it interpolates, as percentile_cont
// does. There must be at least one value, and none that is NaN.
func percentile(values []float64, p float64) float64 {
	position := p * float64(len(values)-1)
	below := int(math.Floor(position))
	selectNth(values, below)
	fraction := position - float64(below)
	if fraction == 0 {
		return values[below]
	}
	return values[below] + fraction*(slices.Min(values[below+1:])-values[below])
}

// selectNth orders values so that the n-th is where it would be if they were sorted, no greater one is before it and no smaller one
// after it (Hoare's quickselect). Where the pivots turn out badly, it sorts.
func selectNth(values []float64, n int) {
	const few = 16
	for tries := 2 * bits.Len(uint(len(values))); len(values) > few; tries-- {
		if tries == 0 {
			break
		}
		i, j := partition(values)
		switch {
		case n <= j:
			values = values[:j+1]
		case n >= i:
			values, n = values[i:], n-i
		default:
			return
		}
	}
	slices.Sort(values)
}

// partition orders values so that those up to the j-th are at most, and those from the i-th on at least a pivot, which those between
// are equal to.
func partition(values []float64) (i, j int) {
	i, j = 0, len(values)-1
	first, middle, last := values[i], values[j/2], values[j]
	pivot := max(min(first, middle), min(max(first, middle), last)) // the median of the three
	for i <= j {
		for values[i] < pivot {
			i++
		}
		for values[j] > pivot {
			j--
		}
		if i <= j {
			values[i], values[j] = values[j], values[i]
			i++
			j--
		}
	}
	return i, j
}
