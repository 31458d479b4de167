package report

import "runtime"

// inOrder does jobs at the same time and gives what they return to use, in the
// order of the jobs, until that fails. next makes the next job, in a goroutine
// of its own; it may still run when inOrder ends with an error.
func inOrder[T any](next func() (job func() T, ok bool), use func(T) error) error {
	stop := make(chan struct{})
	defer close(stop)
	results := make(chan chan T, runtime.GOMAXPROCS(0))
	go func() {
		defer close(results)
		for job, ok := next(); ok; job, ok = next() {
			result := make(chan T, 1)
			select {
			case results <- result:
			case <-stop:
				return
			}
			go func() { result <- job() }()
		}
	}()
	for result := range results {
		if err := use(<-result); err != nil {
			return err
		}
	}
	return nil
}
