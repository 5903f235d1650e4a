package streams_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
)

func (p *press) payMany(n uint64) {
	p.Helper()
	for i := range n {
		p.pay(1+i%50, 1+(i+7)%50)
	}
}

func (p *press) cursorPath() string { return filepath.Join(p.dir, "relay.json") }

// Without its file the relay finds in every partition where it was, and repeats nothing.
func TestTheBrokerItselfSaysWhereToGoOn(t *testing.T) {
	p := newPress(t)
	for range 4 {
		p.payMany(300)
		p.publish()
		if err := os.Remove(p.cursorPath()); err != nil {
			t.Fatal(err)
		}
	}
	messages, repeats, last := p.seen()
	if messages != 2400 || repeats != 0 {
		t.Errorf("%d messages, %d repeats", messages, repeats)
	}
	p.complete(last)
}

// The broker lost messages; the relay begins to publish them again and dies before it has noted anything.
// By then the partitions may be as long as they were, and must not look whole.
func TestARefillThatDiesLeavesNoHole(t *testing.T) {
	p := newPress(t)
	p.payMany(4000) // more than a round
	p.publish()
	p.payMany(100)
	p.publish()
	p.close()
	p.tearLastBatches()
	answers := p.openDeaf()
	_, stop := p.running()
	for start := time.Now(); answers.swallowed.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("nothing was published")
		}
	}
	stop()
	answers.deaf.Store(false)
	p.publish()
	_, _, last := p.seen()
	p.complete(last)
}

// tearLastBatches cuts into the end of every partition of the accounts' topic, as a power failure does.
func (p *press) tearLastBatches() {
	p.Helper()
	logs, err := filepath.Glob(filepath.Join(p.dir, "stream", "kafka", "partitions", bank.TopicAccount+"-*", "*.dat"))
	if err != nil || len(logs) != streams.PartitionsPerTopic {
		p.Fatalf("logs %v: %v", logs, err)
	}
	for _, path := range logs {
		about, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, about.Size()-10)
		}
		if err != nil {
			p.Fatal(err)
		}
	}
}

// deafListener swallows the broker's answers to Produce requests while deaf.
type deafListener struct {
	net.Listener
	deaf      atomic.Bool
	swallowed atomic.Int64
}

type deafConn struct {
	net.Conn
	listener *deafListener
	in       []byte
	key      atomic.Uint32 // of the request under way; the broker works on one at a time
}

func (p *press) openDeaf() *deafListener {
	p.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.Fatal(err)
	}
	deaf := &deafListener{Listener: l}
	deaf.deaf.Store(true)
	if p.broker, err = broker.Open(filepath.Join(p.dir, "stream"), deaf, nil, slog.New(slog.DiscardHandler)); err != nil {
		p.Fatal(err)
	}
	return deaf
}

func (l *deafListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &deafConn{Conn: c, listener: l}, err
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in = append(c.in, p[:n]...)
	for len(c.in) >= 6 {
		c.key.Store(uint32(binary.BigEndian.Uint16(c.in[4:])))
		size := 4 + int(binary.BigEndian.Uint32(c.in))
		if len(c.in) < size {
			break
		}
		c.in = c.in[size:]
	}
	return n, err
}

func (c *deafConn) Write(p []byte) (int, error) {
	if c.key.Load() == 0 && c.listener.deaf.Load() {
		c.listener.swallowed.Add(1)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Anyone who reaches the port can write to a topic. What he claims there must not make the relay skip.
func TestAStrangersMessageAtTheEndOfAPartitionSkipsNothing(t *testing.T) {
	p := newPress(t)
	p.payMany(300)
	p.publish()
	for partition := range streams.PartitionsPerTopic {
		for _, claim := range []string{"pos=99999999", "pos=9999999999999999999999", "pos=350"} {
			cmd := exec.Command("kcat", "-b", p.address, "-P", "-t", bank.TopicAccount, "-p", fmt.Sprint(partition), "-H", claim, "-H", "ce_id=01HZZZZZZZZZZZZZZZZZZZZZZZ")
			cmd.Stdin = strings.NewReader(`{"customer_token":"nobody","actor_seq":0}`)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("kcat: %v\n%s", err, out)
			}
		}
	}
	if err := os.Remove(p.cursorPath()); err != nil {
		t.Fatal(err)
	}
	p.payMany(100)
	p.publish()
	_, _, last := p.seen()
	p.complete(last)
}

// An event that no broker takes can't be skipped: that would be a hole. The bank must hear of it.
func TestAnEventTooLargeForTheBrokerEndsTheRelay(t *testing.T) {
	p := newPress(t)
	p.payMany(10)
	body, err := bank.Encode(&bank.CustomerRegistered{CustomerNo: 60, Branch: strings.Repeat("x", 2<<20)})
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := p.journal.Claim(9)
	if err != nil {
		t.Fatal(err)
	}
	err = p.journal.Append(&journal.Record{Kind: journal.KindDecision, Shard: 9, Epoch: epoch, Customer: 60, Seq: 1, AccountingDate: 20261124,
		Events: []journal.Event{{Customer: 60, Type: uint16(bank.EventCustomerRegistered), Body: body}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.journal.WaitDurable(t.Context(), p.journal.Last()); err != nil {
		t.Fatal(err)
	}
	r := p.relay()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Run(ctx); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("position %d", p.journal.Last())) {
		t.Errorf("Run: %v", err)
	}
	if err := r.Drain(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain after the relay's end: %v", err)
	}
}
