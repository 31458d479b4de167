//go:build oracle

package tcp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode/link"
)

// followed are kinds of random connections whose bytes are compared with those
// of tshark's Follow TCP Stream. Kept out of them is what tshark does
// otherwise, by its packet-tcp.c (follow_tcp_tap_listener and
// check_follow_fragments); unlike keeps out what remains.
var followed = []struct {
	name string
	// atLeast is how many of the streams must be comparable.
	connections, atLeast int
	alter                func(h *habits, r *rand.Rand)
}{
	// tshark gives up a hole as soon as a byte behind it is acknowledged, the
	// table a second later. So these hosts acknowledge only what was captured.
	{"everything but loss", 300, 500, func(h *habits, r *rand.Rand) { h.patient, h.loss, h.burst = true, 0, false }},
	{"unacknowledged holes", 200, 300, func(h *habits, r *rand.Rand) { h.patient = true }},
	// These acknowledge what was not captured, and nothing comes late.
	{"acknowledged holes", 200, 300, func(h *habits, r *rand.Rand) {
		h.near, h.far, h.overlap, h.zeroWindow, h.loss = false, false, false, false, 3+r.IntN(12)
	}},
	// tshark goes by the captured length where segments overlap or wait, and
	// then misplaces what follows. So these come once, in order.
	{"snap length", 100, 150, func(h *habits, r *rand.Rand) {
		h.patient, h.near, h.far, h.overlap, h.zeroWindow, h.keepAlive, h.fastOpen, h.loss, h.burst = true, false, false, false, false, false, false, 0, false
		h.snap = r.IntN(100)
	}},
}

// unlike says why tshark's bytes of a side may be others, or nothing.
func unlike(c *connection, x int, told *told) string {
	var began, synSeen bool
	var first, data, lowest int // offsets of the first packet, of the first with data, of the data
	lowest, data = len(c.sent[x]), -1
	for i := range c.packets {
		p := &c.packets[i]
		if p.side != x {
			continue
		}
		if !began {
			began, first = true, p.off
		}
		if p.Length > 0 {
			lowest = min(lowest, p.off)
			if data < 0 {
				data = p.off
			}
		}
		synSeen = synSeen || p.Flags&link.SYN != 0
	}
	switch {
	case c.isn[x] == 0xffffffff:
		return "the first byte has the number 0, which means unknown to tshark"
	case synSeen || data < 0:
	case c.habits.opening == synAckLost && first > 0:
		return "the ACK of a lost SYN/ACK tells the table, but not tshark, that the first bytes are lost"
	case first != data || data != lowest:
		return "no SYN, and for tshark the stream begins with the first packet, empty or not, for the table with the first byte"
	}
	if told.sides[c.ends()[x].Port].full {
		return "so much waits behind a hole that the table gives it up; tshark has no limit"
	}
	return ""
}

func TestReassemblyAgainstWireshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for seed, kind := range followed {
		t.Run(kind.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 3))
			file := newPcap()
			var connections []*connection
			for i := range kind.connections {
				var old *connection
				if i%3 > 0 { // three on a 4-tuple
					old = connections[i-1]
				}
				h := anyHabits(r)
				// Versions of tshark count the streams of a 4-tuple differently
				// when the number is the old one.
				// Where a segment that waits overlaps the one that fills the
				// hole before it, tshark takes the later of two different
				// bytes, the table the first.
				h.conflict, h.snap, h.pause, h.oldNumber = false, -1, false, false
				kind.alter(&h, r)
				if old != nil && (h.opening == synLate || h.opening == synLast || h.opening == synLost) {
					h.opening = inOrder // the SYN/ACK is in the old stream for Wireshark, the rest in another
				}
				c := generate(r, h, old)
				connections = append(connections, c)
				for j := range c.packets {
					file.add(&c.packets[j], i/3)
				}
			}
			path := filepath.Join(t.TempDir(), "streams.pcap")
			if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if n := compareBytes(t, path, connections); n < kind.atLeast {
				t.Errorf("%d streams compared, want %d", n, kind.atLeast)
			}
		})
	}
}

// compareBytes compares what the connections' sides sent, and returns how many
// were compared.
func compareBytes(t *testing.T, path string, connections []*connection) (compared int) {
	ours := reassemble(t, path)
	if len(ours) != len(connections) {
		t.Fatalf("%d connections, want %d", len(ours), len(connections))
	}
	for i, told := range ours {
		if told.stream != uint32(i) || told.unsure {
			t.Fatalf("connection %d is tcp.stream %d, not sure: %v", i+1, told.stream, told.unsure)
		}
	}
	theirs := follow(t, path, len(ours))
	bytes, holes, left := 0, 0, map[string]int{}
	for i, told := range ours {
		for x, end := range connections[i].ends() {
			if why := unlike(connections[i], x, told); why != "" {
				left[why]++
				continue
			}
			compared++
			our, their := told.sides[end.Port], theirs[told.stream][end.Port]
			known := len(their)
			for _, at := range our.holes {
				if at < known {
					holes++
				}
				// It shows nothing of what is behind a hole that nobody acknowledged.
				if at == known {
					our.text = our.text[:at]
					break
				}
			}
			bytes += known
			if our.text != their {
				t.Errorf("connection %d, tcp.stream %d, side %d: %d bytes, tshark has %d\n%.200x\n%.200x",
					i+1, told.stream, x, len(our.text), known, our.text, their)
			}
		}
	}
	t.Logf("%d streams compared: %d bytes, %d holes", compared, bytes, holes)
	for why, n := range left {
		t.Logf("%d left out: %s", n, why)
	}
	return compared
}

// said is what a side sent, with tshark's words for holes.
type said struct {
	text  string
	holes []int // where they are in text
	full  bool  // one was given up because too much waited behind it
}

// told is what the table told of a connection, by port.
type told struct {
	stream uint32
	unsure bool
	sides  map[uint16]*said
}

func (d *told) Data(c *Conn, from Side, p []byte, _ Mark) {
	d.side(c, from).text += string(p)
}

// Gap writes nothing for what a snap length cut off, as tshark does.
func (d *told) Gap(c *Conn, from Side, n int64, cut bool, _ Mark) {
	if !cut {
		s := d.side(c, from)
		s.holes = append(s.holes, len(s.text))
		if q := c.Sides[from].queue; q != nil && (len(q.chunks) > maxQueueChunks || q.bytes > maxQueueBytes) {
			s.full = true
		}
		s.text += fmt.Sprintf("[%d bytes missing in capture file]\x00", n)
	}
}

func (d *told) End(c *Conn) {
	d.stream, d.unsure = c.Stream, c.StreamUnsure
	d.side(c, 0)
	d.side(c, 1)
}

func (d *told) side(c *Conn, x Side) *said {
	s := d.sides[c.Port(x)]
	if s == nil {
		s = new(said)
		d.sides[c.Port(x)] = s
	}
	return s
}

// reassemble reads a capture as the program does.
func reassemble(t *testing.T, path string) (all []*told) {
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	byNumber := map[uint32]*told{}
	table := NewTable(Options{Open: func(c *Conn) Handler {
		byNumber[c.Number] = &told{sides: map[uint16]*said{}}
		return byNumber[c.Number]
	}})
	decoder := link.NewDecoder()
	var s link.Segment
	for {
		p, err := source.Next()
		if err != nil {
			break
		}
		if reason := decoder.Decode(&p, &s); reason != link.OK {
			t.Fatalf("packet %d: %v", p.Number, reason)
		}
		table.Add(&s, Mark{Number: p.Number, Nano: p.Nano})
	}
	table.Flush()
	for n := range uint32(len(byNumber)) {
		all = append(all, byNumber[n+1])
	}
	return all
}

// follow asks tshark for the bytes of streams, by stream and the sender's port.
func follow(t *testing.T, path string, streams int) map[uint32]map[uint16]string {
	// The checksums are checked, so that a wrong one in this file shows.
	args := []string{"-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE", "-q", "-r", path}
	for n := range streams {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", n))
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[uint32]map[uint16]string{}
	var sides map[uint16]string
	var ports [2]uint16
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "Filter: tcp.stream eq "); ok {
			var n uint32
			fmt.Sscan(text, &n)
			sides = map[uint16]string{}
			all[n] = sides
		} else if text, ok := strings.CutPrefix(line, "Node "); ok {
			var node int
			var addr string
			fmt.Sscanf(text, "%d: %s", &node, &addr)
			if addr != ":0" { // nobody sent a byte
				end, err := netip.ParseAddrPort(addr)
				if err != nil {
					t.Fatalf("tshark: %q: %v", line, err)
				}
				ports[node] = end.Port()
			}
		} else if p, err := hex.DecodeString(strings.TrimPrefix(line, "\t")); err == nil && len(p) > 0 {
			node := 0
			if strings.HasPrefix(line, "\t") {
				node = 1
			}
			sides[ports[node]] += string(p)
		}
	}
	if len(all) != streams {
		t.Fatalf("tshark showed %d streams of %d", len(all), streams)
	}
	return all
}

// A pcap is a capture file of Ethernet frames.
type pcap struct {
	bytes.Buffer
	clock time.Duration
}

func newPcap() *pcap {
	f := new(pcap)
	f.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0})
	return f
}

// add writes a packet, with the client's end changed to one of its own.
func (f *pcap) add(p *packet, client int) {
	be, le := binary.BigEndian, binary.LittleEndian
	f.clock += p.wait
	address := func(e link.Endpoint) []byte {
		if e == endA {
			return []byte{10, 0, byte(client >> 8), byte(client)}
		}
		return []byte{192, 0, 2, 2}
	}
	src, dst := address(p.Src), address(p.Dst)
	body := bytes.Clone(p.Payload) // what was cut off went as zeros
	body = append(body, make([]byte, p.Length-len(body))...)

	segment := be.AppendUint16(nil, p.Src.Port)
	segment = be.AppendUint16(segment, p.Dst.Port)
	segment = be.AppendUint32(segment, p.Seq)
	segment = be.AppendUint32(segment, p.Ack)
	segment = append(segment, 5<<4, byte(p.Flags), byte(p.Window>>8), byte(p.Window), 0, 0, 0, 0)
	segment = append(segment, body...)
	pseudo := append(append(bytes.Clone(src), dst...), 0, 6, byte(len(segment)>>8), byte(len(segment)))
	be.PutUint16(segment[16:], checksum(append(pseudo, segment...)))

	ip := []byte{0x45, 0}
	ip = be.AppendUint16(ip, uint16(20+len(segment)))
	ip = be.AppendUint16(ip, p.ID)
	ip = append(ip, 0x40, 0, 64, 6, 0, 0)
	ip = append(append(ip, src...), dst...)
	be.PutUint16(ip[10:], checksum(ip))

	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, ip...)
	frame = append(frame, segment...)
	wire := len(frame)
	frame = frame[:wire-p.Length+len(p.Payload)]
	record := le.AppendUint32(nil, 1e9+uint32(f.clock/time.Second))
	record = le.AppendUint32(record, uint32(f.clock%time.Second/time.Microsecond))
	record = le.AppendUint32(record, uint32(len(frame)))
	record = le.AppendUint32(record, uint32(wire))
	f.Write(record)
	f.Write(frame)
}

// checksum is that of RFC 1071.
func checksum(p []byte) uint16 {
	var sum uint32
	for i, b := range p {
		sum += uint32(b) << (8 * (1 - i&1))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
