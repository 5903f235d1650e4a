package embedded

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Attach opens the engine kept in dir, creating it if need be, in the state of its last snapshot. mark is
// where the caller's log stood then, zero if there is no snapshot: the caller executes everything behind
// it again. The caller saves the state with BeginSnapshot as often as a replay may take long.
func Attach(dir string, options Options) (e *Engine, mark uint64, err error) {
	s, err := openStore(dir)
	if err != nil {
		return nil, 0, err
	}
	e = &Engine{options: options, store: s, fields: newFields(dir), accountIDs: index{roomy: true}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.closeFiles())
			e = nil
		}
	}()
	if err := removeUnfinished(dir); err != nil {
		return e, 0, err
	}
	resident := options.ResidentBytes
	if resident == 0 {
		resident = ResidentBytesDefault
	}
	if err := errors.Join(
		open(s, &e.transfers, "transfers", resident), open(s, &e.burnt, "burnt", 0), open(s, &e.marks, "marks", markBytes),
		open(s, &e.wide, "wide", 0), open(s, &e.expiries, "expiries", 0)); err != nil {
		return e, 0, err
	}
	ids, err := openRows[uint64](s, filepath.Join(dir, "ids.rows"), 0)
	if err != nil {
		return e, 0, err
	}
	e.ids.file = ids.file
	e.transfers.file.entered = func(number uint32, block []byte) error {
		e.ids.enter(number, block)
		return e.fields.enter(block)
	}
	e.transfers.file.passed = e.ids.flush
	paths, err := snapshots(dir)
	if err != nil {
		return e, 0, fmt.Errorf("ledger: %w", err)
	}
	if len(paths) == 0 {
		return e, 0, e.fields.forget()
	}
	newest := paths[len(paths)-1]
	if mark, err = e.load(newest); err != nil {
		return e, mark, err
	}
	// A process that died when its last snapshot counted may have left the one before, and not have made
	// the new one's name durable.
	if err = errors.Join(syncDir(dir), removeSnapshots(dir, newest)); err != nil {
		err = fmt.Errorf("ledger: %w", err)
	}
	return e, mark, err
}

// removeUnfinished removes what a process was still writing when it died: a snapshot of a large bank is large.
func removeUnfinished(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// markBytes is the memory for the newest marks: those of ten million transfers, so that leaving another
// mark seldom asks the disk for the ones before it.
const markBytes = 8 << 20

func open[T any](s *store, r *rows[T], name string, residentBytes int) (err error) {
	*r, err = openRows[T](s, filepath.Join(s.dir, name+".rows"), residentBytes)
	return err
}

// load puts the engine into the state of a snapshot.
func (e *Engine) load(path string) (mark uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	defer func() { err = errors.Join(caught(recover(), err), file.Close()) }()
	l := newLoading(e, file)
	for !l.ended {
		switch err := l.section(); {
		case errors.Is(err, ErrVersion):
			return 0, fmt.Errorf("%s: %w", path, err)
		case err != nil:
			return 0, fmt.Errorf("%w: %s at offset %d: %w", ErrDamaged, path, l.offset, err)
		}
	}
	if err := l.finish(); err != nil {
		return 0, err
	}
	return l.meta.Mark, nil
}

// loading is a snapshot being read.
type loading struct {
	e           *Engine
	r           io.Reader
	offset      int64
	ended       bool
	meta        snapshotMeta
	accounts    uint32 // rows read so far
	owners      uint32
	pendings    uint32
	tails       [rowLists][]byte
	accountIDs  *shardEntries
	transferIDs *shardEntries
}

func newLoading(e *Engine, r io.Reader) *loading {
	return &loading{e: e, r: bufio.NewReaderSize(r, imageBytes), accountIDs: new(shardEntries), transferIDs: new(shardEntries)}
}

type shardEntries [indexShards][]uint64

// sectionMax is the largest body of a section believed; the list of expiries is the largest.
const sectionMax = 1 << 36

var errSnapshot = errors.New("not a part of a snapshot")

func (l *loading) section() error {
	var h [sectionHeader]byte
	if _, err := io.ReadFull(l.r, h[:]); err != nil {
		return err
	}
	what, number, length := binary.LittleEndian.Uint32(h[0:]), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint64(h[8:])
	if length > sectionMax {
		return errSnapshot
	}
	body, err := io.ReadAll(io.LimitReader(l.r, int64(length)))
	if err != nil {
		return err
	}
	if uint64(len(body)) != length || crc32.Update(crc32.Checksum(h[:16], castagnoli), castagnoli, body) != binary.LittleEndian.Uint32(h[16:]) {
		return errors.New("wrong checksum")
	}
	if err := l.take(what, number, body); err != nil {
		return err
	}
	l.offset += sectionHeader + int64(length)
	return nil
}

func (l *loading) take(what, number uint32, body []byte) error {
	e := l.e
	switch what {
	case sectionMeta:
		if err := json.Unmarshal(body, &l.meta); err != nil {
			return err
		}
		if l.meta.Version != snapshotVersion && l.meta.Version != snapshotWithIDs {
			return fmt.Errorf("%w: format %d, and this one has %d", ErrVersion, l.meta.Version, snapshotVersion)
		}
		return nil
	case sectionTail:
		if number >= rowLists {
			return errSnapshot
		}
		l.tails[number] = body
	case sectionExpiring:
		e.expiring = expiryQueue{heap: rowsIn[expiryEntry](body), waiting: l.meta.Waiting}
	case sectionFences:
		e.fences = rowsIn[uint64](body)
	case sectionAccounts:
		return l.takeAccounts(number, body)
	case sectionOwners:
		return l.takeOwners(number, body)
	case sectionPendings:
		return appendRows(&e.pendings, &l.pendings, number, l.meta.Pendings, body)
	case sectionAccountIDs:
		return l.entries(l.accountIDs, number, body)
	case sectionTransferIDs:
		return l.entries(l.transferIDs, number, body)
	case sectionImages:
		return l.images(body)
	case sectionEnd:
		l.ended = true
		if !l.whole() {
			return errors.New("parts are missing")
		}
	default:
		return errSnapshot
	}
	return nil
}

// whole reports whether the parts read go together.
func (l *loading) whole() bool {
	for _, entry := range l.e.expiring.heap {
		if entry.transfer >= l.meta.Transfers {
			return false
		}
	}
	return l.accounts == l.meta.Accounts && l.owners == l.meta.Accounts && l.pendings == l.meta.Pendings &&
		len(l.e.fences) == int((l.meta.Transfers+blockRows-1)>>blockShift)
}

// rowsIn copies rows out of bytes, which need not be aligned.
func rowsIn[T any](body []byte) []T {
	var row T
	out := make([]T, len(body)/int(unsafe.Sizeof(row)))
	copy(bytesOf(out), body)
	return out
}

// takeAccounts appends accounts; their owners follow in a part of their own.
func (l *loading) takeAccounts(first uint32, body []byte) error {
	rows := rowsIn[savedAccount](body)
	if first != l.accounts || l.accounts != l.owners || uint64(first)+uint64(len(rows)) > uint64(l.meta.Accounts) {
		return errSnapshot
	}
	for i := range rows {
		row, _ := l.e.accounts.add()
		_, details := l.e.details.add()
		*details = accountDetails{}
		l.e.restore(row, &rows[i])
	}
	l.accounts += uint32(len(rows))
	return nil
}

func (l *loading) takeOwners(first uint32, body []byte) error {
	owners := rowsIn[ledger.Uint128](body)
	if first != l.owners || uint64(first)+uint64(len(owners)) > uint64(l.accounts) {
		return errSnapshot
	}
	for i := range owners {
		l.e.details.at(first + uint32(i)).userData128 = owners[i]
	}
	l.owners += uint32(len(owners))
	return nil
}

func appendRows[T any](t *table[T], done *uint32, first, limit uint32, body []byte) error {
	rows := rowsIn[T](body)
	if first != *done || uint64(first)+uint64(len(rows)) > uint64(limit) {
		return errSnapshot
	}
	for i := range rows {
		_, row := t.add()
		*row = rows[i]
	}
	*done += uint32(len(rows))
	return nil
}

// entries leaves out those made after the moment of the snapshot.
func (l *loading) entries(of *shardEntries, shard uint32, body []byte) error {
	if shard >= indexShards {
		return errSnapshot
	}
	for _, entry := range rowsIn[uint64](body) {
		reference := uint32(entry)
		keep := reference <= l.meta.Accounts
		if of == l.transferIDs {
			keep = reference&burntReference == 0 && reference <= l.meta.Transfers ||
				reference&burntReference != 0 && reference&^burntReference < l.meta.Burnt
		}
		if keep && reference != 0 {
			of[shard] = append(of[shard], entry)
		}
	}
	return nil
}

// images puts rows back as they were at the moment of the snapshot.
func (l *loading) images(body []byte) error {
	for len(body) > 5 {
		what, row := body[0], binary.LittleEndian.Uint32(body[1:])
		body = body[5:]
		switch {
		case what == accountImaged && row < l.e.accounts.n && len(body) >= accountBytes:
			l.e.restore(row, &rowsIn[savedAccount](body[:accountBytes])[0])
			body = body[accountBytes:]
		case what == pendingImaged && row < l.e.pendings.n:
			*l.e.pendings.at(row) = pendingState(body[0])
			body = body[1:]
		default:
			return errSnapshot
		}
	}
	if len(body) != 0 {
		return errSnapshot
	}
	return nil
}

const accountBytes = int(unsafe.Sizeof(savedAccount{}))

// finish builds what is not in the file, and looks whether the rows it counts on are there.
func (l *loading) finish() error {
	e, m := l.e, &l.meta
	e.timestamp = m.Timestamp
	for row := range e.accounts.n {
		e.linkAccountUser(e.details.at(row).userData128, row+1)
	}
	for i, n := range [rowLists]uint32{m.Transfers, m.Burnt, m.Marks, m.Wide, m.Expiries} {
		if err := e.lists()[i].restore(n, l.tails[i]); err != nil {
			return err
		}
	}
	if err := l.ids(); err != nil {
		return err
	}
	return e.fields.restore(e)
}

// ids makes the indexes of ids, of the list of them or, for a directory that has none yet, of the snapshot.
func (l *loading) ids() error {
	if l.meta.Version != snapshotWithIDs {
		return l.e.loadIDs()
	}
	for i := range indexShards {
		l.e.accountIDs.shards[i].load(l.accountIDs[i])
		l.e.transferIDs.shards[i].load(l.transferIDs[i])
	}
	return l.e.makeIDs()
}

// load fills an empty shard.
func (s *shard) load(entries []uint64) {
	if len(entries) == 0 {
		return
	}
	lines := toHugePage(linesMin + uint32(uint64(len(entries))*10/7/lineEntries))
	s.lines = lines
	s.extend(max(len(entries), s.below()+lineEntries*int(lines)))
	copy(s.entries, entries)
	s.used = uint32(len(entries))
	for !s.resize(lines) {
		lines += linesMin + lines/8
	}
}

// Seed sets an account's balances as no transfer could, for runners of conformance tables that begin
// with given balances. The books need not add up afterwards. It panics unless Options.Seedable is set.
func (e *Engine) Seed(id, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) bool {
	if !e.options.Seedable {
		panic("embedded: Seed needs Options.Seedable")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	row, ok := e.findAccount(id)
	if !ok {
		return false
	}
	e.touch(row)
	var a party
	e.take(&a, row)
	a.sums = sums{debitsPending, debitsPosted, creditsPending, creditsPosted}
	e.put(&a)
	return true
}
