package channels

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/bank"
)

// Limits of reading a file. What a day of RowsMax rows takes in memory: docs/channels.md, "The daily file".
const (
	// partsCount is in how many parts a day is compared, each of as many shards.
	partsCount  = 32
	partShards  = bank.ShardCount / partsCount
	partBuffer  = 16 << 10
	rowsAtOnce  = 4096 // of a part
	serialBytes = 16   // of a serial's hash: two serials of a file have the same with a chance below 2⁻⁸⁰
)

// spool is a file on disk, its rows set aside by the parts in which they are compared: those that name our transfers by
// shards, the others by their serials' hash. What the former leave of our side with a serial is set aside by it, too.
type spool struct {
	*File
	hash    string // SHA-256 of the file
	whole   string // path of the file itself
	dir     string
	named   [partsCount]part
	unnamed [partsCount]part
	ours    [partsCount]part
}

// part is lines that are written, and then read.
type part struct {
	disk *os.File
	out  *bufio.Writer
}

func (p *part) open(dir string) (err error) {
	if p.disk, err = os.CreateTemp(dir, "part-"); err == nil {
		p.out = bufio.NewWriterSize(p.disk, partBuffer)
	}
	return err
}

// each gives the lines, which are valid until it returns.
func (p *part) each(take func(line []byte) error) error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	if _, err := p.disk.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewScanner(p.disk)
	for lines.Scan() {
		if err := take(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// all are all parts.
func (s *spool) all() (out []*part) {
	for i := range partsCount {
		out = append(out, &s.named[i], &s.unnamed[i], &s.ours[i])
	}
	return out
}

// hashOf is a serial's.
func hashOf(serial string) [serialBytes]byte {
	full := sha256.Sum256([]byte(serial))
	return [serialBytes]byte(full[:])
}

// openSpool reads a file to its end and keeps it in a directory of its own under dir. Nobody has acted on it when an
// error is returned.
func openSpool(dir string, in io.Reader) (s *spool, err error) {
	s = new(spool)
	if s.dir, err = os.MkdirTemp(dir, readingDir); err != nil {
		return nil, fmt.Errorf("room for the file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, p := range s.all() {
		if err = p.open(s.dir); err != nil {
			return nil, err
		}
	}
	s.whole = filepath.Join(s.dir, "file.csv")
	whole, err := os.OpenFile(s.whole, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	hash, kept := sha256.New(), bufio.NewWriter(whole)
	serials := make(map[[serialBytes]byte]bool) // whether one of its lines succeeded
	s.File, err = ReadFile(io.TeeReader(in, io.MultiWriter(hash, kept)), func(_ *File, row *bank.FileRow) error {
		key := hashOf(row.Serial)
		row.PaidBefore, row.Repeated = serials[key]
		serials[key] = row.PaidBefore || row.Success
		return s.add(row)
	})
	err = errors.Join(err, kept.Flush(), whole.Close())
	s.hash = hex.EncodeToString(hash.Sum(nil))
	return s, err
}

// readingDir begins the names of directories in which files are being read.
const readingDir = "reading-"

// Clear removes what a process left in a Reconciler's directory that died while it read. Nobody reads there.
func Clear(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, readingDir+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// add writes a row to its part: marks, line number, row.
func (s *spool) add(row *bank.FileRow) error {
	out := s.named[row.Shard()/partShards].out
	if row.Transfer.IsZero() {
		out = s.unnamed[hashOf(row.Serial)[0]%partsCount].out
	}
	mark := byte('0')
	if row.Repeated {
		mark++
	}
	if row.PaidBefore {
		mark++
	}
	_, err := out.Write(AppendRow(fmt.Appendf(out.AvailableBuffer(), "%c%d,", mark, row.Line), row))
	return err
}

// rows gives the rows of a part, at most rowsAtOnce at a time, in the order of the file.
func (p *part) rows(take func([]bank.FileRow) error) error {
	rows := make([]bank.FileRow, 0, rowsAtOnce)
	err := p.each(func(line []byte) error {
		row, err := spooled(line)
		if rows = append(rows, row); err != nil || len(rows) < rowsAtOnce {
			return err
		}
		err = take(rows)
		rows = rows[:0]
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return take(rows)
}

// leave sets our transfers aside by their serials.
func (s *spool) leave(ours []bank.Ours) error {
	for i := range ours {
		line, err := json.Marshal(&ours[i])
		if err != nil {
			return err
		}
		if _, err := s.ours[hashOf(ours[i].Serial)[0]%partsCount].out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// left are those of a part.
func (s *spool) left(i int) (out []bank.Ours, err error) {
	err = s.ours[i].each(func(line []byte) error {
		var o bank.Ours
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("a transfer that was set aside: %w", err)
		}
		out = append(out, o)
		return nil
	})
	return out, err
}

// spooled reads what add has written.
func spooled(line []byte) (row bank.FileRow, err error) {
	number, rest, _ := bytes.Cut(line, []byte(","))
	n := 0
	for _, c := range number[1:] {
		n = n*10 + int(c-'0')
	}
	if row, err = ParseRow(rest, n); err != nil {
		return row, fmt.Errorf("a row that was set aside: %w", err)
	}
	row.Repeated, row.PaidBefore = line[0] > '0', line[0] > '1'
	return row, nil
}

// differences is where those of this reading are written.
func (s *spool) differences() string { return filepath.Join(s.dir, "differences.csv") }

// close removes what was set aside.
func (s *spool) close() error {
	var err error
	for _, p := range s.all() {
		if p.disk != nil {
			err = errors.Join(err, p.disk.Close())
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// transferSet are the transfers that a file names, sorted.
type transferSet []bank.TxnID

// transfersOf reads the file of a day that was read before; none, if it was not.
func transfersOf(path string) (set transferSet, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = ReadFile(bufio.NewReader(f), func(_ *File, row *bank.FileRow) error {
		if !row.Transfer.IsZero() && row.Success {
			set = append(set, row.Transfer)
		}
		return nil
	})
	slices.SortFunc(set, compareTxn)
	return set, err
}

func compareTxn(a, b bank.TxnID) int { return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo)) }

func (s transferSet) has(txn bank.TxnID) bool {
	_, found := slices.BinarySearchFunc(s, txn, compareTxn)
	return found
}
