package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/zmq"
)

// relays are the pairs of sockets between which proxy passes messages.
var relays = []struct {
	name        string
	front, back zmq.Type
	about       string
}{
	{"xsub:xpub", zmq.XSub, zmq.XPub, "publishers are in front, subscribers behind"},
	{"router:dealer", zmq.Router, zmq.Dealer, "those who ask are in front, those who answer behind"},
	{"pull:push", zmq.Pull, zmq.Push, "those who hand out work are in front, workers behind"},
}

type proxyFlags struct {
	connectFront, connectBack bool
	maxBytes                  int64
	security                  securityFlags
}

func newProxyCommand() *cobra.Command {
	var f proxyFlags
	about, names := "", []string{}
	for _, r := range relays {
		about += fmt.Sprintf("  %-14s %s\n", r.name, r.about)
		names = append(names, r.name)
	}
	cmd := &cobra.Command{
		Use:   "proxy FRONT:BACK FRONT-URL BACK-URL",
		Short: "Pass messages on between ZeroMQ sockets",
		Long: `Pass messages on, as they are, between two ZeroMQ sockets, which others find at two
URLs. FRONT:BACK is one of

` + about + `
Both listen, unless they are told to connect. One that listens admits whom --curve-allow
or --plain-allow say; one that connects is who --curve-server or --plain-login say.
On a terminal it shows what passes. It ends when it is interrupted, and prints the counts.

` + aboutURLs,
		Example: `  fairlead proxy xsub:xpub zmq+tcp://*:5555 zmq+tcp://*:5556
  fairlead proxy pull:push --connect-back zmq+ipc:///run/work zmq+tcp://other.example:5555`,
		Args:              arguments(cobra.ExactArgs(3)),
		ValidArgsFunction: cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, r := range relays {
				if r.name == strings.ToLower(args[0]) {
					return f.run(cmd, r.front, r.back, args[1:])
				}
			}
			return misuse(cmd, fmt.Errorf("proxy: %q, want %s", args[0], strings.Join(names, ", ")))
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.connectFront, "connect-front", false, "connect to the front URL instead of listening there")
	flags.BoolVar(&f.connectBack, "connect-back", false, "connect to the back URL instead of listening there")
	flags.Int64Var(&f.maxBytes, "max-message-bytes", maxMessageBytes, "drop peers that send larger messages")
	f.security.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("curve-allow", "plain-allow")
	cmd.MarkFlagsMutuallyExclusive("curve-server", "plain-login")
	return cmd
}

// open opens one side.
func (f *proxyFlags) open(cmd *cobra.Command, typ zmq.Type, connect bool, url string) (*station, error) {
	sec, err := f.security.asServer()
	if connect {
		sec, err = f.security.asClient()
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	e, err := endpoint(url)
	if err != nil {
		return nil, misuse(cmd, fmt.Errorf("proxy: %w", err))
	}
	s := zmq.New(typ, zmq.Options{MaxMessageBytes: f.maxBytes, Security: sec, Linger: -1})
	st, err := openStation(cmd, s, !connect, []string{e})
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (f *proxyFlags) run(cmd *cobra.Command, frontType, backType zmq.Type, urls []string) error {
	if f.maxBytes < 1 {
		return misuse(cmd, fmt.Errorf("proxy: --max-message-bytes %d, want 1 or more", f.maxBytes))
	}
	front, err := f.open(cmd, frontType, f.connectFront, urls[0])
	if err != nil {
		return err
	}
	defer front.close()
	back, err := f.open(cmd, backType, f.connectBack, urls[1])
	if err != nil {
		return err
	}
	defer back.close()
	p := &proxy{zmq.NewProxy(front.Socket, back.Socket, nil), front, back}
	stop := p.show(terminal(cmd.ErrOrStderr()))
	err = p.Run(cmd.Context())
	stop()
	_, printErr := fmt.Fprintln(cmd.OutOrStdout(), p.counts())
	return errors.Join(err, printErr)
}

// A proxy is one with its two sides.
type proxy struct {
	*zmq.Proxy
	front, back *station
}

// show draws the counts on a terminal, once a second, until stop is called.
func (p *proxy) show(w io.Writer) (stop func()) {
	if w == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		last := p.Stats()
		for {
			select {
			case <-quit:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				now := p.Stats()
				fmt.Fprintf(w, "\r\x1b[K%s; %d/s in, %d/s back", p.counts(),
					now.FrontMessages-last.FrontMessages, now.BackMessages-last.BackMessages)
				last = now
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// counts tells what passed, and what did not: it was dropped by a socket whose
// peers are too slow or went away, or it waits.
func (p *proxy) counts() string {
	passed, f, b := p.Stats(), p.front.Stats(), p.back.Stats()
	s := fmt.Sprintf("in %d messages, %d bytes; back %d messages, %d bytes",
		passed.FrontMessages, passed.FrontBytes, passed.BackMessages, passed.BackBytes)
	return fmt.Sprintf("%s; %d dropped, %d waiting", s, f.Dropped+b.Dropped, f.Waiting+b.Waiting)
}
