package mqtt

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// foreignCaptures lies beside the checkout: captures and fuzz seeds from public
// repositories, which are not part of this one.
const foreignCaptures = "../../../shared/captures"

// TestForeignBytes takes other people's files for streams, from every byte at
// which a handshake packet could begin: nothing may panic, nor be made up.
func TestForeignBytes(t *testing.T) {
	if _, err := os.Stat(foreignCaptures); err != nil {
		t.Skip("other people's captures are not here")
	}
	parsed := 0
	err := filepath.WalkDir(foreignCaptures, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > 1<<20 {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		starts := 0
		for at := 0; at < len(b) && starts < 500; at++ {
			switch Type(b[at] >> 4) {
			case TypeConnect, TypeConnack, TypeDisconnect, TypeAuth:
			default:
				continue
			}
			starts++
			Detect(b[at:])
			var f Framer
			_, fr, ok := f.Feed(b[at:])
			if !ok {
				if fr, ok = f.Partial(); !ok {
					continue
				}
			}
			if len(fr.Body) > fr.Length {
				t.Fatalf("%s at %d: %+v", path, at, fr)
			}
			againstPaho(t, fr, nil)
			switch fr.Type {
			case TypeConnect:
				if _, err := ParseConnect(fr); err == nil {
					parsed++
				}
			case TypeConnack:
				if _, err := ParseConnack(fr, nil); err == nil {
					parsed++
				}
			case TypeDisconnect:
				_, err = ParseDisconnect(fr)
			case TypeAuth:
				_, err = ParseAuth(fr)
			}
			if fr.Type >= TypeDisconnect && err != nil {
				t.Fatalf("%s at %d: %v", path, at, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed == 0 {
		t.Error("nothing was parsed")
	}
}
