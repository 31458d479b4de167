package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// answers is what came back, when, and how it ended.
type answers struct {
	connacks, late, partial int
	// present are the packets of the CONNACKs that say so.
	present         []int
	reason, other   Fact[string]
	serverKeepAlive Fact[int]
	authPending     bool

	code                                      agreed[byte]
	shape                                     agreed[mqtt.Version]
	close                                     agreed[decode.Close]
	closedByBroker, connectSent, connectAcked agreed[bool]
	firstPacket                               agreed[mqtt.Type]

	// Times in milliseconds: to the CONNACK, and without one to the broker's
	// close, to the client's, and the longest to any end.
	latencies, closes, gaveUp []float64
	waited                    float64
	hasWaited                 bool
}

// reset forgets all, and keeps the memory of the times.
func (a *answers) reset() {
	*a = answers{latencies: a.latencies[:0], closes: a.closes[:0], gaveUp: a.gaveUp[:0]}
}

func (a *answers) add(v *visit) {
	if c := v.Connack; c != nil {
		a.connack(v, c)
	}
	if v.ClosedBy == decode.Broker {
		a.close.add(v.Close)
	}
	if v.SynAck.Seen() && (v.TLS == nil || v.TLS.Decrypted) && (v.ConnectAt.Seen() || !v.ClientGap) { // behind TLS it does not show
		// What was answered was sent, whole or not in the capture.
		a.connectSent.add(v.Connack != nil || v.ConnectAt.Seen() && (!v.Closed.Seen() || v.ConnectAt.Packet < v.Closed.Packet))
	}
	if v.Connect != nil {
		a.connectAcked.add(v.ConnectAcked)
	}
	if v.FirstPacket != 0 && v.FirstPacket != mqtt.TypeConnect {
		a.firstPacket.add(v.FirstPacket)
	}
	if v.DisconnectBy == decode.Broker && v.Disconnect != nil {
		setFirst(&a.reason, v.Disconnect.Reason, v.DisconnectAt)
		setFirst(&a.other, v.Disconnect.ServerReference, v.DisconnectAt)
	}
	if v.Has(decode.NoteLateConnack) {
		a.late++
	}
	if v.Rare().ConnectWant > 0 {
		a.partial++
	}
	if v.Connack != nil {
		return
	}
	a.authPending = a.authPending || v.AuthPending
	if asked := either(&v.ConnectAt, &v.SynAck); asked.Seen() {
		a.noConnack(v, asked)
	}
}

func (a *answers) connack(v *visit, c *mqtt.Connack) {
	a.connacks++
	a.code.add(c.Code)
	a.shape.add(c.Version)
	if c.Code != 0 {
		a.closedByBroker.add(v.BrokerClosed.Seen())
	}
	if v.ConnectAt.Seen() && v.ConnectAt.Before(v.ConnackAt) {
		a.latencies = append(a.latencies, ms(v.ConnackAt.Sub(v.ConnectAt)))
	}
	if c.SessionPresent {
		a.present = append(a.present, v.ConnackAt.Packet)
	}
	setFirst(&a.reason, c.Reason, v.ConnackAt)
	setFirst(&a.other, c.ServerReference, v.ConnackAt)
	if c.ServerKeepAlive != nil {
		a.serverKeepAlive.Set(int(*c.ServerKeepAlive), v.ConnackAt.Packet)
	}
}

// noConnack says how long the client waited since it asked.
func (a *answers) noConnack(v *visit, asked decode.Event) {
	switch v.ClosedBy {
	case decode.Broker:
		a.closes = append(a.closes, ms(max(0, v.Closed.Sub(earlier(asked, v.Closed)))))
	case decode.Client:
		a.gaveUp = append(a.gaveUp, ms(v.Closed.Sub(asked)))
	}
	end := either(&v.Closed, &v.CaptureEnd)
	if wait := ms(end.Sub(earlier(asked, end))); !a.hasWaited || wait > a.waited {
		a.waited, a.hasWaited = wait, true
	}
}

func (a *answers) set(f *Facts) {
	if code, ok := a.code.get(); ok {
		f.Code.Set(int(code))
	}
	if v, ok := a.shape.get(); ok {
		f.ConnackVersion.Set(v.String())
	}
	if kind, ok := a.close.get(); ok {
		f.CloseKind.Set(kind.String())
	}
	setAgreed(&f.ClosedByBroker, a.closedByBroker)
	setAgreed(&f.ConnectSent, a.connectSent)
	setAgreed(&f.ConnectAcked, a.connectAcked)
	if t, ok := a.firstPacket.get(); ok {
		f.FirstPacket.Set(t.String())
	}
	f.Reason, f.ServerReference, f.ServerKeepAliveS = a.reason, a.other, a.serverKeepAlive
	if a.authPending {
		f.AuthPending.Set(true)
	}
	if a.connacks > 0 {
		f.SessionPresent.Set(len(a.present) > 0, a.present...)
	}
	if len(a.latencies) > 0 {
		f.ConnackMedianMS.Set(median(a.latencies))
		f.ConnackMS.Set(slices.Max(a.latencies))
	}
	if len(a.closes) > 0 {
		f.CloseDelayMS.Set(median(a.closes))
	}
	if len(a.gaveUp) > 0 {
		f.ClientGaveUpMS.Set(median(a.gaveUp))
	}
	if a.hasWaited {
		f.WaitedMS.Set(a.waited)
	}
	f.LateConnacks.Set(a.late)
	f.ConnectPartial.Set(a.partial)
}

// earlier is the earlier of two events.
func earlier(x, y decode.Event) decode.Event {
	if x.Nano < y.Nano {
		return x
	}
	return y
}
