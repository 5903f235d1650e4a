// Package simulated is a payment channel (支付渠道) without a bank behind it: it stands where UnionPay or IBPS
// would, in demonstrations and tests. It pays everything, unless it is told to misbehave, and keeps the daily
// file a channel would send.
package simulated

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
)

// Behaviour is how the channel treats one transfer. The zero value pays and answers once, after the delay.
type Behaviour struct {
	Refuse bool          // it refuses, and says why
	Silent bool          // its answer is lost; a query finds what it did
	Lost   bool          // the request itself is lost: it has never heard of it
	Stuck  bool          // it says that it does not know yet, until its file does
	Twice  bool          // it answers twice
	Turns  bool          // it answers, and then the opposite
	Late   time.Duration // more than the delay
}

// Options of a channel. Delay is between a request and its answer.
type Options struct {
	Delay time.Duration
	// Behave says how a request is treated; nil: all are paid.
	Behave func(actors.ChannelRequest) Behaviour
	// Receipts lists what the channel is said to have brought on a day, for its file; nil: nothing.
	Receipts func(ctx context.Context, channel bank.Channel, day bank.Date) ([]bank.FileRow, error)
	// Directory keeps the daily files, and with them what was paid, over restarts; empty: they are in memory.
	Directory string
	Logger    *slog.Logger
}

// Channel is a simulated channel.
type Channel struct {
	options Options
	answer  func(channels.Answer)
	files   files

	mu     sync.Mutex
	queue  []due // by time, nearly
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

// due is an answer to be given.
type due struct {
	at time.Time
	channels.Answer
}

// Open starts a channel that answers through answer.
func Open(o Options, answer func(channels.Answer)) (*Channel, error) {
	if o.Behave == nil {
		o.Behave = func(actors.ChannelRequest) Behaviour { return Behaviour{} }
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Channel{
		options: o, answer: answer,
		wake:   make(chan struct{}, 1), // one token: there is something new
		cancel: cancel, ended: make(chan struct{}),
	}
	if err := c.files.open(o.Directory); err != nil {
		cancel()
		return nil, err
	}
	go c.run(ctx)
	return c, nil
}

// Send implements channels.Port. A serial it has is not paid again, its answer is given again.
func (c *Channel) Send(r actors.ChannelRequest) {
	b := c.options.Behave(r)
	if b.Lost && !r.Unknown && !r.Again {
		return
	}
	known, err := c.files.add(r, !b.Refuse)
	if err != nil {
		// It has not been paid: what the channel can't write down it does not do. A query will say so.
		c.options.Logger.Error("simulated channel: the daily file can't be written", "cause", err)
		return
	}
	if b.Silent || b.Stuck {
		return
	}
	a := answerOf(r, known)
	c.later(a, c.options.Delay+b.Late)
	switch {
	case b.Twice:
		c.later(a, c.options.Delay+b.Late)
	case b.Turns:
		c.later(answerOf(r, !known), c.options.Delay+b.Late)
	}
}

// Query implements channels.Port.
func (c *Channel) Query(r actors.ChannelRequest) {
	paid, known, err := c.files.find(r)
	switch {
	case err != nil:
		c.options.Logger.Error("simulated channel: the daily file can't be read", "cause", err)
	case !known:
		c.later(channels.Answer{Transfer: r.Transfer, Outcome: channels.NotKnown}, c.options.Delay)
	case c.options.Behave(r).Stuck:
		c.later(channels.Answer{Transfer: r.Transfer, Outcome: channels.InProgress}, c.options.Delay)
	default:
		c.later(answerOf(r, paid), c.options.Delay)
	}
}

// File implements channels.Port.
func (c *Channel) File(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	var receipts []byte
	if c.options.Receipts != nil {
		rows, err := c.options.Receipts(ctx, channel, day)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			receipts = channels.AppendRow(receipts, &rows[i])
		}
	}
	text, err := c.files.read(channel, day, receipts)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// reasonRefused is why the channel refuses.
const reasonRefused = "refused by the simulated channel"

func answerOf(r actors.ChannelRequest, paid bool) channels.Answer {
	a := channels.Answer{Transfer: r.Transfer, Outcome: channels.Succeeded, Serial: serialOf(r), Date: r.Date}
	if !paid {
		a.Outcome, a.Reason = channels.Failed, reasonRefused
	}
	return a
}

func serialOf(r actors.ChannelRequest) string { return "SIM" + r.Transfer.String() }

func (c *Channel) later(a channels.Answer, delay time.Duration) {
	c.mu.Lock()
	c.queue = append(c.queue, due{time.Now().Add(delay), a})
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close stops answering.
func (c *Channel) Close() error {
	c.cancel()
	<-c.ended
	return c.files.close()
}

func (c *Channel) run(ctx context.Context) {
	defer close(c.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		ready, wait := c.ready(time.Now())
		for _, a := range ready {
			c.answer(a.Answer)
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

// ready takes the answers whose time has come and tells how long until the next. The few that come later than
// the others are looked for among all.
func (c *Channel) ready(now time.Time) (out []due, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = time.Hour
	rest := c.queue[:0]
	for _, d := range c.queue {
		if d.at.After(now) {
			wait = min(wait, d.at.Sub(now))
			rest = append(rest, d)
		} else {
			out = append(out, d)
		}
	}
	clear(c.queue[len(rest):])
	c.queue = rest
	return out, wait
}

// ByAmount lets the last four digits of an amount in fen say how the channel misbehaves, so that a
// demonstration can ask for anything: see the table in docs/channels.md.
func ByAmount(r actors.ChannelRequest) Behaviour {
	switch r.AmountFen % 10_000 {
	case 9901:
		return Behaviour{Refuse: true}
	case 9902:
		return Behaviour{Silent: true}
	case 9903:
		return Behaviour{Lost: true}
	case 9904:
		return Behaviour{Stuck: true}
	case 9905:
		return Behaviour{Twice: true}
	case 9906:
		return Behaviour{Turns: true}
	case 9907:
		return Behaviour{Late: lateBy}
	case 9908:
		return Behaviour{Refuse: true, Silent: true}
	case 9909:
		return Behaviour{Refuse: true, Turns: true}
	}
	return Behaviour{}
}

// lateBy is behind every channel's deadline.
const lateBy = 25 * time.Second
