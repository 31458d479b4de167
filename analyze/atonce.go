package analyze

import "sync"

// atOnce runs functions side by side and waits for all of them.
func atOnce(work ...func()) {
	var all sync.WaitGroup
	for _, f := range work {
		all.Go(f)
	}
	all.Wait()
}
