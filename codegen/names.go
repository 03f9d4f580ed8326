package codegen

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// Names from a request are bounded, because a type's name is written once for
// each of its methods.
const (
	maxName   = 255  // a declaration's own name, in bytes
	maxGoName = 1024 // a Go name, made of those of all scopes
)

// initialisms are the words that Go writes in capitals. The list is fixed: a
// word that joined it later would rename what is already generated.
var initialisms = map[string]bool{
	"ACL": true, "API": true, "ASCII": true, "CPU": true, "CSS": true, "DNS": true, "EOF": true, "GUID": true,
	"HTML": true, "HTTP": true, "HTTPS": true, "ID": true, "IP": true, "JSON": true, "LHS": true, "QPS": true,
	"RAM": true, "RHS": true, "RPC": true, "SLA": true, "SMTP": true, "SQL": true, "SSH": true, "TCP": true,
	"TLS": true, "TTL": true, "UDP": true, "UI": true, "UID": true, "URI": true, "URL": true, "UTF8": true,
	"UUID": true, "VM": true, "XML": true, "XMPP": true, "XSRF": true, "XSS": true,
}

// isIdentifier tells whether name is one of the schema language, which a Go
// name can be made of.
func isIdentifier(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && !isUpper(c) && !isLower(c) && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return name != ""
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// exported makes an identifier of the schema language one that Go exports:
// personId becomes PersonID.
func exported(name string) string {
	var b strings.Builder
	for name != "" {
		end := 1
		for end < len(name) && (!isUpper(name[end]) || isUpper(name[end-1])) {
			end++
		}
		word := name[:end]
		if upper := strings.ToUpper(word); initialisms[upper] {
			word = upper
		}
		b.WriteString(word)
		name = name[end:]
	}
	return capital(b.String())
}

// capital makes the first letter a capital one, with an X in front of what
// has none.
func capital(name string) string {
	switch c := name[0]; {
	case isUpper(c):
		return name
	case isLower(c):
		return string(c-'a'+'A') + name[1:]
	}
	return "X" + name
}

// unexported makes the first letter of a name a small one.
func unexported(name string) string {
	if isUpper(name[0]) {
		return string(name[0]-'A'+'a') + name[1:]
	}
	return name
}

// ownName gives the Go name of a declaration without those of its scopes: what
// an annotation wants it to be called, or else what it is called in the schema.
// whole tells that the name was wanted and stands alone.
func ownName(what, name string, annotations []schema.Annotation) (goName string, whole bool, err error) {
	given, whole := annotation(annotations, goNameID)
	if whole {
		name = given
	}
	if !isIdentifier(name) || len(name) > maxName {
		return "", false, fmt.Errorf("codegen: %s: the name %.80q is not an identifier of at most %d letters, digits and underscores", what, name, maxName)
	}
	if whole {
		return capital(name), true, nil
	}
	return exported(name), false, nil
}

// scope is a set of Go names that have to differ: those of a package, or the
// methods of a type.
type scope map[string]bool

// take gives name to a declaration, with an underscore behind it for each that
// had the name before.
func (s scope) take(name string) string {
	for s[name] || token.IsKeyword(name) {
		name += "_"
	}
	s[name] = true
	return name
}

// vetted are methods that go vet wants to have the signatures of the standard
// library's interfaces, wherever it meets them.
var vetted = []string{
	"As", "GobDecode", "GobEncode", "Is", "MarshalJSON", "MarshalXML", "ReadByte", "ReadRune",
	"UnmarshalJSON", "UnmarshalXML", "UnreadByte", "UnreadRune", "Unwrap", "WriteByte",
}

// methodScope is the scope of the methods of a type that has some beside those
// of a schema.
func methodScope(has ...string) scope {
	s := scope{}
	for _, name := range slices.Concat(has, vetted) {
		s[name] = true
	}
	return s
}

// takeAll gives a field the first of base, base_, base__ … for which all the
// method names that are made of it are free. A % in a form stands for the base.
func (s scope) takeAll(base string, forms []string) string {
	for {
		free := true
		for _, f := range forms {
			free = free && !s[strings.Replace(f, "%", base, 1)]
		}
		if free {
			break
		}
		base += "_"
	}
	for _, f := range forms {
		s[strings.Replace(f, "%", base, 1)] = true
	}
	return base
}

// The annotations of go.capnp, which users of Go have in their schemas.
const (
	goPackageID schema.ID = 0xbea97f1023792be0
	goImportID  schema.ID = 0xe130b601260e44b5
	goDocID     schema.ID = 0xc58ad6bd519f935e
	goTagID     schema.ID = 0xa574b41924caefc7
	goNotagID   schema.ID = 0xc8768679ec52e012
	goNameID    schema.ID = 0xc2b96012172f8df1
)

// annotation gives the text of an annotation.
func annotation(list []schema.Annotation, id schema.ID) (text string, ok bool) {
	for _, a := range list {
		if a.ID == id && (a.Value.Kind == schema.Text || a.Value.Kind == schema.Void) {
			return a.Value.Ptr.Text(), true
		}
	}
	return "", false
}
