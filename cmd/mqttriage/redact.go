package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/report"
)

// redaction is whether and with which key names and addresses are replaced.
type redaction struct {
	on      bool
	keyFile string
}

// declare adds the flags to a command.
func (r *redaction) declare(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.on, "redact", false, "replace client IDs, user names, addresses, host and file names by pseudonyms, the same ones throughout the report")
	cmd.Flags().StringVar(&r.keyFile, "redact-key", "", "--redact with the secret in `FILE`: the same pseudonyms in every report")
}

// A key file must hold more than anybody can guess: who has the key finds out by
// trial which name a pseudonym stands for.
const (
	minRedactKey     = 16
	maxRedactKeyFile = 1 << 20
)

// redactor returns nil where nothing is to be replaced.
func (r *redaction) redactor() (*report.Redactor, error) {
	switch {
	case r.keyFile != "":
		key, err := readRedactKey(r.keyFile)
		if err != nil {
			return nil, err
		}
		return report.NewRedactor(key), nil
	case r.on:
		return report.NewRedactor(nil), nil
	}
	return nil, nil
}

func readRedactKey(name string) ([]byte, error) {
	const remedy = "head -c 32 /dev/urandom > FILE makes one"
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(remedy, "read the key of --redact-key %s: there is no such file", name)
	} else if err != nil {
		return nil, fmt.Errorf("read the key of --redact-key: %w", err)
	}
	defer file.Close()
	key, err := io.ReadAll(io.LimitReader(file, maxRedactKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the key of --redact-key %s: %w", name, err)
	case len(key) < minRedactKey:
		return nil, hint(remedy, "the key in %s is too short: %d bytes, it takes %d", name, len(key), minRedactKey)
	case len(key) > maxRedactKeyFile:
		return nil, hint(remedy, "%s is no key: it has more than %d bytes", name, maxRedactKeyFile)
	}
	return key, nil
}
