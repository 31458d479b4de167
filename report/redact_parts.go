package report

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// What a report is made of passes here before anything is made of it, so that
// sentences, records and whatever else comes of it are about pseudonyms. The rules
// have run before, for they look at the forms of names. A test fills every text
// of these types, and fails for one that comes through and is not declared safe.

// each replaces every text of a list.
func each(list []string, with func(string) string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = with(text)
	}
	return out
}

// info is a capture's description.
func (r *Redactor) info(c capture.Info) capture.Info {
	if r == nil {
		return c
	}
	c.Name, c.Problems = r.capture(c.Name), each(c.Problems, r.problem)
	c.Interfaces = each(c.Interfaces, r.interfaceName)
	c.Names = nil
	return c
}

// session is a copy of a session; what sessions share is left alone.
func (r *Redactor) session(s *decode.Session) *decode.Session {
	if r == nil || s == nil {
		return s
	}
	c := *s
	c.Client, c.Broker = r.addrPort(s.Client), r.addrPort(s.Broker)
	c.Origin = r.origin(s.Origin, s.Broker.Addr())
	if s.Connect != nil {
		connect := *s.Connect
		connect.Name, connect.ClientID = r.protocol(connect.Name), r.clientID(connect.ClientID)
		connect.AuthMethod = r.authMethod(connect.AuthMethod)
		c.Connect = &connect
	}
	if s.Connack != nil {
		connack := *s.Connack
		connack.Reason, connack.ServerReference = r.reason(connack.Reason), r.endpoint(connack.ServerReference)
		connack.AssignedID, connack.AuthMethod = r.clientID(connack.AssignedID), r.authMethod(connack.AuthMethod)
		c.Connack = &connack
	}
	if s.Disconnect != nil {
		disconnect := *s.Disconnect
		disconnect.Reason, disconnect.ServerReference = r.reason(disconnect.Reason), r.endpoint(disconnect.ServerReference)
		c.Disconnect = &disconnect
	}
	if s.TLS != nil {
		t := *s.TLS
		t.SNI, t.ALPN = r.host(t.SNI), each(t.ALPN, r.protocol)
		t.Certificate, t.ClientCertificate = r.certificate(t.Certificate), r.certificate(t.ClientCertificate)
		c.TLS = &t
	}
	if s.HTTP != nil {
		h := *s.HTTP
		h.Method, h.Path = r.method(h.Method), r.path(h.Path)
		h.Protocol, h.Protocols = r.protocol(h.Protocol), each(h.Protocols, r.protocol)
		c.HTTP = &h
	}
	return &c
}

// origin keeps only the broker's name: it is what a session tells of them.
func (r *Redactor) origin(o *decode.Origin, broker netip.Addr) *decode.Origin {
	if o == nil {
		return nil
	}
	c := &decode.Origin{Capture: r.capture(o.Capture), Index: o.Index}
	if name := o.Names[broker]; name != "" {
		c.Names = map[netip.Addr]string{r.addr(broker): r.host(name)}
	}
	return c
}

func (r *Redactor) certificate(c *tls.Certificate) *tls.Certificate {
	if c == nil {
		return nil
	}
	out := *c
	out.Subject, out.Issuer, out.Names = r.subject(c.Subject), r.subject(c.Issuer), each(c.Names, r.host)
	return &out
}

// finding is a finding about the same sessions. Its lists are sorted anew: the
// order of pseudonyms tells nothing of that of names.
func (r *Redactor) finding(f analyze.Finding) analyze.Finding {
	if r == nil {
		return f
	}
	f.Broker = r.endpoint(f.Broker)
	f.ClientIDs, f.Clients = each(f.ClientIDs, r.clientID), each(f.Clients, r.address)
	slices.Sort(f.ClientIDs)
	slices.Sort(f.Clients)
	f.Evidence = slices.Clone(f.Evidence)
	for i := range f.Evidence {
		f.Evidence[i].Session = r.session(f.Evidence[i].Session)
	}
	f.Facts = r.facts(f.Facts)
	return f
}

// textFacts says what becomes of each fact that is a text, by its name.
var textFacts = map[string]func(*Redactor, string) string{
	"reason": (*Redactor).reason, "server_reference": (*Redactor).endpoint,
	"sni": (*Redactor).host, "alpn": (*Redactor).protocol, "cert_subject": (*Redactor).subject,
	"http_path": (*Redactor).path,

	// Words and numbers of ours or of the standards.
	"client_id_chars": asIs, "mqtt_version": asIs, "connect_problem": asIs, "connect_clause": asIs,
	"connack_version": asIs, "close_kind": asIs, "first_packet": asIs, "transport": asIs,
	"tls_version": asIs, "tls_alert": asIs, "tls_alert_by": asIs, "cert_not_after": asIs,
	"broker_vendor": asIs, "broker_version": asIs, "broker_basis": asIs, "client_library": asIs,
	"worked_change": asIs, "flaps_closed_by": asIs,
}

func asIs(_ *Redactor, text string) string { return text }

func (r *Redactor) facts(f analyze.Facts) analyze.Facts {
	v := reflect.ValueOf(&f).Elem()
	for i := range v.NumField() {
		fact, ok := v.Field(i).Addr().Interface().(*analyze.Fact[string])
		if !ok {
			continue
		}
		text, known := fact.Get()
		if !known {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		with, declared := textFacts[name]
		if !declared { // a test would fail; nothing leaks meanwhile
			with = func(r *Redactor, text string) string { return r.word("value", text) }
		}
		fact.Set(with(r, text), fact.Packets()...)
	}
	return f
}
