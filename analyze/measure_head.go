package analyze

import (
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// headline is what stands at the head of a finding: until when, who, with what.
type headline struct {
	last moment
	// emptyID says that a client ID is known to be empty.
	emptyID  bool
	codes    [256]bool
	versions [mqtt.V5 + 1]bool
}

func (h *headline) add(v *visit) {
	h.last = h.last.orLater(moment(either(&v.Closed, &v.Last).Nano))
	if c := v.Connect; c != nil {
		h.emptyID = h.emptyID || c.ClientID == "" && c.HasID()
		h.versions[c.Version] = true
	}
	if v.Outcome == decode.Rejected {
		h.codes[v.Connack.Code] = true
	}
}

func (h *headline) set(f *Finding, m *measurer) {
	f.Last = h.last.time()
	f.ClientIDs = m.sortedIDs(h.emptyID)
	f.Codes, f.MQTTVersions = []string{}, []string{}
	for code, there := range h.codes {
		if there {
			f.Codes = append(f.Codes, mqtt.FormatCode(byte(code)))
		}
	}
	for version, there := range h.versions {
		if v := mqtt.Version(version); there && v != mqtt.VersionUnknown {
			f.MQTTVersions = append(f.MQTTVersions, v.String())
		}
	}
	clients := m.sortedClients()
	for _, addr := range clients {
		f.Clients = append(f.Clients, addr.String())
	}
	f.Facts.Addresses.Set(len(clients))
}

// sortedIDs are the client IDs of the finding, with the empty one where it is one
// of them.
func (m *measurer) sortedIDs(empty bool) []string {
	ids := make([]string, 0, len(m.ids.list)+1)
	if empty {
		ids = append(ids, "")
	}
	for _, id := range m.ids.list {
		if id != 0 {
			ids = append(ids, m.ix.ids.keys[id].ClientID)
		}
	}
	slices.Sort(ids)
	return ids
}

// sortedClients are the addresses of the finding's clients.
func (m *measurer) sortedClients() []netip.Addr {
	clients := make([]netip.Addr, 0, len(m.clients.list))
	for _, client := range m.clients.list {
		clients = append(clients, m.ix.clients.keys[client])
	}
	slices.SortFunc(clients, netip.Addr.Compare)
	return clients
}
