package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

// connFlags are those of commands that call: how to connect, and what is there.
type connFlags struct {
	schema, as string
	imports    compile.Options
	patience   time.Duration

	ca, cert, key string
	security      securityFlags
}

// aboutCalls is what a URL of somebody who serves may be.
const aboutCalls = `The URL is one of tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, shm:///PATH,
zmq+tcp://HOST:PORT and zmq+ipc:///PATH. With #NAME at its end it is for what is
exported there under that name.`

func (f *connFlags) add(cmd *cobra.Command) {
	addImportFlags(cmd, &f.imports)
	flags := cmd.Flags()
	flags.StringVar(&f.schema, "schema", "", "schema `FILE` of what is served")
	flags.StringVar(&f.as, "as", "", "interface `TYPE` of what is served (default: the only one of the schema)")
	flags.DurationVar(&f.patience, "connect-timeout", 10*time.Second, "give up to connect after `TIME`")
	flags.StringVar(&f.ca, "tls-ca", "", "`FILE` with certificates of authorities (default: those of the system)")
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` with this end's certificate")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` with the key that belongs to it")
	f.security.addClient(cmd)
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.MarkFlagsMutuallyExclusive("curve-server", "plain-login")
	_ = cmd.RegisterFlagCompletionFunc("schema", func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
		return completeSchemas(cmd, args, to)
	})
	_ = cmd.RegisterFlagCompletionFunc("as", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		if f.schema == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return namesIn(f.schema, f.imports, schema.KindInterface), cobra.ShellCompDirectiveNoFileComp
	})
}

// options say how to connect.
func (f *connFlags) options() (o fairlead.Options, err error) {
	if o.ZMQ.Security, err = f.security.asClient(); err != nil {
		return o, err
	}
	if f.ca == "" && f.cert == "" {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return o, fmt.Errorf("--tls-ca: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("--tls-ca: %s: no certificate in it", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return o, fmt.Errorf("--tls-cert: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{pair}
	}
	return o, nil
}

// connect connects to a URL. The caller closes the connection.
func (f *connFlags) connect(ctx context.Context, url string) (*rpc.Conn, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	return fairlead.DialRPC(ctx, url, o)
}

// load compiles the schema, if there is one.
func (f *connFlags) load(cmd *cobra.Command) (*dynamic.Module, error) {
	if f.schema == "" {
		return nil, nil
	}
	req, err := compileFiles(cmd, []string{f.schema}, f.imports)
	if err != nil {
		return nil, err
	}
	return dynamic.Loader{}.Request(req)
}

// A service is what a connection serves, with its interface and the schema that
// this is from.
type service struct {
	dynrpc.Client
	reg *schema.Registry
}

// served gives what a connection serves, with the interface of mod, or of what the
// server tells. The caller releases it.
func (f *connFlags) served(ctx context.Context, conn *rpc.Conn, mod *dynamic.Module) (*service, error) {
	if mod == nil {
		return f.told(ctx, conn)
	}
	typ, err := interfaceOf(mod, f.as)
	if err != nil {
		return nil, err
	}
	c, err := dynrpc.NewClient(conn.Bootstrap(), typ)
	return &service{c, mod.Registry()}, err
}

// interfaceOf finds the interface that is meant: the one of that name, or the only
// one that the schema declares at its top.
func interfaceOf(mod *dynamic.Module, name string) (*dynamic.Type, error) {
	if name != "" {
		t, err := mod.Type(name)
		if err == nil && t.Kind() != schema.InterfaceType {
			err = fmt.Errorf("%s is no interface", name)
		}
		return t, err
	}
	var all []string
	var found *dynamic.Type
	for _, n := range mod.Names() {
		if strings.Contains(n, ".") {
			continue
		}
		if t, err := mod.Type(n); err == nil && t.Kind() == schema.InterfaceType {
			all, found = append(all, n), t
		}
	}
	switch len(all) {
	case 0:
		return nil, errors.New("the schema declares no interface at its top; name one with --as")
	case 1:
		return found, nil
	}
	slices.Sort(all)
	return nil, fmt.Errorf("name one with --as: %s", strings.Join(all, ", "))
}
