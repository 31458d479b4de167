package analyze

import (
	"strings"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Basis says how a broker's vendor is known.
type Basis string

// The bases, best first.
const (
	Stated  Basis = "stated"  // the user said so
	Certain Basis = "certain" // only this vendor sends or is called so
	Likely  Basis = "likely"  // nobody else is known to
)

// Broker is a guess at what a broker is, with the packets that suggest it.
type Broker struct {
	Vendor, Version string
	Basis           Basis
	// Because is what was seen, in English, such as `assigned client ID
	// "auto-…"`; Session and Packet where.
	Because string
	Session *decode.Session
	Packet  int
}

// Vendors returns the names of the brokers that may be stated or guessed.
func Vendors() []string {
	return []string{
		"activemq", "aedes", "artemis", "aws-iot", "azure-event-grid", "azure-iot-hub", "emqx", "google",
		"hivemq", "mochi", "mosquitto", "nanomq", "nats", "rabbitmq", "vernemq",
	}
}

// hosts are name patterns of hosted and public brokers: a suffix, and where it
// is not empty a part that must come before it.
var hosts = []struct{ suffix, part, vendor string }{
	{".amazonaws.com", ".iot.", "aws-iot"},
	{".amazonaws.com.cn", ".iot.", "aws-iot"},
	{".azure-devices.net", "", "azure-iot-hub"},
	{".azure-devices.cn", "", "azure-iot-hub"},
	{".eventgrid.azure.net", ".ts.", "azure-event-grid"},
	{".emqxsl.com", "", "emqx"},
	{".emqxsl.cn", "", "emqx"},
	{".emqx.io", "", "emqx"},
	{".emqx.cloud", "", "emqx"},
	{".hivemq.cloud", "", "hivemq"},
	{".hivemq.com", "", "hivemq"},
	{".mosquitto.org", "", "mosquitto"},
	{"mqtt.googleapis.com", "", "google"},
}

func vendorOfHost(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, h := range hosts {
		if strings.HasSuffix(name, h.suffix) && strings.Contains(name, h.part) {
			return h.vendor
		}
	}
	return ""
}

// A hint looks at one session for what only one vendor does. Each was checked
// against the recordings of ten brokers and fits none but its own.
type hint struct {
	basis Basis
	// vendor is "" when the session says nothing.
	vendor func(*decode.Session) string
	// because is what was seen, in which packet.
	because func(*decode.Session) (string, int)
}

// hostName goes by the name that the client asked for, or that DNS gave.
var hostName = hint{Certain, func(s *decode.Session) string { return vendorOfHost(s.BrokerName()) }, func(s *decode.Session) (string, int) {
	return "host name " + s.BrokerName(), s.Opened.Packet
}}

// hints are tried on every session of a broker.
var hints = []hint{
	{Certain, vendorByAssignedID, func(s *decode.Session) (string, int) {
		return "the form of the assigned client ID", s.ConnackAt.Packet
	}},
	{Likely, vendorByProperties, func(s *decode.Session) (string, int) {
		return "the order of the CONNACK's properties", s.ConnackAt.Packet
	}},
	{Likely, vendorByCode, func(s *decode.Session) (string, int) {
		return "CONNACK code " + mqtt.FormatCode(s.Connack.Code) + " to a 3.x client", s.ConnackAt.Packet
	}},
	{Likely, vendorByDisconnect, func(s *decode.Session) (string, int) {
		return "a DISCONNECT from the broker to a 3.x client", s.DisconnectAt.Packet
	}},
	{Likely, vendorByReason, func(s *decode.Session) (string, int) {
		return `reason string "THROTTLED"`, s.ConnackAt.Packet
	}},
}

// vendorByAssignedID goes by the form of an assigned client ID.
func vendorByAssignedID(s *decode.Session) string {
	if s.Connack == nil || s.Connack.AssignedID == "" {
		return ""
	}
	uuid, auto := strings.CutPrefix(s.Connack.AssignedID, "auto-")
	switch {
	case auto && isUUID(uuid):
		return "mosquitto"
	case strings.HasPrefix(s.Connack.AssignedID, "nanomq-"):
		return "nanomq"
	}
	return ""
}

// isUUID reports upper-case hexadecimal in the groups 8-4-4-4-12, as Mosquitto
// writes it.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Property identifiers of CONNACK (MQTT 5, section 3.2.2.3).
const (
	propAssignedID      = 0x12
	propServerKeepAlive = 0x13
	propReason          = 0x1F
	propReceiveMaximum  = 0x21
	propTopicAliasMax   = 0x22
	propWildcard        = 0x28
	propSubscriptionIDs = 0x29
	propShared          = 0x2A
)

// vendorByProperties goes by which properties an accepting CONNACK has, in which
// order: implementations write them always alike.
func vendorByProperties(s *decode.Session) string {
	if s.Connack == nil || s.Connack.Version != mqtt.V5 || s.Connack.Code != 0 {
		return ""
	}
	// What depends on the client or the configuration is left out.
	var fixed [3]byte // the first ones
	count := 0
	for _, p := range s.Connack.Properties {
		if p == propAssignedID || p == propServerKeepAlive {
			continue
		}
		if count < len(fixed) {
			fixed[count] = p
		}
		count++
	}
	switch {
	case count == 2 && fixed == [3]byte{propTopicAliasMax, propReceiveMaximum}:
		return "mosquitto"
	case count >= 3 && fixed == [3]byte{propShared, propSubscriptionIDs, propWildcard}:
		return "nanomq"
	case count == 1 && fixed == [3]byte{propReceiveMaximum}:
		return "mochi"
	}
	return ""
}

// vendorByCode goes by return codes that only one broker sends to 3.x clients.
func vendorByCode(s *decode.Session) string {
	if s.Connack == nil || s.Connack.Version == mqtt.V5 || s.Version() == mqtt.V5 {
		return ""
	}
	switch s.Connack.Code {
	case 0x06:
		return "aedes"
	case 0x10:
		return "nats"
	case 0x80, 0x82:
		return "mochi"
	}
	return ""
}

// vendorByDisconnect goes by a DISCONNECT from the broker to a 3.x client, which
// the standard does not know.
func vendorByDisconnect(s *decode.Session) string {
	if s.Disconnect == nil || s.DisconnectBy != decode.Broker || s.Version() == mqtt.V5 || s.Version() == mqtt.VersionUnknown {
		return ""
	}
	return "mochi"
}

// vendorByReason goes by reason strings.
func vendorByReason(s *decode.Session) string {
	if s.Connack == nil || s.Connack.Reason != "THROTTLED" {
		return ""
	}
	return "emqx"
}

// guess weighs the hints of a broker's sessions: a certain one beats likely ones,
// and hints of one strength that disagree say nothing.
type guess struct {
	certain, likely verdict
	// named is the first session of those whose capture's name for the broker was
	// looked at last.
	named *session
}

// verdict is what the hints of one strength say: the first of them, unless others
// disagree.
type verdict struct {
	vendor string
	torn   bool
	hint   *hint
	first  *session
}

// add takes a session. They come in any order.
func (g *guess) add(s *session) {
	// A capture has one name for an address, beside what TLS clients ask for.
	if s.TLS != nil || g.named == nil || s.Origin != g.named.Origin || s.at < g.named.at {
		g.certain.weigh(&hostName, s)
		if s.TLS == nil {
			g.named = s
		}
	}
	if s.Connack == nil && s.Disconnect == nil {
		return
	}
	for i := range hints {
		if hints[i].basis == Certain {
			g.certain.weigh(&hints[i], s)
		} else {
			g.likely.weigh(&hints[i], s)
		}
	}
}

func (v *verdict) weigh(h *hint, s *session) {
	vendor := h.vendor(s.Session)
	if vendor == "" {
		return
	}
	v.torn = v.torn || v.vendor != "" && v.vendor != vendor
	if v.first == nil || s.at < v.first.at {
		v.vendor, v.hint, v.first = vendor, h, s
	}
}

// broker is the guess, or what the user says.
func (g *guess) broker(stated string) Broker {
	if stated != "" {
		vendor, version, _ := strings.Cut(stated, ":")
		return Broker{Vendor: vendor, Version: version, Basis: Stated}
	}
	for _, v := range []*verdict{&g.certain, &g.likely} {
		switch {
		case v.torn:
			return Broker{}
		case v.first != nil:
			because, packet := v.hint.because(v.first.Session)
			return Broker{Vendor: v.vendor, Basis: v.hint.basis, Because: because, Session: v.first.Session, Packet: packet}
		}
	}
	return Broker{}
}
