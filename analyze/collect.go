package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// agreed is a value on which all agree: one that is added again and again.
type agreed[T comparable] struct {
	value T
	state agreement
}

type agreement uint8

const (
	nothing   agreement = iota // was added
	same                       // value was
	different                  // values were
)

func (a *agreed[T]) add(v T) {
	switch {
	case a.state == nothing:
		a.value, a.state = v, same
	case a.value != v:
		a.state = different
	}
}

// get returns the value, and whether there is one on which all agree.
func (a *agreed[T]) get() (T, bool) { return a.value, a.state == same }

// setAgreed sets a fact to the value on which all agree, if they do.
func setAgreed[T interface {
	comparable
	bool | int | float64 | string
}](f *Fact[T], a agreed[T]) {
	if v, ok := a.get(); ok {
		f.Set(v)
	}
}

// maxPackets caps the packet numbers kept with a fact.
const maxPackets = 50

func clip(packets []int) []int { return packets[:min(len(packets), maxPackets)] }

// packetList counts events and keeps the packets of the first of them.
type packetList struct {
	count int
	first []int
}

func (l *packetList) add(e decode.Event) {
	if l.count++; l.count <= maxPackets {
		l.first = append(l.first, e.Packet)
	}
}

func (l *packetList) set(f *Fact[int]) { f.Set(l.count, l.first...) }

// setFirst sets a text fact unless it is known or there is no text.
func setFirst(f *Fact[string], text string, at decode.Event) {
	if text == "" {
		return
	}
	if _, known := f.Get(); !known {
		f.Set(text, at.Packet)
	}
}

// ms is a duration in milliseconds, to the microsecond; seconds is one in
// seconds, to the millisecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
