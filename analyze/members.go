package analyze

import "github.com/mqttriage/mqttriage/decode"

// Members calls yield for all sessions of every finding that Findings returns,
// with the finding's place there and the packets in the session that show the
// symptom, ascending; Finding.Evidence has only the first of them. It makes an
// index of its own, and so costs as much time and memory as Findings.
func (a *Analyzer) Members(yield func(finding int, s *decode.Session, packets []int)) {
	// Rules mark the sessions of an index, so that they run on one only once.
	drafts, _ := a.makeIndex().drafts()
	for i := range drafts {
		d := &drafts[i]
		for _, s := range d.sessions {
			yield(i, s.Session, seen(d.packets(s)...))
		}
	}
}
