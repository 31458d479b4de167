package mqtt

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// brokerCaptures lies beside the checkout; its captures of real brokers are not
// part of the repository.
const brokerCaptures = "../../../shared/brokers"

// TestBrokerCaptures compares what is parsed from captures of real brokers and
// clients with the index of what tshark reads in them.
func TestBrokerCaptures(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(brokerCaptures, "INDEX.json"))
	if err != nil {
		t.Skip("the captures of real brokers are not here")
	}
	var index []struct {
		File     string
		Sessions []struct {
			Stream      int
			ClientID    string `json:"client_id"`
			MQTTVersion string `json:"mqtt_version"`
			CleanStart  bool   `json:"clean_start"`
			KeepAlive   uint16 `json:"keep_alive_s"`
			Outcome     string
			Code        string
		}
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, row := range index {
		if len(row.Sessions) == 0 {
			continue
		}
		t.Run(row.File, func(t *testing.T) {
			streams := readStreams(t, filepath.Join(brokerCaptures, row.File))
			for _, want := range row.Sessions {
				if want.Stream >= len(streams) {
					t.Fatalf("stream %d of %d", want.Stream, len(streams))
				}
				s := streams[want.Stream]
				if k := Detect(s.client); k != KindConnect {
					t.Errorf("stream %d: client's first bytes are %v", want.Stream, k)
				}
				connect := firstFrame(s.client, TypeConnect)
				if connect == nil {
					t.Fatalf("stream %d: no CONNECT in % x", want.Stream, s.client)
				}
				c, err := ParseConnect(*connect)
				if err != nil {
					t.Fatal(err)
				}
				// JSON has U+FFFD for each byte that is not UTF-8.
				if string([]rune(c.ClientID)) != want.ClientID || c.Version.String() != want.MQTTVersion ||
					c.CleanStart != want.CleanStart || c.KeepAlive != want.KeepAlive {
					t.Errorf("stream %d: CONNECT %+v, want %+v", want.Stream, c, want)
				}
				connack := firstFrame(s.broker, TypeConnack)
				if (connack != nil) != (want.Outcome != "none") {
					t.Fatalf("stream %d: CONNACK seen %v, outcome %s", want.Stream, connack != nil, want.Outcome)
				}
				if connack != nil {
					if k := Detect(s.broker); k != KindConnack {
						t.Errorf("stream %d: broker's first bytes are %v", want.Stream, k)
					}
					a, err := ParseConnack(*connack, c)
					if err != nil {
						t.Fatal(err)
					}
					if want.Code != "" && FormatCode(a.Code) != want.Code {
						t.Errorf("stream %d: code %s, want %s", want.Stream, FormatCode(a.Code), want.Code)
					}
				}
				compared++
			}
		})
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// firstFrame is the first packet of a type in a stream, with its own body.
func firstFrame(stream []byte, typ Type) *Frame {
	var f Framer
	for len(stream) > 0 {
		n, fr, ok := f.Feed(stream)
		if ok && fr.Type == typ {
			fr.Body = append([]byte(nil), fr.Body...)
			return &fr
		}
		stream = stream[n:]
	}
	if fr, ok := f.Partial(); ok && fr.Type == typ {
		return &fr
	}
	return nil
}

type tcpStream struct{ client, broker []byte }

// readStreams reads the TCP streams of a capture made on loopback, in order of
// their SYNs. It knows just enough for these files: classic pcap, IPv4 or IPv6.
func readStreams(t *testing.T, file string) []tcpStream {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) < 24 || binary.LittleEndian.Uint32(raw) != 0xa1b2c3d4 && binary.LittleEndian.Uint32(raw) != 0xa1b23c4d {
		t.Skip("not a little-endian pcap file")
	}
	link := binary.LittleEndian.Uint32(raw[20:])
	type segment struct {
		seq  uint32
		data []byte
	}
	type flow struct {
		isn  uint32
		segs []segment
	}
	type pair struct{ from, to netip.AddrPort }
	current := map[pair]*flow{}
	var order [][2]*flow
	for at := 24; at+16 <= len(raw); {
		size := int(binary.LittleEndian.Uint32(raw[at+8:]))
		if at+16+size > len(raw) {
			break // the file is cut short
		}
		p := raw[at+16 : at+16+size]
		at += 16 + size
		switch link {
		case 1:
			p = p[14:]
		case 113:
			p = p[16:]
		case 0:
			p = p[4:]
		case 276:
			p = p[20:]
		}
		var src, dst netip.Addr
		var tcp []byte
		switch p[0] >> 4 {
		case 4:
			if p[9] != 6 {
				continue
			}
			src, _ = netip.AddrFromSlice(p[12:16])
			dst, _ = netip.AddrFromSlice(p[16:20])
			tcp = p[int(p[0]&15)*4 : binary.BigEndian.Uint16(p[2:])]
		case 6:
			if p[6] != 6 {
				continue
			}
			src, _ = netip.AddrFromSlice(p[8:24])
			dst, _ = netip.AddrFromSlice(p[24:40])
			tcp = p[40 : 40+int(binary.BigEndian.Uint16(p[4:]))]
		default:
			continue
		}
		key := pair{
			netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp)),
			netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:])),
		}
		seq := binary.BigEndian.Uint32(tcp[4:])
		if tcp[13]&0x12 == 2 { // SYN
			up, down := &flow{isn: seq}, &flow{}
			if old := current[key]; old != nil && old.isn == seq {
				continue
			}
			current[key], current[pair{key.to, key.from}] = up, down
			order = append(order, [2]*flow{up, down})
			continue
		}
		if f := current[key]; f != nil {
			if tcp[13]&2 != 0 {
				f.isn = seq
			}
			f.segs = append(f.segs, segment{seq, tcp[tcp[12]>>4*4:]})
		}
	}
	join := func(f *flow) (stream []byte) {
		sort.SliceStable(f.segs, func(i, j int) bool { return f.segs[i].seq-f.isn < f.segs[j].seq-f.isn })
		for _, s := range f.segs {
			offset := int(s.seq - f.isn - 1)
			if end := offset + len(s.data); offset <= len(stream) && end > len(stream) {
				stream = append(stream, s.data[len(stream)-offset:]...)
			}
		}
		return stream
	}
	streams := make([]tcpStream, len(order))
	for i, o := range order {
		streams[i] = tcpStream{join(o[0]), join(o[1])}
	}
	return streams
}
