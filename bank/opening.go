package bank

// An account that was applied for (PENDING_OPEN, 待启用) waits for what opens it: its bound card's bank confirms the card,
// or money arrives from that card. Until then it can do nothing else; when neither happens in time the application
// lapses, and its number is not given again.

// OpeningDays is how long an application waits; a parameter of the bank.
const OpeningDays = 30

// AccountApplied (开户申请): the account has its number and waits. AccountOpened follows when it is opened.
type AccountApplied struct {
	CustomerNo    CustomerNo   `cbor:"1,keyasint" json:"customer_no"`
	AccountNo     AccountNo    `cbor:"2,keyasint" json:"account_no"`
	Class         Class        `cbor:"3,keyasint" json:"class"`
	Product       string       `cbor:"4,keyasint" json:"product"`
	AppliedOn     Date         `cbor:"5,keyasint" json:"applied_on"`
	Until         Date         `cbor:"6,keyasint" json:"until"` // its last day
	DetailSubject uint32       `cbor:"7,keyasint" json:"detail_subject"`
	FaceToFace    bool         `cbor:"8,keyasint,omitempty" json:"face_to_face"`
	InterestBase  InterestBase `cbor:"9,keyasint,omitempty" json:"interest_base,omitzero"`
}

// ApplicationEnded (开户申请终止): the account will not be opened.
type ApplicationEnded struct {
	CustomerNo CustomerNo       `cbor:"1,keyasint" json:"customer_no"`
	AccountNo  AccountNo        `cbor:"2,keyasint" json:"account_no"`
	Result     ApplicationState `cbor:"3,keyasint" json:"result"`
	Reason     string           `cbor:"4,keyasint,omitempty" json:"reason,omitzero"`
	By
}

// ApplicationState is why an application ended.
type ApplicationState string

// The ends.
const (
	ApplicationRejected ApplicationState = "REJECTED"
	ApplicationLapsed   ApplicationState = "LAPSED"
)

// AnswerCardCheck (绑定卡核验结果) is what the bound card's bank says of the card of an account that waits.
type AnswerCardCheck struct {
	Account        AccountNo `cbor:"1,keyasint"`
	Confirmed      bool      `cbor:"2,keyasint,omitempty"`
	ProviderSerial string    `cbor:"3,keyasint,omitempty"`
	Reason         string    `cbor:"4,keyasint,omitempty"` // of a rejection
	Channel        Channel   `cbor:"5,keyasint"`
	By
}

// LapseApplication (开户申请过期) ends an application whose time is over: a command of the beginning of the day.
type LapseApplication struct {
	Account AccountNo `cbor:"1,keyasint"`
}

// Operation names, stable.
func (*AnswerCardCheck) Operation() string  { return "answer_card_check" }
func (*LapseApplication) Operation() string { return "lapse_application" }

// EventType of each event.
func (*AccountApplied) EventType() EventType   { return EventAccountApplied }
func (*ApplicationEnded) EventType() EventType { return EventApplicationEnded }

func (m *AnswerCardCheck) decider() CustomerNo { return m.Account.Customer() }
func (*AnswerCardCheck) unknown() RefusalCode  { return AccountUnknown }
func (m *AnswerCardCheck) through() Channel    { return m.Channel }

func (m *AnswerCardCheck) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := c.applied(m.Account)
	switch {
	case r != nil:
		return r
	case m.Confirmed:
		opened := a.opened(c, env)
		opened.CardSerial, opened.By = m.ProviderSerial, m.By
		d.Events = []Event{opened}
	case !env.Desk.empty(a.No):
		// Money from the card is on its way, and its answer will tell more than this one.
		return &Refusal{Code: AccountBusy, Field: "account_no"}
	default:
		a.endApplication(ApplicationRejected, m.Reason, m.By, c, d)
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// applied finds an account that waits to be opened.
func (c *Customer) applied(no AccountNo) (*EAccount, *Refusal) {
	a, r := ownAccount(c, no, "account_no")
	if r == nil && a.State != AccountPendingOpen {
		r = &Refusal{Code: AccountIsOpen, Field: "account_no"}
	}
	return a, r
}

// opened is the event that opens an account that was applied for.
func (a *EAccount) opened(c *Customer, env *Env) *AccountOpened {
	e := &AccountOpened{
		CustomerNo: c.No, AccountNo: a.No, Class: a.No.Class(), Product: a.Product, OpenedOn: env.Date,
		DetailSubject: accountDetail(a.No.Class(), a.Product), FaceToFace: a.FaceToFace, CardToken: a.Card.Token, AppliedOn: a.OpenedOn,
	}
	if p := env.Catalogue.Account(a.Product); p != nil {
		e.InterestBase = p.Base
	}
	return e
}

// openedBy appends the opening to a decision that brings an account money from its bound card, if it waits for it.
func (a *EAccount) openedBy(c *Customer, env *Env, d *Decision) {
	if a.State == AccountPendingOpen {
		d.Events = append(d.Events, a.opened(c, env))
	}
}

func (m *LapseApplication) decider() CustomerNo { return m.Account.Customer() }
func (*LapseApplication) unknown() RefusalCode  { return CustomerUnknown }
func (*LapseApplication) through() Channel      { return 0 }

func (m *LapseApplication) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := c.applied(m.Account)
	switch {
	case r != nil:
		return r
	case !a.lapses(env.Desk.Standing(a.No), env.Date):
		return &Refusal{Code: NotDue, Field: "account_no"}
	}
	a.endApplication(ApplicationLapsed, "", By{}, c, d)
	d.Affects = []Affected{a.affected()}
	return nil
}

// lapses reports whether the account has waited too long to be opened, and no money is on its way to it that may
// open it yet.
func (a *EAccount) lapses(s *Standing, on Date) bool {
	return a.State == AccountPendingOpen && on > a.OpenedOn.AddDays(OpeningDays) && s.idle() && s.AdmittedFen == 0
}

// endApplication closes the account, which is empty, in the ledger, too.
func (a *EAccount) endApplication(result ApplicationState, reason string, by By, c *Customer, d *Decision) {
	d.Legs = AccountShut{a.LedgerID(), clearingAccount(ChannelUnionPay, c.No, d)}.Legs(d.Txn, nil)
	d.Events = []Event{&ApplicationEnded{CustomerNo: c.No, AccountNo: a.No, Result: result, Reason: reason, By: by}}
}

func (e *AccountApplied) apply(c *Customer, _ Date) {
	c.Accounts = append(c.Accounts, EAccount{
		No: e.AccountNo, Product: e.Product, State: AccountPendingOpen, OpenedOn: e.AppliedOn, FaceToFace: e.FaceToFace,
	})
}

func (e *AccountApplied) post(d *Desk, on Date) {
	base := (&AccountOpened{Product: e.Product, InterestBase: e.InterestBase}).base()
	d.Accounts = append(d.Accounts, Standing{
		Account: e.AccountNo, Product: e.Product, State: AccountPendingOpen, FaceToFace: e.FaceToFace,
		Demand: Demand{Accumulation: NewAccumulation(base, on, 0)},
	})
}

func (e *ApplicationEnded) apply(c *Customer, _ Date) {
	c.change(e.AccountNo, func(a *EAccount) { a.State = AccountStateClosed })
}

func (e *ApplicationEnded) post(d *Desk, _ Date) {
	d.at(e.AccountNo, func(s *Standing) { s.State = AccountStateClosed })
}
