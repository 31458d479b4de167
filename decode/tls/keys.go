package tls

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
)

// Keys holds the secrets of NSS key logs (RFC 9850), by client random. Its
// zero value is ready. They are never printed and never written: every verb of
// fmt gives the same words.
//
// Add and a Conn that uses the keys may not run at the same time; several Conns
// may share them.
type Keys struct {
	// Base, if not nil, is asked for what is not here: the secrets that all
	// captures of a run share.
	Base *Keys
	// sessions hides the secrets behind functions: fmt reaches unexported
	// fields by reflection, follows pointers for some verbs, and calls nothing.
	sessions map[random]func() *secrets
	// order are the randoms as they came, a ring once it is full; oldest is
	// its begin.
	order  []random
	oldest int
}

type random [32]byte

// A label is what a line of a key log calls its secret.
type label int

const (
	master label = iota
	clientEarly
	clientHandshake
	serverHandshake
	clientApplication
	serverApplication
	labels
)

var labelNames = map[string]label{
	"CLIENT_RANDOM":                   master,
	"CLIENT_EARLY_TRAFFIC_SECRET":     clientEarly,
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET": clientHandshake,
	"SERVER_HANDSHAKE_TRAFFIC_SECRET": serverHandshake,
	"CLIENT_TRAFFIC_SECRET_0":         clientApplication,
	"SERVER_TRAFFIC_SECRET_0":         serverApplication,
}

const (
	// maxSecret is the size of a master secret (RFC 5246 §8.1) and of a secret
	// of SHA-384; one of SHA-256 has 32 bytes.
	maxSecret = 48
	// maxSessions bounds the client randoms that are kept; all of them take
	// about 50 MB.
	maxSessions = 1 << 17
)

// secrets are those of one client random.
type secrets [labels]secret

type secret struct {
	size uint8 // 0 when it is not known
	b    [maxSecret]byte
}

func (s *secret) bytes() []byte { return s.b[:s.size] }

// Add takes whole lines of a key log. It ignores comments, labels that open no
// record (EXPORTER_SECRET) and whatever is malformed, and returns how many lines
// it took.
//
// Beyond 131,072 client randoms the oldest are dropped: logs are appended to,
// and secrets inside a capture come with their connections, so that the newest
// are those to come. Of two values for a label and random the last is taken, as
// Wireshark does: a device whose random generator repeats itself is still
// opened where each connection's secrets come before it.
func (k *Keys) Add(log []byte) (taken int) {
	for line := range bytes.Lines(log) {
		name, rest, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		l, known := labelNames[string(name)]
		of, value, _ := bytes.Cut(rest, []byte(" "))
		size := hex.DecodedLen(len(value))
		if !known || len(of) != hex.EncodedLen(len(random{})) || size != maxSecret && (size != 32 || l == master) {
			continue
		}
		var r random
		s := secret{size: uint8(size)}
		if _, err := hex.Decode(r[:], of); err != nil {
			continue
		}
		if _, err := hex.Decode(s.b[:], value); err != nil {
			continue
		}
		k.session(r)[l] = s
		taken++
	}
	return taken
}

// session finds or makes the place of a client random's secrets.
func (k *Keys) session(r random) *secrets {
	if s := k.sessions[r]; s != nil {
		return s()
	}
	if k.sessions == nil {
		k.sessions = map[random]func() *secrets{}
	}
	if len(k.order) < maxSessions {
		k.order = append(k.order, r)
	} else {
		delete(k.sessions, k.order[k.oldest])
		k.order[k.oldest] = r
		k.oldest = (k.oldest + 1) % maxSessions
	}
	s := new(secrets)
	k.sessions[r] = func() *secrets { return s }
	return s
}

// Len is how many client randoms there are secrets of, Base's included. A nil
// Keys has none.
func (k *Keys) Len() int {
	if k == nil {
		return 0
	}
	return len(k.sessions) + k.Base.Len()
}

// lookup finds a client random's secrets; nil when there are none. What is missing
// here comes from Base: a capture may hold the secrets of one side, the key log
// those of the other.
func (k *Keys) lookup(r random) *secrets {
	if k == nil {
		return nil
	}
	further := k.Base.lookup(r)
	here := k.sessions[r]
	switch {
	case here == nil:
		return further
	case further == nil:
		return here()
	}
	all := *here()
	for l := range all {
		if all[l].size == 0 {
			all[l] = further[l]
		}
	}
	return &all
}

const redacted = "tls.Keys(secret)"

// String names the type and nothing else.
func (k Keys) String() string { return redacted }

// GoString names the type and nothing else.
func (k Keys) GoString() string { return redacted }

// Format names the type and nothing else, for every verb.
func (k Keys) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
