package kb

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/conf"
	"go.yaml.in/yaml/v3"
)

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

// packedEntries are the entries of the folder entries as JSON in the order of their
// ids, packed by gzip. JSON, because YAML takes some five times as long to read, and
// every start of the program would wait for it; packed, because gateways have little
// flash. A test holds the two equal.
//
//go:embed entries.json.gz
var packedEntries []byte

//go:generate go test -run ^TestCompiled$ . -update

// Embedded returns the knowledge base that the program carries.
var Embedded = sync.OnceValues(func() (*Base, error) {
	data, err := unpack(packedEntries)
	if err != nil {
		return nil, fmt.Errorf("unpack the embedded entries: %w", err)
	}
	var entries []*Entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("read the embedded entries: %w", err)
	}
	return newBase(entries), nil
})

// unpack returns what gzip packed, and an error where its checksum is wrong.
func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Load reads the entries (*.yaml) in the roots of the file systems. An entry of
// an overlay replaces one of the same id before it. When anything is wrong,
// nothing is loaded, and the error names every problem of every file, one a
// line, as "file:line: key: problem; allowed: what is".
func Load(entries fs.FS, overlays ...fs.FS) (*Base, error) {
	folders := []folder{{fsys: entries}}
	for i, fsys := range overlays {
		f := folder{fsys: fsys}
		if len(overlays) > 1 {
			f.where = fmt.Sprintf("folder %d: ", i+1)
		}
		folders = append(folders, f)
	}
	return load(nil, folders)
}

// Open returns the knowledge base that the program carries with folders of
// entries laid over it, the later over the earlier. Its error is like [Load]'s,
// with the paths of the files.
func Open(dirs ...string) (*Base, error) {
	base, err := Embedded()
	if err != nil || len(dirs) == 0 {
		return base, err
	}
	var folders []folder
	for _, dir := range dirs {
		folders = append(folders, folder{os.DirFS(dir), pathPrefix(dir)})
	}
	return load(base.entries, folders)
}

// Check reads one folder of entries and returns how many files it has and, as
// one error of a line each, all problems of them.
func Check(dir string) (int, error) {
	l := layer{where: pathPrefix(dir), config: newConfig()}
	l.load(os.DirFS(dir))
	return l.files, errors.Join(l.problems...)
}

// pathPrefix is what stands before the file names of a folder.
func pathPrefix(dir string) string {
	return strings.TrimSuffix(filepath.Clean(dir), string(filepath.Separator)) + string(filepath.Separator)
}

// folder is a folder of entries and what stands before its file names in
// problems.
type folder struct {
	fsys  fs.FS
	where string
}

// load lays folders over entries, the later over the earlier.
func load(under []*Entry, folders []folder) (*Base, error) {
	entries := map[string]*Entry{}
	for _, e := range under {
		entries[e.ID] = e
	}
	config := newConfig()
	var problems []error
	for _, f := range folders {
		layer := layer{where: f.where, config: config}
		layer.load(f.fsys)
		problems = append(problems, layer.problems...)
		for _, e := range layer.entries {
			entries[e.ID] = e
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return newBase(slices.Collect(maps.Values(entries))), nil
}

// newBase makes a base of entries in any order.
func newBase(entries []*Entry) *Base {
	b := &Base{entries: entries, bySymptom: map[string][]*Entry{}}
	slices.SortFunc(b.entries, func(x, y *Entry) int { return strings.Compare(x.ID, y.ID) })
	for _, e := range b.entries {
		for _, s := range e.Symptoms {
			b.bySymptom[s] = append(b.bySymptom[s], e)
		}
	}
	return b
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
	where    string // before file names
	files    int    // how many there are to read
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
		case f.Type()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0:
			// Opening a named pipe would wait for somebody to write to it.
			l.problem("%s: not a file; remove it", f.Name())
		case path.Ext(f.Name()) == ".yaml":
			names = append(names, f.Name())
		case path.Ext(f.Name()) == ".yml":
			l.problem("%s: entries are named *.yaml; rename it", f.Name())
		}
	}
	l.files = len(names)
	switch {
	case len(names) == 0:
		l.problem("*.yaml: the folder holds no entry; entries are files named *.yaml")
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
	l.problems = append(l.problems, fmt.Errorf("%s%w", l.where, fmt.Errorf(format, args...)))
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
			c.at(nil, "the file is empty")
		} else {
			c.yaml(err)
		}
		l.add(&c)
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		c.at(nil, "a file holds one entry; put the second document into a file of its own")
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
			c.at(place{"id"}, "the id %q is taken by %s", e.ID, there)
		} else {
			l.seen[e.ID] = here
		}
	}
	l.add(&c)
	l.entries = append(l.entries, e)
}

// add takes over a file's problems, in the order of their lines.
func (l *layer) add(c *review) {
	slices.SortStableFunc(c.problems, func(x, y problem) int {
		return cmp.Or(cmp.Compare(x.line, y.line), strings.Compare(x.key, y.key), strings.Compare(x.text, y.text))
	})
	for _, p := range c.problems {
		l.problem("%s:%d: %v", c.file, p.line, p)
	}
}
