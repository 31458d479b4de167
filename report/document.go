// Package report turns findings and advice into text. The Document is the
// report, in one language, as data; a renderer is a file that writes one format
// and reads nothing but a Document.
package report

import (
	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// Schema names this version of the JSON contract.
const Schema = "mqttriage/report/v1"

// Document is the whole report and the JSON contract. Values from the wire are
// in it as they were sent: a renderer escapes them for its format. Absent facts
// are left out and arrays are never null.
type Document struct {
	Schema string `json:"schema"`
	Tool   Tool   `json:"tool"`
	// Lang is the language of every sentence in the document.
	Lang kb.Lang `json:"lang"`
	// Answer is what the report says first: what is wrong and what to do.
	Answer   string    `json:"answer"`
	Captures []Capture `json:"captures"`
	Totals   Totals    `json:"totals"`
	Codes    []Code    `json:"codes"`
	// Notes count the sessions that carry each note, such as "gap".
	Notes map[decode.Note]int `json:"notes"`
	// Filters are the flags that chose sessions, such as "--client-id gw-7", where
	// there were any: totals and findings count only what passes them.
	Filters []string `json:"filters,omitempty"`
	// Sessions are there only when asked for.
	Sessions Records `json:"sessions,omitzero"`
	// Findings are in order of severity, most severe first.
	Findings []Finding `json:"findings"`
	// Hidden counts the findings below the lowest severity asked for.
	Hidden int `json:"findings_hidden,omitempty"`
}

// Tool is the program that made the document.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Capture describes one capture that was read.
type Capture struct {
	Name        string       `json:"name"`
	Format      string       `json:"format"`
	Compression string       `json:"compression,omitempty"`
	LinkTypes   []string     `json:"link_types"`
	Packets     int64        `json:"packets"`
	Bytes       int64        `json:"bytes"`
	First       decode.Stamp `json:"first,omitzero"`
	Last        decode.Stamp `json:"last,omitzero"`
	// Cut counts the packets that a snap length made shorter.
	Cut int64 `json:"cut,omitempty"`
	// Evicted counts connections that were given up while they were open,
	// because too many were.
	Evicted int64 `json:"evicted,omitempty"`
	// Dropped counts the packets of a live capture that the kernel dropped, because
	// they were not fetched in time; nil for files.
	Dropped *uint64 `json:"dropped,omitempty"`
	// Problems are English clauses such as "cut short in packet 121".
	Problems []string `json:"problems"`
	// Undecoded counts the packets that gave no TCP segment, by reason.
	Undecoded map[string]int64 `json:"undecoded"`
}

// Totals are the counts over all captures. Times are in milliseconds and left
// out when no session was accepted.
type Totals struct {
	Connections int `json:"connections"`
	Sessions    int `json:"sessions"`
	Accepted    int `json:"accepted"`
	Rejected    int `json:"rejected"`
	Unanswered  int `json:"unanswered"`
	Refused     int `json:"refused"`
	TLSFailed   int `json:"tls_failed"`
	NotMQTT     int `json:"not_mqtt"`
	Unknown     int `json:"unknown"`
	ClientIDs   int `json:"client_ids"`
	Clients     int `json:"clients"`
	Brokers     int `json:"brokers"`
	// NotKept counts connections that were only counted, because so many came
	// before them; FindingsOmitted the findings beyond the most severe ones that
	// are listed.
	NotKept         int `json:"not_kept,omitempty"`
	FindingsOmitted int `json:"findings_omitted,omitempty"`
	// FilteredOut counts the sessions that did not pass the filters;
	// FilteredSameID those of them with a client ID of a session that did, at the
	// same broker.
	FilteredOut    int `json:"filtered_out,omitempty"`
	FilteredSameID int `json:"filtered_same_id,omitempty"`
	// Evicted counts what a live capture has forgotten to stay small, nil where nothing
	// was. All else counts it still.
	Evicted *Forgotten `json:"evicted,omitempty"`
	// Encrypted counts the sessions that are TLS all through, of which
	// nothing is known but the handshake.
	Encrypted       int      `json:"encrypted"`
	ConnackMedianMS *float64 `json:"connack_median_ms,omitempty"`
	ConnackMaxMS    *float64 `json:"connack_max_ms,omitempty"`
}

// Forgotten counts what was forgotten: sessions of which no record is kept, client IDs
// and addresses that count again when they come back, findings that were joined with others
// of their symptom and broker.
type Forgotten struct {
	Sessions  int `json:"sessions"`
	ClientIDs int `json:"client_ids"`
	Findings  int `json:"findings"`
}

// Code counts one CONNACK code of one MQTT version.
type Code struct {
	Version string `json:"mqtt_version"`
	Code    string `json:"code"`
	Name    string `json:"name"`
	Count   int    `json:"count"`
}

// Finding is one symptom at one broker, with advice.
type Finding struct {
	Symptom   string   `json:"symptom"`
	Severity  string   `json:"severity"`
	Title     string   `json:"title"`
	Summary   string   `json:"summary"`
	Broker    string   `json:"broker"`
	ClientIDs []string `json:"client_ids"`
	Clients   []string `json:"clients"`
	Codes     []string `json:"codes"`
	Versions  []string `json:"mqtt_versions"`
	Sessions  int      `json:"sessions"`
	// Joined says that others of the symptom are counted with this finding: a live capture
	// keeps only so many apart. Sessions, First, Last and takeovers are of all, the rest is of
	// this one.
	Joined *Joined      `json:"joined,omitempty"`
	First  decode.Stamp `json:"first,omitzero"`
	Last   decode.Stamp `json:"last,omitzero"`
	// Evidence is capped at analyze.MaxEvidence; Sessions is the whole count.
	Evidence []Evidence    `json:"evidence"`
	Facts    analyze.Facts `json:"facts"`
	Advice   []Advice      `json:"advice"`
}

// Joined tells apart what a finding that stands for several is of.
type Joined struct {
	// Sessions show this one alone, as far as they are kept; OtherBrokers says that others are of
	// other brokers.
	Sessions     int  `json:"sessions"`
	OtherBrokers bool `json:"other_brokers"`
}

// Evidence points at the packets of one session that show a finding.
type Evidence struct {
	Session string `json:"session"`
	Capture string `json:"capture"`
	Stream  int    `json:"stream"`
	Packets []int  `json:"packets"`
	// Port is the client's, where the capture was live: Packets and Stream count what no
	// file holds.
	Port int `json:"client_port,omitempty"`
	// Filter is a Wireshark display filter for the session's connection.
	Filter string `json:"filter"`
}

// Advice is a knowledge-base entry applied to a finding.
type Advice struct {
	Entry      string   `json:"entry"`
	Title      string   `json:"title"`
	Confidence *float64 `json:"confidence,omitempty"`
	Sources    []string `json:"sources"`
	Causes     []Cause  `json:"causes"`
	Fixes      []Fix    `json:"fixes"`
	DeadEnds   []End    `json:"dead_ends"`
	LookNext   []Hint   `json:"look_next"`
	// CannotTell is what packets cannot show about the symptom.
	CannotTell string `json:"cannot_tell,omitempty"`
}

// Cause is a root cause; Status is supported, contradicted or possible.
type Cause struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Status  kb.Status `json:"status"`
	Because string    `json:"because,omitempty"`
	Packets []int     `json:"packets,omitempty"`
}

// Fix is a remedy; Status is recommended, in-place, not-applicable or possible.
type Fix struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Rate    *float64  `json:"success_rate,omitempty"`
	Status  kb.Status `json:"status"`
	Because string    `json:"because,omitempty"`
	Packets []int     `json:"packets,omitempty"`
	How     []Hint    `json:"how"`
}

// End is a dead end; Status is seen, not-seen or not-visible.
type End struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Rate    *float64  `json:"fail_rate,omitempty"`
	Why     string    `json:"why,omitempty"`
	Status  kb.Status `json:"status"`
	Because string    `json:"because,omitempty"`
	Packets []int     `json:"packets,omitempty"`
}

// Hint is advice in the terms of one product, such as "mosquitto 2.0".
type Hint struct {
	For  string `json:"for"`
	Text string `json:"text"`
}
