package analyze

import (
	"cmp"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// moment is a time in nanoseconds since 1970. 0 is no time, and before all others.
type moment int64

func (m moment) time() time.Time { return decode.Event{Nano: int64(m)}.Time() }

// orEarlier returns the earlier of two; a time comes before none.
func (m moment) orEarlier(o moment) moment {
	if m == 0 || o.compare(m) < 0 {
		return o
	}
	return m
}

func (m moment) orLater(o moment) moment {
	if o.compare(m) > 0 {
		return o
	}
	return m
}

// earlierThan reports that it is before another; nothing is before no time.
func (m moment) earlierThan(o moment) bool { return m.compare(o) < 0 }

func (m moment) compare(o moment) int {
	switch {
	case m == o:
		return 0
	case m == 0:
		return -1
	case o == 0:
		return 1
	}
	return cmp.Compare(m, o)
}
