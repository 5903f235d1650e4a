package bank

import "slices"

// AccountRestriction (止付冻结) is one of the restrictions on an account (SPEC 2.6). What the account may do is
// what the strictest of them leaves.
type AccountRestriction struct {
	ID         TxnID       `cbor:"1,keyasint" json:"restriction_id"` // the decision that made it; its hold has the same
	Kind       Restriction `cbor:"2,keyasint" json:"kind"`
	Authority  string      `cbor:"3,keyasint,omitempty" json:"authority,omitzero"`   // who ordered it
	DocumentNo string      `cbor:"4,keyasint,omitempty" json:"document_no,omitzero"` // of the order
	AmountFen  int64       `cbor:"5,keyasint,omitempty" json:"amount_fen,omitzero"`  // to be frozen; zero: no amount, or all
	From       Date        `cbor:"6,keyasint,omitempty" json:"from"`
	Until      Date        `cbor:"7,keyasint,omitempty" json:"until,omitzero"` // the last day; zero: until it is lifted
	// UntilMillis ends an emergency stop, which runs by the hour; milliseconds since 1970.
	UntilMillis int64 `cbor:"8,keyasint,omitempty" json:"until_ms,omitzero"`
	// Queue is the place among the waiting freezes (轮候冻结); zero: in effect.
	Queue int `cbor:"9,keyasint,omitempty" json:"queue_position"`
}

// Limits of restrictions.
const (
	// RestrictionsMax is how many an account can have at one time, waiting ones counted.
	RestrictionsMax = 64
	// FreezeMonthsMax is the longest a judicial freeze runs before it must be renewed (民诉法解释 2022 art. 485).
	FreezeMonthsMax = 12
	// EmergencyStopMillis is how long an emergency stop runs (银发〔2016〕86号: 48 hours).
	EmergencyStopMillis int64 = 48 * 60 * 60 * 1000
)

// InEffect reports whether the restriction is in effect on an accounting date and at a time: it waits for none
// before it and its time is not over, though the daily command may not have ended it yet.
func (r *AccountRestriction) InEffect(on Date, millis int64) bool {
	return r.Queue == 0 && !r.lapsed(on, millis)
}

func (r *AccountRestriction) lapsed(on Date, millis int64) bool {
	return r.Until != 0 && on > r.Until || r.UntilMillis != 0 && millis >= r.UntilMillis
}

// freezes reports whether the restriction is a judicial freeze (司法冻结), which takes an amount into a hold
// and queues behind others.
func (r *AccountRestriction) freezes() bool { return r.Kind == FrozenAll || r.Kind == PartialFrozen }

// asksFen is the amount a freeze is to hold.
func (r *AccountRestriction) asksFen() int64 {
	if r.AmountFen == 0 {
		return AmountMaxFen
	}
	return r.AmountFen
}

// restrictions are those of one account, in the order they arrived.
type restrictions []AccountRestriction

// permission of an action on an account in the state, and which state or restriction decides it.
func (rs restrictions) permission(state AccountState, action AccountAction, on Date, millis int64) (Permission, Restriction) {
	if state == AccountNormal && len(rs) == 0 {
		return Allowed, Unrestricted
	}
	culprit := Restriction(state)
	strictest := Permitted(action, culprit)
	for i := range rs {
		if !rs[i].InEffect(on, millis) {
			continue
		}
		if p := Permitted(action, rs[i].Kind); p < strictest {
			strictest, culprit = p, rs[i].Kind
		}
	}
	return strictest, culprit
}

// forbidden is what the owner hears of an account whose state or restriction forbids what he asked.
func forbidden(by Restriction, field string) *Refusal {
	code := AccountIsRestricted
	switch by {
	case Closed:
		code = AccountClosed
	case Dormant:
		code = AccountIsDormant
	case PreClose:
		code = AccountIsClosing
	case PendingOpen:
		code = AccountNotOpen
	}
	return &Refusal{Code: code, Field: field}
}

// permits refuses an action that the account's state or restrictions forbid. While a freeze still lacks a
// part of its amount nothing of the account is above it: what has just come in is about to be held.
func (a *EAccount) permits(action AccountAction, env *Env, field string) *Refusal {
	return a.permitsIn(a.State, action, env, field)
}

// permitsIn is permits, as if the account were in a state.
func (a *EAccount) permitsIn(state AccountState, action AccountAction, env *Env, field string) *Refusal {
	permission, by := a.special().Restrictions.permission(state, action, env.Date, env.Millis)
	switch {
	case permission == Forbidden:
		return forbidden(by, field)
	case permission == AboveFrozen && a.short() != nil:
		return &Refusal{Code: FundsFrozen, Field: field}
	}
	return nil
}

// fold puts an event into the restrictions.
func (rs *restrictions) fold(e Event) {
	switch m := e.(type) {
	case *AccountRestricted:
		i := rs.index(m.ID)
		if i < 0 {
			*rs = append(*rs, m.AccountRestriction)
			return
		}
		was := (*rs)[i].Queue
		(*rs)[i] = m.AccountRestriction
		if was > 0 && m.Queue == 0 {
			rs.moveUp(was)
		}
	case *AccountReleased:
		i := rs.index(m.ID)
		if i < 0 {
			return
		}
		was := (*rs)[i].Queue
		*rs = slices.Delete(*rs, i, i+1)
		if was > 0 {
			rs.moveUp(was)
		}
	}
}

// moveUp closes the gap that a waiting freeze left in the queue.
func (rs restrictions) moveUp(behind int) {
	for i := range rs {
		if rs[i].Queue > behind {
			rs[i].Queue--
		}
	}
}

func (rs restrictions) index(id TxnID) int {
	return slices.IndexFunc(rs, func(r AccountRestriction) bool { return r.ID == id })
}

// AccountRestricted (止付冻结): a restriction was put on the account, was renewed, or has waited and takes effect.
type AccountRestricted struct {
	AccountRestriction
	AccountNo AccountNo `cbor:"20,keyasint" json:"account_no"`
	By
}

// AccountReleased (解除止付冻结).
type AccountReleased struct {
	AccountNo  AccountNo     `cbor:"1,keyasint" json:"account_no"`
	ID         TxnID         `cbor:"2,keyasint" json:"restriction_id"`
	Kind       Restriction   `cbor:"3,keyasint" json:"kind"`
	Authority  string        `cbor:"4,keyasint,omitempty" json:"authority,omitzero"`
	DocumentNo string        `cbor:"5,keyasint,omitempty" json:"document_no,omitzero"` // of the order to release it
	Reason     ReleaseReason `cbor:"6,keyasint" json:"reason"`
	By
}

// ReleaseReason is why a restriction or a hold ended.
type ReleaseReason string

// The reasons.
const (
	Lifted            ReleaseReason = "LIFTED"
	Lapsed            ReleaseReason = "LAPSED"             // its time was over
	IdentityConfirmed ReleaseReason = "IDENTITY_CONFIRMED" // of what waited for that
	Exhausted         ReleaseReason = "EXHAUSTED"          // nothing is left of the deposit it was on
)

// RestrictAccount (止付、冻结) puts a restriction on an account.
type RestrictAccount struct {
	Account    AccountNo   `cbor:"1,keyasint"`
	Kind       Restriction `cbor:"2,keyasint"`
	Authority  string      `cbor:"3,keyasint,omitempty"`
	DocumentNo string      `cbor:"4,keyasint,omitempty"`
	AmountFen  int64       `cbor:"5,keyasint,omitempty"` // of a freeze; zero with FROZEN_ALL: all there is and comes
	Until      Date        `cbor:"6,keyasint,omitempty"` // the last day; zero: of a freeze a year, of others until lifted
	Channel    Channel     `cbor:"7,keyasint"`
	By
}

// RenewRestriction (续冻) lets a restriction run longer.
type RenewRestriction struct {
	Restriction TxnID   `cbor:"1,keyasint"`
	DocumentNo  string  `cbor:"2,keyasint,omitempty"`
	Until       Date    `cbor:"3,keyasint"`
	Channel     Channel `cbor:"4,keyasint"`
	By
}

// ReleaseRestriction (解冻、解除止付) ends a restriction. A waiting freeze behind it takes effect.
type ReleaseRestriction struct {
	Restriction TxnID   `cbor:"1,keyasint"`
	DocumentNo  string  `cbor:"2,keyasint,omitempty"`
	Channel     Channel `cbor:"3,keyasint"`
	By
}

// LapseRestriction (到期解除) ends a restriction whose time is over: a command of the end of the day.
type LapseRestriction struct {
	Restriction TxnID `cbor:"1,keyasint"`
}

// Operation names, stable.
func (*RestrictAccount) Operation() string    { return "restrict_account" }
func (*RenewRestriction) Operation() string   { return "renew_restriction" }
func (*ReleaseRestriction) Operation() string { return "release_restriction" }
func (*LapseRestriction) Operation() string   { return "lapse_restriction" }

// restrictable are the kinds that can be put on an account; the others are its states.
var restrictable = []Restriction{DebitStop, FrozenAll, PartialFrozen, AllStop, EmergencyStop, NonCounterSuspended, ReportedLost}

func (m *RestrictAccount) decider() CustomerNo { return m.Account.Customer() }
func (*RestrictAccount) unknown() RefusalCode  { return AccountUnknown }
func (m *RestrictAccount) through() Channel    { return m.Channel }

func (m *RestrictAccount) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	made := AccountRestriction{
		ID: d.Txn, Kind: m.Kind, Authority: m.Authority, DocumentNo: m.DocumentNo, AmountFen: m.AmountFen, From: env.Date, Until: m.Until,
	}
	ordered := made.freezes() || m.Kind == EmergencyStop
	switch {
	case !slices.Contains(restrictable, m.Kind):
		return &Refusal{Code: FieldInvalid, Field: "kind"}
	case ordered && m.Authority == "":
		return &Refusal{Code: FieldInvalid, Field: "authority"}
	case ordered && m.DocumentNo == "":
		return &Refusal{Code: FieldInvalid, Field: "document_no"}
	case m.AmountFen < 0 || m.AmountFen > AmountMaxFen || m.Kind == PartialFrozen && m.AmountFen == 0 || !made.freezes() && m.AmountFen != 0:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case len(a.special().Restrictions) >= RestrictionsMax:
		return &Refusal{Code: RestrictionsFull, Field: "account_no"}
	}
	switch {
	case made.freezes() && m.Until == 0:
		made.Until = env.Date.AddMonths(FreezeMonthsMax, 0)
	case m.Kind == EmergencyStop && m.Until == 0:
		made.UntilMillis = env.Millis + EmergencyStopMillis
	}
	if r := made.untilAllowed(env.Date); r != nil {
		return r
	}
	if made.freezes() && a.fullyFrozen(env, TxnID{}) {
		made.Queue = 1
		for i := range a.special().Restrictions {
			made.Queue = max(made.Queue, a.Special.Restrictions[i].Queue+1)
		}
	}
	d.Events = []Event{&AccountRestricted{AccountRestriction: made, AccountNo: a.No, By: m.By}}
	if made.freezes() && made.Queue == 0 {
		a.hold(d, d.Txn, made.ID, Judicial, made.asksFen(), min(made.asksFen(), env.Desk.availableFen(a.No)))
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// untilAllowed checks the last day of a restriction against the date it is set on.
func (r *AccountRestriction) untilAllowed(on Date) *Refusal {
	switch {
	case r.Until == 0:
		return nil
	case r.Kind == EmergencyStop, r.Until < on, r.freezes() && r.Until > on.AddMonths(FreezeMonthsMax, 0):
		return &Refusal{Code: FieldInvalid, Field: "until"}
	}
	return nil
}

// fullyFrozen reports whether a freeze in effect, other than the one left out, takes all there is: a further
// one has to wait.
func (a *EAccount) fullyFrozen(env *Env, but TxnID) bool {
	for i := range a.special().Restrictions {
		r := &a.Special.Restrictions[i]
		if !r.freezes() || r.ID == but || !r.InEffect(env.Date, env.Millis) {
			continue
		}
		if h := a.held(r.ID); r.Kind == FrozenAll || h != nil && h.ShortFen() > 0 {
			return true
		}
	}
	return false
}

// restricted finds one of the customer's restrictions.
func (c *Customer) restricted(id TxnID) (*EAccount, *AccountRestriction, *Refusal) {
	for i := range c.Accounts {
		if k := c.Accounts[i].special().Restrictions.index(id); k >= 0 {
			return &c.Accounts[i], &c.Accounts[i].Special.Restrictions[k], nil
		}
	}
	return nil, nil, &Refusal{Code: RestrictionUnknown, Field: "restriction_id"}
}

func (m *RenewRestriction) decider() CustomerNo { return m.Restriction.Customer() }
func (*RenewRestriction) unknown() RefusalCode  { return RestrictionUnknown }
func (m *RenewRestriction) through() Channel    { return m.Channel }

func (m *RenewRestriction) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r, refusal := c.restricted(m.Restriction)
	if refusal != nil {
		return refusal
	}
	renewed := *r
	renewed.Until = m.Until
	if m.DocumentNo != "" {
		renewed.DocumentNo = m.DocumentNo
	}
	if m.Until == 0 || r.lapsed(env.Date, env.Millis) {
		return &Refusal{Code: FieldInvalid, Field: "until"}
	}
	if refusal := renewed.untilAllowed(env.Date); refusal != nil {
		return refusal
	}
	d.Txn = r.ID
	d.Events = []Event{&AccountRestricted{AccountRestriction: renewed, AccountNo: a.No, By: m.By}}
	return nil
}

func (m *ReleaseRestriction) decider() CustomerNo { return m.Restriction.Customer() }
func (*ReleaseRestriction) unknown() RefusalCode  { return RestrictionUnknown }
func (m *ReleaseRestriction) through() Channel    { return m.Channel }

func (m *ReleaseRestriction) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r, refusal := c.restricted(m.Restriction)
	if refusal != nil {
		return refusal
	}
	a.release(r, Lifted, m.DocumentNo, m.By, env, d)
	return nil
}

func (m *LapseRestriction) decider() CustomerNo { return m.Restriction.Customer() }
func (*LapseRestriction) unknown() RefusalCode  { return CustomerUnknown }
func (*LapseRestriction) through() Channel      { return 0 }

func (m *LapseRestriction) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r, refusal := c.restricted(m.Restriction)
	switch {
	case refusal != nil:
		return refusal
	case !r.lapsed(env.Date, env.Millis):
		return &Refusal{Code: NotDue, Field: "restriction_id"}
	}
	a.release(r, Lapsed, "", By{}, env, d)
	return nil
}

// release ends a restriction: its hold goes, and the next waiting freeze takes effect.
func (a *EAccount) release(r *AccountRestriction, why ReleaseReason, documentNo string, by By, env *Env, d *Decision) {
	own := d.Txn
	d.Txn = r.ID // the hold was placed under this id, and is found again under it
	d.Events = append(d.Events, &AccountReleased{
		AccountNo: a.No, ID: r.ID, Kind: r.Kind, Authority: r.Authority, DocumentNo: documentNo, Reason: why, By: by,
	})
	if h := a.held(r.ID); h != nil {
		a.letGo(h, own, why, by, d)
	}
	if r.freezes() && r.Queue == 0 {
		a.nextFreeze(env, r.ID, d)
	}
	d.Affects = []Affected{a.affected()}
}

// nextFreeze lets the first of the waiting freezes take effect, unless another freeze than the one that ended
// still takes all there is (最高法查封扣押冻结规定 art. 26: automatically). Its hold is empty at first; the command
// that fills holds follows at once, and until then nothing leaves the account.
func (a *EAccount) nextFreeze(env *Env, ended TxnID, d *Decision) {
	if a.fullyFrozen(env, ended) {
		return
	}
	var next *AccountRestriction
	for i := range a.special().Restrictions {
		r := &a.Special.Restrictions[i]
		if r.Queue > 0 && !r.lapsed(env.Date, env.Millis) && (next == nil || r.Queue < next.Queue) {
			next = r
		}
	}
	if next == nil {
		return
	}
	now := *next
	now.Queue = 0
	d.Events = append(d.Events, &AccountRestricted{AccountRestriction: now, AccountNo: a.No})
	a.hold(d, d.Txn, now.ID, Judicial, now.asksFen(), 0)
}
