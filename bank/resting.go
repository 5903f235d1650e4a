package bank

import (
	"encoding/binary"
	"errors"
	"math"
)

// Most customers do nothing on most days: their accounts and deposits earn interest and that is all. Such a customer
// is at rest (静户). A day's end needs some sixty bytes of him and not his whole state, and nothing else is to be
// decided for him until a day that is known beforehand. The rules are the same for everybody: closing a day reads
// the fields kept here and no others.

// Resting is a customer at rest: of his state what the end of a day reads and changes.
type Resting struct {
	// Until is the first date at whose beginning something else may have to be decided for him.
	Until    Date
	Customer Customer // No, Registered, ClosedOn, and of the deposits what interest depends on
	Desk     Desk     // of the accounts number, product and demand interest

	closed *CustomerDayClosed // decided and not folded in; nil: nothing is
	words  []string           // products' codes read so far, each made once
}

// restingWordsMax bounds the products' codes that a Resting keeps.
const restingWordsMax = 64

// neverDue is a date beyond all others.
const neverDue Date = 9999_12_31

// RestsUntil is the first date at whose beginning something else than to close his days may have to be decided for the
// customer, as long as neither he nor anybody who pays him does anything; ok is false if that is not foreseeable:
// holds, restrictions, loans, money on its way.
func RestsUntil(c *Customer, d *Desk, cat *Catalogue) (until Date, ok bool) {
	if c.Registered == 0 || c.No.IsHouse() || len(c.InFlight)+len(c.Lines)+len(c.Loans) > 0 || c.Unsettled != nil || len(d.Accounts) != len(c.Accounts) {
		return 0, false
	}
	until = neverDue
	for i := range c.Deposits {
		t := &c.Deposits[i]
		switch {
		case t.No != NewContractNo(DepositContract, c.No, uint32(i+1)), len(t.Holds) > 0, t.OverdueAccruedFen != 0,
			baseCode(t.Base) < 0, methodCode(t.Method) < 0, len(t.Product) > math.MaxUint8:
			return 0, false
		case t.PrincipalFen > 0:
			until = min(until, t.MaturityDate)
		}
	}
	for i := range d.Accounts {
		a, s := &c.Accounts[i], &d.Accounts[i]
		if a.No != s.Account || s.Account.Customer() != c.No || a.Special != nil || s.Stopped != nil || s.AdvanceFen != 0 || s.Apart != (Apart{}) ||
			len(s.Demand.Due()) > 0 || len(s.Product) > math.MaxUint8 || baseCode(s.Demand.Base) < 0 || a.State != AccountNormal && a.State != AccountStateClosed {
			return 0, false
		}
		until = min(until, c.restsUntil(a, s, cat))
	}
	return until, true
}

// restsUntil is RestsUntil for an account.
func (c *Customer) restsUntil(a *EAccount, s *Standing, cat *Catalogue) Date {
	until := neverDue
	if a.State == AccountStateClosed {
		return until
	}
	if m := &s.Demand; m.Base != BaseNone && (m.BalanceFen != 0 || m.ClosingFen != 0 || m.FenDays != 0 || m.AccruedFen != 0) {
		until = nextSettlementDay(m.From).AddDays(1)
	}
	if cat.Unlimited(a.Product) {
		return until
	}
	if s.Moved == 0 {
		until = min(until, a.OpenedOn.AddMonths(UnusedMonths, 0))
	}
	if s.BalanceFen() < DormantBelowFen && !c.saves(a.No) {
		until = min(until, s.lastMoved(a).AddMonths(DormantMonths, 0))
	}
	return until
}

// Closes lists the end of his day, as EndOfDay.
func (r *Resting) Closes(date Date) bool { return len(closing(&r.Customer, &r.Desk, date)) > 0 }

// Closed folds the end of his day, which CloseResting has decided, into what is kept of him; false: it has not.
func (r *Resting) Closed() bool {
	m := r.closed
	if m == nil {
		return false
	}
	r.Customer.dayClosed(m)
	r.Desk.dayClosed(m)
	r.closed = nil
	return true
}

// Onto brings the customer's whole state, as it was when he came to rest, to where his days have been closed since.
func (r *Resting) Onto(c *Customer, d *Desk) error {
	if len(c.Deposits) != len(r.Customer.Deposits) || len(d.Accounts) != len(r.Desk.Accounts) {
		return errResting
	}
	c.ClosedOn = r.Customer.ClosedOn
	for i := range r.Customer.Deposits {
		if r.Customer.Deposits[i].PrincipalFen != c.Deposits[i].PrincipalFen {
			return errResting
		}
		c.Deposits[i].AccruedFen = r.Customer.Deposits[i].AccruedFen
	}
	for i := range r.Desk.Accounts {
		if r.Desk.Accounts[i].Account != d.Accounts[i].Account {
			return errResting
		}
		d.Accounts[i].Demand = r.Desk.Accounts[i].Demand
	}
	return nil
}

var errResting = errors.New("bank: what is kept of a customer at rest is malformed or not his")

// Codes of stored words. Values are stored; never reuse one.
var (
	baseCodes   = []InterestBase{"", BaseYuan, BaseFen, BaseNone}
	methodCodes = []InterestMethod{"", MonthsAndOddDays, ActualDays}
)

func baseCode(b InterestBase) int { return storedCode(baseCodes, b) }

func methodCode(m InterestMethod) int { return storedCode(methodCodes, m) }

// storedCode is a word's code; below zero: it has none.
func storedCode[S ~string](words []S, word S) int {
	for i := range words {
		if words[i] == word {
			return i
		}
	}
	return -1
}

// RestingUntil is the Until of a stored form, and the date closed last; zero dates: it is none.
func RestingUntil(b []byte) (until, closedOn Date) {
	if len(b) < restingHeader {
		return 0, 0
	}
	return Date(binary.LittleEndian.Uint32(b)), Date(binary.LittleEndian.Uint32(b[4:]))
}

// DisturbResting makes it unknown, in a stored form, until when the customer rests: he is asked at the next occasion.
func DisturbResting(b []byte) {
	if len(b) >= restingHeader {
		binary.LittleEndian.PutUint32(b, 0)
	}
}

// restingHeader is the size of what RestingUntil reads.
const restingHeader = 8

// AppendResting appends the stored form of a customer for whom RestsUntil is ok.
func AppendResting(b []byte, until Date, c *Customer, d *Desk) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(until))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.ClosedOn))
	b = binary.AppendUvarint(b, uint64(c.Registered))
	b = binary.AppendUvarint(b, uint64(len(d.Accounts)))
	for i := range d.Accounts {
		s := &d.Accounts[i]
		b = binary.AppendUvarint(b, uint64(s.Account)>>48)
		b = append(b, byte(len(s.Product)))
		b = append(b, s.Product...)
		b = append(b, byte(baseCode(s.Demand.Base)))
		b = binary.AppendUvarint(b, uint64(s.Demand.From))
		b = binary.AppendUvarint(b, uint64(s.Demand.Next))
		for _, v := range [...]int64{s.Demand.BalanceFen, s.Demand.FenDays, s.Demand.ClosingFen, s.Demand.AccruedFen} {
			b = binary.AppendVarint(b, v)
		}
		b = append(b, byte(len(s.Demand.Due())))
		for _, p := range s.Demand.Due() {
			b = binary.AppendUvarint(b, uint64(p.From))
			b = binary.AppendUvarint(b, uint64(p.Through))
			b = binary.AppendVarint(b, p.FenDays)
			b = binary.AppendVarint(b, p.AccruedFen)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.Deposits)))
	for i := range c.Deposits {
		t := &c.Deposits[i]
		b = binary.AppendUvarint(b, uint64(t.Subjects.Detail))
		if b = binary.AppendUvarint(b, uint64(t.PrincipalFen)); t.PrincipalFen == 0 {
			continue
		}
		b = append(b, byte(len(t.Product)))
		b = append(b, t.Product...)
		b = append(b, byte(baseCode(t.Base)), byte(methodCode(t.Method)))
		b = binary.AppendUvarint(b, uint64(t.RateE6))
		b = binary.AppendUvarint(b, uint64(t.TermMonths))
		b = binary.AppendUvarint(b, uint64(t.OpenDate))
		b = binary.AppendUvarint(b, uint64(t.MaturityDate))
		b = binary.AppendVarint(b, t.AccruedFen)
	}
	return b
}

// Read reads the form of AppendResting of a customer into r, whose slices it uses again.
func (r *Resting) Read(no CustomerNo, b []byte) error {
	in := restingReader{b: b}
	r.closed = nil
	r.Until, r.Customer.ClosedOn = RestingUntil(b)
	in.next(restingHeader)
	r.Customer.No, r.Customer.Registered = no, Date(in.uint(math.MaxUint32))
	r.Desk.Accounts = r.Desk.Accounts[:0]
	for range in.count() {
		s := Standing{Account: AccountNo(in.uint(math.MaxUint16)<<48 | uint64(no)), Product: r.word(&in)}
		s.Demand.Base = codedBy(&in, baseCodes)
		s.Demand.From, s.Demand.Next = Date(in.uint(math.MaxUint32)), Date(in.uint(math.MaxUint32))
		s.Demand.BalanceFen, s.Demand.FenDays, s.Demand.ClosingFen, s.Demand.AccruedFen = in.int(), in.int(), in.int(), in.int()
		if n := in.code(); n > 0 {
			var due []DemandPeriod
			for range min(n, len(in.b)) {
				due = append(due, DemandPeriod{Date(in.uint(math.MaxUint32)), Date(in.uint(math.MaxUint32)), in.int(), in.int()})
			}
			s.Demand.setDue(due)
		}
		r.Desk.Accounts = append(r.Desk.Accounts, s)
	}
	r.Customer.Deposits = r.Customer.Deposits[:0]
	for i := range in.count() {
		t := Deposit{No: NewContractNo(DepositContract, no, uint32(i+1))}
		t.Subjects.Detail = uint32(in.uint(math.MaxUint32))
		if t.PrincipalFen = int64(in.uint(math.MaxInt64)); t.PrincipalFen != 0 {
			t.Product = r.word(&in)
			t.Base, t.Method = codedBy(&in, baseCodes), codedBy(&in, methodCodes)
			t.RateE6, t.TermMonths = int64(in.uint(math.MaxInt64)), int(in.uint(math.MaxInt32))
			t.OpenDate, t.MaturityDate = Date(in.uint(math.MaxUint32)), Date(in.uint(math.MaxUint32))
			t.AccruedFen = in.int()
		}
		r.Customer.Deposits = append(r.Customer.Deposits, t)
	}
	if in.bad || len(in.b) > 0 {
		return errResting
	}
	return nil
}

// restingReader takes a stored form apart; the first thing that does not fit makes everything after it zero.
type restingReader struct {
	b   []byte
	bad bool
}

func (r *restingReader) next(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *restingReader) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *restingReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of items of at least two bytes each, so that a lying one allocates nothing.
func (r *restingReader) count() int { return int(r.uint(uint64(len(r.b) / 2))) }

func (r *restingReader) code() int {
	if b := r.next(1); b != nil {
		return int(b[0])
	}
	return 0
}

// word is a product's code. The same few are read over and over.
func (r *Resting) word(in *restingReader) string {
	b := in.next(in.code())
	for _, word := range r.words {
		if word == string(b) {
			return word
		}
	}
	word := string(b)
	if len(r.words) < restingWordsMax {
		r.words = append(r.words, word)
	}
	return word
}

func codedBy[S ~string](r *restingReader, words []S) (word S) {
	if code := r.code(); code < len(words) {
		return words[code]
	}
	r.bad = true
	return word
}

// CloseResting (静户日终) closes the date of customers at rest, all of a shard, in one decision of its house. Each has an
// event of his own, as if he had closed his day himself.
type CloseResting struct {
	Shard uint16
	Date  Date
	At    []*Resting // for whom Closes the date; deciding it brings them up to there, but for Closed
}

// Operation name, stable.
func (*CloseResting) Operation() string { return "close_resting" }

func (m *CloseResting) decider() CustomerNo { return HouseNo(m.Shard) }
func (*CloseResting) unknown() RefusalCode  { return CustomerUnknown }
func (*CloseResting) through() Channel      { return ChannelBatch }
func (*CloseResting) ofHouse()              {}

func (m *CloseResting) decide(_ *Customer, env *Env, d *Decision) *Refusal {
	d.Others = make([]OthersEvent, 0, len(m.At))
	for _, r := range m.At {
		e, refusal := closeDay(&r.Customer, &r.Desk, m.Date, env.Catalogue)
		if refusal != nil {
			return refusal
		}
		d.Others = append(d.Others, OthersEvent{r.Customer.No, e})
	}
	for i, r := range m.At {
		r.closed = d.Others[i].Event.(*CustomerDayClosed)
	}
	return nil
}
