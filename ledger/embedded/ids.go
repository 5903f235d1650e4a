package embedded

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/ledger"
)

// idList is the file from which a start makes the index of transfer ids: for each transfer, in order, that of its
// id's hash which the index has, eight bytes. It is written once, beside the block of rows that it comes from, so that a snapshot
// has none of it, however long the history is. Its order is not the index's: a start sorts it, which it
// does once, where a snapshot would have to every few seconds.
//
// It counts up to where the snapshot says that the rows do, and is made again from them where it is missing or damaged.
type idList struct {
	file  *rowFile
	space []byte // blocks on their way to the disk: togetherMax
	first uint32 // of them
	n     int    // bytes in space
}

// storedHash is what the index has of a hash: the tag, and the number of the shard.
func storedHash(id ledger.Uint128) uint64 {
	return hashOf(id) & (math.MaxUint32<<32 | indexShards - 1)
}

// enter takes a full block of transfers. Only who writes blocks, or a start, calls it and flush.
func (l *idList) enter(number uint32, block []byte) {
	size := l.file.blockBytes
	if l.space == nil {
		l.space = alignedBytes(togetherMax * size)
	}
	if l.n == 0 {
		l.first = number
	}
	out := l.space[l.n : l.n+size]
	l.n += size
	for i := range uint32(blockRows) {
		*rowIn[uint64](out, i) = storedHash(rowIn[transferRow](block, i).id)
	}
}

// flush writes what has been entered.
func (l *idList) flush() error {
	if l.n == 0 {
		return nil
	}
	blocks := l.space[:l.n]
	l.n = 0
	return l.file.write(l.first, [][]byte{blocks})
}

// idLoading makes the indexes of ids of an engine that has its rows.
type idLoading struct {
	e     *Engine
	block []byte // of the list
	rows  []byte // of transfers; nil: none was needed
}

// loadIDs makes both indexes of ids again.
func (e *Engine) loadIDs() error {
	l := idLoading{e: e, block: alignedBytes(e.ids.file.blockBytes)}
	e.accountIDs.expect(e.accounts.n)
	for row := range e.accounts.n {
		e.accountIDs.gather(hashOf(e.accounts.at(row).id), row+1)
	}
	e.transferIDs.expect(e.transfers.n)
	for number := range e.transfers.n >> blockShift {
		if err := l.transfers(number); err != nil {
			return err
		}
	}
	for row := e.transfers.n &^ (blockRows - 1); row < e.transfers.n; row++ {
		e.transferIDs.gather(hashOf(e.transfers.get(row, nil).id), row+1)
	}
	if err := errors.Join(e.ids.flush(), l.burnt()); err != nil {
		return err
	}
	e.accountIDs.arrange()
	e.transferIDs.arrange()
	return nil
}

// transfers gathers the ids of a block, by the list if that is good.
func (l *idLoading) transfers(number uint32) error {
	e := l.e
	if err := e.ids.file.loadBlock(number, l.block); err != nil {
		if l.rows == nil {
			l.rows = alignedBytes(blockBytes[transferRow]())
		}
		if err := e.transfers.file.loadBlock(number, l.rows); err != nil {
			return err
		}
		if e.ids.n == len(e.ids.space) || e.ids.n > 0 && number != e.ids.first+uint32(e.ids.n/e.ids.file.blockBytes) {
			if err := e.ids.flush(); err != nil {
				return err
			}
		}
		e.ids.enter(number, l.rows)
		copy(l.block, e.ids.space[e.ids.n-len(l.block):])
	}
	for i := range uint32(blockRows) {
		e.transferIDs.gather(*rowIn[uint64](l.block, i), number<<blockShift+i+1)
	}
	return nil
}

// burnt gathers the ids that may never be used again.
func (l *idLoading) burnt() error {
	r := &l.e.burnt
	block := alignedBytes(blockBytes[ledger.Uint128]())
	for row := range r.n {
		held := r.blocks[row>>blockShift]
		if held == nil {
			if held = block; row&(blockRows-1) == 0 {
				if err := r.file.loadBlock(row>>blockShift, block); err != nil {
					return err
				}
			}
		}
		l.e.transferIDs.gather(hashOf(*rowIn[ledger.Uint128](held, row)), row|burntReference)
	}
	return nil
}

// listed is how many transfers' hashes are taken out of the index at a time to make the list: 128 MB.
const listed = 1 << 24

// makeIDs makes the list from the index, for a directory that has none.
func (e *Engine) makeIDs() error {
	full := e.transfers.n &^ (blockRows - 1)
	hashes := make([]uint64, min(listed, full))
	block := alignedBytes(e.ids.file.blockBytes)
	for first := uint32(0); first < full; first += listed {
		n, found := min(listed, full-first), uint32(0)
		for number := range e.transferIDs.shards {
			for _, entry := range e.transferIDs.shards[number].entries {
				// A free entry, or a burnt one, is beyond all.
				if row := uint32(entry) - 1 - first; row < n {
					hashes[row] = entry>>32<<32 | uint64(number)
					found++
				}
			}
		}
		if found != n {
			return fmt.Errorf("%w: the snapshot has the ids of %d transfers of %d", ErrDamaged, found, n)
		}
		for row := uint32(0); row < n; row += blockRows {
			for i, hash := range hashes[row : row+blockRows] {
				*rowIn[uint64](block, uint32(i)) = hash
			}
			if err := e.ids.file.write((first+row)>>blockShift, [][]byte{block}); err != nil {
				return err
			}
		}
	}
	return nil
}

// expect makes room for so many entries to be gathered in an empty index.
func (x *index) expect(n uint32) {
	if n == 0 {
		return
	}
	// Shards are filled by chance: eight times the usual deviation more than the mean is never seen.
	each := int(n/indexShards) + 8*int(math.Sqrt(float64(n/indexShards))) + lineEntries
	for i := range x.shards {
		x.shards[i].extend(each)
	}
}

// gather adds an entry without a place. The index can't be asked before arrange.
func (x *index) gather(hash uint64, reference uint32) {
	s := x.shard(hash)
	if int(s.used) == len(s.entries) {
		s.extend(len(s.entries) + len(s.entries)/4 + lineEntries)
	}
	s.entries[s.used] = uint64(tagOf(hash))<<32 | uint64(reference)
	s.used++
}

// arrange gives what was gathered its places.
func (x *index) arrange() {
	var done sync.WaitGroup
	var next atomic.Int32
	for range min(runtime.GOMAXPROCS(0), indexShards) {
		done.Go(func() {
			var sorter sorter
			for i := next.Add(1); i <= indexShards; i = next.Add(1) {
				s := &x.shards[i-1]
				s.load(sorter.sort(s.entries[:s.used]))
			}
		})
	}
	done.Wait()
}
