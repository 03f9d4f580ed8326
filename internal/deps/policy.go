// Package deps holds the import policy of the module and checks a source tree
// against it. Its test runs the check over the tree that it stands in, so
// `go test ./...` fails when a package reaches upward, when `unsafe` leaves the
// files that may use it, or when a dependency arrives unannounced.
//
// The policy is the table [Policy]: what is not in it is not allowed. A change
// to the table is a change to the design, not a way to make a build pass.
package deps

// Module is the path of the module that the policy is for.
const Module = "github.com/fairlead-go/fairlead"

// Rule says what one package may import beside the standard library.
type Rule struct {
	// Package is the folder below the module's root, "." for the root itself.
	// A name that ends in "/..." stands for every folder below it.
	Package string
	// Ours lists the packages of this module that it may import. Each stands
	// above it in the table, which is what keeps the imports one-way.
	Ours []string
	// Modules lists the modules of others that it may import.
	Modules []string
	// TestOnly is set for packages that only test files may import.
	TestOnly bool
}

const (
	modCobra    = "github.com/spf13/cobra"
	modCrypto   = "golang.org/x/crypto"
	modGoleak   = "go.uber.org/goleak"
	modMmap     = "github.com/edsrzf/mmap-go"
	modProgress = "github.com/schollz/progressbar/v3"
	modRapid    = "pgregory.net/rapid"
	modSys      = "golang.org/x/sys"
	modTerm     = "golang.org/x/term"
	modZMQ4     = "github.com/go-zeromq/zmq4"
)

// Policy is the table, from the bottom of the module to its top.
var Policy = []Rule{
	{Package: "internal/deps"},
	{Package: "internal/mem", Modules: []string{modSys, modMmap}},
	{Package: "internal/packed"},
	{Package: "internal/spin", Ours: []string{"internal/mem"}},
	{Package: "segment"},
	{Package: "arena", Ours: []string{"internal/mem"}, Modules: []string{modMmap}},
	{Package: "internal/deadline"},
	{Package: "internal/buffer", Ours: []string{"arena"}},
	{Package: "framing", Ours: []string{"segment", "arena", "internal/buffer", "internal/deadline", "internal/mem", "internal/packed", "internal/spin"}},
	{Package: "internal/oracle", Ours: []string{"segment", "arena", "framing"}, TestOnly: true},
	{Package: "schema", Ours: []string{"segment", "arena", "framing"}},
	{Package: "schema/compile/syntax", Ours: []string{"schema"}},
	{Package: "schema/compile", Ours: []string{"schema/compile/syntax", "schema", "segment", "arena", "framing"}},
	{Package: "internal/pretty"},
	{Package: "internal/shape", Ours: []string{"schema", "segment"}},
	{Package: "internal/randval", Ours: []string{"internal/shape", "schema", "segment", "arena", "framing"}, TestOnly: true},
	{Package: "internal/text", Ours: []string{"internal/pretty", "internal/shape", "schema", "segment", "arena"}},
	{Package: "internal/json", Ours: []string{"internal/pretty", "internal/shape", "schema", "segment", "arena"}},
	{Package: "dynamic", Ours: []string{
		"internal/text", "internal/json", "schema/compile", "schema", "segment", "arena", "framing",
	}},
	{Package: "codegen", Ours: []string{"schema", "segment"}},
	{Package: "zmq/internal/zmtp", Modules: []string{modCrypto, modSys}},
	{Package: "zmq", Ours: []string{"zmq/internal/zmtp", "internal/buffer", "internal/mem", "segment", "arena"}, Modules: []string{modCrypto, modSys}},
	{Package: "zmq/gozmq", Ours: []string{"segment", "zmq"}, Modules: []string{modZMQ4}},
	{Package: "zmq/interop", Ours: []string{"segment", "arena", "framing", "zmq"}, TestOnly: true},
	{Package: "shm", Ours: []string{"segment", "arena", "internal/deadline", "internal/mem", "internal/spin"}, Modules: []string{modSys}},
	{Package: "rpc/internal/wire", Ours: []string{"segment"}},
	{Package: "rpc", Ours: []string{"rpc/internal/wire", "segment", "arena", "internal/mem"}},
	{Package: "rpc/persistent", Ours: []string{"segment", "rpc"}},
	{Package: "rpc/sturdy", Ours: []string{"segment", "rpc", "internal/mem"}},
	// Generated code that the tests of codegen run.
	{Package: "codegen/internal/...", Ours: []string{"segment", "rpc"}},
	{Package: "rpc/interop", Ours: []string{"segment", "arena", "framing", "shm", "rpc/internal/wire", "rpc"}, TestOnly: true},
	{Package: "rpc/dynrpc", Ours: []string{"rpc", "dynamic", "schema", "segment"}},
	{Package: ".", Ours: []string{"segment", "arena", "internal/spin", "framing", "zmq", "shm", "rpc"}},
	{Package: "cmd/fairlead/internal/tree", Ours: []string{"internal/mem"}},
	{Package: "cmd/fairlead/internal/inspect", Ours: []string{"segment", "internal/packed"}},
	{Package: "cmd/fairlead/internal/convert", Ours: []string{"segment", "framing", "internal/json", "schema/compile/syntax"}},
	{Package: "cmd/fairlead/internal/regions", Ours: []string{"shm"}},
	{Package: "cmd/fairlead/internal/demo/wire", Ours: []string{"segment", "rpc"}},
	{Package: "cmd/fairlead/internal/demo", Ours: []string{
		"segment", "arena", "framing", "internal/mem", "zmq", "shm", "rpc", ".", "cmd/fairlead/internal/tree", "cmd/fairlead/internal/demo/wire",
	}, Modules: []string{modProgress}},
	{Package: "cmd/fairlead", Ours: []string{
		"segment", "arena", "framing", "internal/text", "internal/json", "schema", "schema/compile", "schema/compile/syntax",
		"dynamic", "codegen", "zmq", "shm", "rpc", "rpc/dynrpc", ".", "cmd/fairlead/internal/tree",
		"cmd/fairlead/internal/convert", "cmd/fairlead/internal/inspect", "cmd/fairlead/internal/regions", "cmd/fairlead/internal/demo",
	}, Modules: []string{modCobra, modProgress, modTerm}},
	{Package: "cmd/capnpc-fairlead", Ours: []string{"segment", "framing", "schema", "codegen"}},
	{Package: "docs", TestOnly: true},
	{Package: "examples/...", Ours: []string{
		"segment", "arena", "framing", "schema", "schema/compile", "dynamic", "zmq", "shm", "rpc", "rpc/dynrpc", "rpc/sturdy", ".",
	}},
}

// TestModules are the modules that any test file may import beside those of
// its package's rule.
var TestModules = []string{modGoleak, modRapid, modSys}

// Modules is every module that the root go.mod may list: those that the rules
// name, and what those need themselves.
var Modules = []string{
	modCobra, modCrypto, modGoleak, modMmap, modProgress, modRapid, modSys, modTerm, modZMQ4,
	"github.com/go-zeromq/goczmq/v4",
	"github.com/inconshreveable/mousetrap",
	"github.com/mitchellh/colorstring",
	"github.com/rivo/uniseg",
	"github.com/spf13/pflag",
	"golang.org/x/sync",
	"golang.org/x/text",
}

// MaxLines is the length at which a source file that is neither generated nor
// a test has to be split.
const MaxLines = 800
