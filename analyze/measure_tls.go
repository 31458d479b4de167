package analyze

import "github.com/mqttriage/mqttriage/decode"

// behindTLS is what is visible of TLS and of WebSockets.
type behindTLS struct {
	tls                       bool
	encrypted                 agreed[bool]
	sni, alpn, version, alert agreed[string]
	alertBy                   agreed[decode.Side]
	upgrade, subprotocol      Fact[bool]
	status                    Fact[int]
	path                      Fact[string]
}

func (a *behindTLS) add(v *visit) {
	a.encrypted.add(v.TLS != nil && !v.TLS.Decrypted)
	if t := v.TLS; t != nil {
		a.tls = true
		a.sni.add(t.SNI)
		alpn := ""
		if len(t.ALPN) > 0 {
			alpn = t.ALPN[0]
		}
		a.alpn.add(alpn)
		addKnown(&a.version, t.Version)
		addKnown(&a.alert, t.Alert)
		if t.AlertBy != decode.Nobody {
			a.alertBy.add(t.AlertBy)
		}
	}
	if h := v.HTTP; h != nil {
		a.upgrade.Set(h.Upgrade, v.FirstFromClient.Packet)
		a.subprotocol.Set(h.Subprotocol, v.FirstFromClient.Packet)
		setFirst(&a.path, h.Path, v.FirstFromClient)
		if h.Status != 0 {
			a.status.Set(h.Status, v.LastFromBroker.Packet)
		}
	}
}

// addKnown adds a text that is there.
func addKnown(a *agreed[string], text string) {
	if text != "" {
		a.add(text)
	}
}

func (a *behindTLS) set(f *Facts) {
	if a.tls {
		setAgreed(&f.Encrypted, a.encrypted)
	} else {
		f.Encrypted.Set(false)
	}
	setAgreed(&f.SNI, a.sni)
	setAgreed(&f.ALPN, a.alpn)
	setAgreed(&f.TLSVersion, a.version)
	setAgreed(&f.TLSAlert, a.alert)
	if by, ok := a.alertBy.get(); ok {
		f.TLSAlertBy.Set(by.String())
	}
	f.WSUpgrade, f.WSProtocol, f.HTTPStatus, f.HTTPPath = a.upgrade, a.subprotocol, a.status, a.path
}
