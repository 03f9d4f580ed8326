package reference

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/fairlead-go/fairlead/bench/schema/catrank"
	"github.com/fairlead-go/fairlead/segment"
)

const urlPrefix = "http://example.com/"

// snippetRoom is enough for the longest snippet and the word written last,
// which is stored as 8 bytes whatever its length.
const snippetRoom = 1 + 19*7 + 4 + 4 + 19*7 + 8

// ranking asks for 0 to 999 search results to be sorted, those with cats
// first and those with dogs last.
type ranking struct {
	random
	order
	snippet [snippetRoom]byte
}

func (p *ranking) restart() { p.random = seeded() }

func (p *ranking) request(msg *segment.Message) uint64 {
	r := p.next()
	results := catrank.NewRootSearchResultList(msg).NewResults(int(r.w % 1000))
	var good uint64
	for i := range results.Len() {
		result := results.At(i)
		result.SetScore(float64(1000 - i))
		r = r.next()
		url := result.NewURL(len(urlPrefix) + int(r.w%100))
		r = letters(url[copy(url, urlPrefix):], r)
		var snippet []byte
		var cat, dog bool
		snippet, cat, dog, r = sentence(&p.snippet, r)
		if cat && !dog {
			good++
		}
		copy(result.NewSnippet(len(snippet)), snippet)
	}
	p.random = r
	return good
}

func (p *ranking) respond(request, response *segment.Message) {
	to := catrank.NewRootSearchResultList(response)
	results := catrank.RootSearchResultList(request).Results()
	n := results.Len()
	p.reset(n)
	for i := range n {
		result := results.At(i)
		p.add(rescore(result.Score(), result.SnippetBytes()))
	}
	p.sort()
	list := to.NewResults(n)
	for i := range n {
		index := p.index(i)
		from, to := results.At(index), list.At(i)
		to.SetScore(p.scores[index])
		url, snippet := from.URLBytes(), from.SnippetBytes()
		copy(to.NewURL(len(url)), url)
		copy(to.NewSnippet(len(snippet)), snippet)
	}
}

func (p *ranking) accept(response *segment.Message, expected uint64) bool {
	results := catrank.RootSearchResultList(response).Results()
	good := 0
	for good < results.Len() && results.At(good).Score() > 1001 {
		good++
	}
	return uint64(good) == expected
}

func (p *ranking) digest(h *hash, response *segment.Message) {
	results := catrank.RootSearchResultList(response).Results()
	h.number(uint64(results.Len()))
	for result := range results.All() {
		h.number(math.Float64bits(result.Score()))
		h.text(result.URLBytes())
		h.text(result.SnippetBytes())
	}
}

// letters fills b.
func letters(b []byte, r random) random {
	for i := range b {
		r = r.next()
		b[i] = 'a' + byte(r.w%26)
	}
	return r
}

// word is a word of at most 7 letters and a space, as it lies in memory.
type word struct {
	bytes uint64
	size  int
}

var (
	words = [...]word{
		wordOf("foo "), wordOf("bar "), wordOf("baz "), wordOf("qux "), wordOf("quux "), wordOf("corge "), wordOf("grault "),
		wordOf("garply "), wordOf("waldo "), wordOf("fred "), wordOf("plugh "), wordOf("xyzzy "), wordOf("thud "),
	}
	catWord, dogWord = wordOf("cat "), wordOf("dog ")
)

func wordOf(s string) word {
	var b [8]byte
	return word{size: copy(b[:], s), bytes: binary.LittleEndian.Uint64(b[:])}
}

// put writes w to b at n, and what follows it with zeros, and gives its end.
func (w *word) put(b *[snippetRoom]byte, n int) int {
	binary.LittleEndian.PutUint64(b[n:], w.bytes)
	return n + w.size
}

// sentence makes a snippet in b and tells whether there are a cat and a dog in
// it.
func sentence(b *[snippetRoom]byte, r random) (snippet []byte, cat, dog bool, _ random) {
	r = r.next()
	cat = r.w%8 == 0
	r = r.next()
	dog = r.w%8 == 0
	b[0] = ' '
	n, r := babble(b, 1, r)
	if cat {
		n = catWord.put(b, n)
	}
	if dog {
		n = dogWord.put(b, n)
	}
	n, r = babble(b, n, r)
	return b[:n], cat, dog, r
}

// babble writes 0 to 19 words to b from n on, and gives their end.
func babble(b *[snippetRoom]byte, n int, r random) (int, random) {
	r = r.next()
	for range r.w % 20 {
		r = r.next()
		n = words[r.w%uint32(len(words))].put(b, n)
	}
	return n, r
}

// rescore favours cats over dogs.
func rescore(score float64, snippet []byte) float64 {
	cat, dog := pets(snippet)
	if cat {
		score *= 10000
	}
	if dog {
		score /= 10000
	}
	return score
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeros marks the bytes of v that are 0 in their highest bits; above the first
// it may mark more.
func zeros(v uint64) uint64 { return (v - ones) &^ v & highs }

// window is what pets looks at in one step: eight places where a word of three
// letters between two spaces may begin.
const window = 8 + 4

// near marks the places of b where the two outer letters of "cat" or "dog" are,
// and perhaps others.
func near(b *[window]byte) uint64 {
	first, last := binary.LittleEndian.Uint64(b[1:]), binary.LittleEndian.Uint64(b[3:])
	return zeros((first^ones*'c')|(last^ones*'t')) | zeros((first^ones*'d')|(last^ones*'g'))
}

// pets tells whether " cat " and " dog " are in s. It looks closer only where
// the words are near.
func pets(s []byte) (cat, dog bool) {
	for len(s) >= window {
		b := (*[window]byte)(s)
		if marks := near(b); marks != 0 {
			c, d := petsAt(b, marks)
			cat, dog = cat || c, dog || d
		}
		s = s[8:]
	}
	var b [window]byte
	copy(b[:], s)
	if marks := near(&b); marks != 0 {
		c, d := petsAt(&b, marks)
		cat, dog = cat || c, dog || d
	}
	return cat, dog
}

// petsAt is pets for the places of b that are marked.
//
//go:noinline
func petsAt(b *[window]byte, marks uint64) (cat, dog bool) {
	for ; marks != 0; marks &= marks - 1 {
		i := bits.TrailingZeros64(marks) / 8
		word := b[i : i+5]
		cat = cat || string(word) == " cat "
		dog = dog || string(word) == " dog "
	}
	return cat, dog
}

// order gives the indexes of the highest score, the next and so on, in memory
// that it keeps.
type order struct {
	scores []float64
	ranks  []rank
	width  int // bits of an index
}

// rank is what is sorted in the place of a result: its score as a number that
// is lower for a higher score, but for the last bits, which are the index.
type rank uint64

// reset empties the order, for n scores.
func (o *order) reset(n int) {
	o.scores, o.ranks, o.width = o.scores[:0], o.ranks[:0], bits.Len(uint(n))
}

func (o *order) add(score float64) {
	b := math.Float64bits(score)
	if b>>63 == 0 {
		b = ^b &^ (1 << 63)
	}
	o.ranks = append(o.ranks, rank(b>>o.width<<o.width|uint64(len(o.scores))))
	o.scores = append(o.scores, score)
}

func (o *order) sort() {
	slices.Sort(o.ranks)
	// Scores that differ in their last bits only may have changed places.
	for i := 1; i < len(o.ranks); i++ {
		for j := i; j > 0 && o.scores[o.index(j-1)] < o.scores[o.index(j)]; j-- {
			o.ranks[j-1], o.ranks[j] = o.ranks[j], o.ranks[j-1]
		}
	}
}

// index tells which score has place i.
func (o *order) index(i int) int { return int(o.ranks[i] & (1<<o.width - 1)) }
