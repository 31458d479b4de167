package analyze

import (
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

func found(st *story, symptom string) bool {
	return slices.ContainsFunc(st.findings(), func(f Finding) bool { return f.Symptom == symptom })
}

// A session that was open at the end of its file may have ended before the next file shows its
// client ID at another address.
func TestSharedOverFiles(t *testing.T) {
	for _, test := range []struct {
		name string
		next *decode.Origin
		want bool
	}{
		{"one file", story1, true},
		{"the next file", &decode.Origin{Capture: "next", Index: 2}, false},
	} {
		var st story
		for i, client := range []string{"10.0.0.2", "10.0.0.3"} {
			s := st.accepted(float64(100*i), client, "pump-7")
			s.CaptureEnd = st.at(float64(100*i + 50))
			if i > 0 {
				s.Origin = test.next
			}
			if i == 1 {
				st.close(s, 120, decode.Client)
			}
		}
		if got := found(&st, ClientIDShared); got != test.want {
			t.Errorf("%s: shared %v, want %v", test.name, got, test.want)
		}
	}
}

// A client whose packet a snap length cut may have said DISCONNECT.
func TestFlappingWhereCut(t *testing.T) {
	for _, cut := range []bool{false, true} {
		var st story
		for i := range 2 * flapCount {
			s := st.accepted(float64(10*i), "10.0.0.2", "pump-7")
			st.close(s, float64(10*i)+1, decode.Client)
			if cut {
				s.Notes.Add(decode.NoteDesync)
			}
		}
		if got := found(&st, SessionFlapping); got == cut {
			t.Errorf("cut %v: flapping %v", cut, got)
		}
	}
}

// A broker of MQTT 5 says why it ends a session, which may be what is missing; one of 3.1.1 does not.
func TestTimedOutBehindHole(t *testing.T) {
	for _, test := range []struct {
		version   mqtt.Version
		hole, out bool
	}{{mqtt.V311, false, true}, {mqtt.V311, true, true}, {mqtt.V5, false, true}, {mqtt.V5, true, false}} {
		var st story
		s := st.accepted(0, "10.0.0.2", "pump-7")
		s.Connect.Version, s.BrokerGap = test.version, test.hole
		st.close(s, (90 * time.Second).Seconds(), decode.Broker)
		if got := found(&st, KeepaliveTimeout); got != test.out {
			t.Errorf("%+v: timed out %v", test, got)
		}
	}
}
