package actors

// The fence of the day cut (日切围栏).
//
// The problem: a decision is taken on a date and becomes money a moment later; meanwhile the date may end. What
// is booked on a date must be complete when the date is closed, and nobody may have to wait for that.
//
// The date begins when the bank's house takes DayCutStarted: from then on actors decide on the new date, and the
// pipeline refuses what was decided on the old one (errDateClosed), before anything is written. The actor decides
// anew, since the date can change interest and limits; its caller does not notice. With a ledger in this process
// nothing is under way then: a decision is in the journal and in the ledger at once. With one elsewhere there are
// intents of the old date without an outcome; Drained waits for them while the new date goes on.
//
// Commands that name their date themselves pass: demonstrations, and the work of the day's end, which is booked
// on the date that it ends.
import (
	"context"
	"errors"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// errDateClosed: the decision was taken on an accounting date that has ended meanwhile. Nothing was written.
var errDateClosed = errors.New("the accounting date is closed")

// Today is the accounting date; the clock's own until the bank has opened its first day.
func (n *Node) Today() bank.Date {
	if d := n.pipeline.date.Load(); d != 0 {
		return bank.Date(d)
	}
	return bank.DateOf(n.options.Clock())
}

// begin begins the date that a decision of the bank's house begins, before another gets its place in the journal; the lock
// is held. The house itself, which hears of it later, would be too late: its caller may have been answered by then.
func (p *pipeline) begin(d *draft) {
	if d.own.no != bank.BankHouse {
		return
	}
	for _, e := range d.decision.Events {
		if date, begins := bank.DateBegun(e); begins {
			p.date.Store(uint32(date))
			p.signOff(date)
		}
	}
}

// resume begins the date that the bank's house has come to.
func (n *Node) resume(c *bank.Customer) {
	if c.Day == nil {
		return
	}
	n.pipeline.mu.Lock()
	defer n.pipeline.mu.Unlock()
	n.pipeline.date.Store(uint32(c.Day.Current))
	n.pipeline.signOff(c.Day.Current)
}

// signOff (签退) closes the tellers' journals of the dates whose work is done when a date begins: all but the one before
// it, which has its end to come.
func (p *pipeline) signOff(begun bank.Date) { p.journal.SignOff(uint32(begun.AddDays(-1))) }

// closed reports whether the draft's date has ended; the lock is held.
func (p *pipeline) closed(d *draft) bool {
	return !d.dated && d.record.AccountingDate < p.date.Load()
}

// Drained returns when no decision of an earlier date is under way to a ledger elsewhere. It is called after the
// date has begun, and waits as long as the ledger is away.
func (n *Node) Drained(ctx context.Context) error {
	s := n.pipeline.submitter
	if s == nil {
		return nil
	}
	before := n.pipeline.mark().position // later intents are of the new date
	tick := time.NewTicker(restTick)
	defer tick.Stop()
	for s.anyOpen(before) {
		select {
		case <-tick.C:
		case <-n.stopped:
			return bank.ErrStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// anyOpen reports whether an intent up to the position has no outcome.
func (s *submitter) anyOpen(upTo journal.Position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.open {
		if d.intended <= upTo {
			return true
		}
	}
	return false
}
