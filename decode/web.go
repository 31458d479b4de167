package decode

import (
	"github.com/mqttriage/mqttriage/decode/http"
	"github.com/mqttriage/mqttriage/decode/ws"
)

// web follows an HTTP request and its answer, and the WebSocket that may come of
// them (RFC 6455 §4).
type web struct {
	budget *ws.Budget
	head   [2]http.Head
	// heard says that a head has been read, blind that a direction cannot be
	// followed any more. over says that no WebSocket comes of it.
	heard, blind [2]bool
	over         bool
	// frames undo the framing, once both have agreed on it. held is what came
	// from the client before that: packets of two directions may be captured
	// in another order. heldGap says that more came than is held.
	frames  [2]*ws.Reader
	held    []byte
	heldGap bool
	out     HTTP
}

// The directions of a web.
const (
	fromClient = iota
	fromServer
)

const (
	// switching is the status that an upgrade is agreed to with (RFC 9110
	// §15.2.2).
	switching = 101
	// maxWebHeld is what is held of a client at most: a CONNECT, commonly, and
	// nothing before it is answered.
	maxWebHeld = 16 << 10
)

func newWeb(budget *ws.Budget) *web { return &web{budget: budget} }

// feed takes the next bytes of a direction, and calls yield with what WebSocket
// messages carry. What the client sent before the server agreed comes when it
// does. A payload is valid during the call only, and must not be changed.
func (w *web) feed(client bool, p []byte, yield func(client bool, payload []byte)) {
	from := direct(client)
	if w.over || w.blind[from] {
		return
	}
	if !w.heard[from] {
		m, rest := w.head[from].Feed(p)
		if m == nil {
			return
		}
		w.heard[from] = true
		if m.Cut {
			w.miss(from)
			return
		}
		if client {
			w.ask(m)
		} else {
			w.answer(m, yield)
		}
		p = rest
	}
	switch {
	case w.over || w.blind[from]:
	case w.frames[from] != nil:
		w.frames[from].Feed(p, func(payload []byte) { yield(client, payload) })
		w.note(from)
	case !w.out.Upgrade || w.heldGap || !w.budget.Grow(&w.held, p, maxWebHeld):
		w.heldGap = true
	}
}

func (w *web) ask(m *http.Message) {
	w.out.Method, w.out.Path, w.out.Upgrade = m.Method, m.Path, m.Upgrade
	w.out.Subprotocol, w.out.Protocols = m.MQTT, m.Protocols
}

// answer reads the server's answer. A WebSocket is followed whatever its
// subprotocol: there are brokers that never name it.
func (w *web) answer(m *http.Message, yield func(client bool, payload []byte)) {
	w.out.Status, w.out.Accepted, w.out.Protocol = m.Status, m.MQTT, m.Protocol
	if m.Status != switching || !m.Upgrade {
		w.release()
		return
	}
	client, server := ws.Options{Budget: w.budget}, ws.Options{Budget: w.budget}
	if d := m.Deflate; d != nil {
		client.Inflate, client.NoContext = true, d.ClientNoContext
		server.Inflate, server.NoContext = true, d.ServerNoContext
	}
	w.frames = [2]*ws.Reader{ws.NewReader(client), ws.NewReader(server)}
	if !w.blind[fromClient] {
		w.frames[fromClient].Feed(w.held, func(payload []byte) { yield(true, payload) })
		w.note(fromClient)
		w.blind[fromClient] = w.heldGap
	}
	w.budget.Drop(&w.held)
}

// closed reports that a direction has sent a Close frame.
func (w *web) closed(client bool) bool {
	frames := w.frames[direct(client)]
	if frames == nil {
		return false
	}
	_, closed := frames.Closed()
	return closed
}

// unread reports that frames of a direction could not be read.
func (w *web) unread(client bool) bool {
	from := direct(client)
	return w.blind[from] || w.frames[from] != nil && w.frames[from].Lost()
}

// note keeps what the frames of a direction told.
func (w *web) note(from int) {
	w.out.Text = w.out.Text || w.frames[from].Text()
	if code, ok := w.frames[from].Closed(); ok && w.out.CloseCode == 0 {
		w.out.CloseCode = code
	}
}

// skip says that the next n bytes of a direction are missing, and calls gap
// with n where they all were payload.
func (w *web) skip(client bool, n int64, gap func(n int64)) {
	from := direct(client)
	switch {
	case w.over || w.blind[from]:
	case !w.heard[from]:
		w.miss(from)
	case w.frames[from] != nil:
		w.frames[from].Skip(n, gap)
		w.note(from)
	default:
		w.heldGap = true
	}
}

// miss says that the head of a direction cannot be read. Without the server's
// nothing is known of the frames.
func (w *web) miss(from int) {
	w.blind[from] = true
	if from == fromServer {
		w.release()
	}
}

// lost reports that bytes of a direction could not be followed.
func (w *web) lost() bool {
	for from := range w.blind {
		if w.blind[from] || w.frames[from] != nil && w.frames[from].Lost() {
			return true
		}
	}
	return false
}

// release wipes and gives back what is held. What was learnt can still be asked.
func (w *web) release() {
	if w.over {
		return
	}
	for from, r := range w.frames {
		if r != nil {
			w.blind[from] = w.blind[from] || r.Lost()
			r.Release()
		}
	}
	w.budget.Drop(&w.held)
	*w = web{blind: w.blind, over: true, out: w.out}
}

func direct(client bool) int {
	if client {
		return fromClient
	}
	return fromServer
}
