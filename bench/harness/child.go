package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Child is a contestants' process of long life. The harness writes a command
// a line and reads one line of answer:
//
//	version             ok TEXT
//	check WHO CASE      ok VALUES BYTES SIZE       the hashes in hexadecimal
//	run WHO CASE N      ok NANOSECONDS ALLOCS ALLOCBYTES   -1 -1 where not counted
//
// where any answer may be `no WHY` instead. It leaves at the end of its input.
// A child's contestants may have other names there than in the report.
type Child struct {
	mu     sync.Mutex // one command at a time
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// errRefused is a child's answer that it cannot do what it was asked.
var errRefused = errors.New("bench: child refused")

// closeGrace is how long a child may take to leave after the end of its input.
const closeGrace = 5 * time.Second

// StartChild starts cmd, whose standard streams must not be set. Close ends
// it.
func StartChild(cmd *exec.Cmd) (*Child, error) {
	c := &Child{cmd: cmd}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	cmd.Stderr = &c.stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return c, nil
}

// Close ends the child and waits for it.
func (c *Child) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.Close()
	kill := time.AfterFunc(closeGrace, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("bench: child %s: %w%s", c.cmd.Path, err, tail(c.stderr.String()))
	}
	return nil
}

func tail(stderr string) string {
	stderr = strings.TrimSpace(stderr)
	if stderr == "" {
		return ""
	}
	return ": " + stderr
}

func (c *Child) ask(command string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		return "", fmt.Errorf("bench: child %s: %q: %w", c.cmd.Path, command, err)
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("bench: child %s: %q: %w", c.cmd.Path, command, err)
	}
	line = strings.TrimSpace(line)
	if why, refused := strings.CutPrefix(line, "no "); refused {
		return "", fmt.Errorf("%w: %q: %s", errRefused, command, why)
	}
	answer, ok := strings.CutPrefix(line, "ok")
	if !ok {
		return "", fmt.Errorf("bench: child %s: %q: unexpected answer %q", c.cmd.Path, command, line)
	}
	return strings.TrimSpace(answer), nil
}

// Version asks the child what it is.
func (c *Child) Version() (string, error) {
	return c.ask("version")
}

// Contestant makes the contestant who of the case name out of the one that
// the child calls as.
func (c *Child) Contestant(who, as, name string) Contestant {
	return Contestant{
		Who: who,
		Check: func() (Answer, error) {
			line, err := c.ask("check " + as + " " + name)
			if err != nil {
				return Answer{}, err
			}
			var a Answer
			if _, err := fmt.Sscanf(line, "%x %x %d", &a.Values, &a.Bytes, &a.Size); err != nil {
				return Answer{}, fmt.Errorf("bench: child %s: answer %q: %w", c.cmd.Path, line, err)
			}
			return a, nil
		},
		Run: func(n int) (Sample, error) {
			line, err := c.ask("run " + as + " " + name + " " + strconv.Itoa(n))
			if err != nil {
				return Sample{}, err
			}
			var nanos, allocs, allocBytes int64
			if _, err := fmt.Sscanf(line, "%d %d %d", &nanos, &allocs, &allocBytes); err != nil {
				return Sample{}, fmt.Errorf("bench: child %s: answer %q: %w", c.cmd.Path, line, err)
			}
			s := Sample{Elapsed: time.Duration(nanos)}
			if allocs >= 0 && allocBytes >= 0 {
				s.Counted, s.Allocs, s.AllocBytes = true, uint64(allocs), uint64(allocBytes)
			}
			return s, nil
		},
	}
}

// Serve is the other end of [Child]: it carries out the commands of in on the
// contestants of cases until in ends.
func Serve(in io.Reader, out io.Writer, version string, cases []Case) error {
	find := func(who, name string) *Contestant {
		for i := range cases {
			if cases[i].Name != name {
				continue
			}
			for j := range cases[i].Contestants {
				if k := &cases[i].Contestants[j]; k.Who == who && k.Missing == "" {
					return k
				}
			}
		}
		return nil
	}
	answer := func(command string) string {
		f := strings.Fields(command)
		switch {
		case len(f) == 1 && f[0] == "version":
			return "ok " + version
		case len(f) == 3 && f[0] == "check":
			k := find(f[1], f[2])
			if k == nil {
				return "no such contestant and case"
			}
			a, err := k.Check()
			if err != nil {
				return "no " + err.Error()
			}
			return fmt.Sprintf("ok %x %x %d", a.Values, a.Bytes, a.Size)
		case len(f) == 4 && f[0] == "run":
			k := find(f[1], f[2])
			n, err := strconv.Atoi(f[3])
			if k == nil || err != nil || n < 1 {
				return "no such contestant, case and count"
			}
			s, err := k.Run(n)
			if err != nil {
				return "no " + err.Error()
			}
			if !s.Counted {
				return fmt.Sprintf("ok %d -1 -1", s.Elapsed.Nanoseconds())
			}
			return fmt.Sprintf("ok %d %d %d", s.Elapsed.Nanoseconds(), s.Allocs, s.AllocBytes)
		default:
			return fmt.Sprintf("no such command %q", command)
		}
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if _, err := fmt.Fprintln(out, strings.ReplaceAll(answer(lines.Text()), "\n", " ")); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// CacheDir returns the folder, made if need be, where compiled programs of
// the suites are kept between runs.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := base + string(os.PathSeparator) + "fairlead-bench"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	return dir, nil
}
