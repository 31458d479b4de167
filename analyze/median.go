package analyze

import (
	"math/bits"
	"slices"
)

// median returns the middle value, the upper one of two. It changes the order of
// v: only what is in the middle is brought to its place (quickselect), as values
// come by the hundred thousand.
func median(v []float64) float64 {
	middle := len(v) / 2
	from, to := 0, len(v) // the middle one is between them
	// Values can be chosen such that this hardly advances; then they are sorted.
	for patience := 2 * bits.Len(uint(len(v))); to-from > 16 && patience > 0; patience-- {
		pivot := max(min(v[from], v[to-1]), min(max(v[from], v[to-1]), v[from+(to-from)/2]))
		i, j := from, to-1
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case middle <= j:
			to = j + 1
		case middle >= i:
			from = i
		default:
			return v[middle]
		}
	}
	slices.Sort(v[from:to])
	return v[middle]
}
