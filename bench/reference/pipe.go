package reference

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/framing"
)

// ChildArgument is the first of the arguments that make this program the
// server of a pipe. A case and a number of iterations follow.
const ChildArgument = "child-reference"

// ServeChild is the server at the other end of a pipe. Requests come from in
// and answers go to out, behind one byte that says that it is ready. In the end
// it writes to report how many bytes it sent, and what it allocated.
func ServeChild(args []string, in io.Reader, out, report io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("reference: child: got arguments %q, want a case and a number", args)
	}
	c, ok := caseNamed(args[0])
	n, err := strconv.Atoi(args[1])
	if !ok || !c.piped || err != nil || n < 1 {
		return fmt.Errorf("reference: child: no case and number: %q", args)
	}
	if _, err := out.Write([]byte{0}); err != nil {
		return fmt.Errorf("reference: child: %w", err)
	}
	allocs := countAllocs()
	sent, err := serve(c, in, out, n)
	if err != nil {
		return err
	}
	allocs = countAllocs().since(allocs)
	if _, err := fmt.Fprintln(report, sent, allocs.objects, allocs.bytes); err != nil {
		return fmt.Errorf("reference: child: %w", err)
	}
	return nil
}

// counted counts the bytes written through it.
type counted struct {
	io.Writer
	bytes int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.bytes += int64(n)
	return n, err
}

func serve(c referenceCase, in io.Reader, out io.Writer, n int) (sent int64, err error) {
	prog := c.program()
	end := newEnd(c, in, out)
	for range n {
		request, err := end.dec.Decode()
		if err != nil {
			return 0, fmt.Errorf("reference: server: %w", err)
		}
		prog.respond(request, end.builder.start())
		err = errors.Join(request.Err(), end.send())
		end.builder.finish()
		request.Release()
		if err != nil {
			return 0, fmt.Errorf("reference: server: %w", err)
		}
	}
	return end.out.bytes, nil
}

// end is one end of a pipe.
type end struct {
	builder *builder
	out     counted
	enc     *framing.Encoder
	dec     *framing.Decoder
}

func newEnd(c referenceCase, in io.Reader, out io.Writer) *end {
	e := &end{builder: newBuilder(c.kept), out: counted{Writer: out}}
	e.enc = framing.NewEncoder(&e.out, framing.EncoderOptions{Format: c.format})
	e.dec = framing.NewDecoder(in, framing.DecoderOptions{Format: c.format})
	return e
}

// send writes the message that was built.
func (e *end) send() error {
	if err := e.enc.Encode(e.builder.msg); err != nil {
		return err
	}
	return e.enc.Flush()
}

// passPipe is the client of a server that is started for the run, in a process
// of its own, and whose start is not timed. What both allocate is counted.
func passPipe(c referenceCase, prog program, n int, probe *probe) (harness.Sample, error) {
	var sample harness.Sample
	in, out, stop, err := startServer(c, n)
	if err != nil {
		return sample, err
	}
	end := newEnd(c, in, out)
	allocs := countAllocs()
	start := time.Now()
	for range n {
		if err = roundTrip(prog, end, probe); err != nil {
			break
		}
	}
	sample.Elapsed = time.Since(start)
	allocs = countAllocs().since(allocs)
	served, stopErr := stop()
	if err := errors.Join(err, stopErr); err != nil {
		return sample, err
	}
	if probe != nil {
		probe.size = end.out.bytes + served.sent
	}
	sample.Counted = true
	sample.Allocs = allocs.objects + served.objects
	sample.AllocBytes = allocs.bytes + served.bytes
	return sample, nil
}

func roundTrip(prog program, e *end, probe *probe) error {
	expected := prog.request(e.builder.start())
	if err := e.send(); err != nil {
		return fmt.Errorf("reference: client: %w", err)
	}
	response, err := e.dec.Decode()
	if err != nil {
		return fmt.Errorf("reference: client: %w", err)
	}
	defer response.Release()
	if err := verdict(prog, expected, response); err != nil {
		return err
	}
	probe.answer(prog, expected, response)
	e.builder.finish()
	return nil
}

// served is what a server tells at its end.
type served struct {
	sent int64
	allocations
}

// startServer starts this program as the server of n iterations. stop waits
// for its end and gives its report.
func startServer(c referenceCase, n int) (in, out *os.File, stop func() (served, error), err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reference: server: %w", err)
	}
	cmd := exec.Command(program, ChildArgument, c.name, strconv.Itoa(n))
	var report bytes.Buffer
	cmd.Stderr = &report
	serverIn, out, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reference: server: %w", err)
	}
	in, serverOut, err := os.Pipe()
	if err != nil {
		serverIn.Close()
		out.Close()
		return nil, nil, nil, fmt.Errorf("reference: server: %w", err)
	}
	cmd.Stdin, cmd.Stdout = serverIn, serverOut
	err = cmd.Start()
	serverIn.Close()
	serverOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, nil, nil, fmt.Errorf("reference: server: %w", err)
	}
	stop = func() (served, error) {
		in.Close()
		out.Close()
		if err := cmd.Wait(); err != nil {
			return served{}, fmt.Errorf("reference: server: %w: %s", err, strings.TrimSpace(report.String()))
		}
		var s served
		if _, err := fmt.Sscan(report.String(), &s.sent, &s.objects, &s.bytes); err != nil {
			return served{}, fmt.Errorf("reference: server: report %q: %w", report.String(), err)
		}
		return s, nil
	}
	// Asking for their descriptors makes the files block, as the server's are
	// and as a program would have them that does nothing else.
	in.Fd()
	out.Fd()
	if _, err := io.ReadFull(in, make([]byte, 1)); err != nil {
		_, stopErr := stop()
		return nil, nil, nil, errors.Join(fmt.Errorf("reference: server: not ready: %w", err), stopErr)
	}
	return in, out, stop, nil
}

// allocations are counts since the start of the process.
type allocations struct{ objects, bytes uint64 }

func countAllocs() allocations {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return allocations{m.Mallocs, m.TotalAlloc}
}

func (a allocations) since(b allocations) allocations {
	return allocations{a.objects - b.objects, a.bytes - b.bytes}
}
