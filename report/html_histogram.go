package report

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// htmlHistogram counts values in classes.
type htmlHistogram struct {
	Title, What string
	Bins        []htmlBin
}

// htmlBin is one class: W is its part of the largest.
type htmlBin struct {
	Name  string
	Count int
	W     string
}

// Where the classes of the histograms begin, evenly on a logarithmic scale but
// for what people know by heart.
var (
	latencyEdges = []time.Duration{
		0, 100 * time.Microsecond, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond,
		100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second,
	}
	retryEdges = []time.Duration{
		0, 10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
		30 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	}
	countEdges = []int{1, 2, 3, 6, 11, 31, 101, 1001}
)

// htmlHistogramsOf are the retries and the CONNACK's delay.
func htmlHistogramsOf(doc *Document, story *htmlStory) []htmlHistogram {
	order := make([]int32, len(story.moments))
	for i := range order {
		order[i] = int32(i)
	}
	m := story.moments
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(m[a].client, m[b].client), cmp.Compare(a, b)) })
	retries, counts, latencies := make([]int, len(retryEdges)), make([]int, len(countEdges)), make([]int, len(latencyEdges))
	run := 0
	for k, i := range order {
		run++
		if k+1 < len(order) && m[order[k+1]].client == m[i].client {
			retries[bin(retryEdges, time.Duration(m[order[k+1]].start-m[i].start))]++
			continue
		}
		counts[bin(countEdges, run)]++
		run = 0
	}
	for _, ms := range story.latencies {
		latencies[bin(latencyEdges, time.Duration(max(ms, 0)*float64(time.Millisecond)))]++
	}
	span := func(d time.Duration) string { return duration(d, doc.Lang) }
	text := func(m message) string { return say(doc.Lang, m, nil) }
	return []htmlHistogram{
		{Title: text(htmlLatency), What: text(htmlLatencyWhat), Bins: bins(doc, latencies, latencyEdges, span)},
		{Title: text(htmlRetries), What: text(htmlRetriesWhat), Bins: bins(doc, retries, retryEdges, span)},
		{Title: text(htmlPerClient), What: text(htmlPerClientWhat), Bins: countBins(doc, counts)},
	}
}

// bin is the class that a value belongs to.
func bin[T cmp.Ordered](edges []T, value T) int {
	at, exact := slices.BinarySearch(edges, value)
	if !exact {
		at--
	}
	return max(at, 0)
}

// bins names the classes of a histogram, without the empty ones at both ends.
func bins(doc *Document, counts []int, edges []time.Duration, name func(time.Duration) string) []htmlBin {
	return trimmed(counts, func(i int) string {
		switch {
		case i == 0:
			return say(doc.Lang, htmlUnder, values{"to": name(edges[1])})
		case i == len(edges)-1:
			return say(doc.Lang, htmlOver, values{"from": name(edges[i])})
		}
		return say(doc.Lang, htmlBetween, values{"from": name(edges[i]), "to": name(edges[i+1])})
	})
}

func countBins(doc *Document, counts []int) []htmlBin {
	return trimmed(counts, func(i int) string {
		from := strconv.Itoa(countEdges[i])
		switch {
		case i == len(countEdges)-1:
			return say(doc.Lang, htmlOver, values{"from": from})
		case countEdges[i+1] == countEdges[i]+1:
			return from
		}
		return say(doc.Lang, htmlBetween, values{"from": from, "to": strconv.Itoa(countEdges[i+1] - 1)})
	})
}

func trimmed(counts []int, name func(int) string) []htmlBin {
	first := slices.IndexFunc(counts, func(n int) bool { return n > 0 })
	if first < 0 {
		return nil
	}
	last := len(counts) - 1
	for counts[last] == 0 {
		last--
	}
	most := slices.Max(counts)
	var out []htmlBin
	for i := first; i <= last; i++ {
		out = append(out, htmlBin{name(i), counts[i], percentage(100 * float64(counts[i]) / float64(most))})
	}
	return out
}
