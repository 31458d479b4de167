package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// description is a finding in words.
type description struct{ title, summary, answer string }

// wording is the messages of a symptom.
type wording struct{ title, summary, answer message }

var wordings = map[string]wording{
	"client-id-takeover":    {titleTakeOver, summaryTakeOver, answerTakeOver},
	"client-id-shared":      {titleShared, summaryShared, answerShared},
	"client-id-churn":       {titleChurn, summaryChurn, answerChurn},
	"identifier-rejected":   {titleIdentifier, summaryCode, answerIdentifier},
	"server-unavailable":    {titleUnavailable, summaryCode, answerCode},
	"bad-credentials":       {titleCredentials, summaryAuth, answerCredentials},
	"not-authorized":        {titleNotAuthorized, summaryAuth, answerNotAuthorized},
	"version-refused":       {titleVersion, summaryCode, answerVersion},
	"connack-other":         {titleConnack, summaryCode, answerCode},
	"server-redirect":       {titleRedirect, summaryRedirect, answerRedirect},
	"closed-before-connack": {titleClosed, summaryClosed, answerClosed},
	"no-connack":            {titleNoConnack, summaryNoConnack, answerNoConnack},
	"slow-connack":          {titleSlow, summarySlow, answerSlow},
	"connection-refused":    {titleRefused, summaryRefused, answerRefused},
	"connection-timeout":    {titleTimeout, summaryTimeout, answerTimeout},
	"tls-to-plain-port":     {titleTLSToPlain, summaryTLSToPlain, answerTLSToPlain},
	"plain-to-tls-port":     {titlePlainToTLS, summaryPlainToTLS, answerPlainToTLS},
	"http-on-mqtt-port":     {titleHTTP, summaryHTTP, answerHTTP},
	"tls-alert":             {titleTLSAlert, summaryTLSAlert, answerTLSAlert},
	"closed-inside-tls":     {titleInsideTLS, summaryInsideTLS, answerInsideTLS},
	"ws-upgrade-failed":     {titleWS, summaryWS, answerWS},
	"retry-storm":           {titleStorm, summaryStorm, answerStorm},
	"keepalive-timeout":     {titleKeepAlive, summaryKeepAlive, answerKeepAlive},
	"session-flapping":      {titleFlapping, summaryFlapping, answerFlapping},
	"malformed-connect":     {titleMalformed, summaryMalformed, answerMalformed},
}

// describe puts a finding into words. Every number in them is the finding's or
// one of its facts'.
func describe(f *analyze.Finding, lang kb.Lang) description {
	v := valuesOf(f, lang)
	w, ok := wordings[f.Symptom]
	if !ok {
		w = wording{titleOther, summaryOther, answerOther}
	}
	is := func(name string) bool { b, _ := v[name].(bool); return b }
	switch {
	case f.Symptom == "identifier-rejected" && v["ids"] == nil:
		w.answer = answerIdentifierEmpty
	case v["problem"] != nil && isFact(f.Facts.ConnectProblem, "incomplete") && f.Symptom == "malformed-connect":
		w.summary, w.answer = summaryIncomplete, answerIncomplete
	case f.Symptom == "no-connack" && is("authpending"):
		w.summary, w.answer = summaryAuthPending, answerAuthPending
	case (w.summary == summaryCode || w.summary == summaryAuth) && isFact(f.Facts.Connects, 0):
		w.summary = summaryCodeUnseen
	case f.Symptom == "closed-before-connack" && v["connectsent"] == false:
		w.answer = answerClosedEarly
	case f.Symptom == "client-id-takeover" && is("stale"):
		w.summary, w.answer = summaryStale, answerStale
	case f.Symptom == "client-id-takeover" && is("differ"):
		w.summary, w.answer = summaryTakeOverUser, answerTakeOverUser
	case f.Symptom == "client-id-takeover" && is("loop") && len(f.Clients) > 1:
		w.answer = answerTakeOverLoop
	case f.Symptom == "client-id-takeover" && is("loop"):
		w.answer = answerTakeOverLoopOne
	}
	d := description{title: say(lang, w.title, v), summary: say(lang, w.summary, v), answer: say(lang, w.answer, v)}
	if worked := workedInWords(f, lang); worked != "" {
		d.summary = worked + gap(lang) + d.summary
	}
	if j := f.Joined; j != nil {
		others := gap(lang) + say(lang, joinedFindings, values{"brokers": j.Brokers, "n": f.Sessions})
		d.summary, d.answer = d.summary+others, d.answer+others
	}
	return d
}

var workedMessages = map[string]message{
	"client-id": workedClientID, "clean-start": workedCleanStart, "keep-alive": workedKeepAlive,
	"version": workedVersion, "credentials": workedCredentials, "port": workedPort, "several": workedSeveral,
}

// workedInWords says what a client changed before it was accepted, "" where none
// was, or where it changed nothing: no advice is as good as what worked.
func workedInWords(f *analyze.Finding, lang kb.Lang) string {
	change, _ := f.Facts.WorkedChange.Get()
	m, ok := workedMessages[change]
	if !ok {
		return ""
	}
	packets := f.Facts.WorkedChange.Packets()
	v := values{"n": len(packets)}
	numbers := make([]string, 0, len(packets))
	for _, n := range packets {
		numbers = append(numbers, strconv.Itoa(n))
	}
	v.has("list", inWords(numbers, 3, lang))
	return say(lang, m, v)
}

// valuesOf names what the sentences about a finding may use.
func valuesOf(f *analyze.Finding, lang kb.Lang) values {
	sessions := f.Sessions
	if f.Joined != nil {
		sessions = max(f.Joined.Sessions, 1)
	}
	v := values{
		"symptom": f.Symptom, "broker": f.Broker,
		"n": sessions, "times": times(sessions, lang),
		"addrn": len(f.Clients), "Clients": countWord(len(f.Clients), lang),
	}
	facts := &f.Facts
	named := named(f.ClientIDs)
	ids := make([]string, len(named))
	for i := range min(len(ids), 3) { // more are only counted
		ids[i] = `"` + shorten(named[i]) + `"`
	}
	v["idn"], v["idcount"] = len(ids), len(ids)
	v.has("ids", inWords(ids, 2, lang))
	subject := subjectEmpty
	switch len(ids) {
	case 0:
	case 1:
		subject = subjectOne
	default:
		subject = subjectMany
	}
	v["subject"] = say(lang, subject, v)
	v["Subject"] = capital(v["subject"].(string))
	v.has("who", inWords(f.Clients, 3, lang))
	v.has("codes", codesInWords(f, lang))
	if len(f.MQTTVersions) == 1 && f.MQTTVersions[0] != "" {
		v["version"] = say(lang, mqttVersion, values{"version": f.MQTTVersions[0]})
	}
	if d := f.Last.Sub(f.First); sessions > 1 && f.Joined == nil && d >= time.Millisecond {
		v["span"] = duration(d, lang)
	}

	number(v, "idcount", facts.ClientIDs)
	known(v, "empty", facts.ClientIDEmpty)
	known(v, "clean", facts.CleanStart)
	number(v, "keepalive", facts.KeepAliveS)
	known(v, "username", facts.Username)
	known(v, "password", facts.Password)
	positive(v, "retries", facts.RetriesUnchanged)
	positive(v, "accepted", facts.BrokerAccepted)
	positive(v, "late", facts.LateConnacks)
	known(v, "connectsent", facts.ConnectSent)
	known(v, "acked", facts.ConnectAcked)
	known(v, "authpending", facts.AuthPending)
	known(v, "overlapping", facts.Overlapping)
	known(v, "loop", facts.TakeoverLoop)
	known(v, "stale", facts.StaleReconnect)
	known(v, "differ", facts.IDsDiffer)
	known(v, "told", facts.TakeoverTold)
	number(v, "port", facts.Port)
	number(v, "syns", facts.SynAttempts)
	if n, ok := facts.Takeovers.Get(); ok && f.Joined == nil {
		v["ttimes"] = times(n, lang)
	} else {
		v["ttimes"] = times(sessions, lang)
	}
	span(v, "delay", facts.TakeoverDelayMS, time.Millisecond, lang)
	if f.Symptom == "closed-before-connack" {
		span(v, "delay", facts.CloseDelayMS, time.Millisecond, lang)
	}
	span(v, "period", facts.TakeoverPeriodS, time.Second, lang)
	span(v, "idle", facts.IdleBeforeS, time.Second, lang)
	span(v, "interval", facts.RetryIntervalS, time.Second, lang)
	span(v, "waited", facts.WaitedMS, time.Millisecond, lang)
	span(v, "gaveup", facts.ClientGaveUpMS, time.Millisecond, lang)
	span(v, "connackmax", facts.ConnackMS, time.Millisecond, lang)
	span(v, "connackmedian", facts.ConnackMedianMS, time.Millisecond, lang)
	if s, ok := facts.CloseKind.Get(); ok {
		v.has("close", strings.ToUpper(s))
	}
	quote(v, "reason", facts.Reason, f, reasonOf)
	quote(v, "reference", facts.ServerReference, f, referenceOf)
	if s, ok := facts.ConnectProblem.Get(); ok {
		v.has("problem", problemInWords(f, s, lang))
	}
	if s, ok := facts.ConnectClause.Get(); ok {
		v.has("clause", s)
	}
	return v
}

// named leaves the empty client ID out of a list that is sorted: it is the
// absence of one, and has words of its own.
func named(ids []string) []string {
	if len(ids) > 0 && ids[0] == "" {
		return ids[1:]
	}
	return ids
}

// isFact reports that a fact is known and has a value.
func isFact[T bool | int | float64 | string](f analyze.Fact[T], want T) bool {
	have, ok := f.Get()
	return ok && have == want
}

func number(v values, name string, f analyze.Fact[int]) {
	if n, ok := f.Get(); ok {
		v[name] = n
	}
}

func positive(v values, name string, f analyze.Fact[int]) {
	if n, ok := f.Get(); ok && n > 0 {
		v[name] = n
	}
}

func known(v values, name string, f analyze.Fact[bool]) {
	if b, ok := f.Get(); ok {
		v[name] = b
	}
}

func span(v values, name string, f analyze.Fact[float64], unit time.Duration, lang kb.Lang) {
	if n, ok := f.Get(); ok && n >= 0 {
		v[name] = duration(time.Duration(n*float64(unit)), lang)
	}
}

// quote names the text of the first session that has one: name where all sessions
// say the same, else "example" and name, also where there are more sessions than
// the evidence holds.
func quote(v values, name string, first analyze.Fact[string], f *analyze.Finding, of func(*decode.Session) string) {
	text, ok := first.Get()
	if !ok {
		return
	}
	differs := func(e analyze.Evidence) bool { return e.Session == nil || of(e.Session) != text }
	if len(f.Evidence) < f.Sessions || slices.ContainsFunc(f.Evidence, differs) {
		name = "example" + name
	}
	v.has(name, shorten(text))
}

// reasonOf is the broker's reason string, referenceOf the server it names, in its
// CONNACK or else in its DISCONNECT; "" where it gives none.
func reasonOf(s *decode.Session) string {
	if s.Connack != nil && s.Connack.Reason != "" {
		return s.Connack.Reason
	}
	if s.Disconnect != nil && s.DisconnectBy == decode.Broker {
		return s.Disconnect.Reason
	}
	return ""
}

func referenceOf(s *decode.Session) string {
	if s.Connack != nil && s.Connack.ServerReference != "" {
		return s.Connack.ServerReference
	}
	if s.Disconnect != nil && s.DisconnectBy == decode.Broker {
		return s.Disconnect.ServerReference
	}
	return ""
}

// problemInWords is how a CONNECT breaks the standard, by the problem's id and,
// where the decoder kept it, its text.
func problemInWords(f *analyze.Finding, id string, lang kb.Lang) string {
	text := ""
	for _, e := range f.Evidence {
		if e.Session == nil || e.Session.Connect == nil {
			continue
		}
		for _, p := range e.Session.Connect.Problems {
			if p.ID == id && text == "" {
				text = p.Text
			}
		}
	}
	switch {
	case lang == kb.Chinese:
		return problemInChinese(id, text)
	case text != "":
		return text
	case id == "second-connect":
		return "a second CONNECT on one connection"
	}
	return id
}

// codesInWords names the CONNACK codes: `0x02 (identifier rejected)`.
func codesInWords(f *analyze.Finding, lang kb.Lang) string {
	named := make([]string, 0, len(f.Codes))
	for _, c := range f.Codes {
		n, err := strconv.ParseUint(c, 0, 8)
		name := ""
		if err == nil {
			version := "3.1.1"
			if n >= 0x80 {
				version = "5"
			}
			name = kb.CodeName(version, byte(n), lang)
		}
		if name != "" {
			c += " (" + name + ")"
		}
		named = append(named, c)
	}
	return inWords(named, 3, lang)
}

// inWords is a list in a sentence: all of it up to limit plus one, else the
// first ones and how many more there are.
func inWords(list []string, limit int, lang kb.Lang) string {
	switch n := len(list); {
	case n == 0:
		return ""
	case n == 1:
		return list[0]
	case n <= limit+1:
		return strings.Join(list[:n-1], say(lang, listComma, nil)) + say(lang, listAnd, nil) + list[n-1]
	}
	shown := strings.Join(list[:limit], say(lang, listComma, nil))
	return say(lang, andMore, values{"list": shown, "n": len(list) - limit, "total": len(list)})
}

func times(n int, lang kb.Lang) string {
	switch {
	case n == 1:
		return say(lang, once, nil)
	case n == 2 && lang == kb.English:
		return "twice"
	}
	return say(lang, timesMany, values{"n": n})
}

// countWord is a count that begins a sentence.
func countWord(n int, lang kb.Lang) string {
	words := [...]string{2: "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"}
	switch {
	case lang == kb.Chinese && n == 2:
		return "两个"
	case lang == kb.Chinese:
		return strconv.Itoa(n) + " 个"
	case n >= 2 && n < len(words):
		return words[n]
	}
	return strconv.Itoa(n)
}

// duration rounds to what a reader takes in: 0.3 ms, 31 ms, 1.0 s, 95 s,
// 12 min, 5.2 h, 3.1 d.
func duration(d time.Duration, lang kb.Lang) string {
	unit, n := milliseconds, float64(d)/float64(time.Millisecond)
	switch {
	case d >= 48*time.Hour:
		unit, n = days, d.Hours()/24
	case d >= 2*time.Hour:
		unit, n = hours, d.Hours()
	case d >= 2*time.Minute:
		unit, n = minutes, d.Minutes()
	case d >= time.Second-time.Second/2000: // what would round to 1000 ms
		unit, n = seconds, d.Seconds()
	}
	decimals := 1
	switch {
	case n >= 9.95 || n == 0:
		decimals = 0
	case unit == milliseconds && n < 0.095:
		decimals = 2
	}
	return say(lang, unit, values{"n": strconv.FormatFloat(n, 'f', decimals, 64)})
}
