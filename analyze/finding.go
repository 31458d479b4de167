// Package analyze finds, across all sessions, what went wrong. It keeps an
// index over sessions by broker and client ID and runs one rule a symptom over
// it. It knows no wording of causes or fixes.
package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// Severity orders findings.
type Severity uint8

// The severities, lowest first.
const (
	Info Severity = iota
	Warning
	Error
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "info"
}

// Finding is one symptom at one broker, with the sessions that show it.
type Finding struct {
	Symptom  string
	Severity Severity
	// Broker is the endpoint, as "10.0.0.1:1883".
	Broker string
	// ClientIDs, Clients (addresses) and Codes ("0x02") are sorted and whole.
	ClientIDs, Clients, Codes []string
	// MQTTVersions are those of the sessions' CONNECTs, sorted.
	MQTTVersions []string
	// Sessions counts the sessions that show the symptom; Evidence names the
	// first of them (at most MaxEvidence).
	Sessions    int
	First, Last time.Time
	Evidence    []Evidence
	Facts       Facts
	// Joined says that others of the symptom are counted with it, nil where none are.
	Joined *Joined
}

// Joined is a finding that stands for many, of which there are too many to keep each apart:
// Sessions, First, Last and takeovers are of all, the rest is of this one.
type Joined struct {
	// Sessions show this one finding, as far as they are kept.
	Sessions int
	// Brokers says that others are of other brokers.
	Brokers bool
}

// MaxEvidence caps Finding.Evidence: enough to check a claim by hand, few
// enough for a ticket.
const MaxEvidence = 20

// Evidence points at packets that show a finding.
type Evidence struct {
	Session *decode.Session
	// Packets are packet numbers in the session's capture, ascending.
	Packets []int
}
