package rpc

import "context"

// Join waits until all the calls are over or ctx ends, which does not cancel
// them, and gives the error of the first of them, in the order of the
// arguments, that failed. The futures stay the caller's, who reads the results
// from them with [Future.Wait].
func Join(ctx context.Context, futures ...Future) error {
	var first error
	for _, f := range futures {
		_, err := f.Wait(ctx)
		if ctx.Err() != nil && err != nil {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}
