package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// socketFlags are those of send and recv.
type socketFlags struct {
	typeName string
	typ      zmq.Type
	bind     bool
	raw      bool
	format   string
	reply    string
	imports  compile.Options
	count    int
	maxBytes int64
	id       string
	topics   []string
	security securityFlags

	urls []string
	// out and in are how messages are written to the standard output and read from
	// the standard input, unless they are raw.
	out, in convert.Options
}

// aboutRaw is how frames stand in the standard input and output.
const aboutRaw = `With --raw a line is a message, and its frames stand apart by tabs. In a frame, a
tab is written \t, a newline \n, a carriage return \r, a backslash \\, and any byte
as \x and two digits. What recv prints in this form, send reads.`

// aboutURLs is what a URL may be.
const aboutURLs = `URLs are zmq+tcp://HOST:PORT and zmq+ipc://FILE; "zmq+" may be left out. To bind, the
host may be * for every address, and the port * for any that is free, which is told.`

const maxMessageBytes = 64 << 20 // unless told otherwise

// A direction is what a command can do with sockets.
type direction struct {
	types    []zmq.Type // the first is the default
	onlyRaw  zmq.Type   // has no messages by a schema, but subscriptions
	opposite string     // the command for other types
}

func (f *socketFlags) add(cmd *cobra.Command, d direction) {
	addImportFlags(cmd, &f.imports)
	names := make([]string, len(d.types))
	for i, t := range d.types {
		names[i] = strings.ToLower(t.String())
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.typeName, "type", "t", names[0], "`TYPE` of the socket: "+strings.Join(names, ", "))
	flags.BoolVar(&f.bind, "bind", false, "listen at the URLs instead of connecting to them")
	flags.IntVarP(&f.count, "count", "n", 0, "end after `N` messages")
	flags.BoolVar(&f.raw, "raw", false, "frames as they are, one message a line")
	flags.StringVar(&f.format, "format", string(convert.JSON), "`FORMAT` of messages: "+strings.Join(convert.Names(), ", "))
	flags.StringVar(&f.reply, "reply", "", "struct `TYPE` of replies (default: that of the requests)")
	flags.Int64Var(&f.maxBytes, "max-message-bytes", maxMessageBytes, "drop peers that send larger messages")
	flags.StringVar(&f.id, "id", "", "routing `ID` by which a ROUTER knows this socket")
	f.security.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("raw", "format")
	cmd.MarkFlagsMutuallyExclusive("raw", "reply")
	f.security.exclude(cmd)
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(convert.Names(), cobra.ShellCompDirectiveNoFileComp))
}

// complete completes what follows the URLs: a schema, and a type in it.
func (f *socketFlags) complete(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	_, rest := splitURLs(args)
	switch {
	case len(args) == 0 || f.raw || len(rest) > 1:
		return nil, cobra.ShellCompDirectiveNoFileComp
	case len(rest) == 0:
		return completeSchemas(cmd, args, to)
	}
	return namesIn(rest[0], f.imports, schema.KindStruct), cobra.ShellCompDirectiveNoFileComp
}

// splitURLs parts the URLs from what follows them.
func splitURLs(args []string) (urls, rest []string) {
	n := 0
	for n < len(args) && strings.Contains(args[n], "://") {
		n++
	}
	return args[:n], args[n:]
}

// endpoint gives what package zmq calls what a URL names.
func endpoint(url string) (string, error) {
	e := strings.TrimPrefix(url, "zmq+")
	if !strings.HasPrefix(e, "tcp://") && !strings.HasPrefix(e, "ipc://") {
		return "", fmt.Errorf("URL %q, want zmq+tcp://HOST:PORT or zmq+ipc://FILE", url)
	}
	return e, nil
}

func endpoints(urls []string) ([]string, error) {
	all := make([]string, len(urls))
	for i, url := range urls {
		var err error
		if all[i], err = endpoint(url); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// take checks the flags and arguments, of which a schema and a type are loaded.
func (f *socketFlags) take(cmd *cobra.Command, args []string, d direction) error {
	if err := f.check(d); err != nil {
		return misuse(cmd, fmt.Errorf("%s: %w", cmd.Name(), err))
	}
	urls, rest := splitURLs(args)
	var err error
	if f.urls, err = endpoints(urls); err == nil && len(urls) == 0 {
		err = errors.New("a URL is missing")
	}
	format, formatErr := convert.ParseFormat(f.format)
	switch {
	case err != nil:
	case formatErr != nil:
		err = formatErr
	case f.raw && len(rest) > 0:
		err = fmt.Errorf("--raw and %q: raw messages have no schema", rest[0])
	case len(rest) != 0 && len(rest) != 2:
		err = fmt.Errorf("%d words behind the URLs, want SCHEMA TYPE", len(rest))
	case !f.raw && format.NeedsType() && len(rest) == 0:
		err = fmt.Errorf("%s needs a SCHEMA and a TYPE; there are --raw and --format %s too", format, convert.Binary)
	}
	if err != nil {
		return misuse(cmd, fmt.Errorf("%s: %w", cmd.Name(), err))
	}
	f.out, f.in = convert.Options{To: format}, convert.Options{From: format}
	f.in.Warn = func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), "fairlead: warning:", s) }
	if f.raw || !format.NeedsType() {
		return nil
	}
	return f.load(cmd, rest[0], rest[1], format)
}

func (f *socketFlags) check(d direction) error {
	var err error
	if f.typ, err = zmq.ParseType(f.typeName); err != nil {
		return fmt.Errorf("--type: %w", err)
	}
	switch {
	case !slices.Contains(d.types, f.typ):
		return fmt.Errorf("--type %s is for %q", f.typeName, d.opposite)
	case f.typ == d.onlyRaw && !f.raw:
		return fmt.Errorf("--type %s: subscriptions have no schema, want --raw", f.typeName)
	case f.count < 0:
		return fmt.Errorf("-n %d, want 1 or more", f.count)
	case f.maxBytes < 1:
		return fmt.Errorf("--max-message-bytes %d, want 1 or more", f.maxBytes)
	case len(f.id) > 255 || f.id != "" && f.id[0] == 0:
		return fmt.Errorf("--id of %d bytes, want 1 to 255 of which the first is not zero", len(f.id))
	}
	return nil
}

// load makes the codecs of a type, and of that of replies: a REQ reads what a
// REP writes.
func (f *socketFlags) load(cmd *cobra.Command, file, name string, format convert.Format) error {
	t, err := loadType(cmd, file, name, f.imports)
	if err != nil {
		return err
	}
	reply := t
	if f.reply != "" {
		if reply, err = loadType(cmd, file, f.reply, f.imports); err != nil {
			return err
		}
	}
	f.in.FromCodec, f.out.ToCodec = t.codec(format, true), t.codec(format, true)
	switch f.typ {
	case zmq.Req:
		f.out.ToCodec = reply.codec(format, true)
	case zmq.Rep:
		f.in.FromCodec = reply.codec(format, true)
	}
	return nil
}

// options are those of a socket that the flags describe.
func (f *socketFlags) options() (zmq.Options, error) {
	o := zmq.Options{
		MaxMessageBytes: f.maxBytes,
		Limits:          segment.Limits{MessageBytes: f.maxBytes},
		RoutingID:       []byte(f.id),
		Mandatory:       true,
		Linger:          -1, // what has to leave is waited for
	}
	sec, err := f.security.both()
	o.Security = sec
	return o, err
}

// A station is a socket of the command with its endpoints, of which a goroutine
// tells what goes wrong there.
type station struct {
	*zmq.Socket
	cmd   *cobra.Command
	watch sync.WaitGroup

	mu    sync.Mutex
	peers int
	came  chan struct{} // told when there are more peers
}

// openStation binds a socket to endpoints, or connects it to them. The caller
// closes it, also after an error.
func openStation(cmd *cobra.Command, s *zmq.Socket, bind bool, endpoints []string) (*station, error) {
	st := &station{Socket: s, cmd: cmd, came: make(chan struct{}, 1)}
	events := s.Monitor(64)
	st.watch.Go(func() { st.tell(events) })
	for _, e := range endpoints {
		if !bind {
			if err := s.Connect(e); err != nil {
				return st, err
			}
			continue
		}
		actual, err := s.Bind(e)
		if err != nil {
			return st, err
		}
		if actual != e {
			fmt.Fprintf(cmd.ErrOrStderr(), "fairlead: listening at zmq+%s\n", printable(actual))
		}
	}
	return st, nil
}

// close closes the socket and waits for its goroutines.
func (st *station) close() {
	_ = st.Close() // what it could not write is told by written
	st.watch.Wait()
}

// tell says what goes wrong with connections, everything once, and counts peers.
func (st *station) tell(events <-chan zmq.Event) {
	told := map[string]bool{}
	for e := range events {
		switch e.Kind {
		case zmq.HandshakeDone:
			st.mu.Lock()
			st.peers++
			st.mu.Unlock()
			select {
			case st.came <- struct{}{}:
			default:
			}
		case zmq.Disconnected:
			st.mu.Lock()
			st.peers--
			st.mu.Unlock()
		case zmq.ConnectDelayed, zmq.HandshakeFailed, zmq.AcceptFailed:
			e.Remote = "" // which port it was is of no use
			if s := e.String(); !errors.Is(e.Err, zmq.ErrClosed) && !errors.Is(e.Err, context.Canceled) && !told[s] && len(told) < 100 {
				told[s] = true
				fmt.Fprintln(st.cmd.ErrOrStderr(), "fairlead: warning:", printable(s))
			}
		}
	}
}

// await waits until n peers take part.
func (st *station) await(ctx context.Context, n int) error {
	for {
		st.mu.Lock()
		enough := st.peers >= n
		st.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-st.came:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// written waits until all that was sent is with the kernel. What was dropped
// because its peer went away, or was too slow, is an error.
func (st *station) written(ctx context.Context) error {
	const pause = 2 * time.Millisecond
	for st.Stats().Waiting > 0 {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
	if n := st.Stats().Dropped; n > 0 {
		return fmt.Errorf("%s: %s dropped: the peer went away or was too slow", st.cmd.Name(), count(int(n), "message"))
	}
	return nil
}
