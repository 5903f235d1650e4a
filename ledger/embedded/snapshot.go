package embedded

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A snapshot is the state of an engine at one moment, written while the engine goes on.
//
// It is as long as there are accounts, however long the history is: transfers are in their files, and a start makes the
// index of their ids of a list that grows beside them (ids.go).
//
// At that moment (BeginSnapshot, between two batches) only counts, the queue of expiries and the rows
// in no full block of each list are copied. Everything append-only needs no more: what is behind the counts
// is left out, when it is written or when it is read. What changes in place, accounts and the states of
// pending transfers, is copied piece by piece while the engine works; before it changes a row that has
// not been copied yet it puts the row aside as it was (touch, setPending), and these images go to the
// end of the file. A reader takes the copies, then the images, and has the moment.
//
// The engine waits for the copying of one piece at a time: a quarter of a megabyte.

// Snapshot is a state being saved.
type Snapshot struct {
	e         *Engine
	meta      snapshotMeta
	expiring  []expiryEntry
	fences    []uint64
	tails     [rowLists][]byte // the rows that are in no full block
	images    chan []byte      // to the file of images; capacity: see imagesMax
	imageFile *os.File
	imageDone chan error // capacity 1: the writer never waits for who reads it
}

// snapshotMeta says what a snapshot counts on.
type snapshotMeta struct {
	Version   int
	Mark      uint64
	Timestamp uint64
	Accounts  uint32
	Transfers uint32
	Burnt     uint32
	Marks     uint32
	Wide      uint32
	Expiries  uint32
	Pendings  uint32
	Waiting   int
}

const (
	// snapshotVersion 3 has no ids: a start makes their indexes of the accounts and of the list of transfers' ids (ids.go).
	snapshotVersion = 3
	// snapshotWithIDs, which is read too, has the last rows of each list in the snapshot; the files of rows have pages since then.
	snapshotWithIDs = 2
)

const (
	imageBytes = 1 << 20
	// imagesMax is how many buffers of images may wait for the disk before the engine waits too.
	imagesMax = 64
	pieceRows = 2048 // accounts, a quarter of a megabyte
)

// ErrSnapshotUnderWay is returned by BeginSnapshot while the one before is still being written.
var ErrSnapshotUnderWay = errors.New("ledger: a snapshot is under way")

// imaging is what the engine keeps of a snapshot under way.
type imaging struct {
	accounts imagedRows
	pendings imagedRows
	buffer   []byte
	out      chan<- []byte // nil: none under way
}

// imagedRows are the rows below limit, of which those below copied are in the file already.
type imagedRows struct {
	copied, limit uint32
	seen          []uint64 // a bit for each row put aside
}

// wants reports whether the row must be put aside before it changes.
func (g *imagedRows) wants(row uint32) bool {
	return row < g.limit && row >= g.copied && g.seen[row/64]&(1<<(row%64)) == 0
}

// A row put aside: what it is (1), its number (4), its bytes.
const (
	accountImaged = 1
	pendingImaged = 2
)

func (g *imaging) keepAccount(row uint32, a savedAccount) {
	g.accounts.seen[row/64] |= 1 << (row % 64)
	b := append(g.buffer, accountImaged)
	b = binary.LittleEndian.AppendUint32(b, row)
	g.buffer = append(b, bytesOf([]savedAccount{a})...)
	g.pass(imageBytes - 256)
}

func (g *imaging) keepPending(row uint32, state pendingState) {
	g.pendings.seen[row/64] |= 1 << (row % 64)
	b := append(g.buffer, pendingImaged)
	b = binary.LittleEndian.AppendUint32(b, row)
	g.buffer = append(b, byte(state))
	g.pass(imageBytes - 256)
}

// pass hands the buffer on if it holds more than atLeast bytes.
func (g *imaging) pass(atLeast int) {
	if len(g.buffer) > atLeast {
		g.out <- g.buffer
		g.buffer = make([]byte, 0, imageBytes)
	}
}

// BeginSnapshot takes the moment. mark is where the caller's log stands: everything up to it has been
// executed and nothing behind it; Attach returns it. The caller must Write the snapshot.
func (e *Engine) BeginSnapshot(mark uint64) (*Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.beginSnapshot(mark)
}

func (e *Engine) beginSnapshot(mark uint64) (*Snapshot, error) {
	switch {
	case e.store == nil:
		return nil, errors.New("ledger: an engine in memory has no directory for a snapshot")
	case e.image.out != nil:
		return nil, ErrSnapshotUnderWay
	}
	file, err := os.Create(filepath.Join(e.store.dir, "images.tmp"))
	if err != nil {
		return nil, fmt.Errorf("ledger: snapshot: %w", err)
	}
	s := &Snapshot{
		e: e,
		meta: snapshotMeta{
			Version: snapshotVersion, Mark: mark, Timestamp: e.timestamp,
			Accounts: e.accounts.n, Transfers: e.transfers.n, Burnt: e.burnt.n, Marks: e.marks.n,
			Wide: e.wide.n, Expiries: e.expiries.n, Pendings: e.pendings.n, Waiting: e.expiring.waiting,
		},
		expiring:  slices.Clone(e.expiring.heap),
		fences:    e.fences[:len(e.fences):len(e.fences)],
		images:    make(chan []byte, imagesMax),
		imageFile: file,
		imageDone: make(chan error, 1),
	}
	e.image = imaging{
		accounts: imagedRows{limit: e.accounts.n, seen: make([]uint64, (e.accounts.n+63)/64)},
		pendings: imagedRows{limit: e.pendings.n, seen: make([]uint64, (e.pendings.n+63)/64)},
		buffer:   make([]byte, 0, imageBytes),
		out:      s.images,
	}
	for i, list := range e.lists() {
		s.tails[i] = list.tail()
	}
	go s.writeImages()
	return s, nil
}

// writeImages puts the images in a file of their own, which the snapshot takes over in the end.
func (s *Snapshot) writeImages() {
	var fault error
	for b := range s.images {
		if fault == nil {
			fault = writeSection(s.imageFile, sectionImages, 0, b)
		}
	}
	s.imageDone <- fault
}

// Write writes the snapshot and returns when it is durable; older ones are then removed. It calls logged
// before the snapshot counts: that returns when the caller's log is durable up to the mark, since a
// ledger must not remember what its log has forgotten.
func (s *Snapshot) Write(ctx context.Context, logged func(context.Context) error) (err error) {
	path := filepath.Join(s.e.store.dir, fmt.Sprintf("%s%020d%s", snapshotPrefix, s.meta.Mark, snapshotSuffix))
	file, err := os.Create(path + ".tmp")
	defer func() {
		err = errors.Join(err, s.stop(), s.imageFile.Close(), os.Remove(s.imageFile.Name()))
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			_ = os.Remove(path + ".tmp") // may not exist
			err = fmt.Errorf("ledger: snapshot: %w", err)
		}
	}()
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, imageBytes)
	for _, part := range []func(context.Context, io.Writer) error{s.writeMeta, s.writeTails, s.writeAccounts, s.writePendings, s.writeImaged} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	if err := writeSection(w, sectionEnd, 0, nil); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), file.Sync(), s.e.store.settled()); err != nil {
		return err
	}
	if err := logged(ctx); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(path+".tmp", path), syncDir(s.e.store.dir)); err != nil {
		return err
	}
	return removeSnapshots(s.e.store.dir, path)
}

// stop ends the putting aside. It may be called twice.
func (s *Snapshot) stop() error {
	s.e.mu.Lock()
	ended := s.e.image.out == nil
	if !ended {
		s.e.image.pass(0)
		close(s.images)
		s.e.image = imaging{}
	}
	s.e.mu.Unlock()
	if ended {
		return nil
	}
	return <-s.imageDone
}

// The parts of a snapshot file.
const (
	sectionMeta = iota + 1
	sectionAccounts
	sectionOwners
	sectionPendings
	sectionAccountIDs  // of snapshotWithIDs
	sectionTransferIDs // of snapshotWithIDs
	sectionExpiring
	sectionFences
	sectionImages
	sectionEnd
	sectionTail
)

// sectionHeader: what it is (4), its number (4), length of the body (8), CRC-32C of these and the body (4).
const sectionHeader = 20

func writeSection(w io.Writer, what, number uint32, body []byte) error {
	var h [sectionHeader]byte
	binary.LittleEndian.PutUint32(h[0:], what)
	binary.LittleEndian.PutUint32(h[4:], number)
	binary.LittleEndian.PutUint64(h[8:], uint64(len(body)))
	binary.LittleEndian.PutUint32(h[16:], crc32.Update(crc32.Checksum(h[:16], castagnoli), castagnoli, body))
	if _, err := w.Write(h[:]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

func (s *Snapshot) writeMeta(_ context.Context, w io.Writer) error {
	meta, err := json.Marshal(s.meta)
	if err != nil {
		return err
	}
	return errors.Join(
		writeSection(w, sectionMeta, 0, meta),
		writeSection(w, sectionExpiring, 0, bytesOf(s.expiring)),
		writeSection(w, sectionFences, 0, bytesOf(s.fences)))
}

func (s *Snapshot) writeTails(_ context.Context, w io.Writer) error {
	for i, tail := range s.tails {
		if err := writeSection(w, sectionTail, uint32(i), tail); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) writeAccounts(ctx context.Context, w io.Writer) error {
	e := s.e
	accounts, owners := make([]savedAccount, pieceRows), make([]ledger.Uint128, pieceRows)
	for first := uint32(0); first < s.meta.Accounts; first += pieceRows {
		n := min(pieceRows, s.meta.Accounts-first)
		e.mu.RLock()
		e.save(first, accounts[:n], owners[:n])
		e.image.accounts.copied = first + n
		e.mu.RUnlock()
		err := errors.Join(ctx.Err(),
			writeSection(w, sectionAccounts, first, bytesOf(accounts[:n])), writeSection(w, sectionOwners, first, bytesOf(owners[:n])))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) writePendings(ctx context.Context, w io.Writer) error {
	e := s.e
	states := make([]pendingState, chunkRows)
	for first := uint32(0); first < s.meta.Pendings; first += chunkRows {
		n := min(chunkRows, s.meta.Pendings-first)
		e.mu.RLock()
		copy(states[:n], e.pendings.chunks[first>>chunkShift])
		e.image.pendings.copied = first + n
		e.mu.RUnlock()
		if err := errors.Join(ctx.Err(), writeSection(w, sectionPendings, first, bytesOf(states[:n]))); err != nil {
			return err
		}
	}
	return nil
}

// writeImaged ends the putting aside and takes the images over.
func (s *Snapshot) writeImaged(_ context.Context, w io.Writer) error {
	if err := s.stop(); err != nil {
		return err
	}
	if _, err := s.imageFile.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.imageFile)
	return err
}

const (
	snapshotPrefix = "snapshot-"
	snapshotSuffix = ".state"
)

// snapshots lists the snapshots of a directory, oldest first.
func snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, entry := range entries {
		digits := strings.TrimSuffix(strings.TrimPrefix(entry.Name(), snapshotPrefix), snapshotSuffix)
		if _, err := strconv.ParseUint(digits, 10, 64); err == nil && len(digits) == 20 {
			out = append(out, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}

func removeSnapshots(dir, except string) error {
	paths, err := snapshots(dir)
	for _, path := range paths {
		if path != except {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// syncDir makes a directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
