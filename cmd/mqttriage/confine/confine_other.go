//go:build !linux

package confine

import (
	"errors"
	"fmt"
	"runtime"
)

// Check reports whether the process could go on as this user. Elsewhere than on
// Linux it cannot.
func Check(string) error {
	return fmt.Errorf("give up privileges on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Confine is there on Linux only.
func Confine(Options) (Report, error) {
	return Report{}, Check("")
}
