package analyze

import (
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// libraryOf guesses a session's client library from its default client ID; ""
// when the ID says nothing.
func libraryOf(s *decode.Session) string {
	if s.Connect == nil {
		return ""
	}
	id := s.Connect.ClientID
	switch {
	case hexAfter(id, "mqttjs_", 8):
		return "mqttjs"
	case hexAfter(id, "ESP32_", 6), id == "esp_mqtt_client_id":
		return "esp-idf"
	case strings.HasPrefix(id, "mosq-"), strings.HasPrefix(id, "mosqsub|"), strings.HasPrefix(id, "mosqpub|"), strings.HasPrefix(id, "mosq/"):
		return "mosquitto-clients"
	}
	return ""
}

// hexAfter reports that id is a prefix and n hexadecimal digits.
func hexAfter(id, prefix string, n int) bool {
	digits, ok := strings.CutPrefix(id, prefix)
	if !ok || len(digits) != n {
		return false
	}
	return strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// fallbackDelay is how soon Paho tries again with MQTT 3.1 after any failure
// of its first attempt: within milliseconds, against a second or more between
// ordinary retries.
const fallbackDelay = 200 * time.Millisecond

// libraryOfPair guesses the library from how a client tries again: Paho Go and
// Paho C repeat a failed 3.1.1 CONNECT at once as 3.1, and Paho Python answers
// the refusal of an empty ID at once with one of 22 letters and digits.
func libraryOfPair(s, next *session) string {
	if s.Connect == nil || next.Connect == nil || !s.Closed.Seen() || next.opened-s.Closed.Nano > int64(fallbackDelay) {
		return ""
	}
	x, y := s.Connect, next.Connect
	switch {
	case x.Version == mqtt.V311 && y.Version == mqtt.V31 && x.ClientID == y.ClientID && x.KeepAlive == 30:
		return "paho-go" // its default keep-alive; Paho C's is 60
	case x.Version == mqtt.V311 && y.Version == mqtt.V31 && x.ClientID == y.ClientID:
		return "paho-c"
	case s.Outcome == decode.Rejected && x.ClientID == "" && len(y.ClientID) == 22 && idChars(y.ClientID) == "0 alnum":
		return "paho-python"
	}
	return ""
}

// library is the client library on which all sessions with a guess agree.
type library struct{ agreed[string] }

func (a *library) add(v *visit) {
	if v.newID {
		addKnown(&a.agreed, libraryOf(v.Session))
	}
	if v.next == nil {
		return
	}
	if library := libraryOfPair(v.session, v.next); library != "" && libraryOf(v.Session) == "" {
		a.agreed.add(library)
	}
}

func (a *library) set(f *Facts) { setAgreed(&f.ClientLibrary, a.agreed) }
