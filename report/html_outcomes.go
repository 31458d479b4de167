package report

import "github.com/mqttriage/mqttriage/decode"

// htmlClasses are the classes by which the style tells outcomes apart: each has a
// colour, a pattern and a letter, so that no one has to see the colour.
var htmlClasses = map[decode.Outcome]string{
	decode.Accepted: "accepted", decode.Rejected: "rejected", decode.Unanswered: "unanswered", decode.Refused: "refused",
	decode.TLSFailed: "tls-failed", decode.NotMQTT: "not-mqtt", decode.Unknown: "unknown",
}

// htmlLetters mark the outcomes that are not "accepted".
var htmlLetters = map[decode.Outcome]string{
	decode.Rejected: "R", decode.Unanswered: "U", decode.Refused: "F", decode.TLSFailed: "T", decode.NotMQTT: "N", decode.Unknown: "?",
}

// htmlOutcome is an outcome in the legend, with how many sessions had it.
type htmlOutcome struct {
	Class, Letter, Name string
	Count               int
	X, W                string // its part of all sessions
}

func htmlOutcomes(doc *Document) []htmlOutcome {
	t := doc.Totals
	counts := []struct {
		outcome decode.Outcome
		n       int
	}{
		{decode.Accepted, t.Accepted}, {decode.Rejected, t.Rejected}, {decode.Unanswered, t.Unanswered}, {decode.Refused, t.Refused},
		{decode.TLSFailed, t.TLSFailed}, {decode.NotMQTT, t.NotMQTT}, {decode.Unknown, t.Unknown},
	}
	all := 0
	for _, c := range counts {
		all += c.n
	}
	var out []htmlOutcome
	at := 0
	for _, c := range counts {
		if c.n <= 0 {
			continue
		}
		out = append(out, htmlOutcome{
			Class: htmlClasses[c.outcome], Letter: htmlLetters[c.outcome], Name: say(doc.Lang, outcomeMessages[c.outcome], nil), Count: c.n,
			X: percentage(100 * float64(at) / float64(all)), W: percentage(100 * float64(c.n) / float64(all)),
		})
		at += c.n
	}
	return out
}
