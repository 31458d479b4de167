package mqttriage_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A case may have a script.txt in place of a recording: for brokers that
// cannot be run here, from what their documents or sources say they do. The
// capture beside it must be what the script gives; -update writes it.
func TestScriptedCaptures(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*/script.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := play(string(text))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			file := filepath.Join(folder, "capture.pcap")
			if *update {
				if err := os.WriteFile(file, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what the script gives (%v); run with -update", file, err)
			}
			readme, _ := os.ReadFile(filepath.Join(folder, "README.md"))
			if !strings.Contains(string(readme), "scripted") {
				t.Error("the README line does not say that the capture is scripted")
			}
		})
	}
}

// play turns a script into a pcap. A line is a time in seconds, a connection's
// name, what happens and key=value words; values may be quoted:
//
//	0.000 a open client=10.0.0.2:40001 broker=10.0.0.1:1883
//	0.001 a connect version=3.1.1 id=gw-7 clean=1 keepalive=60 user=u password=p
//	0.002 a connack code=0x05 present=0 reason="banned" properties=2a01
//	0.003 a disconnect by=broker code=0x8e
//	0.004 a fin by=broker
//
// open may be syn (unanswered) or refuse (answered by RST); reset sends RST,
// ack acknowledges, data sends bytes given in hex (by=, hex=) and ping a PINGREQ. hello is a TLS
// 1.2 ClientHello (sni=, alpn=), sealed an encrypted TLS record (by=, type=,
// size=), both as far as they are visible. name puts a DNS answer (name=, address=).
func play(script string) ([]byte, error) {
	p := &player{conns: map[string]*playedConn{}}
	p.header()
	scanner := bufio.NewScanner(strings.NewReader(script))
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p.out.Bytes(), scanner.Err()
}

type player struct {
	out   bytes.Buffer
	conns map[string]*playedConn
	at    time.Time
}

type playedConn struct {
	ends    [2]netip.AddrPort // client, broker
	seq     [2]uint32
	version string
}

func (p *player) header() {
	binary.Write(&p.out, binary.LittleEndian, struct {
		Magic          uint32
		Major, Minor   uint16
		Zone, Sig      uint32
		Snap, LinkType uint32
	}{0xa1b2c3d4, 2, 4, 0, 0, 262144, 101})
}

func (p *player) packet(ip []byte) {
	binary.Write(&p.out, binary.LittleEndian, [4]uint32{
		uint32(p.at.Unix()), uint32(p.at.Nanosecond() / 1000), uint32(len(ip)), uint32(len(ip)),
	})
	p.out.Write(ip)
}

const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
)

func (p *player) segment(c *playedConn, from int, flags byte, payload []byte) {
	b := make([]byte, 20, 40+len(payload))
	t := make([]byte, 20)
	binary.BigEndian.PutUint16(t, c.ends[from].Port())
	binary.BigEndian.PutUint16(t[2:], c.ends[1-from].Port())
	binary.BigEndian.PutUint32(t[4:], c.seq[from])
	if flags&tcpACK != 0 {
		binary.BigEndian.PutUint32(t[8:], c.seq[1-from])
	}
	t[12], t[13] = 5<<4, flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	p.ip(b, 6, c.ends[from].Addr(), c.ends[1-from].Addr(), append(t, payload...))
	c.seq[from] += uint32(len(payload))
	if flags&(tcpSYN|tcpFIN) != 0 {
		c.seq[from]++
	}
}

func (p *player) ip(b []byte, protocol byte, src, dst netip.Addr, body []byte) {
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(body)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	p.packet(append(b, body...))
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func (p *player) line(line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	if len(words) < 3 {
		return fmt.Errorf("%q: want a time, a connection and an event", line)
	}
	seconds, err := strconv.ParseFloat(words[0], 64)
	if err != nil {
		return err
	}
	p.at = time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC).Add(time.Duration(seconds * 1e9).Round(time.Microsecond))
	args := map[string]string{}
	for _, w := range words[3:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%q is no key=value", w)
		}
		args[key] = value
	}
	get := func(key, otherwise string) string {
		if v, ok := args[key]; ok {
			delete(args, key)
			return v
		}
		return otherwise
	}
	name, event := words[1], words[2]
	c := p.conns[name]
	if event == "open" || event == "syn" || event == "refuse" {
		client, err := netip.ParseAddrPort(get("client", "10.0.0.2:"+strconv.Itoa(40001+len(p.conns))))
		if err != nil {
			return err
		}
		broker, err := netip.ParseAddrPort(get("broker", "10.0.0.1:1883"))
		if err != nil {
			return err
		}
		if c == nil || event != "syn" {
			n := uint32(len(p.conns) + 1)
			c = &playedConn{ends: [2]netip.AddrPort{client, broker}, seq: [2]uint32{n * 1_000_003, n * 7_000_003}}
			p.conns[name] = c
		} else {
			c.seq[0]--
		}
		p.segment(c, 0, tcpSYN, nil)
		if event == "refuse" {
			p.segment(c, 1, tcpRST|tcpACK, nil)
		}
		if event == "open" {
			p.segment(c, 1, tcpSYN|tcpACK, nil)
			p.segment(c, 0, tcpACK, nil)
		}
		return unused(args)
	}
	if event == "name" {
		return p.dns(get("name", ""), get("address", ""))
	}
	if c == nil {
		return fmt.Errorf("connection %q was not opened", name)
	}
	from := map[string]int{"client": 0, "broker": 1}[get("by", "client")]
	switch event {
	case "connect":
		c.version = get("version", "3.1.1")
		packet, err := connectPacket(c.version, get)
		if err != nil {
			return err
		}
		p.segment(c, 0, tcpPSH|tcpACK, packet)
		p.segment(c, 1, tcpACK, nil)
	case "connack":
		code, err := strconv.ParseUint(get("code", "0"), 0, 8)
		if err != nil {
			return err
		}
		present, _ := strconv.Atoi(get("present", "0"))
		body := []byte{byte(present), byte(code)}
		if get("shape", c.version) == "5" {
			properties, err := hex.DecodeString(get("properties", ""))
			if err != nil {
				return err
			}
			if reason := get("reason", ""); reason != "" {
				properties = append(append(properties, 0x1f), text(reason)...)
			}
			if server := get("server", ""); server != "" {
				properties = append(append(properties, 0x1c), text(server)...)
			}
			if id := get("assigned", ""); id != "" {
				properties = append(append(properties, 0x12), text(id)...)
			}
			body = append(append(body, byte(len(properties))), properties...)
		}
		p.segment(c, 1, tcpPSH|tcpACK, append([]byte{0x20, byte(len(body))}, body...))
		p.segment(c, 0, tcpACK, nil)
	case "disconnect":
		packet := []byte{0xe0, 0}
		if code := get("code", ""); code != "" {
			n, err := strconv.ParseUint(code, 0, 8)
			if err != nil {
				return err
			}
			packet = []byte{0xe0, 2, byte(n), 0}
			if server := get("server", ""); server != "" {
				properties := append([]byte{0x1c}, text(server)...)
				packet = append([]byte{0xe0, byte(2 + len(properties)), byte(n), byte(len(properties))}, properties...)
			}
		}
		p.segment(c, from, tcpPSH|tcpACK, packet)
	case "ping":
		p.segment(c, 0, tcpPSH|tcpACK, []byte{0xc0, 0})
		p.segment(c, 1, tcpPSH|tcpACK, []byte{0xd0, 0})
	case "data":
		b, err := hex.DecodeString(get("hex", ""))
		if err != nil {
			return err
		}
		p.segment(c, from, tcpPSH|tcpACK, b)
	case "hello":
		p.segment(c, 0, tcpPSH|tcpACK, clientHello(get("sni", ""), get("alpn", "")))
	case "sealed":
		kind, _ := strconv.Atoi(get("type", "23"))
		size, err := strconv.Atoi(get("size", "0"))
		if err != nil {
			return err
		}
		p.segment(c, from, tcpPSH|tcpACK, append([]byte{byte(kind), 3, 3, byte(size >> 8), byte(size)}, bytes.Repeat([]byte{0xa5}, size)...))
	case "ack":
		p.segment(c, from, tcpACK, nil)
	case "fin":
		p.segment(c, from, tcpFIN|tcpACK, nil)
		p.segment(c, 1-from, tcpACK, nil)
	case "reset":
		p.segment(c, from, tcpRST|tcpACK, nil)
	default:
		return fmt.Errorf("nothing is known of %q", event)
	}
	return unused(args)
}

func unused(args map[string]string) error {
	for key := range args {
		return fmt.Errorf("nothing takes %s=", key)
	}
	return nil
}

// split divides a line at spaces outside quotes.
func split(line string) ([]string, error) {
	var words []string
	word, quoted := "", false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word != "" {
				words = append(words, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	if quoted {
		return nil, fmt.Errorf("%q: a quote is open", line)
	}
	return words, nil
}

func text(s string) []byte {
	return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...)
}

func connectPacket(version string, get func(key, otherwise string) string) ([]byte, error) {
	number := func(key, otherwise string) int {
		n, err := strconv.Atoi(get(key, otherwise))
		if err != nil {
			panic(fmt.Sprintf("%s: %v", key, err)) // a script is part of the test
		}
		return n
	}
	flags := number("clean", "1") << 1
	keepAlive := number("keepalive", "60")
	properties, err := hex.DecodeString(get("properties", ""))
	if err != nil {
		return nil, err
	}
	id, user, password, will := get("id", ""), get("user", ""), get("password", ""), get("will", "")
	if user != "" {
		flags |= 0x80
	}
	if password != "" {
		flags |= 0x40
	}
	if will != "" {
		flags |= 0x04 | number("willqos", "0")<<3 | number("willretain", "0")<<5
	}
	name, level := "MQTT", map[string]byte{"3.1": 3, "3.1.1": 4, "5": 5}[version]
	if version == "3.1" {
		name = "MQIsdp"
	}
	if level == 0 {
		return nil, fmt.Errorf("no MQTT version %q", version)
	}
	body := append(text(name), level, byte(flags), byte(keepAlive>>8), byte(keepAlive))
	if version == "5" {
		body = append(append(body, byte(len(properties))), properties...)
	}
	body = append(body, text(id)...)
	if will != "" {
		if version == "5" {
			body = append(body, 0)
		}
		body = append(append(body, text("will/topic")...), text(will)...)
	}
	if user != "" {
		body = append(body, text(user)...)
	}
	if password != "" {
		body = append(body, text(password)...)
	}
	packet := []byte{0x10}
	for n := len(body); ; {
		digit := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			packet = append(packet, digit|0x80)
			continue
		}
		packet = append(packet, digit)
		break
	}
	return append(packet, body...), nil
}

// clientHello is a TLS 1.2 ClientHello with the extensions that are looked at
// (RFC 5246 §7.4.1.2, RFC 6066 §3, RFC 7301 §3.1).
func clientHello(sni, alpn string) []byte {
	sized := func(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
	var extensions []byte
	if sni != "" {
		extensions = append(append(extensions, 0, 0), sized(sized(append([]byte{0}, sized([]byte(sni))...)))...)
	}
	if alpn != "" {
		extensions = append(append(extensions, 0, 16), sized(sized(append([]byte{byte(len(alpn))}, alpn...)))...)
	}
	hello := append([]byte{3, 3}, bytes.Repeat([]byte{0x5a}, 32)...)
	hello = append(hello, 0)                      // no session id
	hello = append(hello, 0, 2, 0xc0, 0x2f, 1, 0) // one suite, no compression
	hello = append(hello, sized(extensions)...)
	handshake := append([]byte{1, 0, byte(len(hello) >> 8), byte(len(hello))}, hello...)
	return append([]byte{22, 3, 1, byte(len(handshake) >> 8), byte(len(handshake))}, handshake...)
}

// dns is the answer of a name server on 10.0.0.53 with one A record
// (RFC 1035 §4).
func (p *player) dns(name, address string) error {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	var labels []byte
	for _, label := range strings.Split(name, ".") {
		labels = append(append(labels, byte(len(label))), label...)
	}
	labels = append(labels, 0)
	message := []byte{0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
	message = append(append(message, labels...), 0, 1, 0, 1)
	message = append(message, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	message = append(message, addr.AsSlice()...)
	udp := []byte{0, 53, 0x9c, 0x40, 0, byte(8 + len(message)), 0, 0}
	p.ip(make([]byte, 20), 17, netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("10.0.0.2"), append(udp, message...))
	return nil
}
