package channels

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// The schedule of SPEC 3.2: the deadline, then 5 s, 30 s, 2 min, 10 min and every 30 min since it was unknown.
func TestAChannelThatIsSilentIsQueriedByTheSchedule(t *testing.T) {
	w := newWatch(DefaultSchedule())
	w.add(actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, 1)}, start)
	var seen []string
	for now := start; now.Before(start.Add(2 * time.Hour)); now = now.Add(time.Second) {
		for _, s := range w.take(now, AnswersMax) {
			word := "query"
			if s.mark {
				word = "unknown"
			}
			seen = append(seen, fmt.Sprintf("%s %s", word, now.Sub(start)))
		}
	}
	want := []string{
		"unknown 20s", "query 25s", "query 50s", "query 2m20s", "query 10m20s",
		"query 40m20s", "query 1h10m20s", "query 1h40m20s",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(seen, ", "), strings.Join(want, ", "))
	}
}

// A clock that jumps, as that of a bank that was down does, must not bring a burst of queries for one transfer.
func TestWhatWasMissedIsAskedOnce(t *testing.T) {
	w := newWatch(DefaultSchedule())
	w.add(actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, 1), Unknown: true, Again: true}, start)
	if n := len(w.take(start.Add(48*time.Hour), AnswersMax)); n != 1 {
		t.Errorf("%d queries", n)
	}
	if at, _ := w.next(); !at.Equal(start.Add(48*time.Hour + 30*time.Minute)) {
		t.Errorf("next at %v", at)
	}
	if !w.drop(bank.NewTxnID(1, 1, 1)) || w.drop(bank.NewTxnID(1, 1, 1)) {
		t.Error("a transfer is watched once")
	}
}

// desk is a bank that settles transfers once, and a channel that notes what it is asked.
type desk struct {
	settled map[bank.TxnID]bool
	unknown map[bank.TxnID]bool
	sent    []bank.TxnID
	queried []bank.TxnID
	busy    int
}

func (d *desk) DoAll(_ context.Context, calls []*bank.Call) {
	for _, call := range calls {
		if d.busy > 0 {
			d.busy--
			call.Err = bank.ErrOverloaded
			continue
		}
		switch m := call.Command.(type) {
		case *bank.ChannelResult:
			if was, done := d.settled[m.Transfer]; done {
				field := "transfer_id"
				if was != m.Success {
					field = "result"
				}
				call.Receipt.Refusal = &bank.Refusal{Code: bank.TransferSettledElse, Field: field}
				continue
			}
			d.settled[m.Transfer] = m.Success
		case *bank.MarkUnknown:
			if _, done := d.settled[m.Transfer]; done {
				call.Receipt.Refusal = &bank.Refusal{Code: bank.TransferSettledElse, Field: "transfer_id"}
			} else if d.unknown[m.Transfer] {
				call.Receipt.Refusal = &bank.Refusal{Code: bank.TransferSettledElse, Field: bank.FieldUnknown}
			}
			d.unknown[m.Transfer] = true
		}
	}
}

func (d *desk) Send(r actors.ChannelRequest)  { d.sent = append(d.sent, r.Transfer) }
func (d *desk) Query(r actors.ChannelRequest) { d.queried = append(d.queried, r.Transfer) }
func (d *desk) File(context.Context, bank.Channel, bank.Date) (io.ReadCloser, error) {
	return nil, ErrNoFile
}

// newTracker is one whose turns the test takes.
func newTracker(d *desk, now *time.Time) *Tracker {
	return &Tracker{
		options: Options{Caller: d, Clock: func() time.Time { return *now }, Logger: slog.New(slog.DiscardHandler)},
		port:    d, watch: newWatch(DefaultSchedule()), wake: make(chan struct{}, 1),
	}
}

func newDesk() *desk {
	return &desk{settled: map[bank.TxnID]bool{}, unknown: map[bank.TxnID]bool{}}
}

func TestAnAnswerIsTakenToTheBankHoweverBusyItIs(t *testing.T) {
	d, now := newDesk(), start
	tr := newTracker(d, &now)
	const transfers = AnswersMax + 200
	for n := range uint64(transfers) {
		tr.Send(actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, n+1)})
		tr.Answer(Answer{Transfer: bank.NewTxnID(1, 1, n+1), Outcome: Succeeded})
	}
	d.busy = 30
	for range 3 {
		tr.turn(t.Context())
	}
	if len(d.settled) != transfers || tr.Watched() != 0 || len(d.sent) != transfers {
		t.Errorf("%d settled, %d watched, %d sent", len(d.settled), tr.Watched(), len(d.sent))
	}
}

func TestATransferIsNeverSentAgainUnlessTheChannelHasNeverHadIt(t *testing.T) {
	txn := bank.NewTxnID(1, 1, 1)
	for name, c := range map[string]struct {
		answer          Outcome
		sent, queried   int
		settled, inHand bool
	}{
		"the channel has paid":       {Succeeded, 0, 1, true, false},
		"the channel has refused":    {Failed, 0, 1, true, false},
		"the channel does not know":  {InProgress, 0, 1, false, true},
		"the channel never heard it": {NotKnown, 1, 1, false, true},
	} {
		d, now := newDesk(), start
		tr := newTracker(d, &now)
		tr.Send(actors.ChannelRequest{Transfer: txn, Again: true}) // after a restart
		tr.Answer(Answer{Transfer: txn, Outcome: c.answer})
		tr.turn(t.Context())
		_, settled := d.settled[txn]
		if slices.ContainsFunc(slices.Concat(d.sent, d.queried), func(t bank.TxnID) bool { return t != txn }) {
			t.Errorf("%s: another serial was used: sent %v, queried %v", name, d.sent, d.queried)
		}
		if len(d.sent) != c.sent || len(d.queried) != c.queried || settled != c.settled || (tr.Watched() == 1) != c.inHand {
			t.Errorf("%s: sent %d, queried %d, settled %v, %d watched", name, len(d.sent), len(d.queried), settled, tr.Watched())
		}
	}
}

func TestASilentChannelMakesTheTransferUnknownAndIsAsked(t *testing.T) {
	txn, settledElse := bank.NewTxnID(1, 1, 1), bank.NewTxnID(1, 1, 2)
	d, now := newDesk(), start
	tr := newTracker(d, &now)
	tr.Send(actors.ChannelRequest{Transfer: txn})
	tr.Send(actors.ChannelRequest{Transfer: settledElse})
	d.settled[settledElse] = true // through the API, say
	tr.turn(t.Context())
	if len(d.unknown) != 0 {
		t.Error("unknown before the deadline")
	}
	now = now.Add(20 * time.Second)
	tr.turn(t.Context())
	if !d.unknown[txn] || tr.Watched() != 1 || len(d.queried) != 0 {
		t.Errorf("at the deadline: %v unknown, %d watched, %d queried", d.unknown, tr.Watched(), len(d.queried))
	}
	now = now.Add(5 * time.Second)
	tr.turn(t.Context())
	now = now.Add(25 * time.Second)
	tr.turn(t.Context())
	if len(d.queried) != 2 || len(d.sent) != 2 {
		t.Errorf("%d queries, sent %d times", len(d.queried), len(d.sent))
	}
	tr.Answer(Answer{Transfer: txn, Outcome: Succeeded})
	tr.Answer(Answer{Transfer: txn, Outcome: Succeeded}) // twice
	tr.Answer(Answer{Transfer: txn, Outcome: Failed})    // and then the opposite
	tr.turn(t.Context())
	if tr.Watched() != 0 || !d.settled[txn] {
		t.Errorf("after the answers: %d watched, settled %v", tr.Watched(), d.settled[txn])
	}
}
