package decode

// settling makes sessions of connections in a goroutine of its own: in a storm
// of short connections that would be a quarter of the work of following them.
type settling struct {
	d       *Decoder
	batch   []ending
	todo    chan []ending
	settled chan []ending // to be reused
	done    chan struct{}
}

// maxEndings are handed over at once, and maxAhead times as many may wait.
const (
	maxEndings = 128
	maxAhead   = 4
)

func (d *Decoder) settleApart() *settling {
	s := &settling{d: d, todo: make(chan []ending, maxAhead), settled: make(chan []ending, maxAhead), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *settling) run() {
	defer close(s.done)
	for batch := range s.todo {
		for i := range batch {
			s.d.emit(batch[i].settle())
			batch[i].clear()
		}
		select {
		case s.settled <- batch:
		default: // enough are to be reused
		}
	}
}

// add takes the next connection that ended.
func (s *settling) add(e ending) {
	if s.batch = append(s.batch, e); len(s.batch) < maxEndings {
		return
	}
	s.todo <- s.batch
	select {
	case batch := <-s.settled:
		for _, e := range batch {
			s.d.reuse(e)
		}
		s.batch = batch[:0]
	default:
		s.batch = make([]ending, 0, maxEndings)
	}
}

// finish waits until all are settled.
func (s *settling) finish() {
	s.todo <- s.batch
	close(s.todo)
	<-s.done
}
