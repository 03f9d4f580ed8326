package shm

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// The layout of a log in bytes. The comment of Log draws it.
const (
	atLogEnd     = 0x0080
	atLogSynced  = 0x0100
	atLogBell    = 0x0180
	atLogRecords = 0x1000

	recordHeadBytes = 32

	logMagic     = 0x31676f6c72696146 // "Fairlog1" as it lies there
	logVersion   = 1
	recordMarker = 0x63655246 // "FRec"
	skipMarker   = 0x706b5346 // "FSkp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logHead is the first page of a log.
type logHead struct {
	w   []mem.Word
	end *mem.Word
}

func logHeadOf(data []byte) (logHead, error) {
	w, err := mem.Words(data[:atLogRecords])
	if err != nil {
		return logHead{}, err
	}
	return logHead{w, &w[atLogEnd/8]}, nil
}

// begin writes the header of a new log, its magic last.
func (h *logHead) begin() {
	number, made := rand.Uint64(), uint64(time.Now().UnixNano())
	h.w[1].SetPlain(logVersion)
	h.w[2].SetPlain(number)
	h.w[3].SetPlain(made)
	h.w[4].SetPlain(mix(logMagic, logVersion, number, made))
	h.end.Swap(atLogRecords)
	h.w[0].Swap(logMagic)
}

func (h *logHead) check() error {
	magic, version, number, made := h.w[0].Load(), h.w[1].Load(), h.w[2].Load(), h.w[3].Load()
	if magic != logMagic {
		return fmt.Errorf("%w: it begins with %#x, a log with %#x", ErrCorruptLog, magic, uint64(logMagic))
	}
	if version != logVersion {
		return fmt.Errorf("%w: version %d, known is %d", ErrCorruptLog, version, logVersion)
	}
	if sum := h.w[4].Load(); sum != mix(magic, version, number, made) {
		return fmt.Errorf("%w: checksum %#x of its header, want %#x", ErrCorruptLog, sum, mix(magic, version, number, made))
	}
	return nil
}

// setSynced notes what is on the disk. A note that reached the disk by half does not
// have its check.
func (h *logHead) setSynced(end int, seq uint64) {
	s := h.w[atLogSynced/8:]
	s[2].Store(0)
	s[0].Store(uint64(end))
	s[1].Store(seq)
	s[2].Store(mix(uint64(end), seq))
}

func (h *logHead) synced() (end, seq uint64, ok bool) {
	s := h.w[atLogSynced/8:]
	end, seq = s[0].Load(), s[1].Load()
	return end, seq, s[2].Load() == mix(end, seq)
}

// mix is a checksum of words, never 0 for memory that is.
func mix(words ...uint64) uint64 {
	sum := uint64(0x243f6a8885a308d3)
	for _, w := range words {
		sum = (sum ^ w) * 0x9e3779b97f4a7c15
		sum ^= sum >> 29
	}
	return sum
}

// recordBytes is how long the record of a message is.
func recordBytes(segs [][]byte) int {
	n := recordHeadBytes
	if len(segs) > 1 {
		n += 8 * len(segs)
	}
	for _, s := range segs {
		n += len(s)
	}
	return n
}

// fillRecord writes all of a record but its head and returns the bytes of the
// segments.
func fillRecord(record []byte, segs [][]byte) int {
	at := recordHeadBytes
	if len(segs) > 1 {
		for _, s := range segs {
			binary.LittleEndian.PutUint64(record[at:], uint64(len(s)/8))
			at += 8
		}
	}
	from := at
	for _, s := range segs {
		at += copy(record[at:], s)
	}
	return at - from
}

func putRecordHead(record []byte, segments int, seq uint64, at time.Time) {
	binary.LittleEndian.PutUint64(record[8:], uint64(segments)<<40|uint64(len(record)/8))
	binary.LittleEndian.PutUint64(record[16:], seq)
	binary.LittleEndian.PutUint64(record[24:], uint64(at.UnixNano()))
	sum := crc32.Checksum(record[8:], castagnoli)
	binary.LittleEndian.PutUint64(record, recordMarker<<32|uint64(sum))
}

// putSkipHead writes the head of a record of size bytes that holds nothing. It has
// the sequence of the record before it. What lies behind it is not in its checksum,
// for somebody may still be writing there.
func putSkipHead(head []byte, size int, seq uint64) {
	binary.LittleEndian.PutUint64(head[8:], uint64(size/8))
	binary.LittleEndian.PutUint64(head[16:], seq)
	binary.LittleEndian.PutUint64(head[24:], 0)
	sum := crc32.Checksum(head[8:recordHeadBytes], castagnoli)
	binary.LittleEndian.PutUint64(head, skipMarker<<32|uint64(sum))
}

// recordHead is a copy of a record's head.
type recordHead struct {
	marker, sum uint32
	segments    int
	bytes       int // of the record
	seq         uint64
	time        int64
}

// readRecordHead reads and checks the head of the record at the beginning of b, of
// which all belongs to the log, and which follows the record seq. Each word is
// looked at once.
func readRecordHead(b []byte, seq uint64) (recordHead, error) {
	if len(b) < recordHeadBytes {
		return recordHead{}, fmt.Errorf("%w: %d bytes left, a record has at least %d", ErrCorruptLog, len(b), recordHeadBytes)
	}
	w0, w1 := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	r := recordHead{
		marker: uint32(w0 >> 32), sum: uint32(w0),
		segments: int(w1 >> 40),
		seq:      binary.LittleEndian.Uint64(b[16:]),
		time:     int64(binary.LittleEndian.Uint64(b[24:])),
	}
	words := w1 & (1<<40 - 1)
	if words > uint64(len(b)/8) || words < recordHeadBytes/8 {
		return r, fmt.Errorf("%w: a record of %d words, there are %d", ErrCorruptLog, words, len(b)/8)
	}
	r.bytes = int(words) * 8
	switch {
	case r.marker == skipMarker && r.segments == 0 && r.seq == seq:
	case r.marker == recordMarker && r.segments > 0 && r.seq == seq+1:
	default:
		return r, fmt.Errorf("%w: a record with marker %#x, %d segments, sequence %d after %d",
			ErrCorruptLog, r.marker, r.segments, r.seq, seq)
	}
	return r, nil
}

// checkSum tells whether a record is what was written, in memory that nobody
// changes.
func (r *recordHead) checkSum(record []byte) error {
	if r.marker == skipMarker {
		record = record[:recordHeadBytes]
	}
	if sum := crc32.Checksum(record[8:], castagnoli); sum != r.sum {
		return fmt.Errorf("%w: checksum %#x of record %d, want %#x", ErrCorruptLog, sum, r.seq, r.sum)
	}
	return nil
}

// splitRecord appends the segments of a record to segs. Each length is looked at
// once.
func (r *recordHead) splitRecord(segs [][]byte, record []byte, limit int) ([][]byte, error) {
	if r.segments > limit {
		return segs, &segment.LimitError{Limit: "Segments", Max: uint64(limit), Got: uint64(r.segments)}
	}
	if r.segments == 1 {
		return append(segs, record[recordHeadBytes:len(record):len(record)]), nil
	}
	table := record[recordHeadBytes:]
	if len(table)/8 < r.segments {
		return segs, fmt.Errorf("%w: %d segments in a record of %d bytes", ErrCorruptLog, r.segments, len(record))
	}
	rest := table[8*r.segments:]
	for i := range r.segments {
		words := binary.LittleEndian.Uint64(table[8*i:])
		if words > uint64(len(rest)/8) {
			return segs, fmt.Errorf("%w: segment %d of %d words, there are %d", ErrCorruptLog, i, words, len(rest)/8)
		}
		n := int(words) * 8
		segs = append(segs, rest[:n:n])
		rest = rest[n:]
	}
	if len(rest) != 0 {
		return segs, fmt.Errorf("%w: %d bytes behind the last segment", ErrCorruptLog, len(rest))
	}
	return segs, nil
}

// foundLog is what recovery found.
type foundLog struct {
	fresh bool // nothing: it is a new log
	end   int
	seq   uint64
	torn  int64
}

// recoverLog finds the last complete record of a log whose writer may have died, or
// whose machine, and cuts off what is behind it. It changes nothing in a file that
// is no log.
func recoverLog(f *os.File) (foundLog, error) {
	m, err := mem.MapFile(f)
	if err != nil {
		return foundLog{}, err
	}
	defer m.Close()
	data := m.Bytes()
	var found foundLog
	err = mem.Guard(data, func() (err error) {
		found, err = scanLog(data)
		return err
	})
	if err != nil || found.fresh {
		return found, err
	}
	// The end first: who reads meanwhile never sees one behind that of the file.
	var end [8]byte
	binary.LittleEndian.PutUint64(end[:], uint64(found.end))
	if _, err := f.WriteAt(end[:], atLogEnd); err != nil {
		return found, err
	}
	atLogStep("end set back")
	if err := f.Truncate(int64(found.end)); err != nil {
		return found, err
	}
	return found, nil
}

func scanLog(data []byte) (foundLog, error) {
	if len(data) < atLogRecords || binary.LittleEndian.Uint64(data) == 0 {
		// A process died while it made the file, or it is none of ours.
		for i, b := range data {
			begun := i >= 8 && i < 40 || i >= atLogEnd && i < atLogEnd+8
			if b != 0 && !begun {
				return foundLog{}, fmt.Errorf("%w: %d bytes that are no log", ErrCorruptLog, len(data))
			}
		}
		return foundLog{fresh: true, end: atLogRecords}, nil
	}
	h, err := logHeadOf(data)
	if err != nil {
		return foundLog{}, err
	}
	if err := h.check(); err != nil {
		return foundLog{}, err
	}
	at, seq := uint64(atLogRecords), uint64(0)
	if end, s, ok := h.synced(); ok && end >= at && end <= uint64(len(data)) && end%8 == 0 {
		at, seq = end, s
	}
	end := h.end.Load()
	limit := min(end, uint64(len(data)))
	for at < limit {
		record := data[at:limit]
		r, err := readRecordHead(record, seq)
		if err != nil || r.checkSum(record[:r.bytes]) != nil {
			break
		}
		at, seq = at+uint64(r.bytes), r.seq
	}
	return foundLog{end: int(at), seq: seq, torn: int64(end) - int64(at)}, nil
}
