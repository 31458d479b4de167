//go:build live && linux

package e2e

import (
	"encoding/json"
	"strings"
	"time"
)

// news is a line in which the program tells that something is wrong.
type news struct {
	at      time.Time // when it was read
	symptom string
	broker  string
	// fresh is how many sessions it tells of for the first time, where it says so.
	fresh int
	text  string
}

// journalNews are the lines of a journal that tell of findings: behind time and
// severity comes a symptom.
func journalNews(lines []line) []news {
	var found []news
	for _, l := range lines {
		words := strings.SplitN(l.text, " ", 5)
		if len(words) < 5 {
			continue
		}
		if _, err := time.Parse(time.RFC3339Nano, words[0]); err != nil || isNotice(words[2]) {
			continue
		}
		found = append(found, news{at: l.at, symptom: words[2], broker: words[3], text: l.text})
	}
	return found
}

// isNotice tells news of the capture itself from findings.
func isNotice(event string) bool {
	switch event {
	case "started", "ended", "interface-down", "interface-gone", "interface-up", "dropped", "evicted", "evidence-failed":
		return true
	}
	return false
}

// streamNews are the lines of a stream that tell of findings.
func streamNews(lines []line) []news {
	var found []news
	for _, l := range lines {
		var h struct {
			Type, Symptom, Broker string
			Fresh                 int
		}
		if err := json.Unmarshal([]byte(l.text), &h); err == nil && h.Type == "happening" {
			found = append(found, news{l.at, h.Symptom, h.Broker, h.Fresh, l.text})
		}
	}
	return found
}

// since are the news that were read from a moment on.
func since(all []news, t time.Time) []news {
	var found []news
	for _, n := range all {
		if !n.at.Before(t) {
			found = append(found, n)
		}
	}
	return found
}
