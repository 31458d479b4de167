package analyze

import (
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// behindTLS is what is visible of TLS and of WebSockets.
type behindTLS struct {
	tls                       bool
	encrypted                 agreed[bool]
	transport                 agreed[string]
	httpAnswered              bool
	sni, alpn, version, alert agreed[string]
	alertBy                   agreed[decode.Side]
	upgrade, subprotocol      Fact[bool]
	status                    Fact[int]
	path                      Fact[string]
	text                      agreed[bool]
	certSubject, certNotAfter agreed[string]
	certInDate, certNames     agreed[bool]
}

func (a *behindTLS) add(v *visit) {
	a.encrypted.add(v.TLS != nil && !v.TLS.Decrypted)
	a.transport.add(v.Transport.String())
	a.httpAnswered = a.httpAnswered || answeredInHTTP(v.Session)
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
		a.certificate(v, t.Certificate)
	}
	if h := v.HTTP; h != nil {
		a.upgrade.Set(h.Upgrade, v.FirstFromClient.Packet)
		a.text.add(h.Text)
		a.subprotocol.Set(h.Subprotocol, v.FirstFromClient.Packet)
		setFirst(&a.path, h.Path, v.FirstFromClient)
		if h.Status != 0 {
			a.status.Set(h.Status, v.LastFromBroker.Packet)
		}
	}
}

// certificate takes the broker's certificate, nil where it is not visible.
func (a *behindTLS) certificate(v *visit, c *tls.Certificate) {
	if c == nil {
		return
	}
	a.certSubject.add(c.Subject)
	a.certNotAfter.add(c.NotAfter.UTC().Format(time.DateOnly))
	if at := v.Opened.Time(); !at.IsZero() {
		a.certInDate.add(!at.Before(c.NotBefore) && !at.After(c.NotAfter))
	}
	if v.TLS.SNI != "" {
		if names := namesServer(c, v.TLS.SNI); names || !c.More {
			a.certNames.add(names)
		}
	}
}

// namesServer reports whether a certificate is made out for a server name, by
// RFC 9525 §6.3: a wildcard stands for one label, at the left. Only a
// certificate without names goes by its subject.
func namesServer(c *tls.Certificate, server string) bool {
	_, parent, _ := strings.Cut(server, ".")
	is := func(name string) bool {
		wild, ok := strings.CutPrefix(name, "*.")
		return strings.EqualFold(name, server) || ok && parent != "" && strings.EqualFold(wild, parent)
	}
	if len(c.Names) == 0 {
		return is(c.Subject)
	}
	return slices.ContainsFunc(c.Names, is)
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
	setAgreed(&f.Transport, a.transport)
	f.HTTPAnswered.Set(a.httpAnswered)
	setAgreed(&f.SNI, a.sni)
	setAgreed(&f.ALPN, a.alpn)
	setAgreed(&f.TLSVersion, a.version)
	setAgreed(&f.TLSAlert, a.alert)
	if by, ok := a.alertBy.get(); ok {
		f.TLSAlertBy.Set(by.String())
	}
	setAgreed(&f.WSText, a.text)
	setAgreed(&f.CertSubject, a.certSubject)
	setAgreed(&f.CertNotAfter, a.certNotAfter)
	setAgreed(&f.CertInDate, a.certInDate)
	setAgreed(&f.CertNamesServer, a.certNames)
	f.WSUpgrade, f.WSProtocol, f.HTTPStatus, f.HTTPPath = a.upgrade, a.subprotocol, a.status, a.path
}
