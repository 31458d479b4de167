package report

import (
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Markdown writes the report for a ticket on GitHub or GitLab. Nothing from the
// wire can become a heading, a link, HTML, a table cell, a mention or a reference
// in it.
func Markdown(w io.Writer, doc *Document) error { return writeTicket(w, gfm{}, doc) }

// gfm is GitHub Flavored Markdown, which GitLab reads too.
type gfm struct{}

func (m gfm) answer(markup string) string        { return m.bold(markup) + "\n" }
func (gfm) bold(markup string) string            { return "**" + markup + "**" }
func (gfm) severity(_, markup string) string     { return markup }
func (gfm) heading(markup string) string         { return "### " + markup + "\n" }
func (gfm) bullet(markup string) string          { return "- " + markup + "\n" }
func (gfm) numbered(n int, markup string) string { return strconv.Itoa(n) + ". " + markup + "\n" }
func (gfm) under(markup string) string           { return "   - " + markup + "\n" }
func (gfm) tableRow(cells []string) string       { return "| " + strings.Join(cells, " | ") + " |\n" }

func (m gfm) tableHead(cells []string) string {
	return m.tableRow(cells) + strings.Repeat("| --- ", len(cells)) + "|\n"
}

func (gfm) fold(title string, lines []string) string {
	// Only an empty line ends the HTML block and begins Markdown again
	// (CommonMark 0.31.2 section 4.6, kind 6).
	return "<details><summary>" + title + "</summary>\n\n" + strings.Join(lines, "") + "\n</details>\n"
}

// code is a code span whose fence is longer than any in it (CommonMark section 6.1).
func (gfm) code(text string) string {
	text = Escape(text)
	longest, run := 0, 0
	for i := range len(text) {
		if run++; text[i] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if text == "" {
		return ""
	}
	// One space at both ends is taken away again.
	if text[0] == '`' || text[len(text)-1] == '`' || text[0] == ' ' && text[len(text)-1] == ' ' {
		text = " " + text + " "
	}
	return fence + text + fence
}

func (m gfm) prose(text string) string {
	var b strings.Builder
	for i, part := range proseParts(text) {
		markup := m.code(part)
		if i%2 == 0 {
			markup = m.inside(part)
		}
		// Two code spans side by side would be one.
		if strings.HasPrefix(markup, "`") && strings.HasSuffix(b.String(), "`") {
			b.WriteByte(' ')
		}
		b.WriteString(markup)
	}
	return lineStart(strings.TrimSpace(b.String()))
}

// proseParts splits the text of an entry at its backquotes: plain text and code by
// turns. Where a backquote stands alone, nothing is code.
func proseParts(text string) []string {
	parts := strings.Split(strings.Join(strings.Fields(text), " "), "`")
	if len(parts)%2 == 0 {
		return []string{strings.Join(parts, "`")}
	}
	return parts
}

func (m gfm) plain(text string) string { return lineStart(strings.TrimSpace(m.inside(text))) }

// inside is plain text in the middle of a line.
func (m gfm) inside(text string) string {
	text = Escape(text)
	var b strings.Builder
	for text != "" {
		n := 0
		for n < len(text) && text[n] > ' ' && text[n] <= '~' && text[n] != '|' {
			n++
		}
		if n > 0 {
			m.word(&b, text[:n])
			text = text[n:]
			continue
		}
		if text[0] == '|' {
			// As a reference it splits no table cell in any parser.
			b.WriteString("&#124;")
			text = text[1:]
			continue
		}
		for n < len(text) && (text[n] == ' ' || text[n] > '~') {
			n++
		}
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

// forgeLinks matches what GitHub and GitLab make something of after Markdown is
// done, where no escape helps: mentions, references to issues, commits and labels,
// addresses, emoji, formulas, diffs and wiki links. They leave code alone.
var forgeLinks = regexp.MustCompile(`[@#~$]|[!%&^*][0-9A-Za-z"']|://|(?i:www\.|\bgh-[0-9]|\bmailto:)|` +
	`:[a-z0-9_+-]*[a-z_+-][a-z0-9_+-]*:|:100:|:1234:|[{\[][+-]|\[\[`)

var hexadecimal = regexp.MustCompile(`[0-9a-f]{7,}`)

// namesCommit reports what may be the short name of a commit; counts are none.
func namesCommit(word string) bool {
	return slices.ContainsFunc(hexadecimal.FindAllString(word, -1), func(run string) bool { return strings.ContainsAny(run, "abcdef") })
}

// quotedWord is a word in quotes, such as a client ID: what it ends in is its own.
var quotedWord = regexp.MustCompile(`^[(']*"([^"]+)"['(),.;:]*$`)

// word writes a run of ASCII characters.
func (m gfm) word(b *strings.Builder, word string) {
	core := strings.Trim(word, `"'(),.;`)
	if m := quotedWord.FindStringSubmatch(word); m != nil {
		core = m[1]
	}
	if core == "" || !forgeLinks.MatchString(core) && !namesCommit(core) {
		b.WriteString(inert.Replace(word))
		return
	}
	before, after, _ := strings.Cut(word, core)
	b.WriteString(inert.Replace(before) + m.code(core) + inert.Replace(after))
}

// inert escapes what Markdown and HTML read.
var inert = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "~", `\~`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "!", `\!`)

// listNumber is what begins a numbered list.
var listNumber = regexp.MustCompile(`^([0-9]{1,9})([.)])(\s|$)`)

// lineStart keeps the beginning of a line from being a list, a heading or one of
// GitLab's commands such as /close.
func lineStart(markup string) string {
	if markup != "" && strings.Contains("#+-=/:", markup[:1]) {
		return `\` + markup
	}
	return listNumber.ReplaceAllString(markup, `$1\$2$3`)
}

// webAddress matches the addresses that become links: none of its characters ends
// a link in either syntax.
var webAddress = regexp.MustCompile(`^https://[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9._~/%#?&=+:,;-]*)?$`)

func (m gfm) link(text string) string {
	if webAddress.MatchString(text) {
		return "<" + text + ">"
	}
	return m.plain(text)
}
