//go:build live && linux

package e2e

import (
	"bufio"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"time"
)

// loadFile describes a capture of publish traffic.
type loadFile struct {
	path               string
	packets, publishes int
	bytes              int64
}

const (
	loadSessions = 200
	loadPayload  = 200
)

// writeLoad writes a capture of devices that are connected and publish: every other
// one with QoS 1, which the broker acknowledges. It ends after the given number of
// messages; no sequence number comes twice.
func writeLoad(path string, publishes int) (*loadFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := &loadWriter{out: bufio.NewWriterSize(f, 1<<20), made: &loadFile{path: path}, rng: rand.New(rand.NewPCG(1, 2))}
	// The file header of pcap with microseconds, version 2.4, Ethernet.
	head := []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 65535, 1}
	for _, word := range head {
		w.out.Write(binary.LittleEndian.AppendUint32(nil, word)) //nolint:errcheck // Flush says it
	}
	devices := make([]*loadDevice, loadSessions)
	for i := range devices {
		devices[i] = &loadDevice{
			n: i, qos: byte(i % 2),
			clientSeq: w.rng.Uint32(), brokerSeq: w.rng.Uint32(),
		}
		w.connect(devices[i])
	}
	for w.made.publishes < publishes {
		w.publish(devices[w.rng.IntN(len(devices))])
	}
	return w.made, w.out.Flush()
}

type loadWriter struct {
	out  *bufio.Writer
	made *loadFile
	rng  *rand.Rand
	// frame is where packets are built.
	frame [2048]byte
	id    uint16
}

type loadDevice struct {
	n                    int
	qos                  byte
	packetID             uint16
	clientSeq, brokerSeq uint32
	unacked              int
}

const (
	finFlag, synFlag, pshFlag, ackFlag = 1, 2, 8, 16
)

func (w *loadWriter) connect(d *loadDevice) {
	id := []byte("load-0000")
	for i, n := len(id)-1, d.n; n > 0; i, n = i-1, n/10 {
		id[i] = byte('0' + n%10)
	}
	w.fromClient(d, synFlag, nil)
	d.clientSeq++
	w.fromBroker(d, synFlag|ackFlag, nil)
	d.brokerSeq++
	w.fromClient(d, ackFlag, nil)
	w.fromClient(d, pshFlag|ackFlag, connectPacket(4, string(id)))
	w.fromBroker(d, ackFlag, nil)
	w.fromBroker(d, pshFlag|ackFlag, []byte{0x20, 2, 0, 0})
	w.fromClient(d, ackFlag, nil)
}

// publish is one message and what comes of it: with QoS 1 a PUBACK and its
// acknowledgment, else an acknowledgment of every other segment (RFC 9293, section
// 3.8.6.3).
func (w *loadWriter) publish(d *loadDevice) {
	w.made.publishes++
	topic := "site/north/line/7/readings"
	body := append([]byte{0, byte(len(topic))}, topic...)
	if d.qos == 1 {
		d.packetID = d.packetID%65535 + 1
		body = binary.BigEndian.AppendUint16(body, d.packetID)
	}
	body = append(body, make([]byte, loadPayload)...)
	head := []byte{0x30 | d.qos<<1, byte(len(body)) | 0x80, byte(len(body) >> 7)}
	w.fromClient(d, pshFlag|ackFlag, append(head, body...))
	if d.qos == 1 {
		w.fromBroker(d, pshFlag|ackFlag, []byte{0x40, 2, byte(d.packetID >> 8), byte(d.packetID)})
		w.fromClient(d, ackFlag, nil)
	} else if d.unacked++; d.unacked%2 == 0 {
		w.fromBroker(d, ackFlag, nil)
	}
}

func (w *loadWriter) fromClient(d *loadDevice, flags byte, payload []byte) {
	w.segment(d, false, flags, d.clientSeq, d.brokerSeq, payload)
	d.clientSeq += uint32(len(payload))
}

func (w *loadWriter) fromBroker(d *loadDevice, flags byte, payload []byte) {
	w.segment(d, true, flags, d.brokerSeq, d.clientSeq, payload)
	d.brokerSeq += uint32(len(payload))
}

func (w *loadWriter) segment(d *loadDevice, fromBroker bool, flags byte, seq, ack uint32, payload []byte) {
	f := w.frame[:14+20+32+len(payload)]
	copy(f, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00")
	device, broker := [4]byte{198, 18, 1, byte(d.n%250 + 1)}, [4]byte{198, 18, 0, 1}
	devicePort, brokerPort := uint16(40000+d.n), uint16(1883)
	if flags&synFlag != 0 && !fromBroker {
		ack = 0
	}
	ip := f[14:34]
	clear(ip)
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(len(f)-14))
	w.id++
	binary.BigEndian.PutUint16(ip[4:], w.id)
	from, to, fromPort, toPort := device, broker, devicePort, brokerPort
	if fromBroker {
		from, to, fromPort, toPort = broker, device, brokerPort, devicePort
	}
	copy(ip[12:], from[:])
	copy(ip[16:], to[:])
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))
	tcp := f[34:]
	clear(tcp[:32])
	binary.BigEndian.PutUint16(tcp, fromPort)
	binary.BigEndian.PutUint16(tcp[2:], toPort)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = 0x80, flags
	binary.BigEndian.PutUint16(tcp[14:], 501)
	copy(tcp[20:], "\x01\x01\x08\x0a") // time stamps, as Linux has them
	binary.BigEndian.PutUint32(tcp[24:], uint32(w.made.packets/20))
	copy(tcp[32:], payload)
	pseudo := uint32(6) + uint32(len(tcp))
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo, tcp))
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.made.packets) * 44 * time.Microsecond)
	var record [16]byte
	binary.LittleEndian.PutUint32(record[0:], uint32(at.Unix()))
	binary.LittleEndian.PutUint32(record[4:], uint32(at.Nanosecond()/1000))
	binary.LittleEndian.PutUint32(record[8:], uint32(len(f)))
	binary.LittleEndian.PutUint32(record[12:], uint32(len(f)))
	w.out.Write(record[:]) //nolint:errcheck // Flush says it
	w.out.Write(f)         //nolint:errcheck // likewise
	w.made.packets++
	w.made.bytes += int64(len(f))
}

// checksum is the Internet's (RFC 1071).
func checksum(sum uint32, b []byte) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
