package decode

import (
	"github.com/mqttriage/mqttriage/decode/tcp"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// secure follows a TLS connection from outside. It tells who ended the
// handshake with an alert and whether the broker sent anything that could be a
// CONNACK.
type secure struct {
	scanner [2]tls.Scanner
	// hello gathers the handshake fragments up to the first whole message;
	// after that it is nil and heard is set.
	hello  [2][]byte
	heard  [2]bool
	cipher [2]bool // ChangeCipherSpec seen: handshake and alert records are sealed

	// firstSealed and lastSealed are the packets with each side's first and
	// latest application-data record; records counts them.
	firstSealed [2]Event
	records     [2]int
	out         TLS
}

const (
	// sealedAlert is an alert of TLS 1.3: two bytes, the content type and a
	// tag of 16 (RFC 8446 §5.2).
	sealedAlert = 19
	// ticketSize separates a NewSessionTicket of TLS 1.3 from a CONNACK: a
	// ticket is larger than 160 bytes with every common library, and a CONNACK
	// with all its numeric properties and a short reason is smaller.
	ticketSize = 160
	// maxHello bounds a hello that spans records.
	maxHello = 16 << 10
)

// feed follows the bytes of one side.
func (x *secure) feed(from tcp.Side, client tcp.Side, p []byte, at Event) {
	x.scanner[from].Feed(p, func(r tls.Record) {
		switch r.Type {
		case tls.Handshake:
			x.handshake(from, client, r)
		case tls.ChangeCipherSpec:
			x.cipher[from] = true
		case tls.Alert:
			x.alert(from, client, r, at)
		case tls.ApplicationData:
			x.sealed(from, client, r, at)
		}
	})
}

func (x *secure) handshake(from, client tcp.Side, r tls.Record) {
	if x.heard[from] {
		return
	}
	x.hello[from] = append(x.hello[from], r.Body...)
	h, whole := tls.ParseHello(x.hello[from])
	if !whole && len(x.hello[from]) < maxHello {
		return
	}
	x.heard[from], x.hello[from] = true, nil
	if from == client {
		x.out.SNI, x.out.ALPN = h.SNI, h.ALPN
	} else {
		x.out.Version = h.Version
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
	new := x.out.Version == "1.3"
	if from == client {
		if new && x.records[from] == 1 && r.Length == sealedAlert {
			// A Finished is larger: this client refuses the broker.
			x.setAlert(from, client, "encrypted", at)
			return
		}
		// The first sealed record of TLS 1.3 is the client's Finished, alone or
		// behind its certificate in one flight; what comes in a later packet
		// is data.
		if !x.out.FirstData.Seen() && (!new || at.Packet != x.firstSealed[from].Packet) {
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
	if out.AnswerRecords > 0 || out.Version != "1.3" && x.cipher[0] && x.cipher[1] && out.FirstData.Seen() {
		out.Finished = true
	}
	return &out, x.scanner[0].Lost() || x.scanner[1].Lost()
}
