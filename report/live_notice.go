package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// NoticeEvent says what a Notice is of.
type NoticeEvent string

// The events.
const (
	EventStarted       NoticeEvent = "started"
	EventEnded         NoticeEvent = "ended"
	EventInterfaceDown NoticeEvent = "interface-down"
	EventInterfaceGone NoticeEvent = "interface-gone"
	EventInterfaceUp   NoticeEvent = "interface-up"
	// EventDropped: the kernel dropped packets before they were read.
	EventDropped NoticeEvent = "dropped"
	// EventEvicted: something was given up to stay within the memory allowed.
	EventEvicted NoticeEvent = "evicted"
	// EventEvidence: the packets of a handshake could not be kept.
	EventEvidence NoticeEvent = "evidence-failed"
	// EventClockSet: the system's clock was set, and with it the packets' times.
	EventClockSet NoticeEvent = "clock-set"
)

// Notice is news of a live capture that is of no finding. It has what its event needs;
// the functions below make them.
type Notice struct {
	Event NoticeEvent
	At    time.Time
	// Interfaces are those that it is of.
	Interfaces []string
	// Expression says which packets are captured.
	Expression string
	// Kind is what was evicted: one of connections, sessions, client-ids, findings.
	Kind string
	// Total is how many were dropped or evicted since the start, of Packets in all.
	Total, Packets uint64
	// File is that of the evidence.
	File string
	// Error is what went wrong, in English.
	Error string
	// By is how far the clock was set, back where it is negative.
	By time.Duration
	// Lasted, Sessions and Findings are of a capture that ended.
	Lasted             time.Duration
	Sessions, Findings int
}

// Started says what is captured.
func Started(at time.Time, interfaces []string, expression string) Notice {
	return Notice{Event: EventStarted, At: at, Interfaces: interfaces, Expression: expression}
}

// Ended says that the capture is over, and what it saw. dropped are packets.
func Ended(at time.Time, lasted time.Duration, sessions, findings int, dropped uint64) Notice {
	return Notice{Event: EventEnded, At: at, Lasted: lasted, Sessions: sessions, Findings: findings, Total: dropped}
}

// InterfaceDown says that an interface went down and is waited for.
func InterfaceDown(at time.Time, name string) Notice {
	return Notice{Event: EventInterfaceDown, At: at, Interfaces: []string{name}}
}

// InterfaceGone says that an interface is there no more and is waited for.
func InterfaceGone(at time.Time, name string) Notice {
	return Notice{Event: EventInterfaceGone, At: at, Interfaces: []string{name}}
}

// InterfaceUp says that an interface is back.
func InterfaceUp(at time.Time, name string) Notice {
	return Notice{Event: EventInterfaceUp, At: at, Interfaces: []string{name}}
}

// Dropped says how many packets the kernel has dropped at an interface since the start,
// and how many it saw, the dropped ones among them.
func Dropped(at time.Time, name string, dropped, seen uint64) Notice {
	return Notice{Event: EventDropped, At: at, Interfaces: []string{name}, Total: dropped, Packets: seen}
}

// Evicted says how many of a kind were given up since the start.
func Evicted(at time.Time, kind string, total uint64) Notice {
	return Notice{Event: EventEvicted, At: at, Kind: kind, Total: total}
}

// EvidenceFailed says why the evidence is not written.
func EvidenceFailed(at time.Time, file string, err error) Notice {
	return Notice{Event: EventEvidence, At: at, File: file, Error: err.Error()}
}

// ClockSet says that the clock was set, by how much; at is by the clock as it is now.
func ClockSet(at time.Time, by time.Duration) Notice {
	return Notice{Event: EventClockSet, At: at, By: by}
}

// noticeWords are the message and the severity of each event.
var noticeWords = map[NoticeEvent]struct {
	text     message
	severity string
}{
	EventStarted:       {noticeStarted, "info"},
	EventEnded:         {noticeEnded, "info"},
	EventInterfaceDown: {noticeDown, "warning"},
	EventInterfaceGone: {noticeGone, "warning"},
	EventInterfaceUp:   {noticeUp, "info"},
	EventDropped:       {noticeDropped, "warning"},
	EventEvicted:       {noticeEvicted, "warning"},
	EventEvidence:      {noticeEvidence, "error"},
	EventClockSet:      {noticeClock, "warning"},
}

// evictedKinds are the kinds of what is evicted, with a message for so many of one and
// the flag that allows more.
var evictedKinds = []struct {
	kind string
	text message
	flag string
}{
	{"connections", evictedConnections, "--max-connections"},
	{"sessions", evictedSessions, "--max-sessions"},
	{"client-ids", evictedClientIDs, "--max-client-ids"},
	{"findings", evictedFindings, "--max-findings"},
}

// severity is that of the event.
func (n Notice) severity() string { return noticeWords[n.Event].severity }

// subject is what it is about in a word: interfaces, a file, a kind; "-" for none.
func (n Notice) subject() string {
	switch {
	case len(n.Interfaces) > 0:
		return strings.Join(n.Interfaces, ",")
	case n.File != "":
		return n.File
	case n.Kind != "":
		return n.Kind
	}
	return "-"
}

// text is a sentence without a full stop, escaped.
func (n Notice) text(lang kb.Lang) string {
	v := values{"sessions": n.Sessions, "findings": n.Findings, "n": n.Total}
	v.has("names", inWords(escaped(n.Interfaces), 3, lang))
	v.has("what", Escape(shorten(n.Expression)))
	v.has("file", Escape(shorten(n.File)))
	v.has("error", Escape(cut(n.Error, maxText)))
	if n.Event == EventEnded {
		v["span"] = duration(n.Lasted, lang)
		if n.Total == 0 {
			delete(v, "n")
		}
	}
	if n.Event == EventClockSet {
		v["ahead"], v["span"] = n.By > 0, duration(n.By.Abs(), lang)
	}
	if n.Total > 0 && n.Packets >= n.Total {
		v["share"] = percentOf(n.Total, n.Packets)
	}
	for _, k := range evictedKinds {
		if k.kind == n.Kind {
			v["list"], v["flag"] = say(lang, k.text, values{"n": n.Total}), k.flag
		}
	}
	return say(lang, noticeWords[n.Event].text, v)
}

// escaped shortens and escapes names.
func escaped(names []string) []string {
	return each(names, func(name string) string { return Escape(shorten(name)) })
}

// percentOf is a part of a whole in per cent, never 0 and never 100 but where it is so.
func percentOf(part, whole uint64) string {
	percent := 100 * float64(part) / float64(whole)
	switch {
	case part == 0:
		return "0"
	case percent < 0.01:
		return "< 0.01"
	case percent < 1:
		return strconv.FormatFloat(percent, 'f', 2, 64)
	case part < whole && percent > 99.9:
		return "> 99.9"
	}
	return strconv.FormatFloat(percent, 'f', 1, 64)
}

// notice is a notice without names.
func (r *Redactor) notice(n Notice) Notice {
	if r == nil {
		return n
	}
	n.Interfaces = each(n.Interfaces, r.interfaceName)
	n.Expression = "" // it may name what it selects
	n.File, n.Error = r.capture(n.File), r.reason(n.Error)
	return n
}

// interfaceName is an interface's, which may be called after a customer or a site.
func (r *Redactor) interfaceName(name string) string { return r.word("interface", name) }

// How often notices are told. Interfaces may come and go by the second, a full disk fails
// every write; drops and evictions are counts, that grow.
var (
	changeLimits   = limits{pacing{5, 10 * time.Second}, pacing{30, 10 * time.Minute}}
	failureLimits  = limits{soon: pacing{1, time.Minute}}
	droppedLimits  = limits{soon: pacing{1, time.Minute}}
	evictionLimits = limits{soon: pacing{1, time.Hour}}
)

// notices tell what is news, as often as is good.
type notices struct {
	states []*noticeState
}

// noticeState is what was told of one interface, kind or file.
type noticeState struct {
	key    string
	limits limits
	counts bool // its notices count since the start
	budget budget
	// told is the count that was told last.
	told uint64
	// held is the latest that was not told, nil for none, left counts those before it.
	held *Notice
	left int
}

// maxNotices bounds the subjects that are told apart: more than there are interfaces.
const maxNotices = 256

// state is that of the subject of a notice, nil for one that is always told.
func (s *notices) state(n Notice) *noticeState {
	fresh := noticeState{key: n.subject()}
	switch n.Event {
	case EventInterfaceDown, EventInterfaceGone, EventInterfaceUp:
		fresh.limits = changeLimits
	case EventDropped:
		fresh.key, fresh.limits, fresh.counts = "dropped "+fresh.key, droppedLimits, true
	case EventEvicted:
		fresh.key, fresh.limits, fresh.counts = "evicted "+fresh.key, evictionLimits, true
	case EventEvidence:
		fresh.key, fresh.limits = "evidence", failureLimits // files rotate, the disk stays
	case EventClockSet:
		fresh.key, fresh.limits = "clock", changeLimits
	default:
		return nil
	}
	for _, known := range s.states {
		if known.key == fresh.key {
			return known
		}
	}
	if len(s.states) == maxNotices {
		s.states = s.states[1:]
	}
	s.states = append(s.states, &fresh)
	return &fresh
}

// toldNotice is a notice that is told now, and how many before it were not.
type toldNotice struct {
	Notice
	left int
}

// tell takes a notice, and returns what is to be told.
func (s *notices) tell(n Notice) []toldNotice {
	state := s.state(n)
	switch {
	case state == nil:
		return []toldNotice{{Notice: n}}
	case state.counts && n.Total <= state.told:
		return nil
	case state.held != nil && !state.counts:
		state.left++
	}
	state.held = &n
	return state.due(nil, n.At, false)
}

// due returns what was held back and may be told at last, or all of it.
func (s *notices) due(now time.Time, all bool) (told []toldNotice) {
	for _, state := range s.states {
		told = state.due(told, now, all)
	}
	return told
}

func (s *noticeState) due(told []toldNotice, now time.Time, all bool) []toldNotice {
	if s.held == nil || !all && !s.budget.take(s.limits, now) {
		return told
	}
	told = append(told, toldNotice{*s.held, s.left})
	s.told = max(s.told, s.held.Total)
	s.held, s.left = nil, 0
	return told
}

// stampOf is a time as records have it.
func stampOf(t time.Time) decode.Stamp { return decode.Stamp(t.UTC()) }
