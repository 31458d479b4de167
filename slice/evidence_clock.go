package slice

import (
	"cmp"
	"time"

	"github.com/mqttriage/mqttriage/decode/tcp"
)

// ClockSet says that the clock by which packets have their times was set by so much, and is
// at now, in nanoseconds since 1970. Another file begins, so that none has times of both
// clocks; packets that wait move to the new one. It is to be called as decode.Decoder.ClockSet
// is.
func (e *Evidence) ClockSet(now int64, by time.Duration) {
	if e.files.packets > 0 {
		e.trouble = cmp.Or(e.trouble, e.rotate(now-int64(by)))
	}
	e.table.ClockSet(now, by)
	e.latest.Nano, e.written = now, 0
	for i := e.queue.first; i < len(e.queue.packets); i++ {
		e.queue.packets[i].nano += int64(by)
	}
	e.table.Each(func(_ *tcp.Conn, handler tcp.Handler) {
		if g, _ := handler.(*dialog); g != nil {
			for _, l := range g.last {
				if l != nil {
					l.nano += int64(by)
				}
			}
		}
	})
}
