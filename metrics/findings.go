package metrics

import "github.com/mqttriage/mqttriage/analyze"

// findingLabels tell findings apart. The broker is not among them: who can send
// packets can make up brokers, and a rule that alerts needs none; the report names
// it.
type findingLabels struct{ symptom, severity string }

// Findings sets the findings since the beginning.
//
// A session may turn out later not to show a finding. The count of sessions, by which
// rules alert, does not go down for that: to Prometheus a counter that does has begun
// again, and all it counted would count a second time.
func (m *Metrics) Findings(found []analyze.Finding) {
	t := m.totals
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.findings {
		t.findings[l] = 0 // and not gone, which a rule could not tell from down
	}
	sessions := map[string]uint64{}
	for i := range found {
		f := &found[i]
		symptom := f.Symptom
		if _, known := t.shown[symptom]; !known {
			symptom = other
		}
		t.findings[findingLabels{symptom, f.Severity.String()}]++
		sessions[symptom] += uint64(f.Sessions)
	}
	for symptom, n := range sessions {
		t.shown[symptom] = max(t.shown[symptom], n)
	}
}
