package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Jira writes the report for a ticket in Jira, in wiki markup. It is made for both
// renderers: that of the server, and that of the cloud, which knows no HTML
// references. What neither can show as it is stands as \x7c, as Escape writes what
// is not seen.
func Jira(w io.Writer, doc *Document) error { return writeTicket(w, wiki{}, doc) }

// wiki is Jira's wiki markup.
type wiki struct{}

// The answer is in a panel and nothing from the wire is bold: what is emphasised the
// cloud's renderer reads twice, and the second time without its escapes.
func (wiki) answer(markup string) string { return "{panel}" + markup + "{panel}\n" }

func (wiki) bold(markup string) string            { return "*" + markup + "*" }
func (wiki) heading(markup string) string         { return "h3. " + markup + "\n" }
func (wiki) bullet(markup string) string          { return "* " + markup + "\n" }
func (wiki) numbered(_ int, markup string) string { return "# " + markup + "\n" }
func (wiki) under(markup string) string           { return "#* " + markup + "\n" }

var jiraColors = map[string]string{"error": "#de350b", "warning": "#ff8b00", "info": "#0065ff"}

func (wiki) severity(severity, markup string) string {
	if color, ok := jiraColors[severity]; ok {
		return "{color:" + color + "}" + markup + "{color}"
	}
	return markup
}

// fold: Jira has nothing to fold with.
func (w wiki) fold(title string, lines []string) string {
	return w.bold(title) + "\n\n" + strings.Join(lines, "")
}

func (wiki) tableHead(cells []string) string { return jiraRow("||", cells) }
func (wiki) tableRow(cells []string) string  { return jiraRow("|", cells) }

// jiraRow has spaces in its cells, for "||" is a head. The cloud's renderer splits
// a row at every bar, escaped or not.
func jiraRow(bar string, cells []string) string {
	row := strings.ReplaceAll(strings.Join(cells, "\n"), `\|`, `\x7c`)
	return bar + " " + strings.ReplaceAll(row, "\n", " "+bar+" ") + " " + bar + "\n"
}

func (w wiki) plain(text string) string { return jiraText(strings.Trim(text, " "), false) }

func (w wiki) prose(text string) string {
	var b strings.Builder
	afterCode := false
	for i, part := range proseParts(text) {
		markup := jiraText(part, true)
		isCode := i%2 == 1 && !strings.ContainsAny(part, "{}")
		if isCode {
			markup = w.code(part)
		}
		if markup == "" {
			continue
		}
		// Monospaced text begins and ends only beside what is no letter and no
		// digit, Chinese ones included.
		first, _ := utf8.DecodeRuneInString(markup)
		last, _ := utf8.DecodeLastRuneInString(b.String())
		if isCode && isWord(last) || afterCode && isWord(first) {
			b.WriteByte(' ')
		}
		b.WriteString(markup)
		afterCode = isCode
	}
	return strings.TrimSpace(b.String())
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '{' || r == '}' }

// code is monospaced where that is safe: braces end it, or begin a macro in it.
func (wiki) code(text string) string {
	markup := jiraText(strings.TrimSpace(text), true)
	if markup == "" || strings.ContainsAny(text, "{}") {
		return markup
	}
	return "{{" + markup + "}}"
}

func (w wiki) link(text string) string {
	if webAddress.MatchString(text) {
		return "[" + text + "]"
	}
	return w.plain(text)
}

// Characters that a backslash escapes in both renderers.
const jiraEscaped = "-#*_+?^~|%{}[]()!@"

var (
	// jiraBlock matches a heading or a quotation, which begin a line.
	jiraBlock = regexp.MustCompile(`^\s*(?i:h[1-6]|bq)\.`)
	// jiraEntity matches what the server takes for an HTML reference.
	jiraEntity = regexp.MustCompile(`^&[A-Za-z0-9]{2,8};`)
)

// jiraText escapes text of one line. In what an entry says addresses stay addresses.
func jiraText(text string, ours bool) string {
	text = Escape(text)
	var b strings.Builder
	if block := jiraBlock.FindString(text); block != "" {
		b.WriteString(block[:len(block)-1] + `\x2e`)
		text = text[len(block):]
	}
	for i := range len(text) {
		c, before, after := text[i], byte(' '), byte(' ')
		if i > 0 {
			before = text[i-1]
		}
		if i+1 < len(text) {
			after = text[i+1]
		}
		switch {
		case strings.IndexByte(jiraEscaped, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\\' && (!isAlphanumeric(after) || before == '\\'),
			c == '&' && jiraEntity.MatchString(text[i:]),
			c == ':' && !ours && beginsAddress(before, after):
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// beginsAddress reports that a colon may stand in an address that becomes a link,
// or in an emoticon. Those of IP addresses, between hexadecimal digits, do not.
func beginsAddress(before, after byte) bool {
	switch {
	case after == '/', after == 'D', after == 'P', after == 'p':
		return true
	case after == ' ':
		return false
	}
	return before >= 'g' && before <= 'z' || before >= 'G' && before <= 'Z'
}
