package decode

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/decode/tcp"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// secure follows a TLS connection. From outside it tells who ended the
// handshake with an alert and whether the broker sent anything that could be a
// CONNACK; with the connection's secrets it hands over what is inside.
type secure struct {
	conn *tls.Conn
	// plain takes the bytes inside.
	plain  func(c *tcp.Conn, from tcp.Side, p []byte, at Event)
	hole   func(c *tcp.Conn, from tcp.Side, at Event)
	cipher [2]bool // ChangeCipherSpec seen: handshake and alert records are sealed
	begun  [2]bool // plain bytes were handed over
	// sealedData: records were not opened that may hold application data.
	sealedData [2]bool
	holed      [2]bool // some are missing since then

	// firstSealed is the packet with each side's first application-data record;
	// records counts them.
	firstSealed [2]Event
	records     [2]int
	out         TLS

	// What is being fed.
	c      *tcp.Conn
	client tcp.Side
	at     Event
	yield  func(from int, r tls.Record)
}

const (
	// sealedAlert is an alert of TLS 1.3: two bytes, the content type and a
	// tag of 16 (RFC 8446 §5.2).
	sealedAlert = 19
	// ticketSize separates a NewSessionTicket of TLS 1.3 from a CONNACK: a
	// ticket is larger than 160 bytes with every common library, and a CONNACK
	// with all its numeric properties and a short reason is smaller.
	ticketSize = 160
)

func newSecure(f *follower) *secure {
	x := &secure{conn: tls.NewConn(&f.d.keys, &f.d.certificates), plain: f.insideTLS, hole: f.holeInsideTLS}
	x.yield = x.record
	return x
}

// feed follows the bytes of one side.
func (x *secure) feed(c *tcp.Conn, from, client tcp.Side, p []byte, at Event) {
	x.c, x.client, x.at = c, client, at
	x.conn.Feed(int(from), p, x.yield)
	x.out.Certificate, x.out.ClientCertificate = x.conn.Certificate(int(1-client)), x.conn.Certificate(int(client))
}

// skip follows a hole in one side's bytes.
func (x *secure) skip(from tcp.Side, n int64) {
	x.conn.Skip(int(from), n)
	x.miss(from)
}

// miss notes that plain bytes are missing. Ahead of the first that were read
// nothing is: what was not opened there is the handshake, or early data that the
// broker did not take either (RFC 8446 §4.2.10).
func (x *secure) miss(from tcp.Side) { x.holed[from] = x.begun[from] }

// unread reports that a side sent something, where the other records were opened,
// that was not: silence of that side then proves nothing.
func (x *secure) unread(from tcp.Side) bool {
	return x.out.Decrypted && (x.sealedData[from] || x.conn.Lost(int(from)))
}

func (x *secure) record(side int, r tls.Record) {
	from := tcp.Side(side)
	if r.Opened {
		x.opened(from, r)
		return
	}
	switch r.Type {
	case tls.ChangeCipherSpec:
		x.cipher[from] = true
	case tls.Alert:
		x.alert(from, x.client, r, x.at)
	case tls.ApplicationData:
		x.miss(from)
		x.sealedData[from] = x.sealedData[from] || r.Length != sealedAlert
		x.sealed(from, x.client, r, x.at)
	}
}

// opened takes a record with what is inside.
func (x *secure) opened(from tcp.Side, r tls.Record) {
	x.out.Decrypted = true
	switch r.Type {
	case tls.Alert:
		if len(r.Body) == 2 && r.Body[1] != tls.CloseNotify && r.Body[1] != tls.UserCanceled && x.out.Alert == "" {
			x.setAlert(from, x.client, tls.AlertName(r.Body[1]), x.at)
		}
	case tls.ApplicationData:
		x.records[from]++
		if from == x.client {
			if !x.out.FirstData.Seen() {
				x.out.FirstData = x.at
			}
		} else {
			x.out.AnswerRecords++
			x.out.Finished = true
		}
		if x.holed[from] {
			x.holed[from] = false
			x.hole(x.c, from, x.at)
		}
		x.begun[from] = true
		x.plain(x.c, from, r.Body, x.at)
	}
}

func (x *secure) alert(from, client tcp.Side, r tls.Record, at Event) {
	switch {
	case x.out.Alert != "":
	case len(r.Body) == 2 && !x.cipher[from]:
		if r.Body[1] != tls.CloseNotify {
			x.setAlert(from, client, tls.AlertName(r.Body[1]), at)
		}
	case x.records[0]+x.records[1] == 0:
		// A sealed alert before any data: not the close_notify of a session.
		x.setAlert(from, client, "encrypted", at)
	}
}

func (x *secure) setAlert(from, client tcp.Side, name string, at Event) {
	x.out.Alert, x.out.AlertAt, x.out.AlertBy = name, at, Broker
	if from == client {
		x.out.AlertBy = Client
	}
}

func (x *secure) sealed(from, client tcp.Side, r tls.Record, at Event) {
	x.records[from]++
	if !x.firstSealed[from].Seen() {
		x.firstSealed[from] = at
	}
	hello, _ := x.conn.Hello(int(1 - client))
	new := hello.Version == "1.3"
	if from == client {
		if new && x.records[from] == 1 && r.Length == sealedAlert {
			// A Finished is larger: this client refuses the broker.
			x.setAlert(from, client, "encrypted", at)
			return
		}
		// The first sealed record of TLS 1.3 is the client's Finished, alone or
		// behind its certificate in one flight; what comes in a later packet
		// is data.
		if new && (at.Packet == x.firstSealed[from].Packet || r.Length == sealedAlert) {
			return
		}
		if x.out.DataRecords++; !x.out.FirstData.Seen() {
			x.out.FirstData = at
		}
		return
	}
	if new && !x.firstSealed[client].Seen() {
		return // the server's own handshake messages
	}
	switch {
	case !new:
		x.out.AnswerRecords++
	case r.Length == sealedAlert:
		if x.out.AnswerRecords == 0 && x.out.Alert == "" && !x.out.Finished {
			x.setAlert(from, client, "encrypted", at)
		}
	case r.Length > ticketSize:
		x.out.Finished = true // a ticket: the handshake succeeded for the server
	default:
		x.out.AnswerRecords++
	}
}

// result is what was seen; lost says that it may not be all.
func (x *secure) result() (t *TLS, lost bool) {
	out := x.out
	if hello, ok := x.conn.Hello(int(x.client)); ok {
		out.SNI, out.ALPN, out.Random = hello.SNI, hello.ALPN, binary.BigEndian.Uint64(hello.Random[:])
	}
	if hello, ok := x.conn.Hello(int(1 - x.client)); ok {
		out.Version = hello.Version
	}
	if out.AnswerRecords > 0 || out.Version != "1.3" && x.cipher[0] && x.cipher[1] && out.FirstData.Seen() {
		out.Finished = true
	}
	return &out, x.conn.Lost(0) || x.conn.Lost(1)
}
