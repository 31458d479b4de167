package tls

import "encoding/binary"

// A direction opens the records of one side, once the suite and the secrets are
// known. It stays in step with the sender by numbers: the epoch, which is the
// key in use, and the record's number under that key.
//
// A record that does not open was damaged in the capture, or belongs to another
// place: a key change was lost in a gap, or the secrets of an epoch are not in
// the log. So it tries a few places that may follow. Authentication proves the
// right one; a wrong one cannot open.
type direction struct {
	schedule
	epoch int
	// seq is the next record's number if it follows the last one that opened,
	// unread how many went by since without being opened.
	seq    uint64
	unread uint64
	// opened says that a record of this epoch was, ever that any was.
	opened, ever bool
	// hint is the explicit nonce of the last record that opened.
	hint uint64
}

// A schedule makes the openers of one direction.
type schedule interface {
	// opener is the opener of an epoch; nil when its secret is not known.
	opener(epoch int) opener
	// last is the last epoch that may follow another.
	last(epoch int) int
	// enter says that an epoch has begun: there is no way back.
	enter(epoch int)
}

const (
	// window is how many numbers are tried for a record that does not open
	// in its place while the stream is in step.
	window = 8
	// maxUnread is how many records in a row do not open in a direction that
	// opened some before, until it counts as lost.
	maxUnread = 64
	// leastOverhead is that of CCM with a short tag and the type in TLS 1.3.
	leastOverhead = 9
	// trialCost is what making ready for a trial costs, in bytes opened.
	trialCost = 64
)

// place is where a record stands.
type place struct {
	epoch int
	seq   uint64
}

// try opens a record at a place.
func (d *direction) try(at place, head [headerSize]byte, fragment, dst []byte) (plain []byte, ok bool) {
	o := d.opener(at.epoch)
	if o == nil {
		return nil, false
	}
	if plain, ok = o.open(dst, at.seq, head, fragment); !ok {
		return nil, false
	}
	d.moveTo(at.epoch)
	d.seq, d.unread, d.opened, d.ever = at.seq+1, 0, true, true
	d.hint, _ = explicitNonce(o, fragment)
	return plain, true
}

// survivesGaps reports whether records behind missing ones can be opened: not
// when they are chained (TLS 1.0).
func (d *direction) survivesGaps() bool {
	o, is := d.opener(d.epoch).(*cbcRecords)
	return !is || !o.chained
}

// overhead is the least that sealing adds to this direction's records.
func (d *direction) overhead() int {
	if o := d.opener(d.epoch); o != nil {
		return o.overhead()
	}
	return leastOverhead
}

// hopeless reports that what was opened before no longer opens.
func (d *direction) hopeless() bool { return d.ever && d.unread >= maxUnread }

// moveTo enters an epoch, if it is another.
func (d *direction) moveTo(epoch int) {
	if epoch != d.epoch {
		d.epoch, d.seq, d.unread, d.opened = epoch, 0, 0, false
		d.enter(epoch)
	}
}

// open opens the next record. fragment is nil when it is damaged. Trials beyond
// its place are paid from budget.
func (d *direction) open(head [headerSize]byte, fragment, dst []byte, budget *int64) (plain []byte, ok bool) {
	if o, is := d.opener(d.epoch).(*cbcRecords); is {
		defer o.passed(fragment)
	}
	if fragment != nil {
		if plain, ok = d.try(place{d.epoch, d.seq + d.unread}, head, fragment, dst); ok {
			return plain, true
		}
		for at := range d.around() {
			if !pay(budget, fragment) {
				break
			}
			if plain, ok = d.try(at, head, fragment, dst); ok {
				return plain, true
			}
		}
	}
	d.unread++
	return nil, false
}

// around gives the places of a record that does not open in its own: first
// after the last one that opened and at the begin of the next epochs; then, for
// a few records, between these.
func (d *direction) around() func(func(place) bool) {
	return func(yield func(place) bool) {
		for j := uint64(0); j <= d.unread && (j == 0 || d.unread <= window); j++ {
			if j < d.unread && !yield(place{d.epoch, d.seq + j}) {
				return
			}
			for e := d.epoch + 1; e <= d.last(d.epoch); e++ {
				if !yield(place{e, j}) {
					return
				}
			}
		}
	}
}

// find opens a record of which only is known that it comes after at most lost
// others.
func (d *direction) find(head [headerSize]byte, fragment, dst []byte, lost uint64, budget *int64) (plain []byte, ok bool) {
	for at := range d.ahead(fragment, lost) {
		if !pay(budget, fragment) {
			return nil, false
		}
		if plain, ok = d.try(at, head, fragment, dst); ok {
			return plain, true
		}
	}
	return nil, false
}

// ahead gives the places after at most lost records, the likeliest first: most
// senders count in their explicit nonces (RFC 5288 §3).
func (d *direction) ahead(fragment []byte, lost uint64) func(func(place) bool) {
	return func(yield func(place) bool) {
		lost += d.unread
		if nonce, ok := explicitNonce(d.opener(d.epoch), fragment); ok && d.opened && nonce-d.hint-1 <= lost {
			if !yield(place{d.epoch, d.seq + nonce - d.hint - 1}) {
				return
			}
		}
		for j := uint64(0); j <= lost; j++ {
			if !yield(place{d.epoch, d.seq + j}) {
				return
			}
			for e := d.epoch + 1; e <= d.last(d.epoch) && j <= window; e++ {
				if !yield(place{e, j}) {
					return
				}
			}
		}
	}
}

// pay takes what a trial costs from the budget.
func pay(budget *int64, fragment []byte) bool {
	if *budget < 0 {
		return false
	}
	*budget -= int64(len(fragment) + trialCost)
	return true
}

// explicitNonce is the nonce that a record of GCM or CCM carries in TLS 1.2.
func explicitNonce(o opener, fragment []byte) (uint64, bool) {
	if a, ok := o.(*aeadRecords); ok && a.explicit && len(fragment) >= 8 {
		return binary.BigEndian.Uint64(fragment), true
	}
	return 0, false
}
