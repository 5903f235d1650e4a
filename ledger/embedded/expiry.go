package embedded

// expiryQueue orders the pending transfers that can expire by (expiry, creation). It is a binary
// heap. Posting and voiding leave their entry behind: it is skipped when its time comes, and swept
// out when such entries outnumber the others, so the queue stays within twice what waits.
type expiryQueue struct {
	heap    []expiryEntry
	waiting int // pending transfers with a timeout that are neither posted, voided nor expired
}

type expiryEntry struct {
	expiresAt uint64 // ns
	transfer  uint32 // row of the pending transfer, in order of creation
}

// sweepFloor spares small queues the sweep.
const sweepFloor = 1024

func (a expiryEntry) before(b expiryEntry) bool {
	return a.expiresAt < b.expiresAt || a.expiresAt == b.expiresAt && a.transfer < b.transfer
}

// due reports whether the first entry's time has come; the entry may be a leftover.
func (q *expiryQueue) due(now uint64) bool { return len(q.heap) > 0 && q.heap[0].expiresAt <= now }

func (q *expiryQueue) push(entry expiryEntry) {
	q.heap = append(q.heap, entry)
	child := len(q.heap) - 1
	for child > 0 {
		parent := (child - 1) / 2
		if !entry.before(q.heap[parent]) {
			break
		}
		q.heap[child] = q.heap[parent]
		child = parent
	}
	q.heap[child] = entry
}

func (q *expiryQueue) pop() expiryEntry {
	first := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	q.sink(0)
	return first
}

func (q *expiryQueue) sink(parent int) {
	if parent >= len(q.heap) {
		return
	}
	entry := q.heap[parent]
	for {
		child := 2*parent + 1
		if child >= len(q.heap) {
			break
		}
		if child+1 < len(q.heap) && q.heap[child+1].before(q.heap[child]) {
			child++
		}
		if !q.heap[child].before(entry) {
			break
		}
		q.heap[parent] = q.heap[child]
		parent = child
	}
	q.heap[parent] = entry
}

// sweep drops leftovers once they are the majority; keep tells which entries still wait.
func (q *expiryQueue) sweep(keep func(transfer uint32) bool) {
	if len(q.heap) < sweepFloor || len(q.heap) <= 2*q.waiting {
		return
	}
	kept := q.heap[:0]
	for _, entry := range q.heap {
		if keep(entry.transfer) {
			kept = append(kept, entry)
		}
	}
	q.heap = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
}
