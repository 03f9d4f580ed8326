package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

var receiving = direction{
	types:    []zmq.Type{zmq.Pull, zmq.Sub, zmq.Rep, zmq.Dealer, zmq.Router, zmq.Pair, zmq.XSub, zmq.XPub},
	onlyRaw:  zmq.XPub,
	opposite: "fairlead send",
}

// recvFlags are those of recv alone.
type recvFlags struct {
	socketFlags
	envelope int
}

func newRecvCommand() *cobra.Command {
	var f recvFlags
	cmd := &cobra.Command{
		Use:   "recv URL... [SCHEMA TYPE]",
		Short: "Print messages that a ZeroMQ socket receives",
		Long: `Print the messages that a ZeroMQ socket receives, in JSON unless --format says
otherwise, one a line, each when it has come. SCHEMA and TYPE say what they hold; a
message's frames are its segments. The frames before them, which are a topic or a
router's routing id, are printed before the message, as with --raw, with a tab behind
each; cut -f2- takes them off. A message that cannot be read is told and left out, and
makes the exit status 1. To each request a rep replies with the next message of the
standard input; it ends when there is none, or when it cannot read a request. With -n it
ends after so many messages; what has arrived behind them is lost.

` + aboutRaw + `

` + aboutURLs,
		Example: `  fairlead recv --type pull -n 10 --raw zmq+tcp://127.0.0.1:5555
  fairlead recv -t sub --topic oslo zmq+tcp://127.0.0.1:5556 weather.capnp Report
  fairlead recv --bind --format binary zmq+ipc:///run/weather | fairlead decode weather.capnp Report`,
		Args:              arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: f.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.take(cmd, args); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	f.add(cmd, receiving)
	cmd.Flags().StringArrayVar(&f.topics, "topic", nil, "of a sub: want messages whose first frame begins with `TOPIC`, written as in --raw (default: all, without such a frame)")
	cmd.Flags().IntVar(&f.envelope, "envelope", 0, "there are `N` frames before each message (default: 1 for a router and with --topic, else 0)")
	cmd.MarkFlagsMutuallyExclusive("raw", "envelope")
	return cmd
}

func (f *recvFlags) take(cmd *cobra.Command, args []string) error {
	f.typeName = strings.ToLower(f.typeName)
	subscribes := f.typeName == "sub" || f.typeName == "xsub"
	var err error
	switch {
	case len(f.topics) > 0 && !subscribes:
		err = fmt.Errorf("--topic is for sub and xsub, not %s", f.typeName)
	case f.envelope < 0:
		err = fmt.Errorf("--envelope %d, want 0 or more", f.envelope)
	case f.reply != "" && f.typeName != "rep":
		err = fmt.Errorf("--reply is for rep, not %s", f.typeName)
	}
	if err != nil {
		return misuse(cmd, fmt.Errorf("recv: %w", err))
	}
	if !cmd.Flags().Changed("envelope") && (len(f.topics) > 0 || f.typeName == "router") {
		f.envelope = 1
	}
	return f.socketFlags.take(cmd, args, receiving)
}

// subscribe asks for the topics.
func (f *recvFlags) subscribe(s *zmq.Socket) error {
	if f.typ != zmq.Sub && f.typ != zmq.XSub {
		return nil
	}
	if len(f.topics) == 0 {
		return s.Subscribe("")
	}
	for _, text := range f.topics {
		topic, err := parseFrame(text)
		if err != nil {
			return fmt.Errorf("recv: --topic: %w", err)
		}
		if err := s.Subscribe(string(topic)); err != nil {
			return fmt.Errorf("recv: --topic: %w", err)
		}
	}
	return nil
}

func (f *recvFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	o, err := f.options()
	if err != nil {
		return fmt.Errorf("recv: %w", err)
	}
	socket := zmq.New(f.typ, o)
	if err := f.subscribe(socket); err != nil {
		_ = socket.Close()
		return misuse(cmd, err)
	}
	st, err := openStation(cmd, socket, f.bind, f.urls)
	defer st.close()
	if err != nil {
		return err
	}
	r := &receiver{station: st, flags: f, out: bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)}
	if f.typ == zmq.Rep {
		in, stop := interruptible(ctx, cmd.InOrStdin())
		defer stop()
		if f.raw {
			r.rawReplies = newRawReader(in)
		} else {
			r.replies = convert.NewReader(in, f.in)
		}
	}
	err = r.run(ctx)
	return errors.Join(err, r.out.Flush())
}

// A receiver prints what it receives, and replies.
type receiver struct {
	*station
	flags      *recvFlags
	out        *bufio.Writer
	buf        []byte
	rawReplies *rawReader
	replies    *convert.Reader
}

func (r *receiver) run(ctx context.Context) error {
	faulty := 0
	for n := 0; r.flags.count == 0 || n < r.flags.count; {
		err := r.next(ctx)
		if fault := (*faultError)(nil); errors.As(err, &fault) && r.flags.typ != zmq.Rep {
			faulty++
			fmt.Fprintln(r.cmd.ErrOrStderr(), "fairlead: warning:", printable(err.Error()))
			continue
		}
		if err != nil {
			return fmt.Errorf("recv: %w", err)
		}
		n++
		if _, err := r.out.Write(r.buf); err != nil {
			return err
		}
		if r.flags.typ == zmq.Rep || r.Stats().Unread == 0 {
			if err := r.out.Flush(); err != nil { // the next may be long in coming
				return err
			}
		}
		if r.flags.typ == zmq.Rep {
			if err := r.answer(ctx); err != nil {
				return fmt.Errorf("recv: reply %d: %w", n, err)
			}
		}
	}
	if faulty > 0 {
		return fmt.Errorf("recv: %s left out", count(faulty, "message"))
	}
	return r.written(ctx)
}

// A faultError is one of a message, and not of the socket that received it.
type faultError struct{ err error }

func (e *faultError) Error() string { return e.err.Error() }
func (e *faultError) Unwrap() error { return e.err }

// next makes the next message what is to be printed.
func (r *receiver) next(ctx context.Context) error {
	r.buf = r.buf[:0]
	if r.flags.raw {
		frames, err := r.Recv(ctx)
		r.buf = append(appendFrames(r.buf, frames), '\n')
		return err
	}
	envelope := make([][]byte, r.flags.envelope)
	msg, err := r.RecvEnvelope(ctx, envelope)
	if errors.Is(err, segment.ErrMalformed) || errors.Is(err, segment.ErrLimit) {
		return &faultError{err}
	}
	if err != nil {
		return err
	}
	if r.flags.out.To.NeedsType() { // the other formats have no place for it
		for _, frame := range envelope {
			r.buf = append(appendFrame(r.buf, frame), '\t')
		}
	}
	if r.buf, err = appendMessage(r.buf, msg, r.flags.out); err != nil {
		return &faultError{err}
	}
	return nil
}

var errNoReply = errors.New("the standard input has none")

// answer replies to a request.
func (r *receiver) answer(ctx context.Context) (err error) {
	if r.rawReplies != nil {
		var frames [][]byte
		if frames, err = r.rawReplies.next(); err == nil {
			err = r.Send(ctx, frames...)
		}
	} else {
		var msg *segment.Message
		if msg, err = r.replies.Next(); err == nil {
			err = r.SendMessage(ctx, msg)
		}
	}
	if err == io.EOF {
		err = errNoReply
	}
	return err
}
