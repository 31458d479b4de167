package analyze

// apart is the record of a finding's own sessions, as far as they were accepted:
// what the broker did else is its record less this one.
type apart struct {
	record              *record
	accepted, anonymous int
	keepAlives          map[uint16]int
	// hasUser says that one of the finding's sessions has a user name. users are
	// those who were ever accepted, and byUser counts them.
	hasUser bool
	users   *numberSet
	byUser  []int
}

func (m *measurer) apart(b *broker) apart {
	r := b.recorded()
	if r.users != nil && len(m.users.places) < r.users.count() {
		m.users = newNumberSet(r.users.count())
	}
	m.users.empty()
	return apart{record: r, users: &m.users}
}

func (a *apart) add(v *visit) {
	c, in := v.Connect, v.is(accepted)
	if in {
		a.accepted++
	}
	if c == nil {
		return
	}
	if in {
		if a.keepAlives == nil {
			a.keepAlives = map[uint16]int{}
		}
		a.keepAlives[c.KeepAlive]++
		if !c.Username {
			a.anonymous++
		}
	}
	if c.UserTag == 0 {
		return
	}
	a.hasUser = true
	if a.record.users == nil {
		return
	}
	if user := a.record.users.known(c.UserTag); user != 0 {
		place, fresh := a.users.add(user)
		if fresh {
			a.byUser = append(a.byUser, 0)
		}
		if in {
			a.byUser[place]++
		}
	}
}

// set says what else the broker did in the captures: whom it let in and with
// what; and which broker it looks like.
func (a *apart) set(f *Facts, b *broker, stated string) {
	r := a.record
	f.BrokerSessions.Set(len(b.sessions))
	f.BrokerAccepted.Set(r.accepted - a.accepted)
	f.AnonymousAccepted.Set(r.anonymous > a.anonymous)
	if a.hasUser {
		f.UserAccepted.Set(a.knowsUser())
	}
	if seconds, ok := a.keepAlive(); ok {
		f.AcceptedKeepAliveS.Set(seconds)
	}
	what := r.guess.broker(stated)
	if what.Vendor != "" {
		f.BrokerVendor.Set(what.Vendor, seen(what.Packet)...)
		f.BrokerBasis.Set(string(what.Basis))
	}
	if what.Version != "" {
		f.BrokerVersion.Set(what.Version)
	}
	if r.speaks5 != nil {
		f.BrokerSpeaks5.Set(true, r.speaks5.ConnackAt.Packet)
	}
}

// knowsUser reports that a user of the finding was accepted in another session.
func (a *apart) knowsUser() bool {
	for place, user := range a.users.list {
		if a.record.byUser[user] > a.byUser[place] {
			return true
		}
	}
	return false
}

// keepAlive is the longest keep-alive that was accepted in another session, 0
// where that was accepted, which turns it off.
func (a *apart) keepAlive() (seconds int, ok bool) {
	longest := -1
	for seconds, n := range a.record.keepAlives {
		if n == a.keepAlives[seconds] {
			continue
		}
		if seconds == 0 {
			return 0, true
		}
		longest = max(longest, int(seconds))
	}
	return longest, longest >= 0
}

// measureOpen says how many sessions were open when the finding's first ones asked
// to be let in, and whether one of them had the client ID.
func measureOpen(f *Facts, d *draft, o *opens) {
	open, inUse, ids := 0, false, 0
	for _, s := range d.evidence() {
		open = max(open, o.at(s))
		if s.is(failed) && s.id() != 0 {
			ids++
			inUse = inUse || anyOpen(d.broker.with(byID, s.id()), s)
		}
	}
	f.OpenSessions.Set(open)
	if ids > 0 {
		f.ClientIDOpen.Set(inUse)
	}
}
