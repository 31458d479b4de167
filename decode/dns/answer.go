// Package dns takes host names from DNS answers, so that brokers can be called
// by name.
package dns

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// maxAnswers is how many records of a message are looked at.
const maxAnswers = 64

// Answers calls yield for every address in a DNS response, with the name that
// was asked for (not the end of its CNAME chain: it is the name that the client
// was configured with). Anything else is left alone.
func Answers(message []byte, yield func(name string, addr netip.Addr)) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || !header.Response {
		return
	}
	question, err := p.Question()
	if err != nil || p.SkipAllQuestions() != nil {
		return
	}
	name := strings.TrimSuffix(question.Name.String(), ".")
	for range maxAnswers {
		answer, err := p.AnswerHeader()
		if err != nil {
			return
		}
		switch answer.Type {
		case dnsmessage.TypeA:
			a, err := p.AResource()
			if err != nil {
				return
			}
			yield(name, netip.AddrFrom4(a.A))
		case dnsmessage.TypeAAAA:
			a, err := p.AAAAResource()
			if err != nil {
				return
			}
			yield(name, netip.AddrFrom16(a.AAAA).Unmap())
		default:
			if p.SkipAnswer() != nil {
				return
			}
		}
	}
}
