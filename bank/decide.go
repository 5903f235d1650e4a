package bank

// Env is what a decision may know besides the customer's state.
type Env struct {
	Millis    int64 // wall clock, milliseconds since 1970
	Date      Date  // accounting date (会计日期)
	Catalogue *Catalogue
	// Birth date of the customer, for age rules; zero when unknown.
	Birth Date
	// Credited is the standing of the account the command credits (CreditOf), its amount admitted.
	Credited Standing
	// Desk is a copy of the customer's own desk, for commands that look at what is on his accounts (NeedsDesk).
	// Others may credit them meanwhile; only he can take anything off.
	Desk *Desk
	// Pending are the customer's decisions without an outcome: each is taken to end so that most of his
	// limits is used, with Least so that least is. Nil: none.
	Pending *Pending
	Least   bool
	// Room for the decision, which is worth nothing once the room is given to another; nil: the decision takes memory of its own.
	Room *Room
	// Past of the transaction the command is about (PastOf); nil: none was asked for, or there is none.
	Past *Past
}

// Decide answers a command for the customer. It changes nothing and asks nobody.
func Decide(c *Customer, cmd Command, env *Env) (Decision, *Refusal) {
	d := Decision{Txn: NewTxnID(env.Millis, c.No, c.Seq+1)}
	if c.No.IsHouse() {
		return decideHouse(c, cmd, env, d)
	}
	if c.Registered == 0 {
		m, ok := cmd.(*RegisterCustomer)
		if !ok {
			return d, &Refusal{Code: CustomerUnknown}
		}
		r := decideRegister(c, m, env, &d)
		return d, r
	}
	var r *Refusal
	switch m := cmd.(type) {
	case *RegisterCustomer:
		r = &Refusal{Code: CustomerExists, Field: "id_number"}
	case *OpenAccount:
		r = decideOpen(c, m, env, &d)
	case *TransferIn:
		r = decideIn(c, m, env, &d)
	case *TransferOut:
		r = decideOut(c, m, env, &d)
	case *TransferInternal:
		r = decideInternal(c, m, env, &d)
	case *CreditInbound:
		r = decideInbound(c, m, env, &d)
	case *ChannelResult:
		r = decideResult(c, m, env, &d)
	case *BuyDeposit:
		r = decideBuy(c, m, env, &d)
	case *RedeemDeposit:
		r = decideRedeem(c, m, env, &d)
	case *ChangeRollover:
		r = decideRolloverChange(c, m, env, &d)
	case *MatureDeposit:
		r = decideMature(c, m, env, &d)
	case *HoldDeposit:
		r = decideHoldDeposit(c, m, env, &d)
	case *ReleaseDepositHold:
		r = decideReleaseDepositHold(c, m, env, &d)
	case *CloseDay:
		r = decideCloseDay(c, m, env, &d)
	case *CreditInterest:
		r = decideCreditInterest(c, m, env, &d)
	case *ApplyLoan:
		r = decideApply(c, m, env, &d)
	case *DrawLoan:
		r = decideDraw(c, m, env, &d)
	case *RepayLoan:
		rare := d // it keeps the address, for which d would be allocated in every decision
		r = decideRepay(c, m, env, &rare)
		d = rare
	case houseCommand:
		r = &Refusal{Code: m.unknown()}
	case ruled:
		rare := d
		r = m.decide(c, env, &rare)
		d = rare
	default:
		panic("bank: no rule for command " + cmd.Operation())
	}
	return d, r
}

// BookedOn is the accounting date a command is to be booked on: today, unless it names another day,
// which only demonstration products allow (checked by Decide), and the bank for the work of a day's end.
func BookedOn(cmd Command, today Date) Date {
	var d Date
	switch m := cmd.(type) {
	case *RegisterCustomer:
		d = m.Date
	case *OpenAccount:
		d = m.Date
	case *TransferIn:
		d = m.Date
	case *TransferOut:
		d = m.Date
	case *TransferInternal:
		d = m.Date
	case *CreditInbound:
		d = m.Date
	case *ChannelResult:
		d = m.Date
	case *CloseDay:
		d = m.Date
	case *CloseResting:
		d = m.Date
	case *PostAccruals:
		d = m.Date
	case *RecordTrialBalance:
		d = m.Date
	}
	if d == 0 {
		return today
	}
	return d
}

func decideRegister(c *Customer, m *RegisterCustomer, env *Env, d *Decision) *Refusal {
	if m.Date != 0 && m.IDKind != OtherID {
		return &Refusal{Code: DateNotAllowed, Field: "registered_on"}
	}
	d.Events = []Event{&CustomerRegistered{
		CustomerNo: c.No, IDKind: m.IDKind, Person: m.Person, Region: m.Region, Channel: m.Channel,
		Branch: m.Branch, ReferrerCode: m.ReferrerCode, Registered: env.Date,
	}}
	return nil
}

// Apply folds one of the customer's own events into his state.
func (c *Customer) Apply(e Event, on Date) {
	switch m := e.(type) {
	case *CustomerRegistered:
		c.Registered, c.IDKind, c.Person, c.Region = m.Registered, m.IDKind, m.Person, m.Region
	case *AccountOpened:
		if a := c.account(m.AccountNo); a != nil { // it was applied for
			a.State, a.OpenedOn = AccountNormal, m.OpenedOn
			return
		}
		c.Accounts = append(c.Accounts, EAccount{
			No: m.AccountNo, Product: m.Product, State: AccountNormal, OpenedOn: m.OpenedOn, FaceToFace: m.FaceToFace,
		})
	case *TransferInRequested:
		c.InFlight = append(c.InFlight, InFlight{
			Txn: m.TxnID, Account: m.AccountNo, AmountFen: m.AmountFen, Channel: m.Channel, PendingID: m.PendingID, Date: on,
		})
	case *TransferOutRequested:
		f := InFlight{
			Txn: m.TxnID, Out: true, Account: m.AccountNo, AmountFen: m.AmountFen, FeeFen: m.FeeFen,
			Channel: m.Channel, PendingID: m.PendingID, FeePendingID: m.FeePendingID, Bound: m.Bound, Payment: m.Payment, Date: on,
		}
		if !m.Bound {
			f.CountedOn = on
			c.account(m.AccountNo).Out.Add(on, m.AmountFen)
		}
		c.InFlight = append(c.InFlight, f)
	case *TransferInSucceeded:
		c.landed(m.TxnID)
	case *TransferInFailed:
		c.landed(m.TxnID)
	case *TransferOutSucceeded:
		c.landed(m.TxnID)
	case *TransferOutFailed:
		// The limit used is given back on a failure, on the day it was taken.
		if f := c.inFlight(m.TxnID); f != nil && f.CountedOn != 0 {
			c.account(f.Account).Out.Add(f.CountedOn, -f.AmountFen)
		}
		c.landed(m.TxnID)
	case *InternalTransferred:
		if m.Role == RolePayer {
			c.account(m.Payer).Out.Add(on, m.AmountFen)
		}
	case *DayOpened, *DayCutStarted, *DayCutFinished, *DayStepFinished:
		c.applyDay(e)
	case applied:
		m.apply(c, on)
	default:
		if !c.applyAccount(e) && !c.applyDeposit(e) {
			c.applyLoan(e)
		}
	}
}

func (c *Customer) landed(txn TxnID) {
	for i := range c.InFlight {
		if c.InFlight[i].Txn == txn {
			c.InFlight = append(c.InFlight[:i], c.InFlight[i+1:]...)
			return
		}
	}
}
