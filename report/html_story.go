package report

import (
	"cmp"
	"hash/maphash"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// htmlStory is what the pictures need of every session, some 70 bytes each:
// records are many times as large and are made one by one.
type htmlStory struct {
	moments []htmlMoment // in order of time
	hosts   []string     // the client addresses, in the order in which they come
	// takeovers pairs a session with the one that it ended, as places in
	// moments.
	takeovers   [][2]int32
	first, last int64
	untimed     int // sessions of which no time is known
	latencies   []float64
}

// htmlMoment is one session in brief. Times are in nanoseconds of the Unix era,
// 0 where unknown.
type htmlMoment struct {
	start, connack, end int64
	id, client          uint64 // hashes of the client ID at its broker, and of that at its address; 0 without an ID
	record              int32  // its place in the document
	host                int32
	endedBy             int32 // the session that took this one over, or -1
	outcome             decode.Outcome
	code                uint8
	open, byBroker      bool
}

// trouble reports a session that was not accepted, or taken over.
func (m *htmlMoment) trouble() bool { return m.outcome != decode.Accepted || m.endedBy >= 0 }

// htmlStoryOf reads every record once.
func htmlStoryOf(doc *Document) *htmlStory {
	s := &htmlStory{moments: make([]htmlMoment, 0, doc.Sessions.Len())}
	until := map[string]int64{}
	for _, c := range doc.Captures {
		until[c.Name] = max(until[c.Name], nanoOf(c.Last))
	}
	hosts := map[string]int32{}
	seed := maphash.MakeSeed()
	for i := range doc.Sessions.Len() {
		r := doc.Sessions.At(i)
		if r.ConnackMS != nil {
			s.latencies = append(s.latencies, *r.ConnackMS)
		}
		m := htmlMoment{
			record: int32(i), endedBy: -1, outcome: r.Outcome, byBroker: r.ClosedBy == decode.Broker,
			start: cmp.Or(nanoOf(r.Opened), nanoOf(r.Connect), nanoOf(r.Connack), nanoOf(r.Closed)), connack: nanoOf(r.Connack), end: nanoOf(r.Closed),
		}
		if m.start == 0 {
			s.untimed++
			continue
		}
		if m.end == 0 {
			m.open, m.end = true, until[r.Capture]
		}
		m.end = max(m.end, m.start)
		if n, err := strconv.ParseUint(r.Code, 0, 8); err == nil {
			m.code = uint8(n)
		}
		name := htmlHost(r.Client)
		host, known := hosts[name]
		if !known {
			host = int32(len(s.hosts))
			hosts[name] = host
			s.hosts = append(s.hosts, name)
		}
		m.host = host
		id := htmlIDOf(&r)
		var h maphash.Hash
		h.SetSeed(seed)
		h.WriteString(r.Broker) //nolint:errcheck // a hash takes everything
		h.WriteByte(0)          //nolint:errcheck
		h.WriteString(id)       //nolint:errcheck
		if id != "" {
			m.id = h.Sum64()
		}
		h.WriteByte(0)      //nolint:errcheck
		h.WriteString(name) //nolint:errcheck
		m.client = h.Sum64()
		s.moments = append(s.moments, m)
	}
	slices.SortFunc(s.moments, func(a, b htmlMoment) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.record, b.record))
	})
	s.span()
	s.findTakeovers()
	return s
}

// htmlIDOf is the client ID that the session went by.
func htmlIDOf(r *decode.Record) string {
	if r.ClientID != nil && *r.ClientID != "" {
		return *r.ClientID
	}
	return r.ClientIDAssigned
}

// htmlHost is the address without the port.
func htmlHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return cut(host, 100)
	}
	return cut(address, 100)
}

// nanoOf is a time in nanoseconds, 0 for one that is unknown or cannot be
// counted so.
func nanoOf(t decode.Stamp) int64 {
	at := time.Time(t)
	if at.IsZero() || at.Before(time.Unix(0, 1)) || at.Unix() >= math.MaxInt64/int64(time.Second) {
		return 0
	}
	return at.UnixNano()
}

// span is from the first session's begin to the last one's end.
func (s *htmlStory) span() {
	if len(s.moments) == 0 {
		return
	}
	s.first = s.moments[0].start
	for i := range s.moments {
		s.last = max(s.last, s.moments[i].end)
	}
	s.last = max(s.last, s.first+int64(time.Millisecond))
}

// htmlTakeoverAfter is how long a broker takes at most to end a session for
// another one of the same client ID.
const htmlTakeoverAfter = int64(2 * time.Second)

// findTakeovers pairs each accepted session that the broker ended with the
// session of the same client ID that it accepted at that moment. One that ended
// before the other's connection opened ended for another reason.
func (s *htmlStory) findTakeovers() {
	var news []int32
	for i := range s.moments {
		if m := &s.moments[i]; m.id != 0 && m.outcome == decode.Accepted && m.connack != 0 {
			news = append(news, int32(i))
		}
	}
	slices.SortFunc(news, func(a, b int32) int {
		x, y := &s.moments[a], &s.moments[b]
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.connack, y.connack), cmp.Compare(a, b))
	})
	const most = 64 // sessions that are tried, for one of them is the next
	for at, i := range news {
		old := &s.moments[i]
		if !old.byBroker || old.open {
			continue
		}
		for _, j := range news[at+1 : min(at+1+most, len(news))] {
			next := &s.moments[j]
			if next.id != old.id || next.connack > old.end+htmlTakeoverAfter {
				break
			}
			if next.connack >= old.end-htmlTakeoverAfter && old.end >= next.start && next.connack > old.connack {
				old.endedBy = j
				s.takeovers = append(s.takeovers, [2]int32{j, i})
				break
			}
		}
	}
	slices.SortFunc(s.takeovers, func(a, b [2]int32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
}
