package tcp

// A queue holds one side's bytes that wait for a hole before them to be
// filled, in order and without overlap.
type queue struct {
	chunks []chunk
	bytes  int // held in chunks' data
	// memory is what the chunks' data lies in, with what was taken out since
	// the queue was empty.
	memory []byte
	// covered says that the other side has acknowledged all of the first
	// hole, since when in capture time: it will not be filled by a
	// retransmission any more.
	covered bool
	since   int64
}

// chunk is a run of bytes, or of bytes that a snap length cut off: data is
// then nil.
type chunk struct {
	off  int64
	n    int
	data []byte
	mark Mark
}

func (k *chunk) end() int64 { return k.off + int64(k.n) }

// insert takes those of n bytes at off that are not held yet: of bytes seen
// twice the first copy counts. data is nil for bytes that were cut off; it is
// copied. insert reports whether some were held already.
func (q *queue) insert(off int64, data []byte, n int, m Mark) (again bool) {
	end := off + int64(n)
	i := 0
	if last := len(q.chunks) - 1; last >= 0 && q.chunks[last].end() <= off {
		i = last + 1 // what follows a hole comes in order
	}
	for pos := off; pos < end; {
		for i < len(q.chunks) && q.chunks[i].end() <= pos {
			i++
		}
		stop := end
		if i < len(q.chunks) {
			if c := &q.chunks[i]; c.off <= pos {
				pos, again = c.end(), true
				continue
			}
			stop = min(end, q.chunks[i].off)
		}
		piece := chunk{off: pos, n: int(stop - pos), mark: m}
		if data != nil {
			piece.data = q.copy(data[pos-off : stop-off])
			q.bytes += piece.n
		}
		q.chunks = append(q.chunks, chunk{})
		copy(q.chunks[i+1:], q.chunks[i:])
		q.chunks[i] = piece
		pos = stop
	}
	return again
}

// copy copies data into the queue's memory.
func (q *queue) copy(data []byte) []byte {
	if at := len(q.memory); at+len(data) > cap(q.memory) && at > 2*q.bytes {
		// Most of it was taken out: begin anew with what is left.
		q.memory = nil
		for i := range q.chunks {
			if k := &q.chunks[i]; k.data != nil {
				k.data = q.copy(k.data)
			}
		}
	}
	at := len(q.memory)
	q.memory = append(q.memory, data...)
	return q.memory[at:len(q.memory):len(q.memory)]
}

// maxSpareMemory and maxSpareQueues bound what is kept of empty queues.
const (
	maxSpareMemory = 8 << 10
	maxSpareQueues = 1024
)

// takeQueue returns an empty queue.
func (t *Table) takeQueue() *queue {
	if n := len(t.queues); n > 0 {
		q := t.queues[n-1]
		t.queues = t.queues[:n-1]
		return q
	}
	return new(queue)
}

// dropQueue takes a side's queue, which is empty, away.
func (t *Table) dropQueue(st *Stream) {
	q := st.queue
	st.queue = nil
	clear(q.memory) // it may have held a password
	if cap(q.memory) <= maxSpareMemory && len(t.queues) < maxSpareQueues {
		*q = queue{chunks: q.chunks[:0], memory: q.memory[:0]}
		t.queues = append(t.queues, q)
	}
}

// pop removes the first chunk.
func (q *queue) pop() chunk {
	first := q.chunks[0]
	n := copy(q.chunks, q.chunks[1:])
	q.chunks[n] = chunk{}
	q.chunks = q.chunks[:n]
	q.bytes -= len(first.data)
	return first
}

// truncate drops what lies at off and beyond.
func (q *queue) truncate(off int64) {
	for i := len(q.chunks) - 1; i >= 0 && q.chunks[i].end() > off; i-- {
		c := &q.chunks[i]
		keep := max(0, int(off-c.off))
		if c.data != nil {
			q.bytes -= c.n - keep
			c.data = c.data[:keep]
		}
		c.n = keep
		if keep == 0 {
			*c = chunk{}
			q.chunks = q.chunks[:i]
		}
	}
}
