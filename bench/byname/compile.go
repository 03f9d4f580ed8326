package byname

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	compileCase = "schema/compile10k"
	lines       = 10_000
)

// largeSchema writes a schema of 10,000 lines: structs with fields of all kinds,
// groups, unions, enums, lists, defaults, constants, comments and methods.
func largeSchema() []byte {
	var b bytes.Buffer
	b.WriteString("@0xb5f4e2a1c3d79e68;\n")
	n := 1
	for i := 0; n < lines; i++ {
		prev := max(i-1, 0)
		text := fmt.Sprintf(`struct Record%[1]d {
  # Record %[1]d is one of many.

  id @0 :UInt64 = %[1]d;
  name @1 :Text = "record %[1]d";
  kind @2 :Kind = second;
  flags @3 :List(Bool);
  position :group { x @4 :Float64; y @5 :Float64 = 0.5; }
  union { none @6 :Void; count @7 :Int32; parts @8 :List(Part); other @9 :Record%[2]d; }
  enum Kind { first @0; second @1; third @2; }
  struct Part {
    weight @0 :Float32;
    label @1 :Text;
    # What it is called.
    children @2 :List(Part);
  }
  const limit :UInt32 = %[1]d;
  const sample :Part = (weight = 1.5, label = "a", children = [(label = "b")]);
}
interface Service%[1]d {
  get @0 (id :UInt64, deep :Bool = true) -> (record :Record%[1]d);
  put @1 (record :Record%[1]d) -> ();
}
`, i, prev)
		b.WriteString(text)
		n += strings.Count(text, "\n")
	}
	return b.Bytes()
}

// compiling is the case of whole compilers.
func compiling(ctx context.Context, dir string, opt harness.Options) (harness.Case, error) {
	source := sourceFile(dir)
	if err := os.WriteFile(source, largeSchema(), 0o600); err != nil {
		return harness.Case{}, err
	}
	req, err := compile.Source(filepath.Base(source), largeSchema(), compile.Options{})
	if err != nil {
		return harness.Case{}, err
	}
	c := harness.Case{Name: compileCase, Bytes: len(largeSchema()), Want: answer(req)}
	if opt.WantsWho("fairlead") {
		program := filepath.Join(dir, "fairlead")
		if err := buildCommand(ctx, program); err != nil {
			return c, err
		}
		c.Contestants = append(c.Contestants, compiler(ctx, "fairlead", program, source))
	}
	if opt.WantsWho("capnp-tool") {
		if tool, err := exec.LookPath("capnp"); err != nil {
			c.Contestants = append(c.Contestants, harness.Absent("capnp-tool", err.Error()))
		} else {
			c.Contestants = append(c.Contestants, compiler(ctx, "capnp-tool", tool, source))
		}
	}
	return c, nil
}

// buildCommand builds the fairlead command, in its own module.
func buildCommand(ctx context.Context, program string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/fairlead-go/fairlead").Output()
	if err != nil {
		return fmt.Errorf("byname: looking for the module: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/fairlead")
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("byname: building fairlead: %w\n%s", err, out)
	}
	return nil
}

// compiler is a contestant that runs a program once for each operation.
func compiler(ctx context.Context, who, program, source string) harness.Contestant {
	run := func() ([]byte, error) {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, program, "compile", "-o-", source)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("byname: %s: %w: %s", who, err, &errs)
		}
		return out.Bytes(), nil
	}
	return harness.Contestant{
		Who: who,
		Check: func() (harness.Answer, error) {
			out, err := run()
			if err != nil {
				return harness.Answer{}, err
			}
			return requestAnswer(out)
		},
		Run: func(n int) (harness.Sample, error) {
			start := time.Now()
			for range n {
				if _, err := run(); err != nil {
					return harness.Sample{}, err
				}
			}
			return harness.Sample{Elapsed: time.Since(start)}, nil
		},
	}
}

// requestAnswer sums up all nodes of a request, in any order.
func requestAnswer(framed []byte) (harness.Answer, error) {
	d := framing.NewSliceDecoder(framed, framing.DecoderOptions{Limits: segment.Limits{TraversalWords: segment.Unlimited}})
	msg, err := d.Decode()
	if err != nil {
		return harness.Answer{}, err
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		return harness.Answer{}, err
	}
	return answer(req), nil
}

// answer sums up the nodes in any order, without what older compilers don't tell.
func answer(req *schema.Request) harness.Answer {
	var sum uint64
	for _, n := range req.Nodes {
		h := fnv.New64a()
		fmt.Fprint(h, n.ID, n.Kind, n.Params, n.Nested)
		if n.Struct != nil {
			fmt.Fprint(h, n.Struct.DataWords, n.Struct.Ptrs)
			for _, f := range n.Struct.Fields {
				fmt.Fprint(h, f.Name, f.Offset, f.Type.Kind, f.Type.ID, f.Default.Bits, f.Default.Ptr.Text(), f.Discriminant, f.Group)
			}
		}
		sum += h.Sum64()
	}
	return harness.Answer{Values: sum}
}

func toolVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "capnp", "--version").Output()
	if err != nil {
		return "missing: " + err.Error()
	}
	return strings.TrimSpace(string(out))
}
