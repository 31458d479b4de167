package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// A write is what one side of a connection sent, after it had read needs bytes
// of the other's; missing says that the capture does not have it.
type write struct {
	from    int
	b       []byte
	needs   int
	missing bool
}

// pieces cuts writes to a size.
func pieces(writes []write, size int) (cut []write) {
	for _, w := range writes {
		for ; len(w.b) > size; w.b = w.b[size:] {
			cut = append(cut, write{w.from, w.b[:size], w.needs, w.missing})
		}
		cut = append(cut, w)
	}
	return cut
}

// shuffle cuts writes at random and gives them in another order in which an
// observer may see them: no byte comes before one that its sender had read.
func shuffle(r *mrand.Rand, writes []write) (out []write) {
	var queue [2][]write
	for _, w := range writes {
		queue[w.from] = append(queue[w.from], w)
	}
	var sent [2]int
	for len(queue[0])+len(queue[1]) > 0 {
		from := r.IntN(2)
		if len(queue[from]) == 0 || queue[from][0].needs > sent[1-from] {
			continue
		}
		w := queue[from][0]
		if len(w.b) > 1 {
			n := 1 + r.IntN(len(w.b))
			queue[from][0].b = w.b[n:]
			w.b = w.b[:n]
			if len(queue[from][0].b) == 0 {
				queue[from] = queue[from][1:]
			}
		} else {
			queue[from] = queue[from][1:]
		}
		sent[from] += len(w.b)
		out = append(out, w)
	}
	return out
}

// follow feeds writes to a Conn and gives copies of the records.
func follow(c *Conn, writes []write) (got [2][]Record) {
	for _, w := range writes {
		if w.missing {
			c.Skip(w.from, int64(len(w.b)))
			continue
		}
		b := bytes.Clone(w.b)
		c.Feed(w.from, b, func(from int, r Record) {
			r.Body = bytes.Clone(r.Body)
			got[from] = append(got[from], r)
		})
		clear(b) // what is fed is not kept
	}
	return got
}

// stream is one direction of a connection in memory.
type stream struct {
	mu    sync.Mutex
	ready sync.Cond
	b     []byte
	ended bool
}

// endpoint is one side of a connection in memory that records what it writes.
type endpoint struct {
	in, out *stream
	from    int
	read    int
	log     *dialog
}

func (e *endpoint) Read(p []byte) (int, error) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	for len(e.in.b) == 0 {
		if e.in.ended {
			return 0, io.EOF
		}
		e.in.ready.Wait()
	}
	n := copy(p, e.in.b)
	e.in.b = e.in.b[n:]
	e.log.mu.Lock()
	e.read += n
	e.log.mu.Unlock()
	return n, nil
}

func (e *endpoint) Write(p []byte) (int, error) {
	e.log.mu.Lock()
	e.log.writes = append(e.log.writes, write{from: e.from, b: bytes.Clone(p), needs: e.read})
	e.log.mu.Unlock()
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	e.out.b = append(e.out.b, p...)
	e.out.ready.Broadcast()
	return len(p), nil
}

func (e *endpoint) Close() error {
	for _, s := range []*stream{e.in, e.out} {
		s.mu.Lock()
		s.ended = true
		s.ready.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

func (e *endpoint) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (e *endpoint) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (e *endpoint) SetDeadline(time.Time) error      { return nil }
func (e *endpoint) SetReadDeadline(time.Time) error  { return nil }
func (e *endpoint) SetWriteDeadline(time.Time) error { return nil }

// dialog is a recorded connection: side 0 is the client.
type dialog struct {
	mu     sync.Mutex
	writes []write
	keylog bytes.Buffer
	// sent are the contents of each side.
	sent [2][]byte
	err  [2]error
}

func (d *dialog) keys() *Keys {
	k := new(Keys)
	k.Add(d.keylog.Bytes())
	return k
}

var (
	question = bytes.Repeat([]byte("what is the password? "), 10)
	answer   = bytes.Repeat([]byte("swordfish "), 3000) // more than one record
)

// converse records a connection of Go's TLS: a question, an answer, another
// question, the end.
func converse(t testing.TB, client, server *tls.Config) *dialog {
	t.Helper()
	d := new(dialog)
	var ways [2]*stream
	for i := range ways {
		ways[i] = new(stream)
		ways[i].ready.L = &ways[i].mu
	}
	client, server = client.Clone(), server.Clone()
	client.KeyLogWriter = &d.keylog
	client.InsecureSkipVerify = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := tls.Server(&endpoint{in: ways[0], out: ways[1], from: 1, log: d}, server)
		defer c.Close()
		if _, d.err[1] = io.ReadFull(c, make([]byte, len(question))); d.err[1] == nil {
			c.Write(answer)
			d.sent[1] = answer
			_, d.err[1] = io.Copy(io.Discard, c)
		}
	}()
	c := tls.Client(&endpoint{in: ways[1], out: ways[0], from: 0, log: d}, client)
	if _, d.err[0] = c.Write(question); d.err[0] == nil {
		if _, d.err[0] = io.ReadFull(c, make([]byte, len(answer))); d.err[0] == nil {
			c.Write(question)
			d.sent[0] = append(append([]byte{}, question...), question...)
		}
	}
	c.Close()
	<-done
	return d
}

// contents are the application data that was opened, and whether all that was
// sealed was.
func contents(records []Record) (data []byte, all bool) {
	all = true
	for i, r := range records {
		if r.Opened && r.Type == ApplicationData {
			data = append(data, r.Body...)
		}
		changed := i > 0 && records[i-1].WireType == ChangeCipherSpec
		if !r.Opened && (r.WireType == ApplicationData || changed && r.WireType == Handshake && r.Body == nil) {
			all = false
		}
	}
	return data, all
}

// mustOpen checks that a dialog opens, whole and in many orders.
func mustOpen(t *testing.T, d *dialog) *Conn {
	t.Helper()
	keys := d.keys()
	r := mrand.New(mrand.NewPCG(1, 2))
	var last *Conn
	for round := range 12 {
		writes := d.writes
		switch {
		case round == 1:
			writes = pieces(writes, 1)
		case round > 1:
			writes = shuffle(r, writes)
		}
		c := NewConn(keys, nil)
		got := follow(c, writes)
		for from := range got {
			data, all := contents(got[from])
			if !all || !bytes.Equal(data, d.sent[from]) || c.Lost(from) {
				t.Fatalf("round %d, side %d: %d bytes of %d, all opened %v, lost %v", round, from, len(data), len(d.sent[from]), all, c.Lost(from))
			}
		}
		last = c
	}
	return last
}

// rsaKey is made once: that takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// selfSigned makes a certificate.
func selfSigned(t testing.TB, name string, withRSA bool) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "*." + name},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(1800000000, 0),
	}
	key := crypto.Signer(rsaKey())
	if !withRSA {
		key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
