package report

import (
	"html/template"
	"io"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// compareHTML writes a comparison as one page that needs nothing else.
func compareHTML(w io.Writer, c *Comparison) error {
	out := &printer{w: w}
	if err := comparePage.Execute(out, c); err != nil && out.err == nil {
		return err
	}
	return out.err
}

// comparePage is the page. What it calls returns text, which the template
// escapes.
var comparePage = template.Must(template.New("compare").Funcs(template.FuncMap{
	"show":  func(s string) string { return Escape(cut(s, maxText)) },
	"label": func(lang kb.Lang, name string) string { return say(lang, compareLabels[name], nil) },
	"lang":  htmlLang, "text": htmlText,
	"policy": func() string {
		return "default-src 'none'; style-src '" + htmlHash(compareStyle) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	},
	"style": func() template.CSS { return template.CSS(compareStyle) },
	"rows":  sideRows, "class": compareClass,
	"status": func(s Status, lang kb.Lang) string { return s.label(lang) },
	"ids":    idsInWords, "figures": figures, "broker": brokerOf,
	"named": func(c *Comparison) []Compared { return c.Findings[:min(len(c.Findings), maxPageFindings)] },
	"rest": func(c *Comparison) string {
		if n := len(c.Findings) - maxPageFindings; n > 0 {
			return say(c.Lang, diffMoreFindings, values{"n": n})
		}
		return ""
	},
}).Parse(strings.TrimSpace(`
<!doctype html>
<html lang="{{lang .Lang}}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{policy}}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{{label .Lang "title"}}</title>
<style>{{style}}</style>
</head>
<body>
<main>
<h1>{{show .Answer}}</h1>
<table>
<thead><tr><td></td><th scope="col">{{label .Lang "before"}}</th><th scope="col">{{label .Lang "after"}}</th></tr></thead>
<tbody>
{{- range rows .}}
<tr><th scope="row">{{index . 0}}</th><td>{{show (index . 1)}}</td><td>{{show (index . 2)}}</td></tr>
{{- end}}
</tbody>
</table>
{{- $lang := .Lang}}
{{- range named .}}
<section class="finding {{class .}}">
<h2><span class="severity {{class .}}">{{status .Status $lang}}</span> {{show .Title}}</h2>
<p class="where"><code>{{show .Symptom}}</code> · {{show (broker .)}}{{with ids .ClientIDs $lang}} · {{show .}}{{end}}</p>
<p>{{figures . $lang}}</p>
<p>{{show .Conclusion}}</p>
{{- if .Entry}}
<dl class="advice">
{{- with .Fix}}
<div class="do"><dt>{{label $lang "do"}}</dt><dd>{{range text .}}{{if .Code}}<code>{{.Text}}</code>{{else}}{{.Text}}{{end}}{{end}}</dd></div>
{{- end}}
<div class="article"><dt>{{label $lang "article"}}</dt><dd><code class="copy">mqttriage explain {{show .Entry}}</code></dd></div>
</dl>
{{- end}}
</section>
{{- end}}
{{- with rest .}}
<p>{{.}}</p>
{{- end}}
{{- range .Notes}}
<p class="note">{{show .}}</p>
{{- end}}
</main>
</body>
</html>
`) + "\n"))

// compareStyle is that of the report, and what only this page has.
var compareStyle = htmlStyle + `
.finding { margin-top: 1rem; }
.finding h2 { font-size: 1.06rem; margin: 0; }
.finding.gone { border-inline-start-color: var(--good); }
.severity.gone { background: var(--good); }
`

// compareClass is what the colour of a finding goes by.
func compareClass(f *Compared) string {
	switch {
	case f.Status == Gone:
		return "gone"
	case f.Status == Unproven && f.Severity == "error":
		return "warning"
	}
	return f.Severity
}

// maxPageFindings is how many findings a page has.
const maxPageFindings = 200

var compareLabels = map[string]message{
	"title": diffTitle, "before": diffBefore, "after": diffAfter, "do": labelDo, "article": labelArticle,
}
