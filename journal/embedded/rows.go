package embedded

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/suanpan-bank/suanpan/journal"
)

// The forms of the store's rows. Each begins with its version.
const (
	snapshotVersion = 1
	headVersion     = 1
	headsVersion    = 1
	marksVersion    = 1
	stateVersion    = 2
)

// rowReader begins to read a row of the version.
func rowReader(b []byte, version byte) (decoder, bool) {
	if len(b) == 0 || b[0] != version {
		return decoder{}, false
	}
	return decoder{b: b[1:]}, true
}

func appendSnapshot(b []byte, s *journal.Snapshot) []byte {
	b = append(b, snapshotVersion)
	b = binary.AppendUvarint(b, s.Head.Seq)
	b = binary.AppendUvarint(b, s.Head.EventSeq)
	b = appendID(b, s.Person)
	return append(b, s.State...)
}

// decodeSnapshot reads all but the customer. State shares b.
func decodeSnapshot(b []byte, s *journal.Snapshot) error {
	in, ok := rowReader(b, snapshotVersion)
	if !ok {
		return errMalformedRow
	}
	s.Head.Seq, s.Head.EventSeq = in.uvarint(math.MaxUint64), in.uvarint(math.MaxUint64)
	s.Person = in.id()
	if in.bad {
		return errMalformedRow
	}
	s.State = in.b
	return nil
}

// decodeHead reads a row of keyHead.
func decodeHead(b []byte) (h head, err error) {
	in, ok := rowReader(b, headVersion)
	h.Seq, h.EventSeq = in.uvarint(math.MaxUint64), in.uvarint(math.MaxUint64)
	h.last = journal.Position(in.uvarint(math.MaxUint64))
	if !ok || in.bad || len(in.b) > 0 {
		return head{}, errMalformedRow
	}
	return h, nil
}

// appendMarks writes how far each mark is behind the one before.
func appendMarks(b []byte, marks []mark) []byte {
	b = append(b, marksVersion)
	b = binary.AppendUvarint(b, uint64(len(marks)))
	var before mark
	for _, m := range marks {
		b = binary.AppendUvarint(b, uint64(m.index-before.index))
		b = binary.AppendUvarint(b, uint64(m.offset-before.offset))
		before = m
	}
	return b
}

func decodeMarks(b []byte) ([]mark, error) {
	in, ok := rowReader(b, marksVersion)
	marks := make([]mark, 0, in.count(2))
	var m mark
	for range cap(marks) {
		m.index += uint32(in.uvarint(uint64(math.MaxUint32 - m.index)))
		m.offset += uint32(in.uvarint(uint64(math.MaxUint32 - m.offset)))
		marks = append(marks, m)
	}
	if !ok || in.bad || len(in.b) > 0 {
		return nil, errMalformedRow
	}
	return marks, nil
}

func appendState(b []byte, s *indexState) []byte {
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(s.at.segment))
	b = binary.AppendUvarint(b, uint64(s.at.offset))
	b = binary.AppendUvarint(b, uint64(s.at.first))
	b = binary.AppendUvarint(b, uint64(s.at.last))
	b = binary.AppendUvarint(b, uint64(s.at.before))
	b = binary.AppendUvarint(b, uint64(s.at.sum))
	b = binary.AppendUvarint(b, uint64(s.from))
	b = binary.AppendUvarint(b, uint64(len(s.epochs)))
	for shard, epoch := range s.epochs {
		b = binary.AppendUvarint(b, uint64(shard))
		b = binary.AppendUvarint(b, epoch)
	}
	b = binary.AppendUvarint(b, uint64(len(s.runs)))
	for _, r := range s.runs {
		b = binary.AppendUvarint(b, uint64(r.first))
		b = binary.AppendUvarint(b, uint64(r.last))
		b = binary.AppendUvarint(b, uint64(r.level))
	}
	return appendTellers(b, &s.tellers)
}

// stateBeforeTellers is the version of states from before tellers numbered their journals: all of theirs begin behind it.
const stateBeforeTellers = 1

func decodeState(b []byte) (s indexState, err error) {
	in, ok := rowReader(b, stateVersion)
	tellers := ok
	if !ok {
		in, ok = rowReader(b, stateBeforeTellers)
	}
	position := func() journal.Position { return journal.Position(in.uvarint(math.MaxUint64)) }
	s.at.segment, s.at.offset = position(), int64(in.uvarint(math.MaxInt64))
	s.at.first, s.at.last = position(), position()
	s.at.before, s.at.sum = uint32(in.uvarint(math.MaxUint32)), uint32(in.uvarint(math.MaxUint32))
	s.from = position()
	s.epochs = make(map[uint16]uint64)
	for range in.count(2) {
		shard := uint16(in.uvarint(math.MaxUint16))
		s.epochs[shard] = in.uvarint(math.MaxUint64)
	}
	for range in.count(3) {
		s.runs = append(s.runs, runName{first: position(), last: position(), level: int(in.uvarint(math.MaxInt32))})
	}
	if tellers {
		s.tellers = in.tellers()
	}
	inOrder := slices.IsSortedFunc(s.runs, func(a, b runName) int { return int(a.first) - int(b.first) })
	if !ok || in.bad || len(in.b) > 0 || !inOrder {
		return indexState{}, errMalformedRow
	}
	return s, nil
}
