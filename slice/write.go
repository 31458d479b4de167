package slice

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/link"
)

// Input is a capture that can be read from its beginning, again and again.
type Input struct {
	// Index is the number that its sessions' Origin has.
	Index int
	Open  func() (capture.Source, error)
}

// Options say how a slice is written.
type Options struct {
	// Ports are those that the analysis had.
	Ports []uint16
	// Redact replaces what names devices, people and places.
	Redact bool
	// Key is what pseudonyms, and the tags that tell masked values apart, are made
	// under; without one it is drawn.
	Key []byte
}

// Result says what was written.
type Result struct {
	Packets, Connections int
	// Lost counts the packets that could not be kept whole: fragments of which
	// nothing tells what they are of.
	Lost int
}

// Write writes the slice that a plan has chosen as a pcapng file. Every block is
// one call of w.Write. The captures must be those that were analysed, unchanged.
func Write(w io.Writer, plan *Plan, inputs []Input, o Options) (Result, error) {
	var r Result
	key := o.Key
	if len(key) == 0 {
		key = make([]byte, 32)
		rand.Read(key) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	}
	file, err := pcapfile.NewWriter(w, "mqttriage")
	if err != nil {
		return r, err
	}
	symptoms := map[int]string{}
	for i, n := range plan.Numbers {
		symptoms[n] = plan.Findings[i].Symptom
	}
	interfaces := map[iface]int{}
	var redact *redactor
	if o.Redact {
		redact = newRedactor(key)
	}
	for _, in := range inputs {
		one := &writer{
			plan: plan, options: o, file: file, symptoms: symptoms, interfaces: interfaces, seen: map[seenInterface]int{},
			survey: survey{tagger: tagger{key}, places: map[uint32]int{}}, result: &r,
		}
		one.redact = redact
		for _, s := range plan.Sessions {
			if s.Origin.Index == in.Index {
				one.places[s.Number] = len(one.sessions)
				one.sessions = append(one.sessions, s)
			}
		}
		if len(one.sessions) == 0 {
			continue
		}
		if err := one.write(in); err != nil {
			return r, err
		}
	}
	return r, nil
}

// writer writes what a slice has of one capture.
type writer struct {
	survey
	plan     *Plan
	options  Options
	file     *pcapfile.Writer
	symptoms map[int]string
	sessions []*decode.Session
	notes    []note
	// interfaces are the file's, by what they were.
	interfaces map[iface]int
	// seen are the same by their number in the capture, of which it may have
	// thousands.
	seen   map[seenInterface]int
	result *Result

	source capture.Source
	tracer *decode.Tracer
	// last is, by the hash of a 4-tuple, the place of the connection that had it
	// last: a straggler is its.
	last      map[uint32]int
	fragments fragments
	layers    []link.Layer
	scratch   []byte
	// end is the latest packet of the capture, at the time of the latest written.
	end capture.Packet
	at  int64
}

// iface is an interface of a capture.
type iface struct {
	link capture.LinkType
	name string
}

type seenInterface struct {
	index int
	link  capture.LinkType
}

func (w *writer) write(in Input) error {
	w.records = make([]record, len(w.sessions))
	w.fragments = fragments{open: map[link.DatagramKey][]piecePacket{}, parts: map[int]part{}}
	opts := decode.Options{Ports: w.options.Ports}
	w.tracer = decode.NewTracer(opts, w.survey.follow)
	if w.redact != nil {
		w.tracer.TellAll()
	}
	if err := w.each(in, w.look); err != nil {
		return err
	}
	w.tracer.Close()
	w.result.Connections += len(w.sessions)

	w.fragments.open, w.fragments.order = nil, nil
	if len(w.fragments.parts) > 0 {
		w.tracer = decode.NewTracer(opts, nil)
		if err := w.each(in, w.sum); err != nil {
			return err
		}
	}
	w.notes = w.plan.notes(w.sessions)
	if err := w.names(); err != nil {
		return err
	}
	w.tracer = decode.NewTracer(opts, nil)
	w.last = map[uint32]int{}
	if err := w.each(in, w.packet); err != nil {
		return err
	}
	return w.finish()
}

// each calls do for every packet of the capture.
func (w *writer) each(in Input, do func(*capture.Packet) error) error {
	source, err := in.Open()
	if err != nil {
		return err
	}
	defer source.Close() // read only
	w.source = source
	for {
		p, err := source.Next()
		var cut *capture.TruncatedError
		var damaged *capture.DamagedError
		switch {
		case err == nil:
		case err == io.EOF, errors.As(err, &cut), errors.As(err, &damaged):
			return nil // as far as it goes, like the analysis
		default:
			return err
		}
		if err := do(&p); err != nil {
			return err
		}
	}
}

// look takes a packet for the second time.
func (w *writer) look(p *capture.Packet) error {
	t := w.tracer.Add(p)
	if t.Reason != link.Fragment && t.Segment.Fragments == 0 {
		return nil
	}
	place := -1
	if t.Conn != nil {
		if known, ok := w.places[t.Conn.Number]; ok {
			place = known
		}
	}
	w.fragments.see(p, &t, place)
	return nil
}

// packet takes a packet for the third time.
func (w *writer) packet(p *capture.Packet) error {
	if p.Nano >= w.end.Nano {
		w.end = *p
		w.end.Data = nil
	}
	t := w.tracer.Add(p)
	place, ours := 0, false
	if t.Reason == link.OK {
		place, ours = w.place(&t)
	}
	part, fragment := w.fragments.parts[p.Number]
	if !ours && !fragment {
		return nil
	}
	w.scratch = append(w.scratch[:0], p.Data...)
	if fragment && !w.maskPart(p, part) || !fragment && !w.mask(p, &t, &w.records[place]) {
		w.result.Lost++
		return nil
	}
	return w.put(p, w.scratch)
}

// place is that of the packet's connection; false where it is not to be kept.
func (w *writer) place(t *decode.Traced) (int, bool) {
	if t.Conn == nil {
		place, ok := w.last[t.Hash]
		return place, ok && w.records[place].has(t.Segment)
	}
	place, ok := w.places[t.Conn.Number]
	if !ok {
		delete(w.last, t.Hash)
		return 0, false
	}
	w.last[t.Hash] = place
	return place, true
}

// has reports whether a segment is of the connection's 4-tuple.
func (r *record) has(s *link.Segment) bool {
	return r.ends == [2]link.Endpoint{s.Src, s.Dst} || r.ends == [2]link.Endpoint{s.Dst, s.Src}
}

// mask overwrites the secrets in a packet's copy. It reports false where they
// cannot be found.
func (w *writer) mask(p *capture.Packet, t *decode.Traced, r *record) bool {
	s := t.Segment
	at := cap(p.Data) - cap(s.Payload)
	if s.Fragments > 0 || at < 0 || at+len(s.Payload) > len(w.scratch) {
		return false
	}
	payload := w.scratch[at : at+len(s.Payload)]
	if len(payload) > 0 {
		before := sumAt(payload, 0)
		if r.overwrite(payload, s) && w.redact == nil {
			fixTCP(w.scratch, at, s, before, sumAt(payload, 0))
		}
		// Padding may hold what was in the sender's memory before, and a frame check
		// sequence would confirm a guess at what was overwritten.
		clear(w.scratch[at+len(payload):])
	}
	if w.redact == nil {
		return true
	}
	w.layers = link.Layers(p, w.layers[:0])
	if n := len(w.layers); n == 0 || w.layers[n-1].Kind != link.LayerTCP || w.layers[n-1].Behind != at {
		return false // there may be addresses that were not found
	}
	w.redact.frame(p.Data, w.scratch, w.layers)
	return true
}

// overwrite overwrites what is secret in a segment's payload, and what is no part of
// the stream as it was understood.
func (r *record) overwrite(payload []byte, s *link.Segment) bool {
	side := &r.sides[0]
	if s.Src != r.ends[0] {
		side = &r.sides[1]
	}
	seq := s.Seq
	if s.Flags&link.SYN != 0 {
		seq++
	}
	if !side.known {
		return spans{{from: 0, to: endless}}.overwrite(payload, 0)
	}
	// The offset nearest to the stream's end has the right upper half for all
	// streams below 2 GiB; a longer one's secrets lie at its beginning.
	off := int64(int32(seq - side.base))
	changed := false
	if side.end > 1<<31 {
		off = side.end + int64(int32(seq-side.base-uint32(side.end)))
		if begin := int64(seq - side.base); begin < 1<<31 && !r.recent {
			changed = side.spans.overwrite(payload, begin)
		}
	}
	changed = side.spans.overwrite(payload, off) || changed
	outside := spans{{from: -endless, to: 0}, {from: side.end, to: endless}}
	return outside.overwrite(payload, off) || changed
}

// put writes a packet with its comments.
func (w *writer) put(p *capture.Packet, data []byte) error {
	for len(w.notes) > 0 && w.notes[0].packet < p.Number {
		w.notes = w.notes[1:]
	}
	n := 0
	for n < len(w.notes) && w.notes[n].packet == p.Number {
		n++
	}
	comment := w.comment(w.notes[:n])
	w.notes = w.notes[n:]
	return w.emit(p, data, comment)
}

func (w *writer) emit(p *capture.Packet, data []byte, comment string) error {
	index, err := w.iface(p)
	if err != nil {
		return err
	}
	w.at = max(w.at, p.Nano)
	w.result.Packets++
	return w.file.Packet(&capture.Packet{Nano: p.Nano, Length: p.Length, Interface: index, Data: data}, comment)
}

// iface is the file's interface for a packet's.
func (w *writer) iface(p *capture.Packet) (int, error) {
	from := seenInterface{p.Interface, p.Link}
	if index, ok := w.seen[from]; ok {
		return index, nil
	}
	i := iface{link: p.Link}
	if names := w.source.Info().Interfaces; w.redact == nil && p.Interface < len(names) {
		i.name = names[p.Interface]
	}
	index, ok := w.interfaces[i]
	if !ok {
		var err error
		if index, err = w.file.Interface(i.link, i.name); err != nil {
			return 0, fmt.Errorf("more interfaces than a file can have: %w", err)
		}
		w.interfaces[i] = index
	}
	w.seen[from] = index
	return index, nil
}

// finish says how long the capture went on: silence until then is part of what
// findings say.
func (w *writer) finish() error {
	if w.at >= w.end.Nano || w.end.Length == 0 {
		return nil
	}
	return w.emit(&w.end, nil, "the capture went on until here; this packet is of another connection and left out")
}

// names writes the host names of the brokers' addresses.
func (w *writer) names() error {
	if w.redact != nil {
		return nil
	}
	var done []string
	for _, s := range w.sessions {
		addr := s.Broker.Addr()
		name := s.Origin.Names[addr]
		if key := addr.String(); name != "" && len(name) <= 255 && !slices.Contains(done, key) && len(done) < 1000 {
			done = append(done, key)
			if err := w.file.Name(addr, name); err != nil {
				return err
			}
		}
	}
	return nil
}
