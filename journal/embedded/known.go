package embedded

import (
	"math/bits"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/internal/prefetch"
)

// knownIDs says of an id that no run has it, nearly always the case for a new command, with one look into memory, however
// many runs there are and however they are merged. Only for the one id in some hundred that it can't rule out are the runs
// asked. It is made from the runs' own filters, so that it need not be on disk, and takes the ids of each new run; when it
// is full another is made, twice as large as it must be. Ids that retention let go are in it until then.
type knownIDs struct {
	words []uint64 // of each id some bits in one word. Read while ids are added: by atomics only
	full  int      // so many ids may be added
	added int      // the checkpointer's
}

const (
	// knownHashBits are the first bits of a hash, which alone are looked at: so many are told by the filter of a run of a
	// million ids, so that the run's pages need not be read. Beside twenty million ids one in 400 is therefore taken for one
	// of them, beside a hundred million one in 80.
	knownHashBits = 33
	// knownPerWord is how many ids share a word when it is full: one look in fifty is wrong then, one in 250 just after it was made.
	knownPerWord = 6
	// knownBytesMax bounds the memory. With more than 75 million ids more of them share a word.
	knownBytesMax = 96 << 20
)

// newKnownIDs makes one that has room for as many ids again.
func newKnownIDs(ids int) *knownIDs {
	full := 2 * ids
	return &knownIDs{words: make([]uint64, min(full/knownPerWord+1, knownBytesMax/8)), full: full}
}

// shortOf is what is looked at of a hash.
func shortOf(hash uint64) uint64 { return hash >> (64 - knownHashBits) }

// place is the word of an id and its bits there. Words rise with hashes, so that a run's ids are added from one end of the
// memory to the other.
func (k *knownIDs) place(short uint64) (word int, is uint64) {
	high, low := bits.Mul64(short<<(64-knownHashBits), uint64(len(k.words)))
	low = (low ^ low>>32) * 0x9E3779B97F4A7C15
	return int(high), 1<<(low>>58) | 1<<(low>>52&63) | 1<<(low>>46&63)
}

// mayHave reports false only if the id was never added.
func (k *knownIDs) mayHave(hash uint64) bool {
	if k == nil {
		return false
	}
	word, is := k.place(shortOf(hash))
	return atomic.LoadUint64(&k.words[word])&is == is
}

// ahead asks for the memory in which an id is looked for.
func (k *knownIDs) ahead(hash uint64) {
	if k != nil {
		word, _ := k.place(shortOf(hash))
		prefetch.Line(&k.words[word])
	}
}

// add takes ids while others look for theirs.
func (k *knownIDs) add(shorts []uint64) {
	for _, short := range shorts {
		word, is := k.place(short)
		atomic.OrUint64(&k.words[word], is)
	}
}

// fill takes ids before anybody else has k.
func (k *knownIDs) fill(shorts []uint64) {
	for _, short := range shorts {
		word, is := k.place(short)
		k.words[word] |= is
	}
}

// with is what is known when made has come to the other runs, all together are given: k, or another if that is full. Who
// looks into k meanwhile finds at least what he would have found before.
func (k *knownIDs) with(made *run, all []*sharedRun) (*knownIDs, error) {
	if k != nil && k.added+made.count <= k.full {
		k.added += made.count
		return k, made.shorts(k.add)
	}
	return knownOf(all)
}

// knownOf is made of the runs alone; nil: there are none.
func knownOf(all []*sharedRun) (*knownIDs, error) {
	ids := 0
	for _, r := range all {
		ids += r.count
	}
	if ids == 0 {
		return nil, nil
	}
	k := newKnownIDs(ids)
	k.added = ids
	for _, r := range all {
		if err := r.shorts(k.fill); err != nil {
			return nil, err
		}
	}
	return k, nil
}
