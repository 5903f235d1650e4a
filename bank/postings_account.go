package bank

// HoldAmount (E12, 部分冻结) takes an amount out of reach until it is released or deducted. The ledger takes
// what is there and no more, or, of a pledge, the whole amount or nothing.
type HoldAmount struct {
	Customer, Payable U128 // CUST, 22410301
	AmountFen         int64
	Whole             bool
}

// Legs appends E12.
func (p HoldAmount) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	flags := LegPending | LegBalancingDebit
	if p.Whole {
		flags = LegPending
	}
	c.move(p.Customer, p.Payable, p.AmountFen, 1141, Leg{Flags: flags, Refused: InsufficientFunds})
	return c.legs
}

// HoldRelease (E13, 解冻) lets the parts of a hold go.
type HoldRelease struct{ Parts []HoldPart }

// Legs appends E13, once for each part.
func (p HoldRelease) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	for _, part := range p.Parts {
		c.settle(part.Pending, 0, 1141, LegVoid, LedgerCNY)
	}
	return c.legs
}

// HoldDeduction (E14, 司法扣划) takes an amount out of a hold, to be remitted. Posting a part of a pending
// transfer releases its rest, so the rest is held again in the same chain.
type HoldDeduction struct {
	Customer, Payable, Clearing U128 // CUST, 22410301, CLR
	Parts                       []HoldPart
	AmountFen                   int64
}

// Legs appends E14: the parts that are taken, the rest of the last of them, and the remittance.
func (p HoldDeduction) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	left := p.AmountFen
	for _, part := range p.Parts {
		if left == 0 {
			break
		}
		taken := min(left, part.Fen)
		c.settle(part.Pending, taken, 1141, LegPost, LedgerCNY)
		c.move(p.Customer, p.Payable, part.Fen-taken, 1141, Leg{Flags: LegPending, Refused: InsufficientFunds})
		left -= taken
	}
	c.move(p.Payable, p.Clearing, p.AmountFen, 1142, Leg{Flags: LegPending, Refused: InsufficientFunds})
	return c.legs
}

// DeductionResult is the channel's answer to the remittance of E14. After a failure it is asked for again: the
// money is the court's and stays where it is until it can be paid.
type DeductionResult struct {
	Payable, Clearing, Pending U128
	AmountFen                  int64
	Success                    bool
}

// Legs appends E14 leg 2's post, or its void and the next try.
func (p DeductionResult) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.result(p.Pending, p.AmountFen, 1142, p.Success)
	if !p.Success {
		c.move(p.Payable, p.Clearing, p.AmountFen, 1142, Leg{Flags: LegPending, Refused: InsufficientFunds})
	}
	return c.legs
}

// RiskDelay (E15, 风险暂缓) holds money and fee of a payment apart until it is decided.
type RiskDelay struct {
	Customer, Held U128 // CUST, 22410501
	AmountFen      int64
}

// Legs appends E15 leg 1.
func (p RiskDelay) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Customer, p.Held, p.AmountFen, 1145, Leg{Flags: LegPending, Refused: InsufficientFunds})
	return c.legs
}

// RiskRelease (E15 row a) lets it go; the payment (E06, E08) follows in the same chain, or nothing does.
type RiskRelease struct{ Pending U128 }

// Legs appends the void.
func (p RiskRelease) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.settle(p.Pending, 0, 1145, LegVoid, LedgerCNY)
	return c.legs
}

// ClosingPayout (E18 legs 2 and 3, 销户) pays out all there is and closes the account against any more.
type ClosingPayout struct {
	Customer, To U128 // CUST; CLR or CUST2
}

// Legs appends E18 legs 2 and 3. The interest of the broken quarter comes before them.
func (p ClosingPayout) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Customer, p.To, 0, 1171, Leg{All: true, Flags: LegBalancingDebit, Refused: InsufficientFunds})
	c.add(Leg{Debit: p.Customer, Credit: p.To, Code: 1172, Flags: LegPending | LegClosingDebit})
	return c.legs
}

// AccountShut (E18 leg 3) closes an account on which there never was anything.
type AccountShut struct{ Customer, To U128 } // CUST, CLR

// Legs appends E18 leg 3.
func (p AccountShut) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.add(Leg{Debit: p.Customer, Credit: p.To, Code: 1172, Flags: LegPending | LegClosingDebit})
	return c.legs
}

// DormantTransfer (E19, 转久悬 / 久悬支取) moves a balance to the dormant ones, or back.
type DormantTransfer struct {
	Customer, Dormant U128 // CUST, 20110901
	AmountFen         int64
	Back              bool
}

// Legs appends E19.
func (p DormantTransfer) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	if p.Back {
		c.move(p.Dormant, p.Customer, p.AmountFen, 1182, needsFunds)
	} else {
		c.move(p.Customer, p.Dormant, p.AmountFen, 1181, needsFunds)
	}
	return c.legs
}
