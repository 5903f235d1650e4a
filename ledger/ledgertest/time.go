package ledgertest

import (
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Two events at the same time, or time running backwards, would break every order in the bank.
var timeTests = []conformance{
	{"timestamps only rise, one by one within a request", timestampsRise},
	{"a jump back of the clock stops no one and changes no order", clockJumpsBack},
	{"a hold made after a jump back expires by its own timestamp", holdsAfterAJumpBack},
	{"a moved clock dates the next request", clockMoves},
}

func timestampsRise(d *teller) {
	a, b := d.open2(0)
	last := d.judgedAt()
	for n := 1; n <= 40; n += 13 {
		batch := make([]ledger.Transfer, n)
		for i := range batch {
			batch[i] = d.pay(a, b, 1)
		}
		for i, r := range d.send(batch...) {
			if r.Timestamp <= last || i > 0 && r.Timestamp != last+1 {
				d.Errorf("event %d of %d is dated %d after %d", i, n, r.Timestamp, last)
			}
			last = r.Timestamp
		}
		opened := d.createAccounts(d.newAccount(), d.newAccount())
		if opened[0].Timestamp <= last || opened[1].Timestamp != opened[0].Timestamp+1 {
			d.Errorf("accounts are dated %d and %d after %d", opened[0].Timestamp, opened[1].Timestamp, last)
		}
		last = opened[1].Timestamp
	}
}

func clockMoves(d *teller) {
	d.needClock()
	d.Advance(time.Second) // beyond the timestamps of this test so far
	before := d.judgedAt()
	d.Advance(time.Hour)
	if after := d.judgedAt(); after < before+3600*second || after > before+3601*second {
		d.Errorf("an hour later it is %d ns later", after-before)
	}
}

func clockJumpsBack(d *teller) {
	d.needClock()
	a, b := d.open2(0)
	p := d.timed(a, b, 1, 60)
	last := d.one(created, p)
	for _, jump := range []time.Duration{-500 * time.Second, -time.Hour, time.Second, 30 * time.Minute} {
		d.Advance(jump)
		for i, r := range d.send(d.pay(a, b, 1), spoiler(), d.pay(a, b, 1)) {
			if r.Timestamp <= last {
				d.Errorf("after a jump of %v event %d is dated %d after %d", jump, i, r.Timestamp, last)
			}
			last = r.Timestamp
		}
		d.balances(a, 1, d.account(b).CreditsPosted.Lo, 0, 0) // nothing has expired
	}
	list := d.statement(a)
	for i := 1; i < len(list); i++ {
		if list[i].Timestamp <= list[i-1].Timestamp {
			d.Errorf("transfer %d is out of order", i)
		}
	}
	d.one(created, post(p.ID, ledger.AmountMax))
	d.holdsTheBooks()
}

func holdsAfterAJumpBack(d *teller) {
	d.needClock()
	a, b := d.open2(0)
	d.Advance(time.Second)
	start := d.one(created, d.pay(a, b, 1))
	d.Advance(-100 * time.Second)
	p := d.timed(a, b, 1, 10)
	if at := d.one(created, p); at > start+second {
		d.Fatalf("dated %d after %d", at, start)
	}
	d.Advance(100 * time.Second) // as it was: no time has passed for the hold
	d.balances(a, 1, 1, 0, 0)
	d.Advance(9 * time.Second)
	d.balances(a, 1, 1, 0, 0)
	d.Advance(2 * time.Second)
	d.balances(a, 0, 1, 0, 0)
	d.holdsTheBooks()
}
