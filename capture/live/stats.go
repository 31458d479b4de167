package live

import (
	"strconv"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// Stats are the counts of the kernel since Open. They begin with what passed
// the filter.
type Stats struct {
	// Received counts the packets that came into the rings.
	Received uint64
	// Dropped counts those that found no room there, because they were not read fast
	// enough.
	Dropped uint64
	// Freezes counts how often a ring was full.
	Freezes uint64
	// Interfaces are in the order of Options.Interfaces.
	Interfaces []InterfaceStats
}

// InterfaceStats are the counts of one interface.
type InterfaceStats struct {
	Name     string
	State    State
	Received uint64
	Dropped  uint64
}

// State says whether packets may come from an interface.
type State uint8

const (
	// Up: they may.
	Up State = iota
	// Down: the interface was set down, or has no carrier.
	Down
	// Gone: there is no interface of that name, or none of its former kind.
	Gone
)

func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Gone:
		return "gone"
	}
	return strconv.Itoa(int(s))
}

// EventKind says what happened to an interface.
type EventKind uint8

const (
	// WentDown: somebody set it down.
	WentDown EventKind = iota
	// LostCarrier: it is up, and the cable, the access point or the other end is
	// missing.
	LostCarrier
	// CameUp: it is up and has a carrier, after one of the two above.
	CameUp
	// WentAway: it was removed.
	WentAway
	// CameBack: there is an interface of its name again, and it is captured.
	CameBack
	// ChangedKind: there is an interface of its name again, but with frames
	// of another link type, so that it is not captured.
	ChangedKind
)

// Event is something that happened to an interface. At the start there is one for each
// interface that is not up.
type Event struct {
	// Time is when it was noticed, as a rule within milliseconds.
	Time time.Time
	// Interface is its name.
	Interface string
	Kind      EventKind
	// Link is the new link type of one that changed its kind.
	Link capture.LinkType
}

// String says it in English, without the time.
func (e Event) String() string {
	switch e.Kind {
	case WentDown:
		return e.Interface + " is down; waiting for it"
	case LostCarrier:
		return e.Interface + " has no carrier; waiting for it"
	case CameUp:
		return e.Interface + " is up again"
	case WentAway:
		return e.Interface + " is gone; waiting for it"
	case CameBack:
		return e.Interface + " is back"
	case ChangedKind:
		return e.Interface + " is back with another link type, " + e.Link.String() + ", and is not captured; start again to capture it"
	}
	return e.Interface + ": event " + strconv.Itoa(int(e.Kind))
}
