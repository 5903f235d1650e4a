package bank

// The stored form of a customer's state without reflection, for a customer who has accounts and nothing else: nearly all
// are, and at full speed states are a twentieth of all that is done. As the other frequent values it is written as the general
// encoder would, byte for byte (by test), and who has more is left to that.

// plain reports whether the customer has accounts and nothing else.
func (s *storedState) plain() bool {
	c, d := s.Customer, s.Desk
	if c == nil || d == nil || len(c.Deposits)+len(c.Lines)+len(c.Loans)+len(c.InFlight) > 0 || c.Day != nil || c.Unsettled != nil {
		return false
	}
	for i := range c.Accounts {
		if c.Accounts[i].Special != nil {
			return false
		}
	}
	for i := range d.Accounts {
		if d.Accounts[i].Stopped != nil || d.Accounts[i].Demand.Ended != nil {
			return false
		}
	}
	return true
}

func (s *storedState) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.key(1)
	m.b = s.Customer.appendPlain(m.b)
	m.key(2)
	m.b = s.Desk.appendPlain(m.b)
	return m.b
}

func (c *Customer) appendPlain(b []byte) []byte {
	m := newStoredMap(b)
	m.uintUnlessZero(1, uint64(c.No))
	m.uintUnlessZero(2, c.Seq)
	m.uintUnlessZero(3, uint64(c.Registered))
	m.textUnlessEmpty(4, string(c.IDKind))
	p := m.inner(5)
	p.bytesUnlessEmpty(1, c.Person.NameSealed)
	p.bytesUnlessEmpty(2, c.Person.IDSealed)
	p.bytesUnlessEmpty(3, c.Person.MobileSealed)
	p.textUnlessEmpty(4, c.Person.IDToken)
	p.textUnlessEmpty(5, c.Person.MobileToken)
	p.textUnlessEmpty(6, c.Person.NameToken)
	p.textUnlessEmpty(7, c.Person.NameMasked)
	p.textUnlessEmpty(8, c.Person.IDMasked)
	p.textUnlessEmpty(9, c.Person.MobileMasked)
	m.innerUnlessEmpty(p)
	m.uintUnlessZero(6, uint64(c.Region))
	if len(c.Accounts) > 0 {
		m.key(7)
		m.b = appendHead(m.b, cborArray, uint64(len(c.Accounts)))
		for i := range c.Accounts {
			m.b = c.Accounts[i].appendPlain(m.b)
		}
	}
	m.uintUnlessZero(11, uint64(c.Applications))
	m.uintUnlessZero(21, uint64(c.ClosedOn))
	return m.b
}

func (a *EAccount) appendPlain(b []byte) []byte {
	m := newStoredMap(b)
	m.uintUnlessZero(1, uint64(a.No))
	m.textUnlessEmpty(2, a.Product)
	m.textUnlessEmpty(3, string(a.State))
	m.uintUnlessZero(4, uint64(a.OpenedOn))
	m.trueUnlessFalse(5, a.FaceToFace)
	card := m.inner(6)
	card.bytesUnlessEmpty(1, a.Card.Sealed)
	card.textUnlessEmpty(2, a.Card.Token)
	card.textUnlessEmpty(3, a.Card.Masked)
	card.textUnlessEmpty(4, a.Card.Bank)
	card.textUnlessEmpty(5, a.Card.Kind)
	card.intUnlessZero(6, a.Card.OutgoingFrom)
	m.innerUnlessEmpty(card)
	m.counter(7, &a.Out)
	return m.b
}

func (d *Desk) appendPlain(b []byte) []byte {
	m := newStoredMap(b)
	if len(d.Accounts) > 0 {
		m.key(1)
		m.b = appendHead(m.b, cborArray, uint64(len(d.Accounts)))
		for i := range d.Accounts {
			m.b = d.Accounts[i].appendPlain(m.b)
		}
	}
	return m.b
}

func (s *Standing) appendPlain(b []byte) []byte {
	m := newStoredMap(b)
	m.uintUnlessZero(1, uint64(s.Account))
	m.textUnlessEmpty(2, s.Product)
	m.textUnlessEmpty(3, string(s.State))
	m.trueUnlessFalse(4, s.FaceToFace)
	m.trueUnlessFalse(5, s.Funded)
	m.counter(6, &s.In)
	apart := m.inner(8)
	apart.intUnlessZero(1, s.Apart.InFen)
	apart.intUnlessZero(2, s.Apart.OutFen)
	m.innerUnlessEmpty(apart)
	m.uintUnlessZero(9, uint64(s.Moved))
	m.intUnlessZero(10, s.AdvanceFen)
	demand := m.inner(14)
	demand.textUnlessEmpty(1, string(s.Demand.Base))
	demand.uintUnlessZero(2, uint64(s.Demand.From))
	demand.uintUnlessZero(3, uint64(s.Demand.Next))
	demand.intUnlessZero(4, s.Demand.BalanceFen)
	demand.intUnlessZero(5, s.Demand.FenDays)
	demand.intUnlessZero(6, s.Demand.ClosingFen)
	demand.intUnlessZero(7, s.Demand.AccruedFen)
	m.innerUnlessEmpty(demand)
	return m.b
}

func (m *storedMap) counter(key byte, c *Counter) {
	in := m.inner(key)
	in.uintUnlessZero(1, uint64(c.Day))
	in.intUnlessZero(2, c.DayFen)
	in.intUnlessZero(3, c.YearFen)
	m.innerUnlessEmpty(in)
}

// inner begins a struct within this one, to be ended by innerUnlessEmpty, which leaves out one that nothing was put into.
// Until then nothing else may be appended to this one.
func (m *storedMap) inner(key byte) storedMap {
	m.key(key)
	return newStoredMap(m.b)
}

func (m *storedMap) innerUnlessEmpty(in storedMap) {
	if m.b = in.b; m.b[in.at] == cborMap {
		m.b = m.b[:in.at-1]
		m.b[m.at]--
	}
}

func (m *storedMap) uintUnlessZero(key byte, v uint64) {
	if v != 0 {
		m.uint(key, v)
	}
}

func (m *storedMap) bytesUnlessEmpty(key byte, v []byte) {
	if len(v) > 0 {
		m.key(key)
		m.b = append(appendHead(m.b, cborBytes, uint64(len(v))), v...)
	}
}
