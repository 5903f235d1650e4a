package embedded

import (
	"encoding/binary"
	"math"

	"github.com/suanpan-bank/suanpan/journal"
)

func appendTellers(b []byte, t *journal.Tellers) []byte {
	b = binary.AppendUvarint(b, uint64(t.Before))
	b = binary.AppendUvarint(b, uint64(len(t.Pages)))
	for _, p := range t.Pages {
		b = binary.AppendUvarint(b, uint64(p.Date))
		b = binary.AppendUvarint(b, uint64(p.Channel))
		b = binary.AppendUvarint(b, uint64(len(p.Last)))
		for _, n := range p.Last {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// tellers reads what appendTellers wrote.
func (r *decoder) tellers() journal.Tellers {
	t := journal.Tellers{Before: uint32(r.uvarint(math.MaxUint32))}
	for range r.count(3) {
		p := journal.TellerPage{Date: uint32(r.uvarint(math.MaxUint32)), Channel: uint16(r.uvarint(math.MaxUint16))}
		n := r.count(1)
		if n > math.MaxUint16+1 {
			r.bad = true
			break
		}
		p.Last = make([]uint64, n)
		for i := range p.Last {
			p.Last[i] = r.uvarint(math.MaxUint64)
		}
		t.Pages = append(t.Pages, p)
	}
	return t
}

// SignOff implements journal.Journal.
func (j *Journal) SignOff(before uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tellers.SignOff(before)
}
