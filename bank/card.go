package bank

import "slices"

// Limits of bound cards (绑定卡, SPEC 2.5).
const (
	// CardsMax is how many cards an account can have.
	CardsMax = 5
	// CardRestMillis is how long nothing can leave for a card after it was bound to an account that had one
	// already: time to notice that it was not the customer who did it.
	CardRestMillis int64 = 24 * 60 * 60 * 1000
)

// The kinds of bound cards.
const (
	CardClassI = "CLASS_1"
	CardCredit = "CREDIT"
)

// card finds a bound card; an empty token is the first one's. Nil: there is none.
func (a *EAccount) card(token string) *CardSealed {
	if a.Card.Token == "" {
		return nil
	}
	if token == "" || token == a.Card.Token {
		return &a.Card
	}
	for i := range a.special().Cards {
		if c := &a.Special.Cards[i]; c.Token == token {
			return c
		}
	}
	return nil
}

// boundCard is card with its refusal.
func (a *EAccount) boundCard(token, field string) (*CardSealed, *Refusal) {
	card := a.card(token)
	switch {
	case card != nil:
		return card, nil
	case a.Card.Token == "":
		return nil, &Refusal{Code: BoundCardRequired, Field: field}
	}
	return nil, &Refusal{Code: CardUnknown, Field: field}
}

// outgoingCard is the bound card that money is to leave for.
func (c *Customer) outgoingCard(a *EAccount, token string, env *Env) (*CardSealed, *Refusal) {
	card, r := a.boundCard(token, "from_account")
	switch {
	case r != nil:
		return nil, r
	case env.Millis < card.OutgoingFrom:
		return nil, &Refusal{Code: CardTooNew, Field: "to_bound_card"}
	case card.Kind == CardCredit && c.owes(a.No):
		// What was lent may lie on the account: a credit card is no place for it.
		return nil, &Refusal{Code: LoanMoneyToCreditCard, Field: "to_bound_card"}
	}
	return card, nil
}

// owes reports whether a loan was drawn into the account and is not repaid.
func (c *Customer) owes(no AccountNo) bool {
	return slices.ContainsFunc(c.Loans, func(l Loan) bool { return l.Account == no && !l.Settled })
}

// BoundCardRemoved (解绑).
type BoundCardRemoved struct {
	CustomerNo CustomerNo `cbor:"1,keyasint" json:"customer_no"`
	AccountNo  AccountNo  `cbor:"2,keyasint" json:"account_no"`
	CardToken  string     `cbor:"3,keyasint" json:"card_token"`
}

// AddCard (绑卡) binds a further card.
type AddCard struct {
	Account AccountNo  `cbor:"1,keyasint"`
	Card    CardSealed `cbor:"2,keyasint"`
	Channel Channel    `cbor:"3,keyasint"`
}

// RemoveCard (解绑) unbinds a card.
type RemoveCard struct {
	Account   AccountNo `cbor:"1,keyasint"`
	CardToken string    `cbor:"2,keyasint"`
	Channel   Channel   `cbor:"3,keyasint"`
}

// Operation names, stable.
func (*AddCard) Operation() string    { return "add_card" }
func (*RemoveCard) Operation() string { return "remove_card" }

func (m *AddCard) decider() CustomerNo { return m.Account.Customer() }
func (*AddCard) unknown() RefusalCode  { return AccountUnknown }
func (m *AddCard) through() Channel    { return m.Channel }

func (m *AddCard) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case a.State == AccountPendingOpen: // it waits for the one it was applied for with
		return &Refusal{Code: AccountNotOpen, Field: "account_no"}
	case a.card(m.Card.Token) != nil:
		return &Refusal{Code: CardExists, Field: "card_no"}
	case len(a.special().Cards)+1 >= CardsMax:
		return &Refusal{Code: CardsFull, Field: "card_no"}
	}
	card := m.Card
	card.OutgoingFrom = env.Millis + CardRestMillis
	d.Events = []Event{&BoundCardAdded{CustomerNo: c.No, AccountNo: a.No, Card: card}}
	return nil
}

func (m *RemoveCard) decider() CustomerNo { return m.Account.Customer() }
func (*RemoveCard) unknown() RefusalCode  { return AccountUnknown }
func (m *RemoveCard) through() Channel    { return m.Channel }

func (m *RemoveCard) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case a.State == AccountPendingOpen:
		return &Refusal{Code: AccountNotOpen, Field: "account_no"}
	case m.CardToken == "" || a.card(m.CardToken) == nil:
		return &Refusal{Code: CardUnknown, Field: "card_no"}
	case len(a.special().Cards) == 0 && !env.Desk.empty(a.No):
		return &Refusal{Code: LastCard, Field: "card_no"}
	}
	d.Events = []Event{&BoundCardRemoved{CustomerNo: c.No, AccountNo: a.No, CardToken: m.CardToken}}
	return nil
}

// foldCard puts an event into the account's cards. The first is the one that is used when none is named.
func (a *EAccount) foldCard(e Event) {
	switch m := e.(type) {
	case *BoundCardAdded:
		if a.Card.Token == "" {
			a.Card = m.Card
			return
		}
		a.become(func(s *Special) { s.Cards = append(s.Cards, m.Card) })
	case *BoundCardRemoved:
		first := a.Card.Token == m.CardToken
		if first {
			a.Card = CardSealed{}
		}
		a.become(func(s *Special) {
			if first && len(s.Cards) > 0 {
				a.Card, s.Cards = s.Cards[0], s.Cards[1:]
				return
			}
			s.Cards = slices.DeleteFunc(s.Cards, func(c CardSealed) bool { return c.Token == m.CardToken })
		})
	}
}
