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

// undo remembers what an open chain changed: where the append-only tables ended, and the former
// contents of each row changed in place.
type undo struct {
	recording bool
	accounts  uint32
	transfers uint32
	pendings  uint32
	marks     uint32
	wide      uint32
	waiting   int
	images    []accountImage
	settled   []uint32 // rows of pendings posted or voided
}

// accountImage is the part of an account that a transfer changes.
type accountImage struct {
	row                                                        uint32
	flags                                                      ledger.AccountFlags
	debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128
	list                                                       list
}

func (e *Engine) openChain() {
	e.chain = undo{
		recording: true,
		accounts:  e.accounts.n,
		transfers: e.transfers.n,
		pendings:  e.pendings.n,
		marks:     e.marks.n,
		wide:      e.wide.n,
		waiting:   e.expiring.waiting,
		images:    e.chain.images[:0],
		settled:   e.chain.settled[:0],
	}
}

// remember keeps an account's image while a chain is open.
func (e *Engine) remember(row uint32, a *accountRow) {
	if !e.chain.recording {
		return
	}
	e.chain.images = append(e.chain.images, accountImage{
		row: row, flags: a.Flags,
		debitsPending: a.DebitsPending, debitsPosted: a.DebitsPosted,
		creditsPending: a.CreditsPending, creditsPosted: a.CreditsPosted,
		list: a.list,
	})
}

// undoChain puts everything back as it was when the chain opened. Time is not put back: the
// events that follow are judged at their own timestamps.
func (e *Engine) undoChain() {
	c := &e.chain
	c.recording = false
	for i := len(c.images) - 1; i >= 0; i-- {
		image := &c.images[i]
		a := e.accounts.at(image.row)
		a.Flags, a.list = image.flags, image.list
		a.DebitsPending, a.DebitsPosted = image.debitsPending, image.debitsPosted
		a.CreditsPending, a.CreditsPosted = image.creditsPending, image.creditsPosted
	}
	for _, row := range c.settled {
		e.pendings.at(row).state = waiting
	}
	for row := e.transfers.n; row > c.transfers; row-- {
		t := e.transfers.at(row - 1)
		e.transferIDs.remove(hashOf(t.ID), row)
		unlinkUser(&e.transferUsers, t.UserData128, row, t.previousUser)
	}
	for row := e.accounts.n; row > c.accounts; row-- {
		a := e.accounts.at(row - 1)
		e.accountIDs.remove(hashOf(a.ID), row)
		unlinkUser(&e.accountUsers, a.UserData128, row, a.previousUser)
	}
	e.accounts.n, e.transfers.n, e.balances.n = c.accounts, c.transfers, c.transfers
	e.pendings.n, e.marks.n, e.wide.n = c.pendings, c.marks, c.wide
	e.expiring.waiting = c.waiting
}

// unlinkUser takes the newest row with a UserData128 out of its index.
func unlinkUser(users *index, user ledger.Uint128, reference, previous uint32) {
	switch {
	case user.IsZero():
	case previous != 0:
		users.replace(hashOf(user), reference, previous)
	default:
		users.remove(hashOf(user), reference)
	}
}
