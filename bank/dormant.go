package bank

import "time"

// When an account falls asleep (SPEC 2.6).
const (
	// DormantMonths without a movement by the customer make an account with less than DormantBelowFen dormant (久悬).
	DormantMonths         = 24
	DormantBelowFen int64 = 1_000
	// UnusedMonths after its opening an account that never moved is suspended for all but counters (银发〔2016〕261号).
	UnusedMonths = 6
)

// unusedRule is the authority of a suspension for want of use.
const unusedRule = "银发〔2016〕261号"

// AccountDormant (转久悬): the account sleeps, and its balance waits among the dormant ones.
type AccountDormant struct {
	AccountNo AccountNo `cbor:"1,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"2,keyasint,omitempty" json:"amount_fen"`
	LastMoved Date      `cbor:"3,keyasint" json:"last_moved_on"`
}

// AccountReactivated (久悬激活): the account is as it was, with its balance.
type AccountReactivated struct {
	AccountNo AccountNo `cbor:"1,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"2,keyasint,omitempty" json:"amount_fen"`
	By
}

// IdentityVerified (身份核实): the bank has seen the customer and his document.
type IdentityVerified struct {
	CustomerNo CustomerNo `cbor:"1,keyasint" json:"customer_no"`
	IDToken    string     `cbor:"2,keyasint" json:"id_token"`
	Region     uint32     `cbor:"3,keyasint,omitempty" json:"region_code"`
	FaceToFace bool       `cbor:"4,keyasint" json:"face_to_face"`
	By
}

// ConfirmIdentity (面签) says that the bank has met the customer: his accounts may receive money from others, and
// what waited for his identity wakes up.
type ConfirmIdentity struct {
	Customer CustomerNo `cbor:"1,keyasint"`
	Channel  Channel    `cbor:"2,keyasint"`
	By
}

// SuspendUnused (暂停非柜面) suspends an account that was never used: a command of the beginning of the day.
type SuspendUnused struct {
	Account AccountNo `cbor:"1,keyasint"`
}

// TurnDormant (转久悬) lets an account sleep: a command of the beginning of the day.
type TurnDormant struct {
	Account AccountNo `cbor:"1,keyasint"`
}

// Operation names, stable.
func (*ConfirmIdentity) Operation() string { return "confirm_identity" }
func (*SuspendUnused) Operation() string   { return "suspend_unused" }
func (*TurnDormant) Operation() string     { return "turn_dormant" }

func (m *ConfirmIdentity) decider() CustomerNo { return m.Customer }
func (*ConfirmIdentity) unknown() RefusalCode  { return CustomerUnknown }
func (m *ConfirmIdentity) through() Channel    { return m.Channel }

func (m *ConfirmIdentity) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	d.Events = []Event{&IdentityVerified{
		CustomerNo: c.No, IDToken: c.Person.IDToken, Region: c.Region, FaceToFace: true, By: m.By,
	}}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		for k := range a.special().Restrictions {
			if r := &a.Special.Restrictions[k]; r.Kind == NonCounterSuspended {
				d.Events = append(d.Events, &AccountReleased{
					AccountNo: a.No, ID: r.ID, Kind: r.Kind, Authority: r.Authority, Reason: IdentityConfirmed, By: m.By,
				})
			}
		}
		if a.State != AccountStateDormant {
			continue
		}
		d.Legs = DormantTransfer{a.LedgerID(), bankAccount(DetailDormant, 0, d), a.special().DormantFen, true}.Legs(d.Txn, d.Legs)
		d.Events = append(d.Events, &AccountReactivated{AccountNo: a.No, AmountFen: a.special().DormantFen, By: m.By})
		d.Affects = append(d.Affects, a.affected())
	}
	return nil
}

func (m *SuspendUnused) decider() CustomerNo { return m.Account.Customer() }
func (*SuspendUnused) unknown() RefusalCode  { return CustomerUnknown }
func (*SuspendUnused) through() Channel      { return 0 }

func (m *SuspendUnused) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case !a.unused(env.Desk.Standing(a.No), env.Date, env.Catalogue):
		return &Refusal{Code: NotDue, Field: "account_no"}
	}
	d.Events = []Event{&AccountRestricted{AccountNo: a.No, AccountRestriction: AccountRestriction{
		ID: d.Txn, Kind: NonCounterSuspended, Authority: unusedRule, From: env.Date,
	}}}
	return nil
}

func (m *TurnDormant) decider() CustomerNo { return m.Account.Customer() }
func (*TurnDormant) unknown() RefusalCode  { return CustomerUnknown }
func (*TurnDormant) through() Channel      { return 0 }

func (m *TurnDormant) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	s := env.Desk.Standing(a.No)
	if !c.sleeps(a, s, env.Date, env.Catalogue) {
		return &Refusal{Code: NotDue, Field: "account_no"}
	}
	d.Legs = DormantTransfer{Customer: a.LedgerID(), Dormant: bankAccount(DetailDormant, 0, d), AmountFen: s.BalanceFen()}.Legs(d.Txn, nil)
	d.Events = []Event{&AccountDormant{AccountNo: a.No, AmountFen: s.BalanceFen(), LastMoved: s.lastMoved(a)}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// unused reports whether the account has not moved since its opening, and that is long ago.
func (a *EAccount) unused(s *Standing, on Date, cat *Catalogue) bool {
	for _, r := range a.special().Restrictions {
		if r.Kind == NonCounterSuspended {
			return false
		}
	}
	return a.State == AccountNormal && s.Moved == 0 && len(a.special().Restrictions) < RestrictionsMax && !cat.Unlimited(a.Product) &&
		on >= a.OpenedOn.AddMonths(UnusedMonths, 0)
}

// sleeps reports whether the account is to become dormant: next to nothing on it, and nothing the customer did
// for long. What holds contracts, holds or money on its way is not asleep.
func (c *Customer) sleeps(a *EAccount, s *Standing, on Date, cat *Catalogue) bool {
	return a.State == AccountNormal && !cat.Unlimited(a.Product) && on >= s.lastMoved(a).AddMonths(DormantMonths, 0) &&
		s.BalanceFen() >= 0 && s.BalanceFen() < DormantBelowFen && s.idle() && s.AdmittedFen == 0 &&
		len(a.special().Holds) == 0 && !c.owes(a.No) && !c.saves(a.No)
}

// saves reports whether a deposit pays back into the account.
func (c *Customer) saves(no AccountNo) bool {
	for i := range c.Deposits {
		if c.Deposits[i].Account == no && c.Deposits[i].PrincipalFen > 0 {
			return true
		}
	}
	return false
}

// lastMoved is when the customer last moved something on the account.
func (s *Standing) lastMoved(a *EAccount) Date { return max(s.Moved, a.OpenedOn) }

// accountsDue (账户日初事项) lists what the beginning of a date brings about for a customer's accounts: restrictions,
// holds and delays whose time is over, holds to be filled, accounts to suspend or to let sleep.
func accountsDue(c *Customer, d *Desk, date Date, cat *Catalogue) (list []SystemCommand) {
	add := func(cmd Command, step, ref string) {
		list = append(list, SystemCommand{Command: cmd, Step: step, Ref: ref})
	}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		s, special := d.Standing(a.No), a.special()
		for _, r := range special.Restrictions {
			if r.lapsed(date, beginning(date)) {
				add(&LapseRestriction{Restriction: r.ID}, "lapse restriction", r.ID.String())
			}
		}
		for _, h := range special.Holds {
			if h.Until != 0 && date > h.Until {
				add(&LapseHold{Hold: h.ID}, "lapse hold", h.ID.String())
			}
		}
		for _, x := range special.Delayed {
			if x.UntilMillis <= beginning(date) {
				add(&EndDelay{Transfer: x.ID, Result: DelayLapsed, Channel: ChannelBatch}, "lapse delay", x.ID.String())
			}
		}
		switch {
		case a.State == AccountStateClosed:
		case a.lapses(s, date):
			add(&LapseApplication{Account: a.No}, "lapse application", a.No.String())
		case s.unheld():
			add(&FillHolds{Account: a.No}, "fill holds", a.No.String())
		case c.sleeps(a, s, date, cat):
			add(&TurnDormant{Account: a.No}, "turn dormant", a.No.String())
		case a.unused(s, date, cat):
			add(&SuspendUnused{Account: a.No}, "suspend unused", a.No.String())
		}
	}
	return list
}

// beginning is the first moment of a date, milliseconds since 1970.
func beginning(d Date) int64 {
	return time.Date(d.Year(), time.Month(d.Month()), d.Day(), 0, 0, 0, 0, shanghai).UnixMilli()
}
