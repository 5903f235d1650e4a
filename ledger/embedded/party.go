package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// accountRow is what a plain transfer touches of an account: one cache line. Ten million of them lie in 640 MB, and
// how far apart they lie is most of what a transfer costs: the processor looks up where each page of memory is.
// Everything else is in the account's details.
type accountRow struct {
	id             ledger.Uint128
	debitsPending  uint64 // lower halves, all there is unless wideAccount is set
	debitsPosted   uint64
	creditsPending uint64
	creditsPosted  uint64
	last           uint32 // the newest of its transfers, row + 1
	count          uint32 // of its transfers
	ledger         uint32
	flags          ledger.AccountFlags // and wideAccount
	_              uint16
}

// wideAccount, beside an account's flags, says that a balance needs its upper half.
const wideAccount ledger.AccountFlags = 1 << 15

// accountDetails is the rest of an account.
type accountDetails struct {
	userData128  ledger.Uint128
	high         [4]uint64 // upper halves of the balances, in the order of sums
	timestamp    uint64
	userData64   uint64
	userData32   uint32
	previousUser uint32 // the account before this one with the same userData128, row + 1
	lastMark     uint32 // the newest mark of its transfers, row + 1
	code         uint16
	_            uint16
}

// sums are an account's balances.
type sums struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128
}

// wide reports whether a balance needs its upper half.
func (s *sums) wide() bool {
	return s.debitsPending.Hi|s.debitsPosted.Hi|s.creditsPending.Hi|s.creditsPosted.Hi != 0
}

// party is an account taking part in a transfer. Its sums change first, and the account when they are put back.
type party struct {
	row     uint32
	account *accountRow
	sums
}

// take makes p the party that an account is.
func (e *Engine) take(p *party, row uint32) {
	p.row, p.account = row, e.accounts.at(row)
	p.account.sums(&p.sums)
	if p.account.flags&wideAccount != 0 {
		e.widen(&p.sums, row)
	}
}

// sums reads the lower halves of an account's balances.
func (a *accountRow) sums(s *sums) {
	s.debitsPending, s.debitsPosted = ledger.Uint128{Lo: a.debitsPending}, ledger.Uint128{Lo: a.debitsPosted}
	s.creditsPending, s.creditsPosted = ledger.Uint128{Lo: a.creditsPending}, ledger.Uint128{Lo: a.creditsPosted}
}

// widen adds the upper halves.
func (e *Engine) widen(s *sums, row uint32) {
	high := &e.details.at(row).high
	s.debitsPending.Hi, s.debitsPosted.Hi, s.creditsPending.Hi, s.creditsPosted.Hi = high[0], high[1], high[2], high[3]
}

// put writes a party's sums to its account, which has been touched.
func (e *Engine) put(p *party) {
	a := p.account
	a.debitsPending, a.debitsPosted = p.debitsPending.Lo, p.debitsPosted.Lo
	a.creditsPending, a.creditsPosted = p.creditsPending.Lo, p.creditsPosted.Lo
	if p.wide() || a.flags&wideAccount != 0 {
		e.putWide(p)
	}
}

func (e *Engine) putWide(p *party) {
	e.details.at(p.row).high = [4]uint64{p.debitsPending.Hi, p.debitsPosted.Hi, p.creditsPending.Hi, p.creditsPosted.Hi}
	p.account.flags &^= wideAccount
	if p.wide() {
		p.account.flags |= wideAccount
	}
}

// account is an account as callers see it.
func (e *Engine) account(row uint32) ledger.Account {
	saved := e.saved(row)
	return saved.account(e.details.at(row).userData128)
}

// savedAccount is an account as a snapshot has it, and as it is put aside before it changes. Its userData128, which never
// changes, is beside it.
type savedAccount struct {
	id ledger.Uint128
	sums
	timestamp    uint64
	userData64   uint64
	userData32   uint32
	ledger       uint32
	code         uint16
	flags        ledger.AccountFlags
	last         uint32
	count        uint32
	lastMark     uint32
	previousUser uint32
	_            uint32
}

func (e *Engine) saved(row uint32) savedAccount {
	var p party
	e.take(&p, row)
	a, d := p.account, e.details.at(row)
	return savedAccount{
		id: a.id, sums: p.sums, timestamp: d.timestamp, userData64: d.userData64, userData32: d.userData32,
		ledger: a.ledger, code: d.code, flags: a.flags &^ wideAccount,
		last: a.last, count: a.count, lastMark: d.lastMark, previousUser: d.previousUser,
	}
}

// save copies so many accounts from first on, and their userData128.
func (e *Engine) save(first uint32, accounts []savedAccount, owners []ledger.Uint128) {
	for i := range accounts {
		row := first + uint32(i)
		accounts[i], owners[i] = e.saved(row), e.details.at(row).userData128
	}
}

// restore makes an account what it was when it was saved. Its userData128 is left as it is.
func (e *Engine) restore(row uint32, s *savedAccount) {
	a, d := e.accounts.at(row), e.details.at(row)
	*a = accountRow{id: s.id, last: s.last, count: s.count, ledger: s.ledger, flags: s.flags &^ wideAccount}
	*d = accountDetails{
		userData128: d.userData128, timestamp: s.timestamp, userData64: s.userData64, userData32: s.userData32,
		previousUser: s.previousUser, lastMark: s.lastMark, code: s.code,
	}
	e.put(&party{row, a, s.sums})
}

func (s *savedAccount) account(userData128 ledger.Uint128) ledger.Account {
	return ledger.Account{
		ID:             s.id,
		DebitsPending:  s.debitsPending,
		DebitsPosted:   s.debitsPosted,
		CreditsPending: s.creditsPending,
		CreditsPosted:  s.creditsPosted,
		UserData128:    userData128,
		UserData64:     s.userData64,
		UserData32:     s.userData32,
		Ledger:         s.ledger,
		Code:           s.code,
		Flags:          s.flags,
		Timestamp:      s.timestamp,
	}
}
