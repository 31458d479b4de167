package kb

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/conf"
	"go.yaml.in/yaml/v3"
)

//go:embed entries/*.yaml
var embedded embed.FS

// Bounds on a folder of entries.
const (
	maxFiles     = 10_000
	maxFileBytes = 1 << 20
)

// Base is a loaded knowledge base. It does not change and may be used from
// several goroutines.
type Base struct {
	entries   []*Entry // by id
	bySymptom map[string][]*Entry
}

// Embedded returns the knowledge base that the program carries.
var Embedded = sync.OnceValues(func() (*Base, error) {
	entries, err := fs.Sub(embedded, "entries")
	if err != nil {
		return nil, err
	}
	return Load(entries)
})

// EmbeddedFiles returns the files of the entries that the program carries, for
// Load with overlays.
func EmbeddedFiles() fs.FS {
	entries, err := fs.Sub(embedded, "entries")
	if err != nil {
		panic(err) // only for a path that is no path
	}
	return entries
}

// Load reads the entries (*.yaml) in the roots of the file systems. An entry of
// an overlay replaces one of the same id before it. When anything is wrong,
// nothing is loaded, and the error names every problem of every file, one a
// line, as "file:line: problem".
func Load(embedded fs.FS, overlays ...fs.FS) (*Base, error) {
	entries := map[string]*Entry{}
	config := newConfig()
	var problems []error
	for i, fsys := range append([]fs.FS{embedded}, overlays...) {
		layer := layer{config: config}
		if i > 0 && len(overlays) > 1 {
			layer.where = fmt.Sprintf("folder %d: ", i)
		}
		layer.load(fsys)
		problems = append(problems, layer.problems...)
		for _, e := range layer.entries {
			entries[e.ID] = e
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	b := &Base{bySymptom: map[string][]*Entry{}}
	for _, e := range entries {
		b.entries = append(b.entries, e)
	}
	slices.SortFunc(b.entries, func(x, y *Entry) int { return strings.Compare(x.ID, y.ID) })
	for _, e := range b.entries {
		for _, s := range e.Symptoms {
			b.bySymptom[s] = append(b.bySymptom[s], e)
		}
	}
	return b, nil
}

// Entries returns all entries in the order of their ids. They must not be
// changed.
func (b *Base) Entries() []*Entry { return slices.Clone(b.entries) }

// Entry returns an entry by its id.
func (b *Base) Entry(id string) (*Entry, bool) {
	i, found := slices.BinarySearchFunc(b.entries, id, func(e *Entry, id string) int { return strings.Compare(e.ID, id) })
	if !found {
		return nil, false
	}
	return b.entries[i], true
}

// layer is one folder of entries while it is read.
type layer struct {
	where    string // before file names, where several folders are read
	config   *conf.Config
	entries  []*Entry
	problems []error
	seen     map[string]string // id to file:line
}

func (l *layer) load(fsys fs.FS) {
	l.seen = map[string]string{}
	found, err := fs.ReadDir(fsys, ".")
	if err != nil {
		l.problem("cannot read the folder of entries: %w", err)
		return
	}
	var names []string
	for _, f := range found {
		switch {
		case f.IsDir():
		case path.Ext(f.Name()) == ".yaml":
			names = append(names, f.Name())
		case path.Ext(f.Name()) == ".yml":
			l.problem("%s: entries are named *.yaml; rename it", f.Name())
		}
	}
	switch {
	case len(names) == 0:
		l.problem("the folder holds no entry; entries are files named *.yaml")
	case len(names) > maxFiles:
		l.problem("the folder holds %d entries; at most %d are read", len(names), maxFiles)
		names = nil
	}
	for _, name := range names { // sorted by fs.ReadDir
		data, err := readFile(fsys, name)
		if err != nil {
			l.problem("%s: %w", name, err)
			continue
		}
		l.entry(name, data)
	}
}

func (l *layer) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(l.where+format, args...))
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot open the entry: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the entry: %w", err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes; an entry is a few pages", maxFileBytes)
	}
	return data, nil
}

// entry reads one file and checks it.
func (l *layer) entry(name string, data []byte) {
	e := new(Entry)
	c := review{file: name, root: new(yaml.Node), config: l.config}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(c.root); err != nil {
		if errors.Is(err, io.EOF) {
			c.at(1, "the file is empty")
		} else {
			c.yaml(err)
		}
		l.add(&c)
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		c.at(1, "a file holds one entry; put the second document into a file of its own")
	}
	strict := yaml.NewDecoder(bytes.NewReader(data))
	strict.KnownFields(true)
	if err := strict.Decode(e); err != nil && !errors.Is(err, io.EOF) {
		c.yaml(err)
	}
	c.empty(c.root)
	c.entry(e)
	if e.ID != "" {
		here := fmt.Sprintf("%s:%d", name, c.line("id"))
		if there, twice := l.seen[e.ID]; twice {
			c.at(c.line("id"), "the id %q is taken by %s", e.ID, there)
		} else {
			l.seen[e.ID] = here
		}
	}
	l.add(&c)
	l.entries = append(l.entries, e)
}

// add takes over a file's problems, in the order of their lines.
func (l *layer) add(c *review) {
	slices.SortStableFunc(c.problems, func(x, y problem) int { return cmp.Or(cmp.Compare(x.line, y.line), strings.Compare(x.text, y.text)) })
	for _, p := range c.problems {
		l.problem("%s:%d: %s", c.file, p.line, p.text)
	}
}
