package syntax

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"empty", "", ""},
		{"id", "@0x8000000000000001;", "id=8000000000000001\n"},
		{"id with doc", "@0x8000000000000001;\n# a file\n", "id=8000000000000001 doc=\"a file\\n\"\n"},
		{"file annotations", `$a; $b.c("x"); $d(x = 1); $e(1, 2); $f();`, "$a $member(b c):\"x\" $d:(x=1) $e:(1 2) $f:()\n"},

		{"using a name", "using X = Y;", "using X :Y\n"},
		{"using from the file scope", "using X = .Y;", "using X :.Y\n"},
		{"using a member", "using A.B.c;", "using c :member(member(A B) c)\n"},
		{"using a member of an import", `using import "f.capnp".X;`, "using X :member(import \"f.capnp\" X)\n"},
		{"using an import", `using X = import "/a\x62.capnp";`, "using X :import \"/ab.capnp\"\n"},

		{"const", "const x :Int32 = -5 $a $b(2);", "const x :Int32 = -5 $a $b:2\n"},
		{"const with id", "const x @0x8000000000000002 :Text = \"a\" \"b\";", "const x id=8000000000000002 :Text = \"ab\"\n"},
		{"embedded file", `const x :Data = embed "f.bin";`, "const x :Data = embed \"f.bin\"\n"},
		{"import and embed as names", `const embed :import = embed;`, "const embed :import = embed\n"},
		{"constant of an import", `const x :T = import "f".y;`, "const x :T = member(import \"f\" y)\n"},

		{"enum", "enum E $x { a @0; b @1 $y; }", "enum E $x\n  enumerant a @0\n  enumerant b @1 $y\n"},
		{"enum with id", "enum E @0x8000000000000002 {}", "enum E id=8000000000000002\n"},
		{"enumerants named as declarations", "enum E { enum @0; using @1; }", "enum E\n  enumerant enum @0\n  enumerant using @1\n"},

		{"struct", "struct S @0x8000000000000002 (T, U) $a {}", "struct S id=8000000000000002 <T> <U> $a\n"},
		{"struct with trailing comma", "struct S(T,) {}", "struct S <T>\n"},
		{
			"fields", "struct S { a @0 :Int8; b @1 :List(Text) = [\"x\"] $c; }",
			"struct S\n  field a @0 :Int8\n  field b @1 :apply(List: Text) = [\"x\"] $c\n",
		},
		{
			"fields named as declarations", "struct S { union @0 :T; struct @1 :T; using @2 :T; group @3 :T; const @4 :T; }",
			"struct S\n  field union @0 :T\n  field struct @1 :T\n  field using @2 :T\n  field group @3 :T\n  field const @4 :T\n",
		},
		{"group", "struct S { g :group $a { a @0 :T; } }", "struct S\n  group g $a\n    field a @0 :T\n"},
		{"group named as a declaration", "struct S { using :group {} enum :union {} }", "struct S\n  group using\n  union enum\n"},
		{"union", "struct S { u :union $a { a @0 :T; } }", "struct S\n  union u $a\n    field a @0 :T\n"},
		{"union with a number", "struct S { u @3! :union {} }", "struct S\n  union u @3\n"},
		{"unnamed union", "struct S { union { a @0 :T; } }", "struct S\n  union\n    field a @0 :T\n"},
		{"a type named group", "struct S { g @0 :group; }", "struct S\n  field g @0 :group\n"},
		{
			"nested declarations", "struct S { struct A {} enum B {} interface C {} const d :T = 1; using e = f; annotation g(*) :T; }",
			"struct S\n  struct A\n  enum B\n  interface C\n  const d :T = 1\n  using e :f\n  annotation g targets=fff :T\n",
		},

		{
			"interface", "interface I @0x8000000000000002 (T) extends(A, B(T), ) $a {}",
			"interface I id=8000000000000002 <T> extends A extends apply(B: T) $a\n",
		},
		{"interface without parents", "interface I extends() {}", "interface I\n"},
		{
			"method", "interface I { a @0 (x :T, y :U = 5 $n,) -> (z :V) $m; }",
			"interface I\n  method a @0 {x:T, y:U=5 $n} -> {z:V} $m\n",
		},
		{"method without results", "interface I { a @0 (); }", "interface I\n  method a @0 {}\n"},
		{"method of structs", "interface I { a @0 P(T) -> .R; }", "interface I\n  method a @0 apply(P: T) -> .R\n"},
		{"implicit parameters", "interface I { a @0 [T, U] (x :T) -> (); }", "interface I\n  method a @0 <T> <U> {x:T} -> {}\n"},
		{"streaming method", "interface I { a @0 (x :T) -> stream $m; }", "interface I\n  method a @0 {x:T} -> stream $m\n"},
		{
			"a parameter named stream", "interface I { a @0 (stream :T) -> (stream :stream); }",
			"interface I\n  method a @0 {stream:T} -> {stream:stream}\n",
		},
		{
			"methods named as declarations", "interface I { struct @0 (); enum @1 (); struct X {} }",
			"interface I\n  method struct @0 {}\n  method enum @1 {}\n  struct X\n",
		},

		{"annotation of everything", "annotation a @0x8000000000000002 (*) :Text $b;", "annotation a id=8000000000000002 targets=fff :Text $b\n"},
		{
			"each target", "annotation a(file, const, enum, enumerant, struct, field, union, group, interface, method, param, annotation) :T;",
			"annotation a targets=fff :T\n",
		},
		{
			"single targets", "annotation a(file) :T; annotation b(annotation) :T; annotation c(field, group,) :T; annotation d() :T;",
			"annotation a targets=1 :T\nannotation b targets=800 :T\nannotation c targets=a0 :T\nannotation d :T\n",
		},

		{
			"values", `const a :T = (x = [1, (2), ((3)), (y = 4)], z = (), w = (5, 6), v = [], u = (7,));`,
			"const a :T = (x=[1 2 3 (y=4)] z=() w=(5 6) v=[] u=7)\n",
		},
		{
			"applications", "const a :A(B, c = D).E(F) = b.c.d;",
			"const a :apply(member(apply(A: B c=D) E): F) = member(member(b c) d)\n",
		},
		{"file scope in a list", "const a :T = [.a, .b.c];", "const a :T = [.a member(.b c)]\n"},

		{
			"doc after a semicolon", "struct S {\n a @0 :T; # one\n # two\n b @1 :T;\n# three\n\n# no\n}",
			"struct S\n  field a @0 :T doc=\"one\\ntwo\\n\"\n  field b @1 :T doc=\"three\\n\"\n",
		},
		{
			"doc after a brace", "struct S { # in\n} # after\nenum E {} # late\nstruct T {\n\n# no\n}\n\n# no\n",
			"struct S doc=\"in\\n\"\nenum E doc=\"late\\n\"\nstruct T\n",
		},
		{
			"without space", "struct S{a@0:T=\"x\"$b;u:union{c@1:T;d@2:T;}}",
			"struct S\n  field a @0 :T = \"x\" $b\n  union u\n    field c @1 :T\n    field d @2 :T\n",
		},
		{"byte order mark", "\xef\xbb\xbfusing X = Y;", "using X :Y\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, errs := Parse("t.capnp", []byte(tt.src))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if got := dump(f); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	src := "@0x8000000000000001;\n  const x @0x8000000000000002 :A(B).C = -5 $an.b(7); # doc\nstruct S { union {} i @0 :T; }"
	f, errs := Parse("t.capnp", []byte(src))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c, s := f.Decls[0], f.Decls[1]
	for _, tt := range []struct {
		name string
		span Span
		want string
	}{
		{"file id", f.ID.Span, "0x8000000000000001"},
		{"statement", c.Span, "const x @0x8000000000000002 :A(B).C = -5 $an.b(7);"},
		{"name", c.Name.Span, "x"},
		{"id", c.ID.Span, "0x8000000000000002"},
		{"member", c.Type.Span, "A(B).C"},
		{"name of the member", c.Type.TextSpan, "C"},
		{"application", c.Type.Base.Span, "A(B)"},
		{"argument", c.Type.Base.Args[0].Value.Span, "B"},
		{"negative number", c.Value.Span, "5"},
		{"annotation", c.Annotations[0].Span, "$an.b(7)"},
		{"annotation's name", c.Annotations[0].Name.Span, "an.b"},
		{"annotation's value", c.Annotations[0].Value.Span, "7"},
		{"block", s.Span, "struct S { union {} i @0 :T; }"},
		{"unnamed union", s.Members[0].Name.Span, "union"},
		{"ordinal", s.Members[1].Ordinal.Span, "0"},
	} {
		if got := src[tt.span.Start:tt.span.End]; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if line, col := f.Position(c.Span.Start); line != 2 || col != 3 {
		t.Errorf("position %d:%d, want 2:3", line, col)
	}
}

// TestMend shows what is left of declarations with errors, so that whoever goes
// on with the file does not report things that follow from them.
func TestMend(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"field", "struct S { a @0 :; b @1 :T = ; c @2 :T; }", "struct S\n  field a @0 :bad\n  field b @1 :T\n  field c @2 :T\n"},
		{"field without a number", "struct S { a :T; c @2 :T; }", "struct S\n  field c @2 :T\n"},
		{"list items", "const a :T = [1, =, 2 3];", "const a :T = [1 bad 2 bad]\n"},
		{"struct header", "struct S foo { a @0 :T; }", "struct S\n  field a @0 :T\n"},
		{"missing semicolon", "struct S {\n a @0 :T\n b @1 :T;\n}", "struct S\n  field a @0 :T\n  field b @1 :T\n"},
		{"missing last semicolon", "struct S { a @0 :T }\nusing X = Y;", "struct S\n  field a @0 :T\nusing X :Y\n"},
		{"const", "const a; const b :T; const c :T = ;", "const a :bad = bad\nconst b :T = bad\nconst c :T = bad\n"},
		{"method", "interface I { a @0; b @1 () -> ; c (); }", "interface I\n  method a @0 bad\n  method b @1 {}\n"},
		{"using", "using X = ; using Y; using .Z;", "using X :bad\n"},
		{"unknown statement with a block", "foo bar { a @0 :; } using X = Y;", "using X :Y\n"},
		{"broken list", "const a :T = (1, [2; const b :T = 3;", "const a :T = bad\nconst b :T = 3\n"},
		{"stray brace", "} using X = Y; }", "using X :Y\n"},
		{"bad file id", "@0x1z; using X = Y;", "id=0\nusing X :Y\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, errs := Parse("t.capnp", []byte(tt.src))
			if len(errs) == 0 {
				t.Fatal("no errors")
			}
			if got := dump(f); got != tt.want {
				t.Errorf("got\n%swant\n%s%v", got, tt.want, errs)
			}
		})
	}
}

func TestMissingID(t *testing.T) {
	f, errs := Parse("t.capnp", []byte("using X = Y;"))
	if len(errs) > 0 || f.ID.IsSet() {
		t.Fatalf("id %v, errors %v", f.ID, errs)
	}
	got := f.MissingID().Error()
	want := "t.capnp:1:1: error: File does not declare an ID.  I've generated one for you.  Add this line to your file: @0x"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ";") {
		t.Errorf("error %q", got)
	}
	again := f.MissingID().Error()
	if got == again {
		t.Errorf("the same id twice: %s", got)
	}
	fixed, errs := Parse("t.capnp", []byte(got[len(want)-len("@0x"):]))
	if len(errs) > 0 || !fixed.ID.IsSet() {
		t.Errorf("the suggested line does not parse: %v", errs)
	}
}
