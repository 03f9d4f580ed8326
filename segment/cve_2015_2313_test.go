package segment_test

import "testing"

// CVE-2015-2313: as CVE-2015-2312, in totalSize, which did not count against
// the limit. It gives its budget back, but can't spend more than there is.
func TestCVE_2015_2313_TotalSizeOfNothing(t *testing.T) {
	for _, c := range huge {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.segs...)
			_, err := m.Root().TotalWords()
			wantLimit(t, err, "TraversalWords", 8<<20)
		})
	}
}
