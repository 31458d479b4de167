package live

import "golang.org/x/net/bpf"

// The lean filter lets through what opens and ends sessions, and keeps out what is in between:
//
//   - segments with SYN, FIN or RST;
//   - segments whose first byte of payload may begin an MQTT CONNECT, CONNACK, DISCONNECT
//     or AUTH, or a TLS record that is not application data;
//   - fragments of IP, of which only the first would show that byte, and the others nothing.
//
// It looks at one segment at a time and remembers nothing. So what it lets through by
// mistake is the middle of a large PUBLISH that happens to begin with such a byte, and what it
// misses is whatever stands behind something else in its segment, or goes on in another one.
//
// Which bytes. CONNACK, DISCONNECT and AUTH are 0x20, 0xE0 and 0xF0 (MQTT 5 §2.1.3); with
// other flags they are malformed, and would let a good part of all text through: 0x21 to 0x2F are
// its punctuation, 0xE1 to 0xEF begin Chinese characters. CONNECT is 0x10, but a
// malformed one is a symptom, and bytes from 0x11 to 0x1F are rare: all pass, TLS's
// alerts and handshakes, 0x15 and 0x16, and its ChangeCipherSpec, 0x14, among them (RFC 8446
// §5.1). All but 0x17: that is TLS's application data, publish traffic mostly.
const (
	firstConnect    = 0x10 // to 0x1f, right before firstConnack
	firstConnack    = 0x20
	firstDisconnect = 0xe0
	firstAuth       = 0xf0
	tlsData         = 0x17
)

// Of TCP (RFC 9293 §3.1).
const (
	tcpOffset = 12   // where the byte with the data offset is
	tcpFlags  = 13   // where the flags are
	finSynRst = 0x07 // the flags FIN, SYN and RST
)

// leanPlain asks of a TCP header behind a plain IPv4 header at base.
func (w *walk) leanPlain(base uint32) {
	candidate := w.label()
	w.leanHeader(fixed(base + ipv4Header))
	w.do(bpf.TAX{}, behindX(base+ipv4Header, 1))
	w.leanByte(candidate)
	// It may be padding: of a short frame, or of a mirror port.
	w.here(candidate)
	w.forward(ipv4Header)
	w.do(fixed(base)(2, 2))
	w.jumpIf(bpf.JumpEqual, 0, w.pass, next) // see keepEnd
	w.jumpIfX(bpf.JumpGreaterThan, w.pass, w.drop)
}

// leanLong asks of the TCP header at X.
func (w *walk) leanLong() {
	candidate := w.label()
	w.do(bpf.LoadScratch{Dst: bpf.RegA, N: keepFragment})
	w.jumpIf(bpf.JumpEqual, 0, next, w.pass)
	w.leanHeader(behindX)
	w.do(bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, behindX(0, 1))
	w.leanByte(candidate)
	w.here(candidate)
	w.do(bpf.LoadScratch{Dst: bpf.RegA, N: keepEnd})
	w.jumpIfX(bpf.JumpGreaterThan, w.pass, w.drop)
}

// leanHeader lets pass by the flags, or leaves the size of the TCP header in A.
func (w *walk) leanHeader(tcp field) {
	w.do(tcp(tcpFlags, 1))
	w.jumpIf(bpf.JumpBitsSet, finSynRst, w.pass, next)
	w.do(tcp(tcpOffset, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
}

// leanByte drops by the first byte of payload, or goes to candidate. PUBLISH, from 0x30 to 0x3f, is
// decided first.
func (w *walk) leanByte(candidate label) {
	above, below := w.label(), w.label()
	w.jumpIf(bpf.JumpGreaterThan, firstConnack, above, below)
	w.here(above)
	w.jumpIf(bpf.JumpEqual, firstDisconnect, candidate, next)
	w.jumpIf(bpf.JumpEqual, firstAuth, candidate, w.drop)
	w.here(below)
	w.jumpIf(bpf.JumpEqual, firstConnack, candidate, next)
	w.jumpIf(bpf.JumpEqual, tlsData, w.drop, next)
	w.jumpIf(bpf.JumpGreaterOrEqual, firstConnect, candidate, w.drop)
}
