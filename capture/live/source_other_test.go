//go:build !linux

package live

import (
	"errors"
	"strings"
	"testing"
)

func TestUnsupported(t *testing.T) {
	_, open := Open(Options{Interfaces: []string{"en0"}})
	_, list := Interfaces()
	for _, err := range []error{open, list} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "mqttriage read") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}
