package analyze

// together is for how many sessions the memory is asked for at once. They lie far
// apart where a walk does not take them as they came, and each would be waited for;
// so they are waited for together, which halves the time of the walk.
const together = 16

// fetch looks at what a walk needs of sessions. The sum means nothing, but that
// somebody asks for it.
func fetch(ss []*session) (sum int) {
	for _, s := range ss {
		d := s.Session
		sum += d.SynAck.Packet + d.Closed.Packet + int(d.Outcome) + int(d.Notes)
		if d.Connect != nil {
			sum += int(d.Connect.Version) + int(d.Connect.Tag)
		}
	}
	return sum
}

// fetchNext does so for the next attempts.
func fetchNext(visits []visit) (sum int) {
	for i := range visits {
		if n := visits[i].next; n != nil {
			sum += n.ConnectAt.Packet
			if n.Connect != nil {
				sum += int(n.Connect.Version) + int(n.Connect.Tag)
			}
		}
	}
	return sum
}
