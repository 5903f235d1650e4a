package serial

// What is undone or put right afterwards: returns, refunds, reversals and the advances they leave, shortages.

// Return gives money of a transfer that had gone out back, or its fee.
type Return struct {
	Account, Transfer int
	Fen, Of           int64 // Of: what there was of it
	Fee               bool
}

func (s Return) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Return) take(b *books) bool {
	a, t := &b.accounts[s.Account], &b.transfers[s.Transfer]
	sum := &t.returned
	if s.Fee {
		sum = &t.refunded
	}
	*sum += int32(s.Fen)
	a.posted += s.Fen
	return a.lives() && t.phase == done && !t.undone && s.Fen > 0 && int64(*sum) <= s.Of
}

// Undo reverses a transfer. From gets the amount and the fee back; To gives what it still has of it, and its owner owes
// the rest. Either is < 0 where the other side is outside the bank.
type Undo struct {
	Transfer  int
	From, To  int
	Fen, Fee  int64
	Shortfall int64 // as was told
}

func (s Undo) touches() (all []thing) {
	for _, no := range []int{s.From, s.To} {
		if no >= 0 {
			all = append(all, anAccount(no))
		}
	}
	return append(all, thing{'t', s.Transfer})
}

func (s Undo) take(b *books) bool {
	t := &b.transfers[s.Transfer]
	if t.phase != done || t.undone || t.spoiled || t.returned+t.refunded > 0 {
		return false
	}
	t.undone = true
	if s.To >= 0 {
		a := &b.accounts[s.To]
		gives := min(s.Fen, max(0, a.available()))
		a.posted -= gives
		a.advance += s.Fen - gives
		if !a.lives() || s.Fen-gives != s.Shortfall {
			return false
		}
	}
	if s.From >= 0 {
		b.accounts[s.From].posted += s.Fen + s.Fee
		return b.accounts[s.From].lives()
	}
	return true
}

// Collected takes what an account's owner owes after a reversal, as far as his money goes.
type Collected struct {
	Account int
	Fen     int64
	Loose   bool // as of Collect
}

func (s Collected) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Collected) take(b *books) bool {
	a := &b.accounts[s.Account]
	return (a.advance > 0 || s.Loose) && Collect{Collects: true, Collected: s.Fen, Loose: s.Loose}.take(a)
}

// Claim: the channel has paid out a transfer that failed here; the owner owes it.
type Claim struct{ Account, Transfer int }

func (s Claim) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Claim) take(b *books) bool {
	t := &b.transfers[s.Transfer]
	was := t.claim
	t.claim = claimed
	return t.phase == failed && was == unclaimed
}

// RepayClaim takes it from the owner's account, whole.
type RepayClaim struct {
	Account, Transfer int
	Fen               int64
}

func (s RepayClaim) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s RepayClaim) take(b *books) bool {
	a, t := &b.accounts[s.Account], &b.transfers[s.Transfer]
	was := t.claim
	t.claim = repaid
	a.posted -= s.Fen
	return was == claimed && a.lives() && a.available() >= 0
}

// Transferred: that is how the transfer stands.
type Transferred struct {
	Account, Transfer int
	Is                Standing
	Fen, Of           int64 // of Over
	Fee               bool
}

// Standing is how a transfer can stand.
type Standing uint8

// The standings.
const (
	Settled   Standing = iota // done or failed
	Unsettled                 // still pending
	Succeeded
	Failed
	Reversed
	Marred    // it can't be reversed: it failed, or a part has gone back or elsewhere
	Over      // Fen more than Of would go back
	Claimed   // claimed, perhaps repaid
	Unclaimed // nothing is owed for it
)

func (s Transferred) touches() []thing { return []thing{{'t', s.Transfer}} }
func (s Transferred) take(b *books) bool {
	t := &b.transfers[s.Transfer]
	switch s.Is {
	case Settled:
		return t.phase == done || t.phase == failed
	case Unsettled:
		return t.phase == pending
	case Succeeded:
		return t.phase == done
	case Failed:
		return t.phase == failed
	case Reversed:
		return t.undone
	case Marred:
		return t.phase == failed || t.spoiled || t.returned+t.refunded > 0
	case Over:
		sum := t.returned
		if s.Fee {
			sum = t.refunded
		}
		return t.phase == done && int64(sum)+s.Fen > s.Of
	case Claimed:
		return t.claim != unclaimed
	case Unclaimed:
		return t.claim != claimed
	}
	return false
}

// OwesNothing: no advance is to be collected from the account.
type OwesNothing struct{ Account int }

func (s OwesNothing) touches() []thing   { return []thing{anAccount(s.Account)} }
func (s OwesNothing) take(b *books) bool { return b.accounts[s.Account].advance == 0 }
