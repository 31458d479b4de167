package report

import (
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// LiveHead is what is known of a live capture when it begins, and does not change.
type LiveHead struct {
	// Version is the tool's.
	Version string
	Lang    kb.Lang
	Started time.Time
	// Captures are those of the run in the order of their numbers, with the names of
	// their interfaces.
	Captures []CaptureInput
	// Expression says which packets are captured, such as "tcp port 1883"; "" is all.
	Expression string
	// Filters are the flags that choose sessions, as in Document.
	Filters []string
	// Redactor, if not nil, replaces names and addresses.
	Redactor *Redactor
}

// hide is the Redactor, with the pseudonyms of the captures that Build gives them.
func (h LiveHead) hide() *Redactor { return h.Redactor.naming(h.Captures) }

// Say is a notice as a sentence without its time.
func (h LiveHead) Say(n Notice) string { return h.hide().notice(n).text(h.Lang) }

// InterfaceName is an interface's name as notices have it.
func (h LiveHead) InterfaceName(name string) string { return h.Redactor.interfaceName(name) }

// FileName is the name of a file of evidence as notices have it.
func (h LiveHead) FileName(name string) string { return h.hide().capture(name) }

// Recorded are the records of sessions, under pseudonyms where hide is not nil. They are
// made when they are asked for, of what the sessions are then.
func Recorded(sessions []*decode.Session, hide *Redactor) Records {
	return recordsOf(slices.Clone(sessions), hide)
}

// Happening is news of a finding: that it is there, or that more sessions show it.
type Happening struct {
	// ID is the same in all news of one finding, and no other's.
	ID string
	// Finding is the Document's: its Sessions are all that show it so far.
	Finding *Finding
	// New says that nothing was told of it before.
	New bool
	// Sessions are those that were not told yet, in order of time; More counts others.
	Sessions Records
	More     int
}

// fresh is how many sessions were not told yet.
func (h *Happening) fresh() int { return h.Sessions.Len() + h.More }

// nextStep is what to do first about a finding, as the answer has it: what a client did
// with success, else the first fix that the facts recommend. Where they recommend
// none, it is where to look next; "" for what is harmless.
func nextStep(f *Finding) string {
	if f.Severity == "info" || len(f.Advice) == 0 {
		return ""
	}
	status := func(x *Fix) kb.Status { return x.Status }
	if worked := f.Facts.WorkedChange.Packets(); len(worked) > 0 {
		for _, a := range f.Advice {
			for _, x := range withStatus(a.Fixes, status, kb.Recommended) {
				if slices.Equal(x.Packets, worked) {
					return x.Text
				}
			}
		}
	}
	top := &f.Advice[0]
	if fixes := withStatus(top.Fixes, status, kb.Recommended); len(fixes) > 0 {
		return fixes[0].Text
	}
	if len(top.LookNext) > 0 {
		return inTermsOf(top.LookNext[0])
	}
	return ""
}
