package syntax

import (
	"strings"
	"testing"
)

// idLine is the first line of each source below, which itself is on line 2.
const idLine = "@0x8000000000000001;\n"

// brokenSchemas are sources with errors: what Parse says of each, and what the
// capnp tool 0.9.2 says, which is the same where tool is empty.
//
// Ours says more in these ways. Where the tool says no more than "Parse error.",
// Parse tells what it expected. The tool's column there is mostly that of the
// token behind the one that does not fit; Parse gives the columns of that token
// itself. After an error that makes the tool give up, Parse goes on, and it
// reports each error once. An exponent without digits makes the tool crash. The
// tool also goes on to what is wrong beyond the grammar, which is not for Parse.
var brokenSchemas = []struct{ name, src, want, tool string }{
	{
		"stray word", "foo bar;",
		"2:1-4: Parse error: expected " + fileStart + ", found 'foo'.",
		"2:5: Parse error.",
	},
	{
		"stray word and colon", "foo:;",
		"2:1-4: Parse error: expected " + fileStart + ", found 'foo'.",
		"2:4: Parse error.",
	},
	{
		"empty statement", ";",
		"2:1-2: Parse error: expected " + fileStart + ", found ';'.",
		"2:1: Parse error.",
	},
	{
		"two empty statements", ";;",
		"2:1-2: Parse error: expected " + fileStart + ", found ';'.\n2:2-3: Parse error: expected " + fileStart + ", found ';'.",
		"2:1: Parse error.\n2:2: Parse error.",
	},
	{
		"brace without a struct", "{}",
		"2:1-2: Parse error: expected " + fileStart + ", found '{'.",
		"2:1: Parse error.",
	},
	{
		"closing brace", "}",
		"2:1-2: Parse error: '}' closes nothing.",
		"2:1: Parse error.",
	},
	{
		"closing bracket in a struct", "struct A { ) }",
		"2:12-13: Parse error: expected the name of a field, group or union, or a declaration, found ')'.",
		"2:12: Parse error.",
	},
	{
		"closing parenthesis after a value", "const a :Int32 = 5);",
		"2:19-20: Parse error: expected ';', found ')'.",
		"2:19: Parse error.",
	},
	{
		"struct without a name", "struct;",
		"2:7: Parse error: expected the struct's name, found ';'.",
		"2:7: Parse error.",
	},
	{
		"struct with a number for a name", "struct 5 {}",
		"2:8-9: Parse error: expected the struct's name, found '5'.",
		"2:9: Parse error.",
	},
	{
		"struct with a semicolon", "struct A;",
		"2:1-10: This statement should end with a block, not a semicolon.",
		"",
	},
	{
		"struct with a bad id", "struct A @x {}",
		"2:11-12: Parse error: expected the id: a number such as 0x and 16 hexadecimal digits, found 'x'.",
		"2:12: Parse error.",
	},
	{
		"struct with a small id", "struct A @0x5 {}",
		"2:11-14: Invalid ID.  Please generate a new one with 'fairlead id'.",
		"2:11-14: Invalid ID.  Please generate a new one with 'capnpc -i'.",
	},
	{
		"struct with a number as a parameter", "struct B(5) {}",
		"2:10-11: Parse error: expected a name, found '5'.",
		"2:10-11: Parse error.",
	},
	{
		"struct with two words as parameter", "struct C(A B) {}",
		"2:12-13: Parse error: expected ',' or ')', found 'B'.",
		"2:12-13: Parse error.",
	},
	{
		"struct that extends", "struct D extends(E) {}",
		"2:10-17: Parse error: expected '{', found 'extends'.",
		"2:17: Parse error.",
	},
	{
		"struct not closed", "struct A { a @0 :Int32;",
		"2:24: Parse error: expected '}', found the end of the file. '{' was opened at 2:10.",
		"2:24: Parse error.",
	},
	{
		"struct in a struct not closed", "struct A { struct B { a @0 :Int32; }",
		"2:37: Parse error: expected '}', found the end of the file. '{' was opened at 2:10.",
		"2:37: Parse error.",
	},
	{
		"interface that extends no list", "interface I extends E {}",
		"2:21-22: Parse error: expected '(' and the interfaces that it extends, found 'E'.",
		"2:22: Parse error.",
	},
	{
		"interface with an empty parameter", "interface I(A,,B) {}",
		"2:12-18: Parse error: Empty list item.",
		"",
	},
	{
		"interface with a semicolon", "interface I;",
		"2:1-13: This statement should end with a block, not a semicolon.",
		"",
	},
	{
		"enumerant without a number", "enum E { a; b @0; }",
		"2:11: Parse error: expected '@', found ';'.",
		"2:11: Parse error.",
	},
	{
		"enumerant with no number after the at", "enum E { a @; b @0; }",
		"2:13: Parse error: expected a number after '@', found ';'.",
		"2:13: Parse error.",
	},
	{
		"enumerant with a negative number", "enum E { a @-1; b @0; }",
		"2:12-14: Parse error: '@-' is read as one operator; write a space after '@'.",
		"2:14: Parse error.",
	},
	{
		"enumerant with a type", "enum E { a @0 :Text; b @0; }",
		"2:15-16: Parse error: expected ';', found ':'.",
		"2:16: Parse error.",
	},
	{
		"enumerant without a name", "enum E { @0; b @0; }",
		"2:10-11: Parse error: expected the name of an enumerant, found '@'.",
		"2:11: Parse error.",
	},
	{
		"enumerant with a block", "enum E { a @0 {} }",
		"2:10-17: This statement should end with a semicolon, not a block.",
		"",
	},
	{
		"enum in an enum", "enum E { enum F {} a @0; }",
		"2:15-16: Parse error: expected '@', found 'F'.",
		"2:16: Parse error.",
	},
	{
		"enum with a semicolon", "enum E;",
		"2:1-8: This statement should end with a block, not a semicolon.",
		"",
	},
	{
		"file with two ids", "@0x8000000000000002;",
		"2:1-21: File can only have one ID.",
		"",
	},
	{
		"file with a second id and block", "@0x8000000000000002 {}",
		"2:1-23: This statement should end with a semicolon, not a block.\n2:1-23: File can only have one ID.",
		"",
	},
	{
		"small id", "const a @0x7fffffffffffffff :Int32 = 5;",
		"2:10-28: Invalid ID.  Please generate a new one with 'fairlead id'.",
		"2:10-28: Invalid ID.  Please generate a new one with 'capnpc -i'.",
	},
	{
		"two annotations at the file level", "$a $b;",
		"2:4-5: Parse error: expected ';', found '$'.",
		"2:5: Parse error.",
	},
	{
		"const without a type", "const a : = 5;",
		"2:11-12: Parse error: expected the constant's type, found '='.",
		"2:13: Parse error.",
	},
	{
		"const without a colon", "const b 5;",
		"2:9-10: Parse error: expected ':', found '5'.",
		"2:10: Parse error.",
	},
	{
		"const without a value", "const c :Int32;",
		"2:15: Parse error: expected '=', found ';'.",
		"2:15: Parse error.",
	},
	{
		"const with no value after the equals", "const c :Int32 = ;",
		"2:17: Parse error: expected the constant's value, found ';'.",
		"2:17: Parse error.",
	},
	{
		"const with a block", "const c :Int32 = 5 {}",
		"2:1-22: This statement should end with a semicolon, not a block.",
		"",
	},
	{
		"const with two values", "const c :Int32 = 5 6;",
		"2:20-21: Parse error: expected ';', found '6'.",
		"2:21: Parse error.",
	},
	{
		"using without a name", "using = 5;",
		"2:7-8: Parse error: expected a name, found '='.",
		"2:9: Parse error.",
	},
	{
		"using a plain name", "using Foo;",
		"2:7-10: 'using' declaration without '=' must specify a named declaration from a different scope.",
		"2:7-10: 'using' declaration without '=' must specify a named declaration from a different scope.\n2:7-10: Not defined: Foo",
	},
	{
		"using an application", "using List(Text);",
		"2:7-17: 'using' declaration without '=' must specify a named declaration from a different scope.",
		"",
	},
	{
		"using with an annotation", "using Foo = Text $foo;",
		"2:18-19: Parse error: expected ';', found '$'.",
		"2:19: Parse error.",
	},
	{
		"using with a block", "using Foo = Text {}",
		"2:1-20: This statement should end with a semicolon, not a block.",
		"",
	},
	{
		"annotation without targets", "annotation a :Void;",
		"2:14-15: Parse error: expected '(' and what the annotation is for, found ':'.",
		"2:15: Parse error.",
	},
	{
		"annotation without a type", "annotation a(struct);",
		"2:21: Parse error: expected ':', found ';'.",
		"2:21: Parse error.",
	},
	{
		"annotation with unknown target", "annotation a(foo) :Void;",
		"2:14-17: Not a valid annotation target.",
		"",
	},
	{
		"annotation with upper-case target", "annotation a(Struct) :Void;",
		"2:14-20: Not a valid annotation target.",
		"",
	},
	{
		"annotation with a long target", "annotation a(a123456789012345678901234567890123) :Void;",
		"2:14-48: Not a valid annotation target.",
		"",
	},
	{
		"annotation with a target twice", "annotation a(struct, struct) :Void;",
		"2:22-28: Duplicate target specification.",
		"",
	},
	{
		"annotation with a wildcard and more", "annotation a(*, struct) :Void;",
		"2:14-15: Wildcard should not be specified together with other targets.\n2:17-23: Duplicate target specification.",
		"",
	},
	{
		"annotation with more and a wildcard", "annotation a(struct, *) :Void;",
		"2:22-23: Wildcard should not be specified together with other targets.",
		"",
	},
	{
		"annotation with a number as target", "annotation a(5) :Void;",
		"2:14-15: Parse error: expected a name, found '5'.",
		"2:14-15: Parse error.",
	},
	{
		"field without a colon", "struct A { a @0 Text; }",
		"2:17-21: Parse error: expected ':', found 'Text'.",
		"2:21: Parse error.",
	},
	{
		"field without a type", "struct A { b @0 :; }",
		"2:18: Parse error: expected the field's type, found ';'.",
		"2:18: Parse error.",
	},
	{
		"field without a number", "struct A { d :Text; }",
		"2:15-19: Parse error: expected group or union, or before the ':' a field's number such as @0, found 'Text'.",
		"2:19: Parse error.",
	},
	{
		"field without a default after the equals", "struct A { c @0 :Text = ; }",
		"2:24: Parse error: expected the default value, found ';'.",
		"2:24: Parse error.",
	},
	{
		"field with two words of default", `struct A { e @0 :Text = "x" z; }`,
		"2:29-30: Parse error: expected ';', found 'z'.",
		"2:30: Parse error.",
	},
	{
		"field with a number as a type", "struct A { e @0 5; }",
		"2:17-18: Parse error: expected ':', found '5'.",
		"2:18: Parse error.",
	},
	{
		"field number too large", "struct A { a @65536 :Text; }",
		"2:15-20: Ordinals cannot be greater than 65535.",
		"2:15-20: Ordinals cannot be greater than 65535.\n2:15-20: Ordinals cannot be greater than 65535.\n2:15-20: Skipped ordinal @0.  Ordinals must be sequential with no holes.",
	},
	{
		"field number far too large", "struct A { a @18446744073709551616 :Text; }",
		"2:15-35: Integer value out of range: it takes more than 64 bits.",
		silent,
	},
	{
		"field number negative", "struct A { a @-1 :Text; }",
		"2:14-16: Parse error: '@-' is read as one operator; write a space after '@'.",
		"2:16: Parse error.",
	},
	{
		"field number a float", "struct A { a @1.5 :Text; }",
		"2:15-18: Parse error: expected a number after '@', found '1.5'.",
		"2:19: Parse error.",
	},
	{
		"field number a word", "struct A { a @one :Text; }",
		"2:15-18: Parse error: expected a number after '@', found 'one'.",
		"2:19: Parse error.",
	},
	{
		"field with a block", "struct A { a @0 :Text {} }",
		"2:12-25: This statement should end with a semicolon, not a block.",
		"",
	},
	{
		"field with a mark", "struct A { a @0! :Text; }",
		"2:19-23: Parse error: expected ':union', as only a union has a '!' behind its number, found 'Text'.",
		"2:23: Parse error.",
	},
	{
		"group with a semicolon", "struct A { f :group; }",
		"2:12-21: This statement should end with a block, not a semicolon.",
		"2:12-21: This statement should end with a block, not a semicolon.\n2:12-21: Group must have at least one member.",
	},
	{
		"union with a semicolon", "struct A { g :union; }",
		"2:12-21: This statement should end with a block, not a semicolon.",
		"2:12-21: This statement should end with a block, not a semicolon.\n2:12-21: Union must have at least two members.",
	},
	{
		"unnamed union with a semicolon", "struct A { union; }",
		"2:12-18: This statement should end with a block, not a semicolon.",
		"2:12-18: This statement should end with a block, not a semicolon.\n2:12-18: Union must have at least two members.",
	},
	{
		"unnamed union with a name behind", "struct A { union foo { } }",
		"2:18-21: Parse error: expected '{', found 'foo'.",
		"2:21: Parse error.",
	},
	{
		"group with a number", "struct A { i @0 :group {} }",
		"2:15-16: Parse error: a group has no number.",
		"2:12-26: This statement should end with a semicolon, not a block.\n2:18-23: Not defined: group",
	},
	{
		"union with a number", "struct A { u @0 :union { a @1 :Int8; b @2 :Int8; } }",
		"2:15-16: " + oldUnionNumber,
		"",
	},
	{
		"union with a number and no colon", "struct A { v @0 union { a @1 :Int8; b @2 :Int8; } }",
		"2:15-16: " + oldUnionNumber + "\n2:15-16: " + oldUnionColon,
		"",
	},
	{
		"union with a mark and no colon", "struct A { v @0! union { a @1 :Int8; b @2 :Int8; } }",
		"2:15-16: " + oldUnionColon,
		"",
	},
	{
		"union with mark and colon together", "struct A { v @0!:union { a @1 :Int8; b @2 :Int8; } }",
		"2:16-18: Parse error: expected ':', found '!:'.",
		"2:18: Parse error.",
	},
	{
		"method without parameters", "interface I { a @0; }",
		"2:19: Parse error: expected the parameters, found ';'.",
		"2:19: Parse error.",
	},
	{
		"method with a parameter without type", "interface I { a @0 (x); }",
		"2:21-22: Parse error: expected ':', found ')'.",
		"2:21-22: Parse error.",
	},
	{
		"method with a parameter without default", "interface I { c @0 (x :Int8 = ); }",
		"2:21-30: Parse error: expected the default value, found ')'.",
		"2:21-30: Parse error.",
	},
	{
		"method without results after the arrow", "interface I { d @0 (x :Int8) -> ; }",
		"2:32: Parse error: expected the results, found ';'.",
		"2:32: Parse error.",
	},
	{
		"method with a number for a parameter", "interface I { e @0 (x @0 :Int8); }",
		"2:23-31: Parse error: expected ':', found '@'.",
		"2:24-31: Parse error.",
	},
	{
		"method with a number as type parameter", "interface I { f @0 [5] (); }",
		"2:21-22: Parse error: expected a name, found '5'.",
		"2:21-22: Parse error.",
	},
	{
		"method with two parameter lists", "interface I { g @0 () (); }",
		"2:23-24: Parse error: expected ';', found '('.",
		"2:25: Parse error.",
	},
	{
		"method with two errors in its lists", "interface I { h @0 (x, y) -> (z,); }",
		"2:21-22: Parse error: expected ':', found ','.\n2:24-25: Parse error: expected ':', found ')'.\n2:31-32: Parse error: expected ':', found ','.",
		"2:21-22: Parse error.\n2:24-25: Parse error.\n2:31-32: Parse error.",
	},
	{
		"method that takes a stream", "interface I { i @0 stream -> stream; }",
		"2:20-26: 'stream' can only appear after '->', not before.",
		"",
	},
	{
		"method with a member of stream", "interface I { i @0 () -> stream.X; }",
		"2:32-33: Parse error: expected ';', found '.'.",
		"2:33: Parse error.",
	},
	{
		"method with a block", "interface I { i @0 () {} }",
		"2:15-25: This statement should end with a semicolon, not a block.",
		"",
	},
	{
		"method without a number", "interface I { i () -> (); }",
		"2:17-18: Parse error: expected '@' and the method's number, found '('.",
		"2:20: Parse error.",
	},
	{
		"method with results without an arrow", "interface I { i @0 () - (); }",
		"2:23-24: Parse error: expected '->', found '-'.",
		"2:25: Parse error.",
	},
	{
		"tuple item without a value", "const a :Int32 = (a = );",
		"2:19-22: Parse error: expected a value or a type, found ')'.",
		"2:19-22: Parse error.",
	},
	{
		"tuple items without a comma", "const a :Int32 = (a = 5 b = 6);",
		"2:25-30: Parse error: expected ',' or ')', found 'b'.",
		"2:27-30: Parse error.",
	},
	{
		"tuple item without a name", "const b :Int32 = (= 5);",
		"2:19-22: Parse error: expected a value or a type, found '='.",
		"2:21-22: Parse error.",
	},
	{
		"list with names", "const c :List(Int32) = [a = 5];",
		"2:27-30: Parse error: expected ',' or ']', found '='.",
		"2:29-30: Parse error.",
	},
	{
		"list items without a comma", "const c :List(Int32) = [1 2];",
		"2:27-28: Parse error: expected ',' or ']', found '2'.",
		"2:25-28: Parse error.",
	},
	{
		"list with an empty item", "const c :List(Int32) = [1,,2];",
		"2:24-30: Parse error: Empty list item.",
		"",
	},
	{
		"list of a comma", "const c :List(Int32) = [,];",
		"2:24-27: Parse error: Empty list item.",
		"",
	},
	{
		"tuple of a comma", "const c :Int32 = (,);",
		"2:18-21: Parse error: Empty list item.",
		"",
	},
	{
		"errors in two items", "const c :List(Int32) = [1 2, x y z];",
		"2:27-28: Parse error: expected ',' or ']', found '2'.\n2:32-35: Parse error: expected ',' or ']', found 'y'.",
		"2:25-28: Parse error.\n2:34-35: Parse error.",
	},
	{
		"errors in nested lists", "const c :List(List(Int32)) = [[1 2], (a = ), [,]];",
		"2:34-35: Parse error: expected ',' or ']', found '2'.\n2:39-42: Parse error: expected a value or a type, found ')'.\n2:46-49: Parse error: Empty list item.",
		"2:32-35: Parse error.\n2:39-42: Parse error.\n2:46-49: Parse error: Empty list item.",
	},
	{
		"member without a name", "const d :Int32 = a.;",
		"2:20: Parse error: expected a name after '.', found ';'.",
		"2:20: Parse error.",
	},
	{
		"member with a number", "const e :Int32 = a.5;",
		"2:20-21: Parse error: expected a name after '.', found '5'.",
		"2:21: Parse error.",
	},
	{
		"member of a list", "const e :Int32 = a.(c);",
		"2:20-21: Parse error: expected a name after '.', found '('.",
		"2:23: Parse error.",
	},
	{
		"import of a word", "const g :Int32 = import foo;",
		"2:25-28: Parse error: expected ';', found 'foo'.",
		"2:28: Parse error.",
	},
	{
		"minus a word", "const g :Int32 = -foo;",
		"2:19-22: Parse error: expected a number or inf after '-', found 'foo'.",
		"2:22: Parse error.",
	},
	{
		"minus nothing", "const g :Int32 = -;",
		"2:19: Parse error: expected a number or inf after '-', found ';'.",
		"2:19: Parse error.",
	},
	{
		"equals and minus together", "const g :Int32=-5;",
		"2:15-17: Parse error: '=-' is read as one operator; write a space after '='.",
		"2:17: Parse error.",
	},
	{
		"colon and dot together", "const g :.A = 5;",
		"2:9-11: Parse error: ':.' is read as one operator; write a space after ':'.",
		"2:11: Parse error.",
	},
	{
		"equals in a tuple and minus together", "const g :Int32 = (a =-5);",
		"2:21-24: Parse error: '=-' is read as one operator; write a space after '='.",
		"2:23-24: Parse error.",
	},
	{
		"dollar and dot together", "struct A $.foo {}",
		"2:10-12: Parse error: '$.' is read as one operator; write a space after '$'.",
		"2:12: Parse error.",
	},
	{
		"parenthesis not closed", "const a :Int32 = (a = 5;",
		"2:24-25: Parse error: expected ',' or ')', found ';'. '(' was opened at 2:18.",
		"2:24: Parse error.",
	},
	{
		"parenthesis closed by a bracket", "const a :Int32 = (a = 5];",
		"2:24-25: Parse error: expected ',' or ')', found ']'. '(' was opened at 2:18.",
		"2:24: Parse error.",
	},
	{
		"bracket closed by a parenthesis", "const a :Int32 = [5);",
		"2:20-21: Parse error: expected ',' or ']', found ')'. '[' was opened at 2:18.",
		"2:20: Parse error.",
	},
	{
		"parenthesis not closed in a struct", "struct A { x @0 :List(Text; }",
		"2:27-28: Parse error: expected ',' or ')', found ';'. '(' was opened at 2:22.",
		"2:27: Parse error.",
	},
	{
		"brace in a list", "const a :Int32 = [5 {}];",
		"2:21-22: Parse error: expected ',' or ']', found '{'. '[' was opened at 2:18.\n2:23-24: Parse error: expected " + fileStart + ", found ']'.",
		"2:21: Parse error.",
	},
	{
		"bad escape", `const a :Text = "abc\qd";`,
		"2:22: Parse error: no such escape in a string.",
		"2:22: Parse error.",
	},
	{
		"bad hexadecimal escape", `const a :Text = "abc\x4z";`,
		`2:24: Parse error: \x needs two hexadecimal digits.`,
		"2:24: Parse error.",
	},
	{
		"string not closed", `const a :Text = "abc`,
		"2:21: Parse error: the string is not closed.",
		"2:21: Parse error.",
	},
	{
		"string not closed at the end of the line", "const a :Text = \"abc\n\";",
		"2:21: Parse error: the string is not closed at the end of the line.",
		"2:21: Parse error.",
	},
	{
		"data without bytes", `const a :Data = 0x"";`,
		"2:20: Parse error: a data literal has at least one byte.",
		"2:20: Parse error.",
	},
	{
		"data with half a byte", `const a :Data = 0x"12 3";`,
		"2:24: Parse error: a data literal has two hexadecimal digits for each byte, and ends in a quote.",
		"2:24: Parse error.",
	},
	{
		"data with a word", `const a :Data = 0x"foo";`,
		"2:21: Parse error: a data literal has two hexadecimal digits for each byte, and ends in a quote.",
		"2:21: Parse error.",
	},
	{
		"quotes of the wrong kind", "const a :Data = 'x';",
		"2:17-18: Parse error: strings are written in double quotes.",
		"2:17: Parse error.",
	},
	{
		"hexadecimal without digits", "const a :Int32 = 0xZ;",
		"2:20: Parse error: 0x must be followed by hexadecimal digits.",
		"2:20: Parse error.",
	},
	{
		"number with letters", "const a :Int32 = 12efg;",
		"2:21: Parse error: an exponent needs digits.",
		"2:21: Parse error.",
	},
	{
		"number with a second dot", "const a :Int32 = 1..2;",
		"2:20: Parse error: a number must not be followed by a letter or a dot.",
		"2:20: Parse error.",
	},
	{
		"octal number with a nine", "const a :Int32 = 089;",
		"2:19: Parse error: a number that starts with 0 is octal and has only the digits 0 to 7.",
		"2:21: Parse error.",
	},
	{
		"exponent without digits", "const a :Float32 = 1e;",
		"2:22: Parse error: an exponent needs digits.",
		crash,
	},
	{
		"integer too large", "const a :UInt64 = 18446744073709551616;",
		"2:19-39: Integer value out of range: it takes more than 64 bits.",
		silent,
	},
	{
		"hexadecimal integer too large", "const a :UInt64 = 0x10000000000000000;",
		"2:19-38: Integer value out of range: it takes more than 64 bits.",
		silent,
	},
	{
		"letters beyond ASCII", "const é :Int32 = 1;",
		"2:7-9: Parse error: only strings and comments may have characters beyond ASCII.",
		"2:7: Parse error.",
	},
	{
		"semicolon of another script", "const a :Int32 = 1；",
		"2:19-22: Parse error: only strings and comments may have characters beyond ASCII.",
		"2:20: Parse error.",
	},
	{
		"backslash", `const a :Int32 = \;`,
		"2:18-19: Parse error: a character that has no meaning here.",
		"2:18: Parse error.",
	},
	{
		"zero byte", "const a\x00 :Int32 = 1;",
		"2:8-9: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.",
		"2:8-9: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.\n2:9: Parse error.",
	},
	{
		"UTF-16", "\xff\xfec\x00o\x00n\x00",
		"2:1-3: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.",
		"2:1-3: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.\n2:3: Parse error.",
	},
	{
		"UTF-16 big-endian", "\xfe\xff\x00c\x00o\x00n",
		"2:1-3: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.",
		"2:1-3: Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.\n2:3: Parse error.",
	},
	{
		"semicolon missing in a struct", "struct A { a @0 :Int32 }",
		"2:24-25: Parse error: expected ';', found '}'.",
		"2:24: Parse error.",
	},
	{
		"semicolon missing at the end of a line", "struct A {\n  a @0 :Int32\n  b @1 :Int32;\n}",
		"3:14: Parse error: expected ';', found 'b'.",
		"4:5: Parse error.",
	},
	{
		"semicolon missing before a const", "const a :Int32 = 5\nconst b :Int32 = 6;",
		"2:19: Parse error: expected ';', found 'const'.",
		"3:7: Parse error.",
	},
	{
		"semicolon missing at the end", "const e :Int32 = 1",
		"2:19: Parse error: expected ';', found the end of the file.",
		"2:19: Parse error.",
	},
	{
		"back-tick", "const e :Text = `foo\n;",
		"",
		"2:17: Parse error.",
	},
	{
		"two errors on two lines", "struct A { a @0 Text; }\nenum E { b; }",
		"2:17-21: Parse error: expected ':', found 'Text'.\n3:11: Parse error: expected '@', found ';'.",
		"2:21: Parse error.\n3:11: Parse error.",
	},
}

const (
	fileStart = "a declaration (using, const, enum, struct, interface, annotation, an @id or a $annotation)"
	crash     = "*** Uncaught exception ***"
	silent    = "no error"
)

// short takes from the lines of errors what is the same in all of them.
func short(lines string) string {
	lines = strings.ReplaceAll(lines, "t.capnp:", "")
	return strings.TrimSpace(strings.ReplaceAll(lines, ": error: ", ": "))
}

func TestErrors(t *testing.T) {
	for _, tt := range brokenSchemas {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Parse("t.capnp", []byte(idLine+tt.src))
			if got := short(errs.Error()); got != tt.want {
				t.Errorf("%q\ngot  %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

// TestErrorsOfTool shows that the table above tells the truth about the tool.
func TestErrorsOfTool(t *testing.T) {
	same := 0
	run := newTool(t)
	for _, tt := range brokenSchemas {
		want := tt.tool
		if want == "" {
			want = tt.want
			same++
		}
		_, said := run(t, map[string]string{"t.capnp": idLine + tt.src}, "compile", "-o-", "t.capnp")
		got := short(said)
		switch {
		case got == "":
			got = silent
		case strings.HasPrefix(got, crash):
			got = crash
		}
		if got != want {
			t.Errorf("%s: %q\ngot  %s\nwant %s", tt.name, tt.src, got, want)
		}
	}
	t.Logf("%d sources, %d with the same errors", len(brokenSchemas), same)
}

func TestErrorText(t *testing.T) {
	f, _ := Parse("d/f.capnp", []byte("ab\ncd\n"))
	for _, tt := range []struct {
		name string
		span Span
		want string
	}{
		{"start of the file", Span{}, "d/f.capnp:1:1: error: x"},
		{"point", Span{4, 4}, "d/f.capnp:2:2: error: x"},
		{"range", Span{3, 5}, "d/f.capnp:2:1-3: error: x"},
		{"several lines", Span{1, 4}, "d/f.capnp:1:2: error: x"},
		{"end of the file", Span{6, 6}, "d/f.capnp:3:1: error: x"},
	} {
		if got := f.Error(tt.span, "x").Error(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestErrorsSort(t *testing.T) {
	at := func(file string, line, col int) *Error { return &Error{File: file, Line: line, Col: col, Msg: "x"} }
	list := Errors{at("b", 2, 1), at("a", 1, 2), at("b", 1, 1), at("a", 1, 1), at("b", 1, 1)}
	list.Sort()
	want := "b:1:1: error: x\nb:2:1: error: x\na:1:1: error: x\na:1:2: error: x"
	if got := list.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Errors(nil).Err() != nil || list.Err() == nil {
		t.Error("Err is nil for errors, or not nil for none")
	}
}
