package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// batch is one request being executed: its timestamps and the linked chain that is open, if any.
type batch struct {
	base       uint64 // event i is judged at base+i+1
	events     int
	imported   bool // the first event decides for all
	open       bool // in a chain
	broken     bool // the chain has failed
	chainStart int
}

func (b *batch) at(i int) uint64 { return b.base + uint64(i) + 1 }

// last is the timestamp of the batch's last event.
func (b *batch) last() uint64 { return b.at(b.events - 1) }

// verdict on an event from its place in the batch, before its contents are looked at.
type verdict uint8

const (
	admitted verdict = iota
	linkedFailed
	chainOpen
	importedExpected
	importedNotExpected
	timestampMustBeZero
	timestampOutOfRange
	timestampMustNotAdvance
)

var accountVerdicts = [...]ledger.CreateAccountStatus{
	linkedFailed:            ledger.AccountLinkedEventFailed,
	chainOpen:               ledger.AccountLinkedEventChainOpen,
	importedExpected:        ledger.AccountImportedEventExpected,
	importedNotExpected:     ledger.AccountImportedEventNotExpected,
	timestampMustBeZero:     ledger.AccountTimestampMustBeZero,
	timestampOutOfRange:     ledger.AccountImportedEventTimestampOutOfRange,
	timestampMustNotAdvance: ledger.AccountImportedEventTimestampMustNotAdvance,
}

var transferVerdicts = [...]ledger.CreateTransferStatus{
	linkedFailed:            ledger.TransferLinkedEventFailed,
	chainOpen:               ledger.TransferLinkedEventChainOpen,
	importedExpected:        ledger.TransferImportedEventExpected,
	importedNotExpected:     ledger.TransferImportedEventNotExpected,
	timestampMustBeZero:     ledger.TransferTimestampMustBeZero,
	timestampOutOfRange:     ledger.TransferImportedEventTimestampOutOfRange,
	timestampMustNotAdvance: ledger.TransferImportedEventTimestampMustNotAdvance,
}

// admit opens the chain an event begins and judges its place in the batch.
func (e *Engine) admit(b *batch, i int, linked, imported bool, timestamp uint64) verdict {
	if linked {
		if !b.open {
			b.open, b.broken, b.chainStart = true, false, i
			e.openChain()
		}
		if i == b.events-1 {
			return chainOpen
		}
	}
	switch {
	case b.open && b.broken:
		return linkedFailed
	case imported && !b.imported:
		return importedNotExpected
	case !imported && b.imported:
		return importedExpected
	case !imported && timestamp != 0:
		return timestampMustBeZero
	case !imported:
		return admitted
	case timestamp == 0 || timestamp > timestampMax:
		return timestampOutOfRange
	case timestamp >= b.last():
		return timestampMustNotAdvance
	}
	return admitted
}

// breakChain undoes the open chain when event i is the first in it to fail. It returns how many
// members before i must now be told that they failed.
func (e *Engine) breakChain(b *batch, i int) int {
	if !b.open || b.broken {
		return 0
	}
	b.broken = true
	e.undoChain()
	return i - b.chainStart
}

// leave ends the chain unless the event says that the next one belongs to it.
func (e *Engine) leave(b *batch, linked bool) {
	if b.open && !linked {
		b.open = false
		e.chain.recording = false
	}
}

// undo remembers what an open chain changed: where the append-only lists ended, and the former
// contents of each row changed in place.
type undo struct {
	recording bool
	accounts  uint32
	transfers uint32
	pendings  uint32
	marks     uint32
	wide      uint32
	fresh     int
	waiting   int
	images    []accountImage
	settled   []uint32 // rows of pendings posted or voided
}

// accountImage is an account as it was.
type accountImage struct {
	row uint32
	savedAccount
}

func (e *Engine) openChain() {
	e.chain = undo{
		recording: true,
		accounts:  e.accounts.n,
		transfers: e.transfers.n,
		pendings:  e.pendings.n,
		marks:     e.marks.n,
		wide:      e.wide.n,
		fresh:     len(e.fresh),
		waiting:   e.expiring.waiting,
		images:    e.chain.images[:0],
		settled:   e.chain.settled[:0],
	}
}

// touch is called before an account changes: the open chain, the snapshot and the view under way keep it as it is.
func (e *Engine) touch(row uint32) {
	if e.chain.recording {
		e.chain.images = append(e.chain.images, accountImage{row, e.saved(row)})
	}
	if e.image.accounts.wants(row) {
		e.image.keepAccount(row, e.saved(row))
	}
	if v := e.view; v != nil && v.rows.wants(row) {
		v.keep(row, e.saved(row))
	}
}

// setPending changes what has become of a pending transfer.
func (e *Engine) setPending(row uint32, state pendingState) {
	if e.image.pendings.wants(row) {
		e.image.keepPending(row, *e.pendings.at(row))
	}
	*e.pendings.at(row) = state
}

// undoChain puts everything back as it was when the chain opened. Time is not put back: the
// events that follow are judged at their own timestamps.
func (e *Engine) undoChain() {
	c := &e.chain
	c.recording = false
	for i := len(c.images) - 1; i >= 0; i-- {
		e.restore(c.images[i].row, &c.images[i].savedAccount)
	}
	for _, row := range c.settled {
		*e.pendings.at(row) = waiting
	}
	for row := e.transfers.n; row > c.transfers; row-- {
		var space transferRow
		e.transferIDs.remove(hashOf(e.transfers.get(row-1, &space).id), row)
	}
	for row := e.accounts.n; row > c.accounts; row-- {
		e.accountIDs.remove(hashOf(e.accounts.at(row-1).id), row)
		e.unlinkAccountUser(row)
	}
	e.accounts.n, e.details.n, e.transfers.n = c.accounts, c.accounts, c.transfers
	e.pendings.n, e.marks.n, e.wide.n = c.pendings, c.marks, c.wide
	e.fences = e.fences[:(c.transfers+blockRows-1)>>blockShift]
	e.fresh = e.fresh[:c.fresh]
	e.expiring.waiting = c.waiting
}

// unlinkAccountUser takes the newest account with a UserData128 out of the index.
func (e *Engine) unlinkAccountUser(reference uint32) {
	details := e.details.at(reference - 1)
	user, previous := details.userData128, details.previousUser
	switch {
	case user.IsZero():
	case previous != 0:
		e.accountUsers.replace(hashOf(user), reference, previous)
	default:
		e.accountUsers.remove(hashOf(user), reference)
	}
}
