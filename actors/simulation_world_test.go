package actors

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
)

// world is what the clients know of the bank from its answers, in the order they learned it.
type world struct {
	customers []bank.CustomerNo
	accounts  []bank.AccountNo
	deposits  []contractKnown
	lines     []contractKnown
	loans     []contractKnown
	transfers map[bank.TxnID]*flight // two-phase ones
}

type contractKnown struct {
	no      bank.ContractNo
	account bank.AccountNo
	fen     int64
}

// flight is a two-phase transfer as it was asked for.
type flight struct {
	place     int // in the order they were learned of
	account   bank.AccountNo
	fen       int64
	out       bool
	bound     bool
	requested bank.Date
}

// learn takes what an answer says.
func (w *world) learn(op *operation, r *bank.Receipt) {
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.CustomerRegistered:
			w.customers = append(w.customers, m.CustomerNo)
		case *bank.AccountOpened:
			w.accounts = append(w.accounts, m.AccountNo)
		case *bank.TransferInRequested:
			w.fly(m.TxnID, flight{account: m.AccountNo, fen: m.AmountFen, bound: true, requested: r.Date})
		case *bank.TransferOutRequested:
			w.fly(m.TxnID, flight{account: m.AccountNo, fen: m.AmountFen + m.FeeFen, out: true, bound: m.Bound, requested: r.Date})
		case *bank.DepositOpened:
			w.deposits = append(w.deposits, contractKnown{m.DepositNo, m.AccountNo, m.PrincipalFen})
		case *bank.CreditLineGranted:
			w.lines = append(w.lines, contractKnown{no: m.LineNo, fen: m.LimitFen})
		case *bank.LoanDisbursed:
			w.loans = append(w.loans, contractKnown{m.LoanNo, m.AccountNo, m.PrincipalFen})
		}
	}
}

func (w *world) fly(txn bank.TxnID, f flight) {
	if w.transfers == nil {
		w.transfers = map[bank.TxnID]*flight{}
	}
	f.place = len(w.transfers)
	w.transfers[txn] = &f
}

// contract is the place of a contract among all that are known.
func (w *world) contract(no bank.ContractNo) int {
	place := 0
	for _, list := range [][]contractKnown{w.deposits, w.lines, w.loans} {
		for _, c := range list {
			if c.no == no {
				return place
			}
			place++
		}
	}
	return -1
}

// The people of the simulation. The third is of class Ⅱ, which has limits; the last two come later, if at all.
const (
	people   = 6
	founders = 4
	limited  = 2
)

func registering(person int) *bank.RegisterCustomer {
	return &bank.RegisterCustomer{IDKind: bank.ResidentID, Region: 220113, Person: bank.PersonSealed{
		IDSealed: []byte("220113198506150001"), IDToken: fmt.Sprint("person ", person),
	}}
}

// cardOf is the token of the card bound to all accounts of a customer.
func cardOf(no bank.CustomerNo) string { return "card of " + no.String() }

func open(no bank.CustomerNo, class bank.Class) *bank.OpenAccount {
	return &bank.OpenAccount{Customer: no, Class: class, FaceToFace: true, Card: bank.CardSealed{Token: cardOf(no)}}
}

// prepare founds the bank: nothing fails yet.
func (s *simulation) prepare() {
	funds := []int64{1500, 600, 1_500_000, 3_000_000}
	for person := range founders {
		s.must(registering(person), fmt.Sprint("person ", person))
		no := s.world.customers[person]
		class := bank.Class(1)
		if person == limited {
			class = 2
		}
		s.must(open(no, class), "")
		s.must(&bank.CreditInbound{Account: s.world.accounts[person], AmountFen: funds[person], Bound: true, PayerToken: cardOf(no)}, "")
	}
	rich := s.world.accounts[3]
	s.must(&bank.BuyDeposit{Account: rich, Product: bank.ProductSLC1Y, AmountFen: 100_000}, "")
	s.must(&bank.ApplyLoan{Customer: rich.Customer(), Product: bank.ProductGHD, AmountFen: 500_000, TermMonths: 12}, "")
	s.must(&bank.DrawLoan{Line: s.world.lines[0].no, Account: rich, AmountFen: 100_000, Method: bank.EqualInstalment, Periods: 12}, "")
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
	if op.back == 0 || op.receipt.Refusal != nil {
		s.failf("%s: not carried out", op.text())
	}
}

func (s *simulation) wanted(command bank.Command) *operation {
	s.keys++
	return &operation{command: command, key: bank.U128{Lo: s.keys, Hi: s.seed}, body: bank.U128{Lo: s.keys}}
}

// pick takes one of a list at random, or its last.
func pick[T any](s *simulation, list []T) T { return list[s.rng.IntN(len(list))] }

// random is the next thing a client wants.
func (s *simulation) random() *operation {
	w := &s.world
	account := pick(s, w.accounts)
	fen := s.rng.Int64N(900) + 1
	if account.Class() == 2 && s.one(2) {
		fen += s.rng.Int64N(700_000)
	}
	switch dice := s.rng.IntN(100); {
	case dice < 34:
		payee := w.accounts[1] // everybody pays him
		if s.one(2) {
			payee = pick(s, w.accounts)
		}
		if payee.Class() == 2 && s.one(2) {
			fen, account = s.rng.Int64N(700_000)+1, w.accounts[3]
		}
		op := s.wanted(&bank.TransferInternal{Payer: account, Payee: payee, AmountFen: fen})
		if payee == account && payee.Class() == 2 {
			return &operation{account: account} // its limits are asked first
		}
		if payee == account {
			op.doomed = bank.SameAccount
		}
		return op
	case dice < 46:
		return s.wanted(&bank.TransferOut{Account: account, AmountFen: fen, Bound: s.one(2), PayeeToken: "stranger"})
	case dice < 53:
		return s.wanted(&bank.TransferIn{Account: account, AmountFen: fen})
	case dice < 60:
		return s.wanted(&bank.CreditInbound{Account: account, AmountFen: fen})
	case dice < 72:
		if asked, ok := s.channel.random(); ok {
			return s.result(asked)
		}
	case dice < 76:
		return s.wanted(&bank.BuyDeposit{Account: account, Product: bank.ProductJFC3M, AmountFen: 5000 + s.rng.Int64N(20_000)})
	case dice < 80:
		return s.wanted(&bank.RedeemDeposit{Deposit: pick(s, w.deposits).no, All: s.one(3), AmountFen: s.rng.Int64N(60_000) + 1})
	case dice < 83:
		line := pick(s, w.lines).no
		into := w.accounts[slices.IndexFunc(w.accounts, func(no bank.AccountNo) bool { return no.Customer() == line.Customer() })]
		return s.wanted(&bank.DrawLoan{
			Line: line, Account: into, AmountFen: s.rng.Int64N(300_000) + 1, Method: bank.EqualInstalment, Periods: 12,
		})
	case dice < 86:
		return s.wanted(&bank.RepayLoan{Loan: pick(s, w.loans).no, AmountFen: s.rng.Int64N(60_000) + 1, Settle: s.one(4)})
	case dice < 87:
		return s.wanted(&bank.ApplyLoan{Customer: account.Customer(), Product: bank.ProductNJD, AmountFen: 1_000_000, TermMonths: 12})
	case dice < 90:
		person := founders + s.rng.IntN(people-founders)
		op := s.wanted(registering(person))
		op.person = fmt.Sprint("person ", person)
		return op
	case dice < 92:
		if len(w.accounts) < 10 {
			return s.wanted(open(pick(s, w.customers), 2))
		}
	case dice < 94:
		return s.invalid(account)
	}
	return &operation{account: account}
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
