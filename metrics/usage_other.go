//go:build !linux

package metrics

// usage knows nothing: live capture is on Linux.
type usage struct{}

func openUsage() usage { return usage{} }

func (usage) resident() (float64, bool) { return 0, false }
func (usage) cpu() (float64, bool)      { return 0, false }
