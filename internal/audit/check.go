package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/reporting"
)

// Evidence is what a node says about itself: its ledger at a position of the journal, what the journal
// carried out again comes to, and its report.
type Evidence struct {
	Position journal.Position `json:"position"`
	// From is the first position that the journal keeps. Above 1 Journal is what changed from there on.
	From    journal.Position           `json:"from"`
	Ledger  []reporting.AccountFigures `json:"ledger"`
	Journal []reporting.AccountFigures `json:"journal"`
	Events  map[string]uint64          `json:"events"` // by customer
	Report  reporting.Figures          `json:"report"`
	Kafka   string                     `json:"kafka"` // where the stream is
	// Behind tells how many records after Position the stream does not have, on a node that was killed.
	Behind uint64 `json:"behind"`
	// Unasked: the ledger is elsewhere and was not asked; Ledger is what the journal says of it.
	Unasked bool `json:"unasked,omitzero"`
}

// NewEvidence puts the books of ledger and journal together.
func NewEvidence(from, position journal.Position, ledger, fromJournal *Books, report reporting.Figures, kafka string) *Evidence {
	e := &Evidence{
		From: from, Position: position, Ledger: figuresOf(ledger), Journal: figuresOf(fromJournal), Report: report, Kafka: kafka,
		Events: make(map[string]uint64, len(fromJournal.Events)),
	}
	for customer, last := range fromJournal.Events {
		e.Events[bank.CustomerNo(customer).String()] = last
	}
	return e
}

func figuresOf(b *Books) []reporting.AccountFigures {
	out := make([]reporting.AccountFigures, 0, len(b.Accounts))
	for key, v := range b.Accounts {
		out = append(out, reporting.AccountFigures{Ledger: key.Ledger, ID: key.ID, Balances: v})
	}
	return out
}

func booksOf(figures []reporting.AccountFigures) *Books {
	b := NewBooks()
	for _, f := range figures {
		b.Accounts[Key{f.Ledger, f.ID}] = f.Balances
	}
	return b
}

// Tail reads the whole stream once.
type Tail func(ctx context.Context, fn func(*streams.Tailed) error) error

// everything is behind every position.
const everything = journal.Position(math.MaxUint64)

// shown is how many differences are printed of each kind.
const shown = 10

// checker prints what is compared and remembers whether anything differed.
type checker struct {
	out    io.Writer
	differ bool
}

func (c *checker) line(what string, list []string, count int, ok string) {
	if count == 0 {
		fmt.Fprintf(c.out, "%-26s ok    %s\n", what, ok)
		return
	}
	c.differ = true
	fmt.Fprintf(c.out, "%-26s DIFFERS in %d\n", what, count)
	for _, d := range list {
		fmt.Fprintf(c.out, "    %s\n", d)
	}
}

// Check compares the evidence with itself and with the stream and prints what it compared. It reports
// whether everything agrees.
func Check(ctx context.Context, e *Evidence, tail Tail, out io.Writer) (agree bool, err error) {
	c := &checker{out: out}
	ledger, fromJournal, report := booksOf(e.Ledger), booksOf(e.Journal), booksOf(e.Report.Accounts)
	fmt.Fprintf(out, "journal to position %d, %d accounts, %d customers\n", e.Position, len(e.Ledger), len(e.Events))
	if e.Behind > 0 {
		fmt.Fprintf(out, "the stream lacks the last %d records (the node did not stop by itself); they follow when it starts\n", e.Behind)
	}
	var list []string
	var count int
	switch {
	case e.From > 1:
		fmt.Fprintf(out, "the journal begins at position %d: what came before is compared between ledger, stream and report\n", e.From)
		list, count = ledger.Before(fromJournal).Negative(shown)
		c.line("journal fits ledger", list, count, fmt.Sprintf("%d accounts changed from position %d on", len(e.Journal), e.From))
	case e.Unasked:
		fmt.Fprintln(out, "the ledger is elsewhere and was not asked: its balances are taken from the journal (ask the running node to compare)")
	default:
		list, count = Differences(fromJournal, ledger, shown)
		c.line("journal = ledger", list, count, fmt.Sprintf("%d accounts", len(e.Ledger)))
	}
	c.balanced("ledger", ledger)

	atPosition, kept, atReport, later := NewStream(), NewStream(), NewStream(), NewStream()
	complete := true
	err = tail(ctx, func(m *streams.Tailed) error {
		env, err := streams.Decode(m.Value)
		if err != nil {
			c.line("event readable", []string{fmt.Sprintf("%s/%d offset %d: %v", m.Topic, m.Partition, m.Offset, err)}, 1, "")
			return nil
		}
		if m.First && m.Offset > 0 {
			complete = false
		}
		if next := e.Report.Next[m.Topic]; m.Partition < len(next) && m.Offset < next[m.Partition] {
			if err := errors.Join(atReport.Add(&env, 0, everything), later.Add(&env, e.Position+1, everything)); err != nil {
				return err
			}
		}
		return errors.Join(atPosition.Add(&env, 0, e.Position), kept.Add(&env, e.From, e.Position))
	})
	if err != nil {
		return false, err
	}
	if complete && e.From > 1 {
		list, count = Differences(fromJournal, &kept.Books, shown)
		c.line("stream = journal", list, count, fmt.Sprintf("from position %d on", e.From))
	}
	if complete {
		list, count = Differences(&atPosition.Books, ledger, shown)
		c.line("stream = ledger", list, count, fmt.Sprintf("%d events, %d of them repeated", atPosition.Messages, atPosition.Repeats))
		list, count = Differences(&atReport.Books, report, shown)
		c.line("report = stream", list, count, fmt.Sprintf("%d accounts, %d events", len(e.Report.Accounts), atReport.Messages))
		list, count = atPosition.Missing(e.books(), shown)
		c.line("no gap in the stream", list, count, fmt.Sprintf("%d customers", len(e.Events)))
	} else {
		fmt.Fprintf(out, "the stream no longer holds its beginning: the report is compared with the ledger and what came after\n")
		list, count = Differences(report, ledger.plus(&later.Books), shown)
		c.line("report = ledger", list, count, fmt.Sprintf("%d accounts", len(e.Report.Accounts)))
	}
	c.balanced("report", report)
	c.line("no gap in the report", e.Report.Gaps, len(e.Report.Gaps), "")
	c.line("no dead letters", nil, int(e.Report.Dead), "")
	return !c.differ, nil
}

func (c *checker) balanced(what string, b *Books) {
	for _, t := range b.Totals() {
		list, count := []string{fmt.Sprintf("debits %d, credits %d; pending debits %d, credits %d fen", t.DebitsPosted, t.CreditsPosted, t.DebitsPending, t.CreditsPending)}, 1
		if t.Balanced() {
			list, count = nil, 0
		}
		c.line("Σ debits = Σ credits", list, count, fmt.Sprintf("%s %d: %d fen posted, %d pending, %d accounts", what, t.Ledger, t.DebitsPosted, t.DebitsPending, t.Accounts))
	}
}

func (e *Evidence) books() *Books {
	b := NewBooks()
	for token, last := range e.Events {
		no, err := bank.ParseCustomerNo(token)
		if err != nil {
			continue // tokens are written by NewEvidence
		}
		b.Events[uint64(no)] = last
	}
	return b
}
