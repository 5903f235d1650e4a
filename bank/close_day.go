package bank

// CloseDay (客户日终) closes a customer's date: it accrues what his deposits have earned by its end.
type CloseDay struct {
	Customer CustomerNo
	Date     Date
}

// Operation name, stable.
func (*CloseDay) Operation() string { return "close_day" }

// CustomerDayClosed (客户日终).
type CustomerDayClosed struct {
	CustomerNo CustomerNo   `cbor:"1,keyasint" json:"customer_no"`
	Date       Date         `cbor:"2,keyasint" json:"date"`
	Accruals   []DayAccrual `cbor:"4,keyasint,omitempty" json:"accruals"`
}

// DayAccrual is what one contract has earned since its interest was accrued last.
type DayAccrual struct {
	Product  string     `cbor:"1,keyasint" json:"product"`
	Deposit  ContractNo `cbor:"2,keyasint,omitempty" json:"deposit_no,omitzero"`
	DeltaFen int64      `cbor:"3,keyasint" json:"delta_fen"`
}

// EventType of the event.
func (*CustomerDayClosed) EventType() EventType { return EventCustomerDayClosed }

func decideCloseDay(c *Customer, m *CloseDay, env *Env, d *Decision) *Refusal {
	e := &CustomerDayClosed{CustomerNo: c.No, Date: m.Date}
	for i := range c.Deposits {
		if t := &c.Deposits[i]; t.PrincipalFen > 0 {
			terms := t.Terms(env.Catalogue.Deposit(t.Product).Method)
			if delta := terms.AccruedBeforeFen(min(m.Date.AddDays(1), t.MaturityDate)) - t.AccruedFen; delta != 0 {
				e.Accruals = append(e.Accruals, DayAccrual{t.Product, t.No, delta})
			}
		}
	}
	d.Events = []Event{e}
	return nil
}

func (c *Customer) dayClosed(m *CustomerDayClosed) {
	c.ClosedOn = m.Date
	for _, a := range m.Accruals {
		c.deposit(a.Deposit).AccruedFen += a.DeltaFen
	}
}

// closing lists the end of a customer's day, if there is anything to end.
func closing(c *Customer, date Date) []SystemCommand {
	if len(c.Deposits) == 0 || c.ClosedOn >= date {
		return nil
	}
	return []SystemCommand{{Command: &CloseDay{c.No, date}, Step: "close"}}
}
