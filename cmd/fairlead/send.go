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

var sending = direction{
	types:    []zmq.Type{zmq.Push, zmq.Pub, zmq.Req, zmq.Dealer, zmq.Router, zmq.Pair, zmq.XPub, zmq.XSub},
	onlyRaw:  zmq.XSub,
	opposite: "fairlead recv",
}

// sendFlags are those of send alone.
type sendFlags struct {
	socketFlags
	to   string
	wait int
}

func newSendCommand() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send URL... [SCHEMA TYPE]",
		Short: "Send messages from a ZeroMQ socket",
		Long: `Send the messages of the standard input, in JSON unless --format says otherwise, from
a ZeroMQ socket. SCHEMA and TYPE say what JSON and text mean; a message's segments are
its frames. It ends when all that the input has is sent and with the system, for which
it waits until a peer is there. After each message a req waits for the reply and prints
it. Messages that are dropped, for a peer that went away, are an error.

` + aboutRaw + `

` + aboutURLs,
		Example: `  seq 10 | fairlead send --type push --raw zmq+tcp://127.0.0.1:5555
  echo '{"celsius": 21}' | fairlead send -t pub --bind --wait 1 --topic oslo zmq+tcp://*:5556 weather.capnp Report
  fairlead encode weather.capnp Report <report.txt | fairlead send --format binary zmq+ipc:///run/weather`,
		Args:              arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: f.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.take(cmd, args); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	f.add(cmd, sending)
	cmd.Flags().StringArrayVar(&f.topics, "topic", nil, "of a pub: put `TOPIC` before each message as a frame, written as in --raw")
	cmd.Flags().StringVar(&f.to, "to", "", "of a router: the routing `ID` of the peer, written as in --raw")
	cmd.Flags().IntVar(&f.wait, "wait", 0, "begin when `N` peers are there, or for a pub so many subscriptions")
	return cmd
}

func (f *sendFlags) take(cmd *cobra.Command, args []string) error {
	f.typeName = strings.ToLower(f.typeName)
	publishes := f.typeName == "pub" || f.typeName == "xpub"
	var err error
	switch {
	case len(f.topics) > 1:
		err = fmt.Errorf("%d topics, want one", len(f.topics))
	case len(f.topics) > 0 && !publishes:
		err = fmt.Errorf("--topic is for pub and xpub, not %s", f.typeName)
	case f.to != "" && f.typeName != "router":
		err = fmt.Errorf("--to is for router, not %s", f.typeName)
	case f.typeName == "router" && f.to == "" && !f.raw:
		err = errors.New("--type router needs --to")
	case f.wait < 0:
		err = fmt.Errorf("--wait %d, want 0 or more", f.wait)
	case f.reply != "" && f.typeName != "req":
		err = fmt.Errorf("--reply is for req, not %s", f.typeName)
	}
	if err != nil {
		return misuse(cmd, fmt.Errorf("send: %w", err))
	}
	return f.socketFlags.take(cmd, args, sending)
}

// envelope is what stands before each message.
func (f *sendFlags) envelope() (frames [][]byte, err error) {
	texts := f.topics
	if f.to != "" {
		texts = []string{f.to}
	}
	for _, text := range texts {
		frame, err := parseFrame(text)
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

func (f *sendFlags) run(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()
	envelope, err := f.envelope()
	if err != nil {
		return misuse(cmd, fmt.Errorf("send: %w", err))
	}
	o, err := f.options()
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	typ := f.typ
	if typ == zmq.Pub && f.wait > 0 {
		typ = zmq.XPub // which also tells of subscriptions
	}
	o.Verbose = f.wait > 0
	st, err := openStation(cmd, zmq.New(typ, o), f.bind, f.urls)
	defer st.close()
	if err != nil {
		return err
	}
	if typ == zmq.XPub {
		err = f.subscribers(ctx, st)
	} else {
		err = st.await(ctx, f.wait)
	}
	if err != nil {
		return err
	}
	in, stop := interruptible(ctx, cmd.InOrStdin())
	defer stop()
	s := &sender{station: st, flags: f, envelope: envelope, out: bufio.NewWriter(cmd.OutOrStdout())}
	if f.raw {
		s.raw = newRawReader(in)
	} else {
		s.messages = convert.NewReader(in, f.in)
	}
	for n := 1; f.count == 0 || n <= f.count; n++ {
		if err := s.next(ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("send: message %d: %w", n, err)
		}
	}
	return st.written(ctx)
}

// subscribers waits for subscriptions, and takes those that come later out of the
// way until the socket closes.
func (f *sendFlags) subscribers(ctx context.Context, st *station) error {
	for n := 0; n < f.wait; {
		frames, err := st.Recv(ctx)
		if err != nil {
			return err
		}
		if len(frames) == 1 && len(frames[0]) > 0 && frames[0][0] == 1 {
			n++
		}
	}
	st.watch.Go(func() {
		for {
			if _, err := st.Recv(context.Background()); err != nil {
				return
			}
		}
	})
	return nil
}

// A sender sends what it reads, and prints replies.
type sender struct {
	*station
	flags    *sendFlags
	envelope [][]byte
	raw      *rawReader
	messages *convert.Reader
	out      *bufio.Writer
	buf      []byte
}

// next sends the next message, or gives io.EOF.
func (s *sender) next(ctx context.Context) error {
	if s.raw != nil {
		frames, err := s.raw.next()
		if err == nil {
			err = s.Send(ctx, append(s.envelope[:len(s.envelope):len(s.envelope)], frames...)...)
		}
		if err != nil || s.flags.typ != zmq.Req {
			return err
		}
		if frames, err = s.Recv(ctx); err != nil {
			return err
		}
		s.buf = append(appendFrames(s.buf[:0], frames), '\n')
	} else {
		msg, err := s.messages.Next()
		if err == nil {
			err = s.SendMessage(ctx, msg, s.envelope...)
		}
		if err != nil || s.flags.typ != zmq.Req {
			return err
		}
		if msg, err = s.RecvMessage(ctx); err != nil {
			return err
		}
		if s.buf, err = appendMessage(s.buf[:0], msg, s.flags.out); err != nil {
			return err
		}
	}
	_, err := s.out.Write(s.buf)
	return errors.Join(err, s.out.Flush())
}

// appendMessage appends a message that came from a socket, and releases it.
func appendMessage(dst []byte, msg *segment.Message, o convert.Options) ([]byte, error) {
	defer msg.Release()
	msg.ResetLimits(convert.ReaderLimits(msg.SizeBytes()))
	return convert.Append(dst, msg, o)
}
