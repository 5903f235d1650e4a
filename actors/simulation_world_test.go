package actors

import (
	"fmt"
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
)

// world is what the clients know of the bank from its answers, in the order they learned it.
type world struct {
	customers  []bank.CustomerNo
	accounts   []bank.AccountNo
	deposits   []contractKnown
	lines      []contractKnown
	loans      []contractKnown
	suspense   []suspenseKnown
	stops      []stopKnown
	deductions []deductionKnown
	closing    []bank.AccountNo // or left open after all
	transfers  []*flight
	flights    map[bank.TxnID]*flight
	places     map[any]int // of contracts and suspenses
}

type contractKnown struct {
	no      bank.ContractNo
	account bank.AccountNo
	fen     int64
	// Of a deposit:
	product          string
	opened, maturity bank.Date
}

type suspenseKnown struct {
	txn bank.TxnID
	fen int64
}

// stopKnown is a restriction, a hold, or a hold of a deposit.
type stopKnown struct {
	id      bank.TxnID
	place   int
	account bank.AccountNo
	deposit bank.ContractNo // zero: it is of the account
	hold    bank.HoldKind   // empty: it is a restriction
	fen     int64
}

type deductionKnown struct {
	id      bank.TxnID
	account bank.AccountNo
}

// flight is a transfer as it was asked for.
type flight struct {
	txn       bank.TxnID
	place     int          // in the order they were learned of
	kind      bank.Command // without its fields: what began it
	account   bank.AccountNo
	payee     bank.AccountNo
	fen, fee  int64
	out       bool
	bound     bool
	requested bank.Date
}

// learn takes what an answer, or the journal, says.
func (w *world) learn(events []bank.Event, on bank.Date) {
	for _, e := range events {
		switch m := e.(type) {
		case *bank.CustomerRegistered:
			w.customers = append(w.customers, m.CustomerNo)
		case *bank.AccountOpened:
			w.accounts = append(w.accounts, m.AccountNo)
		case *bank.InboundCredited:
			w.fly(flight{txn: m.TxnID, kind: (*bank.CreditInbound)(nil), account: m.AccountNo, fen: m.AmountFen, bound: m.Bound, requested: on})
		case *bank.InternalTransferred:
			w.fly(flight{txn: m.TxnID, kind: (*bank.TransferInternal)(nil), account: m.Payer, payee: m.Payee, fen: m.AmountFen, fee: m.FeeFen, requested: on})
		case *bank.TransferInRequested:
			w.fly(flight{txn: m.TxnID, kind: (*bank.TransferIn)(nil), account: m.AccountNo, fen: m.AmountFen, bound: true, requested: on})
		case *bank.TransferOutRequested:
			w.fly(flight{
				txn: m.TxnID, kind: (*bank.TransferOut)(nil), account: m.AccountNo, fen: m.AmountFen, fee: m.FeeFen, out: true,
				bound: m.Bound, requested: on,
			})
		case *bank.DepositOpened:
			w.deposit(m)
		case *bank.DepositRolledOver:
			w.deposit(&m.Next)
		case *bank.CreditLineGranted:
			w.place(m.LineNo)
			w.lines = append(w.lines, contractKnown{no: m.LineNo, fen: m.LimitFen})
		case *bank.LoanDisbursed:
			w.place(m.LoanNo)
			w.loans = append(w.loans, contractKnown{no: m.LoanNo, account: m.AccountNo, fen: m.PrincipalFen})
		case *bank.SuspenseBooked:
			w.place(m.TxnID)
			w.suspense = append(w.suspense, suspenseKnown{m.TxnID, m.AmountFen})
		default:
			w.learnStop(e)
		}
	}
}

func (w *world) learnStop(e bank.Event) {
	add := func(k stopKnown) {
		if w.stop(k.id) == nil {
			k.place = len(w.stops)
			w.stops = append(w.stops, k)
		}
	}
	switch m := e.(type) {
	case *bank.AccountRestricted:
		add(stopKnown{id: m.ID, account: m.AccountNo, fen: m.AmountFen})
	case *bank.HoldPlaced:
		add(stopKnown{id: m.HoldID, account: m.AccountNo, hold: m.Kind, fen: m.AskedFen})
	case *bank.AccountClosing:
		w.closing = append(w.closing, m.AccountNo)
	case *bank.HoldDeducted:
		w.deductions = append(w.deductions, deductionKnown{m.DeductionID, m.AccountNo})
	case *bank.DepositPledged:
		add(stopKnown{id: m.HoldID, deposit: m.DepositNo, fen: m.AmountFen})
	case *bank.DepositProofIssued:
		add(stopKnown{id: m.HoldID, deposit: m.DepositNo, fen: m.AmountFen})
	case *bank.DepositFrozen:
		add(stopKnown{id: m.HoldID, deposit: m.DepositNo, fen: m.AmountFen})
	}
}

func (w *world) deposit(m *bank.DepositOpened) {
	w.place(m.DepositNo)
	w.deposits = append(w.deposits, contractKnown{m.DepositNo, m.AccountNo, m.PrincipalFen, m.Product, m.OpenDate, m.MaturityDate})
}

func (w *world) fly(f flight) {
	if w.flights == nil {
		w.flights = map[bank.TxnID]*flight{}
	}
	if w.flights[f.txn] == nil {
		f.place = len(w.transfers)
		w.flights[f.txn] = &f
		w.transfers = append(w.transfers, &f)
	}
}

// place is that of a contract or suspense among all that are known.
func (w *world) place(no any) int {
	if w.places == nil {
		w.places = map[any]int{}
	}
	place, ok := w.places[no]
	if !ok {
		place = len(w.places)
		w.places[no] = place
	}
	return place
}

// held are the stops of deposits, also those that are over.
func (w *world) held() (held []stopKnown) {
	for _, k := range w.stops {
		if k.deposit != 0 {
			held = append(held, k)
		}
	}
	return held
}

func (w *world) stop(id bank.TxnID) *stopKnown {
	for i := range w.stops {
		if w.stops[i].id == id {
			return &w.stops[i]
		}
	}
	return nil
}

// The people of the simulation. The first four are there from the beginning; the last two come later, if at all.
const (
	people   = 6
	founders = 4
)

func registering(person int) *bank.RegisterCustomer {
	return &bank.RegisterCustomer{IDKind: bank.ResidentID, Region: 220113, Person: bank.PersonSealed{
		IDSealed: []byte("220113198506150001"), IDToken: fmt.Sprint("person ", person),
	}}
}

// cardOf is the token of a card of a customer; the first is bound to all his accounts from the beginning.
func cardOf(no bank.CustomerNo, card int) string { return fmt.Sprintf("card %d of %s", card, no) }

func cardNumber(token string) (card int) {
	if token != "" {
		if _, err := fmt.Sscanf(token, "card %d of", &card); err != nil {
			panic(err)
		}
	}
	return card
}

func open(no bank.CustomerNo, class bank.Class, met bool) *bank.OpenAccount {
	return &bank.OpenAccount{Customer: no, Class: class, FaceToFace: met, Card: bank.CardSealed{Token: cardOf(no, 0)}}
}

// Fees of the simulated bank, in fen; feeOf has them a second time.
func simulationCatalogue() *bank.Catalogue {
	c := bank.DefaultCatalogue()
	c.Transfers.Fees = bank.FeeTable{
		{Move: bank.MoveInternal, UpToFen: 300, FeeFen: 1}, {Move: bank.MoveOutNonBound, FeeFen: 5}, {Move: bank.MoveOutNonBound, UpToFen: 500, FeeFen: 2},
	}
	return c
}

func feeOf(command bank.Command) int64 {
	switch m := command.(type) {
	case *bank.TransferInternal:
		if m.AmountFen <= 300 {
			return 1
		}
	case *bank.TransferOut:
		switch {
		case m.Bound:
		case m.AmountFen <= 500:
			return 2
		default:
			return 5
		}
	}
	return 0
}

// The bank is founded three months before the history begins, so that on its first night deposits are due and
// interest of quarters is. One history begins on an ordinary day, one before and one on a settlement day, one on the
// last of the year.
var simulationDays = []struct{ founded, begins time.Time }{
	{date(2026, 8, 24), date(2026, 11, 23)}, {date(2026, 9, 20), date(2026, 12, 19)},
	{date(2026, 9, 21), date(2026, 12, 20)}, {date(2026, 10, 1), date(2026, 12, 31)},
}

func date(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 10, 0, 0, 0, shanghai)
}

// prepare founds the bank: nothing fails yet.
func (s *simulation) prepare(begins time.Time) {
	funds := []int64{1500, 600, 1_500_000, 3_000_000}
	for person := range founders {
		s.must(registering(person), fmt.Sprint("person ", person))
		no := s.world.customers[person]
		class := bank.Class(1)
		if person == 2 { // who has limits
			class = 2
		}
		s.must(open(no, class, true), "")
		s.must(&bank.CreditInbound{Account: s.world.accounts[person], AmountFen: funds[person], Bound: true, PayerToken: cardOf(no, 0)}, "")
	}
	rich := s.world.accounts[3]
	s.must(&bank.BuyDeposit{Account: rich, Product: bank.ProductSLC1Y, AmountFen: 100_000}, "")
	rollover := []bank.Rollover{bank.RolloverNone, bank.RolloverPrincipal, bank.RolloverPrincipalAndInterest}[s.rng.IntN(3)]
	s.must(&bank.BuyDeposit{Account: rich, Product: bank.ProductJFC3M, AmountFen: 200_000 + s.rng.Int64N(99_999), Rollover: rollover}, "")
	s.must(&bank.BuyDeposit{Account: s.world.accounts[2], Product: bank.ProductJFC3M, AmountFen: 33_333}, "")
	s.began, s.clock = time.Now(), begins
	s.workedOff()
	s.must(&bank.ApplyLoan{Customer: rich.Customer(), Product: bank.ProductGHD, AmountFen: 500_000, TermMonths: 12}, "")
	s.must(&bank.DrawLoan{Line: s.world.lines[0].no, Account: rich, AmountFen: 100_000, Method: bank.EqualInstalment, Periods: 12}, "")
	s.must(open(s.world.customers[1], 3, s.one(2)), "")
}

// must has a command carried out.
func (s *simulation) must(command bank.Command, person string) {
	if s.failures != nil {
		return
	}
	c := &client{name: -1}
	c.op = s.wanted(command)
	c.op.person = person
	op := c.op
	s.begin(c)
	s.rest()
	if s.failures == nil && (op.back == 0 || op.receipt.Refusal != nil) {
		s.failf("%s: not carried out", op.text())
	}
}

func (s *simulation) wanted(command bank.Command) *operation {
	s.keys++
	return &operation{command: command, key: bank.U128{Lo: s.keys, Hi: s.seed}, body: bank.U128{Lo: s.keys}}
}

// pick takes one of a list at random.
func pick[T any](s *simulation, list []T) T { return list[s.rng.IntN(len(list))] }

// fen is an amount that some have and some have not, or one about the limits of a class.
func (s *simulation) fen(account bank.AccountNo) int64 {
	fen := s.rng.Int64N(900) + 1
	switch class := account.Class(); {
	case class == 2 && s.one(2):
		fen += s.rng.Int64N(700_000)
	case class == 3 && s.one(2):
		fen += s.rng.Int64N(150_000)
	}
	return fen
}

// random is the next thing a client wants.
func (s *simulation) random() *operation {
	w := &s.world
	account := pick(s, w.accounts)
	look := &operation{account: account}
	if len(w.transfers) > serial.TransfersMax-16 {
		return look
	}
	switch dice := s.rng.IntN(100); {
	case dice < 25:
		return s.wanted(s.payment(account))
	case dice < 33:
		card := ""
		if s.one(3) {
			card = cardOf(account.Customer(), s.rng.IntN(2))
		}
		return s.wanted(&bank.TransferOut{Account: account, AmountFen: s.fen(account), Bound: s.one(2), PayeeToken: "stranger", CardToken: card})
	case dice < 38:
		return s.wanted(&bank.TransferIn{Account: account, AmountFen: s.fen(account)})
	case dice < 43:
		bound := s.one(4)
		return s.wanted(&bank.CreditInbound{Account: account, AmountFen: s.fen(account), Bound: bound, PayerToken: cardOf(account.Customer(), 0)})
	case dice < 52:
		if asked, ok := s.channel.random(); ok {
			return s.result(asked)
		}
	case dice < 60:
		return s.contract(account)
	case dice < 63:
		person := founders + s.rng.IntN(people-founders)
		op := s.wanted(registering(person))
		op.person = fmt.Sprint("person ", person)
		return op
	case dice < 65:
		if len(w.accounts) < 12 {
			return s.wanted(open(pick(s, w.customers), bank.Class(2+s.rng.IntN(2)), s.one(2)))
		}
	case dice < 66:
		return s.invalid(account)
	case dice < 78:
		return s.restricting(account)
	case dice < 87:
		return s.undoing(account)
	case dice < 93:
		return s.keeping(account)
	}
	return look
}

// payment is from one customer to another, or to himself.
func (s *simulation) payment(payer bank.AccountNo) bank.Command {
	w := &s.world
	payee := w.accounts[1] // everybody pays him
	if s.one(2) {
		payee = pick(s, w.accounts)
	}
	if n := len(w.closing); n > 0 && s.one(3) {
		payee = w.closing[n-1] // a permit may have been given before
	}
	if payee == payer && !s.one(8) {
		payee = w.accounts[0]
	}
	fen := s.fen(payer)
	if payee.Class() > 1 && s.one(2) {
		payer, fen = w.accounts[3], s.fen(payee)
	}
	return &bank.TransferInternal{Payer: payer, Payee: payee, AmountFen: fen}
}

// contract is something about deposits and loans.
func (s *simulation) contract(account bank.AccountNo) *operation {
	w := &s.world
	if len(w.places) > serial.ContractsMax-8 {
		return &operation{account: account}
	}
	deposit := pick(s, w.deposits)
	switch s.rng.IntN(14) {
	case 0, 1:
		return s.wanted(&bank.BuyDeposit{Account: account, Product: bank.ProductJFC3M, AmountFen: 5000 + s.rng.Int64N(20_000)})
	case 2, 3:
		return s.wanted(&bank.RedeemDeposit{Deposit: deposit.no, All: s.one(3), AmountFen: s.rng.Int64N(60_000) + 1})
	case 4, 5:
		if len(w.stops) < serial.StopsMax-6 {
			return s.wanted(s.holding(deposit))
		}
	case 6, 7:
		if held := w.held(); len(held) > 0 {
			k := pick(s, held)
			return s.wanted(&bank.ReleaseDepositHold{Deposit: k.deposit, Hold: k.id})
		}
	case 8:
		return s.wanted(&bank.ChangeRollover{Deposit: deposit.no, Rollover: bank.RolloverPrincipalAndInterest})
	case 9, 10:
		line := pick(s, w.lines).no
		into := w.accounts[slices.IndexFunc(w.accounts, func(no bank.AccountNo) bool { return no.Customer() == line.Customer() })]
		return s.wanted(&bank.DrawLoan{
			Line: line, Account: into, AmountFen: s.rng.Int64N(300_000) + 1, Method: bank.EqualInstalment, Periods: 12,
		})
	case 11, 12:
		return s.wanted(&bank.RepayLoan{Loan: pick(s, w.loans).no, AmountFen: s.rng.Int64N(60_000) + 1, Settle: s.one(4)})
	default:
		return s.wanted(&bank.ApplyLoan{Customer: account.Customer(), Product: bank.ProductNJD, AmountFen: 1_000_000, TermMonths: 12})
	}
	return &operation{account: account}
}

// holding keeps a part of a deposit, often of one of which a part is kept already: courts wait for each other.
func (s *simulation) holding(deposit contractKnown) *bank.HoldDeposit {
	if held := s.world.held(); len(held) > 0 && !s.one(3) {
		deposit = s.deposit(held[len(held)-1].deposit)
	}
	m := &bank.HoldDeposit{Deposit: deposit.no, AmountFen: s.rng.Int64N(deposit.fen) + 1}
	m.Kind = []bank.DepositHoldKind{bank.DepositPledge, bank.DepositProof, bank.DepositFreeze, bank.DepositFreeze}[s.rng.IntN(4)]
	if m.Kind == bank.DepositProof || s.one(3) {
		m.Until = s.soon()
	}
	if m.Kind == bank.DepositFreeze {
		m.AmountFen, m.Authority, m.DocumentNo = s.rng.Int64N(2*deposit.fen)+1, "court", "1"
	}
	return m
}

// soon is a day within the history, or behind it.
func (s *simulation) soon() bank.Date { return bank.DateOf(s.now()).AddDays(s.rng.IntN(4)) }

// restricting is something that keeps an owner from his money, or no longer.
func (s *simulation) restricting(account bank.AccountNo) *operation {
	w := &s.world
	if s.one(2) {
		account = w.accounts[1+2*s.rng.IntN(2)] // whom everybody pays, and who has most
	}
	var k stopKnown
	if len(w.stops) > 0 {
		k = pick(s, w.stops)
	}
	switch dice := s.rng.IntN(12); {
	case dice < 5 && len(w.stops) < serial.StopsMax-6:
		kind := []bank.Restriction{
			bank.FrozenAll, bank.PartialFrozen, bank.PartialFrozen, bank.PartialFrozen, bank.DebitStop, bank.AllStop, bank.ReportedLost,
		}[s.rng.IntN(7)]
		m := &bank.RestrictAccount{Account: account, Kind: kind, Authority: "court", DocumentNo: "1"}
		if kind == bank.PartialFrozen {
			m.AmountFen = s.rng.Int64N(2000) + 1
		}
		if s.one(3) {
			m.Until = s.soon()
		}
		return s.wanted(m)
	case dice < 6 && len(w.stops) < serial.StopsMax-6:
		m := &bank.PlaceHold{Account: account, Kind: bank.Pledge, AmountFen: s.fen(account)}
		if s.one(2) {
			m.Kind, m.Until = bank.Proof, s.soon()
		}
		return s.wanted(m)
	case k.id.IsZero() || k.deposit != 0:
	case k.hold != "":
		return s.wanted(&bank.ReleaseHold{Hold: k.id})
	case dice < 9:
		return s.wanted(&bank.ReleaseRestriction{Restriction: k.id})
	case dice < 10:
		return s.wanted(&bank.RenewRestriction{Restriction: k.id, Until: s.soon().AddDays(1)})
	case dice < 11 && len(w.deductions) > 0:
		return s.wanted(&bank.RemitDeduction{Deduction: pick(s, w.deductions).id, Success: s.one(2)})
	default:
		return s.wanted(&bank.DeductHold{Hold: k.id, AmountFen: s.rng.Int64N(600) + 1, DocumentNo: "2"})
	}
	return &operation{account: account}
}

// undoing puts something right that has happened: what a channel, its file or a teller finds.
func (s *simulation) undoing(account bank.AccountNo) *operation {
	w := &s.world
	f := pick(s, w.transfers)
	if s.one(2) {
		f = w.transfers[len(w.transfers)-1] // while it is still warm
	}
	dice := s.rng.IntN(14)
	if dice > 3 && dice < 12 { // only what has gone out can come back
		for range 8 {
			if f.out {
				break
			}
			f = pick(s, w.transfers)
		}
	}
	switch dice {
	case 0, 1, 2, 3:
		return s.wanted(&bank.ReverseTransaction{Transfer: f.txn, Reason: "mistake"})
	case 4, 5:
		return s.wanted(&bank.ReturnTransfer{Transfer: f.txn, AmountFen: max(1, f.fen-s.rng.Int64N(f.fen)*s.rng.Int64N(2))})
	case 6:
		return s.wanted(&bank.RefundFee{Transfer: f.txn, AmountFen: s.rng.Int64N(3) + 1})
	case 7:
		return s.wanted(&bank.CollectAdvance{Account: account})
	case 8:
		return s.wanted(&bank.ClaimShortage{Transfer: f.txn})
	case 9:
		return s.wanted(&bank.RepayShortage{Transfer: f.txn})
	case 10, 11:
		return s.wanted(&bank.MarkUnknown{Transfer: f.txn})
	case 12:
		if len(w.suspense) < 3 {
			kind := []bank.SuspenseKind{bank.Held, bank.Surplus}[s.rng.IntN(2)]
			return s.wanted(&bank.BookSuspense{House: bank.HouseNo(0), Kind: kind, Channel: bank.ChannelIBPS, AmountFen: s.rng.Int64N(900) + 1, Reason: "nobody's"})
		}
	default:
		if len(w.suspense) > 0 {
			k := pick(s, w.suspense)
			end := &bank.EndSuspense{Txn: k.txn, Way: bank.ToChannel, AmountFen: k.fen}
			if s.one(2) {
				end.Way, end.Account = bank.ToAccount, account
			}
			return s.wanted(end)
		}
	}
	return &operation{account: account}
}

// keeping is about the account itself: its owner's limits and cards, its end.
func (s *simulation) keeping(account bank.AccountNo) *operation {
	no := account.Customer()
	switch s.rng.IntN(10) {
	case 0, 1:
		return s.wanted(&bank.SetLimits{Account: account, Limits: bank.OwnLimits{TransactionFen: s.rng.Int64N(2) * 700, DayFen: s.rng.Int64N(2) * 1500}})
	case 2, 3:
		return s.wanted(&bank.AddCard{Account: account, Card: bank.CardSealed{Token: cardOf(no, s.rng.IntN(2))}})
	case 4:
		return s.wanted(&bank.RemoveCard{Account: account, CardToken: cardOf(no, s.rng.IntN(2))})
	case 5, 6:
		return s.wanted(&bank.PrepareClosing{Account: account})
	case 7:
		return s.wanted(&bank.WithdrawClosing{Account: account})
	}
	if n := len(s.world.closing); n > 0 {
		account = s.world.closing[n-1]
		no = account.Customer()
	}
	m := &bank.CloseAccount{Account: account}
	for _, to := range s.world.accounts {
		if to != account && to.Customer() == no && s.one(2) {
			m.To = to
		}
	}
	return s.wanted(m)
}

// invalid is a command that can only be refused.
func (s *simulation) invalid(account bank.AccountNo) *operation {
	stranger := bank.NewAccountNo(1, s.world.customers[0], 7)
	var op *operation
	switch s.rng.IntN(4) {
	case 0:
		op = s.wanted(&bank.TransferInternal{Payer: account, Payee: stranger, AmountFen: 1})
		op.doomed = bank.PayeeUnknown
	case 1:
		op = s.wanted(&bank.TransferOut{Account: account, AmountFen: 0, PayeeToken: "stranger"})
		op.doomed = bank.AmountInvalid
	case 2:
		op = s.wanted(&bank.TransferOut{Account: stranger, AmountFen: 1, PayeeToken: "stranger"})
		op.doomed = bank.AccountUnknown
	default:
		op = s.wanted(&bank.BuyDeposit{Account: account, Product: "NONE", AmountFen: 5000})
		op.doomed = bank.ProductUnknown
	}
	return op
}

// result is an answer of the channel. Most carry the key that belongs to the transfer, so that saying it
// twice is saying it once; some do not.
func (s *simulation) result(asked ChannelRequest) *operation {
	op := s.wanted(&bank.ChannelResult{Transfer: asked.Transfer, Success: s.rng.IntN(10) < 7})
	if s.one(3) {
		return op
	}
	op.key = bank.U128{Lo: asked.Transfer.Lo, Hi: ^asked.Transfer.Hi}
	if at := slices.IndexFunc(s.ops, func(o *operation) bool { return o.key == op.key }); at >= 0 {
		return s.ops[at]
	}
	return op
}
