package simulated

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// counter is a bank that counts answers, and may be too busy for the first ones.
type counter struct {
	mu      sync.Mutex
	busy    int
	answers map[bank.TxnID]int
	keys    map[bank.U128]bool
}

func (c *counter) DoAll(_ context.Context, calls []*bank.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range calls {
		if c.busy > 0 {
			c.busy--
			call.Err = bank.ErrOverloaded
			continue
		}
		c.answers[call.Command.(*bank.ChannelResult).Transfer]++
		c.keys[call.Key] = true
	}
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answers)
}

func TestEveryTransferIsAnsweredOnceEvenWhenTheBankIsBusy(t *testing.T) {
	c := &counter{busy: 30, answers: map[bank.TxnID]int{}, keys: map[bank.U128]bool{}}
	channel := Open(c, 5*time.Millisecond, slog.New(slog.DiscardHandler))
	const transfers = 700 // more than one delivery
	for i := range uint64(transfers) {
		channel.Send(actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, i+1), AmountFen: 1})
		if i == 350 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for c.count() < transfers && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	channel.Close()
	for txn, n := range c.answers {
		if n != 1 {
			t.Errorf("%s is answered %d times", txn, n)
		}
	}
	if len(c.answers) != transfers || len(c.keys) != transfers {
		t.Errorf("%d of %d transfers answered under %d keys", len(c.answers), transfers, len(c.keys))
	}
}

// Asked again after a restart, the channel answers under the same key, which the bank recognises.
func TestAnAnswerHasTheSameKeyAfterARestart(t *testing.T) {
	keys := map[bank.U128]bool{}
	for range 2 {
		c := &counter{answers: map[bank.TxnID]int{}, keys: keys}
		channel := Open(c, 0, slog.New(slog.DiscardHandler))
		channel.Send(actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, 7)})
		for c.count() == 0 {
			time.Sleep(time.Millisecond)
		}
		channel.Close()
	}
	if len(keys) != 1 {
		t.Errorf("%d keys for one answer", len(keys))
	}
}
