package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/zmq"
)

// securityFlags say who this end of a connection is, and whom it admits. Secrets
// are in files, for command lines can be seen by everybody.
type securityFlags struct {
	secret, server, allow string // CURVE
	login, users          string // PLAIN
}

func (s *securityFlags) add(cmd *cobra.Command) {
	s.addClient(cmd)
	f := cmd.Flags()
	f.StringVar(&s.allow, "curve-allow", "", "encrypt, and admit the clients whose public keys `FILE` has, one a line")
	f.StringVar(&s.users, "plain-allow", "", "admit the users of `FILE`: in each line one, and the password")
}

// addClient adds the flags of commands that are never a server.
func (s *securityFlags) addClient(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.secret, "curve-secret", "", "`FILE` with this end's secret key, as keygen makes it (default, as a client: a new one)")
	f.StringVar(&s.server, "curve-server", "", "encrypt, and have the server prove that it owns this public `KEY`")
	f.StringVar(&s.login, "plain-login", "", "log in with the user and the password that stand in `FILE` in one line")
}

// exclude forbids to be client and server at once.
func (s *securityFlags) exclude(cmd *cobra.Command) {
	cmd.MarkFlagsMutuallyExclusive("curve-server", "curve-allow", "plain-login", "plain-allow")
}

// both is the mechanism of a socket that the flags make a client or a server.
func (s *securityFlags) both() (zmq.Security, error) {
	if s.allow != "" || s.users != "" {
		return s.asServer()
	}
	return s.asClient()
}

// asServer is the mechanism of one that admits clients.
func (s *securityFlags) asServer() (zmq.Security, error) {
	switch {
	case s.allow != "":
		if s.secret == "" {
			return zmq.Security{}, errors.New("--curve-allow needs --curve-secret")
		}
		keys, err := readSecret(s.secret)
		if err != nil {
			return zmq.Security{}, err
		}
		var admitted []zmq.PublicKey
		err = fileLines(s.allow, func(line string) error {
			k, err := zmq.ParsePublicKey(line)
			admitted = append(admitted, k)
			return err
		})
		return zmq.CurveServer(keys, zmq.AllowKeys(admitted...)), err
	case s.users != "":
		users := map[string]string{}
		err := fileLines(s.users, func(line string) error {
			user, password, err := userPassword(line)
			users[user] = password
			return err
		})
		return zmq.PlainServer(zmq.AllowUsers(users)), err
	}
	return zmq.Security{}, nil
}

// asClient is the mechanism of one that is admitted.
func (s *securityFlags) asClient() (sec zmq.Security, err error) {
	switch {
	case s.server != "":
		server, err := zmq.ParsePublicKey(s.server)
		if err != nil {
			return sec, fmt.Errorf("--curve-server: %w", err)
		}
		keys := zmq.NewKeyPair()
		if s.secret != "" {
			if keys, err = readSecret(s.secret); err != nil {
				return sec, err
			}
		}
		return zmq.CurveClient(keys, server), nil
	case s.login != "":
		err = fileLines(s.login, func(line string) error {
			user, password, err := userPassword(line)
			if len(user) > 255 || len(password) > 255 {
				err = errors.New("user and password of at most 255 bytes each")
			}
			sec = zmq.PlainClient(user, password)
			return err
		})
		return sec, err
	case s.secret != "" && s.allow == "":
		return sec, errors.New("--curve-secret needs --curve-server or --curve-allow")
	}
	return sec, nil
}

// fileLines gives the lines of a file to take, but empty ones and those that
// begin with #. An error never tells what a line says.
func fileLines(name string, take func(line string) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines, taken := bufio.NewScanner(f), 0
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if taken++; take(line) != nil {
			return fmt.Errorf("%s:%d: not what is expected there", name, n)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if taken == 0 {
		return fmt.Errorf("%s: nothing in it", name)
	}
	return nil
}

func userPassword(line string) (user, password string, err error) {
	user, password, ok := strings.Cut(line, " ")
	if !ok {
		err = errors.New("no password")
	}
	return user, strings.TrimSpace(password), err
}

func readSecret(name string) (keys zmq.KeyPair, err error) {
	found := false
	err = fileLines(name, func(line string) error {
		secret, err := zmq.ParseSecretKey(line)
		if err == nil && found {
			err = errors.New("a second key")
		}
		found, keys = true, zmq.KeyPairOf(secret)
		return err
	})
	return keys, err
}

func newKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key for encrypted connections",
		Long: `Write a new secret key of CURVE to FILE, which must not exist and only its owner
may read, and print the public key that belongs to it.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys := zmq.NewKeyPair()
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(f, keys.Secret().Z85())
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), keys.Public())
			return err
		},
	}
}
