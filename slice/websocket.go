package slice

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// maxPieces bounds in how many pieces a packet may lie in WebSocket frames; of one
// in more everything is overwritten. MQTT.js makes a frame of each field.
const maxPieces = 256

// webScan finds the fields of MQTT packets in the frames of one direction of a
// WebSocket (RFC 6455 §5).
type webScan struct {
	to *direction

	head [14]byte
	have int
	// Of the frame under way: how much is to come, its key with the next byte's
	// first, and what it is.
	rest       int64
	key        [4]byte
	opcode     byte
	compressed bool
	inFrame    bool
	lost       bool

	// payload is how many bytes data frames had so far. pieces are where the
	// last ones lie.
	payload int64
	pieces  []piece
	opening []byte
	kind    mqtt.Kind
	mqtt    mqttScan
	// blind says that the payload of data frames cannot be told from a secret;
	// squeezed that it is compressed.
	blind, squeezed bool
	scratch         [512]byte
}

// piece is a run of payload: n bytes at an offset among all payload, and in the
// stream.
type piece struct {
	payload, at, n int64
	key            [4]byte
}

// feed takes the bytes of the stream from an offset on.
func (w *webScan) feed(p []byte, off int64) {
	for len(p) > 0 && !w.lost {
		var n int
		if w.inFrame {
			n = int(min(w.rest, int64(len(p))))
			w.data(p[:n], off)
			w.pass(int64(n))
		} else {
			n = w.header(p, off)
		}
		p, off = p[n:], off+int64(n)
	}
}

// header takes bytes of a frame's header, and returns how many.
func (w *webScan) header(p []byte, off int64) int {
	n := 0
	for {
		need := 2
		if w.have >= 2 {
			need = w.headerSize()
		}
		if w.have == need {
			break
		}
		took := copy(w.head[w.have:need], p[n:])
		if took == 0 {
			return n
		}
		w.have, n = w.have+took, n+took
	}
	w.rest = int64(w.head[1] & 0x7f)
	switch w.rest {
	case 126:
		w.rest = int64(binary.BigEndian.Uint16(w.head[2:]))
	case 127:
		w.rest = int64(binary.BigEndian.Uint64(w.head[2:]))
	}
	w.key = [4]byte{}
	if w.head[1]&0x80 != 0 {
		w.key = [4]byte(w.head[w.have-4 : w.have])
	}
	w.opcode, w.compressed = w.head[0]&15, w.head[0]&0x40 != 0
	w.have = 0
	if w.head[0]&0x30 != 0 || w.rest < 0 || w.opcode > 10 || w.opcode > 2 && w.opcode < 8 {
		w.lose(off + int64(n))
		return n
	}
	if w.compressed && w.opcode < 8 {
		w.blind, w.squeezed = true, true
	}
	w.inFrame = w.rest > 0
	return n
}

func (w *webScan) headerSize() int {
	n := 2
	switch w.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if w.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// data takes bytes of a frame's payload.
func (w *webScan) data(p []byte, off int64) {
	switch {
	case w.opcode == 8:
		// The code of a Close frame stays, what it says else does not.
		if from := off + max(0, 2-(int64(w.head[1]&0x7f)-w.rest)); from < off+int64(len(p)) {
			w.to.add(span{from: from, to: off + int64(len(p))})
		}
	case w.opcode > 8, w.blind:
		w.to.add(span{from: off, to: off + int64(len(p))})
	default:
		key := w.key
		for len(p) > 0 && !w.blind {
			n := min(len(p), len(w.scratch))
			for i := range n {
				w.scratch[i] = p[i] ^ key[i&3]
			}
			w.inside(w.scratch[:n], off, key)
			clear(w.scratch[:n])
			p, off, key = p[n:], off+int64(n), turned(key, int64(n))
		}
		if len(p) > 0 {
			w.to.add(span{from: off, to: off + int64(len(p))})
		}
	}
}

func turned(key [4]byte, n int64) [4]byte {
	n &= 3
	return [4]byte{key[n], key[(n+1)&3], key[(n+2)&3], key[(n+3)&3]}
}

func (w *webScan) pass(n int64) {
	w.rest -= n
	w.key = turned(w.key, n)
	w.inFrame = w.rest > 0
}

// inside takes payload with its mask undone.
func (w *webScan) inside(p []byte, off int64, key [4]byte) {
	at := w.payload
	w.payload += int64(len(p))
	if w.mqtt.framer.Between() && len(w.opening) == 0 {
		w.pieces = w.pieces[:0]
	}
	if len(w.pieces) == maxPieces {
		w.give()
		w.to.add(span{from: off, to: off + int64(len(p))})
		return
	}
	w.pieces = append(w.pieces, piece{at, off, int64(len(p)), key})
	if w.kind == mqtt.KindNeedMore {
		w.opening = append(w.opening, p...)
		if w.kind = mqtt.Detect(w.opening); w.kind == mqtt.KindNeedMore {
			return
		}
		at = w.payload - int64(len(w.opening))
		p = w.opening
	}
	switch w.kind {
	case mqtt.KindConnect, mqtt.KindConnectLike, mqtt.KindConnack, mqtt.KindOtherMQTT:
		w.mqtt.feed(p, at, w)
	default:
		w.give()
	}
	if len(w.opening) > 0 {
		clear(w.opening)
		w.opening = nil
	}
}

// give gives up: from the packet under way on, payload may be anything.
func (w *webScan) give() {
	w.blind = true
	for _, p := range w.pieces {
		w.to.add(span{from: p.at, to: p.at + p.n})
	}
	w.pieces = w.pieces[:0]
}

// private takes a field by its place in the payload.
func (w *webScan) private(from, to int64, f mqtt.Private) {
	for _, p := range w.pieces {
		if a, b := max(from, p.payload), min(to, p.payload+p.n); a < b {
			w.to.field(p.at+a-p.payload, p.at+b-p.payload, f, uint32(a-from), turned(p.key, a-p.payload))
		}
	}
}

func (w *webScan) unknown(from, to int64) {
	for _, p := range w.pieces {
		if a, b := max(from, p.payload), min(to, p.payload+p.n); a < b {
			w.to.add(span{from: p.at + a - p.payload, to: p.at + b - p.payload, key: turned(p.key, a-p.payload)})
		}
	}
	if to == endless {
		w.blind = true
	}
}

// name takes nothing: names lie in the head, not in the frames.
func (w *webScan) name(int64, []byte) {}

// packet tells of a packet by the frames that it lies in.
func (w *webScan) packet(t mqtt.Type, _, _ int64) {
	if n := len(w.pieces); n > 0 {
		w.to.packet(t, w.pieces[0].at, w.pieces[n-1].at+w.pieces[n-1].n)
	}
}

// partial takes what has begun and is not whole.
func (w *webScan) partial() {
	switch {
	case w.lost || w.blind:
	case w.kind == mqtt.KindNeedMore:
		for _, p := range w.pieces {
			w.to.add(span{from: p.at, to: p.at + p.n})
		}
	default:
		w.mqtt.end(w)
	}
}

// skip says that n bytes of the stream from an offset on are missing.
func (w *webScan) skip(n, off int64) {
	if w.lost {
		return
	}
	if !w.inFrame || n > w.rest {
		w.lose(off)
		return
	}
	data := w.opcode < 8
	key := w.key
	w.pass(n)
	if !data || w.blind {
		return
	}
	if w.kind == mqtt.KindNeedMore || len(w.pieces) == maxPieces {
		w.give()
		return
	}
	w.pieces = append(w.pieces, piece{w.payload, off, n, key})
	w.mqtt.at = w.payload
	w.payload += n
	w.mqtt.skip(n, w)
}

func (w *webScan) lose(at int64) {
	w.end()
	w.lost = true
	w.to.unknown(at, endless)
}

// end takes what has begun and is not whole.
func (w *webScan) end() {
	switch {
	case w.lost || w.blind:
	case w.kind == mqtt.KindNeedMore:
		w.give()
	default:
		w.mqtt.end(w)
	}
}
