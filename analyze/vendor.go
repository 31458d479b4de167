package analyze

import (
	"slices"
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

// A hint looks at one session; ok is false when it says nothing.
type hint func(s *decode.Session) (b Broker, ok bool)

// hints are tried on every session of a broker. Each was checked against the
// recordings of ten brokers and fits none but its own.
var hints = []hint{hostHint, assignedHint, propertiesHint, codeHint, disconnectHint, reasonHint}

// hostHint goes by the name that the client asked for, or that DNS gave.
func hostHint(s *decode.Session) (Broker, bool) {
	vendor := vendorOfHost(s.BrokerName)
	return Broker{Vendor: vendor, Basis: Certain, Because: "host name " + s.BrokerName, Packet: s.Opened.Packet}, vendor != ""
}

// assignedHint goes by the form of an assigned client ID.
func assignedHint(s *decode.Session) (Broker, bool) {
	if s.Connack == nil || s.Connack.AssignedID == "" {
		return Broker{}, false
	}
	id := s.Connack.AssignedID
	b := Broker{Basis: Certain, Because: "the form of the assigned client ID", Packet: s.ConnackAt.Packet}
	switch {
	case strings.HasPrefix(id, "auto-") && isUUID(id[len("auto-"):]):
		b.Vendor = "mosquitto"
	case strings.HasPrefix(id, "nanomq-"):
		b.Vendor = "nanomq"
	}
	return b, b.Vendor != ""
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

// propertiesHint goes by which properties an accepting CONNACK has, in which
// order: implementations write them always alike.
func propertiesHint(s *decode.Session) (Broker, bool) {
	if s.Connack == nil || s.Connack.Version != mqtt.V5 || s.Connack.Code != 0 {
		return Broker{}, false
	}
	// What depends on the client or the configuration is left out.
	fixed := slices.DeleteFunc(slices.Clone(s.Connack.Properties), func(p byte) bool {
		return p == propAssignedID || p == propServerKeepAlive
	})
	b := Broker{Basis: Likely, Because: "the order of the CONNACK's properties", Packet: s.ConnackAt.Packet}
	switch {
	case slices.Equal(fixed, []byte{propTopicAliasMax, propReceiveMaximum}):
		b.Vendor = "mosquitto"
	case len(fixed) >= 3 && slices.Equal(fixed[:3], []byte{propShared, propSubscriptionIDs, propWildcard}):
		b.Vendor = "nanomq"
	case slices.Equal(fixed, []byte{propReceiveMaximum}):
		b.Vendor = "mochi"
	}
	return b, b.Vendor != ""
}

// codeHint goes by return codes that only one broker sends to 3.x clients.
func codeHint(s *decode.Session) (Broker, bool) {
	if s.Connack == nil || s.Connack.Version == mqtt.V5 || s.Version() == mqtt.V5 {
		return Broker{}, false
	}
	b := Broker{Basis: Likely, Because: "CONNACK code " + mqtt.FormatCode(s.Connack.Code) + " to a 3.x client", Packet: s.ConnackAt.Packet}
	switch s.Connack.Code {
	case 0x06:
		b.Vendor = "aedes"
	case 0x10:
		b.Vendor = "nats"
	case 0x80, 0x82:
		b.Vendor = "mochi"
	}
	return b, b.Vendor != ""
}

// disconnectHint goes by a DISCONNECT from the broker to a 3.x client, which
// the standard does not know.
func disconnectHint(s *decode.Session) (Broker, bool) {
	if s.Disconnect == nil || s.DisconnectBy != decode.Broker || s.Version() == mqtt.V5 || s.Version() == mqtt.VersionUnknown {
		return Broker{}, false
	}
	return Broker{Vendor: "mochi", Basis: Likely, Because: "a DISCONNECT from the broker to a 3.x client", Packet: s.DisconnectAt.Packet}, true
}

// reasonHint goes by reason strings.
func reasonHint(s *decode.Session) (Broker, bool) {
	if s.Connack == nil || s.Connack.Reason != "THROTTLED" {
		return Broker{}, false
	}
	return Broker{Vendor: "emqx", Basis: Likely, Because: `reason string "THROTTLED"`, Packet: s.ConnackAt.Packet}, true
}

// guess weighs the hints of a broker's sessions: a certain one beats likely
// ones, and hints of one strength that disagree say nothing.
func (b *broker) guess(stated string) Broker {
	if stated != "" {
		vendor, version, _ := strings.Cut(stated, ":")
		return Broker{Vendor: vendor, Version: version, Basis: Stated}
	}
	best := map[Basis]Broker{}
	torn := map[Basis]bool{}
	for _, s := range b.sessions {
		for _, look := range hints {
			found, ok := look(s)
			if !ok {
				continue
			}
			found.Session = s
			have, known := best[found.Basis]
			if !known {
				best[found.Basis] = found
			}
			torn[found.Basis] = torn[found.Basis] || known && have.Vendor != found.Vendor
		}
	}
	for _, basis := range []Basis{Certain, Likely} {
		if found, ok := best[basis]; ok {
			if torn[basis] {
				return Broker{}
			}
			return found
		}
	}
	return Broker{}
}
