package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// syntax is a markup language for tickets. What it is given is text as it was
// sent or written; what it returns is markup that shows that text and does nothing
// else, on one line.
type syntax interface {
	// plain is text that may quote the wire.
	plain(text string) string
	// prose is the text of an entry, in which backquotes mark code.
	prose(text string) string
	// code is a command or a filter, to be copied.
	code(text string) string
	// link is a source: an address to follow, or else plain.
	link(text string) string

	// The others take markup.

	answer(markup string) string
	// bold is for our own words only.
	bold(markup string) string
	// severity is a severity's name as the heading shows it.
	severity(severity, markup string) string
	heading(markup string) string
	bullet(markup string) string
	// numbered is an item of a numbered list, under a bullet beneath it.
	numbered(n int, markup string) string
	under(markup string) string
	tableHead(cells []string) string
	tableRow(cells []string) string
	// fold hides lines under a title until a reader asks for them.
	fold(title string, lines []string) string
}

// How much a ticket has: more than a screen, less than anyone would scroll past.
const (
	// maxTicketSessions are the sessions in a ticket's table.
	maxTicketSessions = 500
	// maxHow is how many products are named under a fix or to look at next.
	maxHow = 3
	// maxNumbers and maxFilter bound a list of packets and a Wireshark filter, in
	// characters.
	maxNumbers = 120
	maxFilter  = 240
)

// ticket is a report on its way into an issue tracker.
type ticket struct {
	printer
	syntax
	// words finds the words, as it does for a terminal.
	words *table
	doc   *Document
	lang  kb.Lang
}

func writeTicket(w io.Writer, s syntax, doc *Document) error {
	t := &ticket{
		printer: printer{w: w}, syntax: s, doc: doc, lang: doc.Lang,
		words: &table{doc: doc, lang: doc.Lang, prose: maxProse, said: map[string]int{}},
	}
	t.print(t.syntax.answer(t.answer()))
	for i := range doc.Findings[:min(len(doc.Findings), maxSpelledOut)] {
		t.print("\n")
		t.finding(i+1, &doc.Findings[i])
	}
	if rest := len(doc.Findings) - maxSpelledOut; rest > 0 {
		t.paragraph(t.plain(t.say(moreFindings, values{"n": rest})))
	}
	t.totals()
	t.codes()
	t.sessions()
	return t.err
}

func (t *ticket) say(m message, v values) string { return say(t.lang, m, v) }

// paragraph writes markup, after an empty line.
func (t *ticket) paragraph(markup string) {
	if markup != "" {
		t.print("\n", markup, "\n")
	}
}

// answer is the answer. It quotes the wire, and then a fix of an entry, whose code
// stays code.
func (t *ticket) answer() string {
	answer := cut(t.doc.Answer, maxText)
	if len(t.doc.Findings) == 0 {
		return t.plain(answer)
	}
	longest := ""
	for _, a := range t.doc.Findings[0].Advice {
		for _, f := range a.Fixes {
			if text := sentence(f.Text, t.lang); len(text) > len(longest) && strings.Contains(answer, text) {
				longest = text
			}
		}
	}
	before, after, ok := strings.Cut(answer, longest)
	if !ok || longest == "" {
		return t.plain(answer)
	}
	return t.plain(before) + edge(before) + t.prose(longest) + edge(after) + t.plain(after)
}

// edge is the space between a text and its neighbour, which markup takes away.
func edge(text string) string {
	if strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") {
		return " "
	}
	return ""
}

// labelled is a bold label and what belongs to it. A space stands between them in
// every language: without one "：" would keep Markdown from ending what is bold.
func (t *ticket) labelled(label message, markup string) string {
	return t.bold(t.plain(t.say(label, nil)+t.say(colon, nil))) + " " + markup
}

// tagged adds a remark, such as a published rate.
func (t *ticket) tagged(markup, tag string) string {
	if tag == "" {
		return markup
	}
	return markup + " · " + t.plain(tag)
}

// counted says after the last text that is shown how many are not.
func (t *ticket) counted(markup string, i, shown, all int) string {
	if i == shown-1 && all > shown {
		return markup + " " + t.plain(t.say(more, values{"n": all - shown}))
	}
	return markup
}

func (t *ticket) finding(n int, f *Finding) {
	severity := t.say(severities[f.Severity].name, nil)
	if _, ok := severities[f.Severity]; !ok {
		severity = f.Severity
	}
	t.print(t.heading(strconv.Itoa(n) + ". " + t.severity(f.Severity, t.plain(severity)) + " · " + t.plain(shorten(f.Symptom)) +
		" · " + t.plain(t.say(labelBroker, values{"broker": shorten(f.Broker)}))))
	t.paragraph(t.plain(cut(f.Summary, maxText)))
	t.print("\n")
	if len(f.ClientIDs) > 3 || len(f.Clients) > 4 { // the summary counts them
		t.fact(labelWho, t.plain(t.words.who(f)))
	}
	t.fact(labelWhen, t.plain(t.words.when(f)))
	t.evidence(f)
	t.advice(n, f)
}

func (t *ticket) fact(label message, markup string) {
	if markup != "" {
		t.print(t.bullet(t.labelled(label, markup)))
	}
}

func (t *ticket) evidence(f *Finding) {
	sites := sitesOf(f)
	for i, s := range sites {
		if i == maxSites {
			t.print(t.bullet(t.plain(t.say(more, values{"n": len(sites) - maxSites}))))
			return
		}
		where := ""
		if name := t.words.where(s); name != "" {
			where = t.plain(name) + edge(name)
		}
		if numbers := t.words.packets(s.packets, maxNumbers); numbers != "" {
			t.fact(labelPackets, where+t.plain(numbers))
		}
		filter, rest, _ := strings.Cut(t.words.filter(s, maxFilter), "} ")
		markup := t.code(filter)
		if rest != "" {
			markup = t.code(filter+"}") + " " + t.plain(rest)
		}
		t.fact(labelWireshark, where+markup)
	}
}

// advice writes the most specific entry, and of the others what the facts support
// and the packets show.
func (t *ticket) advice(n int, f *Finding) {
	if len(f.Advice) == 0 {
		return
	}
	top, others := &f.Advice[0], f.Advice[1:]
	t.words.published(f.Advice)
	if first, ok := t.words.said[adviceKey(top)]; ok {
		t.paragraph(t.labelled(labelAdvice, t.plain(t.say(asIn, values{"n": first}))))
	} else {
		t.words.said[adviceKey(top)] = n
		t.causes(top, others)
		t.fixes(n, top, others)
		useless := t.useless(top, others)
		t.deadEnds(top, others, useless)
		if top.CannotTell != "" {
			t.paragraph(t.labelled(labelCannotTell, t.text(top.CannotTell)))
		}
		t.list(labelLook, hints(top.LookNext, t.text), len(top.LookNext))
	}
	t.articles(f)
}

// text is the text of an entry.
func (t *ticket) text(s string) string { return t.prose(cut(s, maxText)) }

// section writes the label of a list.
func (t *ticket) section(label message) {
	t.paragraph(t.bold(t.plain(t.say(label, nil))))
	t.print("\n")
}

// list writes the items that are shown under a label; all is how many there are.
func (t *ticket) list(label message, items []string, all int) {
	if len(items) == 0 {
		return
	}
	t.section(label)
	for i, item := range items {
		t.print(t.bullet(t.counted(item, i, len(items), all)))
	}
}

// hints are the first hints, each with the product that it is for.
func hints(all []Hint, text func(string) string) []string {
	var items []string
	for _, h := range all[:min(len(all), maxHow)] {
		items = append(items, text(inTermsOf(h)))
	}
	return items
}

func (t *ticket) causes(a *Advice, others []Advice) {
	status := func(c *Cause) kb.Status { return c.Status }
	text := func(c *Cause) string { return c.Text }
	var items []string
	sure := sureCauses(a, others)
	for _, c := range sure {
		item := t.text(c.Text) + " "
		if because := t.words.because(*c).text; because != "" {
			item += t.labelled(tagSupported, t.plain(cut(because, maxText)))
		} else {
			item += t.bold(t.plain(t.say(tagSupported, nil)))
		}
		items = append(items, item)
	}
	all := len(items)
	possible := withStatus(a.Causes, status, kb.Possible)
	if len(sure) == 0 {
		all = len(possible)
		for _, c := range possible[:min(len(possible), maxCauses)] {
			items = append(items, t.tagged(t.text(c.Text), t.say(tagPossible, nil)))
		}
	}
	t.list(labelCause, items, all)
	if len(sure) > 0 {
		t.others(labelOrCause, joinTexts(possible, text, t.say(semicolon, nil)))
	}
	t.others(labelNotCause, joinTexts(withStatus(a.Causes, status, kb.Contradicted), text, t.say(semicolon, nil)))
}

// others writes, at the end of a list, what is only named.
func (t *ticket) others(label message, text string) {
	if text != "" {
		t.print(t.bullet(t.labelled(label, t.text(text))))
	}
}

func (t *ticket) fixes(n int, a *Advice, others []Advice) {
	status := func(f *Fix) kb.Status { return f.Status }
	recommended := withStatus(a.Fixes, status, kb.Recommended)
	possible := withStatus(a.Fixes, status, kb.Possible)
	if len(recommended) == 0 {
		t.doFixes(n, labelCould, possible)
		return
	}
	t.doFixes(n, labelDo, recommended)
	if len(possible) > 0 {
		t.paragraph(t.labelled(labelCould, t.text(joinTexts(possible, func(f *Fix) string { return f.Text }, t.say(semicolon, nil)))))
	}
}

// doFixes writes fixes and how to do them; one that was spelled out under an
// earlier finding is only named.
func (t *ticket) doFixes(n int, label message, fixes []*Fix) {
	if len(fixes) == 0 {
		return
	}
	t.section(label)
	for i, f := range fixes[:min(len(fixes), maxFixes)] {
		tag := t.words.successTag(f)
		first, ok := t.words.said[f.Text]
		if ok && first != n {
			tag = t.say(asIn, values{"n": first})
		}
		t.words.said[f.Text] = n
		t.print(t.numbered(i+1, t.counted(t.tagged(t.text(f.Text), tag), i, maxFixes, len(fixes))))
		if ok {
			continue
		}
		how := hints(f.How, t.text)
		for j, h := range how {
			t.print(t.under(t.counted(h, j, len(how), len(f.How))))
		}
	}
}

// useless writes the fixes that would change nothing and returns their ids.
func (t *ticket) useless(a *Advice, others []Advice) map[string]bool {
	useless, shown := uselessFixes(a, others)
	named := map[string]bool{}
	var items []string
	for _, f := range useless[:shown] {
		named[f.ID] = true
		item := t.text(sentence(f.Text, t.lang)) + " " + t.plain(cut(t.words.whyNoUse(f), maxText))
		items = append(items, t.tagged(item, t.words.successTag(f)))
	}
	t.list(labelNoUse, items, len(useless))
	return named
}

func (t *ticket) deadEnds(a *Advice, others []Advice, useless map[string]bool) {
	var items []string
	tried := triedEnds(a, others, useless)
	for _, d := range tried {
		tag := ""
		if d.Rate != nil {
			tag = t.say(tagFails, values{"rate": percent(*d.Rate)})
		}
		item := t.text(d.Text) + " " + t.plain(cut(t.words.whereTried(d), maxText))
		if d.Why != "" {
			item += " " + t.text(d.Why)
		}
		items = append(items, t.tagged(item, tag))
	}
	t.list(labelDeadEnd, items, len(items))
	status := func(d *End) kb.Status { return d.Status }
	untried := joinTexts(withStatus(a.DeadEnds, status, kb.NotSeen, kb.NotVisible), func(d *End) string {
		if d.Rate == nil {
			return d.Text
		}
		return t.say(failsShort, values{"text": trimStop(d.Text), "rate": percent(*d.Rate)})
	}, t.say(semicolon, nil))
	if untried == "" {
		return
	}
	if len(items) == 0 {
		t.paragraph(t.labelled(labelAlsoDead, t.text(untried)))
		return
	}
	t.others(labelAlsoDead, untried)
}

// articles names the entries and their sources, for who wants to check.
func (t *ticket) articles(f *Finding) {
	var lines []string
	for _, a := range f.Advice {
		tag := ""
		if a.Confidence != nil {
			tag = t.say(tagConfidence, values{"rate": percent(*a.Confidence)})
		}
		lines = append(lines, t.bullet(t.tagged(t.code(cut(a.Entry, maxText)), tag)))
	}
	seen := map[string]bool{}
	for _, a := range f.Advice {
		for _, s := range a.Sources {
			if !seen[s] && len(seen) < maxListed {
				seen[s] = true
				lines = append(lines, t.bullet(t.link(cut(s, maxText))))
			}
		}
	}
	title := t.say(labelArticle, nil) + " · " + t.say(labelSources, nil)
	t.print("\n", t.fold(t.plain(title), lines))
}

// totals writes what was analysed, and what was lost or cut.
func (t *ticket) totals() {
	losses := t.words.losses()
	t.print("\n", t.heading(t.plain(t.say(headTotals, nil))))
	t.paragraph(t.plain(cut(t.words.totalLine(len(losses) == 0), maxText)))
	if len(losses) == 0 {
		return
	}
	t.print("\n")
	for _, l := range losses[:min(len(losses), maxListed)] {
		t.print(t.bullet(t.plain(cut(l, maxText))))
	}
	if rest := len(losses) - maxListed; rest > 0 {
		t.print(t.bullet(t.plain(t.say(more, values{"n": rest}))))
	}
}

func (t *ticket) codes() {
	if len(t.doc.Codes) > 0 {
		t.print("\n")
		t.columns(codeHeads, t.words.codeRows())
	}
}

// sessions lists the first sessions, when the document has them.
func (t *ticket) sessions() {
	all := t.doc.Sessions.Len()
	if all == 0 {
		return
	}
	heads := t.words.sessionHeads()
	rows := make([][]string, 0, min(all, maxTicketSessions))
	for i := range min(all, maxTicketSessions) {
		rows = append(rows, t.words.sessionRow(t.doc.Sessions.At(i))[:len(heads)])
	}
	t.print("\n", t.heading(t.plain(t.say(headSessions, nil))), "\n")
	t.columns(heads, rows)
	if rest := all - len(rows); rest > 0 {
		t.paragraph(t.plain(t.say(moreSessions, values{"n": rest})))
	}
}

func (t *ticket) columns(heads []message, rows [][]string) {
	cells := make([]string, len(heads))
	for i, m := range heads {
		cells[i] = t.plain(t.say(m, nil))
	}
	t.print(t.tableHead(cells))
	for _, row := range rows {
		for i, cell := range row {
			cells[i] = t.plain(shorten(cell))
		}
		t.print(t.tableRow(cells))
	}
}
