package tcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// opened is a handshake of three packets, after which A's bytes begin at 101
// and B's at 501.
const opened = `
	A S 100
	B SA 500 101
	A A 101 501
`

// closed is opened and then closed cleanly in packets 4 to 6.
const closed = opened + `
	A FA 101 501
	B FA 501 102
	A A 102 502
`

func TestReassembly(t *testing.T) {
	tests := []struct {
		name, script string
		want         string // of the only connection
	}{
		{"in order", opened + `
			A A 101 501 abc
			B A 501 104 xyz
			A A 104 504 def`, "0:abc@4 1:xyz@5 0:def@6"},
		{"out of order", opened + `
			A A 104 501 def
			A A 101 501 abc`, "0:abc@5 0:def@5"},
		{"filler comes before its successor", opened + `
			A A 107 501 ghi
			A A 104 501 def
			A A 101 501 abc
			A A 110 501 jkl`, "0:abc@6 0:def@6 0:ghi@6 0:jkl@7"},
		{"SYN/ACK and the first bytes behind it lost", `
			A S 100
			A A 101 501
			A A 101 501 abc
			B A 505 104 xyz
			A A 104 508`, "0:abc@3 1:gap 4@4 1:xyz@4"},
		{"SYN/ACK captured late", `
			A S 100
			A A 101 501 abc
			B SA 500 101
			B A 501 104 xyz`, "0:abc@2 1:xyz@4"},
		{"SYN/ACK and the ACK of it lost", `
			A S 100
			B A 505 104 xyz`, "1:xyz@2 0:gap 3@2"},
		{"duplicate", opened + `
			A A 101 501 abc
			A A 101 501 xxx
			A A 104 501 def`, "0:abc@4 0:def@6"},
		{"overlap with delivered bytes", opened + `
			A A 101 501 abc
			A A 102 501 XYdef`, "0:abc@4 0:def@5"},
		{"first copy wins behind a hole", opened + `
			A A 103 501 cd
			A A 101 501 ABXYEF`, "0:AB@5 0:cd@5 0:EF@5"},
		{"overlap on both ends behind a hole", opened + `
			A A 104 501 de
			A A 108 501 hi
			A A 103 501 1234567890
			A A 101 501 ab`, "0:ab@7 0:1@7 0:de@7 0:45@7 0:hi@7 0:890@7"},
		{"sequence numbers wrap", `
			A S 4294967293
			B SA 4294967295 4294967294
			A A 4294967294 0 abcdef
			A A 4 0 ghi
			B A 0 7 xyz`, "0:abcdef@3 0:ghi@4 1:xyz@5"},
		{"keep-alive probes", opened + `
			A A 101 501 abc
			A A 103 501
			A A 103 501 z
			A A 104 501 def`, "0:abc@4 0:def@7"},
		{"zero-window probe", opened + `
			A A 101 501 a
			A A 101 501 a
			A A 101 501 abc`, "0:a@4 0:bc@6"},
		{"data on the SYN", `
			A S 100 abc
			B SA 500 104 xy
			A A 104 503 def`, "0:abc@1 1:xy@2 0:def@3"},
		{"data on the SYN, not taken and sent again", `
			A S 100 abc
			B SA 500 101
			A A 101 501 abcdef`, "0:abc@1 0:def@3"},
		{"FIN before the last data", opened + `
			A FA 104 501 def
			A A 101 501 abc`, "0:abc@5 0:def@5"},
		{"FIN of both before the last data", opened + `
			A FA 104 501
			B FA 501 105
			A A 101 501 abc`, "0:abc@6"},
		{"data beyond the FIN", opened + `
			A FA 101 501 abc
			A A 104 501 no
			A A 103 501 cno`, "0:abc@4"},
		{"data beyond the FIN, captured before it", opened + `
			A A 106 501 fno
			A FA 101 501 abc`, "0:abc@5"},
		{"FIN that cuts what waits", opened + `
			A A 103 501 cdef
			A FA 104 501
			A A 101 501 ab`, "0:ab@6 0:c@6"},
		{"late data after both FINs", opened + `
			A FA 101 501
			B FA 504 102 @1s
			B A 501 102 xyz @1.5s`, "1:xyz@6"},
		{"data after the other side's FIN", opened + `
			A FA 101 501 abc
			B A 501 105 late @30s`, "0:abc@4 1:late@5"},
		{"RST carries no data", opened + `
			A R 101 text
			B A 501 101 abc`, "1:abc@5"},
		{"hole given up at the end", opened + `
			A A 104 501 def
			A A 109 501 ijk`, "0:gap 3@4 0:def@4 0:gap 2@5 0:ijk@5"},
		{"hole not given up within a second of its acknowledgment", opened + `
			A A 104 501 def
			B A 501 107
			B A 501 107 @0.9s
			A A 101 501 abc @0.99s`, "0:abc@7 0:def@7"},
		{"hole given up a second after its acknowledgment", opened + `
			A A 104 501 def
			B A 501 107 @5s
			B A 501 107 @6s
			A A 101 501 abc`, "0:gap 3@4 0:def@4"},
		{"hole that nobody acknowledged is waited for", opened + `
			A A 104 501 def
			B A 501 101 @5s
			B A 501 101 @60s
			A A 101 501 abc`, "0:abc@7 0:def@7"},
		{"clock set back while a hole waits", opened + `
			A A 104 501 def @100s
			B A 501 107
			B A 501 107 @1s
			A A 101 501 abc @1.5s`, "0:abc@7 0:def@7"},
		{"clock set back, then a second passes", opened + `
			A A 104 501 def @100s
			B A 501 107
			B A 501 107 @1s
			B A 501 107 @2.1s
			A A 101 501 abc`, "0:gap 3@4 0:def@4"},
		{"second hole has its own second, the first filled", opened + `
			A A 104 501 def
			A A 110 501 xyz
			B A 501 104 @5s
			A A 101 501 abc @5.5s
			B A 501 113 @5.9s
			B A 501 113 @6.1s
			A A 107 501 ghi @6.2s`, "0:abc@7 0:def@7 0:ghi@10 0:xyz@10"},
		{"second hole has its own second, the first given up", opened + `
			A A 104 501 def
			A A 110 501 xyz
			B A 501 113 @5s
			B A 501 113 @6s
			A A 107 501 ghi @6.5s`, "0:gap 3@4 0:def@4 0:ghi@8 0:xyz@8"},
		{"old FIN", opened + `
			A A 101 501 abc
			A FA 50 501
			A A 104 501 def`, "0:abc@4 0:def@6"},
		{"FIN far outside the window", opened + `
			A A 101 501 abc
			A FA 200000000 501
			A A 104 501 def`, "0:abc@4 0:def@6"},
		{"acknowledgment far outside the window", opened + `
			A A 101 501 abc
			B A 501 200000000`, "0:abc@4"},
		{"acknowledged bytes that were never seen", opened + `
			A A 101 501 abc
			B A 501 109`, "0:abc@4 0:gap 5@5"},
		{"FIN behind bytes that were never seen", opened + `
			A FA 108 501`, "0:gap 7@4"},
		{"an acknowledged FIN is no missing byte", closed, ""},
		{"cut by a snap length", opened + `
			A A 101 501 ab len=10
			A A 111 501 xy`, "0:ab@4 0:cut 8@4 0:xy@5"},
		{"cut to nothing", opened + `
			A A 101 501 len=10
			A A 111 501 xy`, "0:cut 10@4 0:xy@5"},
		{"cut behind a hole", opened + `
			A A 104 501 de len=5
			A A 101 501 abc
			A A 109 501 xy`, "0:abc@5 0:de@5 0:cut 3@5 0:xy@6"},
		{"cut, then sent again", opened + `
			A A 101 501 ab len=4
			A A 101 501 abcdef`, "0:ab@4 0:cut 2@4 0:ef@5"},
		{"far outside any window", opened + `
			A A 101 501 abc
			A A 1500000000 501 no
			A A 104 501 def`, "0:abc@4 0:def@6"},
		{"mid-stream starts at the first byte", `
			A A 5000 900
			A A 5003 900 def
			B A 900 5006 xyz`, "0:def@2 1:xyz@3"},
		{"mid-stream keeps what came first", `
			A A 5003 900 def
			A A 5000 900 abc
			A A 5006 900 ghi`, "0:def@1 0:ghi@3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			table := NewTable(Options{Open: r.open})
			play(t, table, tt.script)
			table.Flush()
			if got := r.connections(); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got  %q\nwant %q", got, []string{tt.want})
			}
			if s := table.Stats(); s.Buffered != 0 || s.Open != 0 || len(r.ended) != 1 {
				t.Errorf("after Flush: %+v, %d ended", s, len(r.ended))
			}
		})
	}
}

func TestIncarnations(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string
	}{
		{"retransmitted SYN", `
			A S 100
			A S 100 @1s
			B SA 500 101 @1.1s
			A A 101 501 abc
			A S 100`, []string{"0:abc@4"}},
		{"new SYN on an open connection", opened + `
			A A 101 501 abc
			A S 9000
			B SA 7000 9001
			A A 9001 7001 def`, []string{"0:abc@4", "0:def@7"}},
		{"new SYN after FIN", closed + `
			A S 9000
			A A 9001 7001 def`, []string{"", "0:def@8"}},
		{"new SYN after RST", opened + `
			A R 101
			A S 9000
			A A 9001 7001 def`, []string{"", "0:def@6"}},
		{"the same SYN after RST is another attempt", `
			A S 100
			B RA 0 101
			A S 100 @0.5s
			B RA 0 101`, []string{"", ""}},
		{"the same initial sequence number after FIN", closed + `
			A S 100
			A A 101 501 def`, []string{"", "0:def@8"}},
		{"the same SYN after one FIN is late", opened + `
			B FA 501 101
			A S 100
			A A 101 502 abc`, []string{"0:abc@6"}},
		{"SYN/ACK captured before SYN", `
			B SA 500 101
			A S 100
			A A 101 501 abc
			B A 501 104 xyz`, []string{"0:abc@3 1:xyz@4"}},
		{"SYN captured behind data", `
			A A 101 501 abc
			A S 100
			B SA 500 101
			A A 104 501 def`, []string{"0:abc@1 0:def@4"}},
		{"SYN and SYN/ACK captured behind the last ACK", `
			A A 101 501
			B SA 500 101
			A S 100
			B A 501 101 xyz`, []string{"1:xyz@4"}},
		{"SYN/ACK captured behind the other side's data", `
			B A 501 104 xyz
			B SA 500 101
			A A 101 504 abc`, []string{"0:xyz@1 1:abc@3"}},
		{"SYN captured behind the other side's ACK", `
			B A 501 101
			B SA 500 101
			A S 100
			A A 101 501 abc`, []string{"0:abc@4"}},
		{"SYN/ACK without SYN opens", closed + `
			B SA 7000 9001
			A A 9001 7001 def`, []string{"", "0:def@8"}},
		{"SYN/ACK of another incarnation", opened + `
			A A 101 501 abc
			B SA 7000 9001
			A A 9001 7001 def`, []string{"0:abc@4", "0:def@6"}},
		{"second answer to one SYN", opened + `
			B SA 7000 101
			A R 101 @0.1s`, []string{""}},
		{"SYN/ACK that does not answer the SYN", `
			A S 100
			B SA 7000 55
			B SA 500 101
			B A 501 101 xyz`, []string{"1:xyz@4"}},
		{"simultaneous opening", `
			A S 100
			B S 500
			A SA 100 501
			B SA 500 101
			A A 101 501 abc
			B A 501 104 xyz`, []string{"0:abc@5 1:xyz@6"}},
		{"SYN captured behind SYN/ACK and RST", `
			B SA 500 101
			A R 101
			A S 100`, []string{""}},
		{"stragglers after a clean close", closed + `
			B SA 500 101 @9s
			A A 102 502 @10s
			B FA 501 102
			B R 502
			A A 101 502 @20s
			A R 102`, []string{""}},
		{"stragglers with data after a clean close", opened + `
			A FA 101 501 abc
			B FA 501 105
			A FA 101 502 abc @10s
			A A 101 502 ab`, []string{"0:abc@4"}},
		{"new bytes on an ended 4-tuple", opened + `
			A FA 101 501 abc
			B FA 501 105
			A A 90000 7000 new @10s`, []string{"0:abc@4", "0:new@6"}},
		{"new bytes on an ended 4-tuple, lower numbers", opened + `
			A FA 101 501 abc
			B FA 501 105
			A A 4261412969 7000 new @10s`, []string{"0:abc@4", "0:new@6"}},
		{"old duplicate RST", opened + `
			A A 101 501 abc
			B A 501 104
			A R 90
			B R 3000000000
			B R 1000000000
			A A 104 501 def`, []string{"0:abc@4 0:def@9"}},
		{"RST that does not answer the SYN", `
			A S 100
			B RA 0 77
			B R 0
			B SA 500 101
			A A 101 501 abc`, []string{"0:abc@5"}},
		{"challenge after a new SYN does not end it", opened + `
			A A 101 501 abc
			A S 900000000
			B A 501 104
			A R 104
			A S 900000000 @1s
			B SA 7000 900000001
			A A 900000001 7001 def`, []string{"0:abc@4", "0:def@10"}},
		{"one RST in mid-stream is a connection", `A R 100`, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			table := NewTable(Options{Open: r.open})
			play(t, table, tt.script)
			table.Flush()
			if got := r.connections(); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if int(table.Connections()) != len(tt.want) {
				t.Errorf("%d connections counted, want %d", table.Connections(), len(tt.want))
			}
		})
	}
}

// fields plays a script with one connection and returns it as it ended.
func fields(t *testing.T, script string) Conn {
	t.Helper()
	r := newRecorder()
	table := NewTable(Options{Open: r.open})
	play(t, table, script)
	table.Flush()
	if len(r.ended) != 1 {
		t.Fatalf("%d connections ended, want 1", len(r.ended))
	}
	return r.ended[1]
}

func TestConnFields(t *testing.T) {
	c := fields(t, `
		A S 100
		A S 100 @1s
		A S 100 @3s
		B SA 500 101 @3.1s
		A A 101 501 abc
		A A 101 501 abc @4s
		B A 501 104 xy
		A A 104 503
		B FA 503 104 @5s
		A FA 104 504
		B A 504 105
		B R 504`)
	if c.Endpoint(0) != endA || c.Endpoint(1) != endB {
		t.Errorf("endpoints %v and %v", c.Endpoint(0), c.Endpoint(1))
	}
	if !c.HasSYN || !c.HasSYNACK || c.MidStream(0) || c.MidStream(1) {
		t.Errorf("HasSYN %v, HasSYNACK %v, MidStream %v %v", c.HasSYN, c.HasSYNACK, c.MidStream(0), c.MidStream(1))
	}
	if c.First.Number != 1 || c.Syn.Number != 1 || c.SynAck.Number != 4 || c.Last.Number != 12 {
		t.Errorf("First %d, Syn %d, SynAck %d, Last %d", c.First.Number, c.Syn.Number, c.SynAck.Number, c.Last.Number)
	}
	if c.SynCount != 3 || !slices.Equal(c.SynRetries, []int{2, 3}) {
		t.Errorf("SynCount %d, SynRetries %v", c.SynCount, c.SynRetries)
	}
	if c.Refused.Seen() {
		t.Errorf("Refused = %v", c.Refused)
	}
	a, b := c.Sides[0], c.Sides[1]
	if a.ISN != 100 || b.ISN != 500 || !a.HasISN || !b.HasISN {
		t.Errorf("ISN %d %d", a.ISN, b.ISN)
	}
	if a.Next != 3 || a.Acked != 3 || a.LastData.Number != 5 || a.Packets != 7 || a.Retransmitted != 1 || c.Closings[0].FIN.Number != 10 || c.Closings[0].RST.Seen() {
		t.Errorf("side 0 = %+v", a)
	}
	if b.Acked != 2 || b.LastData.Number != 7 || b.Packets != 5 || b.Retransmitted != 0 || c.Closings[1].FIN.Number != 9 || c.Closings[1].RST.Number != 12 {
		t.Errorf("side 1 = %+v", b)
	}
	if want := time.Unix(0, int64(time.Hour+3100*time.Millisecond)).UTC(); !c.SynAck.Time().Equal(want) {
		t.Errorf("SynAck at %v, want %v", c.SynAck.Time(), want)
	}
}

func TestCounts(t *testing.T) {
	c := fields(t, opened+`
		A A 101 501 abc
		A A 103 501 z
		A A 103 501
		A A 101 501 abc
		A A 102 501 bcdef
		A A 110 501 jk
		A A 110 501 jk
		A A 107 501 ghijk`)
	if a := c.Sides[0]; a.Retransmitted != 4 || a.Next != 11 || a.LastData.Number != 11 {
		t.Errorf("side 0 = %+v, want 4 retransmitted, 11 bytes, the last in packet 11", a)
	}
	c = fields(t, opened+"B A 501 105\nA FA 101 501 abc")
	if a := c.Sides[0]; a.Acked != 3 {
		t.Errorf("FIN behind its acknowledgment: %d bytes acknowledged, want 3", a.Acked)
	}
	c = fields(t, opened+"A FA 101 501 abc\nB A 501 105")
	if a := c.Sides[0]; a.Acked != 3 {
		t.Errorf("FIN before its acknowledgment: %d bytes acknowledged, want 3", a.Acked)
	}
}

func TestStrayRST(t *testing.T) {
	c := fields(t, opened+"A A 101 501 abc\nB A 501 104\nB R 1000000000\nB R 490\nA R 103\nA R 3000000000")
	if c.Closings[0].RST.Seen() || c.Closings[1].RST.Seen() {
		t.Errorf("RST %v %v, want none", c.Closings[0].RST, c.Closings[1].RST)
	}
	c = fields(t, opened+"A A 101 501 abc\nB A 501 104\nA R 104")
	if c.Closings[0].RST.Number != 6 {
		t.Errorf("RST %v, want packet 6", c.Closings[0].RST)
	}
}

func TestRefused(t *testing.T) {
	c := fields(t, "A S 100\nA S 100\nB RA 0 101")
	if c.Refused.Number != 3 || c.Closings[1].RST.Number != 3 || c.HasSYNACK {
		t.Errorf("refused: Refused %v, RST %v", c.Refused, c.Closings[1].RST)
	}
	r := newRecorder()
	table := NewTable(Options{Open: r.open})
	play(t, table, "A S 100")
	table.Add(&link.Segment{Src: endB, Dst: endA, Ack: 101, Flags: link.RST}, Mark{Number: 2, Nano: 1})
	table.Flush()
	if c := r.ended[1]; c.Refused.Seen() || c.Closings[1].RST.Seen() || table.Stats().Stray != 1 {
		t.Errorf("RST without ACK: Refused %v, RST %v", c.Refused, c.Closings[1].RST)
	}
	c = fields(t, opened+"B RA 501 101")
	if c.Refused.Seen() || c.Closings[1].RST.Number != 4 {
		t.Errorf("reset after SYN/ACK: Refused %v, RST %v", c.Refused, c.Closings[1].RST)
	}
	c = fields(t, "A S 100\nA A 101 501 abc\nB R 501")
	if c.Refused.Seen() || c.Closings[1].RST.Number != 3 {
		t.Errorf("SYN/ACK lost: Refused %v, RST %v", c.Refused, c.Closings[1].RST)
	}
}

func TestInitiator(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		want   link.Endpoint
		mid    [2]bool
	}{
		"SYN":                              {"B S 500\nA SA 100 501", endB, [2]bool{}},
		"SYN/ACK first":                    {"B SA 500 101\nA S 100", endA, [2]bool{}},
		"SYN/ACK only":                     {"B SA 500 101", endA, [2]bool{}},
		"ACK, then the SYN":                {"A A 101 501\nA S 100", endA, [2]bool{false, true}},
		"other's ACK, then SYN":            {"B A 501 101\nB SA 500 101\nA S 100", endA, [2]bool{}},
		"nothing of the opening":           {"B A 501 101 x\nA A 101 502 y", endB, [2]bool{true, true}},
		"SYN/ACK and its SYN behind bytes": {"B A 501 101 x\nA A 101 502 y\nA S 100\nB SA 500 101", endB, [2]bool{}},
		"bytes lost behind a late SYN/ACK": {"B A 501 201\nA A 200 501 x\nB SA 500 101", endB, [2]bool{false, true}},
		"first packet, then FINs":          {"B FA 501 101\nA FA 101 502", endB, [2]bool{true, true}},
	} {
		c := fields(t, tt.script)
		if c.Endpoint(0) != tt.want || [2]bool{c.MidStream(0), c.MidStream(1)} != tt.mid {
			t.Errorf("%s: initiator %v, mid-stream %v %v; want %v %v", name, c.Endpoint(0), c.MidStream(0), c.MidStream(1), tt.want, tt.mid)
		}
	}
}

// TestTooLateToTurn: the roles stay open when a SYN comes from side 1 after
// bytes were handed over.
func TestTooLateToTurn(t *testing.T) {
	c := fields(t, "B A 501 101 x\nA A 101 502 y\nA S 100\nB SA 500 101")
	if c.HasSYN || c.HasSYNACK || c.SynCount != 0 {
		t.Errorf("HasSYN %v, HasSYNACK %v, SynCount %d", c.HasSYN, c.HasSYNACK, c.SynCount)
	}
}

func TestSynRetriesBounded(t *testing.T) {
	c := fields(t, strings.Repeat("A S 100\n", 20))
	if c.SynCount != 20 || !slices.Equal(c.SynRetries, []int{2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("SynCount %d, SynRetries %v", c.SynCount, c.SynRetries)
	}
}

// streamScripts are checked against Wireshark by TestScriptsAgainstWireshark.
var streamScripts = map[string]struct {
	script string
	want   []int // by connection
}{
	"one":                             {opened, []int{0}},
	"new SYN":                         {opened + "A S 9000", []int{0, 1}},
	"new SYN from the other side":     {opened + "B S 9000", []int{0, 1}},
	"same SYN":                        {opened + "A S 100", []int{0}},
	"same SYN after RST":              {"A S 100\nB RA 0 101\nA S 100", []int{0, 1}},
	"same SYN after FINs":             {closed + "A S 100", []int{0, 1}},
	"SYN/ACK before SYN":              {"B SA 500 101\nA S 100", []int{0}},
	"data before SYN":                 {"A A 101 501 x\nA S 100", []int{0}},
	"SYN/ACK of an unseen SYN":        {closed + "B SA 7000 9001\nA A 9001 7001 x", []int{0, 0}},
	"new bytes without SYN":           {closed + "A A 90000 7000 x @10s", []int{0, 0}},
	"RST first, then a SYN":           {"B R 500\nA S 100", []int{0, 0}},
	"RST with ACK, then that SYN":     {"B RA 500 101\nA S 100", []int{0, 0}},
	"RST with ACK, then another SYN":  {"B RA 500 101\nA S 200", []int{0, 1}},
	"data without handshake, new SYN": {"A A 101 501 x\nA S 70000", []int{0, 1}},
	"FIN without ACK, then same SYN":  {opened + "A F 101\nA S 100", []int{0}},
	"SYN/ACK, then its SYN bare":      {opened + "B SA 7000 9001\nB S 7000", []int{0, 0}},
	"simultaneous opening":            {"A S 100\nB S 500\nA SA 100 501\nB SA 500 101", []int{0}},
}

func TestStream(t *testing.T) {
	for name, tt := range streamScripts {
		r := newRecorder()
		table := NewTable(Options{Open: r.open})
		play(t, table, tt.script)
		table.Flush()
		var got []int
		for _, n := range r.order {
			got = append(got, int(r.ended[n].Stream))
		}
		if !slices.Equal(got, tt.want) || int(table.streams) != slices.Max(tt.want)+1 {
			t.Errorf("%s: streams %v of %d, want %v", name, got, table.streams, tt.want)
		}
	}
}

func TestQueueLimits(t *testing.T) {
	piece := strings.Repeat("x", 1400)
	script := func(n, size int) string {
		var b strings.Builder
		b.WriteString(opened)
		for i := range n {
			fmt.Fprintf(&b, "A A %d 501 %s\n", 111+i*(size+1), piece[:size])
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		script string
		opts   Options
		limit  int // bytes
	}{
		"bytes":           {script(60, 1400), Options{}, maxQueueBytes},
		"chunks":          {script(500, 10), Options{}, 10 * maxQueueChunks},
		"bytes in common": {script(60, 1400), Options{MaxBuffered: 5000}, 5000},
	} {
		r := newRecorder()
		tt.opts.Open = r.open
		table := NewTable(tt.opts)
		clock, peak := time.Duration(0), 0
		for i, line := range lines(tt.script) {
			s, m := parse(t, line, i+1, &clock)
			table.Add(s, m)
			peak = max(peak, table.Stats().Buffered)
		}
		if peak > tt.limit || peak < tt.limit/2 {
			t.Errorf("%s: %d bytes waited, limit %d", name, peak, tt.limit)
		}
		if got := r.connections()[0]; !strings.HasPrefix(got, "0:gap 10@4 0:x") {
			t.Errorf("%s: %.60q, want the first hole given up", name, got)
		}
		table.Flush()
		if n := table.Stats().Buffered; n != 0 {
			t.Errorf("%s: %d bytes wait after Flush", name, n)
		}
	}
}

func TestLinger(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		ended  bool
	}{
		"within":             {closed + "A A 102 502 @1.9s", false},
		"after":              {closed + "A A 102 502 @2s", true},
		"open":               {opened + "A A 101 501 @1000s", false},
		"half closed":        {opened + "A FA 101 501\nB A 501 102 @1000s", false},
		"reset":              {opened + "A R 101\nB A 501 101 @2s", true},
		"clock set back":     {opened + "A R 101 @100s\nB A 501 101 @1s\nB A 501 101 @2.9s", false},
		"and then it passes": {opened + "A R 101 @100s\nB A 501 101 @1s\nB A 501 101 @3s", true},
	} {
		r := newRecorder()
		table := NewTable(Options{Open: r.open})
		play(t, table, tt.script)
		if ended := len(r.ended) == 1; ended != tt.ended {
			t.Errorf("%s: ended %v, want %v", name, ended, tt.ended)
		}
	}
}

// storm adds a SYN, and if both an answer, of connection i.
func storm(table *Table, i, number int, both bool) {
	client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 24), byte(i >> 16), byte(i >> 8)}), uint16(1024+i&0xff)))
	table.Add(&link.Segment{Src: client, Dst: endB, Seq: 100, Flags: link.SYN, ID: uint16(number)}, Mark{Number: number, Nano: 1})
	if both {
		table.Add(&link.Segment{Src: endB, Dst: client, Seq: 500, Ack: 101, Flags: link.SYN | link.ACK, ID: uint16(number + 1)}, Mark{Number: number + 1, Nano: 1})
	}
}

func TestEviction(t *testing.T) {
	r := newRecorder()
	table := NewTable(Options{Open: r.open, MaxConns: 100, MaxEnded: 50})
	for i := range 100 {
		storm(table, i, 1+2*i, i < 10) // 1 to 10 are in use
	}
	for i := 100; i < 1000; i++ {
		storm(table, i, 1+2*i, false)
	}
	s := table.Stats()
	if s.Open != 100 || s.Evicted != 900 || s.Connections != 1000 || s.Remembered != 50 || len(r.ended) != 900 {
		t.Errorf("%+v, %d ended", s, len(r.ended))
	}
	for n := 11; n < 100; n++ {
		if _, ended := r.ended[n]; !ended {
			t.Errorf("connection %d, of one SYN, was kept", n)
		}
	}
	if used := table.tuples.used; used != 150 {
		t.Errorf("%d tuples in the table, want 150", used)
	}
	table.Flush()
	if len(r.ended) != 1000 || table.tuples.used != 50 {
		t.Errorf("after Flush: %d ended, %d tuples", len(r.ended), table.tuples.used)
	}
}

func TestEvictionSparesUsed(t *testing.T) {
	r := newRecorder()
	table := NewTable(Options{Open: r.open, MaxConns: 100})
	for i := range 150 {
		storm(table, i, 1+2*i, i == 0)
	}
	if _, ended := r.ended[1]; ended {
		t.Error("the only connection with a second packet was evicted first")
	}
}

func TestRemembered(t *testing.T) {
	table := NewTable(Options{})
	play(t, table, closed+"A S 9000")
	if s := table.Stats(); s.Remembered != 0 || s.Open != 1 {
		t.Errorf("4-tuple in use again: %+v", s)
	}
	table.Flush()
	play(t, table, "A S 70000")
	if s := table.Stats(); s.Remembered != 0 || s.Open != 1 || s.Connections != 3 {
		t.Errorf("4-tuple in use after Flush: %+v", s)
	}
	table.Flush()
	if s := table.Stats(); s.Remembered != 1 {
		t.Errorf("after Flush: %+v", s)
	}
}

// TestForgotten ends a connection whose 4-tuple is then forgotten at once,
// while a segment of it is under way.
func TestForgotten(t *testing.T) {
	table := NewTable(Options{MaxEnded: 1})
	number := 0
	refuse := func(client link.Endpoint, flags link.Flags, at time.Duration) {
		number++
		s := &link.Segment{Src: client, Dst: endB, Seq: 100, Flags: link.SYN}
		if flags != link.SYN {
			s = &link.Segment{Src: endB, Dst: client, Ack: 101, Flags: flags}
		}
		table.Add(s, Mark{Number: number, Nano: int64(at)})
	}
	other := link.EndpointOf(netip.MustParseAddrPort("192.0.2.9:50000"))
	for _, client := range []link.Endpoint{endA, other} {
		refuse(client, link.SYN, time.Second)
		refuse(client, link.RST|link.ACK, time.Second)
	}
	refuse(endA, link.RST|link.ACK, 2*time.Second)
	refuse(endA, link.RST|link.ACK, 10*time.Second)
	if table.Connections() != 3 || table.tuples.used != 2 {
		t.Errorf("%d connections, %d tuples; want the 4-tuple forgotten, and new", table.Connections(), table.tuples.used)
	}
}

func TestFlushOrder(t *testing.T) {
	var order []int
	table := NewTable(Options{Open: func(*Conn) Handler { return endings{&order} }})
	for i := range 50 {
		storm(table, i, 1+2*i, i%3 == 0)
	}
	play(t, table, closed)
	table.Flush()
	if len(order) != 51 || !slices.IsSorted(order) {
		t.Errorf("ended in order %v", order)
	}
	play(t, table, closed)
	table.Flush()
	if len(order) != 52 {
		t.Errorf("%d ended after a second Flush, want 52", len(order))
	}
}

type endings struct{ order *[]int }

func (endings) Data(*Conn, Side, []byte, Mark)     {}
func (endings) Gap(*Conn, Side, int64, bool, Mark) {}
func (e endings) End(c *Conn)                      { *e.order = append(*e.order, int(c.Number)) }

func TestNobodyFollows(t *testing.T) {
	for _, open := range []func(*Conn) Handler{nil, func(*Conn) Handler { return nil }} {
		table := NewTable(Options{Open: open})
		play(t, table, opened+"A A 104 501 def\nA A 101 501 abc")
		table.Flush()
		if table.Connections() != 1 {
			t.Errorf("%d connections", table.Connections())
		}
	}
}

// TestTuples compares the hash table with a map.
func TestTuples(t *testing.T) {
	type key struct{ client, server link.Endpoint }
	table := newTuples()
	model := map[key]*tuple{}
	var all []link.Segment
	for i := range 20000 {
		n := i * 7919 % 5000
		s := link.Segment{Src: link.Endpoint{High: uint64(n & 0xff)}, Dst: link.Endpoint{Port: uint16(n >> 8)}}
		k := key{s.Src, s.Dst}
		if i%2 == 1 {
			s.Src, s.Dst = s.Dst, s.Src
		}
		tp, dir := table.find(&s, table.hash(&s))
		if tp != model[k] || tp != nil && tp.ends[dir] != s.Src {
			t.Fatalf("step %d: found %p, direction %d, want %p", i, tp, dir, model[k])
		}
		if tp == nil {
			model[k] = table.insert(&s, table.hash(&s))
			all = append(all, s)
		} else if i%3 == 0 {
			table.remove(tp)
			delete(model, k)
		}
		if table.used != len(model) {
			t.Fatalf("step %d: %d used, want %d", i, table.used, len(model))
		}
	}
	for _, s := range all {
		k := key{s.Src, s.Dst}
		if model[k] == nil && s.Src.High == 0 {
			k = key{s.Dst, s.Src}
		}
		if tp, _ := table.find(&s, table.hash(&s)); tp != model[k] {
			t.Fatalf("at the end: found %p, want %p", tp, model[k])
		}
	}
}
