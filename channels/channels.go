// Package channels is how the bank deals with payment channels (支付渠道): it asks them, waits for what they
// answer, asks again what they have not answered, and compares their files with its books. Start here: Port is
// what a channel's connection implements, Tracker stands between it and the bank, Reconciler reads its files.
//
// The states of a transfer, the schedule, the files and what each difference does: docs/channels.md.
package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// Port is the connection to a channel. The transfer's id is the serial under which the channel knows it: a
// serial sent twice is one transfer. No method but File may block; answers come through Tracker.Answer.
type Port interface {
	// Send asks the channel to move the money.
	Send(r actors.ChannelRequest)
	// Query asks what has become of a serial.
	Query(r actors.ChannelRequest)
	// File is the channel's file of a day, in the format of ReadFile, which the caller closes; ErrNoFile: there is none
	// yet.
	File(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error)
}

// ErrNoFile: the channel has no file of the day yet.
var ErrNoFile = errors.New("channels: there is no file of that day yet")

// Outcome is what a channel says of a transfer.
type Outcome uint8

// The outcomes.
const (
	InProgress Outcome = iota // it knows the serial, and not how it will end
	Succeeded
	Failed   // for certain: the money has not moved and will not
	NotKnown // it has never had the serial
)

// Answer is a channel's answer to a request or query.
type Answer struct {
	Transfer bank.TxnID
	Outcome  Outcome
	Serial   string // the channel's own
	Reason   string // of a failure
	// Date is the accounting date it is booked on, of demonstrations; zero: the day it comes.
	Date bank.Date
}

// Schedule (查询计划) says how long a channel may be silent and when it is asked again.
type Schedule struct {
	// Deadline is how long after a request its answer may take; behind it the transfer is UNKNOWN.
	Deadline time.Duration
	// Queries are the pauses since the transfer became unknown at which the channel is asked; Every is the pause
	// after the last of them, until there is an answer or the channel's file decides.
	Queries []time.Duration
	Every   time.Duration
}

// DefaultSchedule is SPEC 3.2's; the deadline is that of 超级网银.
func DefaultSchedule() Schedule {
	return Schedule{
		Deadline: 20 * time.Second,
		Queries:  []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
		Every:    30 * time.Minute,
	}
}

// query is when the n-th query (from 0) is due after the transfer became unknown.
func (s *Schedule) query(n int) time.Duration {
	if n < len(s.Queries) {
		return s.Queries[n]
	}
	last := time.Duration(0)
	if len(s.Queries) > 0 {
		last = s.Queries[len(s.Queries)-1]
	}
	return last + time.Duration(n-len(s.Queries)+1)*s.Every
}

// ThroughAPI is the port of a channel that is told elsewhere, answers through the API and can't be asked.
type ThroughAPI struct{}

// Send implements Port.
func (ThroughAPI) Send(actors.ChannelRequest) {}

// Query implements Port.
func (ThroughAPI) Query(actors.ChannelRequest) {}

// File implements Port.
func (ThroughAPI) File(context.Context, bank.Channel, bank.Date) (io.ReadCloser, error) {
	return nil, ErrNoFile
}

// Inbox (收件目录) is a directory in which channels, or operators, put files.
type Inbox struct{ Dir string }

// File opens the file of a channel's day, CHANNEL-YYYY-MM-DD.csv; ErrNoFile: there is none.
func (i Inbox) File(channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(i.Dir, fmt.Sprintf("%s-%s.csv", channel, day)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}
