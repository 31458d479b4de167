package report

import "io"

// printer writes text and keeps the first error: after it nothing is written,
// so that the many small writes of a renderer need one check at the end.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.w.Write(b)
	p.err = err
	return n, err
}

func (p *printer) print(parts ...string) {
	for _, s := range parts {
		io.WriteString(p, s) //nolint:errcheck // kept in p.err
	}
}
