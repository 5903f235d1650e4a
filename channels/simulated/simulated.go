// Package simulated is a payment channel (支付渠道) that pays everything: it stands where UnionPay or
// IBPS would, in demonstrations and tests. It answers each request once, by itself, after a set delay,
// through the same command a real channel's answer takes.
package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// Caller takes the channel's answers.
type Caller interface {
	DoAll(ctx context.Context, calls []*bank.Call)
}

// AnswersMax is how many answers go into one delivery.
const AnswersMax = 512

// Channel answers transfers with success after Delay.
type Channel struct {
	caller Caller
	delay  time.Duration
	logger *slog.Logger

	mu     sync.Mutex
	queue  []asked // by due time, nearly: only answers given again have a longer delay
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

type asked struct {
	due time.Time
	actors.ChannelRequest
}

// Open starts a channel that answers through caller. Close it before the caller.
func Open(caller Caller, delay time.Duration, logger *slog.Logger) *Channel {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Channel{
		caller: caller, delay: delay, logger: logger,
		wake:   make(chan struct{}, 1), // one token: there is something new
		cancel: cancel, ended: make(chan struct{}),
	}
	go c.run(ctx)
	return c
}

// Send takes a request; it never blocks. Requests asked again after a restart are answered again, which
// the bank recognises.
func (c *Channel) Send(r actors.ChannelRequest) {
	c.send(r, c.delay)
}

func (c *Channel) send(r actors.ChannelRequest, delay time.Duration) {
	c.mu.Lock()
	c.queue = append(c.queue, asked{time.Now().Add(delay), r})
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close stops answering. What was not answered is asked again after a restart.
func (c *Channel) Close() {
	c.cancel()
	<-c.ended
}

func (c *Channel) run(ctx context.Context) {
	defer close(c.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		ready, wait := c.due(time.Now())
		if len(ready) > 0 {
			c.answer(ctx, ready)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// due takes the requests whose time has come and tells how long until the next.
func (c *Channel) due(now time.Time) ([]asked, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.queue) && n < AnswersMax && !c.queue[n].due.After(now) {
		n++
	}
	ready := append([]asked(nil), c.queue[:n]...)
	c.queue = append(c.queue[:0], c.queue[n:]...)
	if len(c.queue) == 0 {
		return ready, time.Hour
	}
	return ready, max(time.Until(c.queue[0].due), 0)
}

// againAfter is the least pause before an answer that could not be given is given again, so that a ledger
// that is away is not asked without end.
const againAfter = 100 * time.Millisecond

func (c *Channel) answer(ctx context.Context, ready []asked) {
	calls := make([]*bank.Call, len(ready))
	for i, r := range ready {
		cmd := &bank.ChannelResult{Transfer: r.Transfer, Success: true, ChannelSerial: "SIM" + r.Transfer.String(), Date: r.Date}
		calls[i] = &bank.Call{Command: cmd, Key: keyOf(r.Transfer), Body: keyOf(r.Transfer)}
	}
	c.caller.DoAll(ctx, calls)
	for i, call := range calls {
		switch {
		case call.Err == nil:
			if r := call.Receipt.Refusal; r != nil && r.Code != bank.TransferSettledElse {
				c.logger.Warn("simulated channel: answer refused", "transfer", ready[i].Transfer.String(), "code", r.Code)
			}
		case ctx.Err() != nil || errors.Is(call.Err, bank.ErrStopping):
			// Asked again after the restart.
		default:
			c.send(ready[i].ChannelRequest, max(c.delay, againAfter))
		}
	}
}

// keyOf makes the answer's command id from the transfer, so that answering twice is answering once.
func keyOf(txn bank.TxnID) bank.U128 {
	var in [24]byte
	copy(in[:8], "SIMULATE")
	binary.LittleEndian.PutUint64(in[8:], txn.Lo)
	binary.LittleEndian.PutUint64(in[16:], txn.Hi)
	h := sha256.Sum256(in[:])
	return bank.U128{Lo: binary.LittleEndian.Uint64(h[:]), Hi: binary.LittleEndian.Uint64(h[8:])}
}
