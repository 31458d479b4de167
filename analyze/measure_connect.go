package analyze

import (
	"strings"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// connects is what the CONNECTs have in common.
type connects struct {
	count, ids, longest, length int
	// cut: of one the client ID is missing from the capture.
	cut bool
	// chars is the class of the most unusual client ID.
	chars string
	// problem and clause are of the first CONNECT that is malformed, malformed
	// is the packet of the last one.
	problem, clause Fact[string]
	malformed       Fact[bool]

	idEmpty, clean, username, password, will, retain, auth agreed[bool]

	keepAlive agreed[uint16]
	willQoS   agreed[byte]
	version   agreed[mqtt.Version]
}

func (a *connects) add(v *visit) {
	c := v.Connect
	if c == nil {
		return
	}
	a.count++
	a.length = max(a.length, c.Length)
	if v.newID && c.ClientID != "" {
		a.ids++
		a.longest = max(a.longest, len(c.ClientID))
		a.chars = max(a.chars, idChars(c.ClientID))
	}
	if p, bad := c.Malformed(); bad {
		setFirst(&a.problem, p.ID, v.ConnectAt)
		setFirst(&a.clause, p.Clause, v.ConnectAt)
		a.malformed.Set(true, v.ConnectAt.Packet)
	}
	if c.HasID() {
		a.idEmpty.add(c.ClientID == "")
	} else if c.Incomplete {
		a.cut = true
		if !c.CleanStart && c.KeepAlive == 0 && !c.Username && !c.Password && !c.Will {
			return // not even its flags were seen, for all that can be told
		}
	}
	a.clean.add(c.CleanStart)
	a.keepAlive.add(c.KeepAlive)
	a.username.add(c.Username)
	a.password.add(c.Password)
	a.will.add(c.Will)
	a.retain.add(c.WillRetain)
	a.willQoS.add(c.WillQoS)
	a.auth.add(c.AuthMethod != "")
	a.version.add(c.Version)
}

func (a *connects) set(f *Facts) {
	f.Connects.Set(a.count)
	if a.count == 0 {
		return
	}
	if !a.cut || a.ids > 0 {
		f.ClientIDs.Set(a.ids)
		f.ClientIDLength.Set(a.longest)
	}
	f.ConnectLength.Set(a.length)
	if a.ids > 0 {
		_, class, _ := strings.Cut(a.chars, " ")
		f.ClientIDChars.Set(class)
	}
	f.Malformed, f.ConnectProblem, f.ConnectClause = a.malformed, a.problem, a.clause
	if a.malformed.IsZero() {
		f.Malformed.Set(false)
	}
	setAgreed(&f.ClientIDEmpty, a.idEmpty)
	setAgreed(&f.CleanStart, a.clean)
	if seconds, ok := a.keepAlive.get(); ok {
		f.KeepAliveS.Set(int(seconds))
	}
	setAgreed(&f.Username, a.username)
	setAgreed(&f.Password, a.password)
	setAgreed(&f.AuthMethod, a.auth)
	setAgreed(&f.Will, a.will)
	if will, ok := a.will.get(); ok && will {
		setAgreed(&f.WillRetain, a.retain)
		if qos, ok := a.willQoS.get(); ok {
			f.WillQoS.Set(int(qos))
		}
	}
	// A level may mean no version.
	if v, ok := a.version.get(); ok && v != mqtt.VersionUnknown {
		f.MQTTVersion.Set(v.String())
	}
}

// idChars classes a client ID's characters, the most unusual class winning by
// its number.
func idChars(id string) string {
	class := "0 alnum"
	for _, r := range id {
		switch {
		case r > '~' || r < ' ':
			return "3 other"
		case strings.ContainsRune(".*> ", r):
			class = "2 nats"
		case (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z'):
			class = max(class, "1 punct")
		}
	}
	return class
}
