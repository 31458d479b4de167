package tcp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

var (
	endA = link.EndpointOf(netip.MustParseAddrPort("192.0.2.1:50000"))
	endB = link.EndpointOf(netip.MustParseAddrPort("192.0.2.2:1883"))
)

// A recorder follows every connection of a table and writes down what it is
// told, by connection number.
type recorder struct {
	events map[int][]string
	order  []int
	ended  map[int]Conn
	opened int
}

func newRecorder() *recorder {
	return &recorder{events: map[int][]string{}, ended: map[int]Conn{}}
}

func (r *recorder) open(c *Conn) Handler {
	r.opened++
	r.order = append(r.order, int(c.Number))
	return r
}

func (r *recorder) add(c *Conn, format string, args ...any) {
	r.events[int(c.Number)] = append(r.events[int(c.Number)], fmt.Sprintf(format, args...))
}

func (r *recorder) Data(c *Conn, from Side, p []byte, m Mark) {
	r.add(c, "%d:%s@%d", from, p, m.Number)
}

func (r *recorder) Gap(c *Conn, from Side, n int64, cut bool, m Mark) {
	kind := "gap"
	if cut {
		kind = "cut"
	}
	r.add(c, "%d:%s %d@%d", from, kind, n, m.Number)
}

func (r *recorder) End(c *Conn) {
	if _, again := r.ended[int(c.Number)]; again {
		r.add(c, "ended again")
	}
	r.ended[int(c.Number)] = *c
}

// connections gives one line a connection.
func (r *recorder) connections() []string {
	var told []string
	for _, n := range r.order {
		told = append(told, strings.Join(r.events[n], " "))
	}
	return told
}

// parse reads one packet of a script: the sender (A or B), its flags (S, A, F,
// R in any order, or - for none), the sequence number, the acknowledgment
// number if it has the flag, the payload if any; "len=N" is the length on the
// wire, "@D" the capture time, "id=N" the
// identification of the IP header, else that is the packet's number.
//
//	A SA 100 200 hello len=10 @1.5s
func parse(t testing.TB, line string, number int, clock *time.Duration) (*link.Segment, Mark) {
	t.Helper()
	s := &link.Segment{Src: endA, Dst: endB, ID: uint16(number)}
	fields := strings.Fields(line)
	if fields[0] == "B" {
		s.Src, s.Dst = endB, endA
	}
	for _, flag := range fields[1] {
		s.Flags |= map[rune]link.Flags{'S': link.SYN, 'A': link.ACK, 'F': link.FIN, 'R': link.RST}[flag]
	}
	num := func(text string) uint32 {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatalf("script line %q: %v", line, err)
		}
		return uint32(n)
	}
	s.Seq = num(fields[2])
	rest := fields[3:]
	if s.Flags&link.ACK != 0 {
		s.Ack = num(rest[0])
		rest = rest[1:]
	}
	length := -1
	for _, word := range rest {
		if text, ok := strings.CutPrefix(word, "len="); ok {
			length = int(num(text))
		} else if text, ok := strings.CutPrefix(word, "id="); ok {
			s.ID = uint16(num(text))
		} else if text, ok := strings.CutPrefix(word, "@"); ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatalf("script line %q: %v", line, err)
			}
			*clock = d
		} else {
			s.Payload = []byte(word)
		}
	}
	s.Length = max(length, len(s.Payload))
	return s, Mark{Number: number, Nano: int64(time.Hour + *clock)}
}

// lines are the packets of a script, one each.
func lines(script string) (packets []string) {
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" {
			packets = append(packets, line)
		}
	}
	return packets
}

// play runs a script from packet 1.
func play(t testing.TB, table *Table, script string) {
	t.Helper()
	clock := time.Duration(0)
	for i, line := range lines(script) {
		s, m := parse(t, line, i+1, &clock)
		table.Add(s, m)
	}
}
