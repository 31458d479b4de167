package analyze

import "github.com/mqttriage/mqttriage/decode/mqtt"

// record is what a broker did in the captures, over all its sessions: what a
// finding is compared with.
type record struct {
	guess guess
	// accepted counts the accepted sessions, anonymous those of them without a
	// user name; keepAlives counts them by keep-alive, and byUser by the number
	// that users gives their user.
	accepted, anonymous int
	keepAlives          map[uint16]int
	users               *numbering[mqtt.Tag]
	byUser              []int
	// speaks5 is the first session in which the broker answered a client of
	// version 5 in version 5, nil without one.
	speaks5 *session
}

// learn takes a session into the broker's record. They come in any order.
func (b *broker) learn(s *session) {
	if s.Connack == nil && s.Disconnect == nil && s.TLS == nil && len(s.Origin.Names) == 0 {
		return // it says nothing of the broker
	}
	if b.record == nil {
		b.record = &record{}
	}
	b.record.add(s)
}

// recorded returns the broker's record, which may be empty.
func (b *broker) recorded() *record {
	if b.record == nil {
		return &record{}
	}
	return b.record
}

func (r *record) add(s *session) {
	r.guess.add(s)
	if s.Connack != nil && s.Connack.Version == mqtt.V5 && s.Version() == mqtt.V5 && (r.speaks5 == nil || s.at < r.speaks5.at) {
		r.speaks5 = s
	}
	if !s.is(accepted) {
		return
	}
	r.accepted++
	c := s.Connect
	if c == nil {
		return
	}
	if r.keepAlives == nil {
		r.keepAlives = map[uint16]int{}
	}
	r.keepAlives[c.KeepAlive]++
	if !c.Username {
		r.anonymous++
	}
	if c.UserTag != 0 {
		r.addUser(c.UserTag)
	}
}

func (r *record) addUser(user mqtt.Tag) {
	if r.users == nil {
		r.users, r.byUser = numberUsers(), make([]int, 1)
	}
	number := r.users.number(user)
	if int(number) == len(r.byUser) {
		r.byUser = append(r.byUser, 0)
	}
	r.byUser[number]++
}
