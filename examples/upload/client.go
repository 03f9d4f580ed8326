package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/examples/upload/upload"
)

// chunkSize is how much goes with a call. What is larger waits longer for its
// turn, what is smaller costs more calls.
const chunkSize = 64 << 10

// send uploads all of r under a name, and tells progress.
func send(ctx context.Context, to upload.Uploads, name string, r io.Reader, told func(written uint64)) error {
	progress := upload.ServeProgress(progress(told))
	defer progress.Release()
	begin := to.Begin(ctx, func(p upload.UploadsBeginParamsBuilder) {
		p.SetName(name)
		p.SetProgress(progress.Retain())
	})
	defer begin.Release()
	file := begin.File() // which is written to before it is there

	sum := sha256.New()
	r = io.TeeReader(r, sum)
	chunk := make([]byte, chunkSize)
	for {
		n, end := io.ReadFull(r, chunk)
		if n > 0 {
			// Waits while more is under way than the connection has use for.
			err := file.Write(ctx, func(p upload.WriterWriteParamsBuilder) { p.SetBytes(chunk[:n]) })
			if err != nil {
				return err
			}
		}
		switch {
		case errors.Is(end, io.EOF) || errors.Is(end, io.ErrUnexpectedEOF):
			return finish(ctx, file, sum.Sum(nil))
		case end != nil:
			return end
		}
	}
}

// finish ends a file and compares what has arrived with what was sent.
func finish(ctx context.Context, file upload.Writer, want []byte) error {
	if err := file.WaitStreaming(ctx); err != nil {
		return err
	}
	done := file.Done(ctx, nil)
	defer done.Release()
	res, err := done.Wait(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(res.Sha256(), want) {
		return fmt.Errorf("%d bytes have arrived with the hash %x, want %x", res.Size(), res.Sha256(), want)
	}
	return nil
}

// progress is a Progress.
type progress func(written uint64)

func (f progress) Written(_ context.Context, call upload.ProgressWrittenCall) error {
	f(call.Params().Bytes())
	return nil
}
