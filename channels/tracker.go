package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// Caller carries out what channels answer.
type Caller interface {
	DoAll(ctx context.Context, calls []*bank.Call)
}

// Options of a Tracker; all are required.
type Options struct {
	Caller   Caller
	Clock    func() time.Time
	Schedule Schedule
	Logger   *slog.Logger
}

// Tracker (在途跟踪) sends requests to a port, takes its answers to the bank, and asks again what has none. It
// never sends a transfer under another serial. It holds nothing that the bank's journal does not: after a
// restart the bank hands it all transfers in flight again.
type Tracker struct {
	options Options
	port    Port

	mu      sync.Mutex
	watch   watch
	answers []Answer // to be taken to the bank, in order
	wake    chan struct{}
	cancel  context.CancelFunc
	ended   chan struct{}
}

// Limits of a tracker.
const (
	// AnswersMax is how many answers go to the bank at once.
	AnswersMax = 512
	// lookEvery is how often the clock is looked at while transfers are watched: it may be moved.
	lookEvery = time.Second
	// againAfter is the pause before answers that the bank could not take are brought again.
	againAfter = 100 * time.Millisecond
)

// Open starts a tracker; connect makes the port, which is to answer through the function it is given.
// Close the tracker before the bank.
func Open(o Options, connect func(answer func(Answer)) Port) *Tracker {
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tracker{
		options: o, watch: newWatch(o.Schedule),
		wake:   make(chan struct{}, 1), // one token: there is something new
		cancel: cancel, ended: make(chan struct{}),
	}
	t.port = connect(t.Answer)
	go t.run(ctx)
	return t
}

// Send implements actors.Channel. What an earlier process asked, or was about to, is queried: only a channel
// that has never had the serial is sent it.
func (t *Tracker) Send(r actors.ChannelRequest) {
	t.mu.Lock()
	t.watch.add(r, t.options.Clock())
	t.mu.Unlock()
	if r.Again {
		t.port.Query(r)
	} else {
		t.port.Send(r)
	}
	t.poke()
}

// Answer takes an answer; it never blocks, may be called at any time and any number of times.
func (t *Tracker) Answer(a Answer) {
	if a.Outcome == InProgress {
		return
	}
	t.mu.Lock()
	x := t.watch.byTxn[a.Transfer]
	if a.Outcome != NotKnown {
		t.answers = append(t.answers, a)
	}
	t.mu.Unlock()
	if a.Outcome == NotKnown {
		if x != nil {
			t.port.Send(x.request)
		}
		return
	}
	t.poke()
}

// File is the port's.
func (t *Tracker) File(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	return t.port.File(ctx, channel, day)
}

// Watched is how many transfers have no answer.
func (t *Tracker) Watched() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.watch.byTxn)
}

// Close stops. What has no answer is taken up again after a restart.
func (t *Tracker) Close() {
	t.cancel()
	<-t.ended
}

func (t *Tracker) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *Tracker) run(ctx context.Context) {
	defer close(t.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := t.turn(ctx)
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
	}
}

// turn brings what has been answered to the bank, does what is due, and tells how long nothing will be.
func (t *Tracker) turn(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		t.mu.Lock()
		n := min(len(t.answers), AnswersMax)
		answers := append([]Answer(nil), t.answers[:n]...)
		t.answers = append(t.answers[:0], t.answers[n:]...)
		steps := t.watch.take(t.options.Clock(), AnswersMax)
		_, watching := t.watch.next()
		t.mu.Unlock()
		if len(answers)+len(steps) == 0 {
			if watching {
				return lookEvery
			}
			return time.Hour
		}
		if again := t.deliver(ctx, answers); len(again) > 0 {
			t.mu.Lock()
			t.answers = append(again, t.answers...)
			t.mu.Unlock()
			t.follow(ctx, steps)
			return againAfter
		}
		t.follow(ctx, steps)
	}
	return time.Hour
}

// deliver takes answers to the bank and returns those it could not take.
func (t *Tracker) deliver(ctx context.Context, answers []Answer) (again []Answer) {
	calls := make([]*bank.Call, len(answers))
	for i, a := range answers {
		success := a.Outcome == Succeeded
		key := bank.ChannelKey(0, 0, "channel_result", "", a.Transfer, fmt.Sprint(success))
		calls[i] = &bank.Call{Key: key, Body: key, Command: &bank.ChannelResult{
			Transfer: a.Transfer, Success: success, ChannelSerial: a.Serial, Reason: a.Reason, Date: a.Date,
		}}
	}
	t.options.Caller.DoAll(ctx, calls)
	for i, call := range calls {
		switch {
		case call.Err == nil:
			t.settled(answers[i].Transfer, call.Receipt.Refusal)
		case ctx.Err() != nil || errors.Is(call.Err, bank.ErrStopping):
			// Taken up again after the restart.
		default:
			again = append(again, answers[i])
		}
	}
	return again
}

// settled ends the watch. An answer that contradicts an earlier one changes nothing; the channel's file will
// show which was true.
func (t *Tracker) settled(txn bank.TxnID, r *bank.Refusal) {
	t.mu.Lock()
	t.watch.drop(txn)
	t.mu.Unlock()
	if r != nil && (r.Code != bank.TransferSettledElse || r.Field == "result") {
		t.options.Logger.Warn("a channel's answer was refused", "transfer", txn.String(), "code", r.Code, "field", r.Field)
	}
}

// follow marks what has become unknown, and queries the channel about what has been for a while. A transfer
// that the bank has settled another way is watched no longer.
func (t *Tracker) follow(ctx context.Context, steps []step) {
	if len(steps) == 0 {
		return
	}
	calls := make([]*bank.Call, len(steps))
	for i, s := range steps {
		calls[i] = &bank.Call{Command: &bank.MarkUnknown{Transfer: s.request.Transfer}} // no key: what is marked stays marked
	}
	t.options.Caller.DoAll(ctx, calls)
	for i, call := range calls {
		if r := call.Receipt.Refusal; call.Err == nil && r != nil && !(r.Code == bank.TransferSettledElse && r.Field == bank.FieldUnknown) {
			t.settled(steps[i].request.Transfer, nil)
			continue
		}
		if call.Err == nil && steps[i].mark {
			t.options.Logger.Warn("a channel has not answered; the transfer is unknown until it does", "transfer", steps[i].request.Transfer.String())
		}
		if !steps[i].mark {
			t.port.Query(steps[i].request)
		}
	}
}
